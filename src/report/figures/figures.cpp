#include "report/figures/figures.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <map>
#include <set>

#include "metrics/baselines.h"
#include "metrics/response_report.h"
#include "metrics/statistics.h"
#include "report/figures/figure_style.h"
#include "report/figures/gnuplot.h"
#include "report/rows/methods.h"
#include "report/tables/tables.h"

namespace straq::report {
namespace {

struct HeatMap {
  std::string id, title, caption, x_label, y_label;
  std::vector<std::string> ticks;
  metrics::Counts2d counts;
};

Figure heat_map(const HeatMap& h, const results::Run& run) {
  Figure f;
  f.id = h.id;
  f.title = one_line(h.title);
  f.caption = h.caption;
  f.run = &run;
  f.data = "# column row share-of-row count\n";
  const std::size_t k = h.counts.size();
  for (std::size_t y = 0; y < k; ++y) {
    double total = 0;
    for (auto c : h.counts[y]) total += static_cast<double>(c);
    for (std::size_t x = 0; x < k; ++x) {
      const auto c = static_cast<double>(h.counts[y][x]);
      f.data += std::to_string(x) + " " + std::to_string(y) + " " +
                number(total > 0 ? c / total : 0) + " " + number(c) + "\n";
    }
  }
  const std::string ticks = tick_list(h.ticks);
  const std::string low = "-0.5", high = number(static_cast<double>(k) - 0.5);
  // White to dark blue: lightness falls steadily, so it reads the same in grey.
  const std::string body =
      "  set title " + gnuplot_quote(f.title) + "\n" +
      "  set size ratio -1\n"
      "  set palette defined (0 '#ffffff', 0.35 '#9ecae1', 0.7 '#3182bd', 1 '#08306b')\n"
      "  set cbrange [0:1]\n"
      "  set cblabel 'share of the row'\n"
      "  set xrange [" +
      low + ":" + high + "]\n" + "  set yrange [" + high + ":" + low + "]\n" + "  set xtics (" +
      ticks + ") rotate by 45 right scale 0\n" + "  set ytics (" + ticks + ") scale 0\n" +
      "  set xlabel " + gnuplot_quote(h.x_label) + "\n" + "  set ylabel " +
      gnuplot_quote(h.y_label) + "\n" +
      "  unset key\n"
      "  plot data using 1:2:(0.5):(0.5):3 with boxxyerror fillstyle solid noborder "
      "linecolor palette, \\\n"
      "    '' using 1:($3 < 0.55 && $4 > 0 ? $2 : 1/0):(sprintf('%.0f', 100*$3)) with labels "
      "textcolor rgb '#111111', \\\n"
      "    '' using 1:($3 >= 0.55 ? $2 : 1/0):(sprintf('%.0f', 100*$3)) with labels "
      "textcolor rgb '#ffffff'\n";
  f.script = script_of(f.id, f.title, 640, 600, body);
  return f;
}

// One line of a sensitivity figure.
struct Series {
  std::string label;
  std::map<double, std::vector<const results::Run*>> at;  // parameter's value -> seeds
};

std::optional<double> as_number(const std::optional<std::string>& text) {
  if (!text || text->empty()) return std::nullopt;
  char* end = nullptr;
  const double x = std::strtod(text->c_str(), &end);
  return *end == '\0' && std::isfinite(x) ? std::optional<double>(x) : std::nullopt;
}

// The values of a parameter that are no numbers, in order of appearance; empty when one is a
// number: the others are then mistakes and left out.
std::vector<std::string> categories_of(const results::Experiment& experiment,
                                       const std::string& parameter) {
  std::vector<std::string> out;
  for (const results::Run& run : experiment.runs) {
    const auto value = run.parameter(parameter);
    if (!value || value->empty()) continue;
    if (as_number(value)) return {};
    if (std::find(out.begin(), out.end(), *value) == out.end()) out.push_back(*value);
  }
  return out;
}

std::vector<Series> series_of(const results::Results& results, const std::string& experiment,
                              const std::string& split, const std::string& parameter,
                              const std::vector<std::string>& categories) {
  std::vector<Series> out;
  const auto position = [&](const results::Run& run) -> std::optional<double> {
    const auto value = run.parameter(parameter);
    const auto at = std::find(categories.begin(), categories.end(), value.value_or(""));
    if (at != categories.end()) return static_cast<double>(at - categories.begin());
    return as_number(value);
  };
  std::vector<std::string> free = results::kSeedKeys;
  free.push_back(parameter);
  for (const Group& g : group_runs(results, split, free)) {
    if (g.experiment != experiment) continue;
    // Without an index each run is a group of its own, named by its point: then all are one line.
    const bool indexed = !g.runs.front()->parameters.empty();
    const std::string label = indexed ? g.label : "";
    auto at =
        std::find_if(out.begin(), out.end(), [&](const Series& s) { return s.label == label; });
    if (at == out.end()) at = out.insert(out.end(), {label, {}});
    for (const results::Run* run : g.runs) {
      if (const auto x = position(*run)) at->at[*x].push_back(run);
    }
  }
  std::erase_if(out, [](const Series& s) { return s.at.empty(); });
  return out;
}

// Markov-1 on the same decisions, as a line to compare with.
std::optional<metrics::StrategyReport> markov_of(const std::vector<Series>& series,
                                                 const std::string& split) {
  for (const auto& s : series) {
    for (const auto& [x, runs] : s.at) {
      for (const auto& [name, list] : runs.front()->evaluation->baselines) {
        if (name != split) continue;
        for (const auto& b : list) {
          if (b.name == metrics::to_word(metrics::Baseline::markov1)) return b.strategy;
        }
      }
    }
  }
  return std::nullopt;
}

struct SeedScores {
  double bleu2 = 0, rouge_l = 0;  // in percent
  std::int64_t n = 0;             // replies
};

// Of the replies to a split that follow a run's own planner (the first file of its own where
// several are).
std::optional<SeedScores> reply_scores(const results::Run& run, const std::string& split,
                                       const ScoredReplies& scored) {
  const std::string own = method_of(run);
  for (const auto& f : run.replies) {
    const bool there = split_of(f.info) == split;
    if (!there || f.info.method != own || f.rows.empty()) continue;
    if (corpus_of(f.info.corpus) == "empathetic") continue;
    const auto found = scored.find(&f);
    const bool known = found != scored.end() && !found->second.failure;
    const auto overall = f.score ? f.score->overall
                         : known ? found->second.report.overall
                                 : metrics::response_report(f.pairs(), {}).overall;
    return SeedScores{100 * overall[metrics::ResponseMetric::bleu2],
                      100 * overall[metrics::ResponseMetric::rouge_l],
                      static_cast<std::int64_t>(f.rows.size())};
  }
  return std::nullopt;
}

// The least and the most of something, as captions say it.
struct Range {
  std::int64_t least = INT64_MAX, most = 0;
  void add(std::int64_t x) {
    least = std::min(least, x);
    most = std::max(most, x);
  }
  std::string words() const {
    return (least == most ? "" : std::to_string(least) + " to ") + std::to_string(most);
  }
};

std::string points_words(const Range& seeds, const std::string& what) {
  if (seeds.most == 1) return what + " is one run (one seed)";
  return what + " is the mean of " + seeds.words() +
         " seeds, bars are one standard deviation over them";
}

// Whether a parameter is one of those that the paper's Figure 5 varies.
bool of_figure5(const std::string& parameter) {
  return parameter == "learn.gamma" || parameter == "model.shape" || parameter == "model.from";
}

Figure sensitivity_figure(const results::Experiment& experiment, const std::string& split,
                          const std::string& parameter, std::vector<Series> series,
                          const std::vector<std::string>& categories, const ScoredReplies& scored) {
  const std::string name = short_key(parameter);
  Figure f;
  f.id = slug("sensitivity-" + name + "-" + experiment.name + "-" + split);
  f.title = one_line(experiment.name + ", " + split + ": sensitivity to " + name);
  std::size_t left_out = 0;
  if (series.size() > kMostLines) {
    left_out = series.size() - kMostLines;
    series.resize(kMostLines);
  }
  std::map<const results::Run*, SeedScores> replied;
  for (const auto& s : series) {
    for (const auto& [x, runs] : s.at) {
      for (const results::Run* run : runs) {
        if (const auto scores = reply_scores(*run, split, scored)) replied[run] = *scores;
      }
    }
  }
  const bool replies = !replied.empty();
  // Runs and runs with replies are counted apart: a spread over one of three runs is none.
  Range decisions, seeds, rows, reply_seeds;
  for (const auto& s : series) {
    f.data += "# " + one_line(s.label) + "\n# " + name + " seeds acc acc_sd q q_sd b b_sd" +
              (replies ? " bleu2 bleu2_sd rouge_l rouge_l_sd reply_seeds (all but b in percent)\n"
                       : " (acc and q in percent)\n");
    for (const auto& [x, runs] : s.at) {
      std::vector<double> values[5];
      for (const results::Run* run : runs) {
        const auto& r = run->split(split)->strategy;
        values[0].push_back(100 * r.acc);
        values[1].push_back(100 * r.q);
        values[2].push_back(r.b);
        decisions.add(r.n);
        const auto it = replied.find(run);
        if (it == replied.end()) continue;
        values[3].push_back(it->second.bleu2);
        values[4].push_back(it->second.rouge_l);
        rows.add(it->second.n);
      }
      f.data += number(x) + " " + std::to_string(runs.size());
      for (std::size_t v = 0; v < (replies ? 5 : 3); ++v) {
        const auto summary = metrics::summarise_seeds(values[v]);
        f.data +=
            values[v].empty() ? " NaN NaN" : " " + number(summary.mean) + " " + number(summary.sd);
      }
      if (replies) f.data += " " + std::to_string(values[3].size());
      f.data += "\n";
      seeds.add(static_cast<std::int64_t>(runs.size()));
      if (!values[3].empty()) reply_seeds.add(static_cast<std::int64_t>(values[3].size()));
    }
    f.data += "\n\n";
  }
  f.caption = std::string(of_figure5(parameter) ? "Figure 5 (paper): " : "") + "Acc, Q and B on " +
              split + " (n = " + decisions.words() + " decisions) over " + parameter + ". " +
              points_words(seeds, "Each point") + ".";
  if (replies) {
    f.caption += " B-2 and R-L are of the replies that follow these planners (n = " + rows.words() +
                 "): " + points_words(reply_seeds, "each point") + ".";
  }
  const auto markov = markov_of(series, split);
  if (markov) f.caption += " Dotted line: the Markov-1 baseline.";
  if (left_out > 0) {
    f.caption += " " + std::to_string(left_out) + " settings are not drawn.";
  }
  struct Panel {
    const char* title;
    int column;
    std::optional<double> baseline;
    int count = 2;  // the column with how many runs a point is the mean of
  };
  std::vector<Panel> panels = {
      {"Acc %", 3, markov ? std::optional(100 * markov->acc) : std::nullopt},
      {"Q % (macro-F1)", 5, markov ? std::optional(100 * markov->q) : std::nullopt},
      {"B (bias, lower is better)", 7, markov ? std::optional(markov->b) : std::nullopt}};
  if (replies) {
    panels.push_back({"B-2 %", 9, std::nullopt, 13});
    panels.push_back({"R-L %", 11, std::nullopt, 13});
  }
  // Marks at the values that were tried, and nowhere else.
  std::vector<std::string> names;
  for (const auto& c : categories) names.push_back(short_value(c));
  std::string ticks = "(" + tick_list(names) + ")";
  if (categories.empty()) {
    std::set<double> values;
    for (const auto& s : series) {
      for (const auto& [x, runs] : s.at) values.insert(x);
    }
    ticks = value_ticks(values);
  }
  const bool keyed = series.size() > 1;
  std::string body = std::string("  set multiplot layout ") + (replies ? "2,3" : "1,3") +
                     " title " + gnuplot_quote(f.title) + "\n" + "  set xlabel " +
                     gnuplot_quote(name) + "\n" +
                     "  set offsets graph 0.06, graph 0.06, graph 0.1, graph 0.1\n" +
                     (keyed ? "  set bmargin 9\n" : "") +
                     "  set grid ytics linetype 1 linewidth 0.5 linecolor rgb '#d0d0d0'\n" +
                     "  set xtics " + ticks + "\n";
  for (const auto& panel : panels) {
    const std::string mean = std::to_string(panel.column);
    const std::string sd = std::to_string(panel.column + 1);
    const bool last = &panel == &panels.back();
    body += "  set title " + gnuplot_quote(panel.title) + "\n";
    // Below all panels: there it covers no line.
    body += last && keyed
                ? "  set key at screen 0.5, screen 0.01 center bottom horizontal maxrows 2\n"
                : "  unset key\n";
    body += "  plot ";
    for (std::size_t i = 0; i < series.size(); ++i) {
      const LineStyle& style = kLines[i];
      const std::string color = std::string("linecolor rgb '") + style.color + "'";
      const std::string data = "data index " + std::to_string(i) + " using 1:";
      // Bars first: the marks lie on top of them.
      body += (i ? ", \\\n    " : "") + data + "($" + std::to_string(panel.count) + " > 1 ? $" +
              mean + " : 1/0):" + sd + " with yerrorbars linewidth 1.5 pointtype 0 " + color +
              " notitle, \\\n    " + data + mean +
              " with linespoints linewidth 2 pointsize 0.9 pointtype " +
              std::to_string(style.mark) + " dashtype " + std::to_string(style.dash) + " " + color +
              " title " + gnuplot_quote(short_setting(series[i].label));
    }
    if (panel.baseline) {
      body += ", \\\n    " + number(*panel.baseline) +
              " with lines dashtype 3 linewidth 1.5 linecolor rgb '#666666' title 'Markov-1'";
    }
    body += "\n";
  }
  body += "  unset multiplot\n";
  f.script = script_of(f.id, f.title, 960, (replies ? 680 : 360) + (keyed ? 80 : 0), body);
  return f;
}

}  // namespace

std::string slug(const std::string& text) {
  std::string out;
  for (char c : text) {
    const auto u = static_cast<unsigned char>(c);
    const bool plain = u < 0x80 && (std::isalnum(u) || c == '-' || c == '_' || c == '.');
    if (plain) {
      out += c;
    } else if (out.empty() || out.back() != '-') {
      out += '-';
    }
  }
  if (out.empty() || out[0] == '.') out.insert(0, "x");
  if (out.size() > 120) out.resize(120);
  return out;
}

void make_ids_unique(std::vector<Figure>& figures) {
  std::set<std::string> seen;
  for (Figure& f : figures) {
    std::string id = f.id;
    for (int n = 2; !seen.insert(id).second; ++n) id = f.id + "-" + std::to_string(n);
    if (id == f.id) continue;
    // The script names its own files.
    for (const std::string ending : {".dat'", ".'", ".gp\n"}) {
      for (std::size_t at = 0; (at = f.script.find(f.id + ending, at)) != std::string::npos;
           at += id.size()) {
        f.script.replace(at, f.id.size(), id);
      }
    }
    f.id = id;
  }
}

std::vector<Figure> loss_figures(const results::Run& run) {
  std::vector<std::string> stages;
  std::map<std::string, std::vector<std::pair<long, double>>> curves;
  for (const results::Step& s : run.steps) {
    if (!s.loss || !std::isfinite(*s.loss)) continue;
    if (curves.find(s.stage) == curves.end()) stages.push_back(s.stage);
    curves[s.stage].emplace_back(s.step, *s.loss);
  }
  if (stages.empty()) return {};
  Figure f;
  f.id = slug("loss-" + run.name());
  f.title = one_line(run.name() + ": training loss");
  f.run = &run;
  f.caption = "Figure 3 (paper): training loss of " + run.name() + " (" + seed_words(run) + "): ";
  std::string body = "  set multiplot layout " + std::to_string(stages.size()) + ",1 title " +
                     gnuplot_quote(f.title) + "\n" +
                     "  set xlabel 'step'\n"
                     "  set grid linetype 1 linewidth 0.5 linecolor rgb '#d0d0d0'\n"
                     "  set key top right\n";
  for (std::size_t i = 0; i < stages.size(); ++i) {
    const auto& curve = curves[stages[i]];
    std::vector<double> raw;
    for (const auto& [step, loss] : curve) raw.push_back(loss);
    const int window = smoothing_window(raw.size());
    const auto smoothed = smooth(raw, window);
    f.data += "# stage " + one_line(stages[i]) + "\n# step loss smoothed\n";
    for (std::size_t s = 0; s < curve.size(); ++s) {
      f.data +=
          std::to_string(curve[s].first) + " " + number(raw[s]) + " " + number(smoothed[s]) + "\n";
    }
    f.data += "\n\n";
    const std::string stage = stages[i].empty() ? "training" : stages[i];
    f.caption += (i ? "; " : "") + stage + " " + std::to_string(curve.size()) +
                 " steps, smoothed over " + std::to_string(window);
    const std::string every = std::to_string(1 + curve.size() / kMostPoints);
    const std::string index = std::to_string(i);
    body += "  set ylabel " + gnuplot_quote("loss, " + stage) + "\n" + "  plot data index " +
            index + " every " + every +
            " using 1:2 with lines linewidth 1 linecolor rgb '#9ecae1' title 'each step', \\\n" +
            "    data index " + index + " every " + every +
            " using 1:3 with lines linewidth 2.5 linecolor rgb '#08306b' title 'smoothed'\n";
  }
  f.caption += " (centred mean).";
  body += "  unset multiplot\n";
  f.script = script_of(f.id, f.title, 720, 60 + 300 * static_cast<int>(stages.size()), body);
  return {f};
}

std::vector<Figure> strategy_figures(const results::Run& run) {
  std::vector<Figure> out;
  if (!run.evaluation) return out;
  for (const auto& [split, e] : run.evaluation->splits) {
    const auto& r = e.strategy;
    HeatMap h;
    h.ticks = strategy_ticks(run, r.support.size());
    const std::string where = run.name() + ", " + split;
    const std::string about = " of " + run.name() + " on " + split + " (" + seed_words(run) +
                              ", n = " + std::to_string(r.n) + " decisions";
    h.id = slug("confusion-" + run.name() + "-" + split);
    h.title = where + ": confusion";
    h.caption =
        "Figure 4 (paper): confusion" + about + "): percent of each gold strategy's decisions.";
    h.x_label = "predicted strategy";
    h.y_label = "gold strategy";
    h.counts = r.confusion;
    out.push_back(heat_map(h, run));

    std::int64_t pairs = 0;
    for (const auto& row : r.transition) {
      for (auto c : row) pairs += c;
    }
    h.id = slug("transition-" + run.name() + "-" + split);
    h.title = where + ": transitions";
    h.caption = "Figure 4 (paper): transitions" + about + ", " + std::to_string(pairs) +
                " pairs): percent of what the planner chooses next after choosing the row's "
                "strategy.";
    h.x_label = "chosen at the next decision";
    h.y_label = "chosen strategy";
    h.counts = r.transition;
    out.push_back(heat_map(h, run));
  }
  return out;
}

std::vector<Figure> sensitivity_figures(const results::Results& results,
                                        const std::string& parameter, const ScoredReplies& scored) {
  std::vector<Figure> out;
  for (const auto& experiment : results.experiments) {
    for (const auto& split : results.splits()) {
      const auto categories = categories_of(experiment, parameter);
      auto series = series_of(results, experiment.name, split, parameter, categories);
      std::set<double> values;
      for (const auto& s : series) {
        for (const auto& [x, runs] : s.at) values.insert(x);
      }
      if (values.size() < 2) continue;
      out.push_back(
          sensitivity_figure(experiment, split, parameter, std::move(series), categories, scored));
    }
  }
  return out;
}

}  // namespace straq::report
