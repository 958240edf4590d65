// Table 11: a judge's scores of the corpus's own replies, by strategy.
#include <algorithm>
#include <map>

#include "metrics/statistics.h"
#include "report/name_lists.h"
#include "report/rows/reply_scores.h"
#include "report/tables/estimate_cells.h"
#include "report/tables/paper_rows.h"
#include "report/tables/paper_tables.h"

namespace straq::report {
namespace {

// The paper's scores are of all splits, other tables of test: a file that says it is of all comes
// first, then one of test.
constexpr const char* kAllSplits = "all";
int fitness(const results::JudgeFile& file) {
  return split_of(file.info) == kAllSplits ? 2 : of_test_split(file.info) ? 1 : 0;
}

// One judged file of the corpus's own replies; several would count decisions twice.
struct Judged {
  const results::JudgeFile* file = nullptr;
  const results::Run* run = nullptr;
  std::vector<std::string> others, elsewhere;  // left out: as good or worse; of another corpus
};

Judged judged_corpus(const results::Results& results) {
  Judged out;
  for (const results::Run* run : results.runs()) {
    for (const auto& f : run->judged) {
      if (f.info.method != "human" || f.rows.empty()) continue;
      if (corpus_of(f.info.corpus) == "empathetic") {
        out.elsewhere.push_back(named_with_split(*run, "judge", f));
        continue;
      }
      if (out.file != nullptr && fitness(f) <= fitness(*out.file)) {
        out.others.push_back(named_with_split(*run, "judge", f));
        continue;
      }
      if (out.file != nullptr) {
        out.others.push_back(named_with_split(*out.run, "judge", *out.file));
      }
      out.file = &f;
      out.run = run;
    }
  }
  return out;
}

struct Scores {
  std::vector<std::string> order;  // of the strategies: the paper's, then others, then "total"
  std::map<std::string, std::vector<double>> by_strategy;  // each sorted
  std::size_t unnamed = 0;
  bool whole = false;   // of whole numbers, though the rewards are expected scores
  double expected = 0;  // mean of these
};

// What the paper's table is of: whole numbers, where the judge gave one for every decision.
double table_score(const results::Judgement& j, bool whole) {
  return whole ? *j.integer : *j.overall;
}

Scores scores_of(const Judged& judged, const ReferenceTable& reference) {
  Scores out;
  for (const auto& row : reference.rows) {
    if (row.key != "total") out.order.push_back(row.key);
  }
  const auto& about = judged.file->info.strategies;
  const auto& labels =
      about.empty() && judged.run->evaluation ? judged.run->evaluation->strategies : about;
  std::vector<double> all;
  const auto& rows = judged.file->rows;
  out.whole =
      std::any_of(rows.begin(), rows.end(), [](const auto& j) { return j.expected.has_value(); }) &&
      std::all_of(rows.begin(), rows.end(),
                  [](const auto& j) { return !j.overall || j.integer.has_value(); });
  for (const auto& j : rows) {
    if (!j.overall) continue;
    out.expected += j.expected.value_or(*j.overall);
    std::string name = j.strategy;
    for (const auto& l : labels) {
      if (l.name == name && !l.abbreviation.empty()) name = l.abbreviation;
    }
    all.push_back(table_score(j, out.whole));
    if (name.empty()) {
      ++out.unnamed;
      continue;
    }
    if (std::find(out.order.begin(), out.order.end(), name) == out.order.end()) {
      out.order.push_back(name);
    }
    out.by_strategy[name].push_back(table_score(j, out.whole));
  }
  out.order.push_back("total");
  out.expected /= std::max<double>(1, static_cast<double>(all.size()));
  out.by_strategy["total"] = all;
  for (auto& [name, x] : out.by_strategy) std::sort(x.begin(), x.end());
  return out;
}

// Of sorted scores, and of how many there are in all.
Cell statistic(const std::string& column, const std::vector<double>& x, std::size_t all) {
  if (column == "count") return Cell(x.size());
  if (x.empty()) return Cell::missing();
  const auto n = static_cast<double>(x.size());
  if (column == "ratio") return Cell::real(100 * n / static_cast<double>(all), 1);
  if (column == "max") return Cell::real(x.back(), 0);
  if (column == "min") return Cell::real(x.front(), 0);
  if (column == "median") return Cell::real(metrics::quantile(x, 0.5), 1);
  double sum = 0;
  for (double v : x) sum += v;
  return Cell::real(sum / n, 2);
}

void add_source_notes(Table& t, const Judged& judged, const Scores& scores) {
  const std::string split = split_of(judged.file->info);
  std::string note = "From " + named_with_split(*judged.run, "judge", *judged.file) + ", " +
                     std::to_string(judged.file->rows.size()) + " judged decisions, " +
                     std::to_string(judged.file->unparsed()) + " of which could not be read.";
  if (scores.unnamed > 0) note += " " + std::to_string(scores.unnamed) + " have no strategy.";
  if (scores.whole) {
    note +=
        " Scores are the whole numbers that the judge gives most probability; the mean of its "
        "expected scores, which are the rewards of Table 4, is " +
        Cell::real(scores.expected, 2).text + ".";
  }
  if (split != kAllSplits) {
    note += " These are of the split " + split +
            " alone and the paper's of all splits: counts do not compare, and scores only as far "
            "as the splits are alike.";
  }
  t.notes.push_back(note);
  if (!judged.others.empty()) {
    t.notes.push_back(
        "Left out, because the table is of one file (of all splits before test before others, of "
        "these the first), so that no decision counts twice: " +
        listed(judged.others) + ".");
  }
}

}  // namespace

Table table11(const results::Results& results, const PaperReference& paper) {
  const ReferenceTable& reference = paper.table("table11");
  const std::pair<const char*, const char*> columns[] = {{"count", "Count"}, {"ratio", "Ratio %"},
                                                         {"max", "Max"},     {"min", "Min"},
                                                         {"avg", "Avg"},     {"median", "Median"}};
  Table t;
  t.id = "table11";
  t.title = kTable11Title;
  t.columns = {"Strategy"};
  for (const auto& [key, title] : columns) t.columns.push_back(title);
  const Judged judged = judged_corpus(results);
  const auto add_elsewhere = [&] {
    if (judged.elsewhere.empty()) return;
    t.notes.push_back("Left out, because they are of another corpus: " + listed(judged.elsewhere) +
                      ".");
  };
  if (judged.file == nullptr) {
    add_elsewhere();
    return t;
  }
  const Scores scores = scores_of(judged, reference);
  const std::size_t all = scores.by_strategy.at("total").size();
  for (const auto& name : scores.order) {
    const auto it = scores.by_strategy.find(name);
    const auto& x = it == scores.by_strategy.end() ? std::vector<double>() : it->second;
    std::vector<Cell> cells = {name};
    for (const auto& [key, title] : columns) {
      cells.push_back(beside(statistic(key, x, all), reference, name, key));
    }
    t.add(std::move(cells));
  }
  add_source_notes(t, judged, scores);
  add_elsewhere();
  add_reference_notes(t, reference, paper.paper);
  return t;
}

}  // namespace straq::report
