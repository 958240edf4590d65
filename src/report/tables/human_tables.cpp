// Table 3 from human/*.jsonl: means of what people gave, how far they agree, and which method they
// prefer where the same rater saw the replies of both.
#include <algorithm>

#include "metrics/raters/agreement.h"
#include "metrics/statistics.h"
#include "report/name_lists.h"
#include "report/rows/comparable.h"
#include "report/tables/estimate_cells.h"
#include "report/tables/paper_rows.h"
#include "report/tables/paper_tables.h"
#include "report/tables/table_notes.h"
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
      if (f.calibrates()) continue;
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

// What a scale says of every method.
struct ScaleCells {
  std::vector<Cell> cells;
  bool tested = false;
};

ScaleCells scale_cells(const std::vector<Rated>& rated, const results::Scale& scale,
                       Untested& untested) {
  ScaleCells out;
  std::vector<Comparable> data(rated.size());
  std::vector<Contender> contenders;
  std::vector<std::string> names;
  for (std::size_t i = 0; i < rated.size(); ++i) {
    data[i].rewards = by_dialogue(rated[i], scale.key);
    Contender c;
    c.data = &data[i];
    const auto mean = mean_rating(data[i].rewards);
    if (mean) c.value = mean->value;
    out.cells.push_back(mean ? estimate_cell(*mean, 2) : Cell::missing());
    contenders.push_back(c);
    names.push_back(rated[i].full_title());
  }
  const Ranking ranking = rank(contenders, metrics::reward_metric());
  out.tested = ranking.tested;
  untested.add(names, scale.title, ranking);
  for (std::size_t i = 0; i < rated.size(); ++i) emphasise(out.cells[i], ranking.emphasis[i]);
  return out;
}

// A row of the paper's that nobody here rated; some of them have no name.
bool is_unnamed(const std::string& key) {
  return method_part(key).rfind("row", 0) == 0;
}
std::vector<Cell> unrated_row(const std::string& key, const ReferenceTable& reference) {
  const std::string method = method_part(key);
  std::vector<Cell> row = {is_unnamed(key) ? "(unnamed " + method + ")" : method_title(method),
                           responder_title(responder_part(key))};
  for (const auto& s : results::rating_scales()) {
    row.push_back(s.in_paper ? beside(missing_cell(), reference, key, s.key) : missing_cell());
  }
  row.push_back(Cell::missing());
  row.push_back(Cell::missing());
  return row;
}

void add_agreement(Table& t, const std::vector<Rated>& rated) {
  std::vector<Cell> row = {"[Krippendorff's alpha]", "–"};
  std::int64_t units = 0;
  for (const auto& s : results::rating_scales()) {
    const auto alpha = alpha_of(rated, s.key);
    row.push_back(alpha ? Cell::real(alpha->alpha, 2) : Cell::missing());
    if (alpha) units = std::max(units, alpha->units);
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

Table means_table(const std::vector<Rated>& rated, std::size_t doubled,
                  const ReferenceTable& reference, const std::string& paper) {
  const auto& scales = results::rating_scales();
  Table t;
  t.id = "table3";
  t.title = kTable3Title;
  t.columns = {"Method", "Responder"};
  for (const auto& s : scales) t.columns.push_back(s.title);
  t.columns.push_back("Ratings");
  t.columns.push_back("Raters");
  if (rated.empty()) return t;
  std::vector<ScaleCells> by_scale;
  Untested untested;
  bool tested = false;
  for (const auto& s : scales) {
    by_scale.push_back(scale_cells(rated, s, untested));
    tested = tested || by_scale.back().tested;
  }
  PaperRows rows;
  rows.ours = rated.size();
  rows.fits = [&](std::size_t i, const std::string& key) { return rated[i].key == key; };
  rows.row = [&](std::size_t i) {
    std::vector<Cell> row = {rated[i].title, rated[i].responder};
    for (std::size_t s = 0; s < scales.size(); ++s) {
      const Cell& ours = by_scale[s].cells[i];
      row.push_back(scales[s].in_paper ? beside(ours, reference, rated[i].key, scales[s].key)
                                       : ours);
    }
    row.push_back(Cell(rated[i].ratings.size()));
    row.push_back(Cell(rated[i].raters.size()));
    return row;
  };
  rows.absent = [&](const std::string& key) { return unrated_row(key, reference); };
  rows.name = [](const std::string& key) -> std::string {
    if (is_unnamed(key)) return {};
    const std::string responder = responder_part(key);
    return method_title(method_part(key)) +
           (responder.empty() ? "" : " (" + responder_title(responder) + ")");
  };
  place_rows(t, reference, rows);
  add_agreement(t, rated);
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
      if (method_part(rated[i].key) == method) return i;
    }
  }
  return 0;
}

// One method against another on one scale.
struct Line {
  std::string against;
  int win = 0, tie = 0, lose = 0;
  bool tested = true;  // false: one dialogue alone
  metrics::PairedDifference d;
};

// Of the ratings that one person gave to both at one decision; nothing where there are none.
std::optional<Line> compare_rated(const Rated& a, const Rated& b, const char* scale) {
  Line line;
  line.against = b.full_title();
  std::map<std::string, std::pair<metrics::MeanSums, metrics::MeanSums>> sums;
  for (const auto& [key, ja] : a.ratings) {
    const auto other = b.ratings.find(key);
    if (other == b.ratings.end()) continue;
    const auto x = ja->scores.find(scale), y = other->second->scores.find(scale);
    if (x == ja->scores.end() || y == other->second->scores.end()) continue;
    ++(x->second > y->second ? line.win : x->second < y->second ? line.lose : line.tie);
    auto& both = sums[key.corpus + "/" + ja->dialogue];
    both.first += {x->second, 1};
    both.second += {y->second, 1};
  }
  if (sums.empty()) return std::nullopt;
  line.tested = sums.size() > 1;
  std::vector<metrics::MeanSums> left, right;
  for (const auto& [dialogue, both] : sums) {
    left.push_back(both.first);
    right.push_back(both.second);
  }
  metrics::PairedOptions o;
  o.bootstrap.replicates = kReplicates;
  line.d = metrics::compare_means(left, right, scale, o).front();
  return line;
}

std::vector<Cell> line_cells(const Rated& a, const Line& line, const char* scale) {
  const int n = line.win + line.tie + line.lose;
  Cell interval = Cell::missing();
  if (line.d.interval) {
    interval.text = Cell::real(line.d.interval->low, 2).text + " to " +
                    Cell::real(line.d.interval->high, 2).text;
    interval.value = nlohmann::ordered_json::array({line.d.interval->low, line.d.interval->high});
    interval.numeric = true;
  }
  return {a.full_title(),
          line.against,
          scale,
          line.win,
          line.tie,
          line.lose,
          Cell::real(100.0 * line.win / n, 1),
          Cell::real(100.0 * line.lose / n, 1),
          n,
          Cell::real(line.d.difference, 2),
          interval,
          line.tested ? p_cell(line.d.p) : Cell::missing(),
          line.tested ? p_cell(line.d.p_holm) : Cell::missing(),
          Cell(static_cast<long long>(line.d.clusters))};
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
    std::vector<Line> lines;
    for (const Rated& b : rated) {
      if (&b == &a) continue;
      if (auto line = compare_rated(a, b, s.key)) lines.push_back(std::move(*line));
    }
    std::vector<metrics::PairedDifference*> family;
    for (auto& line : lines) {
      if (line.tested) family.push_back(&line.d);
    }
    metrics::holm_adjust(family);
    for (const auto& line : lines) t.add(line_cells(a, line, s.title));
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
