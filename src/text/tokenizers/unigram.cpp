#include "text/tokenizers/unigram.h"

#include <algorithm>

#include "text/unicode.h"

namespace straq::text {
namespace {

using Type = SentencePieceModel::Type;

}  // namespace

std::optional<UnigramEncoder> UnigramEncoder::make(const SentencePieceModel& model) {
  if (model.kind != SentencePieceModel::Kind::unigram || !words_are_independent(model)) {
    return std::nullopt;
  }
  UnigramEncoder out;
  out.dummy_prefix_ = model.dummy_prefix;
  out.first_.fill(-1);
  out.byte_ids_.fill(-1);
  TokenId nodes = 0;
  float lowest = 0;
  bool any = false;
  for (std::size_t id = 0; id < model.pieces.size(); ++id) {
    const auto& piece = model.pieces[id];
    out.scores_.push_back(piece.score);
    if (piece.type == Type::byte) {
      if (const int b = byte_of_token(piece.text); b >= 0) {
        out.byte_ids_[static_cast<std::size_t>(b)] = static_cast<TokenId>(id);
      }
    }
    if (piece.type != Type::normal || piece.text.empty()) continue;
    lowest = any ? std::min(lowest, piece.score) : piece.score;
    any = true;
    TokenId node = -1;
    for (std::size_t i = 0; i < piece.text.size(); ++i) {
      const auto byte = static_cast<unsigned char>(piece.text[i]);
      TokenId next = i == 0 ? out.first_[byte] : out.edges_.find(node, byte).id;
      if (next < 0) {
        next = nodes++;
        out.piece_at_.push_back(-1);
        i == 0 ? void(out.first_[byte] = next) : out.edges_.insert(node, byte, {0, next});
      }
      node = next;
    }
    out.piece_at_[static_cast<std::size_t>(node)] = static_cast<TokenId>(id);
  }
  if (std::find(out.byte_ids_.begin(), out.byte_ids_.end(), -1) != out.byte_ids_.end()) {
    return std::nullopt;
  }
  out.unknown_score_ = lowest - 10.0f;  // sentencepiece's penalty for a character without a piece
  return out;
}

void UnigramEncoder::append(std::string_view text, std::vector<TokenId>& ids) const {
  if (text.empty()) return;
  thread_local std::string normal;
  normal.clear();
  if (dummy_prefix_) normal += "\xE2\x96\x81";
  for (const char c : text) c == ' ' ? void(normal += "\xE2\x96\x81") : normal.push_back(c);

  // The best way to reach each byte position.
  struct Step {
    std::int64_t from = -1;
    TokenId id = -1;  // -1: one unknown character
    float score = 0;
  };
  thread_local std::vector<Step> best;
  const std::size_t size = normal.size();
  best.assign(size + 1, Step{});
  for (std::size_t at = 0; at < size;) {
    const float here = best[at].score;
    const std::size_t character = utf8_character(normal.data() + at).bytes;
    bool has_character = false;
    TokenId node = first_[static_cast<unsigned char>(normal[at])];
    for (std::size_t end = at + 1; node >= 0; ++end) {
      if (const TokenId id = piece_at_[static_cast<std::size_t>(node)]; id >= 0) {
        Step& target = best[end];
        // In single precision: rounding decides between cuts of the same sum (see the header).
        const float score = scores_[static_cast<std::size_t>(id)] + here;
        if (target.from < 0 || score > target.score) {
          target = {static_cast<std::int64_t>(at), id, score};
        }
        has_character |= end - at == character;
      }
      if (end == size) break;
      node = edges_.find(node, static_cast<unsigned char>(normal[end])).id;
    }
    if (!has_character) {
      Step& target = best[at + character];
      const float score = unknown_score_ + here;
      if (target.from < 0 || score > target.score) {
        target = {static_cast<std::int64_t>(at), -1, score};
      }
    }
    at += character;
  }

  const std::size_t begin = ids.size();
  for (std::size_t end = size; end > 0;) {
    const Step& step = best[end];
    const auto from = static_cast<std::size_t>(step.from);
    if (step.id >= 0) {
      ids.push_back(step.id);
    } else {
      for (std::size_t i = end; i > from; --i) {
        ids.push_back(byte_ids_[static_cast<unsigned char>(normal[i - 1])]);
      }
    }
    end = from;
  }
  std::reverse(ids.begin() + static_cast<std::ptrdiff_t>(begin), ids.end());
}

}  // namespace straq::text
