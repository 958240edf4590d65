#include "core/log.h"

#include <spdlog/sinks/stdout_color_sinks.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <chrono>
#include <nlohmann/json.hpp>

namespace straq::log {
namespace {

constexpr const char* text_pattern = "%Y-%m-%d %H:%M:%S.%e %^%L%$ %v";

struct State {
  Level level = Level::info;
  Format format = Format::text;
  int rank = 0;
  int width = 1;
  std::shared_ptr<spdlog::logger> logger;

  State() {
    logger = std::make_shared<spdlog::logger>(
        "straq", std::make_shared<spdlog::sinks::stderr_color_sink_mt>());
    logger->set_level(spdlog::level::trace);
    logger->flush_on(spdlog::level::info);
    logger->set_pattern(text_pattern);
  }
};

State& state() {
  static State s;
  return s;
}

spdlog::level::level_enum to_spdlog(Level level) {
  switch (level) {
    case Level::debug:
      return spdlog::level::debug;
    case Level::info:
      return spdlog::level::info;
    case Level::warn:
      return spdlog::level::warn;
    default:
      return spdlog::level::err;
  }
}

const char* name(Level level) {
  switch (level) {
    case Level::debug:
      return "debug";
    case Level::info:
      return "info";
    case Level::warn:
      return "warn";
    default:
      return "error";
  }
}

}  // namespace

void setup(Level level, Format format, int rank, int size) {
  State& s = state();
  s.level = level;
  s.format = format;
  s.logger->set_pattern(format == Format::json ? "%v" : text_pattern);
  set_rank(rank, size);
}

void set_rank(int rank, int size) {
  state().rank = rank;
  state().width = static_cast<int>(std::to_string(std::max(size - 1, 0)).size());
}

bool enabled(Level level) {
  return level >= state().level && state().level != Level::quiet;
}

void write(Level level, std::string_view subsystem, const std::string& message) {
  State& s = state();
  if (s.format == Format::json) {
    const auto now =
        std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch());
    nlohmann::json line = {{"time", now.count()},
                           {"level", name(level)},
                           {"rank", s.rank},
                           {"subsystem", subsystem},
                           {"message", message}};
    s.logger->log(to_spdlog(level),
                  line.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace));
    return;
  }
  s.logger->log(to_spdlog(level),
                fmt::format("[{:>{}}] [{}] {}", s.rank, s.width, subsystem, message));
}

}  // namespace straq::log
