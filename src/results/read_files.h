// Which files of a results folder a report rests on, and a hash of them: two reports of one hash
// and one program say the same, and a report that was kept can be held against the folder it is of.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "results/results.h"

namespace straq::results {

struct ReadFiles {
  std::vector<std::string> names;  // from the results folder on, sorted
  // SHA-256 over each file's name and content hash, in that order.
  std::string sha256;
};

// Everything of the runs that readers look at (results/layout.h), with their experiments' index.csv
// and dataset.json; no weights, checkpoints and locks. Files that cannot be read count as empty.
ReadFiles files_read(const Results& results);

}  // namespace straq::results
