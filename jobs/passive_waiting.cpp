#include "passive_waiting.h"

#include <unistd.h>

#include <cstring>

namespace straq::jobs {
namespace {

bool names(const char* entry, const char* name) {
  const auto length = std::strlen(name);
  return std::strncmp(entry, name, length) == 0 && entry[length] == '=';
}

constexpr const char* kSelf = "/proc/self/exe";

// Whether this is a program and not the loader that was told to run one (ld-linux.so straq …).
bool started_by_itself() {
  char path[4096];
  const auto length = readlink(kSelf, path, sizeof path - 1);
  if (length <= 0) return false;
  path[length] = 0;
  const char* slash = std::strrchr(path, '/');
  return std::strncmp(slash == nullptr ? path : slash + 1, "ld", 2) != 0;
}

}  // namespace

// Nothing is initialised yet: no memory is taken and nothing is called but the kernel.
void wait_passively(int, char** argv, char** environment) {
  constexpr int most = 4096;
  static char setting[] = "OMP_WAIT_POLICY=passive";
  static char* entries[most];
  int count = 0;
  for (char** e = environment; *e != nullptr; ++e) {
    if (names(*e, "OMP_WAIT_POLICY") || names(*e, "GOMP_SPINCOUNT") ||
        std::strcmp(*e, "OMP_NUM_THREADS=1") == 0 || count + 2 >= most) {
      return;
    }
    entries[count++] = *e;
  }
  entries[count++] = setting;
  entries[count] = nullptr;
  // Where it can't be done everything works, with threads that spin.
  if (started_by_itself()) execve(kSelf, argv, entries);
}

}  // namespace straq::jobs
