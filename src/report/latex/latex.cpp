#include "report/latex/latex.h"

#include <algorithm>
#include <cctype>
#include <cstdio>
#include <set>
#include <utility>
#include <vector>

#include "core/error.h"
#include "metrics/metric.h"
#include "report/latex/latex_layout.h"
#include "report/name_lists.h"
#include "report/own_report.h"
#include "report/tables/estimate_cells.h"

namespace straq::report {
namespace {

// Signs beyond ASCII that tables and notes use; pdfLaTeX knows the rest of Latin by itself.
const std::vector<std::pair<std::string, std::string>> kSigns = {{"±", "$\\pm$"},
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

// The letter of several bytes at `at`: one of Latin-1 or Latin Extended-A, which inputenc knows,
// stays; any other sign would stop LaTeX, so a question mark stands for it. Moves `at` behind it.
std::string letter_at(const std::string& text, std::size_t& at) {
  const auto lead = static_cast<unsigned char>(text[at]);
  std::size_t length = 1;
  const std::size_t most = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : lead >= 0xC0 ? 2 : 1;
  // What does not belong to the letter (the bytes may be no UTF-8) is not taken with it.
  while (length < most && at + length < text.size() &&
         (static_cast<unsigned char>(text[at + length]) & 0xC0) == 0x80) {
    ++length;
  }
  const bool known = lead >= 0xC3 && lead <= 0xC5 && length == 2;
  const std::string out = known ? text.substr(at, length) : "?";
  at += length;
  return out;
}

// A character of ASCII; `first`: the text begins with it.
std::string ascii(char c, bool first) {
  switch (c) {
    case '\\':
      return "\\textbackslash{}";
    case '~':
      return "\\textasciitilde{}";
    case '^':
      return "\\textasciicircum{}";
    case '<':
      return "\\textless{}";
    case '>':
      return "\\textgreater{}";
    case '|':
      return "\\textbar{}";
    case '"':
      return "\\textquotedbl{}";
    case '&':
    case '%':
    case '$':
    case '#':
    case '_':
    case '{':
    case '}':
      return std::string("\\") + c;
    case '[':
    case ']':
      // A bracket after a row's end would be read as an option.
      return std::string("{") + c + "}";
    case '*':
      // So would a star there, which asks for no page break.
      return first ? "{*}" : "*";
    default: {
      const auto u = static_cast<unsigned char>(c);
      return {u < 0x20 || u == 0x7F ? ' ' : c};
    }
  }
}

std::string latex_cell(const Cell& cell, const std::string& shown, bool paper) {
  std::string text = escape_latex(shown);
  const Emphasis e = emphasis_of(cell);
  if (e == Emphasis::best) text = "\\textbf{" + text + "}";
  if (e == Emphasis::second) text = "\\underline{" + text + "}";
  const std::string theirs = paper ? paper_text(cell) : "";
  if (!theirs.empty()) text += " {\\scriptsize " + escape_latex("[" + theirs + "]") + "}";
  return text;
}

// Text in a broken column may go on in the next line within a path: behind the signs that join its
// parts.
std::string breakable(const std::string& escaped) {
  std::string out;
  for (std::size_t i = 0; i < escaped.size(); ++i) {
    const char c = escaped[i];
    out += c;
    const auto next = i + 1 < escaped.size() ? static_cast<unsigned char>(escaped[i + 1]) : 0;
    // Not within a number.
    const bool joins =
        ((c == '/' || c == '_') && std::isalnum(next)) || (c == '.' && std::isalpha(next));
    if (joins) out += "\\allowbreak{}";
  }
  return out;
}

// "30.12" of "30.12 ±1.20 (sd 0.40) ≈", and its decimals.
std::string leading_number(const std::string& text) {
  return text.substr(0, text.find(' '));
}
int decimals_of(const std::string& number) {
  const std::size_t dot = number.find('.');
  return dot == std::string::npos ? 0 : static_cast<int>(number.size() - dot - 1);
}

// The sign of a mark behind an estimate, with its blank.
std::string mark_sign(const Cell& cell) {
  const std::size_t at = cell.text.find(" ≈");
  return at == std::string::npos ? "" : cell.text.substr(at);
}

// What a cell shows in print.
std::string shown_text(const Cell& cell, LatexInterval interval) {
  const bool estimate = cell.value.is_object() && cell.value.contains("value");
  if (!estimate || interval == LatexInterval::pm) return cell.text;
  const std::string number = leading_number(cell.text);
  std::string out = number;
  if (interval == LatexInterval::range && cell.value.contains("low")) {
    const int decimals = decimals_of(number);
    out += " [" + Cell::real(cell.value["low"].get<double>(), decimals).text + ", " +
           Cell::real(cell.value["high"].get<double>(), decimals).text + "]";
  }
  return out + mark_sign(cell);
}

// The metric that a column shows: "Acc ↑", "Acc %", "Acc 95 %", "macro-F1 (Q) ↑"; null for others.
const metrics::Metric* metric_of_column(const std::string& column) {
  const metrics::Metric* found = nullptr;
  for (const metrics::Metric* m : metrics::all_metrics()) {
    const std::string title = m->title;
    const bool begins = column == title || column.rfind(title + " ", 0) == 0;
    // The longest title, "Mean max Q" before a shorter one.
    if (begins && (found == nullptr || title.size() > std::string(found->title).size())) found = m;
  }
  return found;
}

std::string column_word(const std::string& column) {
  const metrics::Metric* m = metric_of_column(column);
  if (m != nullptr) return m->key;
  return column == "n" ? "n" : column == "Seeds" ? "seeds" : "";
}

bool is_interval_column(const Table& t, std::size_t c) {
  return std::any_of(t.rows.begin(), t.rows.end(),
                     [&](const auto& row) { return row[c].value.is_array(); });
}

// Which columns go into the paper, in the order that was asked for.
std::vector<std::size_t> latex_columns(const Table& t, const LatexOptions& o) {
  const bool of_metrics = std::any_of(t.columns.begin(), t.columns.end(),
                                      [](const auto& c) { return metric_of_column(c) != nullptr; });
  std::vector<std::size_t> out, chosen;
  for (std::size_t c = 0; c < t.columns.size(); ++c) {
    const std::string& name = t.columns[c];
    if (name == "Runs" || (!o.paper && name.ends_with(" paper"))) continue;
    if (o.interval == LatexInterval::none && is_interval_column(t, c)) continue;
    const bool choosable = of_metrics && !o.columns.empty() && !column_word(name).empty();
    (choosable ? chosen : out).push_back(c);
  }
  if (chosen.empty()) return out;
  std::vector<std::size_t> wanted;
  for (const auto& word : o.columns) {
    for (const std::size_t c : chosen) {
      if (column_word(t.columns[c]) == metrics::current_key(word)) wanted.push_back(c);
    }
  }
  // Behind the leading columns of text.
  const auto at = std::find_if(
      out.begin(), out.end(), [&](std::size_t c) { return !chosen.empty() && c > chosen.front(); });
  out.insert(at, wanted.begin(), wanted.end());
  return out;
}

bool measured_nothing(const Table& t, const std::vector<Cell>& row) {
  bool any = false;
  for (std::size_t c = 0; c < row.size(); ++c) {
    if (metric_of_column(t.columns[c]) == nullptr) continue;
    any = true;
    if (!without_value(row[c])) return false;
  }
  return any;
}

std::vector<std::size_t> latex_rows(const Table& t, const LatexOptions& o) {
  std::vector<std::size_t> out;
  const bool methods = !t.columns.empty() && t.columns[0] == "Method";
  const bool responders = t.columns.size() > 1 && t.columns[1] == "Responder";
  const auto take = [&](auto&& wanted) {
    for (std::size_t r = 0; r < t.rows.size(); ++r) {
      if (methods && measured_nothing(t, t.rows[r])) continue;
      const bool there = std::find(out.begin(), out.end(), r) != out.end();
      if (!there && wanted(t.rows[r])) out.push_back(r);
    }
  };
  if (!methods || o.rows.empty()) {
    take([](const auto&) { return true; });
    return out;
  }
  for (const auto& [title, responder] : o.rows) {
    take([&](const std::vector<Cell>& row) {
      return row[0].text == title && (responder.empty() || !responders || row[1].text == responder);
    });
  }
  return out;
}

Table chosen_part(const Table& t, const LatexOptions& o) {
  Table out;
  out.id = t.id;
  out.title = t.title;
  out.notes = t.notes;
  const auto columns = latex_columns(t, o);
  for (const std::size_t c : columns) out.columns.push_back(t.columns[c]);
  for (const std::size_t r : latex_rows(t, o)) {
    std::vector<Cell> row;
    for (const std::size_t c : columns) row.push_back(t.rows[r][c]);
    out.add(std::move(row));
  }
  return out;
}

// One line of notes: what the signs in the table are.
std::string short_note(const Table& t, const std::vector<std::vector<std::string>>& texts,
                       bool paper) {
  std::set<Emphasis> marks;
  bool pm = false, range = false, sd = false, theirs = false;
  for (std::size_t r = 0; r < texts.size(); ++r) {
    for (std::size_t c = 0; c < texts[r].size(); ++c) {
      const Cell& cell = t.rows[r][c];
      marks.insert(emphasis_of(cell));
      pm = pm || texts[r][c].find(" ±") != std::string::npos;
      sd = sd || texts[r][c].find("(sd ") != std::string::npos;
      range = range || (cell.value.is_object() && texts[r][c].find(" [") != std::string::npos);
      theirs = theirs || (paper && !paper_text(cell).empty());
    }
  }
  std::vector<std::string> parts;
  if (pm && range) parts.push_back("±, [ ]: 95 % intervals");
  if (pm && !range) parts.push_back("±: half the 95 % interval");
  if (range && !pm) parts.push_back("[ ]: 95 % interval");
  if (sd) parts.push_back("sd: over seeds");
  if (marks.count(Emphasis::best) > 0) parts.push_back("bold: best (p < 0.05)");
  if (marks.count(Emphasis::second) > 0) parts.push_back("underlined: second");
  if (marks.count(Emphasis::noise) > 0) parts.push_back("≈: not told apart from the best");
  if (marks.count(Emphasis::noise_seeds) > 0) parts.push_back("≈s: not over seeds");
  if (marks.count(Emphasis::noise_dialogues) > 0) parts.push_back("≈d: not over dialogues");
  if (theirs) parts.push_back("small: the paper's");
  return parts.empty() ? "" : joined(parts, "; ") + ".";
}

// Rows of a float that fits on a page with its caption.
constexpr std::size_t kMostLatexRows = 44;

class LatexTable {
 public:
  LatexTable(const Table& table, std::string label, const LatexOptions& options)
      : table_(chosen_part(table, options)), label_(std::move(label)), options_(options) {
    for (const auto& row : table_.rows) {
      texts_.emplace_back();
      for (const Cell& cell : row) {
        std::string text = shown_text(cell, options.interval);
        const std::string theirs = options.paper ? paper_text(cell) : "";
        if (!theirs.empty()) text += " [" + theirs + "]";
        texts_.back().push_back(std::move(text));
      }
    }
    const auto paper = paper_columns(table_);
    for (std::size_t c = 0; c < table_.columns.size(); ++c) {
      double widest = 0;
      for (const auto& row : texts_) widest = std::max(widest, latex_width(row[c]));
      const std::string mark = options.paper && paper[c] ? " [paper]" : "";
      heads_.push_back(heading_lines(table_.columns[c] + mark, widest));
    }
    layout_ = latex_layout(table_, texts_, heads_);
  }

  std::string text() const {
    std::string out =
        "% Needs \\usepackage{booktabs,array} and, for quotation marks, "
        "\\usepackage[T1]{fontenc}.\n";
    const std::size_t most = std::max<std::size_t>(8, kMostLatexRows / layout_.parts.size());
    for (std::size_t first = 0; first < table_.rows.size() || first == 0; first += most) {
      out += one_float(first, std::min(first + most, table_.rows.size()));
    }
    if (!table_.notes.empty()) out += "% What the report says below this table:\n";
    for (const auto& note : table_.notes) out += "% " + comment(note) + "\n";
    return out;
  }

 private:
  static std::string comment(std::string note) {
    std::replace_if(
        note.begin(), note.end(), [](char c) { return static_cast<unsigned char>(c) < 0x20; }, ' ');
    return note;
  }

  std::string one_float(std::size_t first, std::size_t last) const {
    const std::string kind = layout_.wide ? "table*" : "table";
    const std::string size = std::to_string(layout_.type);
    std::string out = "\\begin{" + kind + "}[" + (layout_.wide ? "tp" : "tbp") +
                      "]\n\\centering\n\\caption{" + escape_latex(own_title(table_.title)) +
                      (first > 0 ? " (continued)" : "") + "}\n";
    if (first == 0) out += "\\label{tab:" + label_ + "}\n";
    // A size of its own: what \small is depends on the document's class.
    out += "\\fontsize{" + size + "}{" + std::to_string(layout_.type + 1) +
           "}\\selectfont\\setlength{\\tabcolsep}{" + std::to_string(static_cast<int>(kLatexGap)) +
           "pt}\n";
    for (std::size_t p = 0; p < layout_.parts.size(); ++p) {
      if (p > 0) out += "\\par\\medskip\n";
      out += tabular(layout_.parts[p], first, last);
    }
    const std::string note = short_note(table_, texts_, options_.paper);
    if (!note.empty()) {
      out += "\\par\\smallskip{\\fontsize{" + std::to_string(kLeastType) + "}{" +
             std::to_string(kLeastType + 1) + "}\\selectfont " + escape_latex(note) + "\\par}\n";
    }
    return out + "\\end{" + kind + "}\n";
  }

  std::string tabular(const std::vector<std::size_t>& columns, std::size_t first,
                      std::size_t last) const {
    std::string spec, head;
    for (const std::size_t c : columns) {
      const LatexColumn& column = layout_.columns[c];
      char width[96];
      std::snprintf(width, sizeof width, ">{\\raggedright\\arraybackslash}p{%.1fpt}", column.set);
      spec += column.broken ? width : column.right ? "r" : "l";
      head += (head.empty() ? "" : " & ") + heading(c, column);
    }
    std::string out =
        "\\begin{tabular}{@{}" + spec + "@{}}\n\\toprule\n" + head + " \\\\\n\\midrule\n";
    for (std::size_t r = first; r < last; ++r) {
      std::string line;
      for (std::size_t i = 0; i < columns.size(); ++i) {
        const Cell& cell = table_.rows[r][columns[i]];
        const std::string text =
            latex_cell(cell, shown_text(cell, options_.interval), options_.paper);
        line += (i ? " & " : "") + (layout_.columns[columns[i]].broken ? breakable(text) : text);
      }
      out += line + " \\\\\n";
    }
    return out + "\\bottomrule\n\\end{tabular}\n";
  }

  // Several lines of a heading stand on the one below.
  std::string heading(std::size_t c, const LatexColumn& column) const {
    std::string out;
    for (const auto& line : heads_[c]) out += (out.empty() ? "" : "\\\\") + escape_latex(line);
    if (heads_[c].size() == 1 || column.broken) {
      return column.broken ? escape_latex(joined(heads_[c], " ")) : out;
    }
    return std::string("\\shortstack[") + (column.right ? "r" : "l") + "]{" + out + "}";
  }

  Table table_;
  std::string label_;
  const LatexOptions& options_;
  std::vector<std::vector<std::string>> texts_;  // as they are measured
  std::vector<std::vector<std::string>> heads_;  // lines of the headings
  LatexLayout layout_;
};

}  // namespace

std::string escape_latex(const std::string& text) {
  std::string out;
  for (std::size_t i = 0; i < text.size();) {
    const auto sign = std::find_if(kSigns.begin(), kSigns.end(), [&](const auto& s) {
      return text.compare(i, s.first.size(), s.first) == 0;
    });
    if (sign != kSigns.end()) {
      out += sign->second;
      i += sign->first.size();
    } else if (static_cast<unsigned char>(text[i]) >= 0x80) {
      out += letter_at(text, i);
    } else {
      out += ascii(text[i++], out.empty());
    }
  }
  return out;
}

std::string to_latex(const Table& table, const std::string& label, const LatexOptions& options) {
  return LatexTable(table, label, options).text();
}

LatexInterval latex_interval(const std::string& word) {
  if (word == "none") return LatexInterval::none;
  if (word == "pm") return LatexInterval::pm;
  if (word == "range") return LatexInterval::range;
  fail_input("--interval: \"" + word + "\" is no way to show an interval",
             "choose none, pm (30.12 ±1.20) or range (30.12 [28.90, 31.35])");
}

void check_latex_columns(const std::vector<std::string>& columns) {
  std::vector<std::string> known = {"n", "seeds"};
  for (const metrics::Metric* m : metrics::all_metrics()) known.emplace_back(m->key);
  for (const auto& word : columns) {
    if (std::find(known.begin(), known.end(), metrics::current_key(word)) != known.end()) continue;
    fail_input("--columns: there is no metric \"" + word + "\"", "choose from: " + joined(known));
  }
}

}  // namespace straq::report
