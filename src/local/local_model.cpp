#include "local/local_model.h"

#include <algorithm>
#include <filesystem>
#include <optional>
#include <utility>

#include "config/choices.h"
#include "core/error.h"
#include "core/files/mapped_file.h"
#include "core/hash.h"
#include "core/utf8.h"
#include "model/weights/adapter.h"
#include "model/weights/open_model.h"
#include "text/model_chat_template.h"

namespace straq::local {
namespace {

at::Device device_of(const LocalConfig& config) {
  if (config.device == "cpu") return at::kCPU;
  if (config.device != "cuda") {
    fail_input("device \"" + config.device + "\" is not known", "choose cpu or cuda");
  }
  if (!at::hasCUDA()) {
    fail_input("device is cuda, but no GPU can be used here", "set device: cpu");
  }
  return at::kCUDA;
}

// Of what the weights are, told by the files' sizes, beginnings and ends: a hash over all bytes of
// a large model would take longer than its first replies.
std::string hash_of_files(const std::vector<std::string>& files) {
  constexpr std::size_t piece = 1 << 20;
  std::string all;
  for (const auto& path : files) {
    const MappedFile file(path, "name a file of weights");
    const std::string_view bytes(file.data(), file.size());
    all += std::to_string(bytes.size()) + ":";
    all += sha256_hex(bytes.substr(0, piece));
    all += sha256_hex(bytes.substr(bytes.size() - std::min(piece, bytes.size())));
  }
  return sha256_hex(all);
}

// Where the first of the stop strings begins; npos: nowhere.
std::size_t stop_in(const std::string& text, const std::vector<std::string>& stops) {
  std::size_t first = std::string::npos;
  for (const auto& stop : stops) {
    if (!stop.empty()) first = std::min(first, text.find(stop));
  }
  return first;
}

}  // namespace

void LocalConfig::fields(config::Fields& f) {
  f("model", model);
  f("tokenizer", tokenizer);
  f("adapter", adapter);
  f.choice("precision", precision, model::kWeightPrecisions);
  f("device", device);
  f("cache_gib", cache_gib, config::above(0));
  f("pass_tokens", pass_tokens, config::at_least(1));
  f("running", running, config::at_least(1));
}

LocalModel::LocalModel(const LocalConfig& config) : config_(config) {
  if (config.model.empty()) {
    fail_input("local.model is not set", "name a GGUF file or a Hugging Face folder");
  }
  auto source = model::open_model(config.model);
  if (!config.adapter.empty()) source = model::with_adapter(std::move(source), config.adapter);
  tokenizer_ = text::open_tokenizer(config.tokenizer.empty() ? config.model : config.tokenizer);
  if (tokenizer_->vocab_size() > source.shape.vocab) {
    fail_input(config.model + ": the tokenizer has " + std::to_string(tokenizer_->vocab_size()) +
                   " tokens, the model " + std::to_string(source.shape.vocab),
               "name the model's own tokenizer");
  }
  if (const auto format = text::chat_format_of_model(config.model)) {
    format_ = *format;
  }
  const auto add_end = [&](std::optional<text::TokenId> id) {
    if (id && std::find(end_tokens_.begin(), end_tokens_.end(), *id) == end_tokens_.end()) {
      end_tokens_.push_back(*id);
    }
  };
  add_end(tokenizer_->eos());
  for (const auto id : source.eos_token_ids) add_end(static_cast<text::TokenId>(id));
  if (const auto end = text::end_of_turn(format_.family); !end.empty()) {
    add_end(tokenizer_->special(end));
  }
  model_ = std::make_unique<model::InferenceModel>(source, config.precision, device_of(config));
  name_ = std::filesystem::path(config.model).filename().string();
  if (name_.empty()) name_ = std::filesystem::path(config.model).parent_path().filename().string();
  if (!config.adapter.empty())
    name_ += "+" + std::filesystem::path(config.adapter).filename().string();
  if (config.precision != model::WeightPrecision::fp32) {
    name_ += std::string(":") + config::word_of(model::kWeightPrecisions, config.precision);
  }
  constexpr std::size_t digits = 16;
  identity_ = name_ + "@" +
              sha256_hex(hash_of_files(source.files) + tokenizer_->fingerprint() +
                         words_of(format_) + format_.default_system)
                  .substr(0, digits);
}

std::vector<text::TokenId> LocalModel::prompt_of(const language::Request& request) const {
  if (!request.messages.empty()) {
    return text::encode_chat(*tokenizer_, format_, request.messages);
  }
  std::vector<text::TokenId> out;
  if (tokenizer_->adds_bos()) {
    if (const auto bos = tokenizer_->bos()) out.push_back(*bos);
  }
  const auto ids = tokenizer_->encode(request.prompt);
  out.insert(out.end(), ids.begin(), ids.end());
  return out;
}

GenerationRequest LocalModel::generation_of(const language::Request& request) const {
  GenerationRequest out;
  out.prompt = prompt_of(request);
  out.sampling = request.sampling;
  out.sample = request.sample;
  out.end_tokens = end_tokens_;
  for (const auto& choice : request.choices) out.choices.push_back(tokenizer_->encode(choice));
  return out;
}

void LocalModel::answer(const std::vector<language::Request>& requests, const Done& done) {
  std::vector<GenerationRequest> work;
  std::vector<std::size_t> index;  // of each piece of work among the requests
  const auto failed = [&](std::size_t i, const std::string& why) {
    language::Reply reply;
    reply.finish = language::Finish::failed;
    reply.error = why;
    reply.model = name_;
    done(i, std::move(reply));
  };
  for (std::size_t i = 0; i < requests.size(); ++i) {
    try {
      work.push_back(generation_of(requests[i]));
      index.push_back(i);
    } catch (const Error& e) {
      failed(i, e.what());
    }
  }
  GenerationCalls calls;
  calls.ended = [&](std::size_t w, const std::vector<text::TokenId>& tokens) {
    const auto& stops = requests[index[w]].sampling.stop;
    return !stops.empty() && stop_in(tokenizer_->decode(tokens), stops) != std::string::npos;
  };
  calls.done = [&](std::size_t w, Generation g) {
    const auto& request = requests[index[w]];
    if (!g.error.empty()) {
      failed(index[w], g.error);
      return;
    }
    language::Reply reply;
    // Tokens may end within a character or be no characters at all; every file that the text goes
    // into would put something in their place, each its own.
    reply.text = valid_utf8(tokenizer_->decode(g.tokens));
    if (const auto stop = stop_in(reply.text, request.sampling.stop); stop != std::string::npos) {
      reply.text.resize(stop);
    }
    reply.finish = g.ended ? language::Finish::stop : language::Finish::length;
    reply.choice_log_probabilities = std::move(g.choice_log_probabilities);
    reply.model = name_;
    reply.prompt_tokens = static_cast<std::int64_t>(work[w].prompt.size());
    reply.reply_tokens = static_cast<std::int64_t>(g.tokens.size());
    reply.seconds = g.seconds;
    done(index[w], std::move(reply));
  };
  GenerationLimits limits;
  limits.cache_bytes = static_cast<std::int64_t>(config_.cache_gib * (std::int64_t{1} << 30));
  limits.pass_tokens = config_.pass_tokens;
  limits.running = config_.running;
  totals_ += generate(*model_, work, limits, calls);
}

}  // namespace straq::local
