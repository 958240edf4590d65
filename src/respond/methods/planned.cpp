// straQ*: a planner has chosen the strategy, the model writes the reply that follows it.
#include "respond/methods/methods.h"
#include "respond/wording.h"

namespace straq::respond {
namespace {

struct PlannedWording {
  std::string write;
  void fields(config::Fields& f) {
    piece(f, "write", write, {"strategy", "definition"}, {"strategy"});
  }
};

}  // namespace

Method open_planned(const std::string& wording, const dialogue::StrategySet&) {
  const auto words = config::read<PlannedWording>(config::load_config(wording));
  return {"straq", [words](Scene& scene) {
            scene.outcome().strategy = scene.task().plan.value();
            scene.write(words.write);
          }};
}

}  // namespace straq::respond
