// CoT: the seeker's emotion first, then the strategy, then the reply. In text it is one answer of
// three labelled lines; where options are scored the emotion is an answer of its own.
#include "respond/methods/methods.h"
#include "respond/wording.h"

namespace straq::respond {
namespace {

struct CotWording {
  std::string feel;
  DraftWording draft;
  void fields(config::Fields& f) {
    piece(f, "feel", feel);
    draft.fields(f);
  }
};

}  // namespace

Method open_cot(const std::string& wording, const dialogue::StrategySet&) {
  const auto words = config::read<CotWording>(config::load_config(wording));
  return {"cot", [words](Scene& scene) {
            if (scene.by_scores()) {
              scene.note("emotion", scene.write_note(words.feel, "emotion"));
              scene.draft(words.draft);
              return;
            }
            scene.note("emotion", scene.part_of(scene.draft(words.draft), "emotion"));
          }};
}

}  // namespace straq::respond
