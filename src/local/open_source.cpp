#include "local/open_source.h"

#include <utility>

#include "core/error.h"
#include "language/recording.h"

namespace straq::local {

std::unique_ptr<language::Source> open_source(const SourceConfig& config) {
  const int kinds =
      config.local.has_value() + config.server.has_value() + config.replay.has_value();
  if (kinds != 1) {
    fail_input(
        kinds == 0 ? "no source of replies is named" : "more than one source of replies is named",
        "set exactly one of local, server and replay");
  }
  std::unique_ptr<language::Source> source;
  if (config.local) {
    source = std::make_unique<LocalModel>(*config.local);
  } else if (config.server) {
    source = language::open_server(*config.server);
  } else {
    source = std::make_unique<language::Replay>(config.replay->folder, config.replay->model);
  }
  if (config.record.empty()) return source;
  return std::make_unique<language::Recording>(std::move(source), config.record);
}

}  // namespace straq::local
