// What a folder's filesystem can do, found out by doing it: what straq relies on is that a renamed
// file is whole and read back as it was written, and that hard links can be made (the locks of run
// folders are hard links). For `straq doctor`.
#pragma once

#include <cstdint>
#include <string>

namespace straq {

struct DiskSpace {
  std::uint64_t free_bytes = 0, total_bytes = 0;
  std::uint64_t free_files = 0;  // inodes; 0 with total_files 0: the filesystem does not count them
  std::uint64_t total_files = 0;
  std::string type;  // "ext", "nfs", "lustre", …, or its number
};
// Throws Error(failure) with the system's reason.
DiskSpace disk_space(const std::string& folder);

struct WriteProbe {
  double write_seconds = 0;  // with flush to disk and rename
  double read_seconds = 0;   // mostly from the page cache
};
// Writes `bytes` as every file of a run folder is written, reads them back and compares; leaves
// nothing behind. Throws Error(failure) where the bytes differ, and what write_file_atomic throws.
WriteProbe probe_write_rename_read(const std::string& folder, std::size_t bytes);

// A hard link can be made, and a second one of the same name is refused. Throws Error(failure).
void probe_hard_links(const std::string& folder);

}  // namespace straq
