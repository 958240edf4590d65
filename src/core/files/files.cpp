#include "core/files/files.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "core/error.h"
#include "core/files/atomic_file.h"
#include "core/files/temporary_name.h"

namespace straq {
namespace fs = std::filesystem;
namespace {

std::string hint_for(int code) {
  switch (code) {
    case ENOSPC:
    case EDQUOT:
      return "free space on that filesystem or choose another folder, then rerun";
    case EACCES:
    case EPERM:
    case EROFS:
      return "choose a folder that you may write to";
    case ENOENT:
      return "check the path; relative paths start at the current folder";
    case ENOTDIR:
      return "a part of that path is a file; choose a folder or remove the file";
    case EISDIR:
      return "a folder has that name; name a file";
    default:
      return {};
  }
}

[[noreturn]] void fail_io(const std::string& what, const std::string& path, int code) {
  fail_runtime(what + " " + path + ": " + std::strerror(code), hint_for(code));
}

void write_all(int fd, std::string_view bytes, const std::string& path) {
  std::size_t done = 0;
  while (done < bytes.size()) {
    const ssize_t n = ::write(fd, bytes.data() + done, bytes.size() - done);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) fail_io("cannot write", path, n == 0 ? ENOSPC : errno);
    done += static_cast<std::size_t>(n);
  }
}

}  // namespace

std::string read_file(const std::string& path) {
  std::error_code ec;
  if (fs::is_directory(path, ec))
    fail_input("cannot read " + path + ": it is a folder", "name a file");
  std::ifstream in(path, std::ios::binary);
  if (!in) {
    const int code = errno;
    fail_input("cannot read " + path + ": " + std::strerror(code), hint_for(code));
  }
  std::ostringstream out;
  out << in.rdbuf();
  if (in.bad()) fail_runtime("cannot read " + path + " to its end");
  return std::move(out).str();
}

void write_file_atomic(const std::string& path, std::string_view bytes) {
  AtomicFile file(path);
  file.write(bytes.data(), bytes.size());
  file.publish();
}

AtomicFile::AtomicFile(const std::string& path) : target_(path) {
  const fs::path parent = fs::path(path).parent_path();
  if (!parent.empty()) make_folders(parent.string());
  // A file of that name is somebody else's, and a link leads to one: neither is written to.
  for (int attempt = 0; fd_ < 0; ++attempt) {
    path_ = temporary_name(path);
    fd_ = ::open(path_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0666);
    if (fd_ < 0 && (errno != EEXIST || attempt == 10)) fail_io("cannot create", target_, errno);
  }
}

AtomicFile::~AtomicFile() {
  if (fd_ >= 0) ::close(fd_);
  if (!published_) ::unlink(path_.c_str());
}

void AtomicFile::write(const void* data, std::size_t bytes) {
  write_all(fd_, {static_cast<const char*>(data), bytes}, target_);
}

void AtomicFile::publish() {
  if (::fsync(fd_) != 0) fail_io("cannot flush", target_, errno);
  const int fd = fd_;
  fd_ = -1;
  if (::close(fd) != 0) fail_io("cannot close", target_, errno);
  rename_durably(path_, target_);
  published_ = true;
}

void make_folders(const std::string& path) {
  std::error_code ec;
  fs::create_directories(path, ec);
  if (ec) fail_io("cannot make folder", path, ec.value());
}

void require_writable_folder(const std::string& folder) {
  make_folders(folder);
  const std::string probe = (fs::path(folder) / ".straq-write-test").string();
  AtomicFile file(probe);  // removed by its destructor
  file.write("x", 1);
}

void sync_to_disk(const std::string& path) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) fail_io("cannot open", path, errno);
  const int rc = ::fsync(fd);
  const int code = errno;
  ::close(fd);
  // Some network filesystems refuse fsync on folders; the rename is still atomic there.
  if (rc != 0 && code != EINVAL) fail_io("cannot flush", path, code);
}

namespace {

// A folder that may be written to but not read cannot be opened, and some filesystems cannot flush
// folders. What was renamed is in place all the same: only a disk that says so has lost it.
void sync_folder(const std::string& path) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return;
  const int rc = ::fsync(fd);
  const int code = errno;
  ::close(fd);
  if (rc != 0 && (code == EIO || code == ENOSPC || code == EDQUOT)) {
    fail_io("cannot flush", path, code);
  }
}

}  // namespace

void rename_durably(const std::string& from, const std::string& to) {
  if (::rename(from.c_str(), to.c_str()) != 0) fail_io("cannot rename to", to, errno);
  const fs::path parent = fs::path(to).parent_path();
  sync_folder(parent.empty() ? "." : parent.string());
}

LineWriter::LineWriter(const std::string& path, bool append) : path_(path) {
  const fs::path parent = fs::path(path).parent_path();
  if (!parent.empty()) make_folders(parent.string());
  fd_ = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | (append ? O_APPEND : O_TRUNC), 0666);
  if (fd_ < 0) fail_io("cannot open", path, errno);
  // A line that a killed process began stays a line of its own.
  struct stat s {};
  char last = '\n';
  if (append && ::fstat(fd_, &s) == 0 && s.st_size > 0 &&
      ::pread(fd_, &last, 1, s.st_size - 1) == 1) {
    torn_ = last != '\n';
  }
}

LineWriter::~LineWriter() {
  if (fd_ >= 0) ::close(fd_);
}

void LineWriter::write(std::string_view line) {
  std::string whole;
  if (torn_) whole += '\n';
  whole += line;
  whole += '\n';
  struct stat before {};
  const bool known = ::fstat(fd_, &before) == 0;
  try {
    write_all(fd_, whole, path_);
    torn_ = false;
  } catch (const Error&) {
    // What a full disk took of the line goes again; where it cannot, the next one starts anew.
    struct stat after {};
    if (known && ::fstat(fd_, &after) == 0 && after.st_size > before.st_size) {
      const bool cut =
          ::ftruncate(fd_, before.st_size) == 0 && ::lseek(fd_, before.st_size, SEEK_SET) >= 0;
      torn_ = torn_ || !cut;
    }
    throw;
  }
}

}  // namespace straq
