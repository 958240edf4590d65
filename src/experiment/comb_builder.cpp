#include "experiment/comb_builder.h"

#include <filesystem>

#include "core/files/gguf_file.h"
#include "prompt/builder.h"
#include "prompt/template.h"
#include "respond/reply_combs.h"

namespace straq::experiment {
namespace {

namespace fs = std::filesystem;

// Of a file that is no GGUF file the folder speaks: a tokenizer's file names no template.
std::string chat_place(const std::string& path) {
  if (fs::is_directory(path) || is_gguf_file(path)) return path;
  const auto parent = fs::path(path).parent_path().string();
  return parent.empty() ? "." : parent;
}

}  // namespace

std::optional<text::ModelChat> responder_chat(const ExperimentConfig& config) {
  for (const auto& path : {config.model.from, config.tokenizer.path}) {
    if (path.empty()) continue;
    if (auto chat = text::chat_of_model(chat_place(path))) return chat;
  }
  return std::nullopt;
}

std::unique_ptr<prompt::CombBuilder> make_comb_builder(const ExperimentConfig& config,
                                                       const dialogue::StrategySet& strategies,
                                                       const text::Tokenizer& tokenizer) {
  if (!config.responder.trains()) {
    return std::make_unique<prompt::PromptBuilder>(config.prompt, strategies, tokenizer);
  }
  const auto chat = responder_chat(config);
  return std::make_unique<respond::ReplyCombs>(config.responder, config.prompt.window, strategies,
                                               tokenizer, chat ? chat->format : text::ChatFormat{});
}

std::vector<std::string> fixed_texts(const ExperimentConfig& config,
                                     const dialogue::StrategySet& strategies) {
  if (config.responder.trains()) return respond::fixed_texts(config.responder, strategies);
  return prompt::fixed_texts(config.prompt, prompt::Template::load(config.prompt.template_path),
                             strategies);
}

}  // namespace straq::experiment
