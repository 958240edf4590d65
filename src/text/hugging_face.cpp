#include <algorithm>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <unordered_map>

#include "core/error.h"
#include "core/files.h"
#include "core/hash.h"
#include "text/byte_alphabet.h"
#include "text/byte_bpe.h"

namespace straq::text {
namespace {

using nlohmann::json;

// A file's tree with the words to complain about it.
class Reader {
 public:
  explicit Reader(const std::string& path) : path_(path), bytes_(read_file(path)) {
    try {
      root_ = json::parse(bytes_);
    } catch (const json::parse_error& e) {
      fail("not valid JSON at byte " + std::to_string(e.byte));
    }
    if (!root_.is_object()) fail("a JSON object was expected");
  }
  const json& root() const { return root_; }
  const std::string& bytes() const { return bytes_; }

  [[noreturn]] void fail(const std::string& what) const {
    fail_input(path_ + ": " + what,
               "supported are byte-level BPE tokenizers: a tokenizer.json of the GPT-2 or Llama 3 "
               "type, or GPT-2's vocab.json with merges.txt");
  }
  // Missing and null are the same in these files.
  static const json* find(const json& object, const char* key) {
    const auto it = object.find(key);
    return it == object.end() || it->is_null() ? nullptr : &*it;
  }
  bool flag(const json& object, const char* key, bool otherwise) const {
    const json* value = find(object, key);
    if (value == nullptr) return otherwise;
    if (!value->is_boolean()) fail(std::string("\"") + key + "\" must be true or false");
    return value->get<bool>();
  }
  std::string word(const json& object, const char* key) const {
    const json* value = find(object, key);
    if (value == nullptr) return {};
    if (!value->is_string()) fail(std::string("\"") + key + "\" must be a string");
    return value->get<std::string>();
  }
  const json& part(const json& object, const char* key) const {
    const json* value = find(object, key);
    if (value == nullptr) fail(std::string("\"") + key + "\" is missing");
    return *value;
  }

 private:
  std::string path_;
  std::string bytes_;
  json root_;
};

struct Vocabulary {
  std::unordered_map<std::string, TokenId> ids;  // by spelling in the byte alphabet
  std::vector<std::string> spellings;            // by id; empty where the file has a hole
};

Vocabulary read_vocabulary(const Reader& in, const json& object) {
  if (!object.is_object()) in.fail("the vocabulary must be an object of tokens and ids");
  Vocabulary out;
  out.ids.reserve(object.size());
  for (const auto& [token, id] : object.items()) {
    if (!id.is_number_integer()) in.fail("the id of \"" + token + "\" is not a number");
    const auto value = id.get<std::int64_t>();
    if (value < 0 || value >= 10'000'000) in.fail("the id of \"" + token + "\" is out of range");
    const auto slot = static_cast<std::size_t>(value);
    if (slot >= out.spellings.size()) out.spellings.resize(slot + 1);
    if (!out.spellings[slot].empty()) in.fail("id " + std::to_string(value) + " has two tokens");
    out.spellings[slot] = token;
    out.ids.emplace(token, static_cast<TokenId>(value));
  }
  return out;
}

BytePairEncoder::MergeRule merge_rule(const Reader& in, const Vocabulary& vocabulary,
                                      const std::string& left, const std::string& right,
                                      std::size_t number) {
  const auto id = [&](const std::string& token) {
    const auto it = vocabulary.ids.find(token);
    if (it == vocabulary.ids.end()) {
      in.fail("merge " + std::to_string(number) + " needs \"" + token +
              "\", which the vocabulary does not hold");
    }
    return it->second;
  };
  return {id(left), id(right), id(left + right)};
}

// "left right", the form of merges.txt and of older tokenizer.json files.
BytePairEncoder::MergeRule merge_rule(const Reader& in, const Vocabulary& vocabulary,
                                      const std::string& line, std::size_t number) {
  const std::size_t blank = line.find(' ');
  if (blank == std::string::npos || line.find(' ', blank + 1) != std::string::npos) {
    in.fail("merge " + std::to_string(number) + " is not two tokens and a blank between them");
  }
  return merge_rule(in, vocabulary, line.substr(0, blank), line.substr(blank + 1), number);
}

// Bytes by id; tokens of `apart` (special and other added tokens) and those that are not written
// in the byte alphabet stay empty, since no merge makes them.
std::vector<std::string> token_bytes(const Vocabulary& vocabulary,
                                     const std::map<std::string, TokenId, std::less<>>& apart) {
  std::vector<std::string> out(vocabulary.spellings.size());
  for (std::size_t id = 0; id < out.size(); ++id) {
    const std::string& spelling = vocabulary.spellings[id];
    if (apart.count(spelling) == 0) out[id] = from_byte_alphabet(spelling).value_or("");
  }
  return out;
}

// Once merging is set up, every id gets a spelling for decode().
void name_tokens(ByteBpeParts& parts, const Vocabulary& vocabulary) {
  TokenId last = static_cast<TokenId>(parts.tokens.size()) - 1;
  for (const auto* added : {&parts.specials, &parts.words}) {
    for (const auto& [text, id] : *added) last = std::max(last, id);
  }
  parts.tokens.resize(static_cast<std::size_t>(last) + 1);
  for (std::size_t id = 0; id < vocabulary.spellings.size(); ++id) {
    if (parts.tokens[id].empty()) parts.tokens[id] = vocabulary.spellings[id];
  }
  for (const auto* added : {&parts.specials, &parts.words}) {
    for (const auto& [text, id] : *added) parts.tokens[static_cast<std::size_t>(id)] = text;
  }
}

// Adds one pre-tokenizer of the file; returns true when it is the ByteLevel one, which must come
// last because it changes the alphabet.
bool add_pre_tokenizer(const Reader& in, const json& object, bool first, ByteBpeParts& parts) {
  const std::string type = in.word(object, "type");
  if (type == "ByteLevel") {
    if (in.flag(object, "add_prefix_space", true)) {
      if (!first) in.fail("add_prefix_space after another pre-tokenizer is not supported");
      parts.add_prefix_space = true;
    }
    if (in.flag(object, "use_regex", true)) {
      parts.pre_tokenizer.add_pattern(std::string(gpt2_pattern));
    }
    return true;
  }
  if (type == "Digits") {
    parts.pre_tokenizer.add_digits(in.flag(object, "individual_digits", false));
    return false;
  }
  if (type == "Split") {
    const std::string regex = in.word(in.part(object, "pattern"), "Regex");
    if (regex.empty()) in.fail("a Split pre-tokenizer needs a \"Regex\" pattern");
    const std::string behavior = in.word(object, "behavior");
    const bool invert = in.flag(object, "invert", false);
    // With `invert` the matches are the pieces and the gaps are what is removed.
    if (behavior != "Isolated" && !(behavior == "Removed" && invert)) {
      in.fail("a Split pre-tokenizer with behavior \"" + behavior + "\" is not supported");
    }
    parts.pre_tokenizer.add_pattern(regex, behavior == "Isolated");
    return false;
  }
  in.fail("pre-tokenizer \"" + type + "\" is not supported (ByteLevel, Split and Digits are)");
}

void read_pre_tokenizer(const Reader& in, ByteBpeParts& parts) {
  const json& object = in.part(in.root(), "pre_tokenizer");
  std::vector<json> list;
  if (in.word(object, "type") == "Sequence") {
    const json& sequence = in.part(object, "pretokenizers");
    if (!sequence.is_array()) in.fail("\"pretokenizers\" must be a list");
    list.assign(sequence.begin(), sequence.end());
  } else {
    list.push_back(object);
  }
  bool byte_level = false;
  for (std::size_t i = 0; i < list.size(); ++i) {
    if (byte_level) in.fail("a pre-tokenizer after ByteLevel is not supported");
    byte_level = add_pre_tokenizer(in, list[i], i == 0, parts);
  }
  if (!byte_level) in.fail("the pre-tokenizer is not byte-level (no ByteLevel in it)");
}

void read_added_tokens(const Reader& in, ByteBpeParts& parts) {
  const json* added = Reader::find(in.root(), "added_tokens");
  if (added == nullptr) return;
  if (!added->is_array()) in.fail("\"added_tokens\" must be a list");
  for (const json& token : *added) {
    const std::string content = in.word(token, "content");
    const json& id = in.part(token, "id");
    if (content.empty() || !id.is_number_integer() || id < 0 || id >= 10'000'000) {
      in.fail("an added token needs its \"content\" and \"id\"");
    }
    if (in.flag(token, "special", false)) {
      parts.specials[content] = id.get<TokenId>();
      continue;
    }
    for (const char* key : {"single_word", "lstrip", "rstrip"}) {
      if (in.flag(token, key, false)) {
        in.fail("added token \"" + content + "\" with " + key + " is not supported");
      }
    }
    parts.words[content] = id.get<TokenId>();
  }
}

// tokenizer_config.json gives a special token as its spelling or as an object with "content".
void read_bos_eos(const std::string& path, ByteBpeParts& parts) {
  parts.bos = usual_bos(parts.specials);
  parts.eos = usual_eos(parts.specials);
  const auto beside = std::filesystem::path(path).parent_path() / "tokenizer_config.json";
  if (!std::filesystem::exists(beside)) return;
  const Reader config(beside.string());
  const auto read = [&](const char* key, std::optional<TokenId>& out) {
    const json* value = Reader::find(config.root(), key);
    if (value == nullptr) return;
    const std::string name =
        value->is_object() ? config.word(*value, "content") : config.word(config.root(), key);
    if (const auto it = parts.specials.find(name); it != parts.specials.end()) out = it->second;
  };
  read("bos_token", parts.bos);
  read("eos_token", parts.eos);
}

}  // namespace

std::unique_ptr<Tokenizer> open_hugging_face(const std::string& path) {
  const Reader in(path);
  const json& model = in.part(in.root(), "model");
  const std::string type = in.word(model, "type");
  if (!type.empty() && type != "BPE") in.fail("model type \"" + type + "\" is not BPE");
  if (Reader::find(in.root(), "normalizer") != nullptr) {
    in.fail("a normalizer is not supported (\"" + in.word(in.root()["normalizer"], "type") + "\")");
  }
  for (const char* key : {"continuing_subword_prefix", "end_of_word_suffix"}) {
    if (!in.word(model, key).empty()) in.fail(std::string("\"") + key + "\" is not supported");
  }
  if (Reader::find(model, "dropout") != nullptr && model["dropout"] != 0) {
    in.fail("merge dropout gives other ids each time and is not supported");
  }
  if (in.flag(model, "byte_fallback", false)) {
    in.fail("the model is not byte-level (byte_fallback is set); take its tokenizer.model instead");
  }

  ByteBpeParts parts;
  read_added_tokens(in, parts);
  read_pre_tokenizer(in, parts);
  const Vocabulary vocabulary = read_vocabulary(in, in.part(model, "vocab"));
  const json& list = in.part(model, "merges");
  if (!list.is_array()) in.fail("\"merges\" must be a list");
  std::vector<BytePairEncoder::MergeRule> merges;
  merges.reserve(list.size());
  for (const json& item : list) {
    const std::size_t number = merges.size();
    if (item.is_string()) {
      merges.push_back(merge_rule(in, vocabulary, item.get<std::string>(), number));
    } else if (item.is_array() && item.size() == 2 && item[0].is_string() && item[1].is_string()) {
      merges.push_back(merge_rule(in, vocabulary, item[0].get<std::string>(),
                                  item[1].get<std::string>(), number));
    } else {
      in.fail("merge " + std::to_string(number) + " is not a pair of tokens");
    }
  }
  std::map<std::string, TokenId, std::less<>> apart = parts.specials;
  apart.insert(parts.words.begin(), parts.words.end());
  parts.tokens = token_bytes(vocabulary, apart);
  parts.encoder = BytePairEncoder::from_merges(parts.tokens, merges,
                                               in.flag(model, "ignore_merges", false), path);
  name_tokens(parts, vocabulary);
  read_bos_eos(path, parts);
  parts.fingerprint = "hugging_face:" + sha256_hex(in.bytes());
  return std::make_unique<ByteBpeTokenizer>(std::move(parts));
}

std::unique_ptr<Tokenizer> open_vocab_merges(const std::string& vocab, const std::string& merges) {
  const Reader in(vocab);
  const Vocabulary vocabulary = read_vocabulary(in, in.root());
  const std::string text = read_file(merges);
  std::vector<BytePairEncoder::MergeRule> rules;
  std::vector<bool> made(vocabulary.spellings.size(), false);
  std::size_t line_number = 0;
  for (std::size_t begin = 0; begin < text.size();) {
    ++line_number;
    std::size_t end = text.find('\n', begin);
    if (end == std::string::npos) end = text.size();
    std::string line = text.substr(begin, end - begin);
    begin = end + 1;
    if (!line.empty() && line.back() == '\r') line.pop_back();
    if (line.empty() || (line_number == 1 && line.starts_with("#version"))) continue;
    try {
      rules.push_back(merge_rule(in, vocabulary, line, rules.size()));
    } catch (const Error& e) {
      fail_input(at_line(merges, static_cast<long>(line_number), e.what()), e.hint());
    }
    made[static_cast<std::size_t>(rules.back().result)] = true;
  }

  ByteBpeParts parts;
  for (std::size_t id = 0; id < made.size(); ++id) {
    const std::string& spelling = vocabulary.spellings[id];
    if (made[id] || spelling.empty()) continue;
    const auto bytes = from_byte_alphabet(spelling);
    if (bytes && bytes->size() == 1) continue;
    parts.specials[spelling] = static_cast<TokenId>(id);
  }
  parts.pre_tokenizer.add_pattern(std::string(gpt2_pattern));
  parts.tokens = token_bytes(vocabulary, parts.specials);
  parts.encoder = BytePairEncoder::from_merges(parts.tokens, rules, false, vocab);
  name_tokens(parts, vocabulary);
  parts.bos = usual_bos(parts.specials);
  parts.eos = usual_eos(parts.specials);
  parts.fingerprint = "vocab_merges:" + Sha256().update(in.bytes()).update("\0").update(text).hex();
  return std::make_unique<ByteBpeTokenizer>(std::move(parts));
}

}  // namespace straq::text
