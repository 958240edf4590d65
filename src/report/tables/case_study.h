// The case study (the paper's Table 6): one dialogue with what every method replied at each of its
// decisions, how a judge scored that, and the reward-to-go from there on. Numbers say how methods
// differ on average; this shows what the difference looks like.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "core/tables/table.h"
#include "report/rows/paper_reference.h"
#include "results/results.h"

namespace straq::report {

struct CaseReply {
  std::string method;  // title
  bool human = false;  // the corpus's own reply
  std::string strategy, text;
  std::optional<double> reward;
  std::optional<double> value;  // reward-to-go; nothing when a later reward is missing
};

struct CaseTurn {
  std::string id;     // of the decision
  std::string query;  // what the seeker said before; empty where the rows do not say
  std::vector<CaseReply> replies;
};

struct CaseStudy {
  std::string dialogue;
  double gamma = 0.85;
  std::vector<CaseTurn> turns;
  std::vector<std::string> sources;  // the runs that the replies are from
  // Files of other splits, with theirs: "x/replies responses/fsm.jsonl (train)".
  std::vector<std::string> left_out;
  bool empty() const { return turns.empty(); }
};

// Replies and scores of the test split only, as in the tables of methods: a planner has learned
// from the human replies of the others.
//
// `dialogue` by its id; empty: the one that most methods replied to and most of them were judged
// on, of these the shortest with two decisions or more, of these the first by id. The value of a
// method's decision t is V_t = r_t + gamma V_(t+1) with V = 0 after the last (gamma: that of the
// first of these runs that has one, else 0.85). Throws Error(input) when `dialogue` is named and
// no file of the test split replies to it.
CaseStudy case_study(const results::Results& results, const std::string& dialogue);

inline constexpr const char* kTable6Title = "Table 6: case study";
// A row a reply, and what the paper's own case shows. Without a study no rows, and a note of what
// was left out.
Table case_table(const CaseStudy& study, const PaperReference& paper);

}  // namespace straq::report
