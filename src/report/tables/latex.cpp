#include "report/tables/latex.h"

#include <algorithm>
#include <utility>
#include <vector>

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

std::string cell_text(const Cell& cell) {
  std::string text = escape_latex(cell.text);
  const Emphasis e = emphasis_of(cell);
  if (e == Emphasis::best) text = "\\textbf{" + text + "}";
  if (e == Emphasis::second) text = "\\underline{" + text + "}";
  const std::string theirs = paper_text(cell);
  if (!theirs.empty()) text += " {\\scriptsize " + escape_latex("[" + theirs + "]") + "}";
  return text;
}

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

std::string to_latex(const Table& t, const std::string& label) {
  const auto paper = paper_columns(t);
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
    out += (c ? " & " : "") + escape_latex(t.columns[c]) +
           (paper[c] ? " {\\scriptsize " + escape_latex("[paper]") + "}" : "");
  }
  out += " \\\\\n\\midrule\n";
  for (const auto& row : t.rows) {
    for (std::size_t c = 0; c < row.size(); ++c) {
      out += (c ? " & " : "") + cell_text(row[c]);
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
