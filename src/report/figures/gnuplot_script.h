// Builds the script of a figure line by line. The frame around it (terminals for SVG, PNG and PDF
// from one description, fonts, sizes) is the same for all.
#pragma once

#include <string>
#include <vector>

namespace straq::report {

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
  // Panels by "rows,columns" under one title, until the end of the script.
  GnuplotScript& panels(const std::string& layout, const std::string& title);
  // One plot of several parts ("data using 1:2 with lines"), a line each. The variable `data` is
  // the figure's data file.
  GnuplotScript& plot(const std::vector<std::string>& parts);

  // The whole script of the figure `id`, whose pictures have this size in pixels.
  std::string text(const std::string& id, const std::string& title, int width, int height) const;

 private:
  std::string body_;
  bool panels_ = false;
};

// The parts of a heat map, from rows "column row share count": cells in the palette's colours, with
// the share in percent on those with a count. `from`: the data, `again`: the same for further
// parts.
std::vector<std::string> heat_parts(const std::string& from, const std::string& again);

}  // namespace straq::report
