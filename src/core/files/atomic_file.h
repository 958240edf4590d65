// A large file that is written piece by piece and appears whole or not at all, as
// write_file_atomic does for bytes that are already in memory.
#pragma once

#include <cstddef>
#include <string>

namespace straq {

class AtomicFile {
 public:
  // Opens a temporary file beside `path` and makes missing parent folders. This, write() and
  // publish() throw Error(failure) naming the path and the reason (disk full, no permission).
  explicit AtomicFile(const std::string& path);
  ~AtomicFile();  // removes what was not published
  AtomicFile(const AtomicFile&) = delete;
  AtomicFile& operator=(const AtomicFile&) = delete;

  void write(const void* data, std::size_t bytes);
  // Flushes to disk and renames into place; write nothing after it.
  void publish();

 private:
  std::string target_, path_;
  int fd_ = -1;
  bool published_ = false;
};

}  // namespace straq
