#include "core/files/filesystem_probe.h"

#include <fcntl.h>
#include <sys/statvfs.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <utility>

#include "core/environment.h"
#include "core/error.h"
#include "core/files/files.h"
#include "core/files/temporary_name.h"
#include "core/rng.h"

namespace straq {
namespace fs = std::filesystem;
namespace {

// Kernel numbers of filesystems that results live on (man 2 statfs and the filesystems' sources).
std::string type_name(unsigned long magic) {
  static constexpr std::pair<unsigned long, const char*> kKnown[] = {
      {0xEF53, "ext"},        {0x58465342, "xfs"},      {0x9123683E, "btrfs"},
      {0x01021994, "tmpfs"},  {0x794C7630, "overlay"},  {0x6969, "nfs"},
      {0x0BD00BD0, "lustre"}, {0x47504653, "gpfs"},     {0x19830326, "beegfs"},
      {0x00C36400, "ceph"},   {0x2FC12FC1, "zfs"},      {0xFF534D42, "cifs"},
      {0x65735546, "fuse"},   {0x20030528, "orangefs"}, {0xAAD7AAEA, "panfs"}};
  for (const auto& [number, name] : kKnown) {
    if (number == magic) return name;
  }
  char buffer[32];
  std::snprintf(buffer, sizeof buffer, "type 0x%lx", magic);
  return buffer;
}

// Removes a file at the end of a scope.
struct Removed {
  fs::path path;
  ~Removed() {
    std::error_code ec;
    fs::remove(path, ec);
  }
};

// A name that no other process on any node has.
fs::path own_name(const std::string& folder, const char* what) {
  return temporary_name((fs::path(folder) / (".straq-doctor-" + std::string(what))).string());
}

}  // namespace

DiskSpace disk_space(const std::string& folder) {
  struct statvfs counts {};
  struct statfs kind {};
  if (statvfs(folder.c_str(), &counts) != 0 || statfs(folder.c_str(), &kind) != 0) {
    fail_runtime(folder + ": " + std::strerror(errno), "does the folder exist on this node?");
  }
  DiskSpace space;
  space.free_bytes = static_cast<std::uint64_t>(counts.f_bavail) * counts.f_frsize;
  space.total_bytes = static_cast<std::uint64_t>(counts.f_blocks) * counts.f_frsize;
  space.free_files = counts.f_favail;
  space.total_files = counts.f_files;
  space.type = type_name(static_cast<unsigned long>(kind.f_type) & 0xFFFFFFFFul);
  return space;
}

WriteProbe probe_write_rename_read(const std::string& folder, std::size_t bytes) {
  // Random, so that a compressing filesystem has work to do.
  std::string written(bytes, '\0');
  CounterRng rng(static_cast<std::uint64_t>(getpid()), "doctor");
  for (std::size_t i = 0; i < bytes; i += sizeof(std::uint64_t)) {
    const std::uint64_t word = rng.next_u64();
    std::memcpy(written.data() + i, &word, std::min(sizeof word, bytes - i));
  }
  const Removed file{own_name(folder, "write")};
  WriteProbe probe;
  double begin = monotonic_seconds();
  write_file_atomic(file.path.string(), written);
  probe.write_seconds = monotonic_seconds() - begin;
  begin = monotonic_seconds();
  const std::string read = read_file(file.path.string());
  probe.read_seconds = monotonic_seconds() - begin;
  if (read != written) {
    fail_runtime(file.path.string() + ": read back other bytes than were written",
                 "this filesystem cannot hold results; tell its administrators");
  }
  return probe;
}

void probe_hard_links(const std::string& folder) {
  const Removed file{own_name(folder, "link-from")}, linked{own_name(folder, "link-to")};
  write_file_atomic(file.path.string(), "straq doctor\n");
  if (::link(file.path.c_str(), linked.path.c_str()) != 0) {
    fail_runtime(folder + ": a hard link cannot be made: " + std::strerror(errno),
                 "the locks of run folders need hard links; put results on another filesystem");
  }
  if (::link(file.path.c_str(), linked.path.c_str()) == 0) {
    fail_runtime(folder + ": a hard link was made over one that was there",
                 "locks cannot work on this filesystem; put results on another one");
  }
}

}  // namespace straq
