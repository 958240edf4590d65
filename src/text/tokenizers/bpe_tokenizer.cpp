#include "text/tokenizers/bpe_tokenizer.h"

#include "core/error.h"

namespace straq::text {

BpeTokenizer::BpeTokenizer(BpeParts parts) : parts_(std::move(parts)) {
  is_special_.resize(parts_.tokens.size());
  for (const auto& [name, id] : parts_.specials)
    is_special_.at(static_cast<std::size_t>(id)) = true;
}

std::vector<TokenId> BpeTokenizer::encode(std::string_view text) const {
  require_utf8(text);
  std::vector<TokenId> ids;
  ids.reserve(text.size() / 3 + 4);
  const std::unique_lock lock(memory_mutex_, std::try_to_lock);
  PieceMap* memory = lock.owns_lock() ? &memory_ : nullptr;
  if (parts_.raw_words.empty()) {
    encode_raw(text, true, memory, ids);
  } else {
    parts_.raw_words.find(text, [&](std::string_view stretch, TokenId id) {
      if (id >= 0) {
        ids.push_back(id);
      } else {
        encode_raw(stretch, stretch.data() == text.data(), memory, ids);
      }
    });
  }
  return ids;
}

void BpeTokenizer::encode_raw(std::string_view text, bool at_start, PieceMap* memory,
                              std::vector<TokenId>& ids) const {
  std::string normal;
  if (!parts_.normalizer.empty()) {
    normal = parts_.normalizer.apply(text);
    text = normal;
  }
  if (parts_.words.empty()) {
    encode_plain(text, at_start, memory, ids);
    return;
  }
  parts_.words.find(text, [&](std::string_view stretch, TokenId id) {
    if (id >= 0) {
      ids.push_back(id);
    } else {
      encode_plain(stretch, at_start && stretch.data() == text.data(), memory, ids);
    }
  });
}

void BpeTokenizer::encode_plain(std::string_view text, bool at_start, PieceMap* memory,
                                std::vector<TokenId>& ids) const {
  if (text.empty()) return;
  std::string prefixed;
  if (parts_.add_prefix_space && text.front() != ' ') {
    prefixed.append(" ").append(text);
    text = prefixed;
  }
  thread_local std::vector<std::string_view> pieces;
  thread_local std::deque<std::string> store;
  store.clear();
  parts_.pre_tokenizer.split(text, at_start, store, pieces);
  for (const auto piece : pieces) parts_.encoder.append(piece, memory, ids);
}

std::string BpeTokenizer::decode(const std::vector<TokenId>& ids) const {
  std::string out;
  bool strip = parts_.strip_first;
  for (const TokenId id : ids) {
    if (id < 0 || id >= vocab_size()) {
      fail_input("token id " + std::to_string(id) + " is outside the vocabulary of " +
                     std::to_string(vocab_size()),
                 "the ids were made with another tokenizer");
    }
    std::string_view token = parts_.tokens[static_cast<std::size_t>(id)];
    const bool special = is_special_[static_cast<std::size_t>(id)];
    if (strip && !special && token.starts_with(' ')) token.remove_prefix(1);
    if (!special) strip = false;
    if (special && parts_.strip_each) strip = true;
    out += token;
  }
  return out;
}

std::optional<TokenId> BpeTokenizer::special(std::string_view token) const {
  const auto it = parts_.specials.find(token);
  return it == parts_.specials.end() ? std::nullopt : std::optional<TokenId>(it->second);
}

}  // namespace straq::text
