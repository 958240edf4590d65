// Faults on request, so that tests can see what the other ranks do when one fails at a place where
// only hardware, memory or a filesystem would make it fail. Without STRAQ_FAULT in the environment
// a place costs one comparison.
//
//   STRAQ_FAULT=<place>@<rank>[:<kind>]    for example "loading@2", "step@1:memory"
//
// Kinds: failure (default) and input, an Error of that kind; memory, std::bad_alloc; other, an
// exception that nobody knows; exit, the process ends without a word.
#pragma once

namespace straq::comm {

// Throws, or ends the process, when the environment asks for that at `place` on this rank of MPI's
// world (0 without MPI).
void fault_point(const char* place);

}  // namespace straq::comm
