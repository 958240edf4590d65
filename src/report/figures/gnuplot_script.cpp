#include "report/figures/gnuplot_script.h"

#include <cstdio>
#include <iterator>

#include "report/figures/figure_style.h"
#include "report/figures/gnuplot.h"

namespace straq::report {
namespace {

constexpr double kPageInches = 6.9, kColumnInches = 3.3;
// Of a panel in a picture of a column's width, and of what stands around all of them.
constexpr double kPanelInches = 1.9, kAroundInches = 0.5;

std::string inches(double x) {
  char buffer[32];
  std::snprintf(buffer, sizeof buffer, "%.3f", x);
  return buffer;
}

// What a style file may set, with what it is without one.
std::string defaults_of(double page_height, double column_height) {
  std::string out =
      "# A style of your own: set any of these variables, or say other `set` commands, in\n"
      "# ../style.gp, which reports read and never write over.\n"
      "page_width = " +
      inches(kPageInches) + "; column_width = " + inches(kColumnInches) +
      "  # inches\n"
      "page_height = " +
      inches(page_height) + "; column_height = " + inches(column_height) +
      "\n"
      "font_name = 'Sans'; page_font = 8; column_font = 7  # points, of the PDFs\n"
      "titles = 0  # 1: the PDFs have the figure's title too\n";
  for (std::size_t i = 0; i < kMostLines; ++i) {
    out += (i % 4 == 0 ? "" : "; ") + std::string("color") + std::to_string(i + 1) + " = '" +
           kLines[i].color + "'" + (i % 4 == 3 || i + 1 == kMostLines ? "\n" : "");
  }
  return out;
}

// All pictures from one description: `body` is run for each.
std::string frame_of(const std::string& id, const std::string& title, int width, int height,
                     int rows, int columns, const std::string& body) {
  const std::string size = std::to_string(width) + "," + std::to_string(height);
  const int panels = rows * columns;
  const double page = kPageInches * height / width;
  const double column =
      panels > 0 ? kPanelInches * panels + kAroundInches : kColumnInches * height / width;
  return "# " + one_line(title) + "\n# Draw it again with: gnuplot " + id + ".gp\n" +
         "set encoding utf8\n"
         "data = '" +
         id + ".dat'\n" + defaults_of(page, column) +
         "do for [file in \"style.gp ../style.gp\"] {\n"
         "  if (strlen(system('test -f '.file.' && echo yes')) > 0) { load file }\n"
         "}\n"
         "do for [picture in \"svg png pdf column\"] {\n"
         "  shown = titles || picture eq \"svg\" || picture eq \"png\"\n"
         "  if (picture eq \"svg\") {\n"
         "    set terminal svg size " +
         size +
         " noenhanced font 'Helvetica,Arial,sans-serif,14' background '#ffffff'\n"
         "  }\n"
         "  if (picture eq \"png\") {\n"
         "    set terminal pngcairo size " +
         size +
         " noenhanced font 'Sans,11'\n"
         "  }\n"
         // gnuplot's points are 4/3 of a printed one at a scale of 1.
         "  if (picture eq \"pdf\") {\n"
         "    set terminal pdfcairo size page_width in,page_height in noenhanced "
         "font sprintf('%s,%g', font_name, page_font) fontscale 0.75\n"
         "  }\n"
         "  if (picture eq \"column\") {\n"
         "    set terminal pdfcairo size column_width in,column_height in noenhanced "
         "font sprintf('%s,%g', font_name, column_font) fontscale 0.75\n"
         "  }\n"
         "  rows = picture eq \"column\" ? " +
         std::to_string(panels) + " : " + std::to_string(rows) +
         "; columns = picture eq \"column\" ? 1 : " + std::to_string(columns) +
         "\n"
         "  set output picture eq \"column\" ? '" +
         id + "-column.pdf' : '" + id + ".'.picture\n" + body +
         "  unset output\n"
         "}\n";
}

}  // namespace

GnuplotScript& GnuplotScript::set(const std::string& what) {
  body_ += "  set " + what + "\n";
  return *this;
}

GnuplotScript& GnuplotScript::unset(const std::string& what) {
  body_ += "  unset " + what + "\n";
  return *this;
}

GnuplotScript& GnuplotScript::set_text(const std::string& what, const std::string& text) {
  return set(what + " " + gnuplot_quote(text));
}

GnuplotScript& GnuplotScript::figure_title(const std::string& title) {
  return set("title shown ? " + gnuplot_quote(title) + " : ''");
}

GnuplotScript& GnuplotScript::panels(int rows, int columns, const std::string& title) {
  rows_ = rows;
  columns_ = columns;
  return set("multiplot layout rows,columns title shown ? " + gnuplot_quote(title) + " : ''");
}

GnuplotScript& GnuplotScript::plot(const std::vector<std::string>& parts) {
  body_ += "  plot ";
  for (std::size_t i = 0; i < parts.size(); ++i) body_ += (i ? ", \\\n    " : "") + parts[i];
  body_ += "\n";
  return *this;
}

std::string GnuplotScript::text(const std::string& id, const std::string& title, int width,
                                int height) const {
  return frame_of(id, title, width, height, rows_, columns_,
                  body_ + (rows_ > 0 ? "  unset multiplot\n" : ""));
}

std::string line_color(std::size_t line) {
  return "linecolor rgb color" + std::to_string(line % kMostLines + 1);
}

GnuplotScript& GnuplotScript::room_for_key(bool last) {
  return set(std::string("bmargin picture eq \"column\" ? ") + (last ? "8" : "-1") + " : 9");
}

std::vector<std::string> heat_parts(const std::string& from, const std::string& again) {
  // Dark letters on light cells, white ones on dark.
  const auto numbers = [&](const char* which, const char* color) {
    return again + " using 1:(" + which + " ? $2 : 1/0):(sprintf('%.0f', 100*$3)) with labels " +
           "textcolor rgb '" + color + "'";
  };
  return {
      from + " using 1:2:(0.5):(0.5):3 with boxxyerror fillstyle solid noborder linecolor palette",
      numbers("$3 < 0.55 && $4 > 0", "#111111"), numbers("$3 >= 0.55", "#ffffff")};
}

}  // namespace straq::report
