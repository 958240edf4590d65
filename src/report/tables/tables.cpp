#include "report/tables/tables.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <set>

#include "metrics/baselines.h"
#include "metrics/metric.h"
#include "metrics/seeds.h"
#include "metrics/statistics.h"
#include "report/name_lists.h"
#include "report/rows/estimate.h"
#include "report/rows/setting_names.h"
#include "report/tables/estimate_cells.h"
#include "results/reward_facts.h"

namespace straq::report {
namespace {

using metrics::Interval;
using metrics::SplitEvaluation;

Cell percent(double fraction) {
  return Cell::real(100 * fraction, 2);
}

Cell interval(const std::optional<Interval>& known, double scale) {
  if (!known) return Cell::missing();
  const Interval& i = *known;
  Cell c;
  c.text = Cell::real(scale * i.low, 2).text + "–" + Cell::real(scale * i.high, 2).text;
  c.value = nlohmann::ordered_json::array({scale * i.low, scale * i.high});
  c.numeric = true;
  return c;
}

Cell optional_real(const std::optional<double>& x, int decimals) {
  return x ? Cell::real(*x, decimals) : Cell::missing();
}

bool several_experiments(const results::Results& results) {
  return results.experiments.size() > 1;
}

std::string planner_name(const results::Results& results, const results::Run& run) {
  return several_experiments(results) ? run.name() : run.point;
}

std::vector<Cell> score_row(Cell name, Cell seed, const metrics::StrategyReport& r,
                            const metrics::StrategyIntervals& i) {
  std::vector<Cell> row = {std::move(name), std::move(seed)};
  for (const auto* m : metrics::shown_strategy_metrics()) {
    row.push_back(Cell::real(m->scale() * r.*m->score, m->decimals));
    row.push_back(interval(m->interval_of(i), m->scale()));
  }
  row.push_back(Cell(static_cast<long long>(r.n)));
  row.push_back(Cell(static_cast<long long>(r.invalid)));
  return row;
}

const std::vector<metrics::BaselineEvaluation>* baselines_of(const results::Run& run,
                                                             const std::string& split) {
  for (const auto& [name, list] : run.evaluation->baselines) {
    if (name == split) return &list;
  }
  return nullptr;
}

std::string baseline_title(const std::string& word) {
  for (const auto b : metrics::kBaselines) {
    if (metrics::to_word(b) == word) return metrics::title_of(b);
  }
  return word;
}

// Evaluated runs whose gold strategies are distributed alike: the same decisions.
struct DataGroup {
  std::vector<std::int64_t> support;
  std::vector<const results::Run*> runs;
};

Table results_table(const results::Results& results, const std::string& split,
                    const DataGroup& group, const std::vector<const results::Run*>& unevaluated) {
  Table t;
  t.columns = {"Planner", "Seed"};
  for (const auto* m : metrics::shown_strategy_metrics()) {
    t.columns.push_back(m->title + std::string(m->unit()));
    t.columns.push_back(m->title + std::string(" 95 %"));
  }
  t.columns.insert(t.columns.end(), {"n", "Invalid"});
  std::vector<std::string> degenerate;
  const metrics::StrategyIntervals* shown = nullptr;
  for (const results::Run* run : group.runs) {
    const SplitEvaluation& e = *run->split(split);
    t.add(
        score_row(planner_name(results, *run), run->seed().value_or("–"), e.strategy, e.intervals));
    if (e.strategy.bt_degenerate) degenerate.push_back(planner_name(results, *run));
    shown = &e.intervals;
  }
  for (const results::Run* run : unevaluated) {
    const std::string why =
        run->state == results::PointState::done ? "not evaluated" : to_word(run->state);
    std::vector<Cell> row = {planner_name(results, *run), run->seed().value_or("–"),
                             Cell::missing(why)};
    while (row.size() < t.columns.size()) row.push_back(Cell::missing());
    t.add(std::move(row));
  }
  const std::vector<metrics::BaselineEvaluation>* baselines = nullptr;
  for (const results::Run* run : group.runs) {
    if (baselines == nullptr) baselines = baselines_of(*run, split);
  }
  if (baselines != nullptr) {
    for (const auto& b : *baselines) {
      t.add(score_row("[" + baseline_title(b.name) + "]", "–", b.strategy, b.intervals));
    }
  } else {
    t.notes.push_back(
        "The trivial baselines are missing: no evaluation.json of these runs has "
        "them.");
  }
  // As train/evaluate.cpp has it: a set without Question begins with its first strategy.
  const auto& labels = group.runs.front()->evaluation->strategies;
  const bool asks =
      std::any_of(labels.begin(), labels.end(), [](const auto& l) { return l.name == "Question"; });
  if (baselines != nullptr && !asks && !labels.empty()) {
    t.notes.push_back("Repeat last chooses " + labels.front().name +
                      ", the set's first strategy, where none came before.");
  }
  if (shown != nullptr && shown->clusters < 2) {
    t.notes.push_back(
        "Without intervals: all decisions are of one dialogue, which says nothing of how dialogues "
        "differ.");
  } else if (shown != nullptr) {
    t.notes.push_back("95 % intervals: percentile bootstrap over " +
                      std::to_string(shown->clusters) + " dialogues, " +
                      std::to_string(shown->replicates) +
                      " replicates. They measure sampling of dialogues, not training seeds.");
  }
  t.notes.push_back(
      "[Brackets]: trivial planners on the same decisions. Acc and macro-F1: "
      "higher is better; B (bias): lower, but B alone ranks nothing.");
  if (!degenerate.empty()) {
    t.notes.push_back(
        "B rests on a guard (strategies that are never, or only ever rightly, "
        "predicted) for: " +
        joined(degenerate) + ".");
  }
  return t;
}

}  // namespace

int smoothing_window(std::size_t n) {
  const int w = static_cast<int>(n / 20);
  return std::max(1, w % 2 == 0 ? w + 1 : w);
}

std::vector<double> smooth(const std::vector<double>& x, int window) {
  const auto half = static_cast<std::ptrdiff_t>(window / 2);
  const auto n = static_cast<std::ptrdiff_t>(x.size());
  std::vector<double> sums(x.size() + 1, 0.0), out;
  for (std::size_t i = 0; i < x.size(); ++i) sums[i + 1] = sums[i] + x[i];
  for (std::ptrdiff_t i = 0; i < n; ++i) {
    const auto low = std::max<std::ptrdiff_t>(0, i - half);
    const auto high = std::min(n, i + half + 1);
    out.push_back((sums[static_cast<std::size_t>(high)] - sums[static_cast<std::size_t>(low)]) /
                  static_cast<double>(high - low));
  }
  return out;
}

Table overview_table(const results::Results& results) {
  Table t;
  t.id = "overview";
  t.title = "Runs";
  t.columns = {"Experiment", "Point", "State", "Steps", "Evaluated", "Missing", "Remarks"};
  for (const results::Run* run : results.runs()) {
    std::vector<std::string> splits, remarks = run->problems;
    if (run->evaluation) {
      for (const auto& [split, e] : run->evaluation->splits) splits.push_back(split);
    }
    if (!run->reason.empty()) remarks.insert(remarks.begin(), run->reason);
    t.add({run->experiment, run->point, to_word(run->state),
           run->steps.empty() ? Cell::missing() : Cell(run->steps.size()),
           splits.empty() ? Cell("–") : Cell(joined(splits)),
           run->state == results::PointState::missing ? Cell("everything")
                                                      : Cell(joined(run->missing)),
           joined(remarks, "; ")});
  }
  return t;
}

std::vector<Table> results_tables(const results::Results& results) {
  std::vector<Table> out;
  for (const std::string& split : results.splits()) {
    std::vector<DataGroup> groups;
    for (const results::Run* run : results.runs()) {
      const SplitEvaluation* e = run->split(split);
      if (e == nullptr) continue;
      auto at = std::find_if(groups.begin(), groups.end(),
                             [&](const DataGroup& g) { return g.support == e->strategy.support; });
      if (at == groups.end()) at = groups.insert(groups.end(), {e->strategy.support, {}});
      at->runs.push_back(run);
    }
    std::set<const results::Run*> placed;
    for (std::size_t g = 0; g < groups.size(); ++g) {
      std::set<std::string> experiments;
      for (const results::Run* run : groups[g].runs) experiments.insert(run->experiment);
      std::vector<const results::Run*> unevaluated;
      for (const results::Run* run : results.runs()) {
        if (run->split(split) == nullptr && experiments.count(run->experiment) > 0 &&
            placed.insert(run).second) {
          unevaluated.push_back(run);
        }
      }
      Table t = results_table(results, split, groups[g], unevaluated);
      t.id = "results_" + split + (g == 0 ? "" : "_" + std::to_string(g + 1));
      t.title = "Strategy choice on the split " + split;
      if (groups.size() > 1) {
        t.title += ", decisions of " +
                   joined(std::vector<std::string>(experiments.begin(), experiments.end()));
      }
      out.push_back(std::move(t));
    }
  }
  return out;
}

std::vector<Group> group_runs(const results::Results& results, const std::string& split,
                              const std::vector<std::string>& ignored) {
  std::vector<Group> out;
  for (const results::Run* run : results.runs()) {
    if (run->split(split) == nullptr) continue;
    const std::string label = setting_without(*run, ignored);
    // Without an index nothing says that two runs differ in their seed only.
    const bool known = !run->parameters.empty();
    const std::string name = known ? label : run->point;
    auto at = std::find_if(out.begin(), out.end(), [&](const Group& g) {
      return g.experiment == run->experiment && g.label == name;
    });
    const std::string given = run->given_name().value_or("");
    if (at == out.end()) at = out.insert(out.end(), {run->experiment, name, given, {}});
    if (at->name != given) at->name.clear();
    at->runs.push_back(run);
  }
  return out;
}

Table seeds_table(const results::Results& results) {
  Table t;
  t.id = "seeds";
  t.title = "Spread over training seeds";
  t.columns = {"Setting", "Split", "Seeds"};
  for (const auto* m : metrics::shown_strategy_metrics()) {
    const std::string title = m->title;
    t.columns.insert(t.columns.end(),
                     {title + " mean" + m->unit(), title + " sd", title + " t 95 %"});
  }
  for (const std::string& split : results.splits()) {
    for (const Group& g : group_runs(results, split, results::kSeedKeys)) {
      if (g.runs.size() < 2) continue;
      const std::string& setting = g.name.empty() ? g.label : g.name;
      std::string name = setting.empty() ? g.experiment : setting;
      if (several_experiments(results) && !setting.empty()) name = g.experiment + " " + name;
      std::vector<Cell> row = {name, split, Cell(g.runs.size())};
      for (const auto* m : metrics::shown_strategy_metrics()) {
        std::vector<double> values;
        for (const results::Run* run : g.runs) {
          values.push_back(m->scale() * run->split(split)->strategy.*m->score);
        }
        const auto s = metrics::summarise_seeds(values);
        row.push_back(Cell::real(s.mean, m->decimals));
        row.push_back(Cell::real(s.sd, m->decimals));
        row.push_back(s.n < metrics::kFewestSeeds
                          ? values_cell(values, m->decimals)
                          : interval(clipped({s.mean - s.half_width, s.mean + s.half_width},
                                             possible_range(*m)),
                                     1));
      }
      t.add(std::move(row));
    }
  }
  if (t.rows.empty()) return t;
  t.notes.push_back(
      "Seeds only: sample standard deviation and t interval of the mean, cut where the metric "
      "ends; "
      "below three seeds the values themselves. Sampling of dialogues is in the results tables.");
  return t;
}

Table strategies_table(const std::vector<const results::Run*>& runs) {
  Table t;
  t.id = "strategies";
  t.title = "Per strategy";
  t.columns = {"Run", "Split", "Strategy", "Support", "Predicted"};
  auto shown = metrics::shown_strategy_metrics();
  std::erase_if(shown, [](const auto* m) { return m->of_strategy.title == nullptr; });
  // Precision is no metric of a planner; it stands beside the recall.
  const auto is_recall = [](const metrics::StrategyMetric& m) {
    return m.of_strategy.values == &metrics::StrategyReport::recall;
  };
  for (const auto* m : shown) {
    t.columns.push_back(m->of_strategy.title + std::string(m->unit()));
    if (is_recall(*m)) t.columns.push_back("Precision %");
  }
  for (const results::Run* run : runs) {
    if (!run->evaluation) continue;
    for (const auto& [split, e] : run->evaluation->splits) {
      const auto& r = e.strategy;
      for (std::size_t i = 0; i < r.support.size(); ++i) {
        const auto& labels = run->evaluation->strategies;
        std::vector<Cell> row = {
            run->name(), split,
            i < labels.size() ? labels[i].name : "strategy " + std::to_string(i),
            Cell(static_cast<long long>(r.support[i])),
            Cell(static_cast<long long>(r.predicted[i]))};
        for (const auto* m : shown) {
          row.push_back(Cell::real(m->scale() * (r.*m->of_strategy.values)[i], m->decimals));
          if (is_recall(*m)) row.push_back(percent(r.precision[i]));
        }
        t.add(std::move(row));
      }
    }
  }
  if (t.rows.empty()) return t;
  t.notes.push_back(
      "Acc is the strategy's recall, B its preference p (above 1: chosen too readily).");
  return t;
}

// Checked against train/evaluate.cpp, which fills the returns, and learn/rewards/imitation.h.
std::string imitation_return_note(const std::set<std::size_t>& strategies) {
  // (K p - 1) / ((K - 2) p + 1), for each number of strategies that runs here have.
  std::string rewards;
  for (const auto k : strategies) {
    if (k < 2) continue;
    const std::string one = "(" + std::to_string(k) + "p − 1) / (" +
                            (k == 2   ? ""
                             : k == 3 ? "p + "
                                      : std::to_string(k - 2) + "p + ") +
                            "1)";
    rewards += (rewards.empty() ? "" : " or ") + one;
    if (strategies.size() > 1) rewards += " with " + std::to_string(k) + " strategies";
  }
  if (rewards.empty()) rewards = "(Kp − 1) / ((K − 2)p + 1) with K strategies";
  return std::string(
             "Under the imitation reward every decision of the corpus earns the same, so the "
             "return of a "
             "decision is 1 + γ + γ² + …, one term for each of the human supporter's decisions "
             "that are "
             "left: it says nothing of the chosen strategy, nor of anybody's quality. Ranks do not "
             "change "
             "under a growing function, so for every γ above 0 this Spearman is the rank "
             "correlation of Q "
             "with the number of decisions left, and a high one says that Q has learned how near "
             "the end "
             "is. Nor need Q lie on the return's scale: training also shows it every state with a "
             "wrong "
             "strategy at −1, and its expected reward at a share p of experts is ") +
         rewards + ", below 1.";
}

Table value_table(const results::Results& results) {
  Table t;
  t.id = "value";
  t.title = "Values";
  t.columns = {"Run", "Split", "gamma"};
  for (const auto& m : metrics::value_metrics()) t.columns.push_back(m.title);
  t.columns.push_back("n");
  std::set<std::size_t> imitated;  // numbers of strategies of runs with the imitation reward
  for (const results::Run* run : results.runs()) {
    if (!run->evaluation) continue;
    for (const auto& [split, e] : run->evaluation->splits) {
      if (!e.value) continue;
      if (e.value->mean_return && results::reward_facts(*run).imitation) {
        imitated.insert(run->evaluation->strategies.size());
      }
      const auto& v = *e.value;
      std::vector<Cell> row = {run->name(), split, optional_real(v.gamma, 3)};
      for (const auto& m : metrics::value_metrics()) {
        row.push_back(optional_real(m.value(v), m.decimals));
      }
      row.push_back(Cell(static_cast<long long>(v.n)));
      t.add(std::move(row));
      if (v.non_finite > 0) {
        t.notes.push_back(run->name() + ", " + split + ": " + std::to_string(v.non_finite) +
                          " decisions left out because a Q was not finite.");
      }
    }
  }
  if (t.rows.empty()) return t;
  t.notes.push_back(
      "Per decision. Spearman: rank correlation of Q with the discounted return from "
      "that decision on.");
  if (!imitated.empty()) t.notes.push_back(imitation_return_note(imitated));
  return t;
}

Table ranking_table(const results::Results& results) {
  Table t;
  t.id = "ranking";
  t.title = "Order of the strategies";
  t.columns = {"Run", "Split"};
  for (const auto& m : metrics::ranking_metrics()) {
    t.columns.push_back(m.title + std::string(m.unit()));
    t.columns.push_back(m.title + std::string(" 95 %"));
  }
  t.columns.insert(t.columns.end(), {"n", "n of sets"});
  for (const results::Run* run : results.runs()) {
    if (!run->evaluation) continue;
    for (const auto& [split, e] : run->evaluation->splits) {
      if (!e.ranking) continue;
      std::vector<Cell> row = {run->name(), split};
      for (const auto& m : metrics::ranking_metrics()) {
        const auto& score = *e.ranking.*m.score;
        row.push_back(score ? Cell::real(m.scale() * *score, m.decimals) : Cell::missing());
        row.push_back(interval(*e.ranking.*m.interval, m.scale()));
      }
      row.push_back(Cell(static_cast<long long>(e.ranking->n)));
      row.push_back(Cell(static_cast<long long>(e.ranking->sets)));
      t.add(std::move(row));
    }
  }
  if (t.rows.empty()) return t;
  t.notes.push_back(
      "R@3: the human supporter's strategy is among the three with the largest Q. MRR: mean of 1 / "
      "its rank. NDCG: the discounted gain of the order by Q, with all strategies of the turn as "
      "right ones where they are known, divided by that of the best order. Acc of set: the choice "
      "is one of the turn's strategies; a turn of several utterances often has two.");
  return t;
}

Table foresight_table(const results::Results& results) {
  Table t;
  t.id = "foresight";
  t.title = "What foresees the seekers' ratings";
  t.columns = {"Run", "Split", "Predictor"};
  for (const auto& m : metrics::foresight_metrics()) {
    t.columns.push_back(m.title);
    if (m.interval != nullptr) t.columns.push_back(m.title + std::string(" 95 %"));
  }
  t.columns.insert(t.columns.end(), {"Ratings", "Low", "Dialogues"});
  for (const results::Run* run : results.runs()) {
    if (!run->evaluation) continue;
    for (const auto& [split, e] : run->evaluation->splits) {
      if (!e.foresight) continue;
      for (const auto& [predictor, scores] : e.foresight->predictors) {
        std::vector<Cell> row = {run->name(), split, metrics::foresight_title(predictor)};
        for (const auto& m : metrics::foresight_metrics()) {
          row.push_back(optional_real(scores.*m.score, m.decimals));
          if (m.interval != nullptr) row.push_back(interval(scores.*m.interval, m.scale()));
        }
        row.push_back(Cell(static_cast<long long>(e.foresight->ratings)));
        row.push_back(Cell(static_cast<long long>(e.foresight->low)));
        row.push_back(Cell(static_cast<long long>(e.foresight->dialogues)));
        t.add(std::move(row));
      }
    }
  }
  if (t.rows.empty()) return t;
  t.notes.push_back(
      "Of each rating that a seeker gave: what the predictor said of the supporter's turn "
      "before it. Spearman within dialogues: ranks are taken within each dialogue, so a "
      "predictor that only knows content seekers from others has 0. AUC: the chance that a "
      "rating of at most 3 has the smaller value than one above (0.5 says nothing), over all "
      "pairs and within dialogues. Ratings rise in the course of a dialogue, so the number of "
      "the turn foresees them by itself, and so does whatever grows with it; what is left of a "
      "predictor beside it is the partial correlation of the ranks. Q is that of the strategy "
      "that the corpus's supporter took. An interval that holds 0 (Spearman) or 0.5 (AUC) says "
      "that nothing was found. The mean rating of a strategy is that of the dialogues that the "
      "planner knows.");
  return t;
}

Table training_table(const results::Results& results) {
  Table t;
  t.id = "training";
  t.title = "Training";
  t.columns = {"Run",   "Stage", "Steps", "Loss at first", "Loss at last", "Largest gradient norm",
               "Tokens"};
  for (const results::Run* run : results.runs()) {
    std::vector<std::string> stages;
    for (const results::Step& s : run->steps) {
      if (std::find(stages.begin(), stages.end(), s.stage) == stages.end()) {
        stages.push_back(s.stage);
      }
    }
    for (const std::string& stage : stages) {
      std::vector<double> loss;
      std::optional<double> norm, tokens;
      long steps = 0;
      for (const results::Step& s : run->steps) {
        if (s.stage != stage) continue;
        ++steps;
        if (s.loss && std::isfinite(*s.loss)) loss.push_back(*s.loss);
        if (s.grad_norm) norm = std::max(norm.value_or(*s.grad_norm), *s.grad_norm);
        if (s.tokens) tokens = tokens.value_or(0) + *s.tokens;
      }
      const auto smoothed = smooth(loss, smoothing_window(loss.size()));
      t.add({run->name(), stage.empty() ? "–" : stage, Cell(steps),
             smoothed.empty() ? Cell::missing() : Cell::real(smoothed.front(), 4),
             smoothed.empty() ? Cell::missing() : Cell::real(smoothed.back(), 4),
             optional_real(norm, 3),
             tokens ? Cell(static_cast<long long>(std::llround(*tokens))) : Cell::missing()});
    }
  }
  if (t.rows.empty()) return t;
  t.notes.push_back("Losses are means over the smoothing window at each end of the curve.");
  return t;
}

}  // namespace straq::report
