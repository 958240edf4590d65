#include "coordinate/check_inputs.h"

#include <string>

#include "core/error.h"
#include "experiment/stages.h"

namespace straq::coordinate {
namespace {

std::string names_of(const dialogue::CorpusPlan& data) {
  std::string out;
  for (const auto& s : data.splits) out += (out.empty() ? "" : ", ") + s.name;
  return out;
}

// The split's labelled decisions; throws where there are none.
void require_decisions(const DatasetJob& data, const std::string& split, const std::string& key,
                       const std::string& hint) {
  const auto& splits = data.corpus();
  const auto* found = splits.find(split);
  if (found == nullptr) {
    fail_input(key + ": the data has no split \"" + split + "\"; it has " + names_of(splits), hint);
  }
  if (found->decisions > 0) return;
  fail_input(key + ": no dialogue of the split \"" + split + "\" has a labelled decision", hint);
}

}  // namespace

void check_inputs(const experiment::ExperimentConfig& config, const DatasetJob& data) {
  if (data.corpus().find("train") == nullptr) {
    fail_input("data.train: the data has no split \"train\"; it has " + names_of(data.corpus()),
               "name the file to learn from in data.train");
  }
  if (experiment::needs_decisions(config)) {
    require_decisions(
        data, "train", "data.train",
        "training needs supporter turns with a strategy; `straq dataset stats` counts "
        "them");
  }
  for (const auto& split : config.evaluate.splits) {
    require_decisions(data, split, "evaluate.splits",
                      "name the splits to score, as in evaluate.splits: [test], or give data." +
                          split + " a file with strategy labels");
  }
  if (config.evaluate.during_training()) {
    require_decisions(data, config.evaluate.split, "evaluate.split",
                      "name another split, or leave evaluate.every_steps and every_epochs at 0");
  }
}

}  // namespace straq::coordinate
