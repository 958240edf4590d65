// What there is to know of a judge before its scores are believed: how they are spread, whether
// they follow the order of the scale or the length of a text, how often they tie, and whether
// people who rated the same dialogues agree with them.
#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>
#include <set>

#include "metrics/raters/calibration.h"
#include "report/name_lists.h"
#include "report/rows/reply_scores.h"
#include "report/tables/estimate_cells.h"
#include "report/tables/tables.h"

namespace straq::report {
namespace {

using results::JudgeFile;
using results::Judgement;
using results::Run;

// "smollm2 (SmolLM2-135M-Instruct.Q4_1.gguf)", as the file says.
std::string judge_name(const JudgeFile& file) {
  const auto text = [&](const char* key) -> std::string {
    const auto& about = file.info.about;
    if (!about.is_object() || !about.contains(key) || !about[key].is_string()) return "";
    return about[key].get<std::string>();
  };
  const std::string name = text("judge"), model = text("model");
  if (name.empty()) return model.empty() ? "–" : model;
  return model.empty() || model == name ? name : name + " (" + model + ")";
}

double mean_of_values(const std::vector<double>& x) {
  return std::accumulate(x.begin(), x.end(), 0.0) / static_cast<double>(x.size());
}

Cell mean_cell(const std::vector<double>& x, int decimals) {
  return x.empty() ? Cell::missing() : Cell::real(mean_of_values(x), decimals);
}

Cell number_cell(double x, int decimals) {
  return std::isfinite(x) ? Cell::real(x, decimals) : Cell::missing();
}

Cell optional_cell(const std::optional<double>& x, int decimals) {
  return x ? number_cell(*x, decimals) : Cell::missing();
}

int whole_score(const Judgement& j) {
  return j.integer ? *j.integer : static_cast<int>(std::lround(*j.overall));
}

// What one file of scores looks like.
struct ScoreShape {
  std::vector<double> overall, words, judged, mass, change;
  std::vector<int> whole;

  explicit ScoreShape(const JudgeFile& file) {
    for (const auto& j : file.rows) {
      if (!j.overall) continue;
      overall.push_back(*j.overall);
      whole.push_back(whole_score(j));
      if (j.words) {
        words.push_back(static_cast<double>(*j.words));
        judged.push_back(*j.overall);
      }
      if (j.mass) mass.push_back(*j.mass);
      if (j.expected && j.reversed) change.push_back(*j.reversed - *j.expected);
    }
  }

  double sd() const {
    if (overall.size() < 2) return std::nan("");
    const double mean = mean_of_values(overall);
    double sum = 0;
    for (const double x : overall) sum += (x - mean) * (x - mean);
    return std::sqrt(sum / static_cast<double>(overall.size() - 1));
  }
  // The most frequent whole score, "4 (63.0 %)".
  std::string mode() const {
    if (whole.empty()) return "–";
    std::map<int, std::size_t> counts;
    for (const int w : whole) ++counts[w];
    const auto most = std::max_element(counts.begin(), counts.end(),
                                       [](auto& a, auto& b) { return a.second < b.second; });
    const double share =
        100 * static_cast<double>(most->second) / static_cast<double>(whole.size());
    return std::to_string(most->first) + " (" + Cell::real(share, 1).text + " %)";
  }
  std::vector<double> sizes_of_change() const {
    std::vector<double> out;
    for (const double c : change) out.push_back(std::abs(c));
    return out;
  }
};

std::vector<Cell> shape_row(const Run& run, const JudgeFile& file) {
  const ScoreShape shape(file);
  return {named_with_split(run, "judge", file),
          judge_name(file),
          Cell(shape.overall.size()),
          Cell(file.unparsed()),
          mean_cell(shape.overall, 2),
          number_cell(shape.sd(), 2),
          shape.mode(),
          number_cell(100 * metrics::tie_rate(shape.whole), 1),
          number_cell(metrics::spearman(shape.judged, shape.words), 2),
          mean_cell(shape.change, 2),
          mean_cell(shape.sizes_of_change(), 2),
          shape.mass.empty() ? Cell::missing() : Cell::real(100 * mean_of_values(shape.mass), 1)};
}

// Pairs of replies to one decision by different methods, and how many of them tie.
struct DecisionTies {
  std::size_t pairs = 0, whole = 0, expected = 0;
};

void add_tie_notes(Table& t, const results::Results& results) {
  // By judge, corpus and split: decision -> its scores.
  std::map<std::string, std::map<std::string, std::vector<const Judgement*>>> groups;
  for (const Run* run : results.runs()) {
    for (const auto& f : run->judged) {
      if (f.calibrates()) continue;
      const std::string key = judge_name(f) + ", " + f.info.corpus + " " + split_of(f.info);
      for (const auto& j : f.rows) {
        if (j.overall) groups[key][j.id].push_back(&j);
      }
    }
  }
  for (const auto& [name, decisions] : groups) {
    DecisionTies ties;
    for (const auto& [id, list] : decisions) {
      for (std::size_t a = 0; a < list.size(); ++a) {
        for (std::size_t b = a + 1; b < list.size(); ++b) {
          ++ties.pairs;
          ties.whole += whole_score(*list[a]) == whole_score(*list[b]);
          ties.expected += std::abs(*list[a]->overall - *list[b]->overall) < 0.05;
        }
      }
    }
    if (ties.pairs == 0) continue;
    const auto share = [&](std::size_t n) {
      return Cell::real(100 * static_cast<double>(n) / static_cast<double>(ties.pairs), 1).text;
    };
    t.notes.push_back(name + ": of " + std::to_string(ties.pairs) +
                      " pairs of replies to one decision " + share(ties.whole) +
                      " % have the same whole score and " + share(ties.expected) +
                      " % scores less than 0.05 apart.");
  }
}

Table shape_table(const results::Results& results) {
  Table t;
  t.id = "judges";
  t.title = "The judge: its scores";
  t.columns = {"File",
               "Judge",
               "n",
               "Not read",
               "Mean",
               "sd",
               "Most given",
               "Same as another %",
               "ρ with length",
               "Reversed scale",
               "|change|",
               "On 1–5 %"};
  for (const Run* run : results.runs()) {
    for (const auto& f : run->judged) {
      if (!f.rows.empty()) t.add(shape_row(*run, f));
    }
  }
  if (t.rows.empty()) return t;
  t.notes.push_back(
      "Most given: the most frequent whole score and its share: so often a judge that always says "
      "it would agree with this one. Same as another: two texts drawn from the file have the same "
      "whole score. ρ with length: rank correlation of score and number of words. Reversed scale: "
      "what the score rises by when the scale is read out from 5 to 1, and the mean size of that "
      "change. On 1–5: the probability that the five options have together where the model must "
      "answer; the rest would have said something else.");
  add_tie_notes(t, results);
  return t;
}

// The judge's scores of a file and what people gave, on one of their scales.
std::vector<metrics::JudgedUnit> units_of(const JudgeFile& judge, const JudgeFile& people,
                                          const std::string& scale, bool& own_scale) {
  std::set<std::string> names;
  for (const auto& r : people.rows) names.insert(r.rater);
  const std::vector<std::string> raters(names.begin(), names.end());
  std::map<std::string, std::vector<std::optional<double>>> given;
  for (const auto& r : people.rows) {
    const auto it = r.scores.find(scale);
    if (it == r.scores.end()) continue;
    auto& list = given[r.id];
    list.resize(raters.size());
    const auto at = std::lower_bound(raters.begin(), raters.end(), r.rater) - raters.begin();
    list[static_cast<std::size_t>(at)] = it->second;
  }
  own_scale = std::any_of(judge.rows.begin(), judge.rows.end(),
                          [&](const Judgement& j) { return j.scores.count(scale) > 0; });
  std::vector<metrics::JudgedUnit> out;
  for (const auto& j : judge.rows) {
    const auto it = given.find(j.id);
    if (it == given.end()) continue;
    metrics::JudgedUnit u;
    u.dialogue = j.dialogue;
    if (own_scale) {
      const auto score = j.scores.find(scale);
      if (score == j.scores.end()) continue;
      u.judge = score->second;
      u.integer = static_cast<int>(std::lround(u.judge));
    } else if (j.overall) {
      u.judge = *j.overall;
      u.integer = whole_score(j);
    } else {
      continue;
    }
    u.people = it->second;
    out.push_back(std::move(u));
  }
  return out;
}

Cell error_cell(const metrics::Calibration& c) {
  Estimate e;
  e.value = c.gain;
  e.interval = c.gain_interval;
  e.n = c.units;
  return estimate_cell(e, 3);
}

void add_people_rows(Table& t, const Run& run, const JudgeFile& judge, const JudgeFile& people) {
  std::set<std::string> scales;
  for (const auto& r : people.rows) {
    for (const auto& [scale, x] : r.scores) scales.insert(scale);
  }
  for (const auto& scale : scales) {
    bool own = false;
    const auto found = metrics::calibrate(units_of(judge, people, scale, own));
    if (!found) continue;
    const auto& c = *found;
    t.add({run.name() + " " + judge.info.corpus, judge_name(judge), scale,
           own ? scale : std::string("overall"), Cell(c.units), Cell(c.raters),
           optional_cell(c.spearman, 2), optional_cell(c.judge_people.spearman, 2),
           optional_cell(c.people_people.spearman, 2), optional_cell(c.judge_people.kappa, 2),
           optional_cell(c.people_people.kappa, 2), number_cell(c.constant_mae, 3),
           number_cell(c.raw_mae, 3), number_cell(c.isotonic_mae, 3), error_cell(c),
           c.better_than_constant() ? "better than the constant" : "no better than the constant"});
  }
}

Table people_table(const results::Results& results) {
  Table t;
  t.id = "judge_people";
  t.title = "The judge beside people";
  t.columns = {"Ratings",
               "Judge",
               "People's scale",
               "Judge's score",
               "Texts",
               "Raters",
               "ρ judge, mean of people",
               "ρ judge, a rater",
               "ρ two raters",
               "κ judge, a rater",
               "κ two raters",
               "Error of the constant",
               "of the judge",
               "calibrated",
               "Gain",
               "Verdict"};
  for (const Run* run : results.runs()) {
    for (const auto& judge : run->judged) {
      if (!judge.calibrates()) continue;
      for (const auto& people : run->rated) {
        if (people.name == judge.name) add_people_rows(t, *run, judge, people);
      }
    }
  }
  if (t.rows.empty()) return t;
  t.notes.push_back(
      "ρ: Spearman's rank correlation; κ: Cohen's kappa of whole scores with quadratic weights; "
      "both "
      "with a single rater are means over raters, so that they compare with those of two raters. "
      "Errors are mean absolute ones against the mean of people; the constant and the calibration "
      "(isotonic regression of the judge's score) are fitted to four fifths of the dialogues and "
      "measured on the rest, in turn. Gain: the constant's squared error minus the calibrated "
      "judge's, ± half the 95 % interval over dialogues; unless that interval lies above 0 the "
      "judge "
      "is no better than the constant, whatever its other numbers are.");
  return t;
}

}  // namespace

std::vector<Table> judge_tables(const results::Results& results) {
  return {shape_table(results), people_table(results)};
}

}  // namespace straq::report
