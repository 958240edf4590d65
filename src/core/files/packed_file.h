// A file that is written piece by piece, packed where its name says so, and appears whole or not at
// all.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

#include "core/files/byte_source.h"

namespace straq {

// By the name's ending: .gz, .zst, else none.
Packing packing_of(const std::string& path);

class PackedFile {
 public:
  // As AtomicFile; packed as packing_of(path) says.
  explicit PackedFile(const std::string& path);
  ~PackedFile();
  PackedFile(const PackedFile&) = delete;
  PackedFile& operator=(const PackedFile&) = delete;
  void write(std::string_view bytes);
  void publish();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace straq
