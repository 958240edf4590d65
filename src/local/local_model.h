// A language model of local weights as a source of replies: chats become tokens by the model's own
// template, generate() writes, tokens become text again.
//
//   LocalConfig config;
//   config.model = "models/SmolLM2-135M-Instruct.Q4_1.gguf";
//   LocalModel model(config);
//   model.answer(requests, [&](std::size_t i, language::Reply reply) { … });
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "config/fields.h"
#include "language/source.h"
#include "local/generate.h"
#include "model/inference/inference_model.h"
#include "text/chat_template.h"
#include "text/tokenizer.h"

namespace straq::local {

struct LocalConfig {
  std::string model;      // a GGUF file or a Hugging Face folder
  std::string tokenizer;  // where it is not the one beside the weights
  std::string adapter;    // the folder of a LoRA adapter (PEFT); empty: none
  // Of the weights; what is computed is fp32 on a CPU.
  model::WeightPrecision precision = model::WeightPrecision::fp32;
  std::string device = "cpu";      // cpu | cuda
  double cache_gib = 2.0;          // memory for keys and values
  std::int64_t pass_tokens = 512;  // of a forward pass
  std::int64_t running = 128;      // texts written at once

  void fields(config::Fields& f);
};

class LocalModel : public language::Source {
 public:
  // Reads the weights. Throws Error(input) naming file or key: no model there, a tokenizer that
  // does not fit its vocabulary, a chat template that is not known.
  explicit LocalModel(const LocalConfig& config);

  std::string name() const override { return name_; }
  // The name with a hash that other weights, another template or tokenizer give another value.
  std::string model() const override { return identity_; }
  bool scores() const override { return true; }
  void answer(const std::vector<language::Request>& requests, const Done& done) override;

  // Of what answer() has done so far.
  const GenerationTotals& totals() const { return totals_; }

 private:
  // The tokens of a request's prompt. Throws Error(input) for a chat that the format does not
  // allow.
  std::vector<text::TokenId> prompt_of(const language::Request& request) const;
  GenerationRequest generation_of(const language::Request& request) const;

  LocalConfig config_;
  std::string name_, identity_;
  std::unique_ptr<text::Tokenizer> tokenizer_;
  std::unique_ptr<model::InferenceModel> model_;
  text::ChatFormat format_;
  std::vector<text::TokenId> end_tokens_;
  GenerationTotals totals_;
};

}  // namespace straq::local
