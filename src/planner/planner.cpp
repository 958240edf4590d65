#include "planner/planner.h"

#include <filesystem>
#include <utility>

#include "core/error.h"
#include "model/weights/huggingface.h"
#include "results/layout.h"

namespace straq::planner {
namespace fs = std::filesystem;
namespace {

// A run's folder stands for the planner in it.
std::string planner_folder(const std::string& folder) {
  const fs::path inside = fs::path(folder) / results::kPlannerFolder;
  const bool outer = fs::exists(fs::path(folder) / kCardName);
  return !outer && fs::exists(inside / kCardName) ? inside.string() : folder;
}

at::ScalarType dtype_of_files(const std::string& folder) {
  const auto dtype = model::read_huggingface_config(folder).dtype.value_or(at::kFloat);
  return dtype == at::kBFloat16 || dtype == at::kDouble ? dtype : at::kFloat;
}

constexpr const char* kCopyHint = "copy the planner's whole folder again";

void require_same(const std::string& file, const std::string& what, const std::string& found,
                  const std::string& wanted) {
  if (found == wanted) return;
  fail_input(
      file + ": " + what + " gives " + found + ", but the planner was trained with " + wanted,
      kCopyHint);
}

void require_fit(const std::string& folder, const model::LlamaShape& shape, const Card& card,
                 int vocab) {
  if (shape.vocab < vocab) {
    fail_input(folder + ": the tokenizer has " + std::to_string(vocab) +
                   " tokens, but the weights know " + std::to_string(shape.vocab),
               kCopyHint);
  }
  if (shape.max_positions < card.prompt.window) {
    fail_input(folder + "/" + kCardName + ": prompt.window is " +
                   std::to_string(card.prompt.window) + ", but the weights end at " +
                   std::to_string(shape.max_positions) + " positions",
               kCopyHint);
  }
}

}  // namespace

Planner Planner::open(const std::string& folder, const OpenOptions& options) {
  Planner out;
  out.folder_ = planner_folder(folder);
  out.card_ = Card::read(out.folder_);
  const Card& card = out.card_;
  const std::string file = out.folder_ + "/" + kCardName;
  out.strategies_ = std::make_unique<dialogue::StrategySet>(
      dialogue::StrategySet::of(card.strategies, file + ": strategies"));
  out.tokenizer_ = text::open_tokenizer(out.folder_);
  require_same(out.folder_, "its tokenizer", out.tokenizer_->fingerprint(),
               card.tokenizer_fingerprint);
  out.prompts_ = std::make_unique<prompt::PromptBuilder>(
      card.prompt, card.pieces, file + ": template", *out.strategies_, *out.tokenizer_);
  require_same(file, "its prompt (template, prompt, strategies)", out.prompts_->fingerprint(),
               card.prompt_fingerprint);
  if (out.prompts_->option_ids() != card.option_ids) {
    fail_input(file + ": option_ids are not the tokens that its prompt and tokenizer give",
               kCopyHint);
  }
  const auto shape = model::read_huggingface_config(out.folder_).shape;
  require_fit(out.folder_, shape, card, out.tokenizer_->vocab_size());
  if (!card.option_shift.empty() && card.option_shift.size() != card.option_ids.size()) {
    fail_input(file + ": option_shift is not one number for each strategy", kCopyHint);
  }
  if (card.q.readout == Readout::state_head && !shape.state_head) {
    fail_input(file + ": readout is state_head, but the weights have no such head", kCopyHint);
  }
  out.model_.reset(new model::Llama(model::load_huggingface(
      out.folder_, options.dtype.value_or(dtype_of_files(out.folder_)), options.device)));
  const std::vector<std::int64_t> ids(card.option_ids.begin(), card.option_ids.end());
  out.option_ids_ = at::tensor(ids, at::kLong).to(options.device);
  out.micro_tokens_ = options.micro_tokens;
  return out;
}

Reading Planner::reading() const {
  return {*model_, option_ids_, card_.q.readout, micro_tokens_, card_.option_shift};
}

at::Tensor Planner::q(const std::vector<prompt::Comb>& combs) const {
  return ask(reading(), combs);
}

at::Tensor Planner::q(const std::vector<dialogue::Episode>& episodes) const {
  std::vector<prompt::Comb> combs;
  combs.reserve(episodes.size());
  for (const auto& episode : episodes) combs.push_back(prompts_->build_comb(episode));
  return q(combs);
}

at::Tensor Planner::q(const dialogue::Episode& episode) const {
  return q(std::vector<prompt::Comb>{prompts_->build_comb(episode)});
}

at::Tensor Planner::q_next(const dialogue::Episode& history) const {
  dialogue::Episode asked = history;
  asked.decisions.clear();
  return q(with_next(std::move(asked))).select(0, 0);
}

int Planner::choose(const dialogue::Episode& history) const {
  const at::Tensor values = q_next(history);
  return choice({values.const_data_ptr<float>(), static_cast<std::size_t>(values.numel())});
}

bool awaits_answer(const dialogue::Episode& episode) {
  return !episode.turns.empty() && episode.turns.back().speaker == dialogue::Speaker::seeker;
}

dialogue::Episode with_next(dialogue::Episode history) {
  if (!awaits_answer(history)) {
    fail_input("dialogue " + history.id + ": the supporter is to speak next, but " +
                   (history.turns.empty() ? "nobody has spoken yet" : "has spoken last"),
               "end the dialogue with the seeker's turn that is to be answered");
  }
  dialogue::Decision next;
  next.turn = static_cast<int>(history.turns.size());
  next.gold = -1;
  for (const auto& turn : history.turns) {
    if (turn.speaker == dialogue::Speaker::supporter) next.previous = turn.strategy;
  }
  if (!history.decisions.empty()) history.decisions.back().terminal = false;
  next.terminal = true;
  history.decisions.push_back(next);
  return history;
}

}  // namespace straq::planner
