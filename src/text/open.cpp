#include <filesystem>

#include "core/error.h"
#include "core/files.h"
#include "text/byte_bpe.h"
#include "text/sentencepiece.h"
#include "text/tokenizer.h"

namespace straq::text {
namespace {

namespace fs = std::filesystem;

constexpr const char* kinds =
    "a tokenizer is a sentencepiece model, a tiktoken rank file, a tokenizer.json, or a folder "
    "with "
    "tokenizer.model, tokenizer.json or vocab.json and merges.txt";

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

std::unique_ptr<Tokenizer> open_json(const fs::path& path, std::string_view bytes) {
  // A tokenizer.json has a "model"; a bare vocabulary goes with the merges beside it.
  const fs::path merges = path.parent_path() / "merges.txt";
  if (path.filename() == "vocab.json" && fs::exists(merges)) {
    return open_vocab_merges(path.string(), merges.string());
  }
  if (bytes.find("\"model\"") == std::string_view::npos) {
    fail_input(path.string() + ": JSON, but no tokenizer.json (it has no \"model\")", kinds);
  }
  return open_hugging_face(path.string());
}

}  // namespace

std::unique_ptr<Tokenizer> open_tokenizer(const std::string& path) {
  const fs::path place(path);
  if (!fs::exists(place)) fail_input("tokenizer \"" + path + "\" does not exist", kinds);
  if (fs::is_directory(place)) {
    for (const char* name : {"tokenizer.model", "tokenizer.json"}) {
      if (fs::exists(place / name)) return open_tokenizer((place / name).string());
    }
    if (fs::exists(place / "vocab.json") && fs::exists(place / "merges.txt")) {
      return open_vocab_merges((place / "vocab.json").string(), (place / "merges.txt").string());
    }
    fail_input("folder \"" + path + "\" holds no tokenizer", kinds);
  }
  const std::string bytes = read_file(path);
  if (bytes.empty()) fail_input(path + ": the file is empty", kinds);
  const std::size_t first = bytes.find_first_not_of(" \t\r\n");
  if (first != std::string::npos && bytes[first] == '{') return open_json(place, bytes);
  if (looks_like_ranks(bytes)) return open_tiktoken(path);
  // A serialised model starts with its first piece: field 1, length-delimited.
  if (bytes[0] == '\x0a') return open_sentencepiece(path);
  fail_input(path + ": not a tokenizer of a known kind", kinds);
}

}  // namespace straq::text
