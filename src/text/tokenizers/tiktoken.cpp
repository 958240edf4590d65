#include <array>
#include <charconv>

#include "core/error.h"
#include "core/files/files.h"
#include "core/hash.h"
#include "text/tokenizers/bpe_tokenizer.h"

namespace straq::text {
namespace {

// The bytes that `text` writes in base64 (RFC 4648, padded); empty when it is malformed.
std::optional<std::string> from_base64(std::string_view text) {
  static const std::array<signed char, 256> values = [] {
    std::array<signed char, 256> v;
    v.fill(-1);
    constexpr std::string_view digits =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for (std::size_t i = 0; i < digits.size(); ++i) {
      v[static_cast<unsigned char>(digits[i])] = static_cast<signed char>(i);
    }
    return v;
  }();
  if (text.empty() || text.size() % 4 != 0) return std::nullopt;
  std::size_t padding = 0;
  while (padding < 2 && text[text.size() - 1 - padding] == '=') ++padding;
  std::string out;
  std::uint32_t bits = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const bool padded = i >= text.size() - padding;
    const int v = padded ? 0 : values[static_cast<unsigned char>(text[i])];
    if (v < 0) return std::nullopt;
    bits = bits << 6 | static_cast<std::uint32_t>(v);
    if (i % 4 == 3) {
      for (int shift = 16; shift >= 0; shift -= 8) out += static_cast<char>(bits >> shift);
      bits = 0;
    }
  }
  out.resize(out.size() - padding);
  return out;
}

std::vector<std::string> read_ranks(const std::string& path, std::string_view bytes) {
  std::vector<std::string> tokens;
  long line_number = 0;
  const auto fail = [&](const std::string& what) {
    fail_input(at_line(path, line_number, what),
               "each line of a tiktoken file is a token in base64, a blank and its rank, the ranks "
               "0, 1, 2, … each once");
  };
  for (std::size_t begin = 0; begin < bytes.size();) {
    ++line_number;
    std::size_t end = bytes.find('\n', begin);
    if (end == std::string_view::npos) end = bytes.size();
    std::string_view line = bytes.substr(begin, end - begin);
    begin = end + 1;
    if (!line.empty() && line.back() == '\r') line.remove_suffix(1);
    if (line.empty()) continue;
    const std::size_t blank = line.find(' ');
    if (blank == std::string_view::npos) fail("a token without its rank");
    auto token = from_base64(line.substr(0, blank));
    if (!token) fail("the token is not base64");
    std::size_t rank = 0;
    const char* last = line.data() + line.size();
    const auto parsed = std::from_chars(line.data() + blank + 1, last, rank);
    if (parsed.ec != std::errc{} || parsed.ptr != last || rank >= 10'000'000) {
      fail("the rank is not a number");
    }
    if (rank > bytes.size()) fail("rank " + std::to_string(rank) + " is beyond all lines");
    if (rank >= tokens.size()) tokens.resize(rank + 1);
    if (!tokens[rank].empty()) fail("rank " + std::to_string(rank) + " for the second time");
    tokens[rank] = std::move(*token);
  }
  for (std::size_t rank = 0; rank < tokens.size(); ++rank) {
    if (tokens[rank].empty()) {
      line_number = static_cast<long>(rank) + 1;
      fail("rank " + std::to_string(rank) + " is missing");
    }
  }
  return tokens;
}

// SHA-256 over Llama 3's tokens in the order of their ranks, each with its length.
constexpr std::string_view llama3_ranks =
    "350d88675e8fcd827021491c120e78949746440e80215af9291ced959938f504";

std::string hash_of(const std::vector<std::string>& tokens) {
  Sha256 hash;
  for (const auto& token : tokens) hash.update(std::to_string(token.size()) + ":").update(token);
  return hash.hex();
}

// The names of Llama 3's 256 special tokens, in order.
std::vector<std::string> llama3_specials() {
  const auto reserved = [](int i) {
    return "<|reserved_special_token_" + std::to_string(i) + "|>";
  };
  std::vector<std::string> names = {
      "<|begin_of_text|>", "<|end_of_text|>",     reserved(0),         reserved(1), reserved(2),
      reserved(3),         "<|start_header_id|>", "<|end_header_id|>", reserved(4), "<|eot_id|>",
  };
  for (int i = 5; names.size() < 256; ++i) names.push_back(reserved(i));
  return names;
}

}  // namespace

std::unique_ptr<Tokenizer> open_tiktoken(const std::string& path, const Beside& beside) {
  const std::string bytes = read_file(path);
  BpeParts parts;
  parts.tokens = read_ranks(path, bytes);
  const std::size_t ranks = parts.tokens.size();
  // Rank files of all families look the same, but each goes with a split pattern and special tokens
  // of its own that no line of the file tells; taken for Llama 3's they would give wrong ids
  // without a word.
  if (hash_of(parts.tokens) != llama3_ranks) {
    fail_input(path + ": a table of " + std::to_string(ranks) +
                   " ranks that is not Llama 3's (128000 ranks), the only one whose split pattern "
                   "and special tokens are known",
               "give the model's tokenizer.json; GPT-2 also as vocab.json and merges.txt");
  }
  parts.encoder = BytePairEncoder::from_ranks(parts.tokens, path);
  parts.pre_tokenizer.add_pattern(std::string(llama3_pattern));
  for (const auto& name : llama3_specials()) {
    parts.specials[name] = static_cast<TokenId>(parts.tokens.size());
    parts.tokens.push_back(name);
  }
  const auto at = [&](std::size_t i) { return static_cast<TokenId>(ranks + i); };
  parts.specials["<|finetune_right_pad_id|>"] = at(4);
  parts.specials["<|eom_id|>"] = at(8);
  parts.specials["<|python_tag|>"] = at(10);
  // Tokens of the files beside it must be the table's own; others would lie behind it.
  const auto require = [&](const std::string& name, std::optional<TokenId> id,
                           const std::string& where) {
    const auto it = parts.specials.find(name);
    if (it != parts.specials.end() && (!id || it->second == *id)) return;
    fail_input(where + ": \"" + name + "\" is no special token of Llama 3's with this id",
               "give the model's tokenizer.json");
  };
  for (const auto& added : beside.added) require(added.token.text, added.token.id, added.where);
  for (const auto& [name, where] : beside.special_names) {
    if (!where.empty()) require(name, std::nullopt, where);
  }
  const Conventions own{at(0), at(1), true};
  const auto id_of = [&](const std::string& name) {
    const auto it = parts.specials.find(name);
    return it == parts.specials.end() ? std::nullopt : std::optional<TokenId>(it->second);
  };
  const Conventions settled =
      settle(beside, own, false, id_of, static_cast<TokenId>(parts.tokens.size()));
  parts.bos = settled.bos;
  parts.eos = settled.eos;
  parts.adds_bos = settled.adds_bos;
  parts.fingerprint =
      fingerprint_of("tiktoken", sha256_hex(bytes), facts_of(own, {}), facts_of(settled, {}));
  return std::make_unique<BpeTokenizer>(std::move(parts));
}

}  // namespace straq::text
