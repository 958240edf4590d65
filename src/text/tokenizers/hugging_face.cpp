#include <algorithm>
#include <filesystem>
#include <unordered_map>

#include "core/error.h"
#include "core/files/files.h"
#include "core/hash.h"
#include "text/tokenizers/bpe_tokenizer.h"
#include "text/tokenizers/byte_alphabet.h"
#include "text/tokenizers/json_reader.h"

namespace straq::text {
namespace {

using nlohmann::json;

constexpr const char* kFileHint =
    "supported are byte-pair tokenizers: a tokenizer.json of the GPT-2, Llama 2 or Llama 3 type, "
    "or GPT-2's vocab.json with merges.txt";
constexpr const char* blank_sign = "\xE2\x96\x81";  // U+2581, a blank in sentencepiece's tokens

struct Vocabulary {
  std::unordered_map<std::string, TokenId> ids;  // by spelling
  std::vector<std::string> spellings;            // by id; empty where the file has a hole

  std::optional<TokenId> find(const std::string& spelling) const {
    const auto it = ids.find(spelling);
    return it == ids.end() ? std::nullopt : std::optional<TokenId>(it->second);
  }
};

Vocabulary read_vocabulary(const JsonReader& in, const json& object) {
  if (!object.is_object()) in.fail("the vocabulary must be an object of tokens and ids");
  Vocabulary out;
  out.ids.reserve(object.size());
  for (const auto& [token, number] : object.items()) {
    const TokenId id = in.id(number, "\"" + token + "\"");
    const auto slot = static_cast<std::size_t>(id);
    if (slot >= out.spellings.size()) out.spellings.resize(slot + 1);
    if (!out.spellings[slot].empty()) in.fail("id " + std::to_string(id) + " has two tokens");
    out.spellings[slot] = token;
    out.ids.emplace(token, id);
  }
  return out;
}

BytePairEncoder::MergeRule merge_rule(const JsonReader& in, const Vocabulary& vocabulary,
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
BytePairEncoder::MergeRule merge_rule(const JsonReader& in, const Vocabulary& vocabulary,
                                      const std::string& line, std::size_t number) {
  const std::size_t blank = line.find(' ');
  if (blank == std::string::npos || line.find(' ', blank + 1) != std::string::npos) {
    in.fail("merge " + std::to_string(number) + " is not two tokens and a blank between them");
  }
  return merge_rule(in, vocabulary, line.substr(0, blank), line.substr(blank + 1), number);
}

std::vector<BytePairEncoder::MergeRule> read_merges(const JsonReader& in,
                                                    const Vocabulary& vocabulary,
                                                    const json& list) {
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
  return merges;
}

// What the parts of a tokenizer.json say about blanks.
struct Blanks {
  bool byte_level = false;   // symbols are bytes
  bool signs = false;        // U+2581 stands for a blank
  bool prefix = false;       // one is put before the text
  bool prefix_each = false;  // and before all text behind a token that is found as it stands
};

// The text of a pattern {"String": …} or {"Regex": …}; true for a regular expression.
std::pair<std::string, bool> read_pattern(const JsonReader& in, const json& object) {
  const json& pattern = in.part(object, "pattern");
  if (std::string text = in.word(pattern, "String"); !text.empty()) return {text, false};
  const std::string regex = in.word(pattern, "Regex");
  if (regex.empty()) in.fail("a pattern needs a \"String\" or a \"Regex\"");
  return {regex, true};
}

void read_normalizer(const JsonReader& in, const json& object, BpeParts& parts, Blanks& blanks) {
  const std::string type = in.word(object, "type");
  if (type == "Sequence") {
    for (const json& step : in.list(object, "normalizers")) {
      read_normalizer(in, step, parts, blanks);
    }
  } else if (type == "Prepend") {
    const std::string text = in.word(object, "prepend");
    blanks.prefix |= text == blank_sign || text == " ";
    blanks.prefix_each |= blanks.prefix;
    parts.normalizer.add_prepend(text);
  } else if (type == "Replace") {
    const auto [text, regex] = read_pattern(in, object);
    if (regex) in.fail("a Replace normalizer with a \"Regex\" is not supported");
    const std::string content = in.word(object, "content");
    blanks.signs |= text == " " && content == blank_sign;
    parts.normalizer.add_replace(text, content);
  } else if (type == "NFC") {
    parts.normalizer.add_nfc();
  } else if (type == "NFD") {
    parts.normalizer.add_nfd();
  } else {
    in.fail("normalizer \"" + type +
            "\" is not supported (Prepend, Replace, NFC, NFD and Sequence are)");
  }
}

SplitBehavior read_behavior(const JsonReader& in, const json& object) {
  const std::string name = in.word(object, "behavior");
  if (name == "Isolated") return SplitBehavior::isolated;
  if (name == "Removed") return SplitBehavior::removed;
  if (name == "MergedWithPrevious") return SplitBehavior::merged_with_previous;
  if (name == "MergedWithNext") return SplitBehavior::merged_with_next;
  if (name == "Contiguous") return SplitBehavior::contiguous;
  in.fail("a Split pre-tokenizer with behavior \"" + name + "\" is not supported");
}

Metaspace read_metaspace(const JsonReader& in, const json& object) {
  Metaspace out;
  out.replacement = in.word(object, "replacement");
  if (out.replacement.empty() ||
      utf8_character(out.replacement.data()).bytes != out.replacement.size()) {
    in.fail("a Metaspace pre-tokenizer needs a \"replacement\" of one character");
  }
  out.split = in.flag(object, "split", true);
  const std::string scheme = in.word(object, "prepend_scheme");
  if (scheme == "first") {
    out.prepend = Metaspace::Prepend::first;
  } else if (scheme == "never") {
    out.prepend = Metaspace::Prepend::never;
  } else if (!scheme.empty() && scheme != "always") {
    in.fail("a Metaspace pre-tokenizer with prepend_scheme \"" + scheme + "\" is not supported");
  }
  // The older spelling: false means "never", true leaves it to the scheme.
  if (const auto prefix = in.flag(object, "add_prefix_space"); prefix && !*prefix) {
    if (scheme == "first" || scheme == "always") {
      in.fail("a Metaspace pre-tokenizer with add_prefix_space false and prepend_scheme \"" +
              scheme + "\" contradicts itself");
    }
    out.prepend = Metaspace::Prepend::never;
  }
  return out;
}

// Adds the pre-tokenizers of the file in their order. ByteLevel must come last because it changes
// the alphabet.
void read_pre_tokenizer(const JsonReader& in, const json& object, BpeParts& parts, Blanks& blanks,
                        int& count) {
  const std::string type = in.word(object, "type");
  if (type == "Sequence") {
    for (const json& step : in.list(object, "pretokenizers")) {
      read_pre_tokenizer(in, step, parts, blanks, count);
    }
    return;
  }
  if (blanks.byte_level) in.fail("a pre-tokenizer after ByteLevel is not supported");
  if (type == "ByteLevel") {
    if (in.flag(object, "add_prefix_space", true)) {
      if (count > 0) in.fail("add_prefix_space after another pre-tokenizer is not supported");
      parts.add_prefix_space = blanks.prefix = true;
    }
    if (in.flag(object, "use_regex", true)) {
      parts.pre_tokenizer.add_pattern(std::string(gpt2_pattern));
    }
    blanks.byte_level = true;
  } else if (type == "Metaspace") {
    if (blanks.signs) in.fail("Metaspace after another step for blanks is not supported");
    const Metaspace metaspace = read_metaspace(in, object);
    blanks.signs = metaspace.replacement == blank_sign;
    blanks.prefix |= metaspace.prepend != Metaspace::Prepend::never;
    blanks.prefix_each |= metaspace.prepend == Metaspace::Prepend::always;
    parts.pre_tokenizer.add_metaspace(metaspace);
  } else if (type == "Digits") {
    parts.pre_tokenizer.add_digits(in.flag(object, "individual_digits", false));
  } else if (type == "Split") {
    const auto [text, regex] = read_pattern(in, object);
    SplitBehavior behavior = read_behavior(in, object);
    const bool invert = in.flag(object, "invert", false);
    try {
      if (regex) {
        parts.pre_tokenizer.add_pattern(text, behavior, invert);
      } else {
        parts.pre_tokenizer.add_literal(text, behavior, invert);
      }
    } catch (const Error& e) {
      throw Error(e.kind(), in.path() + ": " + e.what(), e.hint());
    }
  } else {
    in.fail("pre-tokenizer \"" + type +
            "\" is not supported (ByteLevel, Metaspace, Split, Digits and Sequence are)");
  }
  ++count;
}

// The tokens that a post-processor puts before a text.
void read_leads(const JsonReader& in, const json& object, std::vector<TokenId>& leads) {
  const std::string type = in.word(object, "type");
  if (type == "Sequence") {
    for (const json& step : in.list(object, "processors")) read_leads(in, step, leads);
  } else if (type == "TemplateProcessing") {
    for (const json& item : in.list(object, "single")) {
      if (in.find(item, "Sequence") != nullptr) return;
      const std::string name = in.word(in.part(item, "SpecialToken"), "id");
      const json& ids = in.list(in.part(in.part(object, "special_tokens"), name.c_str()), "ids");
      for (const json& id : ids) leads.push_back(in.id(id, "\"" + name + "\""));
    }
    in.fail("a TemplateProcessing post-processor has no \"Sequence\" in \"single\"");
  } else if (type == "RobertaProcessing" || type == "BertProcessing") {
    const json& cls = in.list(object, "cls");
    if (cls.size() != 2) in.fail("\"cls\" must be a token and its id");
    leads.push_back(in.id(cls[1], "\"cls\""));
  } else if (type != "ByteLevel") {
    in.fail("post-processor \"" + type + "\" is not supported");
  }
}

std::vector<AddedToken> read_added_tokens(const JsonReader& in, const Vocabulary& vocabulary) {
  std::vector<AddedToken> out;
  if (in.find(in.root(), "added_tokens") == nullptr) return out;
  for (const json& item : in.list(in.root(), "added_tokens")) {
    AddedToken token;
    token.text = in.word(item, "content");
    if (token.text.empty()) in.fail("an added token needs its \"content\" and \"id\"");
    token.id = in.id(in.part(item, "id"), "\"" + token.text + "\"");
    token.special = in.flag(item, "special", false);
    token.lstrip = in.flag(item, "lstrip", false);
    token.rstrip = in.flag(item, "rstrip", false);
    token.single_word = in.flag(item, "single_word", false);
    token.normalized = in.flag(item, "normalized", !token.special);
    const auto same = std::find_if(out.begin(), out.end(), [&](const AddedToken& other) {
      return other.text == token.text || other.id == token.id;
    });
    if (same != out.end()) {
      in.fail("added tokens \"" + same->text + "\" (id " + std::to_string(same->id) + ") and \"" +
              token.text + "\" (id " + std::to_string(token.id) + ") exclude each other");
    }
    // The reference goes by the vocabulary and counts on behind it, whatever the file says.
    TokenId expected = static_cast<TokenId>(vocabulary.ids.size());
    for (const auto& other : out) expected = std::max(expected, other.id + 1);
    if (const auto known = vocabulary.find(token.text)) expected = *known;
    if (token.id != expected) {
      in.fail("added token \"" + token.text + "\" has id " + std::to_string(token.id) +
              ", where the reference library gives it " + std::to_string(expected));
    }
    out.push_back(std::move(token));
  }
  return out;
}

// The added tokens of the file with those of the files beside it.
std::vector<AddedToken> with_beside(const std::string& path, const Vocabulary& vocabulary,
                                    std::vector<AddedToken> tokens, const Beside& beside) {
  const auto find = [&](const std::string& text) {
    return std::find_if(tokens.begin(), tokens.end(),
                        [&](const AddedToken& token) { return token.text == text; });
  };
  for (const auto& [added, has_flags, where] : beside.added) {
    const auto fail = [&, &added = added, &where = where](const std::string& what) {
      fail_input(where + ": token \"" + added.text + "\" " + what + " " + path,
                 "take both files from the same model");
    };
    const auto known = find(added.text);
    if (known != tokens.end()) {
      if (known->id != added.id) {
        fail("has id " + std::to_string(added.id) + ", but " + std::to_string(known->id) + " in");
      }
      known->special |= added.special;
      if (has_flags && !known->special && !(*known == added)) fail("has other flags than in");
      continue;
    }
    TokenId expected = static_cast<TokenId>(vocabulary.ids.size());
    for (const auto& other : tokens) expected = std::max(expected, other.id + 1);
    if (const auto id = vocabulary.find(added.text)) expected = *id;
    if (added.id != expected) {
      fail("has id " + std::to_string(added.id) + ", but would get " + std::to_string(expected) +
           " behind the tokens of");
    }
    tokens.push_back(added);
  }
  for (const auto& [name, where] : beside.special_names) {
    const auto known = find(name);
    if (known != tokens.end()) {
      known->special = true;
    } else if (const auto id = vocabulary.find(name)) {
      tokens.push_back({.text = name, .id = *id, .special = true});
    } else if (!where.empty()) {
      fail_input(where + ": \"" + name + "\" has no id, neither there nor in " + path,
                 "take both files from the same model");
    }
  }
  return tokens;
}

// The text of each id for decode().
std::vector<std::string> spell_tokens(const Vocabulary& vocabulary,
                                      const std::vector<AddedToken>& added, const Blanks& blanks,
                                      bool byte_fallback) {
  std::vector<std::string> out = vocabulary.spellings;
  for (auto& spelling : out) {
    if (blanks.byte_level) {
      if (auto bytes = from_byte_alphabet(spelling)) spelling = std::move(*bytes);
      continue;
    }
    if (const int byte = byte_fallback ? byte_of_token(spelling) : -1; byte >= 0) {
      spelling = std::string(1, static_cast<char>(byte));
      continue;
    }
    if (!blanks.signs) continue;
    for (std::size_t at = spelling.find(blank_sign); at != std::string::npos;
         at = spelling.find(blank_sign)) {
      spelling.replace(at, 3, " ");
    }
  }
  for (const auto& token : added) {
    const auto slot = static_cast<std::size_t>(token.id);
    if (slot >= out.size()) out.resize(slot + 1);
    out[slot] = token.text;
  }
  return out;
}

// Fills in everything that follows from the vocabulary, the merges and the added tokens.
void finish(const std::string& path, const Vocabulary& vocabulary,
            const std::vector<BytePairEncoder::MergeRule>& merges, BytePairEncoder::Symbols symbols,
            const std::vector<AddedToken>& added, const Blanks& blanks, BpeParts& parts) {
  symbols.characters = !blanks.byte_level;
  std::vector<std::string> tokens = vocabulary.spellings;
  if (blanks.byte_level) {
    for (auto& spelling : tokens) spelling = from_byte_alphabet(spelling).value_or("");
  }
  parts.encoder = BytePairEncoder::from_merges(tokens, merges, symbols);
  const auto made = [&](const AddedToken& token) {
    const auto slot = static_cast<std::size_t>(token.id);
    return slot < tokens.size() && !tokens[slot].empty() &&
           parts.encoder.makes(tokens[slot], token.id);
  };
  bool hidden = false;
  for (const auto& token : added) {
    if (token.special) {
      parts.specials[token.text] = token.id;
      if (!made(token)) {
        // With ignore_merges its text as a piece would be the token.
        if (const auto slot = static_cast<std::size_t>(token.id); slot < tokens.size()) {
          tokens[slot].clear();
          hidden = true;
        }
        continue;
      }
    }
    require_supported(token, path);
    if (token.normalized) {
      parts.words.add(parts.normalizer.apply(token.text), token);
    } else {
      parts.raw_words.add(token.text, token);
    }
  }
  if (hidden && symbols.whole_pieces) {
    parts.encoder = BytePairEncoder::from_merges(tokens, merges, symbols);
  }
  parts.tokens = spell_tokens(vocabulary, added, blanks, symbols.byte_fallback);
  parts.strip_first = blanks.signs && blanks.prefix;
  parts.strip_each = blanks.signs && blanks.prefix_each;
}

void check_prefix(const Beside& beside, const std::string& path, bool prefix) {
  if (!beside.add_prefix_space || *beside.add_prefix_space == prefix) return;
  fail_input(beside.config + ": add_prefix_space is " + (prefix ? "false" : "true") + ", but " +
                 path + " says otherwise",
             "take both files from the same model");
}

// True for files that this program wrote before it wrote a post-processor into them: their texts
// begin with "<s>", which stands right behind the vocabulary.
bool trained_here(const std::string& bytes, const Vocabulary& vocabulary,
                  const std::vector<AddedToken>& added) {
  return bytes.starts_with("{\n \"version\": \"1.0\",\n \"truncation\": null,\n") &&
         added.size() >= 2 && added[0].text == "<s>" && added[1].text == "</s>" &&
         static_cast<std::size_t>(added[0].id) == vocabulary.ids.size();
}

void require_bpe(const JsonReader& in, const json& model) {
  const std::string type = in.word(model, "type");
  if (!type.empty() && type != "BPE") in.fail("model type \"" + type + "\" is not BPE");
  for (const char* key : {"continuing_subword_prefix", "end_of_word_suffix"}) {
    if (!in.word(model, key).empty()) in.fail(std::string("\"") + key + "\" is not supported");
  }
  if (const json* dropout = in.find(model, "dropout"); dropout != nullptr && *dropout != 0) {
    in.fail("merge dropout gives other ids each time and is not supported");
  }
}

BytePairEncoder::Symbols read_symbols(const JsonReader& in, const json& model,
                                      const Vocabulary& vocabulary) {
  BytePairEncoder::Symbols out;
  out.byte_fallback = in.flag(model, "byte_fallback", false);
  out.fuse_unknown = in.flag(model, "fuse_unk", false);
  out.whole_pieces = in.flag(model, "ignore_merges", false);
  if (in.find(model, "unk_token") != nullptr)
    out.unknown = vocabulary.find(in.word(model, "unk_token"));
  return out;
}

}  // namespace

std::unique_ptr<Tokenizer> open_hugging_face(const std::string& path, const Beside& beside) {
  return open_hugging_face(path, read_file(path), beside);
}

std::unique_ptr<Tokenizer> open_hugging_face(const std::string& path, std::string bytes,
                                             const Beside& beside) {
  const JsonReader in(path, kFileHint, std::move(bytes));
  const json& model = in.part(in.root(), "model");
  require_bpe(in, model);
  const Vocabulary vocabulary = read_vocabulary(in, in.part(model, "vocab"));
  const auto merges = read_merges(in, vocabulary, in.list(model, "merges"));
  const auto symbols = read_symbols(in, model, vocabulary);

  BpeParts parts;
  Blanks blanks;
  if (const json* normalizer = in.find(in.root(), "normalizer")) {
    read_normalizer(in, *normalizer, parts, blanks);
  }
  if (const json* pre_tokenizer = in.find(in.root(), "pre_tokenizer")) {
    int count = 0;
    read_pre_tokenizer(in, *pre_tokenizer, parts, blanks, count);
  }
  check_prefix(beside, path, blanks.prefix);
  const auto own_added = read_added_tokens(in, vocabulary);
  const auto added = with_beside(path, vocabulary, own_added, beside);
  finish(path, vocabulary, merges, symbols, added, blanks, parts);
  if (!parts.encoder.complete()) {
    if (blanks.byte_level && symbols.byte_fallback) {
      in.fail("byte_fallback over a byte-level vocabulary that lacks bytes is not supported");
    }
    if (in.find(model, "unk_token") != nullptr && !symbols.unknown) {
      in.fail("unk_token \"" + in.word(model, "unk_token") + "\" is not in the vocabulary");
    }
  }

  std::vector<TokenId> leads;
  if (const json* processor = in.find(in.root(), "post_processor")) {
    read_leads(in, *processor, leads);
  }
  if (leads.size() > 1) {
    in.fail("the post-processor puts " + std::to_string(leads.size()) +
            " tokens before a text; one is supported");
  }
  const auto vocab = static_cast<TokenId>(parts.tokens.size());
  Conventions own{usual_bos(parts.specials), usual_eos(parts.specials), false};
  if (!leads.empty()) {
    if (leads[0] >= vocab) in.fail("the post-processor puts an unknown token before a text");
    own.bos = leads[0];
  }
  own.adds_bos = !leads.empty() || trained_here(in.bytes(), vocabulary, own_added);
  const auto id_of = [&](const std::string& text) {
    const auto it = std::find_if(added.begin(), added.end(),
                                 [&](const AddedToken& token) { return token.text == text; });
    return it == added.end() ? vocabulary.find(text) : std::optional<TokenId>(it->id);
  };
  const Conventions settled = settle(beside, own, !leads.empty(), id_of, vocab);
  parts.bos = settled.bos;
  parts.eos = settled.eos;
  parts.adds_bos = settled.adds_bos;
  parts.fingerprint = fingerprint_of("hugging_face", sha256_hex(in.bytes()),
                                     facts_of(own, own_added), facts_of(settled, added));
  return std::make_unique<BpeTokenizer>(std::move(parts));
}

std::unique_ptr<Tokenizer> open_vocab_merges(const std::string& vocab, const std::string& merges,
                                             const Beside& beside) {
  const JsonReader in(vocab, kFileHint);
  const Vocabulary vocabulary = read_vocabulary(in, in.root());
  const std::string text = read_file(merges);
  refuse_pointer(merges, text);
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

  std::vector<AddedToken> own_added;
  for (std::size_t id = 0; id < made.size(); ++id) {
    const std::string& spelling = vocabulary.spellings[id];
    if (made[id] || spelling.empty()) continue;
    const auto bytes = from_byte_alphabet(spelling);
    if (bytes && bytes->size() == 1) continue;
    own_added.push_back({.text = spelling, .id = static_cast<TokenId>(id), .special = true});
  }
  BpeParts parts;
  parts.pre_tokenizer.add_pattern(std::string(gpt2_pattern));
  parts.add_prefix_space = beside.add_prefix_space.value_or(false);
  Blanks blanks;
  blanks.byte_level = true;
  const auto added = with_beside(vocab, vocabulary, own_added, beside);
  finish(vocab, vocabulary, rules, {}, added, blanks, parts);

  const Conventions own{usual_bos(parts.specials), usual_eos(parts.specials), false};
  const auto id_of = [&](const std::string& name) {
    const auto it = std::find_if(added.begin(), added.end(),
                                 [&](const AddedToken& token) { return token.text == name; });
    return it == added.end() ? vocabulary.find(name) : std::optional<TokenId>(it->id);
  };
  const Conventions settled =
      settle(beside, own, false, id_of, static_cast<TokenId>(parts.tokens.size()));
  parts.bos = settled.bos;
  parts.eos = settled.eos;
  parts.adds_bos = settled.adds_bos;
  // The length stands between the two files, so that no byte can move from one to the other.
  const std::string hash = Sha256()
                               .update(std::to_string(in.bytes().size()) + ":")
                               .update(in.bytes())
                               .update(text)
                               .hex();
  const std::string prefixed = parts.add_prefix_space ? "add_prefix_space\n" : "";
  parts.fingerprint = fingerprint_of("vocab_merges", hash, facts_of(own, own_added),
                                     prefixed + facts_of(settled, added));
  return std::make_unique<BpeTokenizer>(std::move(parts));
}

}  // namespace straq::text
