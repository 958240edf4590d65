#include <algorithm>
#include <cmath>

#include "metrics/statistics.h"
#include "report/rows/reply_scores.h"
#include "report/tables/paper_tables.h"
#include "report/tables/table_notes.h"
#include "report/tables/tables.h"
#include "report/tables/words.h"

namespace straq::report {
namespace {

Table reward_table(const Methods& methods, const PaperReference& paper) {
  const ReferenceTable& reference = paper.table("table4");
  const MetricColumn columns[] = {{"reward", "Reward", 2},
                                  {"max_q", "Mean max Q", 3},
                                  {"chosen_q", "Mean Q chosen", 3},
                                  {"return", "Mean return", 3},
                                  {"spearman", "Spearman Q, return", 3}};
  Table t;
  t.id = "table4";
  t.title = "Table 4: rewards and values";
  t.columns = {"Method", "Responder"};
  for (const auto& c : columns) {
    t.columns.push_back(c.title);
    if (std::string(c.key) == "reward") {
      t.columns.push_back("Reward paper");
      t.columns.push_back("Value paper");
    }
  }
  for (const char* c : {"Unreadable", "n", "Seeds", "Runs"}) t.columns.push_back(c);
  const auto rows = methods.of_corpus("esconv");
  std::vector<std::string> missing;
  bool imitation = false;
  const Ranking ranking = rank(rows, "reward");
  const auto emphasis = [&](const MethodRow* r) {
    const auto at = std::find(rows.begin(), rows.end(), r);
    return at == rows.end() ? Emphasis::none
                            : ranking.emphasis[static_cast<std::size_t>(at - rows.begin())];
  };
  const auto add = [&](const MethodRow* r, const std::string& key) {
    std::vector<Cell> cells = {r ? r->title() : method_title(key),
                               r ? responder_title(r->responder) : std::string("–")};
    std::int64_t decisions = 0, answers = 0;
    for (const auto& c : columns) {
      const bool has = r != nullptr && r->metrics.count(c.key) > 0;
      if (has) {
        auto& n = std::string(c.key) == "reward" ? answers : decisions;
        n = std::max(n, r->metrics.at(c.key).n);
      }
      cells.push_back(has ? estimate_cell(r->metrics.at(c.key).estimate(), c.decimals)
                      : r ? Cell::missing()
                          : missing_cell());
      if (std::string(c.key) != "reward") continue;
      emphasise(cells.back(), emphasis(r));
      for (const char* p : {"reward", "value"}) {
        cells.push_back(paper_cell(reference.value(key, p), reference.doubtful(key, p)));
      }
    }
    const bool judged = r != nullptr && r->metrics.count("reward") > 0;
    cells.push_back(judged ? Cell(r->unparsed) : Cell::missing());
    cells.push_back(r ? count_cell(decisions, answers) : Cell::missing());
    cells.push_back(r ? Cell(r->seeds.size()) : Cell::missing());
    cells.push_back(r ? Cell(joined(r->runs)) : Cell::missing());
    imitation = imitation || (r != nullptr && r->imitation && r->metrics.count("return") > 0);
    t.add(std::move(cells));
  };
  const auto wanted = [](const MethodRow* r) {
    return r->metrics.count("reward") + r->metrics.count("max_q") > 0;
  };
  MethodRows shown;
  for (const MethodRow* r : rows) {
    if (wanted(r)) shown.push_back(r);
  }
  for (const auto& row : reference.rows) {
    bool found = false;
    for (const MethodRow* r : rows) {
      if (r->method != row.key || !wanted(r)) continue;
      add(r, row.key);
      found = true;
    }
    if (found) continue;
    add(nullptr, row.key);
    missing.push_back(method_title(row.key));
  }
  for (const MethodRow* r : rows) {
    if (wanted(r) && reference.row(r->method) == nullptr) add(r, r->method);
  }
  if (!missing.empty())
    t.notes.push_back("Missing in the results folder: " + joined(missing) + ".");
  t.notes.push_back(
      "Reward: a judge model's overall score, 1 to 5, over answers that could be read. The rest is "
      "a planner's own, per decision: return is the discounted sum of rewards from the decision to "
      "the dialogue's end, Spearman the rank correlation of the chosen strategy's Q with it.");
  if (imitation) t.notes.push_back(kImitationReturn);
  if (ranking.tested) {
    t.notes.push_back(
        "Reward in bold: the best, where its lead over the second stands (paired randomisation by "
        "dialogue, Holm, 0.05); underlined: the second, likewise; ≈: the best or within noise of "
        "it. Values are never ranked: a higher Q is no better a planner.");
  }
  Untested untested;
  untested.add(names_of(rows), "Reward", ranking);
  untested.write(t);
  add_made_with_notes(t, shown);
  t.notes.push_back(
      "±: half the 95 % interval of the bootstrap over dialogues (mean over seeds), of means with "
      "10,000 replicates and of Spearman's with 2,000; none where a run's predictions were not "
      "read or lack Q values. n: decisions of a seed with Q values, or a judge's answers; "
      "\"decisions / answers\" where both are there and differ.");
  add_reference_notes(t, reference, paper.paper);
  return t;
}

// The paper's scores are of all splits, other tables of test: a file that says it is of all comes
// first, then one of test.
constexpr const char* kAllSplits = "all";
int fitness(const results::JudgeFile& file) {
  return split_of(file.info) == kAllSplits ? 2 : of_test_split(file.info) ? 1 : 0;
}

Table score_table(const results::Results& results, const PaperReference& paper) {
  const ReferenceTable& reference = paper.table("table11");
  const char* columns[] = {"count", "ratio", "max", "min", "avg", "median"};
  const char* titles[] = {"Count", "Ratio %", "Max", "Min", "Avg", "Median"};
  Table t;
  t.id = "table11";
  t.title = "Table 11: a judge's scores of the corpus's own replies";
  t.columns = {"Strategy"};
  for (const char* title : titles) {
    t.columns.push_back(title);
    t.columns.push_back(std::string(title) + " paper");
  }
  // One judged file of the corpus's own replies; several would count decisions twice.
  const results::JudgeFile* file = nullptr;
  const results::Run* of = nullptr;
  std::vector<std::string> others, elsewhere;
  for (const results::Run* run : results.runs()) {
    for (const auto& f : run->judged) {
      if (f.info.method != "human" || f.rows.empty()) continue;
      if (corpus_of(f.info.corpus) == "empathetic") {
        elsewhere.push_back(named_with_split(*run, "judge", f));
        continue;
      }
      if (file != nullptr && fitness(f) <= fitness(*file)) {
        others.push_back(named_with_split(*run, "judge", f));
        continue;
      }
      if (file != nullptr) others.push_back(named_with_split(*of, "judge", *file));
      file = &f;
      of = run;
    }
  }
  std::vector<std::string> order;
  for (const auto& row : reference.rows) {
    if (row.key != "total") order.push_back(row.key);
  }
  std::map<std::string, std::vector<double>> scores;
  std::vector<double> all;
  std::size_t unnamed = 0;
  if (file != nullptr) {
    const auto& labels = !file->info.strategies.empty() ? file->info.strategies
                         : of->evaluation               ? of->evaluation->strategies
                                                        : file->info.strategies;
    for (const auto& j : file->rows) {
      if (!j.overall) continue;
      std::string name = j.strategy;
      for (const auto& l : labels) {
        if (l.name == name && !l.abbreviation.empty()) name = l.abbreviation;
      }
      all.push_back(*j.overall);
      if (name.empty()) {
        ++unnamed;
        continue;
      }
      if (std::find(order.begin(), order.end(), name) == order.end()) order.push_back(name);
      scores[name].push_back(*j.overall);
    }
  }
  order.push_back("total");
  scores["total"] = all;
  for (const auto& name : order) {
    auto& x = scores[name];
    std::sort(x.begin(), x.end());
    std::vector<Cell> cells = {name};
    for (const std::string c : columns) {
      Cell ours = file == nullptr ? missing_cell() : Cell::missing();
      if (c == "count" && file != nullptr) ours = Cell(x.size());
      if (!x.empty()) {
        double sum = 0;
        for (double v : x) sum += v;
        const auto n = static_cast<double>(x.size());
        if (c == "ratio") ours = Cell::real(100 * n / static_cast<double>(all.size()), 1);
        if (c == "max") ours = Cell::real(x.back(), 0);
        if (c == "min") ours = Cell::real(x.front(), 0);
        if (c == "avg") ours = Cell::real(sum / n, 2);
        if (c == "median") ours = Cell::real(metrics::quantile(x, 0.5), 1);
      }
      cells.push_back(std::move(ours));
      cells.push_back(paper_cell(reference.value(name, c), reference.doubtful(name, c)));
    }
    t.add(std::move(cells));
  }
  if (file == nullptr) {
    t.notes.push_back("Missing in the results folder: judge/human.jsonl.");
  } else {
    const std::string split = split_of(file->info);
    std::string note = "From " + named_with_split(*of, "judge", *file) + ", " +
                       std::to_string(file->rows.size()) + " judged decisions, " +
                       std::to_string(file->unparsed()) + " of which could not be read.";
    if (unnamed > 0) note += " " + std::to_string(unnamed) + " have no strategy.";
    if (split != kAllSplits) {
      note += " These are of the split " + split +
              " alone and the paper's of all splits: counts do not compare, and scores only as far "
              "as the splits are alike.";
    }
    t.notes.push_back(note);
    if (!others.empty()) {
      t.notes.push_back(
          "Left out, because the table is of one file (of all splits before test before others, of "
          "these the first), so that no decision counts twice: " +
          listed(others) + ".");
    }
  }
  if (!elsewhere.empty()) {
    t.notes.push_back("Left out, because they are of another corpus: " + listed(elsewhere) + ".");
  }
  add_reference_notes(t, reference, paper.paper);
  return t;
}

}  // namespace

std::vector<Table> judge_tables(const results::Results& results, const Methods& methods,
                                const PaperReference& paper) {
  std::vector<Table> out = human_tables(results, paper);
  out.push_back(reward_table(methods, paper));
  out.push_back(score_table(results, paper));
  return out;
}

}  // namespace straq::report
