#include "text/beside.h"

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <initializer_list>

#include "core/error.h"
#include "core/hash.h"
#include "text/tokenizers/json_reader.h"

namespace straq::text {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

constexpr const char* hint =
    "the files beside a tokenizer say more about it: mend the file, or give the tokenizer in a "
    "folder of its own";
constexpr const char* roles[] = {"bos_token", "eos_token", "unk_token", "sep_token",
                                 "pad_token", "cls_token", "mask_token"};

// A token as these files give it: its text, or an object with "content".
std::string token_text(const JsonReader& in, const json& value, const std::string& key) {
  if (value.is_string()) return value.get<std::string>();
  if (value.is_object()) {
    if (std::string text = in.word(value, "content"); !text.empty()) return text;
  }
  in.fail("\"" + key + "\" must be a token's text, or an object with its \"content\"");
}

// bos_token and the like, and the lists of additional special tokens.
void read_special_names(const JsonReader& in, Beside& out) {
  for (const char* key : roles) {
    const auto it = in.root().find(key);
    if (it == in.root().end()) continue;
    const std::string text = it->is_null() ? std::string() : token_text(in, *it, key);
    const std::string where = in.path() + ": " + key;
    if (!text.empty()) out.special_names.emplace(text, "");
    Beside::Role* role = std::string_view(key) == "bos_token"   ? &out.bos
                         : std::string_view(key) == "eos_token" ? &out.eos
                                                                : nullptr;
    if (role == nullptr) continue;
    if (!role->named) {
      *role = {true, text, where};
    } else if (role->text != text && role == &out.bos) {
      in.fail("bos_token is " + (text.empty() ? std::string("null") : "\"" + text + "\"") +
              ", but " + role->where + " is " +
              (role->text.empty() ? std::string("null") : "\"" + role->text + "\""));
    }
  }
  for (const char* key : {"additional_special_tokens", "extra_special_tokens"}) {
    const json* list = in.find(in.root(), key);
    if (list == nullptr) continue;
    if (!list->is_array() && !list->is_object()) {
      in.fail(std::string("\"") + key + "\" must be a list");
    }
    for (const json& token : *list) {
      out.special_names[token_text(in, token, key)] = in.path() + ": " + key;
    }
  }
}

void add(const JsonReader& in, Beside& out, Beside::Added added) {
  for (auto& other : out.added) {
    if (other.token.text == added.token.text && other.token.id == added.token.id) {
      if (added.has_flags) other = std::move(added);
      return;
    }
    if (other.token.text == added.token.text || other.token.id == added.token.id) {
      in.fail("token \"" + added.token.text + "\" has id " + std::to_string(added.token.id) +
              ", but " + other.where + " has \"" + other.token.text + "\" with id " +
              std::to_string(other.token.id));
    }
  }
  out.added.push_back(std::move(added));
}

// {"[Question]": 32000, …}
void read_added_tokens(const JsonReader& in, Beside& out) {
  for (const auto& [text, id] : in.root().items()) {
    if (text.empty()) in.fail("a token without text");
    AddedToken token;
    token.text = text;
    token.id = in.id(id, "\"" + text + "\"");
    add(in, out, {std::move(token), false, in.path()});
  }
}

// {"32000": {"content": "[Question]", "lstrip": false, …}, …}
void read_decoder(const JsonReader& in, Beside& out) {
  const json* decoder = in.find(in.root(), "added_tokens_decoder");
  if (decoder == nullptr) return;
  if (!decoder->is_object())
    in.fail("\"added_tokens_decoder\" must be an object of ids and tokens");
  for (const auto& [number, value] : decoder->items()) {
    std::int64_t id = -1;
    const auto parsed = std::from_chars(number.data(), number.data() + number.size(), id);
    if (parsed.ec != std::errc{} || parsed.ptr != number.data() + number.size()) id = -1;
    AddedToken token;
    token.id = in.id(json(id), "\"" + number + "\" of added_tokens_decoder");
    token.text = in.word(value, "content");
    if (token.text.empty()) in.fail("added_tokens_decoder: token " + number + " has no content");
    token.special = in.flag(value, "special", false);
    token.lstrip = in.flag(value, "lstrip", false);
    token.rstrip = in.flag(value, "rstrip", false);
    token.single_word = in.flag(value, "single_word", false);
    token.normalized = in.flag(value, "normalized", !token.special);
    add(in, out, {std::move(token), true, in.path() + ": added_tokens_decoder"});
  }
}

void read_config(const JsonReader& in, Beside& out) {
  out.config = in.path();
  read_special_names(in, out);
  out.add_bos = in.flag(in.root(), "add_bos_token");
  out.add_prefix_space = in.flag(in.root(), "add_prefix_space");
  if (const json* value = in.find(in.root(), "tokenizer_class"); value && value->is_string()) {
    out.tokenizer_class = value->get<std::string>();
  }
  if (const json* settings = in.find(in.root(), "sp_model_kwargs");
      settings && !settings->empty()) {
    in.fail("\"sp_model_kwargs\" is not supported: it makes the library give other ids");
  }
  read_decoder(in, out);
}

// What all files together say about each added token.
void settle_flags(Beside& out) {
  for (auto& added : out.added) {
    added.token.special |= out.special_names.count(added.token.text) > 0;
    if (!added.has_flags) added.token.normalized = !added.token.special;
  }
  std::sort(out.added.begin(), out.added.end(),
            [](const auto& a, const auto& b) { return a.token.id < b.token.id; });
}

std::optional<TokenId> first_of(const std::map<std::string, TokenId, std::less<>>& specials,
                                std::initializer_list<const char*> names) {
  for (const char* name : names) {
    if (const auto it = specials.find(std::string_view(name)); it != specials.end()) {
      return it->second;
    }
  }
  return std::nullopt;
}

// Classes of transformers whose texts begin with BOS unless their config says otherwise.
bool adds_by_class(const std::string& name) {
  return name.starts_with("LlamaTokenizer") || name.starts_with("CodeLlamaTokenizer") ||
         name.starts_with("GemmaTokenizer");
}

}  // namespace

const std::vector<std::string>& names_beside() {
  static const std::vector<std::string> names = {"tokenizer_config.json", "special_tokens_map.json",
                                                 "added_tokens.json", "generation_config.json"};
  return names;
}

Beside beside_of_config(const std::string& path, const std::string& config) {
  Beside out;
  read_config(JsonReader(path, hint, config), out);
  settle_flags(out);
  return out;
}

Beside read_beside(const std::string& folder) {
  Beside out;
  const auto if_there = [&](const char* name, const auto& read) {
    const fs::path path = fs::path(folder) / name;
    if (fs::exists(path)) read(JsonReader(path.string(), hint));
  };
  if_there("tokenizer_config.json", [&](const JsonReader& in) { read_config(in, out); });
  if_there("special_tokens_map.json", [&](const JsonReader& in) { read_special_names(in, out); });
  if_there("added_tokens.json", [&](const JsonReader& in) { read_added_tokens(in, out); });
  if_there("generation_config.json", [&](const JsonReader& in) {
    // Some models list several ids, the first of which begins.
    const json* bos = in.find(in.root(), "bos_token_id");
    if (bos != nullptr && bos->is_array()) bos = bos->empty() ? nullptr : &bos->front();
    if (bos != nullptr) out.generation_bos = in.id(*bos, "bos_token_id");
    out.generation = in.path();
  });
  settle_flags(out);
  return out;
}

void require_supported(const AddedToken& token, const std::string& where) {
  if (!token.single_word) return;
  fail_input(where + ": added token \"" + token.text + "\" with single_word is not supported",
             "set it to false where the token need not stand alone");
}

Conventions settle(const Beside& beside, const Conventions& own, bool fixed,
                   const std::function<std::optional<TokenId>(const std::string&)>& id_of,
                   TokenId vocab) {
  Conventions out = own;
  const auto named = [&](const Beside::Role& role, std::optional<TokenId>& id) {
    if (!role.named) return;
    id = role.text.empty() ? std::nullopt : id_of(role.text);
    if (!id && !role.text.empty()) {
      fail_input(role.where + " \"" + role.text + "\" is no token of the tokenizer", hint);
    }
  };
  named(beside.eos, out.eos);
  const bool decided = beside.add_bos.has_value();
  if (decided || !fixed || !beside.bos.text.empty()) named(beside.bos, out.bos);
  if (!out.bos && !beside.bos.named && beside.generation_bos) {
    if (*beside.generation_bos >= vocab) {
      fail_input(beside.generation + ": bos_token_id " + std::to_string(*beside.generation_bos) +
                     " is outside the vocabulary of " + std::to_string(vocab) + " tokens",
                 hint);
    }
    out.bos = beside.generation_bos;
  }
  if (decided) {
    out.adds_bos = *beside.add_bos;
    if (out.adds_bos && !out.bos) {
      fail_input(beside.config + ": add_bos_token is true, but there is no bos_token", hint);
    }
  } else {
    out.adds_bos = out.bos.has_value() && (own.adds_bos || adds_by_class(beside.tokenizer_class));
  }
  return out;
}

std::optional<TokenId> usual_bos(const std::map<std::string, TokenId, std::less<>>& specials) {
  return first_of(specials, {"<|begin_of_text|>", "<s>", "<bos>", "<|startoftext|>",
                             "<|endoftext|>"});  // GPT-2 has one token for both
}
std::optional<TokenId> usual_eos(const std::map<std::string, TokenId, std::less<>>& specials) {
  return first_of(specials, {"<|end_of_text|>", "</s>", "<eos>", "<|endoftext|>"});
}

std::string fingerprint_of(const std::string& kind, const std::string& hash,
                           const std::string& own_facts, const std::string& facts) {
  return kind + ":" + (facts == own_facts ? hash : sha256_hex(hash + "\n" + facts));
}

std::string facts_of(const Conventions& conventions, const std::vector<AddedToken>& added) {
  const auto number = [](std::optional<TokenId> id) { return id ? std::to_string(*id) : "none"; };
  std::string out = "bos=" + number(conventions.bos) + "\neos=" + number(conventions.eos) +
                    "\nadds_bos=" + (conventions.adds_bos ? "1" : "0") + "\n";
  for (const auto& t : added) {
    out += std::to_string(t.id) + " " + (t.special ? "1" : "0") + (t.normalized ? "1" : "0") +
           (t.lstrip ? "1" : "0") + (t.rstrip ? "1" : "0") + (t.single_word ? "1" : "0") + " " +
           std::to_string(t.text.size()) + ":" + t.text + "\n";
  }
  return out;
}

}  // namespace straq::text
