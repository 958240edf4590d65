#include "report/figures/figure_style.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <optional>

#include "report/figures/gnuplot.h"

namespace straq::report {

std::string number(double x) {
  if (!std::isfinite(x)) return "NaN";
  char buffer[40];
  std::snprintf(buffer, sizeof buffer, "%.10g", x);
  return buffer;
}

std::string number(const std::optional<double>& x) {
  return x ? number(*x) : "NaN";
}

std::string one_line(std::string s) {
  for (char& c : s) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7F) c = ' ';
  }
  return s;
}

std::string seed_words(const results::Run& run) {
  const auto seed = run.seed();
  return seed ? "seed " + *seed : "seed unknown";
}

std::vector<std::string> strategy_ticks(const results::Run& run, std::size_t strategies) {
  std::vector<std::string> out;
  for (std::size_t i = 0; i < strategies; ++i) {
    const bool known = run.evaluation && i < run.evaluation->strategies.size();
    if (!known) {
      out.push_back(std::to_string(i));
      continue;
    }
    const auto& label = run.evaluation->strategies[i];
    out.push_back(label.abbreviation.empty() ? label.name : label.abbreviation);
  }
  return out;
}

std::string tick_list(const std::vector<std::string>& ticks) {
  std::string out;
  for (std::size_t i = 0; i < ticks.size(); ++i) {
    out += (i ? ", " : "") + gnuplot_quote(ticks[i]) + " " + std::to_string(i);
  }
  return out;
}

std::string value_ticks(const std::set<double>& values) {
  if (values.empty()) return "()";
  constexpr double kWidth = 0.16, kHeight = 0.06;  // of a label, in widths of the panel
  const double range = std::max(*values.rbegin() - *values.begin(), 1e-300);
  double smallest = range, before = *values.begin();
  for (const double x : values) {
    if (x > before) smallest = std::min(smallest, x - before);
    before = x;
  }
  const bool upright = smallest < kWidth * range;
  std::string out;
  std::optional<double> labelled;
  for (const double x : values) {
    const bool last = x == *values.rbegin();
    const auto clear_of = [&](double other) { return x - other >= kHeight * range; };
    const bool shown =
        last || ((!labelled || clear_of(*labelled)) && *values.rbegin() - x >= kHeight * range);
    out += (out.empty() ? "(" : ", ") + std::string(shown ? "" : "'' ") + number(x);
    if (shown) labelled = x;
  }
  return out + (upright ? ") rotate by 90 right" : ")");
}

}  // namespace straq::report
