// The cores that this process may use, and how many threads compute on them.
#pragma once

#include <vector>

namespace straq {

// Numbers of the cores in the process's affinity mask, ascending; {0} where it cannot be read.
std::vector<int> usable_cores();

// Threads of a process's tensor kernels: `wanted` (the key `threads`) where it is above 0, else
// OMP_NUM_THREADS where that begins with a number above 0, else an even part of `cores` where
// `sharers` such processes have the same ones; at least 1.
int compute_threads(int wanted, int cores, int sharers);
// The same of this process's own cores.
int compute_threads(int wanted, int sharers = 1);

}  // namespace straq
