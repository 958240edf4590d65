#include "report/tables/estimate_cells.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <vector>

#include "core/json/json.h"
#include "core/tables/markup.h"

namespace straq::report {
namespace {

using nlohmann::ordered_json;

const char* word_of(Emphasis e) {
  switch (e) {
    case Emphasis::best:
      return "best";
    case Emphasis::second:
      return "second";
    case Emphasis::noise:
      return "noise";
    case Emphasis::noise_seeds:
      return "noise_seeds";
    case Emphasis::noise_dialogues:
      return "noise_dialogues";
    case Emphasis::none:
      break;
  }
  return "";
}

// The parts of an estimate in the order of CSV columns; the value's column keeps its own name.
constexpr std::array<const char*, 7> kParts = {"low",     "high", "n",    "seeds",
                                               "seed_sd", "mark", "paper"};

bool is_estimate(const Cell& c) {
  return c.value.is_object();
}
bool is_interval(const Cell& c) {
  return c.value.is_array() && c.value.size() == 2;
}

// What is appended to a cell's text.
const char* sign_of(Emphasis e) {
  return e == Emphasis::noise             ? " ≈"
         : e == Emphasis::noise_seeds     ? " ≈s"
         : e == Emphasis::noise_dialogues ? " ≈d"
                                          : "";
}

// Whether ± says it: both ends are about as far from the number, which lies between them.
bool symmetric(double value, const metrics::Interval& i, int decimals) {
  double below = value - i.low, above = i.high - value;
  // A mean over seeds may miss an end that it lies on by a rounding.
  const double rounding = 1e-9 * std::max(1.0, std::abs(value));
  if (below < -rounding || above < -rounding) return false;
  below = std::max(below, 0.0);
  above = std::max(above, 0.0);
  constexpr double kUneven = 1.25;
  return std::max(below, above) <= kUneven * std::min(below, above) ||
         Cell::real(below, decimals).text == Cell::real(above, decimals).text;
}

Cell part_of(const Cell& cell, const char* part) {
  if (!is_estimate(cell) || !cell.value.contains(part)) return Cell::missing("");
  Cell out;
  out.value = cell.value[part];
  out.text = out.value.is_string() ? out.value.get<std::string>() : dump_json(out.value);
  out.numeric = !out.value.is_string();
  return out;
}

}  // namespace

Cell estimate_cell(const Estimate& e, int decimals) {
  Cell c = Cell::real(e.value, decimals);
  if (c.value.is_null()) return c;
  ordered_json v;
  v["value"] = e.value;
  if (e.interval) {
    const auto& [low, high] = *e.interval;
    c.text +=
        symmetric(e.value, *e.interval, decimals)
            ? " ±" + Cell::real((high - low) / 2, decimals).text
            : " [" + Cell::real(low, decimals).text + ", " + Cell::real(high, decimals).text + "]";
    v["low"] = e.interval->low;
    v["high"] = e.interval->high;
  }
  if (e.n > 0) v["n"] = e.n;
  v["seeds"] = e.seeds;
  if (e.seed_sd) {
    c.text += " (sd " + Cell::real(*e.seed_sd, decimals).text + ")";
    v["seed_sd"] = *e.seed_sd;
  }
  c.value = std::move(v);
  return c;
}

Cell values_cell(const std::vector<double>& values, int decimals) {
  std::string text;
  for (const double x : values) text += (text.empty() ? "" : "; ") + Cell::real(x, decimals).text;
  if (text.empty()) return Cell::missing();
  Cell c(text);
  c.numeric = true;
  return c;
}

void emphasise(Cell& cell, Emphasis emphasis) {
  if (without_value(cell) || !is_estimate(cell) || emphasis == Emphasis::none) return;
  cell.value["mark"] = word_of(emphasis);
  cell.text += sign_of(emphasis);
}

Emphasis emphasis_of(const Cell& cell) {
  if (!is_estimate(cell) || !cell.value.contains("mark")) return Emphasis::none;
  for (const Emphasis e : {Emphasis::best, Emphasis::second, Emphasis::noise, Emphasis::noise_seeds,
                           Emphasis::noise_dialogues}) {
    if (cell.value["mark"] == word_of(e)) return e;
  }
  return Emphasis::none;
}

Cell p_cell(double p) {
  Cell c = Cell::real(p, 4);
  if (p >= 0 && p < 0.00005) c.text = "<0.0001";
  return c;
}

Cell paper_cell(const std::optional<std::string>& text, bool doubtful) {
  if (!text) return Cell::missing();
  Cell c(*text);
  c.numeric = true;
  ordered_json number;
  if (try_parse_json(*text, number).empty() && number.is_number()) c.value = number;
  if (doubtful) c.text += "†";
  return c;
}

Cell beside_paper(Cell ours, const std::optional<std::string>& paper, bool doubtful) {
  if (!paper) return ours;
  Cell theirs = paper_cell(paper, doubtful);
  if (!is_estimate(ours)) {
    auto v = ordered_json::object();
    if (!ours.value.is_null()) v["value"] = std::move(ours.value);
    ours.value = std::move(v);
  }
  ours.value["paper"] = std::move(theirs.value);
  ours.value["paper_text"] = std::move(theirs.text);
  return ours;
}

std::string paper_text(const Cell& cell) {
  if (!is_estimate(cell) || !cell.value.contains("paper_text")) return {};
  return cell.value["paper_text"].get<std::string>();
}

std::vector<bool> paper_columns(const Table& table) {
  std::vector<bool> out(table.columns.size(), false);
  for (const auto& row : table.rows) {
    for (std::size_t c = 0; c < row.size(); ++c) out[c] = out[c] || !paper_text(row[c]).empty();
  }
  return out;
}

bool without_value(const Cell& cell) {
  return cell.value.is_null() || (is_estimate(cell) && !cell.value.contains("value"));
}

Cell missing_cell(const std::string& why) {
  return Cell::missing(why);
}

Table flatten_cells(const Table& table) {
  Table out;
  out.id = table.id;
  out.title = table.title;
  out.notes = table.notes;
  struct Shape {
    bool interval = false;
    std::vector<const char*> parts;
  };
  std::vector<Shape> shapes(table.columns.size());
  for (std::size_t c = 0; c < table.columns.size(); ++c) {
    const auto any = [&](auto&& holds) {
      return std::any_of(table.rows.begin(), table.rows.end(),
                         [&](const auto& row) { return holds(row[c]); });
    };
    shapes[c].interval = any(is_interval);
    for (const char* part : kParts) {
      if (any([&](const Cell& x) { return is_estimate(x) && x.value.contains(part); })) {
        shapes[c].parts.push_back(part);
      }
    }
    if (shapes[c].interval) {
      out.columns.push_back(table.columns[c] + " low");
      out.columns.push_back(table.columns[c] + " high");
      continue;
    }
    out.columns.push_back(table.columns[c]);
    for (const char* part : shapes[c].parts) out.columns.push_back(table.columns[c] + " " + part);
  }
  for (const auto& row : table.rows) {
    std::vector<Cell> cells;
    for (std::size_t c = 0; c < row.size(); ++c) {
      if (shapes[c].interval) {
        for (std::size_t side = 0; side < 2; ++side) {
          cells.push_back(is_interval(row[c]) ? Cell::real(row[c].value[side].get<double>(), 6)
                                              : Cell::missing());
        }
        continue;
      }
      cells.push_back(is_estimate(row[c]) ? part_of(row[c], "value") : row[c]);
      for (const char* part : shapes[c].parts) cells.push_back(part_of(row[c], part));
    }
    out.add(std::move(cells));
  }
  return out;
}

std::string to_markdown(const Table& table) {
  Table shown = table;
  const auto paper = paper_columns(table);
  for (std::size_t c = 0; c < paper.size(); ++c) {
    if (paper[c]) shown.columns[c] += " [paper]";
  }
  return markdown_of(shown, [](const Cell& cell, std::string escaped) {
    const Emphasis e = emphasis_of(cell);
    if (e == Emphasis::best) escaped = "**" + escaped + "**";
    if (e == Emphasis::second) escaped = "<u>" + escaped + "</u>";
    const std::string theirs = paper_text(cell);
    return theirs.empty() ? escaped
                          : escaped + " [" + escape_markdown(theirs, MarkdownPlace::within) + "]";
  });
}

}  // namespace straq::report
