// A file read by memory map: weights larger than what one wants to hold twice are looked at in
// place, and the kernel drops their pages again under memory pressure.
#pragma once

#include <cstdint>
#include <string>

namespace straq {

class MappedFile {
 public:
  // Throws Error(input) with the system's reason; `hint` says what kind of file to name instead of
  // a folder or a device.
  MappedFile(const std::string& path, const std::string& hint);
  ~MappedFile();
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;

  // The mapping is private and writable: a stray write changes a copy of the page, never the file.
  char* data() const { return static_cast<char*>(data_); }
  std::uint64_t size() const { return size_; }

 private:
  void* data_ = nullptr;
  std::uint64_t size_ = 0;
};

}  // namespace straq
