#include "train/responder_files.h"

#include <filesystem>
#include <nlohmann/json.hpp>

#include "core/error.h"
#include "core/files/files.h"
#include "core/json/json.h"
#include "dialogue/data_config.h"
#include "experiment/comb_builder.h"
#include "text/model_chat_template.h"
#include "train/evaluate.h"

namespace straq::train {

ResponderFiles gather_responder(const experiment::ExperimentConfig& config,
                                const shard::DatasetView& data, const std::string& tokenizer,
                                const RunInputs& inputs) {
  ResponderFiles out;
  const auto opened = text::open_tokenizer(tokenizer);
  const auto strategies = dialogue::load_strategies(config.data);
  const auto combs = experiment::make_comb_builder(config, strategies, *opened);
  const auto require = [](const std::string& what, bool same) {
    if (same) return;
    fail_input(what + " not what the shards were made with: changed since",
               "run straq preprocess again");
  };
  const auto& parts = data.manifest.parts;
  require("tokenizer " + tokenizer + " is", opened->fingerprint() == parts.tokenizer);
  require("the wordings in " + config.responder.wordings + ", the strategies of " +
              config.data.strategies + " or the model's chat template are",
          combs->fingerprint() == parts.prompt && combs->window() == parts.window);
  out.tokenizer = planner::tokenizer_files(tokenizer);
  nlohmann::ordered_json card{{"format_version", 1}};
  card["method"] = config.responder.method;
  card["context"] = config::to_json(config::dump(config.responder.context));
  card["window"] = config.prompt.window;
  if (const auto chat = experiment::responder_chat(config)) {
    out.chat_template = chat->jinja;
    card["chat"] = text::words_of(chat->format);
  }
  for (const auto& s : strategies.items()) {
    card["strategies"].push_back({{"name", s.name}, {"definition", s.definition}});
  }
  card["prompt_fingerprint"] = combs->fingerprint();
  card["tokenizer_fingerprint"] = opened->fingerprint();
  card["inputs_sha256"] = inputs.hex();
  out.card = dump_json(card, 2) + "\n";
  return out;
}

void save_responder(const model::Llama& model, const ResponderFiles& files,
                    const std::string& folder, const std::string& base) {
  save_weights(model, folder, base);
  planner::write_tokenizer(folder, files.tokenizer);
  const std::string chat = folder + "/" + text::kChatTemplateFile;
  if (files.chat_template.empty()) {
    std::filesystem::remove(chat);
  } else {
    write_file_atomic(chat, files.chat_template);
  }
  write_file_atomic(folder + "/" + kResponderCard, files.card);
}

}  // namespace straq::train
