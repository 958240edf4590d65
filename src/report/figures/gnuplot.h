// Figures are drawn by gnuplot as a child process, from a script and a data file that stay beside
// the pictures: a user restyles a figure by editing the script and running gnuplot on it again.
#pragma once

#include <optional>
#include <string>

namespace straq::report {

// What `program --version` prints, or nothing when there is no such program.
std::optional<std::string> gnuplot_version(const std::string& program);

// Runs `program script` with `folder` as current folder. Throws Error(failure) with what gnuplot
// said when it fails or cannot be started.
void run_gnuplot(const std::string& program, const std::string& folder, const std::string& script);

// A gnuplot string literal: single quotes, in which nothing is interpreted; control characters
// become blanks.
std::string gnuplot_quote(const std::string& text);

}  // namespace straq::report
