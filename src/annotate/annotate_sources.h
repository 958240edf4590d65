// Which file of replies stands for a method on the rating sheets. A results folder may hold a
// method's replies many times (a sweep writes them for every setting and seed), and people's
// ratings are too dear to be given to whichever file happens to come first.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "annotate/annotate.h"
#include "results/results.h"

namespace straq::annotate {

struct ReplySource {
  RatingSource about;
  const results::ReplyFile* file = nullptr;
  bool human = false;  // its `reference` is the reply
  std::map<std::string, const results::Reply*> by_id;
};

// One source for each method and responder that has replies to the corpus, in order of appearance,
// after the corpus's own where they are wanted. Of several files those of `options.runs` are taken,
// else those of runs that no sweep has given a setting of their own (seeds do not count). Throws
// Error(input) when several are left, listing them; when a method or a run of the options is not
// there; and when there are no replies at all.
std::vector<ReplySource> choose_sources(const results::Results& results,
                                        const ExportOptions& options);

}  // namespace straq::annotate
