#include "report/rows/method_rows.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "core/error.h"
#include "core/json/json.h"
#include "dialogue/utf8.h"
#include "metrics/baselines.h"
#include "report/name_lists.h"
#include "report/rows/reply_scores.h"
#include "report/rows/setting_names.h"
#include "report/rows/strategy_intervals.h"
#include "results/results_files.h"
#include "results/reward_facts.h"
#include "results/run_folder.h"

namespace straq::report {
namespace {

constexpr const char* kSplit = "test";
// Of Spearman's correlation, which no sum gives: each replicate ranks all decisions anew.
constexpr int kSpearmanReplicates = 2000;

std::string lower(const std::string& s) {
  return dialogue::to_lower(s);
}

// Parameters but the seed, and but those that the method's name already says.
std::string setting_of(const results::Run& run) {
  std::string out;
  for (const auto& [key, value] : run.parameters) {
    // Weights that are on or off are in the name, any other weight is a setting.
    const double weight = std::strtod(value.c_str(), nullptr);
    const bool partly = key.rfind("learn.objective.", 0) == 0 && weight != 0 && weight != 1;
    if (results::is_seed(key) || (in_method_name(key) && !partly)) continue;
    out += (out.empty() ? "" : ", ") + key + "=" + value;
  }
  return out;
}

// Everything that decides which row a run's method belongs to.
struct Place {
  std::string corpus, responder, method, setting, group;
};

// What dialogues add up to, resampled. One dialogue says nothing of how dialogues differ.
template <class Sums>
std::optional<metrics::Interval> interval_of_mean(const std::map<std::string, Sums>& by_dialogue,
                                                  int replicates) {
  if (by_dialogue.size() < 2) return std::nullopt;
  std::vector<Sums> list;
  for (const auto& [dialogue, sums] : by_dialogue) list.push_back(sums);
  metrics::BootstrapOptions b;
  b.replicates = replicates;
  auto means = metrics::cluster_bootstrap(list.size(), b, [&](auto drawn) {
    Sums s;
    for (const auto d : drawn) s += list[d];
    return s.mean();
  });
  return metrics::percentile_interval(std::move(means));
}

// Mean ranks of values that count `weight` times each: what ranking a sample with repetitions
// gives, from one sort for all samples.
class Ranks {
 public:
  explicit Ranks(const std::vector<double>& values) : order_(values.size()), last_(values.size()) {
    std::iota(order_.begin(), order_.end(), std::size_t{0});
    std::sort(order_.begin(), order_.end(), [&](auto a, auto b) { return values[a] < values[b]; });
    for (std::size_t i = 0; i < order_.size(); ++i) {
      last_[i] = i + 1 == order_.size() || values[order_[i]] != values[order_[i + 1]];
    }
  }
  void of(const std::vector<double>& weight, std::vector<double>& out) const {
    double below = 0, tied = 0;
    for (std::size_t i = 0, first = 0; i < order_.size(); ++i) {
      tied += weight[order_[i]];
      if (!last_[i]) continue;
      for (; first <= i; ++first) out[order_[first]] = below + (tied + 1) / 2;
      below += tied;
      tied = 0;
    }
  }

 private:
  std::vector<std::size_t> order_;
  std::vector<bool> last_;
};

double correlation(const std::vector<double>& x, const std::vector<double>& y,
                   const std::vector<double>& weight) {
  double n = 0, sx = 0, sy = 0, xx = 0, yy = 0, xy = 0;
  for (std::size_t i = 0; i < x.size(); ++i) {
    n += weight[i];
    sx += weight[i] * x[i];
    sy += weight[i] * y[i];
  }
  for (std::size_t i = 0; i < x.size(); ++i) {
    const double dx = x[i] - sx / n, dy = y[i] - sy / n;
    xx += weight[i] * dx * dx;
    yy += weight[i] * dy * dy;
    xy += weight[i] * dx * dy;
  }
  return xy / std::sqrt(xx * yy);
}

// Of the chosen strategy's Q with the return, over the rows that value_report takes.
std::optional<metrics::Interval> interval_of_spearman(const std::vector<double>& q,
                                                      const std::vector<double>& returns,
                                                      const std::vector<std::uint32_t>& dialogue,
                                                      std::size_t dialogues) {
  if (dialogues < 2 || q.empty()) return std::nullopt;
  const Ranks ranks_q(q), ranks_r(returns);
  metrics::BootstrapOptions b;
  b.replicates = kSpearmanReplicates;
  std::vector<double> weight(q.size()), x(q.size()), y(q.size()), times(dialogues);
  auto found = metrics::cluster_bootstrap(dialogues, b, [&](auto drawn) {
    std::fill(times.begin(), times.end(), 0.0);
    for (const auto d : drawn) times[d] += 1;
    for (std::size_t i = 0; i < weight.size(); ++i) weight[i] = times[dialogue[i]];
    ranks_q.of(weight, x);
    ranks_r.of(weight, y);
    return correlation(x, y, weight);
  });
  // A draw in which all are alike has no correlation.
  const std::size_t all = found.size();
  std::erase_if(found, [](double r) { return !std::isfinite(r); });
  if (found.size() * 20 < all * 19) return std::nullopt;
  return metrics::percentile_interval(std::move(found));
}

// Adds one seed's sums to a row's; false where it has other dialogues than the seeds before.
template <class Sums>
bool merge(const std::map<std::string, Sums>& from, bool first, std::map<std::string, Sums>& to) {
  bool even = first || from.size() == to.size();
  for (const auto& [dialogue, sums] : from) {
    const auto [it, fresh] = to.emplace(dialogue, sums);
    if (!fresh) it->second += sums;
    even = even && (first || !fresh);
  }
  return even;
}

class Gatherer {
 public:
  Gatherer(const ScoredReplies& scores, const MethodOptions& options, Methods& out)
      : options_(options), out_(out), scores_(scores) {}

  void run(const results::Run& run);
  // After all runs: methods before settings of sweeps, each row whole.
  void read_predictions();
  // After the predictions: of the rows that Table 9 shows.
  void intervals_of_strategies();

 private:
  struct Pending {
    std::size_t row;
    const results::Run* run;
    std::string seed;
    int strategies;
  };
  Place place_of(const results::Run& run, const results::MethodInfo& info) const {
    Place p;
    p.corpus =
        corpus_of(info.corpus.empty() ? run.parameter("data.name").value_or("") : info.corpus);
    p.responder = lower(info.responder);
    p.method = lower(info.method);
    p.setting = setting_of(run);
    // Without an index nothing says that two runs differ in their seed only.
    p.group = run.parameters.empty() ? "point " + run.point : p.setting;
    // Points of two names are two settings, also where parameters of the method alone differ.
    if (const auto name = run.given_name()) p.group += "\n" + *name;
    return p;
  }

  std::size_t row_of(const results::Run& run, const Place& p) {
    const auto key = std::make_tuple(run.experiment, p.corpus, p.responder, p.method, p.group);
    const auto [it, fresh] = index_.emplace(key, out_.rows.size());
    if (fresh) {
      MethodRow r;
      r.experiment = run.experiment;
      r.name = run.given_name().value_or("");
      r.corpus = p.corpus;
      r.responder = p.responder;
      r.method = p.method;
      r.setting = p.setting;
      out_.rows.push_back(std::move(r));
    }
    return it->second;
  }

  // A second source of the same seed would overwrite values and count its sums twice.
  bool claim(std::size_t at, const std::string& kind, const std::string& seed,
             const std::string& from, const std::string& hint) {
    const auto [it, fresh] = claimed_.emplace(std::make_tuple(at, kind, seed), from);
    if (fresh) return true;
    out_.problems.push_back(from + ": the " + kind + " of " + out_.rows[at].full_title() +
                            " with seed " + seed + " are there already, from " + it->second +
                            "; this one is left out (" + hint + ")");
    return false;
  }

  bool on_test_split(const results::MethodInfo& info, const std::string& path) {
    if (of_test_split(info)) return true;
    out_.problems.push_back(path + ": it is of the split \"" + info.split +
                            "\"; the tables of methods are of test, so it is left out");
    return false;
  }

  // Run and seed stand behind a row's numbers.
  void note(MethodRow& row, const results::Run& run, const std::string& seed) {
    row.seeds.insert(seed);
    const std::string name = run.name();
    row.run_of.emplace(seed, name);
    if (std::find(row.runs.begin(), row.runs.end(), name) == row.runs.end()) {
      row.runs.push_back(name);
    }
    if (run.known.version) row.made_with["version"].insert(*run.known.version);
    for (const char* key : {"data.split", "data.merge_label"}) {
      if (const auto value = run.parameter(key)) row.made_with[key].insert(*value);
    }
  }

  // `from`: its key is that of the object which holds the metrics.
  static Source at_key(Source from, const std::string& key) {
    if (!from.key.empty()) from.key += "." + key;
    return from;
  }

  void strategies(MethodRow& row, const std::string& seed, const metrics::StrategyReport& r,
                  const metrics::StrategyIntervals& i, const Source& from) {
    for (const auto& m : metrics::strategy_metrics()) {
      row.metrics[m.key].add(seed, r.*m.score, m.interval_of(i), r.n, m.scale());
      row.metrics[m.key].from.emplace(seed, at_key(from, m.key));
    }
    row.replicates.insert(i.replicates);
    row.unreadable += r.invalid;
    row.choices += r.n;
    row.invalid_rule = r.invalid_rule;
    row.degenerate += r.bt_degenerate;
    row.support = r.support;
    row.by_strategy.resize(r.support.size());
    for (const auto& m : metrics::strategy_metrics()) {
      if (m.of_strategy.title == nullptr) continue;
      for (std::size_t s = 0; s < r.support.size(); ++s) {
        row.by_strategy[s][m.key].add(seed, (r.*m.of_strategy.values)[s], std::nullopt,
                                      r.support[s], m.scale());
      }
    }
  }

  void decisions(std::size_t at, const std::string& seed,
                 const std::vector<metrics::Prediction>& rows, int strategies) {
    MethodRow& row = out_.rows[at];
    metrics::StrategyOptions o;
    o.strategies = strategies;
    // As the row's numbers count them.
    o.invalid = row.invalid_rule;
    auto counts = metrics::counts_of(rows, o);
    const bool first = row.count_seeds++ == 0;
    if (!merge(counts, first, row.counts)) row.uneven.insert(metrics::SumsOf::choices);
    if (first) row.decisions = rows;
    row.counts_of_seed[seed] = std::move(counts);
    counted_.emplace_back(at, seed);
  }

  void values(MethodRow& row, const std::string& seed, const metrics::ValueReport& v,
              const Source& from) {
    for (const auto& m : metrics::value_metrics()) {
      const auto x = m.value(v);
      if (!x) continue;
      row.metrics[m.key].add(seed, *x, std::nullopt, v.n, m.scale());
      row.metrics[m.key].from.emplace(seed, at_key(from, m.key));
    }
  }

  void note_baselines(const results::Run& run);
  void value_intervals(MethodRow& row, const std::string& seed,
                       const std::vector<metrics::Prediction>& rows);
  void replies(MethodRow& row, const std::string& seed, const ReplyScores& scores,
               const Source& from);
  void judged(std::size_t at, const std::string& seed, const results::JudgeFile& file,
              const std::string& run);
  static Source of_evaluation(const results::Run& run, const std::string& part) {
    return {run.name(), results::kEvaluationFile, "splits." + std::string(kSplit) + "." + part};
  }
  static std::string file_of(const results::ReplyFile& f, const char* ending = results::kRows) {
    return std::string(results::kRepliesFolder) + "/" + f.name + ending;
  }

  const MethodOptions& options_;
  Methods& out_;
  std::map<std::tuple<std::string, std::string, std::string, std::string, std::string>, std::size_t>
      index_;
  std::map<std::tuple<std::size_t, std::string, std::string>, std::string> claimed_;
  std::vector<Pending> pending_;
  std::vector<std::pair<std::size_t, std::string>> counted_;  // rows and seeds, as they were read
  const ScoredReplies& scores_;
};

// The rows that value_report averages, dialogue by dialogue.
void Gatherer::value_intervals(MethodRow& row, const std::string& seed,
                               const std::vector<metrics::Prediction>& rows) {
  std::map<std::string, metrics::MeanSums> max_q, chosen_q, returns;
  std::vector<double> q, reward_to_go;
  std::vector<std::uint32_t> dialogue;
  std::map<std::string, std::uint32_t> numbers;
  for (const auto& r : rows) {
    const bool has_return = r.mc_return && std::isfinite(*r.mc_return);
    if (has_return) returns[r.dialogue] += {*r.mc_return, 1};
    const bool finite =
        std::all_of(r.q.begin(), r.q.end(), [](double v) { return std::isfinite(v); });
    if (r.q.empty() || !finite) continue;
    max_q[r.dialogue] += {*std::max_element(r.q.begin(), r.q.end()), 1};
    if (r.chosen < 0) continue;
    const double chosen = r.q[static_cast<std::size_t>(r.chosen)];
    chosen_q[r.dialogue] += {chosen, 1};
    if (!has_return) continue;
    q.push_back(chosen);
    reward_to_go.push_back(*r.mc_return);
    const auto number = static_cast<std::uint32_t>(numbers.size());
    dialogue.push_back(numbers.emplace(r.dialogue, number).first->second);
  }
  const auto put = [&](const char* key, const std::optional<metrics::Interval>& i) {
    const auto it = row.metrics.find(key);
    if (i && it != row.metrics.end()) it->second.intervals.emplace(seed, *i);
  };
  put("mean_max_q", interval_of_mean(max_q, options_.replicates));
  put("mean_chosen_q", interval_of_mean(chosen_q, options_.replicates));
  put("mean_return", interval_of_mean(returns, options_.replicates));
  if (row.metrics.count("spearman_chosen") > 0) {
    put("spearman_chosen", interval_of_spearman(q, reward_to_go, dialogue, numbers.size()));
  }
}

void Gatherer::replies(MethodRow& row, const std::string& seed, const ReplyScores& scores,
                       const Source& from) {
  const metrics::ResponseReport& report = scores.report;
  if (report.bootstrap) row.replicates.insert(report.bootstrap->replicates);
  const auto take = [&](std::map<std::string, Measured>& to, const metrics::ResponseScores& s) {
    for (const auto& m : metrics::reply_metrics()) {
      std::optional<metrics::Interval> i;
      if (s.intervals) i = (*s.intervals)[m.which];
      to[m.key].add(seed, s[m.which], i, s.n, m.scale());
    }
  };
  take(row.metrics, report.overall);
  for (const auto& m : metrics::reply_metrics()) {
    row.metrics[m.key].from.emplace(seed, at_key(from, m.key));
  }
  for (const auto& [name, scores] : report.by_strategy) {
    for (std::size_t s = 0; s < row.labels.size(); ++s) {
      const std::string key = dialogue::fold_case(name);
      if (key != dialogue::fold_case(row.labels[s].name) &&
          key != dialogue::fold_case(row.labels[s].abbreviation)) {
        continue;
      }
      if (row.by_strategy.size() < row.labels.size()) row.by_strategy.resize(row.labels.size());
      take(row.by_strategy[s], scores);
    }
  }
  if (!merge(scores.sums, row.sum_seeds++ == 0, row.sums))
    row.uneven.insert(metrics::SumsOf::replies);
  row.sums_of_seed[seed] = scores.sums;
}

void Gatherer::judged(std::size_t at, const std::string& seed, const results::JudgeFile& file,
                      const std::string& run) {
  if (!on_test_split(file.info, file.path) ||
      !claim(at, "judge's scores", seed, file.path,
             "give them different \"method\" or \"seed\" in <name>.json")) {
    return;
  }
  MethodRow& row = out_.rows[at];
  std::map<std::string, metrics::MeanSums> by_dialogue;
  for (const auto& j : file.rows) {
    if (j.overall) by_dialogue[j.dialogue] += {*j.overall, 1};
  }
  row.unparsed += file.unparsed();
  if (by_dialogue.empty()) return;
  metrics::MeanSums all;
  for (const auto& [dialogue, sums] : by_dialogue) all += sums;
  const metrics::Metric& reward = metrics::reward_metric();
  if (!merge(by_dialogue, row.metrics.count(reward.key) == 0, row.rewards)) {
    row.uneven.insert(reward.sums);
  }
  row.rewards_of_seed[seed] = by_dialogue;
  row.metrics[reward.key].from.emplace(
      seed, Source{run, std::string(results::kJudgeFolder) + "/" + file.name + results::kRows,
                   "overall"});
  row.metrics[reward.key].add(seed, all.mean(), interval_of_mean(by_dialogue, options_.replicates),
                              static_cast<std::int64_t>(all.n), reward.scale());
}

void Gatherer::run(const results::Run& run) {
  const std::string seed = run.seed().value_or(run.point);
  const metrics::SplitEvaluation* e = run.split(kSplit);
  const std::string own = method_of(run);
  const results::RewardFacts reward = results::reward_facts(run);
  const auto labels =
      run.evaluation ? run.evaluation->strategies : std::vector<metrics::StrategyLabel>();
  const std::string name_them = "give them different \"method\" or \"seed\" in <name>.json";
  bool planned = false;
  const auto guard = [&](auto&& work) {
    try {
      work();
    } catch (const std::exception& error) {
      out_.problems.push_back(results::failure_words(run.path, error));
    }
  };
  const auto add_planner = [&](std::size_t at, const std::string& s) {
    MethodRow& r = out_.rows[at];
    r.labels = labels;
    r.planner = true;
    r.imitation = reward.imitation;
    if (r.method == lower(reward.method)) r.own_title = reward.title;
    strategies(r, s, e->strategy, e->intervals, of_evaluation(run, "strategy"));
    if (e->value) values(r, s, *e->value, of_evaluation(run, "value"));
    pending_.push_back({at, &run, s, e->strategy.strategies()});
  };
  for (const auto& f : run.replies) {
    if (f.rows.empty() || !on_test_split(f.info, f.path)) continue;
    const std::string s = f.info.seed.empty() ? seed : f.info.seed;
    const std::size_t at = row_of(run, place_of(run, f.info));
    if (!claim(at, "replies", s, f.path, name_them)) continue;
    MethodRow& r = out_.rows[at];
    note(r, run, s);
    r.labels = f.info.strategies.empty() ? labels : f.info.strategies;
    const ReplyScores& scores = scores_.at(&f);
    guard([&] {
      if (r.method == own && e != nullptr) {
        planned = true;  // the planner chose what the replies follow
        if (claim(at, "choices", s, f.path, name_them)) add_planner(at, s);
      } else if (const auto rows = f.choices(r.labels)) {
        if (claim(at, "choices", s, f.path, name_them)) {
          metrics::EvaluationOptions o;
          o.strategy.strategies = static_cast<int>(r.labels.size());
          o.bootstrap.replicates = scores.replicates;
          const auto scored = metrics::evaluate_predictions(*rows, o);
          strategies(r, s, scored.strategy, scored.intervals, {run.name(), file_of(f), ""});
          decisions(at, s, *rows, o.strategy.strategies);
        }
      }
      const Source from = f.score ? Source{run.name(), file_of(f, results::kScore), "overall"}
                                  : Source{run.name(), file_of(f), ""};
      replies(r, s, scores.checked(), from);
      for (const auto& j : run.judged) {
        if (j.name == f.name) judged(at, s, j, run.name());
      }
    });
  }
  // Judged without replies of their own: the corpus's, or replies that stayed elsewhere.
  for (const auto& j : run.judged) {
    const bool placed = std::any_of(run.replies.begin(), run.replies.end(),
                                    [&](const results::ReplyFile& f) { return f.name == j.name; });
    if (placed || j.rows.empty() || j.calibrates() || !on_test_split(j.info, j.path)) continue;
    const std::string s = j.info.seed.empty() ? seed : j.info.seed;
    const std::size_t at = row_of(run, place_of(run, j.info));
    note(out_.rows[at], run, s);
    judged(at, s, j, run.name());
  }
  if (e != nullptr && !planned) {
    results::MethodInfo info;
    info.method = own;
    const std::size_t at = row_of(run, place_of(run, info));
    if (claim(at, "choices", seed, run.name() + ": evaluation.json",
              "give the runs different seeds, or name in index.csv what else differs")) {
      note(out_.rows[at], run, seed);
      add_planner(at, seed);
    }
  }
  note_baselines(run);
}

void Gatherer::note_baselines(const results::Run& run) {
  if (!run.evaluation) return;
  for (const auto& [split, list] : run.evaluation->baselines) {
    if (split != kSplit) continue;
    out_.baselines.emplace(corpus_of(run.parameter("data.name").value_or("")), list);
  }
}

void Gatherer::read_predictions() {
  std::vector<std::vector<const Pending*>> by_row(out_.rows.size());
  for (const auto& p : pending_) by_row[p.row].push_back(&p);
  for (const bool sweep : {false, true}) {
    const std::size_t most = sweep ? options_.most : options_.most_named;
    std::size_t read = 0, runs_left = 0;
    MethodRows left;
    for (std::size_t at = 0; at < by_row.size(); ++at) {
      MethodRow& row = out_.rows[at];
      if (by_row[at].empty() || row.setting.empty() == sweep) continue;
      if (read + by_row[at].size() > most) {
        row.unread = true;
        runs_left += by_row[at].size();
        left.push_back(&row);
        continue;
      }
      read += by_row[at].size();
      for (const Pending* p : by_row[at]) {
        try {
          const auto rows = results::read_predictions_of(*p->run, kSplit);
          if (!rows) continue;
          decisions(at, p->seed, *rows, p->strategies);
          value_intervals(row, p->seed, *rows);
        } catch (const std::exception& error) {
          out_.problems.push_back(results::failure_words(
              results::RunFolder(p->run->path).file(results::kPredictionsFolder), error));
        }
      }
    }
    if (left.empty()) continue;
    out_.problems.push_back(
        "The predictions of " + std::to_string(runs_left) + (sweep ? " runs of sweeps" : " runs") +
        " are not read (at most " + std::to_string(most) +
        " are), so that these rows are not tested: " + listed(names_of(left)) + ".");
  }
}

void Gatherer::intervals_of_strategies() {
  auto shown = out_.with_strategies("esconv");
  if (shown.size() > kMostRanked) shown.resize(kMostRanked);
  std::size_t done = 0;
  for (const auto& [at, seed] : counted_) {
    MethodRow& row = out_.rows[at];
    if (std::find(shown.begin(), shown.end(), &row) == shown.end()) continue;
    metrics::BootstrapOptions b;
    b.replicates = ++done > options_.thorough
                       ? std::min(options_.replicates, options_.fewer_replicates)
                       : options_.replicates;
    std::vector<metrics::CountMatrix> list;
    for (const auto& [dialogue, c] : row.counts_of_seed.at(seed)) list.push_back(c);
    const auto found = intervals_by_strategy(list, b);
    row.strategy_replicates.insert(b.replicates);
    for (std::size_t s = 0; s < std::min(found.size(), row.by_strategy.size()); ++s) {
      for (const auto& m : metrics::strategy_metrics()) {
        if (m.of_strategy.interval == nullptr) continue;
        const auto& i = found[s].*m.of_strategy.interval;
        if (!i) continue;
        row.by_strategy[s][m.key].intervals[seed] = {m.scale() * i->low, m.scale() * i->high};
      }
    }
  }
}

// Settings as labels that can be told apart, and rows of one corpus that would still read alike by
// where they are from: their experiment, else their first run.
void name_rows(std::vector<MethodRow>& rows) {
  std::map<std::string, std::vector<MethodRow*>> by_experiment;
  for (auto& r : rows) {
    if (r.name.empty()) by_experiment[r.experiment].push_back(&r);
  }
  for (auto& [experiment, list] : by_experiment) {
    std::vector<std::string> settings;
    for (const MethodRow* r : list) settings.push_back(r->setting);
    const auto labels = short_settings(settings);
    for (std::size_t i = 0; i < list.size(); ++i) list[i]->label = labels[i];
  }
  std::map<std::pair<std::string, std::string>, std::vector<MethodRow*>> alike;
  for (auto& r : rows) {
    if (!r.runs.empty()) alike[{r.corpus, r.full_title()}].push_back(&r);
  }
  for (auto& [title, list] : alike) {
    if (list.size() < 2) continue;
    std::map<std::string, int> times;
    for (const MethodRow* r : list) ++times[r->experiment];
    for (MethodRow* r : list) {
      const bool alone = times[r->experiment] == 1;
      r->place = " of " + (alone ? r->experiment : r->runs.front());
    }
  }
}

}  // namespace

void Measured::add(const std::string& seed, double value,
                   const std::optional<metrics::Interval>& interval, std::int64_t count,
                   double scale) {
  if (!by_seed.emplace(seed, scale * value).second) return;
  if (interval) intervals[seed] = {scale * interval->low, scale * interval->high};
  n = std::max(n, count);
}

Estimate Measured::estimate() const {
  Estimate e;
  std::vector<double> values;
  for (const auto& [seed, value] : by_seed) values.push_back(value);
  const auto summary = metrics::summarise_seeds(values);
  e.value = summary.mean;
  e.n = n;
  e.seeds = summary.n;
  if (summary.n > 1) e.seed_sd = summary.sd;
  if (!intervals.empty() && intervals.size() == by_seed.size()) {
    metrics::Interval mean;
    for (const auto& [seed, i] : intervals) {
      mean.low += i.low / static_cast<double>(intervals.size());
      mean.high += i.high / static_cast<double>(intervals.size());
    }
    e.interval = mean;
  }
  return e;
}

std::string MethodRow::method_words() const {
  return own_title.empty() ? method_title(method) : own_title;
}

std::string MethodRow::title() const {
  if (planner && !name.empty()) return name + place;
  std::string of = name.empty() ? label : name;
  if (of.empty()) of = short_setting(setting);
  return method_words() + (of.empty() ? "" : ", " + of) + place;
}

std::string MethodRow::full_title() const {
  return title() + (responder.empty() ? "" : " (" + responder_title(responder) + ")");
}

std::vector<std::string> names_of(const MethodRows& rows) {
  std::map<std::string, int> times;
  for (const MethodRow* r : rows) ++times[r->full_title()];
  std::vector<std::string> out;
  for (const MethodRow* r : rows) {
    out.push_back(r->full_title());
    if (times[out.back()] > 1 && !r->runs.empty()) out.back() += " of " + r->runs.front();
  }
  return out;
}

Ranking rank(const MethodRows& rows, const metrics::Metric& metric) {
  std::vector<Contender> contenders;
  for (const MethodRow* r : rows) {
    const auto it = r->metrics.find(metric.key);
    Contender c{r, std::nullopt, !r->setting.empty(), r->unread, nullptr};
    if (it != r->metrics.end()) {
      c.value = it->second.estimate().value;
      c.by_seed = &it->second.by_seed;
    }
    contenders.push_back(c);
  }
  return rank(contenders, metric);
}

std::vector<const MethodRow*> Methods::of_corpus(const std::string& corpus) const {
  std::vector<const MethodRow*> out;
  for (const auto& r : rows) {
    if (r.corpus == corpus) out.push_back(&r);
  }
  return out;
}

std::vector<const MethodRow*> Methods::measured(const std::string& corpus) const {
  auto out = of_corpus(corpus);
  std::erase_if(out, [](const MethodRow* r) {
    return r->method == "human" || (r->metrics.count("acc") + r->metrics.count("bleu2")) == 0;
  });
  return out;
}

std::vector<const MethodRow*> Methods::with_strategies(const std::string& corpus) const {
  auto out = measured(corpus);
  std::erase_if(out, [](const MethodRow* r) { return r->by_strategy.empty(); });
  return out;
}

std::vector<std::string> Methods::corpora() const {
  std::vector<std::string> out = {"esconv"};
  for (const auto& r : rows) {
    if (std::find(out.begin(), out.end(), r.corpus) == out.end()) out.push_back(r.corpus);
  }
  return out;
}

Methods gather_methods(const results::Results& results, const MethodOptions& options) {
  return gather_methods(results, score_replies(results, options), options);
}

Methods gather_methods(const results::Results& results, const ScoredReplies& scores,
                       const MethodOptions& options) {
  Methods out;
  Gatherer gatherer(scores, options, out);
  for (const results::Run* run : results.runs()) gatherer.run(*run);
  name_rows(out.rows);
  gatherer.read_predictions();
  gatherer.intervals_of_strategies();
  // A row that nothing stands behind: all it had was refused.
  std::erase_if(out.rows, [](const MethodRow& r) { return r.runs.empty(); });
  return out;
}

std::string method_of(const results::Run& run) {
  const auto is = [&](const char* key, const char* value) {
    return run.parameter(key).value_or("") == value;
  };
  const auto number = [&](const char* key) {
    return std::strtod(run.parameter(key).value_or("0").c_str(), nullptr);
  };
  if (is("q.readout", "value_head") || is("learn.planner", "vhead")) return "value_head";
  if (is("learn.planner", "ce") ||
      (number("learn.objective.ce") > 0 && number("learn.objective.bellman") == 0)) {
    return "auto_regressive";
  }
  const std::string method = results::reward_facts(run).method;
  return method.empty() ? "planner" : method;
}

bool in_method_name(const std::string& key) {
  static const std::set<std::string> kKeys = {"learn.planner", "q.readout", "learn.reward.kind",
                                              "learn.objective.ce", "learn.objective.bellman"};
  return kKeys.count(key) > 0;
}

std::string corpus_of(const std::string& name) {
  const std::string n = lower(name);
  for (const char* known : {"esconv", "empathetic"}) {
    if (n.rfind(known, 0) == 0) return known;
  }
  return n;
}

std::string method_title(const std::string& method) {
  static const std::map<std::string, std::string> kTitles = {
      {"human", "Original dataset"},
      {"direct", "Direct"},
      {"direct_refine", "Direct-Refine"},
      {"self_refine", "Self-Refine"},
      {"cot", "CoT"},
      {"fsm", "FSM"},
      {"straq_distill", "straQ*-distill"},
      {"straq_imit", "straQ*-imit"},
      {"value_head", "w/ value head"},
      {"auto_regressive", "auto-regressive"}};
  const auto it = kTitles.find(method);
  return it == kTitles.end() ? method : it->second;
}

std::string responder_title(const std::string& responder) {
  if (responder.empty()) return "–";
  if (responder == "base") return "base";
  return responder == "sft" ? "SFT" : responder;
}

}  // namespace straq::report
