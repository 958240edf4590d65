#include "core/process_place.h"

#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>

namespace straq {

std::string boot_id() {
  std::ifstream in("/proc/sys/kernel/random/boot_id");
  std::string id;
  std::getline(in, id);
  return id;
}

std::string pid_namespace() {
  struct stat s {};
  if (::stat("/proc/self/ns/pid", &s) != 0) return {};
  return std::to_string(s.st_ino);
}

bool proc_is_ours() {
  char name[32] = "";
  const ssize_t n = ::readlink("/proc/self", name, sizeof name - 1);
  return n > 0 && std::strtol(name, nullptr, 10) == static_cast<long>(::getpid());
}

}  // namespace straq
