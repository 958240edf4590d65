#include "text/tokenizers/sentencepiece_model.h"

#include <cstdint>
#include <cstring>

namespace straq::text {
namespace {

constexpr std::string_view blank = "\xE2\x96\x81";  // U+2581

// Walks over the fields of one message (Protocol Buffers' wire format).
class Fields {
 public:
  explicit Fields(std::string_view bytes) : rest_(bytes) {}

  // Moves to the next field; false at the end or when the bytes make no sense (then bad() is true).
  bool next() {
    if (rest_.empty() || bad_) return false;
    const std::uint64_t tag = varint();
    number = static_cast<int>(tag >> 3);
    switch (tag & 7) {
      case 0:
        integer = varint();
        break;
      case 1:
        bytes = take(8);
        break;
      case 2:
        bytes = take(varint());
        break;
      case 5:
        bytes = take(4);
        break;
      default:
        bad_ = true;
    }
    return !bad_;
  }
  bool bad() const { return bad_; }

  int number = 0;
  std::uint64_t integer = 0;  // of a varint field
  std::string_view bytes;     // of any other

 private:
  std::uint64_t varint() {
    std::uint64_t value = 0;
    for (int shift = 0; shift < 64; shift += 7) {
      if (rest_.empty()) break;
      const auto b = static_cast<unsigned char>(rest_.front());
      rest_.remove_prefix(1);
      value |= static_cast<std::uint64_t>(b & 0x7F) << shift;
      if (b < 0x80) return value;
    }
    bad_ = true;
    return 0;
  }
  std::string_view take(std::uint64_t n) {
    if (n > rest_.size()) {
      bad_ = true;
      return {};
    }
    const std::string_view out = rest_.substr(0, n);
    rest_.remove_prefix(n);
    return out;
  }

  std::string_view rest_;
  bool bad_ = false;
};

bool read_piece(std::string_view bytes, SentencePieceModel::Piece& piece) {
  Fields f(bytes);
  while (f.next()) {
    if (f.number == 1) piece.text = f.bytes;
    if (f.number == 2 && f.bytes.size() == 4) std::memcpy(&piece.score, f.bytes.data(), 4);
    if (f.number == 3) piece.type = static_cast<SentencePieceModel::Type>(f.integer);
  }
  return !f.bad();
}

bool read_trainer(std::string_view bytes, SentencePieceModel& model) {
  Fields f(bytes);
  while (f.next()) {
    if (f.number == 3) model.kind = static_cast<SentencePieceModel::Kind>(f.integer);
    if (f.number == 24) model.whitespace_as_suffix = f.integer != 0;
  }
  return !f.bad();
}

bool read_normalizer(std::string_view bytes, SentencePieceModel& model) {
  Fields f(bytes);
  while (f.next()) {
    if (f.number == 2) model.identity = f.bytes.empty();
    if (f.number == 3) model.dummy_prefix = f.integer != 0;
    if (f.number == 4) model.remove_extra_whitespaces = f.integer != 0;
    if (f.number == 5) model.escape_whitespaces = f.integer != 0;
  }
  return !f.bad();
}

}  // namespace

std::optional<SentencePieceModel> parse_sentencepiece_model(std::string_view bytes) {
  SentencePieceModel model;
  Fields f(bytes);
  while (f.next()) {
    bool good = true;
    if (f.number == 1) good = read_piece(f.bytes, model.pieces.emplace_back());
    if (f.number == 2) good = read_trainer(f.bytes, model);
    if (f.number == 3) good = read_normalizer(f.bytes, model);
    if (!good) return std::nullopt;
  }
  if (f.bad() || model.pieces.empty()) return std::nullopt;
  return model;
}

namespace {

void put_varint(std::string& out, std::uint64_t value) {
  for (; value >= 0x80; value >>= 7) out += static_cast<char>(value | 0x80);
  out += static_cast<char>(value);
}

// A field of whole numbers; negative ones are ten bytes, as the format has them.
void put_number(std::string& out, int field, std::int64_t value) {
  put_varint(out, static_cast<std::uint64_t>(field) << 3);
  put_varint(out, static_cast<std::uint64_t>(value));
}

void put_bytes(std::string& out, int field, std::string_view bytes) {
  put_varint(out, static_cast<std::uint64_t>(field) << 3 | 2);
  put_varint(out, bytes.size());
  out += bytes;
}

}  // namespace

std::string write_sentencepiece_model(const SentencePieceModel& model, const SpecialPieces& ids) {
  std::string out;
  bool byte_fallback = false;
  for (const auto& piece : model.pieces) {
    std::string message;
    put_bytes(message, 1, piece.text);
    message += '\x15';  // field 2, 32 bits
    message.append(reinterpret_cast<const char*>(&piece.score), sizeof piece.score);
    put_number(message, 3, static_cast<int>(piece.type));
    put_bytes(out, 1, message);
    byte_fallback |= piece.type == SentencePieceModel::Type::byte;
  }
  std::string trainer;
  put_number(trainer, 3, static_cast<int>(model.kind));
  put_number(trainer, 4, static_cast<std::int64_t>(model.pieces.size()));
  put_number(trainer, 35, byte_fallback);
  const auto special = [&](int id, int id_field, int text_field) {
    put_number(trainer, id_field, id);
    if (id >= 0) put_bytes(trainer, text_field, model.pieces[static_cast<std::size_t>(id)].text);
  };
  special(ids.unknown, 40, 45);
  special(ids.bos, 41, 46);
  special(ids.eos, 42, 47);
  put_bytes(out, 2, trainer);
  std::string normalizer;
  put_bytes(normalizer, 1, "identity");
  put_number(normalizer, 3, model.dummy_prefix);
  put_number(normalizer, 4, model.remove_extra_whitespaces);
  put_number(normalizer, 5, model.escape_whitespaces);
  put_bytes(out, 3, normalizer);
  return out;
}

bool words_are_independent(const SentencePieceModel& model) {
  if (!model.identity || model.remove_extra_whitespaces || !model.escape_whitespaces ||
      model.whitespace_as_suffix) {
    return false;
  }
  bool has_blank = false;
  for (const auto& piece : model.pieces) {
    if (piece.type == SentencePieceModel::Type::user_defined) return false;
    if (piece.type != SentencePieceModel::Type::normal &&
        piece.type != SentencePieceModel::Type::unused) {
      continue;
    }
    if (piece.text == blank && piece.type == SentencePieceModel::Type::normal) has_blank = true;
    std::string_view rest = piece.text;
    while (rest.starts_with(blank)) rest.remove_prefix(blank.size());
    if (rest.find(blank) != std::string_view::npos) return false;
  }
  return has_blank;
}

}  // namespace straq::text
