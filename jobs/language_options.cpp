#include "language_options.h"

#include <map>
#include <string>

namespace straq::jobs {

void add_model_options(CLI::App& app, local::LocalConfig& model) {
  std::map<std::string, model::WeightPrecision> words;
  for (const auto& c : model::kWeightPrecisions) words.emplace(c.name, c.value);
  app.add_option("--model", model.model, "a GGUF file or a Hugging Face folder");
  app.add_option("--tokenizer", model.tokenizer, "where it is not the model's own");
  app.add_option("--adapter", model.adapter, "the folder of a LoRA adapter (PEFT)");
  app.add_option("--precision", model.precision, "of the weights: fp32, bf16 or int8")
      ->transform(CLI::CheckedTransformer(words));
  app.add_option("--device", model.device, "cpu or cuda")->check(CLI::IsMember({"cpu", "cuda"}));
  app.add_option("--cache-gib", model.cache_gib, "memory for keys and values")
      ->check(CLI::PositiveNumber);
}

void add_sampling_options(CLI::App& app, language::Sampling& s) {
  app.add_option("--max-tokens", s.max_tokens, "of a reply")->check(CLI::PositiveNumber);
  app.add_option("--temperature", s.temperature, "0: the most probable token each time")
      ->check(CLI::NonNegativeNumber);
  app.add_option("--top-k", s.top_k, "0: all")->check(CLI::NonNegativeNumber);
  app.add_option("--top-p", s.top_p, "1: all")->check(CLI::Range(1e-9, 1.0));
  app.add_option("--min-p", s.min_p, "against the most probable token")
      ->check(CLI::Range(0.0, 1.0));
  app.add_option("--repetition-penalty", s.repetition_penalty, "1: none")
      ->check(CLI::PositiveNumber);
  app.add_option("--stop", s.stop, "a reply ends before this text; may be given more than once");
  app.add_option("--seed", s.seed, "of the random numbers");
}

}  // namespace straq::jobs
