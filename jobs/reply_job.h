// What `straq respond` and `straq judge` share: sources of a config whose replies are always kept,
// ranks that each ask their share, and a line about how far a job is.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "comm/world.h"
#include "config/fields.h"
#include "core/environment.h"
#include "language/source.h"
#include "local/open_source.h"
#include "results/run_folder.h"

namespace straq::jobs {

// A model that writes or judges, with a name for tables: the keys of a source, and `name`.
struct NamedSource {
  std::string name;
  local::SourceConfig source;
  void fields(config::Fields& f) {
    f.required("name", name);
    source.fields(f);
  }
};

// Throws Error(input) for a list that is empty or names one twice, or by no folder's name.
void check_names(const std::vector<NamedSource>& sources, const std::string& key);

// With `record` where the config names none.
std::unique_ptr<language::Source> open_recorded(local::SourceConfig config,
                                                const std::string& record);

// config.yaml and provenance.json of a folder that replies or scores go to.
void begin_reply_folder(const results::RunFolder& run, const std::string& config,
                        const comm::World& world);

// Logs "120 of 600 (480 answers), about 40 s left" now and then, and tells the watchdog that work
// goes on.
class ProgressLine {
 public:
  explicit ProgressLine(std::string what) : what_(std::move(what)), start_(monotonic_seconds()) {}
  void operator()(std::int64_t over, std::int64_t all);

 private:
  std::string what_;
  double start_, said_ = 0;
  std::int64_t answers_ = 0;
  std::int64_t first_ = -1;  // over at the first call that waited for anything
};

// Runs `ask` on every rank and shares how it went. False on all where any says that it was stopped.
bool ask_on_all(const comm::World& world, const std::function<bool()>& ask);

}  // namespace straq::jobs
