// The metrics of choices and of replies over a parameter that a sweep varied.
#include <algorithm>
#include <cmath>
#include <map>
#include <set>

#include "metrics/baselines.h"
#include "metrics/metric.h"
#include "metrics/response_report.h"
#include "metrics/statistics.h"
#include "report/figures/figure_style.h"
#include "report/figures/figures.h"
#include "report/figures/gnuplot.h"
#include "report/figures/gnuplot_script.h"
#include "report/name_lists.h"
#include "report/rows/method_rows.h"
#include "report/rows/setting_names.h"
#include "report/tables/tables.h"

namespace straq::report {
namespace {

// One line of a sensitivity figure.
struct Series {
  std::string setting;                                    // of the other parameters
  std::map<double, std::vector<const results::Run*>> at;  // parameter's value -> seeds
  std::string label = {};
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

// Legends: a setting of which all points have one name of the user's is called so.
void name_series(std::vector<Series>& series, const std::string& parameter) {
  std::vector<std::string> settings;
  for (const Series& s : series) settings.push_back(s.setting);
  const auto labels = short_settings(settings, {parameter});
  for (std::size_t i = 0; i < series.size(); ++i) {
    std::set<std::string> names;
    for (const auto& [x, runs] : series[i].at) {
      for (const results::Run* run : runs) names.insert(run->given_name().value_or(""));
    }
    const bool named = names.size() == 1 && !names.begin()->empty();
    series[i].label = named ? *names.begin() : labels[i];
  }
}

std::vector<Series> series_of(const results::Results& results,
                              const results::Experiment& experiment, const std::string& split,
                              const std::string& parameter,
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
  for (const auto& key : following(experiment, parameter)) free.push_back(key);
  for (const Group& g : group_runs(results, split, free)) {
    if (g.experiment != experiment.name) continue;
    // Without an index each run is a group of its own, named by its point: then all are one line.
    const bool indexed = !g.runs.front()->parameters.empty();
    const std::string setting = indexed ? g.label : "";
    auto at =
        std::find_if(out.begin(), out.end(), [&](const Series& s) { return s.setting == setting; });
    if (at == out.end()) at = out.insert(out.end(), {setting, {}});
    for (const results::Run* run : g.runs) {
      if (const auto x = position(*run)) at->at[*x].push_back(run);
    }
  }
  std::erase_if(out, [](const Series& s) { return s.at.empty(); });
  name_series(out, parameter);
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

// The scores of replies that have a panel, by the key of metrics/metric.h, as they are shown.
struct SeedScores {
  std::map<std::string, double> scores;
  std::int64_t n = 0;  // replies
};

std::vector<const metrics::ReplyMetric*> reply_panels() {
  std::vector<const metrics::ReplyMetric*> out;
  for (const auto& m : metrics::reply_metrics()) {
    if (m.shown.main) out.push_back(&m);
  }
  return out;
}

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
    SeedScores out{{}, static_cast<std::int64_t>(f.rows.size())};
    for (const auto* m : reply_panels()) out.scores[m->key] = m->scale() * overall[m->which];
    return out;
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

// Everything that one figure is made from.
struct Sweep {
  const results::Experiment& experiment;
  std::string split, parameter;
  std::vector<std::string> categories;
  std::vector<Series> series;  // of the settings that are drawn
  std::size_t left_out = 0;    // settings that are not
  std::map<const results::Run*, SeedScores> replied;

  std::string name() const {
    std::vector<std::string> keys;
    if (!experiment.runs.empty()) {
      for (const auto& [key, value] : experiment.runs.front().parameters) keys.push_back(key);
    }
    return short_key_among(parameter, keys);
  }
  bool replies() const { return !replied.empty(); }
};

void keep_drawn(Sweep& sweep, const ScoredReplies& scored) {
  if (sweep.series.size() > kMostLines) {
    sweep.left_out = sweep.series.size() - kMostLines;
    sweep.series.resize(kMostLines);
  }
  for (const auto& s : sweep.series) {
    for (const auto& [x, runs] : s.at) {
      for (const results::Run* run : runs) {
        if (const auto scores = reply_scores(*run, sweep.split, scored)) {
          sweep.replied[run] = *scores;
        }
      }
    }
  }
}

// How much the points rest on. Runs and runs with replies are counted apart: a spread over one of
// three runs is none.
struct Counted {
  Range decisions, seeds, rows, reply_seeds;
};

// The figure's panels, in their order: choices, then replies where there are some.
std::vector<const metrics::Metric*> panel_metrics(const Sweep& sweep) {
  std::vector<const metrics::Metric*> out;
  for (const auto* m : metrics::shown_strategy_metrics()) out.push_back(m);
  if (!sweep.replies()) return out;
  for (const auto* m : reply_panels()) out.push_back(m);
  return out;
}

// "gamma seeds acc acc_sd … (all but bias in percent)"
std::string data_head(const Sweep& sweep) {
  std::string out = sweep.name() + " seeds", percent, other;
  for (const metrics::Metric* m : panel_metrics(sweep)) {
    const std::string key = m->key;
    out += " " + key + " " + key + "_sd";
    std::string& list = m->percent ? percent : other;
    list += (list.empty() ? "" : " and ") + key;
  }
  if (sweep.replies()) out += " reply_seeds";
  return out + " (" + (sweep.replies() && !other.empty() ? "all but " + other : percent) +
         " in percent)";
}

// A line of the data file: a value of the parameter and the mean and spread over its runs.
std::string data_line(const Sweep& sweep, double x, const std::vector<const results::Run*>& runs,
                      Counted& counted) {
  std::map<std::string, std::vector<double>> values;  // by the metric's key
  std::int64_t replied = 0;
  for (const results::Run* run : runs) {
    const auto& r = run->split(sweep.split)->strategy;
    for (const auto* m : metrics::shown_strategy_metrics()) {
      values[m->key].push_back(m->scale() * r.*m->score);
    }
    counted.decisions.add(r.n);
    const auto it = sweep.replied.find(run);
    if (it == sweep.replied.end()) continue;
    for (const auto& [key, score] : it->second.scores) values[key].push_back(score);
    counted.rows.add(it->second.n);
    ++replied;
  }
  std::string out = number(x) + " " + std::to_string(runs.size());
  for (const metrics::Metric* m : panel_metrics(sweep)) {
    const auto& list = values[m->key];
    const auto summary = metrics::summarise_seeds(list);
    out += list.empty() ? " NaN NaN" : " " + number(summary.mean) + " " + number(summary.sd);
  }
  if (sweep.replies()) out += " " + std::to_string(replied);
  counted.seeds.add(static_cast<std::int64_t>(runs.size()));
  if (replied > 0) counted.reply_seeds.add(replied);
  return out + "\n";
}

std::string data_of(const Sweep& sweep, Counted& counted) {
  std::string out;
  for (const auto& s : sweep.series) {
    out += "# " + one_line(s.setting) + "\n# " + data_head(sweep) + "\n";
    for (const auto& [x, runs] : s.at) out += data_line(sweep, x, runs, counted);
    out += "\n\n";
  }
  return out;
}

std::string caption_of(const Sweep& sweep, const Counted& counted, bool markov) {
  const auto shown = metrics::shown_strategy_metrics();
  const std::vector<const metrics::Metric*> choices(shown.begin(), shown.end());
  std::string out = metrics::titles_of(choices) + " on " + sweep.split +
                    " (n = " + counted.decisions.words() + " decisions) over " + sweep.parameter +
                    ". " + points_words(counted.seeds, "Each point") + ".";
  if (sweep.replies()) {
    const auto panels = reply_panels();
    out += " " + metrics::titles_of({panels.begin(), panels.end()}) +
           " are of the replies that follow these planners (n = " + counted.rows.words() +
           "): " + points_words(counted.reply_seeds, "each point") + ".";
  }
  if (const auto with = following(sweep.experiment, sweep.parameter); !with.empty()) {
    out += " In step with it: " + listed(with, 6) + ".";
  }
  if (markov) out += " Dotted line: the Markov-1 baseline.";
  if (sweep.left_out > 0) out += " " + std::to_string(sweep.left_out) + " settings are not drawn.";
  return out;
}

// What stands below values that are no numbers: the user's names where each has one of its own.
std::vector<std::string> category_names(const Sweep& sweep) {
  std::vector<std::set<std::string>> names(sweep.categories.size());
  for (const auto& s : sweep.series) {
    for (const auto& [x, runs] : s.at) {
      for (const results::Run* run : runs) {
        names[static_cast<std::size_t>(x)].insert(run->given_name().value_or(""));
      }
    }
  }
  std::vector<std::string> out;
  std::set<std::string> seen;
  for (std::size_t i = 0; i < names.size(); ++i) {
    const bool one = names[i].size() == 1 && !names[i].begin()->empty();
    out.push_back(one ? *names[i].begin() : short_value(sweep.categories[i]));
    seen.insert(out.back());
  }
  // Two that would read alike: the values as they are.
  return seen.size() == out.size() ? out : sweep.categories;
}

// Marks at the values that were tried, and nowhere else.
std::string ticks_of(const Sweep& sweep) {
  if (sweep.categories.empty()) {
    std::set<double> values;
    for (const auto& s : sweep.series) {
      for (const auto& [x, runs] : s.at) values.insert(x);
    }
    return value_ticks(values);
  }
  return "(" + tick_list(category_names(sweep)) + ")";
}

struct Panel {
  std::string title;
  int column;
  std::optional<double> baseline;
  int count = 2;  // the column with how many runs a point is the mean of
  bool from_zero = false;
};

std::vector<Panel> panels_of(const Sweep& sweep,
                             const std::optional<metrics::StrategyReport>& markov) {
  const auto shown = panel_metrics(sweep);
  const int reply_seeds = 3 + 2 * static_cast<int>(shown.size());
  std::vector<Panel> panels;
  for (const metrics::Metric* m : shown) {
    const int column = 3 + 2 * static_cast<int>(panels.size());
    const std::string lower = " (" + std::string(m->key) + ", lower is better)";
    Panel panel{m->title + (m->better == metrics::Better::lower ? lower : m->unit()), column, {}};
    const metrics::StrategyMetric* of_choices = metrics::find_strategy_metric(m->key);
    panel.from_zero = m->better == metrics::Better::lower;
    if (of_choices == nullptr) panel.count = reply_seeds;
    if (of_choices != nullptr && markov) panel.baseline = m->scale() * *markov.*of_choices->score;
    panels.push_back(std::move(panel));
  }
  return panels;
}

// Every setting's bars and line, and the baseline.
std::vector<std::string> plot_parts(const Sweep& sweep, const Panel& panel) {
  const std::string mean = std::to_string(panel.column), sd = std::to_string(panel.column + 1);
  std::vector<std::string> parts;
  for (std::size_t i = 0; i < sweep.series.size(); ++i) {
    const LineStyle& style = kLines[i];
    const std::string color = line_color(i);
    const std::string data = "data index " + std::to_string(i) + " using 1:";
    // Bars first: the marks lie on top of them.
    parts.push_back(data + "($" + std::to_string(panel.count) + " > 1 ? $" + mean + " : 1/0):" +
                    sd + " with yerrorbars linewidth 1.5 pointtype 0 " + color + " notitle");
    parts.push_back(data + mean + " with linespoints linewidth 2 pointsize 0.9 pointtype " +
                    std::to_string(style.mark) + " dashtype " + std::to_string(style.dash) + " " +
                    color + " title " + gnuplot_quote(sweep.series[i].label));
  }
  if (panel.baseline) {
    parts.push_back(number(*panel.baseline) +
                    " with lines dashtype 3 linewidth 1.5 linecolor rgb '#666666' title "
                    "'Markov-1'");
  }
  return parts;
}

std::string script_of(const Sweep& sweep, const Figure& f,
                      const std::optional<metrics::StrategyReport>& markov) {
  // The dotted line needs its name too.
  const bool keyed = sweep.series.size() > 1 || markov;
  GnuplotScript script;
  const auto panels = panels_of(sweep, markov);
  const int rows = (static_cast<int>(panels.size()) + 2) / 3;
  script.panels(rows, 3, f.title).set_text("xlabel", sweep.name());
  script.set("offsets graph 0.06, graph 0.06, graph 0.1, graph 0.1");
  script.set("grid ytics linetype 1 linewidth 0.5 linecolor rgb '#d0d0d0'");
  script.set("xtics " + ticks_of(sweep));
  for (const auto& panel : panels) {
    script.set_text("title", panel.title);
    // A spread begins at 0; so does its axis.
    script.set(panel.from_zero ? "yrange [0:*]" : "yrange [*:*]");
    // Below all panels: there it covers no line.
    if (keyed) script.room_for_key(&panel == &panels.back());
    if (keyed && &panel == &panels.back()) {
      script.set("key at screen 0.5, screen 0.01 center bottom horizontal maxrows 2");
    } else {
      script.unset("key");
    }
    script.plot(plot_parts(sweep, panel));
  }
  return script.text(f.id, f.title, 960, 320 * rows + 40 + (keyed ? 80 : 0));
}

// What of the paper's Figure 5 a sweep over the parameter shows.
std::set<std::string> shown_by(const Sweep& sweep) {
  if (!of_figure5(sweep.parameter)) return {};
  const std::string id = sweep.parameter == "learn.gamma" ? "discounts" : "sizes";
  return sweep.replies() ? std::set<std::string>{id, id + "_replies"} : std::set<std::string>{id};
}

Figure sensitivity_figure(const Sweep& sweep) {
  Figure f;
  f.id = slug("sensitivity-" + sweep.name() + "-" + sweep.experiment.name + "-" + sweep.split);
  f.title =
      one_line(sweep.experiment.name + ", " + sweep.split + ": sensitivity to " + sweep.name());
  f.shows = shown_by(sweep);
  if (of_figure5(sweep.parameter)) f.as_paper = "Figure 5";
  Counted counted;
  f.data = data_of(sweep, counted);
  const auto markov = markov_of(sweep.series, sweep.split);
  f.caption = caption_of(sweep, counted, markov.has_value());
  f.script = script_of(sweep, f, markov);
  return f;
}

}  // namespace

std::vector<Figure> sensitivity_figures(const results::Results& results,
                                        const results::Experiment& experiment,
                                        const std::string& parameter, const ScoredReplies& scored) {
  std::vector<Figure> out;
  for (const auto& split : results.splits()) {
    Sweep sweep{experiment, split, parameter, categories_of(experiment, parameter), {}, 0, {}};
    sweep.series = series_of(results, experiment, split, parameter, sweep.categories);
    std::set<double> values;
    for (const auto& s : sweep.series) {
      for (const auto& [x, runs] : s.at) values.insert(x);
    }
    if (values.size() < 2) continue;
    keep_drawn(sweep, scored);
    out.push_back(sensitivity_figure(sweep));
  }
  return out;
}

std::vector<Figure> sensitivity_figures(const results::Results& results,
                                        const std::string& parameter, const ScoredReplies& scored) {
  std::vector<Figure> out;
  for (const auto& experiment : results.experiments) {
    for (auto& f : sensitivity_figures(results, experiment, parameter, scored)) {
      out.push_back(std::move(f));
    }
  }
  return out;
}

}  // namespace straq::report
