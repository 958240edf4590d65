// How math threads wait for each other. OpenMP's threads by default spin for about a millisecond
// whenever one is ahead: on cores of their own that saves a little, on cores that others use too it
// costs what the others need, and a step takes ten times as long (docs/performance.md). The runtime
// reads its settings from the environment as it is loaded, before any of our code could say it.
#pragma once

namespace straq::jobs {

// For .preinit_array: starts the program again with threads that sleep when they wait, unless the
// environment says how they should (OMP_WAIT_POLICY, GOMP_SPINCOUNT), or that there is one thread
// (OMP_NUM_THREADS=1).
void wait_passively(int argc, char** argv, char** environment);

}  // namespace straq::jobs
