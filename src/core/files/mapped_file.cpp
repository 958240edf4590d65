#include "core/files/mapped_file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "core/error.h"

namespace straq {
namespace {

[[noreturn]] void fail(const std::string& path, int code) {
  fail_input("cannot read " + path + ": " + std::strerror(code),
             "check the path and its permissions");
}

}  // namespace

MappedFile::MappedFile(const std::string& path, const std::string& hint) {
  // A pipe without a writer would never open.
  const int fd = ::open(path.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC);
  if (fd < 0) fail(path, errno);
  struct stat st {};
  if (::fstat(fd, &st) != 0 || !S_ISREG(st.st_mode)) {
    ::close(fd);
    fail_input("cannot read " + path + ": it is no regular file", hint);
  }
  size_ = static_cast<std::uint64_t>(st.st_size);
  if (size_ > 0) {
    data_ = ::mmap(nullptr, size_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_NORESERVE, fd, 0);
  }
  const int code = errno;
  ::close(fd);
  if (data_ == MAP_FAILED) {
    data_ = nullptr;
    fail(path, code);
  }
}

MappedFile::~MappedFile() {
  if (data_ != nullptr) ::munmap(data_, size_);
}

}  // namespace straq
