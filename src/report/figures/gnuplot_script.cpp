#include "report/figures/gnuplot_script.h"

#include <cstdio>

#include "report/figures/figure_style.h"
#include "report/figures/gnuplot.h"

namespace straq::report {
namespace {

// All pictures from one description: `body` is run for each.
std::string frame_of(const std::string& id, const std::string& title, int width, int height,
                     const std::string& body) {
  const std::string size = std::to_string(width) + "," + std::to_string(height);
  // A PDF's size is in inches; 96 pixels of the other pictures are one.
  char inches[64];
  std::snprintf(inches, sizeof inches, "%.3fin,%.3fin", width / 96.0, height / 96.0);
  return "# " + one_line(title) + "\n# Draw it again with: gnuplot " + id + ".gp\n" +
         "set encoding utf8\n"
         "data = '" +
         id +
         ".dat'\n"
         "do for [picture in \"svg png pdf\"] {\n"
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
         "  if (picture eq \"pdf\") {\n"
         "    set terminal pdfcairo size " +
         inches +
         " noenhanced font 'Sans,10'\n"
         "  }\n"
         "  set output '" +
         id + ".'.picture\n" + body +
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

GnuplotScript& GnuplotScript::panels(const std::string& layout, const std::string& title) {
  panels_ = true;
  return set_text("multiplot layout " + layout + " title", title);
}

GnuplotScript& GnuplotScript::plot(const std::vector<std::string>& parts) {
  body_ += "  plot ";
  for (std::size_t i = 0; i < parts.size(); ++i) body_ += (i ? ", \\\n    " : "") + parts[i];
  body_ += "\n";
  return *this;
}

std::string GnuplotScript::text(const std::string& id, const std::string& title, int width,
                                int height) const {
  return frame_of(id, title, width, height, body_ + (panels_ ? "  unset multiplot\n" : ""));
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
