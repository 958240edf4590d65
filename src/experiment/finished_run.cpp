#include "experiment/finished_run.h"

#include <string>
#include <vector>

#include "core/error.h"
#include "core/log.h"
#include "experiment/experiment.h"
#include "results/layout.h"
#include "results/rows/provenance.h"

namespace straq::experiment {
namespace {

// How a run of a version that did not note its inputs compares: its config, with every default
// written out and without what only says where and how it was computed and scored.
std::string comparable(const config::Value& config) {
  config::Value out = config;
  try {
    out = config::dump(read_experiment(config));
  } catch (const Error&) {
    // A config that this version cannot read stays as it is.
  }
  std::erase_if(out.map, [](const auto& kv) {
    for (const char* key : {"sweep", "results", "roles", "threads", "checkpoint", "watchdog",
                            "shards", "evaluate", "gen", "simulate"}) {
      if (kv.first == key) return true;
    }
    return false;
  });
  for (auto& [name, section] : out.map) {
    std::erase_if(section.map, [&](const auto& kv) {
      return (name == "model" && (kv.first == "device" || kv.first == "recompute")) ||
             (name == "learn" && (kv.first == "collectives" || kv.first == "micro_tokens" ||
                                  kv.first == "zero1" || kv.first == "max_bad_steps"));
    });
    for (auto& [key, inner] : section.map) {
      if (name != "learn" || key != "replay") continue;
      std::erase_if(inner.map, [](const auto& kv) { return kv.first == "memory_mb"; });
    }
  }
  return config::to_yaml(out);
}

// How predictions are scored is no input of a run, but a table made of them is worth a word.
void tell_other_evaluation(const std::string& folder, const config::Value& before,
                           const config::Value& now) {
  const auto section = [](const config::Value& root) {
    const config::Value* v = root.find("evaluate");
    return v == nullptr ? std::string() : config::to_yaml(*v);
  };
  if (section(before) == section(now)) return;
  log::warn("coordinate",
            "{} was evaluated as its {} says, not as evaluate says now; "
            "`straq evaluate` scores it again",
            folder, results::kConfigFile);
}

}  // namespace

bool done_with(const results::RunFolder& run, const config::Value& config, const RunInputs& inputs,
               bool anyway) {
  if (!run.done()) return false;
  const config::Value old = config::load_yaml(run.config());
  auto provenance = results::ProvenanceFile::read(run.provenance())
                        .value_or(results::ProvenanceFile{nlohmann::ordered_json::object()});
  std::vector<std::string> changes;
  if (provenance.known.inputs) {
    changes = inputs.changes_since(*provenance.known.inputs);
  } else if (provenance.notes_inputs) {
    changes = {std::string("its ") + results::kProvenanceFile +
               " does not say what it was made from"};
  } else if (comparable(old) != comparable(config)) {
    changes = {"its config was another"};
  }
  if (!changes.empty() && !anyway) {
    fail_input(run.path() + " holds a finished run of other inputs: " + join_changes(changes),
               "give this experiment another name, remove that folder, or take the run as it is "
               "with --continue-anyway");
  }
  if (!changes.empty()) {
    log::warn("coordinate", "{} is taken as done although {} (--continue-anyway)", run.path(),
              join_changes(changes));
    provenance.note(run.provenance(), {{"taken_as", "done"}, {"changes", changes}});
  }
  tell_other_evaluation(run.path(), old, config);
  return true;
}

}  // namespace straq::experiment
