#include "report/needs.h"

#include <algorithm>
#include <filesystem>
#include <set>

#include "report/rows/method_rows.h"
#include "report/rows/reply_scores.h"
#include "report/tables/tables.h"
#include "results/layout.h"
#include "results/run_folder.h"

namespace straq::report {
namespace {

using metrics::SplitEvaluation;
using results::Results;
using results::Run;
using results::Step;

template <auto field>  // a member of Step
bool in_steps(const Run& run) {
  return std::any_of(run.steps.begin(), run.steps.end(),
                     [](const Step& s) { return (s.*field).has_value(); });
}

bool evaluated(const Run& run) {
  return run.evaluation && !run.evaluation->splits.empty();
}

bool validated(const Run& run) {
  return !run.validations.empty();
}

bool predicted(const Run& run) {
  std::error_code ec;
  return !run.path.empty() && run.evaluation &&
         std::filesystem::exists(results::RunFolder(run.path).predictions("test"), ec);
}

// Whether an evaluation has that part of some split.
template <auto part>
bool in_splits(const Run& run) {
  return evaluated(run) &&
         std::any_of(run.evaluation->splits.begin(), run.evaluation->splits.end(),
                     [](const auto& split) { return (split.second.*part).has_value(); });
}

bool of_empathetic(const Run& run, const results::MethodInfo& info) {
  return corpus_of(info.corpus.empty() ? run.parameter("data.name").value_or("") : info.corpus) ==
         "empathetic";
}

template <class Good>
bool any_replies(const Run& run, Good good) {
  return std::any_of(run.replies.begin(), run.replies.end(), [&](const results::ReplyFile& f) {
    return !f.rows.empty() && of_test_split(f.info) && good(f.info);
  });
}

bool replied(const Run& run) {
  return any_replies(run, [&](const auto& info) { return !of_empathetic(run, info); });
}

bool replied_zero_shot(const Run& run) {
  return any_replies(run, [&](const auto& info) { return of_empathetic(run, info); });
}

bool measured(const Run& run) {
  return run.split("test") != nullptr || replied(run);
}

bool ablated(const Run& run) {
  const std::set<std::string> kOfTable5 = {"straq_imit", "value_head", "auto_regressive"};
  return (run.split("test") != nullptr && kOfTable5.count(method_of(run)) > 0) ||
         any_replies(run, [&](const auto& info) { return kOfTable5.count(info.method) > 0; });
}

bool rewarded(const Run& run) {
  return in_splits<&SplitEvaluation::value>(run) ||
         std::any_of(run.judged.begin(), run.judged.end(), [](const auto& f) {
           return !f.rows.empty() && of_test_split(f.info) && !f.calibrates();
         });
}

bool scored_corpus(const Run& run) {
  return std::any_of(run.judged.begin(), run.judged.end(), [](const auto& f) {
    return f.info.method == "human" && !f.rows.empty() && corpus_of(f.info.corpus) != "empathetic";
  });
}

bool judged_any(const Run& run) {
  return std::any_of(run.judged.begin(), run.judged.end(),
                     [](const auto& f) { return !f.rows.empty(); });
}

bool rated(const Run& run) {
  return std::any_of(run.rated.begin(), run.rated.end(),
                     [](const auto& f) { return !f.calibrates(); });
}

bool repeated(const Results& results) {
  for (const auto& split : results.splits()) {
    const auto groups = group_runs(results, split, results::kSeedKeys);
    if (std::any_of(groups.begin(), groups.end(), [](auto& g) { return g.runs.size() > 1; })) {
      return true;
    }
  }
  return false;
}

bool has_dataset(const Results& results, const char* id) {
  return std::any_of(results.datasets.begin(), results.datasets.end(), [&](const auto& d) {
    return std::any_of(d.tables.begin(), d.tables.end(), [&](auto& t) { return t.id == id; });
  });
}

// Whether an experiment has two values of one of these keys.
bool swept(const Results& results, std::initializer_list<const char*> keys, bool only_evaluated) {
  for (const auto& e : results.experiments) {
    for (const char* key : keys) {
      std::set<std::string> values;
      for (const Run& r : e.runs) {
        const auto value = r.parameter(key);
        if (value && !value->empty() && (!only_evaluated || evaluated(r))) values.insert(*value);
      }
      if (values.size() > 1) return true;
    }
  }
  return false;
}

struct Entry {
  Need need;
  const char* absence;
  const char* remedy;
  bool (*of_run)(const Run&);  // one of the two
  bool (*of_folder)(const Results&) = {};
};

constexpr const char* kTrain = "straq train CONFIG";
constexpr const char* kEvaluate = "straq evaluate RUN";
constexpr const char* kSweep = "straq sweep CONFIG";
constexpr const char* kStats = "straq --format json dataset stats CORPUS > RESULTS/dataset.json";
constexpr const char* kReplies = "straq respond CONFIG";
constexpr const char* kNoTable = "there is no dataset.json with these tables";

const Entry kEntries[] = {
    {Need::losses, "no run has a metrics.jsonl with losses", kTrain, in_steps<&Step::loss>},
    {Need::td_errors, "no run has a metrics.jsonl with it", kTrain, in_steps<&Step::td_abs>},
    {Need::max_q, "no run has a metrics.jsonl with it", kTrain, in_steps<&Step::max_q>},
    {Need::gradient_norms, "no run has a metrics.jsonl with it", kTrain,
     in_steps<&Step::grad_norm>},
    {Need::timings, "no run has a timings.jsonl", kTrain, in_steps<&Step::seconds>},
    {Need::validations, "no run has an evaluations.jsonl with scores",
     "straq train CONFIG --set evaluate.every_epochs=1", validated},
    {Need::evaluations, "no run has an evaluation.json that can be read", kEvaluate, evaluated},
    {Need::predictions, "no evaluated run has a predictions/test.jsonl", kEvaluate, predicted},
    {Need::q_values, "no run has an evaluation.json with Q values", kEvaluate,
     in_splits<&SplitEvaluation::value>},
    {Need::rankings, "no run has an evaluation.json of this version with Q values", kEvaluate,
     in_splits<&SplitEvaluation::ranking>},
    {Need::seekers_ratings, "no evaluated run had seekers' ratings (data.ratings)", kEvaluate,
     in_splits<&SplitEvaluation::foresight>},
    {Need::seeds, "no two evaluated runs differ in their seed alone", kSweep, nullptr, repeated},
    {Need::methods, "no run has an evaluation or replies of ESConv's test split", kEvaluate,
     measured},
    {Need::ablations,
     "no run of straQ*-imit or of an ablation has an evaluation or replies of the test split",
     kEvaluate, ablated},
    {Need::replies, "no run has replies to the test split", kReplies, replied},
    {Need::zero_shot_replies, "no run has replies to EmpatheticDialogues", kReplies,
     replied_zero_shot},
    {Need::rewards, "no run has a judge's scores of the test split, or Q values",
     "straq judge CONFIG", rewarded},
    {Need::corpus_scores, "no run has a judge's scores of the corpus's own replies",
     "straq judge CONFIG", scored_corpus},
    {Need::judgements, "no run has a judge's scores", "straq judge CONFIG", judged_any},
    {Need::ratings, "no run has ratings by people", "straq annotate export RESULTS", rated},
    {Need::strategies_listed, kNoTable, kStats, nullptr,
     [](const Results& r) { return has_dataset(r, "table7"); }},
    {Need::emotions_counted, kNoTable, kStats, nullptr,
     [](const Results& r) { return has_dataset(r, "table8"); }},
    {Need::corpora_measured, kNoTable, kStats, nullptr,
     [](const Results& r) { return has_dataset(r, "table10"); }},
    {Need::discounts_swept,
     "there is no sweep over it, an experiment with two values of learn.gamma", kSweep, nullptr,
     [](const Results& r) { return swept(r, {"learn.gamma"}, false); }},
    {Need::discounts_evaluated,
     "fewer than two values of learn.gamma are evaluated in an experiment", kSweep, nullptr,
     [](const Results& r) { return swept(r, {"learn.gamma"}, true); }},
    {Need::sizes_swept,
     "there is no sweep over it, an experiment with two values of model.shape or model.from",
     kSweep, nullptr,
     [](const Results& r) {
       return swept(r, {"model.shape", "model.from"}, false);
     }},
    {Need::sizes_evaluated,
     "fewer than two values of model.shape or model.from are evaluated in an experiment", kSweep,
     nullptr,
     [](const Results& r) {
       return swept(r, {"model.shape", "model.from"}, true);
     }},
    // Whose own planner's replies these are is known where the sweep is drawn.
    {Need::sweep_replies,
     "no run of the sweep has replies of its own planner (responses/) to the test split", kReplies,
     nullptr, [](const Results&) { return false; }},
    {Need::played, "no run has a simulation.json that can be read",
     "straq evaluate RUN --simulator", [](const Run& run) { return run.simulation.has_value(); }}};

const Entry& entry_of(Need need) {
  return *std::find_if(std::begin(kEntries), std::end(kEntries),
                       [&](const Entry& e) { return e.need == need; });
}

}  // namespace

const char* absence(Need need) {
  return entry_of(need).absence;
}

const char* remedy(Need need) {
  return entry_of(need).remedy;
}

bool has(const Run& run, Need need) {
  const auto of_run = entry_of(need).of_run;
  return of_run != nullptr && of_run(run);
}

bool has(const Results& results, Need need) {
  const Entry& e = entry_of(need);
  if (e.of_folder != nullptr) return e.of_folder(results);
  const auto runs = results.runs();
  return std::any_of(runs.begin(), runs.end(), [&](const Run* r) { return e.of_run(*r); });
}

}  // namespace straq::report
