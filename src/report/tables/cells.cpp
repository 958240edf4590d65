#include "report/tables/cells.h"

#include <algorithm>
#include <array>
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
    case Emphasis::none:
      break;
  }
  return "";
}

// The parts of an estimate in the order of CSV columns; the value's column keeps its own name.
constexpr std::array<const char*, 6> kParts = {"low", "high", "n", "seeds", "seed_sd", "mark"};

bool is_estimate(const Cell& c) {
  return c.value.is_object();
}
bool is_interval(const Cell& c) {
  return c.value.is_array() && c.value.size() == 2;
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
    c.text += " ±" + Cell::real((e.interval->high - e.interval->low) / 2, decimals).text;
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

void emphasise(Cell& cell, Emphasis emphasis) {
  if (!is_estimate(cell) || emphasis == Emphasis::none) return;
  cell.value["mark"] = word_of(emphasis);
  if (emphasis == Emphasis::noise) cell.text += " ≈";
}

Emphasis emphasis_of(const Cell& cell) {
  if (!is_estimate(cell) || !cell.value.contains("mark")) return Emphasis::none;
  for (const Emphasis e : {Emphasis::best, Emphasis::second, Emphasis::noise}) {
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
  return markdown_of(table, [](const Cell& cell, std::string escaped) {
    const Emphasis e = emphasis_of(cell);
    if (e == Emphasis::best) return "**" + escaped + "**";
    if (e == Emphasis::second) return "<u>" + escaped + "</u>";
    return escaped;
  });
}

std::string escape_latex(const std::string& text) {
  // Signs beyond ASCII that tables and notes use; pdfLaTeX knows the rest of Latin by itself.
  static const std::vector<std::pair<std::string, std::string>> kSigns = {{"±", "$\\pm$"},
                                                                          {"≈", "$\\approx$"},
                                                                          {"†", "$\\dagger$"},
                                                                          {"–", "--"},
                                                                          {"—", "---"},
                                                                          {"↑", "$\\uparrow$"},
                                                                          {"↓", "$\\downarrow$"},
                                                                          {"…", "\\ldots{}"},
                                                                          {"γ", "$\\gamma$"},
                                                                          {"’", "'"},
                                                                          {"“", "``"},
                                                                          {"”", "''"},
                                                                          {"≥", "$\\geq$"},
                                                                          {"≤", "$\\leq$"},
                                                                          {"×", "$\\times$"},
                                                                          {"−", "$-$"},
                                                                          {"²", "$^2$"}};
  std::string out;
  for (std::size_t i = 0; i < text.size();) {
    bool found = false;
    for (const auto& [sign, latex] : kSigns) {
      if (text.compare(i, sign.size(), sign) != 0) continue;
      out += latex;
      i += sign.size();
      found = true;
      break;
    }
    if (found) continue;
    const char c = text[i];
    const auto u = static_cast<unsigned char>(c);
    if (u >= 0x80) {
      // A letter of Latin-1 or Latin Extended-A, which inputenc knows; any other sign would stop
      // LaTeX, so a question mark stands for it.
      std::size_t length = 1;
      const std::size_t most = u >= 0xF0 ? 4 : u >= 0xE0 ? 3 : u >= 0xC0 ? 2 : 1;
      // What does not belong to the letter (the bytes may be no UTF-8) is not taken with it.
      while (length < most && i + length < text.size() &&
             (static_cast<unsigned char>(text[i + length]) & 0xC0) == 0x80) {
        ++length;
      }
      out += u >= 0xC3 && u <= 0xC5 && length == 2 ? text.substr(i, length) : "?";
      i += length;
      continue;
    }
    switch (c) {
      case '\\':
        out += "\\textbackslash{}";
        break;
      case '~':
        out += "\\textasciitilde{}";
        break;
      case '^':
        out += "\\textasciicircum{}";
        break;
      case '<':
        out += "\\textless{}";
        break;
      case '>':
        out += "\\textgreater{}";
        break;
      case '|':
        out += "\\textbar{}";
        break;
      case '"':
        out += "\\textquotedbl{}";
        break;
      case '&':
      case '%':
      case '$':
      case '#':
      case '_':
      case '{':
      case '}':
        out += std::string("\\") + c;
        break;
      case '[':
      case ']':
        // A bracket after a row's end would be read as an option.
        out += std::string("{") + c + "}";
        break;
      case '*':
        // So would a star there, which asks for no page break.
        out += out.empty() ? "{*}" : "*";
        break;
      default:
        out += u < 0x20 || u == 0x7F ? ' ' : c;
    }
    ++i;
  }
  return out;
}

std::string to_latex(const Table& t, const std::string& label) {
  std::string columns;
  for (std::size_t c = 0; c < t.columns.size(); ++c) {
    const bool right =
        std::any_of(t.rows.begin(), t.rows.end(), [&](const auto& row) { return row[c].numeric; });
    columns += right ? 'r' : 'l';
  }
  std::string out =
      "% Needs \\usepackage{booktabs,graphicx} and, for quotation marks, "
      "\\usepackage[T1]{fontenc}.\n"
      "\\begin{table}[tb]\n\\centering\n\\caption{" +
      escape_latex(t.title) + "}\n\\label{tab:" + label +
      "}\n\\resizebox{\\ifdim\\width>\\linewidth\\linewidth"
      "\\else\\width\\fi}{!}{%\n\\begin{tabular}{" +
      columns + "}\n\\toprule\n";
  for (std::size_t c = 0; c < t.columns.size(); ++c) {
    out += (c ? " & " : "") + escape_latex(t.columns[c]);
  }
  out += " \\\\\n\\midrule\n";
  for (const auto& row : t.rows) {
    for (std::size_t c = 0; c < row.size(); ++c) {
      std::string text = escape_latex(row[c].text);
      const Emphasis e = emphasis_of(row[c]);
      if (e == Emphasis::best) text = "\\textbf{" + text + "}";
      if (e == Emphasis::second) text = "\\underline{" + text + "}";
      out += (c ? " & " : "") + text;
    }
    out += " \\\\\n";
  }
  out += "\\bottomrule\n\\end{tabular}}\n";
  if (!t.notes.empty()) {
    out += "\\par\\smallskip\n\\begin{minipage}{\\linewidth}\\footnotesize\\raggedright\n";
    for (const auto& note : t.notes) out += escape_latex(note) + "\\par\n";
    out += "\\end{minipage}\n";
  }
  return out + "\\end{table}\n";
}

}  // namespace straq::report
