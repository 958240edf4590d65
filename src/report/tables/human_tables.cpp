// Table 3 from human/*.jsonl: means of what people gave, how far they agree, and which method they
// prefer where the same rater saw the replies of both.
#include <algorithm>

#include "metrics/agreement.h"
#include "metrics/statistics.h"
#include "report/tables/paper_tables.h"
#include "report/tables/table_notes.h"
#include "report/tables/words.h"
#include "results/scales.h"

namespace straq::report {
namespace {

constexpr int kReplicates = 2000;

// One rating is by whom, of which decision of which corpus.
struct RatingKey {
  std::string corpus, id, rater;
  auto operator<=>(const RatingKey&) const = default;
};

// All files of one method and responder, over runs.
struct Rated {
  std::string key, title, responder;
  std::map<RatingKey, const results::Judgement*> ratings;
  std::set<std::string> raters;

  std::string full_title() const {
    return title + (responder == "–" ? "" : " (" + responder + ")");
  }
};

std::vector<Rated> rated_methods(const results::Results& results, std::size_t& doubled) {
  std::vector<Rated> out;
  for (const results::Run* run : results.runs()) {
    for (const auto& f : run->rated) {
      const std::string key =
          f.info.responder.empty() ? f.info.method : f.info.responder + "/" + f.info.method;
      auto at = std::find_if(out.begin(), out.end(), [&](const Rated& r) { return r.key == key; });
      if (at == out.end()) {
        Rated r;
        r.key = key;
        r.title = method_title(f.info.method);
        r.responder = responder_title(f.info.responder);
        at = out.insert(out.end(), std::move(r));
      }
      const std::string corpus = corpus_of(
          f.info.corpus.empty() ? run->parameter("data.name").value_or("") : f.info.corpus);
      for (const auto& j : f.rows) {
        at->raters.insert(j.rater);
        // Two runs' ratings of one reply by one person would count it twice.
        doubled += !at->ratings.emplace(RatingKey{corpus, j.id, j.rater}, &j).second;
      }
    }
  }
  return out;
}

std::map<std::string, metrics::MeanSums> by_dialogue(const Rated& rated, const char* scale) {
  std::map<std::string, metrics::MeanSums> out;
  for (const auto& [key, j] : rated.ratings) {
    const auto it = j->scores.find(scale);
    if (it != j->scores.end()) out[key.corpus + "/" + j->dialogue] += {it->second, 1};
  }
  return out;
}

// Mean of a scale over ratings, interval over dialogues.
std::optional<Estimate> mean_rating(const std::map<std::string, metrics::MeanSums>& sums) {
  if (sums.empty()) return std::nullopt;
  std::vector<metrics::MeanSums> list;
  metrics::MeanSums all;
  for (const auto& [dialogue, s] : sums) {
    list.push_back(s);
    all += s;
  }
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

// Rows of a scale as the ranking takes them: a mean with its sums by dialogue.
std::vector<MethodRow> rows_of(const std::vector<Rated>& rated, const char* scale) {
  std::vector<MethodRow> out(rated.size());
  for (std::size_t i = 0; i < rated.size(); ++i) {
    out[i].rewards = by_dialogue(rated[i], scale);
    if (const auto e = mean_rating(out[i].rewards)) {
      out[i].metrics["reward"].add("", e->value, e->interval, e->n, 1);
    }
  }
  return out;
}

// Agreement over all methods; a unit is one reply.
std::optional<metrics::Alpha> alpha_of(const std::vector<Rated>& rated, const char* scale) {
  std::map<std::string, std::vector<double>> units;
  for (const auto& r : rated) {
    for (const auto& [key, j] : r.ratings) {
      const auto it = j->scores.find(scale);
      if (it == j->scores.end()) continue;
      units[r.key + "\n" + key.corpus + "\n" + key.id].push_back(it->second);
    }
  }
  std::vector<std::vector<double>> ratings;
  for (auto& [unit, values] : units) ratings.push_back(std::move(values));
  return metrics::krippendorff_alpha(ratings);
}

Table means_table(const std::vector<Rated>& rated, std::size_t doubled,
                  const ReferenceTable& reference, const std::string& paper) {
  const auto& scales = results::rating_scales();
  Table t;
  t.id = "table3";
  t.title = "Table 3: ratings by people";
  t.columns = {"Method", "Responder"};
  for (const auto& s : scales) {
    t.columns.push_back(s.title);
    if (s.in_paper) t.columns.push_back(std::string(s.title) + " paper");
  }
  t.columns.push_back("Ratings");
  t.columns.push_back("Raters");
  // [scale][method]
  std::vector<std::vector<Cell>> cells(scales.size());
  bool tested = false;
  Untested untested;
  std::vector<std::string> names;
  for (const auto& r : rated) names.push_back(r.full_title());
  for (std::size_t s = 0; s < scales.size(); ++s) {
    const auto rows = rows_of(rated, scales[s].key);
    std::vector<const MethodRow*> members;
    for (const auto& r : rows) {
      const auto it = r.metrics.find("reward");
      cells[s].push_back(it == r.metrics.end() ? Cell::missing()
                                               : estimate_cell(it->second.estimate(), 2));
      members.push_back(&r);
    }
    const Ranking ranking = rank(members, "reward");
    tested = tested || ranking.tested;
    untested.add(names, scales[s].title, ranking);
    for (std::size_t i = 0; i < rows.size(); ++i) emphasise(cells[s][i], ranking.emphasis[i]);
  }
  std::vector<bool> placed(rated.size(), false);
  std::vector<std::string> missing;
  const auto add = [&](std::optional<std::size_t> at, const std::string& key) {
    std::vector<Cell> row;
    if (at) {
      row = {rated[*at].title, rated[*at].responder};
    } else {
      const std::size_t slash = key.find('/');
      const std::string method = slash == std::string::npos ? key : key.substr(slash + 1);
      const std::string responder =
          slash == std::string::npos ? "–" : responder_title(key.substr(0, slash));
      const bool unnamed = method.rfind("row", 0) == 0;
      row = {unnamed ? "(unnamed " + method + ")" : method_title(method), responder};
      if (!unnamed) {
        missing.push_back(row[0].text + (responder == "–" ? "" : " (" + responder + ")"));
      }
    }
    for (std::size_t s = 0; s < scales.size(); ++s) {
      row.push_back(at ? cells[s][*at] : missing_cell());
      if (!scales[s].in_paper) continue;
      row.push_back(
          paper_cell(reference.value(key, scales[s].key), reference.doubtful(key, scales[s].key)));
    }
    row.push_back(at ? Cell(rated[*at].ratings.size()) : Cell::missing());
    row.push_back(at ? Cell(rated[*at].raters.size()) : Cell::missing());
    t.add(std::move(row));
  };
  for (const auto& r : reference.rows) {
    std::optional<std::size_t> found;
    for (std::size_t i = 0; i < rated.size(); ++i) {
      if (rated[i].key == r.key) found = i;
    }
    if (found) placed[*found] = true;
    add(found, r.key);
  }
  for (std::size_t i = 0; i < rated.size(); ++i) {
    if (!placed[i]) add(i, rated[i].key);
  }
  if (!missing.empty()) {
    t.notes.push_back("Missing in the results folder: " + joined(missing) + ".");
  }
  if (!rated.empty()) {
    std::vector<Cell> row = {"[Krippendorff's alpha]", "–"};
    std::int64_t units = 0;
    for (const auto& s : scales) {
      const auto alpha = alpha_of(rated, s.key);
      row.push_back(alpha ? Cell::real(alpha->alpha, 2) : Cell::missing());
      if (alpha) units = std::max(units, alpha->units);
      if (s.in_paper) row.push_back(Cell::missing());
    }
    row.push_back(Cell::missing());
    row.push_back(Cell::missing());
    t.add(std::move(row));
    t.notes.push_back(
        units == 0 ? "No scale has replies that two people rated with any difference: agreement is "
                     "unknown."
                   : "[Krippendorff's alpha] (ordinal): agreement of raters over all methods, from "
                     "at most " +
                         std::to_string(units) +
                         " replies that two or more rated; 1 is full agreement, 0 chance. Below "
                         "0.67 differences on that scale carry little.");
    t.notes.push_back("± is half the 95 % interval of the bootstrap over dialogues.");
  }
  if (tested) {
    t.notes.push_back(
        "Bold: the best of the scale, where its lead over the second stands (paired randomisation "
        "by dialogue, Holm over the methods, 0.05); underlined: the second, likewise over the "
        "third; ≈: the best or within noise of it. Without a mark nothing was tested.");
  }
  untested.write(t);
  if (doubled > 0) {
    t.notes.push_back(std::to_string(doubled) +
                      " ratings of a reply that the same person rated before are left out.");
  }
  add_reference_notes(t, reference, paper);
  return t;
}

// Against whom: the proposed method where it was rated, else the first.
std::size_t proposed_of(const std::vector<Rated>& rated) {
  for (const char* method : {"straq_distill", "straq_imit"}) {
    for (std::size_t i = 0; i < rated.size(); ++i) {
      const std::string& key = rated[i].key;
      const std::size_t slash = key.find('/');
      if ((slash == std::string::npos ? key : key.substr(slash + 1)) == method) return i;
    }
  }
  return 0;
}

Table pairs_table(const std::vector<Rated>& rated) {
  Table t;
  t.id = "table3_pairs";
  t.title = "Comparisons behind Table 3: win, tie, lose";
  t.columns = {"Proposed", "Against", "Scale",           "Win",  "Tie", "Lose",   "Win %",
               "Lose %",   "Pairs",   "Mean difference", "95 %", "p",   "p Holm", "Dialogues"};
  if (rated.size() < 2) return t;
  const Rated& a = rated[proposed_of(rated)];
  for (const auto& s : results::rating_scales()) {
    struct Line {
      std::string against;
      int win = 0, tie = 0, lose = 0;
      bool tested = true;  // false: one dialogue alone
      metrics::PairedDifference d;
    };
    std::vector<Line> lines;
    for (const Rated& b : rated) {
      if (&b == &a) continue;
      Line line;
      line.against = b.full_title();
      std::map<std::string, std::pair<metrics::MeanSums, metrics::MeanSums>> sums;
      for (const auto& [key, ja] : a.ratings) {
        const auto other = b.ratings.find(key);
        if (other == b.ratings.end()) continue;
        const auto x = ja->scores.find(s.key), y = other->second->scores.find(s.key);
        if (x == ja->scores.end() || y == other->second->scores.end()) continue;
        ++(x->second > y->second ? line.win : x->second < y->second ? line.lose : line.tie);
        auto& both = sums[key.corpus + "/" + ja->dialogue];
        both.first += {x->second, 1};
        both.second += {y->second, 1};
      }
      if (sums.empty()) continue;
      line.tested = sums.size() > 1;
      std::vector<metrics::MeanSums> left, right;
      for (const auto& [dialogue, both] : sums) {
        left.push_back(both.first);
        right.push_back(both.second);
      }
      metrics::PairedOptions o;
      o.bootstrap.replicates = kReplicates;
      line.d = metrics::compare_means(left, right, s.key, o).front();
      lines.push_back(std::move(line));
    }
    std::vector<metrics::PairedDifference*> family;
    for (auto& line : lines) {
      if (line.tested) family.push_back(&line.d);
    }
    metrics::holm_adjust(family);
    for (const auto& line : lines) {
      const int n = line.win + line.tie + line.lose;
      Cell interval = Cell::missing();
      if (line.d.interval) {
        interval.text = Cell::real(line.d.interval->low, 2).text + " to " +
                        Cell::real(line.d.interval->high, 2).text;
        interval.value =
            nlohmann::ordered_json::array({line.d.interval->low, line.d.interval->high});
        interval.numeric = true;
      }
      t.add({a.full_title(), line.against, s.title, line.win, line.tie, line.lose,
             Cell::real(100.0 * line.win / n, 1), Cell::real(100.0 * line.lose / n, 1), n,
             Cell::real(line.d.difference, 2), interval,
             line.tested ? p_cell(line.d.p) : Cell::missing(),
             line.tested ? p_cell(line.d.p_holm) : Cell::missing(),
             Cell(static_cast<long long>(line.d.clusters))});
    }
  }
  t.notes.push_back(
      "A pair: one rater's scores of both methods' replies at the same decision. Win: the proposed "
      "method's is higher. p: approximate randomisation that exchanges the two methods in whole "
      "dialogues, on the mean difference; p Holm: over the methods of one scale.");
  return t;
}

}  // namespace

std::vector<Table> human_tables(const results::Results& results, const PaperReference& paper) {
  std::size_t doubled = 0;
  const auto rated = rated_methods(results, doubled);
  std::vector<Table> out = {means_table(rated, doubled, paper.table("table3"), paper.paper)};
  if (Table pairs = pairs_table(rated); !pairs.rows.empty()) out.push_back(std::move(pairs));
  return out;
}

}  // namespace straq::report
