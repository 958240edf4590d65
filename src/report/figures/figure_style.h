// What all figures share, so that they look like one family: colours that keep their order of
// lightness in grey, lines that differ in mark and dash as well as in hue, and how values, ticks
// and captions are written. (The scripts' common frame: report/figures/gnuplot_script.h.)
#pragma once

#include <set>
#include <string>
#include <vector>

#include "results/results.h"

namespace straq::report {

// Okabe and Ito's colours, dark ones first. All marks differ in shape, and colours that share a
// dash differ in lightness, so that lines without marks can be told apart in grey too.
struct LineStyle {
  const char* color;
  int mark;
  int dash;
};
inline constexpr LineStyle kLines[] = {{"#0072B2", 7, 1},  {"#D55E00", 5, 2},  {"#009E73", 9, 4},
                                       {"#CC79A7", 11, 5}, {"#56B4E9", 13, 3}, {"#E69F00", 6, 2},
                                       {"#000000", 4, 4},  {"#999999", 8, 1}};
inline constexpr std::size_t kMostLines = std::size(kLines);

// A curve of more points is thinned in the picture (not in the data file).
inline constexpr std::size_t kMostPoints = 2000;

// File endings of a figure's pictures.
inline constexpr const char* kPictures[] = {".svg", ".png", ".pdf", "-column.pdf"};

// For a data file: "NaN" for what is not finite or not there.
std::string number(double x);
std::string number(const std::optional<double>& x);

// Newlines would leave the script's comment.
std::string one_line(std::string s);

// "seed 3", for captions.
std::string seed_words(const results::Run& run);

// Tick labels of the strategies of a run: abbreviations, else names, else indices.
std::vector<std::string> strategy_ticks(const results::Run& run, std::size_t strategies);

// "'Que.' 0, 'Ref.' 1"
std::string tick_list(const std::vector<std::string>& ticks);
// Marks at these values of a panel's axis, "(0, 0.5, '' 0.85, 0.9) rotate by 90 right": labels that
// would run into each other stand upright, and one too close to its neighbour is left out (its mark
// stays). The last value keeps its label.
std::string value_ticks(const std::set<double>& values);

}  // namespace straq::report
