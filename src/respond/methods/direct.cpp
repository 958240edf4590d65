// Direct: strategy and reply, asked for once.
#include "respond/methods/methods.h"

namespace straq::respond {
namespace {

struct DirectWording {
  DraftWording draft;
  void fields(config::Fields& f) { draft.fields(f); }
};

}  // namespace

Method open_direct(const std::string& wording, const dialogue::StrategySet&) {
  const auto words = config::read<DirectWording>(config::load_config(wording));
  return {"direct", [words](Scene& scene) { scene.draft(words.draft); }};
}

}  // namespace straq::respond
