#include "core/files/temporary_name.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <optional>
#include <random>
#include <string_view>

#include "core/environment.h"
#include "core/hash.h"
#include "core/process_place.h"

namespace straq {
namespace {

constexpr std::string_view kInfix = ".tmp.";
constexpr std::size_t kPlaceDigits = 8, kRandomDigits = 16;
constexpr std::size_t kLongestStem = 180;  // filesystems take 255 bytes
constexpr double kForgotten = 24 * 3600;   // seconds; no write takes that long

const std::string& place() {
  static const std::string p =
      sha256_hex(host_name() + "\n" + boot_id() + "\n" + pid_namespace()).substr(0, kPlaceDigits);
  return p;
}

std::uint64_t random_bits() {
  std::uint64_t bits = 0;
  if (::getrandom(&bits, sizeof bits, 0) == static_cast<ssize_t>(sizeof bits)) return bits;
  std::random_device device;
  return (static_cast<std::uint64_t>(device()) << 32) ^ device();
}

bool is_hex(std::string_view s) {
  return s.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

struct Mark {
  std::string place;  // empty: of an older version, a process id alone
  long pid = 0;
};

std::optional<Mark> mark_of(std::string_view name) {
  const auto at = name.rfind(kInfix);
  if (at == std::string_view::npos) return std::nullopt;
  const std::string mark(name.substr(at + kInfix.size()));
  if (mark.empty()) return std::nullopt;
  if (mark.find_first_not_of("0123456789") == std::string::npos) return Mark{{}, 0};
  const auto first = mark.find('-'), last = mark.rfind('-');
  if (first != kPlaceDigits || last <= first + 1 || mark.size() - last - 1 != kRandomDigits) {
    return std::nullopt;
  }
  const std::string pid = mark.substr(first + 1, last - first - 1);
  if (pid.find_first_not_of("0123456789") != std::string::npos || !is_hex(mark.substr(0, first)) ||
      !is_hex(mark.substr(last + 1))) {
    return std::nullopt;
  }
  return Mark{mark.substr(0, first), std::strtol(pid.c_str(), nullptr, 10)};
}

}  // namespace

std::string temporary_mark() {
  char random[kRandomDigits + 1];
  std::snprintf(random, sizeof random, "%016llx", static_cast<unsigned long long>(random_bits()));
  return place() + "-" + std::to_string(::getpid()) + "-" + random;
}

std::string temporary_name(const std::string& path) {
  const auto slash = path.rfind('/');
  const std::size_t begin = slash == std::string::npos ? 0 : slash + 1;
  return path.substr(0, begin + std::min(path.size() - begin, kLongestStem)) + std::string(kInfix) +
         temporary_mark();
}

int remove_left_temporaries(const std::string& folder) {
  DIR* dir = ::opendir(folder.c_str());
  if (dir == nullptr) return 0;
  int removed = 0;
  while (const dirent* entry = ::readdir(dir)) {
    const auto mark = mark_of(entry->d_name);
    if (!mark) continue;
    bool left = false;
    if (mark->place == place()) {
      left = mark->pid > 0 && ::kill(static_cast<pid_t>(mark->pid), 0) != 0 && errno == ESRCH;
    } else {
      struct stat s {};
      left = ::fstatat(::dirfd(dir), entry->d_name, &s, AT_SYMLINK_NOFOLLOW) == 0 &&
             std::difftime(std::time(nullptr), s.st_mtim.tv_sec) > kForgotten;
    }
    if (left && ::unlinkat(::dirfd(dir), entry->d_name, 0) == 0) ++removed;
  }
  ::closedir(dir);
  return removed;
}

}  // namespace straq
