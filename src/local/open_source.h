// A source of replies as a config names it: local weights, a server, or replies that were recorded.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "config/fields.h"
#include "language/server.h"
#include "language/source.h"
#include "local/local_model.h"

namespace straq::local {

struct ReplayConfig {
  std::string folder, model;
  void fields(config::Fields& f) {
    f.required("folder", folder);
    f.required("model", model);
  }
};

struct SourceConfig {
  // Exactly one of these.
  std::optional<LocalConfig> local;
  std::optional<language::ServerConfig> server;
  std::optional<ReplayConfig> replay;
  // A folder where replies are kept, so that none is asked for twice; empty: nowhere.
  std::string record;

  void fields(config::Fields& f) {
    f("local", local);
    f("server", server);
    f("replay", replay);
    f("record", record);
  }
};

// Throws Error(input) unless exactly one kind is named, and what opening it throws.
std::unique_ptr<language::Source> open_source(const SourceConfig& config);

}  // namespace straq::local
