#include "report/methods.h"

#include <algorithm>
#include <cctype>
#include <cmath>
#include <numeric>

#include "core/error.h"
#include "metrics/baselines.h"

namespace straq::report {
namespace {

using metrics::ResponseMetric;

constexpr const char* kSplit = "test";

const std::pair<ResponseMetric, const char*> kReplyMetrics[] = {
    {ResponseMetric::bleu2, "bleu2"},
    {ResponseMetric::rouge_l, "rouge_l"},
    {ResponseMetric::dist2, "dist2"},
    {ResponseMetric::cider, "cider"}};

std::string lower(std::string s) {
  for (char& c : s) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return s;
}

// Parameters but the seed, and but those that the method's name already says.
std::string setting_of(const Run& run) {
  static const std::set<std::string> kSaid = {
      "seed",      "learn.seed",         "train.seed",        "learn.planner",
      "q.readout", "learn.objective.ce", "learn.reward.kind", "learn.objective.bellman"};
  std::string out;
  for (const auto& [key, value] : run.parameters) {
    if (kSaid.count(key) > 0) continue;
    out += (out.empty() ? "" : ", ") + key + "=" + value;
  }
  return out;
}

// Everything that decides which row a run's method belongs to.
struct Place {
  std::string corpus, responder, method, setting, group;
};

class Gatherer {
 public:
  Gatherer(const MethodOptions& options, Methods& out) : options_(options), out_(out) {}

  MethodRow& row(const Run& run, const Place& p) {
    const auto key = std::make_tuple(run.experiment, p.corpus, p.responder, p.method, p.group);
    const auto [it, fresh] = index_.emplace(key, out_.rows.size());
    if (fresh) {
      MethodRow r;
      r.corpus = p.corpus;
      r.responder = p.responder;
      r.method = p.method;
      r.setting = p.setting;
      out_.rows.push_back(std::move(r));
    }
    MethodRow& r = out_.rows[it->second];
    const std::string name = run.name();
    if (std::find(r.runs.begin(), r.runs.end(), name) == r.runs.end()) r.runs.push_back(name);
    return r;
  }

  void strategies(MethodRow& row, const std::string& seed, const metrics::StrategyReport& r,
                  const metrics::StrategyIntervals& i) {
    row.metrics["acc"].add(seed, r.acc, i.acc, r.n, 100);
    row.metrics["q"].add(seed, r.q, i.q, r.n, 100);
    row.metrics["b"].add(seed, r.b, i.b, r.n, 1);
    row.support = r.support;
    row.by_strategy.resize(r.support.size());
    for (std::size_t s = 0; s < r.support.size(); ++s) {
      auto& m = row.by_strategy[s];
      const auto hits = r.confusion[s][s];
      m["acc"].add(seed, r.recall[s], metrics::wilson(hits, r.support[s]), r.support[s], 100);
      m["q"].add(seed, r.f1[s], std::nullopt, r.support[s], 100);
      m["b"].add(seed, r.preference[s], std::nullopt, r.support[s], 1);
    }
  }

  void decisions(MethodRow& row, const std::vector<metrics::Prediction>& rows, int strategies) {
    metrics::StrategyOptions o;
    o.strategies = strategies;
    for (auto& [dialogue, counts] : metrics::counts_of(rows, o)) {
      const auto [it, fresh] = row.counts.emplace(dialogue, counts);
      if (!fresh) it->second += counts;
    }
    if (row.count_seeds++ == 0) row.decisions = rows;
  }

  void values(MethodRow& row, const std::string& seed, const metrics::ValueReport& v) {
    const auto put = [&](const char* key, const std::optional<double>& x) {
      if (x) row.metrics[key].add(seed, *x, std::nullopt, v.n, 1);
    };
    put("max_q", v.mean_max_q);
    put("chosen_q", v.mean_chosen_q);
    put("return", v.mean_return);
    put("spearman", v.spearman_chosen);
  }

  void replies(MethodRow& row, const std::string& seed, const ReplyFile& file) {
    const auto pairs = file.pairs();
    metrics::ResponseReport report;
    if (file.score) {
      report = *file.score;
    } else {
      metrics::BootstrapOptions b;
      b.replicates = options_.replicates;
      report = metrics::response_report(pairs, {}, b);
    }
    const auto take = [&](std::map<std::string, Metric>& to, const metrics::ResponseScores& s) {
      for (const auto& [metric, key] : kReplyMetrics) {
        std::optional<metrics::Interval> i;
        if (s.intervals) i = (*s.intervals)[metric];
        to[key].add(seed, s[metric], i, s.n, 100);
      }
    };
    take(row.metrics, report.overall);
    for (const auto& [name, scores] : report.by_strategy) {
      for (std::size_t s = 0; s < row.labels.size(); ++s) {
        if (lower(name) != lower(row.labels[s].name) &&
            lower(name) != lower(row.labels[s].abbreviation)) {
          continue;
        }
        if (row.by_strategy.size() < row.labels.size()) row.by_strategy.resize(row.labels.size());
        take(row.by_strategy[s], scores);
      }
    }
    const auto sums = metrics::sums_by_dialogue(pairs, report.options);
    for (std::size_t i = 0; i < sums.dialogues.size(); ++i) {
      row.sums[sums.dialogues[i]] += sums.sums[i];
    }
    ++row.sum_seeds;
  }

  void judged(MethodRow& row, const std::string& seed, const JudgeFile& file) {
    std::map<std::string, metrics::MeanSums> by_dialogue;
    for (const auto& j : file.rows) {
      if (!j.overall) continue;
      by_dialogue[j.dialogue] += {*j.overall, 1};
    }
    row.unparsed += file.unparsed();
    if (by_dialogue.empty()) return;
    std::vector<metrics::MeanSums> list;
    metrics::MeanSums all;
    for (const auto& [dialogue, sums] : by_dialogue) {
      list.push_back(sums);
      all += sums;
      row.rewards[dialogue] += sums;
    }
    metrics::BootstrapOptions b;
    b.replicates = options_.replicates;
    const auto interval = metrics::percentile_interval(
        metrics::cluster_bootstrap(list.size(), b, [&](std::span<const std::uint32_t> drawn) {
          metrics::MeanSums s;
          for (const auto d : drawn) s += list[d];
          return s.mean();
        }));
    row.metrics["reward"].add(seed, all.mean(), interval, static_cast<std::int64_t>(all.n), 1);
  }

  void run(const Run& run);

 private:
  Place place_of(const Run& run, const MethodInfo& info) const {
    Place p;
    p.corpus =
        corpus_of(info.corpus.empty() ? run.parameter("data.name").value_or("") : info.corpus);
    p.responder = lower(info.responder);
    p.method = lower(info.method);
    p.setting = setting_of(run);
    // Without an index nothing says that two runs differ in their seed only.
    p.group = run.parameters.empty() ? "point " + run.point : p.setting;
    return p;
  }

  const MethodOptions& options_;
  Methods& out_;
  std::map<std::tuple<std::string, std::string, std::string, std::string, std::string>, std::size_t>
      index_;
  std::size_t read_ = 0;  // files of predictions
};

void Gatherer::run(const Run& run) {
  const std::string seed = run.seed().value_or(run.point);
  const metrics::SplitEvaluation* e = run.split(kSplit);
  const std::string own = method_of(run);
  const auto labels =
      run.evaluation ? run.evaluation->strategies : std::vector<metrics::StrategyLabel>();
  bool planned = false;
  const auto guard = [&](auto&& work) {
    try {
      work();
    } catch (const Error& error) {
      out_.problems.push_back(error.what());
    }
  };
  const auto judged_as = [&](const ReplyFile& f) -> const JudgeFile* {
    for (const auto& j : run.judged) {
      if (j.name == f.name) return &j;
    }
    return nullptr;
  };
  const auto add_planner = [&](MethodRow& r, const std::string& s) {
    r.labels = labels;
    r.imitation = run.parameter("learn.reward.kind").value_or("") == "imitation";
    strategies(r, s, e->strategy, e->intervals);
    if (e->value) values(r, s, *e->value);
    if (read_ >= options_.most) return;
    guard([&] {
      if (const auto rows = read_predictions_of(run, kSplit)) {
        ++read_;
        decisions(r, *rows, e->strategy.strategies());
      }
    });
  };
  for (const auto& f : run.replies) {
    if (f.rows.empty()) continue;
    const std::string s = f.info.seed.empty() ? seed : f.info.seed;
    MethodRow& r = row(run, place_of(run, f.info));
    r.seeds.insert(s);
    r.labels = f.info.strategies.empty() ? labels : f.info.strategies;
    guard([&] {
      if (r.method == own && e != nullptr) {
        planned = true;  // the planner chose what the replies follow
        add_planner(r, s);
      } else if (const auto rows = f.choices(r.labels)) {
        metrics::EvaluationOptions o;
        o.strategy.strategies = static_cast<int>(r.labels.size());
        o.bootstrap.replicates = options_.replicates;
        const auto scored = metrics::evaluate_predictions(*rows, o);
        strategies(r, s, scored.strategy, scored.intervals);
        decisions(r, *rows, o.strategy.strategies);
      }
      replies(r, s, f);
      if (const JudgeFile* j = judged_as(f)) judged(r, s, *j);
    });
  }
  // Judged without replies of their own: the corpus's, or replies that stayed elsewhere.
  for (const auto& j : run.judged) {
    const bool placed = std::any_of(run.replies.begin(), run.replies.end(),
                                    [&](const ReplyFile& f) { return f.name == j.name; });
    if (placed || j.rows.empty()) continue;
    MethodRow& r = row(run, place_of(run, j.info));
    r.seeds.insert(seed);
    judged(r, seed, j);
  }
  if (e != nullptr && !planned) {
    MethodInfo info;
    info.method = own;
    MethodRow& r = row(run, place_of(run, info));
    r.seeds.insert(seed);
    add_planner(r, seed);
  }
  for (const auto& [split, list] :
       run.evaluation ? run.evaluation->baselines : decltype(run.evaluation->baselines)()) {
    if (split != kSplit) continue;
    out_.baselines.emplace(corpus_of(run.parameter("data.name").value_or("")), list);
  }
}

void scale(metrics::CountMatrix& m, int by) {
  for (auto& c : m.cells) c *= by;
}

void scale(metrics::ResponseSums& s, int by) {
  const metrics::ResponseSums once = s;
  for (int i = 1; i < by; ++i) s += once;
}

// What a paired test by this metric needs.
bool has_sums(const MethodRow& row, const std::string& metric) {
  if (metric == "acc" || metric == "q") return !row.counts.empty();
  return metric == "reward" ? !row.rewards.empty() : metric != "dist2" && !row.sums.empty();
}

}  // namespace

void Metric::add(const std::string& seed, double value,
                 const std::optional<metrics::Interval>& interval, std::int64_t count,
                 double scale) {
  by_seed[seed] = scale * value;
  if (interval) intervals.push_back({scale * interval->low, scale * interval->high});
  n = count;
}

Estimate Metric::estimate() const {
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
    for (const auto& i : intervals) {
      mean.low += i.low / static_cast<double>(intervals.size());
      mean.high += i.high / static_cast<double>(intervals.size());
    }
    e.interval = mean;
  }
  return e;
}

std::string short_key(const std::string& key) {
  const std::size_t dot = key.rfind('.');
  return dot == std::string::npos ? key : key.substr(dot + 1);
}

std::string short_value(const std::string& value) {
  const std::size_t slash = value.rfind('/');
  const std::string name = slash == std::string::npos ? value : value.substr(slash + 1);
  const std::size_t ending = name.rfind(".yaml");
  return ending == std::string::npos ? name : name.substr(0, ending);
}

std::string short_setting(const std::string& setting) {
  std::string out;
  for (std::size_t at = 0; at < setting.size();) {
    const std::size_t end = std::min(setting.find(", ", at), setting.size());
    const std::string part = setting.substr(at, end - at);
    const std::size_t equals = part.find('=');
    if (!out.empty()) out += ", ";
    out += equals == std::string::npos
               ? part
               : short_key(part.substr(0, equals)) + "=" + short_value(part.substr(equals + 1));
    at = end + 2;
  }
  return out;
}

std::string MethodRow::title() const {
  return method_title(method) + (setting.empty() ? "" : ", " + short_setting(setting));
}

std::vector<const MethodRow*> Methods::of_corpus(const std::string& corpus) const {
  std::vector<const MethodRow*> out;
  for (const auto& r : rows) {
    if (r.corpus == corpus) out.push_back(&r);
  }
  return out;
}

std::vector<std::string> Methods::corpora() const {
  std::vector<std::string> out = {"esconv"};
  for (const auto& r : rows) {
    if (std::find(out.begin(), out.end(), r.corpus) == out.end()) out.push_back(r.corpus);
  }
  return out;
}

Methods gather_methods(const Results& results, const MethodOptions& options) {
  Methods out;
  Gatherer gatherer(options, out);
  for (const Run* run : results.runs()) gatherer.run(*run);
  return out;
}

std::string method_of(const Run& run) {
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
  if (is("learn.reward.kind", "imitation")) return "straq_imit";
  if (is("learn.reward.kind", "distill")) return "straq_distill";
  return "planner";
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

std::optional<metrics::PairedDifference> compare(const MethodRow& a, const MethodRow& b,
                                                 const std::string& metric, bool interval) {
  metrics::PairedOptions o;
  o.bootstrap.replicates = interval ? 2000 : 0;
  std::vector<metrics::PairedDifference> found;
  if (metric == "acc" || metric == "q") {
    auto paired = metrics::pair_up(a.counts, b.counts);
    if (paired.a.empty() || paired.left_out > 0 || paired.a[0].k != paired.b[0].k) return {};
    // The rows' seeds weigh the same: each side counts as often as the other has seeds.
    for (auto& m : paired.a) scale(m, b.count_seeds);
    for (auto& m : paired.b) scale(m, a.count_seeds);
    found = metrics::compare_strategies(paired.a, paired.b, o);
  } else if (metric == "reward") {
    const auto paired = metrics::pair_up(a.rewards, b.rewards);
    if (paired.a.empty() || paired.left_out > 0) return {};
    found = metrics::compare_means(paired.a, paired.b, metric, o);
  } else {
    auto paired = metrics::pair_up(a.sums, b.sums);
    if (paired.a.empty() || paired.left_out > 0) return {};
    for (auto& s : paired.a) scale(s, b.sum_seeds);
    for (auto& s : paired.b) scale(s, a.sum_seeds);
    found = metrics::compare_replies(paired.a, paired.b, metrics::BleuVariant::method3, o);
  }
  for (auto& d : found) {
    if (d.metric == metric) return d;
  }
  return std::nullopt;
}

Ranking rank(const std::vector<const MethodRow*>& rows, const std::string& metric) {
  require_rankable(metric);
  constexpr double kLevel = 0.05;
  Ranking out;
  out.emphasis.assign(rows.size(), Emphasis::none);
  std::vector<std::size_t> order;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    if (rows[i]->metrics.count(metric) > 0) order.push_back(i);
  }
  if (order.size() < 2 || order.size() > kMostRanked) return out;
  for (const std::size_t i : order) {
    if (!has_sums(*rows[i], metric)) return out;
  }
  std::stable_sort(order.begin(), order.end(), [&](std::size_t x, std::size_t y) {
    return rows[x]->metrics.at(metric).estimate().value >
           rows[y]->metrics.at(metric).estimate().value;
  });
  // p after Holm of `leader` against each row after it; nothing when one of them cannot be tested.
  const auto against_rest = [&](std::size_t leader) -> std::optional<std::vector<double>> {
    std::vector<double> p;
    for (std::size_t j = leader + 1; j < order.size(); ++j) {
      const auto d = compare(*rows[order[leader]], *rows[order[j]], metric, false);
      if (!d) return std::nullopt;
      p.push_back(d->p);
    }
    return metrics::holm(p);
  };
  const auto first = against_rest(0);
  if (!first) return out;
  out.tested = true;
  if ((*first)[0] < kLevel) {
    out.emphasis[order[0]] = Emphasis::best;
    if (order.size() < 3) return out;
    const auto second = against_rest(1);
    if (second && (*second)[0] < kLevel) out.emphasis[order[1]] = Emphasis::second;
    return out;
  }
  out.emphasis[order[0]] = Emphasis::noise;
  for (std::size_t j = 1; j < order.size(); ++j) {
    if ((*first)[j - 1] >= kLevel) out.emphasis[order[j]] = Emphasis::noise;
  }
  return out;
}

void require_rankable(const std::string& metric) {
  if (metric == "b") {
    fail_input(
        "rows cannot be ranked by B alone",
        "B looks at wrong choices only: a planner that draws from the corpus's strategies at "
        "random has a B near 0.12 with an accuracy of 13 percent; rank by acc or q and read B "
        "beside them");
  }
  for (const char* known : {"acc", "q", "bleu2", "rouge_l", "dist2", "cider", "reward"}) {
    if (metric == known) return;
  }
  fail_input("there is no metric \"" + metric + "\" to rank by",
             "choose one of: acc, q, bleu2, rouge_l, dist2, cider, reward");
}

}  // namespace straq::report
