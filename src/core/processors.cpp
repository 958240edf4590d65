#include "core/processors.h"

#include <sched.h>

#include <algorithm>
#include <cstdlib>

#include "core/environment.h"

namespace straq {

std::vector<int> usable_cores() {
  cpu_set_t set;
  CPU_ZERO(&set);
  if (sched_getaffinity(0, sizeof set, &set) != 0) return {0};
  std::vector<int> out;
  for (int core = 0; core < CPU_SETSIZE; ++core) {
    if (CPU_ISSET(core, &set)) out.push_back(core);
  }
  return out;
}

int compute_threads(int wanted, int cores, int sharers) {
  if (wanted > 0) return wanted;
  // "4,2": threads by the level of nesting. There is one level here.
  const int set = std::atoi(environment_variable("OMP_NUM_THREADS").c_str());
  if (set > 0) return set;
  return std::max(1, cores / std::max(1, sharers));
}

int compute_threads(int wanted, int sharers) {
  return compute_threads(wanted, static_cast<int>(usable_cores().size()), sharers);
}

}  // namespace straq
