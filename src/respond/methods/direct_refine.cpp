// Direct-Refine: a first answer, then the same model is shown it and revises both parts, without
// feedback in between (Kang et al. 2024, appendix C.4).
#include "respond/methods/methods.h"

namespace straq::respond {
namespace {

struct RefineWording {
  DraftWording first, revise;
  void fields(config::Fields& f) {
    f.required("first", first);
    f.required("revise", revise);
  }
};

}  // namespace

Method open_direct_refine(const std::string& wording, const dialogue::StrategySet&) {
  const auto words = config::read<RefineWording>(config::load_config(wording));
  return {"direct_refine", [words](Scene& scene) {
            scene.draft(words.first);
            scene.note("first", scene.outcome().reply);
            scene.draft(words.revise);
          }};
}

}  // namespace straq::respond
