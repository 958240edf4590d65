#include "text/byte_bpe.h"

#include <initializer_list>

#include "core/error.h"

namespace straq::text {
namespace {

std::optional<TokenId> first_of(const std::map<std::string, TokenId, std::less<>>& specials,
                                std::initializer_list<const char*> names) {
  for (const char* name : names) {
    if (const auto it = specials.find(std::string_view(name)); it != specials.end()) {
      return it->second;
    }
  }
  return std::nullopt;
}

}  // namespace

std::optional<TokenId> usual_bos(const std::map<std::string, TokenId, std::less<>>& specials) {
  return first_of(specials, {"<|begin_of_text|>", "<s>", "<bos>", "<|startoftext|>",
                             "<|endoftext|>"});  // GPT-2 has one token for both
}
std::optional<TokenId> usual_eos(const std::map<std::string, TokenId, std::less<>>& specials) {
  return first_of(specials, {"<|end_of_text|>", "</s>", "<eos>", "<|endoftext|>"});
}

ByteBpeTokenizer::ByteBpeTokenizer(ByteBpeParts parts) : parts_(std::move(parts)) {
  for (const auto& [word, id] : parts_.words) {
    word_starts_[static_cast<unsigned char>(word.front())] = true;
  }
}

std::vector<TokenId> ByteBpeTokenizer::encode(std::string_view text) const {
  require_utf8(text);
  std::vector<TokenId> ids;
  ids.reserve(text.size() / 3 + 4);
  const std::unique_lock lock(memory_mutex_, std::try_to_lock);
  PieceMap* memory = lock.owns_lock() ? &memory_ : nullptr;
  if (parts_.words.empty()) {
    encode_plain(text, memory, ids);
    return ids;
  }
  std::size_t done = 0;
  for (std::size_t i = 0; i < text.size();) {
    std::size_t length = 0;
    TokenId id = -1;
    if (word_starts_[static_cast<unsigned char>(text[i])]) {
      for (const auto& [word, word_id] : parts_.words) {
        if (word.size() > length && text.compare(i, word.size(), word) == 0) {
          length = word.size();
          id = word_id;
        }
      }
    }
    if (length == 0) {
      ++i;
      continue;
    }
    encode_plain(text.substr(done, i - done), memory, ids);
    ids.push_back(id);
    done = i += length;
  }
  encode_plain(text.substr(done), memory, ids);
  return ids;
}

void ByteBpeTokenizer::encode_plain(std::string_view text, PieceMap* memory,
                                    std::vector<TokenId>& ids) const {
  if (text.empty()) return;
  std::string prefixed;
  if (parts_.add_prefix_space && text.front() != ' ') {
    prefixed.append(" ").append(text);
    text = prefixed;
  }
  thread_local std::vector<std::string_view> pieces;
  parts_.pre_tokenizer.split(text, pieces);
  for (const auto piece : pieces) parts_.encoder.append(piece, memory, ids);
}

std::string ByteBpeTokenizer::decode(const std::vector<TokenId>& ids) const {
  std::string out;
  for (const TokenId id : ids) {
    if (id < 0 || id >= vocab_size()) {
      fail_input("token id " + std::to_string(id) + " is outside the vocabulary of " +
                     std::to_string(vocab_size()),
                 "the ids were made with another tokenizer");
    }
    out += parts_.tokens[static_cast<std::size_t>(id)];
  }
  return out;
}

std::optional<TokenId> ByteBpeTokenizer::special(std::string_view token) const {
  const auto it = parts_.specials.find(token);
  return it == parts_.specials.end() ? std::nullopt : std::optional<TokenId>(it->second);
}

}  // namespace straq::text
