#include <algorithm>
#include <cmath>

#include "metrics/agreement.h"
#include "metrics/statistics.h"
#include "report/paper_tables.h"

namespace straq::report {
namespace {

constexpr int kReplicates = 2000;

const std::pair<const char*, const char*> kDimensions[] = {
    {"fluency", "Fluency"},          {"emotion", "Emotion"},
    {"acceptance", "Acceptance"},    {"effectiveness", "Effectiveness"},
    {"sensitivity", "Sensitivity"},  {"alignment", "Alignment"},
    {"satisfaction", "Satisfaction"}};

std::string joined(const std::vector<std::string>& items) {
  std::string out;
  for (const auto& item : items) out += (out.empty() ? "" : ", ") + item;
  return out;
}

// All files of one method and responder, over runs.
struct Rated {
  std::string key, title, responder;
  std::vector<const JudgeFile*> files;
  std::set<std::string> raters;
};

std::vector<Rated> rated_methods(const Results& results) {
  std::vector<Rated> out;
  for (const Run* run : results.runs()) {
    for (const auto& f : run->rated) {
      const std::string key =
          f.info.responder.empty() ? f.info.method : f.info.responder + "/" + f.info.method;
      auto at = std::find_if(out.begin(), out.end(), [&](const Rated& r) { return r.key == key; });
      if (at == out.end()) {
        at = out.insert(
            out.end(),
            {key, method_title(f.info.method), responder_title(f.info.responder), {}, {}});
      }
      at->files.push_back(&f);
      for (const auto& j : f.rows) at->raters.insert(j.rater);
    }
  }
  return out;
}

// Mean over ratings of one dimension, interval over dialogues.
std::optional<Estimate> mean_rating(const Rated& rated, const std::string& dimension) {
  std::map<std::string, metrics::MeanSums> by_dialogue;
  metrics::MeanSums all;
  for (const auto* f : rated.files) {
    for (const auto& j : f->rows) {
      const auto it = j.scores.find(dimension);
      if (it == j.scores.end()) continue;
      by_dialogue[j.dialogue] += {it->second, 1};
      all += {it->second, 1};
    }
  }
  if (by_dialogue.empty()) return std::nullopt;
  std::vector<metrics::MeanSums> list;
  for (const auto& [dialogue, sums] : by_dialogue) list.push_back(sums);
  Estimate e;
  e.value = all.mean();
  e.n = static_cast<std::int64_t>(all.n);
  if (list.size() > 1) {
    metrics::BootstrapOptions o;
    o.replicates = kReplicates;
    e.interval = metrics::percentile_interval(
        metrics::cluster_bootstrap(list.size(), o, [&](std::span<const std::uint32_t> drawn) {
          metrics::MeanSums s;
          for (const auto d : drawn) s += list[d];
          return s.mean();
        }));
  }
  return e;
}

Table human_table(const Results& results, const PaperReference& paper) {
  const ReferenceTable& reference = paper.table("table3");
  Table t;
  t.id = "table3";
  t.title = "Table 3: ratings by people";
  t.columns = {"Method", "Responder"};
  for (const auto& [key, title] : kDimensions) {
    t.columns.push_back(title);
    t.columns.push_back(std::string(title) + " paper");
  }
  t.columns.push_back("Ratings");
  t.columns.push_back("Raters");
  const auto rated = rated_methods(results);
  std::vector<bool> placed(rated.size(), false);
  std::vector<std::string> missing;
  const auto add = [&](const Rated* r, const std::string& key) {
    std::vector<Cell> cells;
    if (r != nullptr) {
      cells = {r->title, r->responder};
    } else {
      const std::size_t slash = key.find('/');
      const std::string method = slash == std::string::npos ? key : key.substr(slash + 1);
      const bool unnamed = method.rfind("row", 0) == 0;
      cells = {unnamed ? "(unnamed " + method + ")" : method_title(method),
               slash == std::string::npos ? "–" : responder_title(key.substr(0, slash))};
      if (!unnamed) missing.push_back(cells[0].text);
    }
    std::int64_t n = 0;
    for (const auto& [dimension, title] : kDimensions) {
      std::optional<Estimate> e;
      if (r != nullptr) e = mean_rating(*r, dimension);
      if (e) n = std::max(n, e->n);
      cells.push_back(e ? estimate_cell(*e, 2) : r == nullptr ? missing_cell() : Cell::missing());
      cells.push_back(
          paper_cell(reference.value(key, dimension), reference.doubtful(key, dimension)));
    }
    cells.push_back(r ? Cell(static_cast<long long>(n)) : Cell::missing());
    cells.push_back(r ? Cell(r->raters.size()) : Cell::missing());
    t.add(std::move(cells));
  };
  for (const auto& row : reference.rows) {
    const Rated* found = nullptr;
    for (std::size_t i = 0; i < rated.size(); ++i) {
      if (rated[i].key != row.key) continue;
      found = &rated[i];
      placed[i] = true;
    }
    add(found, row.key);
  }
  for (std::size_t i = 0; i < rated.size(); ++i) {
    if (!placed[i]) add(&rated[i], rated[i].key);
  }
  if (!missing.empty())
    t.notes.push_back("Missing in the results folder: " + joined(missing) + ".");
  // Agreement over all methods: a unit is one reply.
  std::vector<std::string> alphas;
  for (const auto& [dimension, title] : kDimensions) {
    std::map<std::pair<std::string, std::string>, std::vector<double>> units;
    for (const auto& r : rated) {
      for (const auto* f : r.files) {
        for (const auto& j : f->rows) {
          const auto it = j.scores.find(dimension);
          if (it != j.scores.end()) units[{r.key, j.id}].push_back(it->second);
        }
      }
    }
    std::vector<std::vector<double>> ratings;
    for (auto& [unit, values] : units) ratings.push_back(values);
    if (const auto alpha = metrics::krippendorff_alpha(ratings)) {
      alphas.push_back(std::string(title) + " " + Cell::real(alpha->alpha, 2).text + " (" +
                       std::to_string(alpha->units) + " replies)");
    }
  }
  if (!rated.empty()) {
    t.notes.push_back(alphas.empty() ? "No reply was rated by two people: agreement is unknown."
                                     : "Krippendorff's alpha (ordinal): " + joined(alphas) + ".");
    t.notes.push_back("± is half the 95 % interval of the bootstrap over dialogues.");
  }
  add_reference_notes(t, reference, paper.paper);
  return t;
}

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
  const auto add = [&](const MethodRow* r, const std::string& key) {
    std::vector<Cell> cells = {r ? r->title() : method_title(key),
                               r ? responder_title(r->responder) : std::string("–")};
    std::int64_t n = 0;
    for (const auto& c : columns) {
      const bool has = r != nullptr && r->metrics.count(c.key) > 0;
      if (has) n = std::max(n, r->metrics.at(c.key).n);
      cells.push_back(has ? estimate_cell(r->metrics.at(c.key).estimate(), c.decimals)
                      : r ? Cell::missing()
                          : missing_cell());
      if (std::string(c.key) != "reward") continue;
      for (const char* p : {"reward", "value"}) {
        cells.push_back(paper_cell(reference.value(key, p), reference.doubtful(key, p)));
      }
    }
    const bool judged = r != nullptr && r->metrics.count("reward") > 0;
    cells.push_back(judged ? Cell(r->unparsed) : Cell::missing());
    cells.push_back(r ? Cell(static_cast<long long>(n)) : Cell::missing());
    cells.push_back(r ? Cell(r->seeds.size()) : Cell::missing());
    cells.push_back(r ? Cell(joined(r->runs)) : Cell::missing());
    imitation = imitation || (r != nullptr && r->imitation && r->metrics.count("return") > 0);
    t.add(std::move(cells));
  };
  const auto wanted = [](const MethodRow* r) {
    return r->metrics.count("reward") + r->metrics.count("max_q") > 0;
  };
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
  if (imitation) {
    t.notes.push_back(
        "Under the imitation reward every decision of the corpus earns the same, so the return "
        "measures how many turns the dialogue has left and nothing of quality: a high Spearman "
        "there says that Q has learned how near the end is.");
  }
  add_reference_notes(t, reference, paper.paper);
  return t;
}

Table score_table(const Results& results, const PaperReference& paper) {
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
  // The first judged file of the corpus's own replies; several would count decisions twice.
  const JudgeFile* file = nullptr;
  const Run* of = nullptr;
  std::vector<std::string> others;
  for (const Run* run : results.runs()) {
    for (const auto& f : run->judged) {
      if (f.info.method != "human" || f.rows.empty()) continue;
      if (file == nullptr) {
        file = &f;
        of = run;
      } else {
        others.push_back(run->name() + " judge/" + f.name);
      }
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
    std::string note = "From " + of->name() + ", " + std::to_string(file->rows.size()) +
                       " judged decisions, " + std::to_string(file->unparsed()) +
                       " of which could not be read.";
    if (unnamed > 0) note += " " + std::to_string(unnamed) + " have no strategy.";
    if (!others.empty()) note += " Not shown: " + joined(others) + ".";
    t.notes.push_back(note);
  }
  add_reference_notes(t, reference, paper.paper);
  return t;
}

}  // namespace

std::vector<Table> judge_tables(const Results& results, const Methods& methods,
                                const PaperReference& paper) {
  return {human_table(results, paper), reward_table(methods, paper), score_table(results, paper)};
}

}  // namespace straq::report
