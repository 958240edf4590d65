// The scales on which people rate replies (the paper's Table 3 and its appendix), described in our
// own words: the same text stands on rating sheets, in the form and in the report.
#pragma once

#include <array>
#include <string>
#include <vector>

namespace straq::results {

struct Scale {
  const char* key;                    // "fluency", as in human/<name>.jsonl
  const char* title;                  // "Fluency"
  const char* question;               // what the rater answers
  std::array<const char*, 5> points;  // what 1 to 5 stand for
  bool in_paper = true;               // a column of the paper's Table 3
};

// All eight, in the order of the paper's table, the one that it describes without numbers last.
const std::vector<Scale>& rating_scales();

// nullptr when there is no such scale.
const Scale* find_scale(const std::string& key);

}  // namespace straq::results
