// How wide a table is in print, and how it is set so that it fits: type size, one column or two,
// broken cells, parts. Widths are estimated from the average advances of Computer Modern, a little
// on the safe side, because what LaTeX finds out while it sets a table comes too late.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "core/tables/table.h"

namespace straq::report {

// In points, of a column and of the text width of common two-column classes (article, IEEEtran,
// ACL, each at least as wide).
inline constexpr double kLatexColumn = 219, kLatexPage = 448;
// Nothing is set smaller.
inline constexpr int kLeastType = 7;

// Of a text at 10 points.
double latex_width(const std::string& text);

// A heading in lines, none of which is wider than it must be or than `width` points at 10.
std::vector<std::string> heading_lines(const std::string& heading, double width);

struct LatexColumn {
  bool right = false;   // numbers
  double width = 0;     // the widest cell or heading line at 10 points
  bool broken = false;  // text that may be set in several lines
  double set = 0;       // points that a broken column gets
};

struct LatexLayout {
  bool wide = false;  // both columns of the page
  int type = 9;       // points
  std::vector<LatexColumn> columns;
  // Columns of each part; the first ones, which say what a row is, come again in each.
  std::vector<std::vector<std::size_t>> parts;
};

// `texts`: the cells as they are shown, a row each; `heads`: the lines of each heading.
LatexLayout latex_layout(const Table& table, const std::vector<std::vector<std::string>>& texts,
                         const std::vector<std::vector<std::string>>& heads);

// Between two columns, in points on each side.
inline constexpr double kLatexGap = 3;

}  // namespace straq::report
