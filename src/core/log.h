// Logging to standard error with rank and subsystem, as text or as one JSON object a line.
// Standard output stays free for results.
#pragma once

#include <spdlog/fmt/fmt.h>

#include <string>
#include <string_view>

namespace straq::log {

enum class Level { debug, info, warn, error, quiet };
enum class Format { text, json };

// Set once at start; `rank` and `size` are those of MPI's world (0 and 1 without MPI).
void setup(Level level, Format format, int rank = 0, int size = 1);
void set_rank(int rank, int size);
bool enabled(Level level);
void write(Level level, std::string_view subsystem, const std::string& message);

template <class... A>
void debug(std::string_view subsystem, fmt::format_string<A...> f, A&&... a) {
  if (enabled(Level::debug)) {
    write(Level::debug, subsystem, fmt::format(f, std::forward<A>(a)...));
  }
}
template <class... A>
void info(std::string_view subsystem, fmt::format_string<A...> f, A&&... a) {
  if (enabled(Level::info)) write(Level::info, subsystem, fmt::format(f, std::forward<A>(a)...));
}
template <class... A>
void warn(std::string_view subsystem, fmt::format_string<A...> f, A&&... a) {
  if (enabled(Level::warn)) write(Level::warn, subsystem, fmt::format(f, std::forward<A>(a)...));
}
template <class... A>
void error(std::string_view subsystem, fmt::format_string<A...> f, A&&... a) {
  if (enabled(Level::error)) write(Level::error, subsystem, fmt::format(f, std::forward<A>(a)...));
}

}  // namespace straq::log
