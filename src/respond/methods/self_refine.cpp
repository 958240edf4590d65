// Self-Refine: a first answer, the model's own feedback on it, and a second answer that follows the
// feedback (Madaan et al. 2023; one round, as Kang et al. 2024 have it).
#include "respond/methods/methods.h"
#include "respond/wording.h"

namespace straq::respond {
namespace {

struct FeedbackWording {
  DraftWording first, revise;
  std::string feedback;
  void fields(config::Fields& f) {
    f.required("first", first);
    piece(f, "feedback", feedback);
    f.required("revise", revise);
  }
};

}  // namespace

Method open_self_refine(const std::string& wording, const dialogue::StrategySet&) {
  const auto words = config::read<FeedbackWording>(config::load_config(wording));
  return {"self_refine", [words](Scene& scene) {
            scene.draft(words.first);
            scene.note("first", scene.outcome().reply);
            scene.note("feedback", scene.write_note(words.feedback, "feedback"));
            scene.draft(words.revise);
          }};
}

}  // namespace straq::respond
