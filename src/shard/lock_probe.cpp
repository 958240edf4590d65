#include "shard/lock_probe.h"

#include <fcntl.h>
#include <spdlog/fmt/fmt.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "core/files/temporary_name.h"
#include "shard/hdf5.h"

namespace straq::shard {
namespace {

// Creates and reopens a file; the library looks at HDF5_USE_FILE_LOCKING at each open.
bool create_and_open(const std::string& path) {
  H5Eset_auto2(H5E_DEFAULT, nullptr, nullptr);
  const Handle made(H5Fcreate(path.c_str(), H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT), H5Fclose);
  if (!made.valid()) return false;
  const Handle group(H5Gcreate2(made.get(), "g", H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT), H5Gclose);
  return group.valid() && H5Fflush(made.get(), H5F_SCOPE_GLOBAL) >= 0;
}

bool open_again(const std::string& path) {
  const Handle read(H5Fopen(path.c_str(), H5F_ACC_RDONLY, H5P_DEFAULT), H5Fclose);
  return read.valid();
}

// What flock(), which HDF5 uses, says here; 0 when it works.
int flock_error(const std::string& path) {
  const int fd = ::open(path.c_str(), O_RDWR);
  if (fd < 0) return errno;
  const int error = ::flock(fd, LOCK_EX | LOCK_NB) == 0 ? 0 : errno;
  ::close(fd);
  return error;
}

// The process that holds a lock for writing on the file with this inode and device, as /proc/locks
// has it: "1: FLOCK  ADVISORY  WRITE 1234 08:01:5678 0 EOF". 0: it is not told.
long writer_of(const struct stat& file) {
  std::ifstream locks("/proc/locks");
  const std::string wanted =
      fmt::format("{:02x}:{:02x}:{}", major(file.st_dev), minor(file.st_dev), file.st_ino);
  for (std::string line; std::getline(locks, line);) {
    std::istringstream in(line);
    std::string number, kind, mode, type, place;
    long pid = 0;
    if (in >> number >> kind >> mode >> type >> pid >> place && type == "WRITE" &&
        place == wanted) {
      return pid;
    }
  }
  return 0;
}

}  // namespace

std::string lock_holder(const std::string& path) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (fd < 0) return {};
  struct stat file {};
  const bool held = ::fstat(fd, &file) == 0 && S_ISREG(file.st_mode) &&
                    ::flock(fd, LOCK_SH | LOCK_NB) != 0 && errno == EWOULDBLOCK;
  ::close(fd);  // gives the lock back where there was none
  if (!held) return {};
  const long pid = writer_of(file);
  if (pid <= 0) return "another program";
  std::ifstream comm("/proc/" + std::to_string(pid) + "/comm");
  std::string name;
  std::getline(comm, name);
  return "process " + std::to_string(pid) + (name.empty() ? "" : " (" + name + ")");
}

Hdf5LockProbe probe_hdf5_locking(const std::string& folder) {
  const std::string path =
      temporary_name((std::filesystem::path(folder) / ".straq-doctor.h5").string());
  Hdf5LockProbe probe;
  const char* setting = std::getenv("HDF5_USE_FILE_LOCKING");
  const std::string before = setting ? setting : "";
  const bool off = before == "FALSE" || before == "0";
  const bool opened = create_and_open(path) && open_again(path);
  const int error = flock_error(path);
  if (opened) {
    probe.locking = off || error != 0 ? Hdf5Locking::off : Hdf5Locking::works;
    if (off) probe.detail = "HDF5_USE_FILE_LOCKING=" + before;
    if (!off && error != 0) probe.detail = std::string("flock: ") + std::strerror(error);
  } else {
    ::setenv("HDF5_USE_FILE_LOCKING", "FALSE", 1);
    const bool without = create_and_open(path) && open_again(path);
    if (setting) {
      ::setenv("HDF5_USE_FILE_LOCKING", before.c_str(), 1);
    } else {
      ::unsetenv("HDF5_USE_FILE_LOCKING");
    }
    probe.locking = without ? Hdf5Locking::broken : Hdf5Locking::unusable;
    probe.detail = std::string(without ? "flock: " : "") +
                   (error != 0 ? std::strerror(error) : "HDF5 could not open its own file");
  }
  std::error_code ec;
  std::filesystem::remove(path, ec);
  return probe;
}

}  // namespace straq::shard
