// Files that appear whole or not at all. Whatever another process may read is written to a
// temporary name beside its place (core/files/temporary_name.h), flushed to disk and renamed.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace straq {

// The whole file. Throws Error(input) with the system's reason and a hint.
std::string read_file(const std::string& path);

// Writes beside `path`, fsync, rename. Makes missing parent folders. Throws Error(failure) naming
// the path and the reason (disk full, no permission); the old file, if any, stays as it was.
void write_file_atomic(const std::string& path, std::string_view bytes);

// Makes a folder with its parents; throws Error(failure) with the reason.
void make_folders(const std::string& path);

// Throws Error(failure) unless files can be made in `folder` (which is made when missing).
void require_writable_folder(const std::string& folder);

// Flushes a file or folder that exists to disk; throws Error(failure).
void sync_to_disk(const std::string& path);

// Renames `from` to `to` and flushes the folder; throws Error(failure).
void rename_durably(const std::string& from, const std::string& to);

// A writer for one growing text file (metrics.jsonl): each line is written with one system call, so
// a reader or a crash never sees half a line followed by another; of a line that a full disk cut
// off nothing stays.
class LineWriter {
 public:
  // Appends when `append`, else starts the file anew.
  LineWriter(const std::string& path, bool append);
  ~LineWriter();
  LineWriter(const LineWriter&) = delete;
  LineWriter& operator=(const LineWriter&) = delete;
  // `line` without its newline. Throws Error(failure) when the disk refuses it.
  void write(std::string_view line);

 private:
  std::string path_;
  int fd_ = -1;
  bool torn_ = false;  // the file ends within a line
};

}  // namespace straq
