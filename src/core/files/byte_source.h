// The bytes of a file one after the other, unpacked where it is a gzip or zstd archive (told by its
// first bytes, not by its name): so a file of any size is read in bounded memory.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

namespace straq {

enum class Packing { none, gzip, zstd };

// A file as it was when it was opened: another size or time means that it has been written since.
struct FileStamp {
  std::uint64_t bytes = 0;
  std::int64_t modified = 0;  // nanoseconds since 1970
  bool operator==(const FileStamp&) const = default;
};

class ByteSource {
 public:
  // Throws Error(input) as read_file does. Without `unpack` an archive is the bytes that it is.
  explicit ByteSource(std::string path, bool unpack = true);
  ~ByteSource();
  ByteSource(const ByteSource&) = delete;
  ByteSource& operator=(const ByteSource&) = delete;

  const std::string& path() const { return path_; }
  Packing packing() const { return packing_; }
  // Up to `most` bytes of what is in the file, as many as are there; 0 only at the end. Throws
  // Error(input) for an archive that is damaged or cut off.
  std::size_t read(char* to, std::size_t most);
  // Goes on with that byte of what is in the file. Of an archive everything before it is unpacked
  // again where it lies behind. Throws Error(input) where there is no such byte.
  void seek(std::uint64_t offset);
  std::uint64_t position() const { return position_; }
  // Of the file, as it is now.
  FileStamp stamp() const;

 private:
  struct Unpacker;
  struct Gzip;
  struct Zstd;

  std::size_t read_raw(char* to, std::size_t most);
  void rewind();

  std::string path_;
  int fd_ = -1;
  bool unpack_ = true;
  Packing packing_ = Packing::none;
  std::uint64_t position_ = 0;
  std::unique_ptr<Unpacker> unpacker_;
};

// The file's name without its folder, its ending and, of an archive, the archive's (train of
// a/train.txt and of a/train.txt.gz): what its dialogues' ids begin with.
std::string content_stem(const std::string& path);

}  // namespace straq
