#include <algorithm>
#include <filesystem>
#include <iterator>
#include <map>

#include "core/error.h"
#include "core/files/files.h"
#include "core/files/gguf_file.h"
#include "text/beside.h"
#include "text/tokenizer.h"
#include "text/tokenizers/bpe_tokenizer.h"
#include "text/tokenizers/gguf_tokenizer.h"
#include "text/tokenizers/json_reader.h"
#include "text/tokenizers/sentencepiece.h"

namespace straq::text {
namespace {

namespace fs = std::filesystem;

constexpr const char* kinds =
    "a tokenizer is a sentencepiece model, Llama 3's tiktoken rank file, a tokenizer.json, a GGUF "
    "file, or a folder with tokenizer.model, tokenizer.json or vocab.json and merges.txt";

// A token in base64, a blank and a number: the first line of a rank file.
bool looks_like_ranks(std::string_view bytes) {
  const std::string_view line = bytes.substr(0, bytes.find('\n'));
  const std::size_t blank = line.find(' ');
  if (blank == 0 || blank == std::string_view::npos || blank % 4 != 0) return false;
  const auto all = [](std::string_view text, std::string_view of) {
    return text.find_first_not_of(of) == std::string_view::npos;
  };
  return all(line.substr(0, blank),
             "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/=") &&
         blank + 1 < line.size() && all(line.substr(blank + 1), "0123456789\r");
}

// Of a tokenizer's own files in a folder.
constexpr const char* own_names[] = {"tokenizer.model", "tokenizer.json", "vocab.json",
                                     "merges.txt"};

enum class Kind { sentencepiece, ranks, json, none };

Kind kind_of(const std::string& path, std::string_view bytes) {
  if (bytes.empty()) fail_input(path + ": the file is empty", kinds);
  refuse_pointer(path, bytes);
  if (bytes.starts_with("\xEF\xBB\xBF")) bytes.remove_prefix(3);
  const std::size_t first = bytes.find_first_not_of(" \t\r\n");
  if (first != std::string_view::npos && bytes[first] == '{') return Kind::json;
  if (looks_like_ranks(bytes)) return Kind::ranks;
  // A serialised model starts with its first piece: field 1, length-delimited.
  return bytes[0] == '\x0a' ? Kind::sentencepiece : Kind::none;
}

std::unique_ptr<Tokenizer> open_file(const fs::path& path) {
  const std::string name = path.string();
  if (is_gguf_file(name)) return open_gguf_tokenizer(name);
  const std::string bytes = read_file(name);
  const Kind kind = kind_of(name, bytes);
  if (kind == Kind::none) fail_input(name + ": not a tokenizer of a known kind", kinds);
  const Beside beside = read_beside(path.parent_path().string());
  if (kind == Kind::sentencepiece) return open_sentencepiece(name, beside);
  if (kind == Kind::ranks) return open_tiktoken(name, beside);
  // A tokenizer.json has a "model"; a bare vocabulary goes with the merges beside it.
  const fs::path merges = path.parent_path() / "merges.txt";
  if (path.filename() == "vocab.json" && fs::exists(merges)) {
    return open_vocab_merges(name, merges.string(), beside);
  }
  if (bytes.find("\"model\"") == std::string::npos) {
    fail_input(name + ": JSON, but no tokenizer.json (it has no \"model\")", kinds);
  }
  return open_hugging_face(name, beside);
}

// The tokens of a tokenizer.json or vocab.json by text, added ones included.
std::map<std::string, TokenId> tokens_of_json(const fs::path& path) {
  const JsonReader in(path.string(), kinds);
  std::map<std::string, TokenId> out;
  const nlohmann::json* model = in.find(in.root(), "model");
  const nlohmann::json& vocabulary =
      model != nullptr && model->is_object() ? in.part(*model, "vocab") : in.root();
  if (vocabulary.is_array()) {  // of pairs of a piece and its score
    TokenId id = 0;
    for (const auto& piece : vocabulary) {
      if (!piece.is_array() || piece.empty() || !piece[0].is_string()) {
        in.fail("a piece of the vocabulary is no text with its score");
      }
      out.emplace(piece[0].get<std::string>(), id++);
    }
  } else if (vocabulary.is_object()) {
    for (const auto& [text, id] : vocabulary.items())
      out.emplace(text, in.id(id, "\"" + text + "\""));
  } else {
    in.fail("\"vocab\" must be an object or a list");
  }
  if (&vocabulary != &in.root() && in.find(in.root(), "added_tokens") != nullptr) {
    for (const auto& token : in.list(in.root(), "added_tokens")) {
      const std::string text = in.word(token, "content");
      out.emplace(text, in.id(in.part(token, "id"), "\"" + text + "\""));
    }
  }
  return out;
}

[[noreturn]] void fail_other(const fs::path& chosen, const fs::path& other,
                             const std::string& token) {
  fail_input(chosen.string() + " and " + other.string() + " are of different tokenizers: \"" +
                 token + "\" is not the same token in both",
             "name the file that is meant instead of the folder, or remove the other");
}

// A folder's tokenizer.json must say no other ids than its tokenizer.model with the files beside.
void require_same(const fs::path& model, const Tokenizer& tokenizer, const fs::path& json) {
  const auto tokens = tokens_of_json(json);
  const auto pieces = pieces_of_sentencepiece(model.string());
  const Beside beside = read_beside(model.parent_path().string());
  for (std::size_t id = 0; id < pieces.size(); ++id) {
    const auto it = tokens.find(pieces[id]);
    if (it == tokens.end() || it->second != static_cast<TokenId>(id)) {
      fail_other(model, json, pieces[id]);
    }
  }
  for (const auto& [text, id] : tokens) {
    if (id < static_cast<TokenId>(pieces.size()) && pieces[static_cast<std::size_t>(id)] == text) {
      continue;
    }
    const bool added = std::any_of(
        beside.added.begin(), beside.added.end(),
        [&, &text = text, &id = id](auto& a) { return a.token.text == text && a.token.id == id; });
    if (!added || id >= tokenizer.vocab_size()) fail_other(model, json, text);
  }
}

// vocab.json beside a tokenizer.json: the same ids, as far as it goes.
void require_same(const fs::path& json, const fs::path& vocab) {
  const auto tokens = tokens_of_json(json);
  for (const auto& [text, id] : tokens_of_json(vocab)) {
    const auto it = tokens.find(text);
    if (it == tokens.end() || it->second != id) fail_other(json, vocab, text);
  }
}

std::unique_ptr<Tokenizer> open_folder(const fs::path& folder) {
  const fs::path model = folder / "tokenizer.model", json = folder / "tokenizer.json",
                 vocab = folder / "vocab.json", merges = folder / "merges.txt";
  const bool has_json = fs::exists(json);
  const bool has_pair = fs::exists(vocab) && fs::exists(merges);
  if (fs::exists(model)) {
    const Kind kind = kind_of(model.string(), read_file(model.string()));
    // Ranks alone do not name their special tokens.
    if (!has_json || kind != Kind::ranks) {
      auto tokenizer = open_file(model);
      if (has_json && kind == Kind::sentencepiece) require_same(model, *tokenizer, json);
      return tokenizer;
    }
  }
  if (has_json) {
    auto tokenizer = open_file(json);
    if (has_pair) require_same(json, vocab);
    return tokenizer;
  }
  if (has_pair) return open_file(vocab);
  fail_input("folder \"" + folder.string() + "\" holds no tokenizer", kinds);
}

}  // namespace

std::unique_ptr<Tokenizer> open_tokenizer(const std::string& path) {
  const fs::path place(path);
  if (!fs::exists(place)) fail_input("tokenizer \"" + path + "\" does not exist", kinds);
  return fs::is_directory(place) ? open_folder(place) : open_file(place);
}

std::vector<std::string> files_of_tokenizer(const std::string& path) {
  const fs::path place(path);
  if (is_gguf_file(path)) return {path};  // nothing beside it counts
  const bool folder = fs::is_directory(place);
  const fs::path beside = folder ? place : place.parent_path();
  std::vector<std::string> out;
  const auto take = [&](const fs::path& file) {
    if (fs::exists(file)) out.push_back(file.string());
  };
  if (folder) {
    for (const char* name : own_names) take(beside / name);
  } else {
    out.push_back(path);
    // vocab.json is half of a tokenizer.
    if (place.filename() == "vocab.json") take(beside / "merges.txt");
  }
  for (const auto& name : names_beside()) take(beside / name);
  return out;
}

std::vector<TokenizerCopy> copies_of_tokenizer(const std::string& path) {
  std::vector<TokenizerCopy> out;
  for (const auto& file : files_of_tokenizer(path)) {
    out.push_back({file, fs::path(file).filename().string()});
  }
  if (!fs::is_directory(path)) {
    std::string& name = out.front().name;
    const Kind kind = kind_of(path, read_file(path));
    const bool half =
        name == "vocab.json" && out.size() > 1 && fs::path(out[1].path).filename() == "merges.txt";
    if (!half) name = kind == Kind::json ? "tokenizer.json" : "tokenizer.model";
  }
  return out;
}

std::vector<std::string> names_of_copies() {
  std::vector<std::string> out(std::begin(own_names), std::end(own_names));
  out.insert(out.end(), names_beside().begin(), names_beside().end());
  return out;
}

}  // namespace straq::text
