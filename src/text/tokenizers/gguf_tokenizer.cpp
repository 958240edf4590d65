#include "text/tokenizers/gguf_tokenizer.h"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>

#include "core/error.h"
#include "core/json/json.h"
#include "text/beside.h"
#include "text/split.h"
#include "text/tokenizers/bpe_tokenizer.h"
#include "text/tokenizers/sentencepiece.h"
#include "text/tokenizers/sentencepiece_model.h"
#include "text/unicode.h"

namespace straq::text {
namespace {

using Json = nlohmann::ordered_json;
using Type = SentencePieceModel::Type;  // GGUF numbers kinds of tokens as sentencepiece does

constexpr const char* kOwnTokenizer =
    "name the tokenizer of the model's Hugging Face folder instead (tokenizer.path, --tokenizer)";
constexpr std::size_t kMostTokens = 2'000'000;

// How text is split before merging, by the names of tokenizer.ggml.pre.
struct GgufSplit {
  const char* name;
  bool digits_apart;  // every digit is a piece of its own
  bool llama3;        // Llama 3's pattern, else GPT-2's
  bool whole_pieces;  // a piece that is a token stays whole
  bool adds_bos;      // where tokenizer.ggml.add_bos_token is not there
};
constexpr GgufSplit kSplits[] = {{"smollm", true, false, false, false},
                                 {"gpt-2", false, false, false, false},
                                 {"llama-bpe", false, true, true, true},
                                 {"llama3", false, true, true, true},
                                 {"llama-v3", false, true, true, true}};

std::string gguf_key(const char* name) {
  return std::string("tokenizer.ggml.") + name;
}

struct GgufVocabulary {
  std::vector<std::string_view> tokens;
  std::vector<Type> types;
  std::optional<TokenId> bos, eos, unknown, padding;

  std::string spelling(TokenId id) const {
    return std::string(tokens[static_cast<std::size_t>(id)]);
  }
};

std::optional<TokenId> token_id(const GgufFile& file, const char* name, std::size_t vocab) {
  const auto id = file.integer(gguf_key(name));
  // Files of models without the token say -1 as an unsigned number.
  if (!id || *id == 0xFFFFFFFF || *id == -1) return std::nullopt;
  if (*id < 0 || *id >= static_cast<std::int64_t>(vocab)) {
    file.fail("key \"" + gguf_key(name) + "\" is " + std::to_string(*id) +
              ", which is outside the vocabulary of " + std::to_string(vocab) + " tokens");
  }
  return static_cast<TokenId>(*id);
}

GgufVocabulary read_gguf_vocabulary(const GgufFile& file) {
  GgufVocabulary out;
  out.tokens = file.texts(gguf_key("tokens"));
  const auto types = file.integers(gguf_key("token_type"));
  if (out.tokens.empty() || out.tokens.size() > kMostTokens) {
    file.fail("\"tokenizer.ggml.tokens\" has " + std::to_string(out.tokens.size()) + " tokens");
  }
  if (types.size() != out.tokens.size()) {
    file.fail("\"tokenizer.ggml.tokens\" has " + std::to_string(out.tokens.size()) +
              " entries, but token_type has " + std::to_string(types.size()));
  }
  std::set<std::string_view> seen;
  for (std::size_t i = 0; i < types.size(); ++i) {
    const auto fail = [&](const std::string& what) {
      file.fail("token " + std::to_string(i) + " of \"tokenizer.ggml.tokens\" " + what);
    };
    if (out.tokens[i].empty()) fail("has no text");
    if (find_invalid_utf8(out.tokens[i])) fail("is no UTF-8");
    if (types[i] < 1 || types[i] > 6) fail("is of kind " + std::to_string(types[i]));
    if (!seen.insert(out.tokens[i]).second) fail("comes twice");
    out.types.push_back(static_cast<Type>(types[i]));
  }
  out.bos = token_id(file, "bos_token_id", types.size());
  out.eos = token_id(file, "eos_token_id", types.size());
  out.unknown = token_id(file, "unknown_token_id", types.size());
  out.padding = token_id(file, "padding_token_id", types.size());
  return out;
}

bool reads_bos(const GgufFile& file, const GgufVocabulary& vocabulary, bool otherwise) {
  const bool adds = file.flag(gguf_key("add_bos_token")).value_or(otherwise);
  if (adds && !vocabulary.bos) {
    if (!file.has(gguf_key("add_bos_token"))) return false;
    file.fail("tokenizer.ggml.add_bos_token is true, but there is no bos_token_id");
  }
  return adds;
}

std::string config_json(const GgufFile& file, const GgufVocabulary& vocabulary, bool adds_bos,
                        const char* tokenizer_class) {
  Json config = {{"add_bos_token", adds_bos}, {"add_eos_token", false}};
  const auto name = [&](const char* role, std::optional<TokenId> id) {
    if (id) config[role] = vocabulary.spelling(*id);
  };
  name("bos_token", vocabulary.bos);
  name("eos_token", vocabulary.eos);
  name("unk_token", vocabulary.unknown);
  name("pad_token", vocabulary.padding);
  if (const auto chat = file.text("tokenizer.chat_template")) {
    config["chat_template"] = std::string(*chat);
  }
  config["clean_up_tokenization_spaces"] = false;
  config["tokenizer_class"] = tokenizer_class;
  return dump_json(config, 2) + "\n";
}

Json pre_tokenizer_json(const GgufSplit& split) {
  const auto byte_level = [](bool use_regex) {
    return Json{{"type", "ByteLevel"},
                {"add_prefix_space", false},
                {"trim_offsets", true},
                {"use_regex", use_regex}};
  };
  Json steps = Json::array();
  if (split.digits_apart) steps.push_back({{"type", "Digits"}, {"individual_digits", true}});
  if (split.llama3) {
    steps.push_back({{"type", "Split"},
                     {"pattern", {{"Regex", llama3_pattern}}},
                     {"behavior", "Isolated"},
                     {"invert", false}});
  }
  steps.push_back(byte_level(!split.llama3));
  if (steps.size() == 1) return steps[0];
  return {{"type", "Sequence"}, {"pretokenizers", steps}};
}

// Puts the token before every text.
Json post_processor_json(const std::string& bos, TokenId id) {
  const Json lead = {{"SpecialToken", {{"id", bos}, {"type_id", 0}}}};
  const auto sequence = [](const char* name, int type) {
    return Json{{"Sequence", {{"id", name}, {"type_id", type}}}};
  };
  return {{"type", "TemplateProcessing"},
          {"single", Json::array({lead, sequence("A", 0)})},
          {"pair", Json::array({lead, sequence("A", 0), sequence("B", 1)})},
          {"special_tokens",
           {{bos, {{"id", bos}, {"ids", Json::array({id})}, {"tokens", Json::array({bos})}}}}}};
}

Json added_tokens_json(const GgufVocabulary& vocabulary) {
  Json out = Json::array();
  for (std::size_t i = 0; i < vocabulary.tokens.size(); ++i) {
    const Type type = vocabulary.types[i];
    if (type != Type::control && type != Type::unknown && type != Type::user_defined) continue;
    out.push_back({{"id", i},
                   {"content", std::string(vocabulary.tokens[i])},
                   {"single_word", false},
                   {"lstrip", false},
                   {"rstrip", false},
                   {"normalized", false},
                   {"special", type != Type::user_defined}});
  }
  return out;
}

std::string json_text(std::string_view text) {
  return dump_json(nlohmann::json(std::string(text)));
}

// "\"Ġ t\"" as the pair of tokens that it is.
std::string merge_json(const GgufFile& file, std::string_view merge, std::size_t number) {
  const std::size_t blank = merge.find(' ');
  if (blank == std::string_view::npos || merge.find(' ', blank + 1) != std::string_view::npos ||
      find_invalid_utf8(merge)) {
    file.fail("merge " + std::to_string(number) + " is not two tokens and a blank between them");
  }
  return "[" + json_text(merge.substr(0, blank)) + "," + json_text(merge.substr(blank + 1)) + "]";
}

// The vocabulary is written by hand: an object that keeps its order looks each key up in all
// others.
std::string byte_level_json(const GgufFile& file, const GgufVocabulary& vocabulary,
                            const GgufSplit& split, bool adds_bos) {
  Json root = {{"version", "1.0"}, {"added_tokens", added_tokens_json(vocabulary)}};
  root["normalizer"] = nullptr;
  root["pre_tokenizer"] = pre_tokenizer_json(split);
  root["post_processor"] = nullptr;
  if (adds_bos) {
    root["post_processor"] =
        post_processor_json(vocabulary.spelling(*vocabulary.bos), *vocabulary.bos);
  }
  root["decoder"] = {{"type", "ByteLevel"},
                     {"add_prefix_space", true},
                     {"trim_offsets", true},
                     {"use_regex", true}};
  std::string out = dump_json(root);
  out.pop_back();
  out +=
      ",\n\"model\":{\"type\":\"BPE\",\"dropout\":null,\"unk_token\":null,"
      "\"continuing_subword_prefix\":null,\"end_of_word_suffix\":null,\"fuse_unk\":false,"
      "\"byte_fallback\":false,\"ignore_merges\":";
  out += split.whole_pieces ? "true" : "false";
  out += ",\n\"vocab\":{";
  for (std::size_t i = 0; i < vocabulary.tokens.size(); ++i) {
    out += (i > 0 ? ",\n" : "\n") + json_text(vocabulary.tokens[i]) + ":" + std::to_string(i);
  }
  out += "},\n\"merges\":[";
  const auto merges = file.texts(gguf_key("merges"));
  for (std::size_t i = 0; i < merges.size(); ++i) {
    out += (i > 0 ? ",\n" : "\n") + merge_json(file, merges[i], i);
  }
  return out + "]}}\n";
}

std::vector<TokenizerFile> byte_level_files(const GgufFile& file) {
  const std::string pre(file.text(gguf_key("pre")).value_or(""));
  const auto split = std::find_if(std::begin(kSplits), std::end(kSplits),
                                  [&](const GgufSplit& s) { return pre == s.name; });
  if (split == std::end(kSplits)) {
    std::string known;
    for (const auto& s : kSplits) known += (known.empty() ? "" : ", ") + std::string(s.name);
    file.fail((pre.empty() ? std::string("key \"tokenizer.ggml.pre\" is missing")
                           : "tokenizer.ggml.pre \"" + pre.substr(0, 60) + "\" is not known") +
                  ": how it splits text before merging cannot be guessed (known: " + known + ")",
              kOwnTokenizer);
  }
  if (file.flag(gguf_key("add_space_prefix")).value_or(false)) {
    file.fail(
        "tokenizer.ggml.add_space_prefix is true, which is not supported for a byte-level "
        "tokenizer",
        kOwnTokenizer);
  }
  const GgufVocabulary vocabulary = read_gguf_vocabulary(file);
  const bool adds_bos = reads_bos(file, vocabulary, split->adds_bos);
  return {{"tokenizer.json", byte_level_json(file, vocabulary, *split, adds_bos)},
          {"tokenizer_config.json",
           config_json(file, vocabulary, adds_bos, "PreTrainedTokenizerFast")}};
}

std::vector<TokenizerFile> sentencepiece_files(const GgufFile& file) {
  const GgufVocabulary vocabulary = read_gguf_vocabulary(file);
  const auto scores = file.reals(gguf_key("scores"));
  if (scores.size() != vocabulary.tokens.size()) {
    file.fail("\"tokenizer.ggml.scores\" has " + std::to_string(scores.size()) + " entries for " +
              std::to_string(vocabulary.tokens.size()) + " tokens");
  }
  SentencePieceModel model;
  model.kind = SentencePieceModel::Kind::bpe;
  model.dummy_prefix = file.flag(gguf_key("add_space_prefix")).value_or(true);
  model.remove_extra_whitespaces = file.flag(gguf_key("remove_extra_whitespaces")).value_or(false);
  std::set<float> different;
  std::optional<TokenId> unknown;
  for (std::size_t i = 0; i < scores.size(); ++i) {
    if (!std::isfinite(scores[i])) {
      file.fail("entry " + std::to_string(i) + " of \"tokenizer.ggml.scores\" is not finite");
    }
    const Type type = vocabulary.types[i];
    model.pieces.push_back({std::string(vocabulary.tokens[i]), scores[i], type});
    if (type == Type::normal && different.size() < 2) different.insert(scores[i]);
    if (type == Type::unknown) unknown = static_cast<TokenId>(i);
  }
  if (different.size() < 2) {
    file.fail("\"tokenizer.ggml.scores\" are all the same: they do not say what merges first",
              kOwnTokenizer);
  }
  const auto number = [](std::optional<TokenId> id) { return id ? *id : -1; };
  const std::string bytes = write_sentencepiece_model(
      model, {number(unknown), number(vocabulary.bos), number(vocabulary.eos)});
  const bool adds_bos = reads_bos(file, vocabulary, true);
  return {{"tokenizer.model", bytes},
          {"tokenizer_config.json", config_json(file, vocabulary, adds_bos, "LlamaTokenizer")}};
}

}  // namespace

bool has_gguf_tokenizer(const GgufFile& file) {
  return file.has(gguf_key("model")) && file.has(gguf_key("tokens"));
}

std::vector<TokenizerFile> tokenizer_files_of_gguf(const GgufFile& file) {
  if (!has_gguf_tokenizer(file)) file.fail("holds no tokenizer", kOwnTokenizer);
  const std::string kind(file.text(gguf_key("model")).value_or(""));
  if (kind == "gpt2") return byte_level_files(file);
  if (kind == "llama") return sentencepiece_files(file);
  file.fail("tokenizer.ggml.model \"" + kind.substr(0, 60) +
                "\" is not supported; byte-level BPE (gpt2) and sentencepiece (llama) are",
            kOwnTokenizer);
}

std::unique_ptr<Tokenizer> open_gguf_tokenizer(const std::string& path) {
  auto files = tokenizer_files_of_gguf(GgufFile(path));
  const Beside beside = beside_of_config(path, files[1].bytes);
  return files[0].name == "tokenizer.json"
             ? open_hugging_face(path, std::move(files[0].bytes), beside)
             : open_sentencepiece(path, files[0].bytes, beside);
}

}  // namespace straq::text
