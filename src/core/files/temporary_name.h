// Names for what is written aside before it is renamed into place. Several processes write into one
// folder: threads of one program, jobs on several hosts, containers that all call themselves
// process 1 of the same host. No two of them may ever mean the same temporary file, and what a
// process that was killed leaves behind must neither be followed nor stay for ever.
#pragma once

#include <string>

namespace straq {

// "<place>-<pid>-<random>", another one at every call: eight hexadecimal digits that stand for
// host, start of the kernel and PID namespace, the process id, and 64 random bits.
std::string temporary_mark();

// A name beside `path`: the path's own, cut where it is long, ".tmp." and a mark. Open it with
// O_CREAT | O_EXCL | O_NOFOLLOW.
std::string temporary_name(const std::string& path);

// Removes the temporary files (temporary_name's) in `folder`, not below it, whose process can be
// seen to be gone, and those of other places that are more than a day old. Returns how many; never
// throws: what cannot be removed costs space only.
int remove_left_temporaries(const std::string& folder);

}  // namespace straq
