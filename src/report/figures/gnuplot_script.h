// Builds the script of a figure line by line. The frame around it is the same for all: an SVG and a
// PNG for the page, and for papers PDFs as wide as a page of text (6.9 inches) and as one of two
// columns (3.3 inches), from one description. Fonts, sizes, colours and titles are gnuplot
// variables that a style file of the user's may set; it is loaded after them and before anything is
// drawn.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

namespace straq::report {

// A line's colour in `kLines` (report/figures/figure_style.h) as scripts name it, by its number:
// "linecolor rgb color3".
std::string line_color(std::size_t line);

// White to dark blue: lightness falls steadily, so it reads the same in grey.
inline constexpr const char* kPalette =
    "palette defined (0 '#ffffff', 0.35 '#9ecae1', 0.7 '#3182bd', 1 '#08306b')";
// What `set` takes for the grid of all figures with axes.
inline constexpr const char* kGrid = "grid linetype 1 linewidth 0.5 linecolor rgb '#d0d0d0'";

class GnuplotScript {
 public:
  // Lines of gnuplot as they are: "set " + what, "unset " + what.
  GnuplotScript& set(const std::string& what);
  GnuplotScript& unset(const std::string& what);
  // set("title 'text'") with any text, quoted.
  GnuplotScript& set_text(const std::string& what, const std::string& text);
  // The figure's own title, which a paper's picture goes without.
  GnuplotScript& figure_title(const std::string& title);
  // Panels in rows and columns under one title, until the end of the script; in the picture of a
  // column's width one below the other.
  GnuplotScript& panels(int rows, int columns, const std::string& title);
  // Below a panel, for a key that stands under all panels: each has it where they stand beside each
  // other, the last alone where they stand one below the other.
  GnuplotScript& room_for_key(bool last);
  // One plot of several parts ("data using 1:2 with lines"), a line each. The variable `data` is
  // the figure's data file.
  GnuplotScript& plot(const std::vector<std::string>& parts);

  // The whole script of the figure `id`, whose pictures have this size in pixels.
  std::string text(const std::string& id, const std::string& title, int width, int height) const;

 private:
  std::string body_;
  int rows_ = 0, columns_ = 0;  // of panels; 0: there are none
};

// The parts of a heat map, from rows "column row share count": cells in the palette's colours, with
// the share in percent on those with a count. `from`: the data, `again`: the same for further
// parts.
std::vector<std::string> heat_parts(const std::string& from, const std::string& again);

}  // namespace straq::report
