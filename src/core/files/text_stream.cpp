#include "core/files/text_stream.h"

#include <algorithm>
#include <utility>

#include "core/error.h"
#include "core/files/text_file.h"
#include "core/utf8.h"

namespace straq {
namespace {

constexpr std::size_t kPiece = std::size_t{1} << 20;
constexpr std::size_t kFirstPiece = 4096;  // behind a jump; each further one is twice as large
constexpr std::size_t kHead = 4096;        // of a text, that tells what it is
constexpr std::size_t kLongestLine = std::size_t{16} << 20;  // before it is asked what ends lines
constexpr const char* kUtf8Hint = "convert the file, for instance with iconv -f latin1 -t utf-8";

bool begins_utf16(std::string_view bytes) {
  return bytes.substr(0, 2) == "\xFF\xFE" || bytes.substr(0, 2) == "\xFE\xFF";
}

long count(std::string_view text, char c) {
  return static_cast<long>(std::count(text.begin(), text.end(), c));
}

// How many bytes at the end are the beginning of a character that goes on.
std::size_t open_tail(std::string_view text) {
  for (std::size_t n = 1; n <= std::min<std::size_t>(3, text.size()); ++n) {
    const auto byte = static_cast<unsigned char>(text[text.size() - n]);
    if ((byte & 0xC0) == 0x80) continue;
    const std::size_t length = byte >= 0xF0 ? 4 : byte >= 0xE0 ? 3 : byte >= 0xC0 ? 2 : 1;
    return length > n ? n : 0;
  }
  return 0;
}

}  // namespace

TextStream::TextStream(const std::string& path)
    : path_(path), source_(std::make_unique<ByteSource>(path)) {}

TextStream TextStream::of(std::string_view bytes, const std::string& path) {
  TextStream out;
  out.path_ = path;
  out.bytes_ = bytes;
  out.memory_ = std::make_unique<std::string_view>(bytes);
  out.open_first();
  return out;
}

TextStream TextStream::of_decoded(std::string_view text) {
  TextStream out;
  out.memory_ = std::make_unique<std::string_view>(text);
  out.opened_ = out.ended_ = true;
  out.to_ = text.size();
  return out;
}

void TextStream::fail(const TextFault& fault) {
  // An archive that is damaged unpacks to no text first: reading it to its end says so.
  if (packed()) read_rest();
  fault_ = fault;
  ended_ = true;
}

// Looks at how the text begins: everything that is no text, or text in another form, shows there.
void TextStream::open_first() {
  opened_ = true;
  if (source_) {
    while (buffer_.size() < kPiece && append_piece()) {
    }
  }
  const bool utf16 = begins_utf16(text());
  if (utf16 && source_) {
    while (append_piece()) {
    }
  }
  // The first piece is decoded as a file of its own; what follows it is checked as it comes.
  DecodedText head = decode_text(utf16 ? text() : text().substr(0, kHead));
  if (!head.reason.empty()) {
    fail({head.line, std::move(head.reason), std::move(head.hint)});
    return;
  }
  if (utf16) {
    decoded_ = std::make_unique<std::string>(std::move(head.text));
    memory_ = std::make_unique<std::string_view>(*decoded_);
    buffer_.clear();
  } else if (text().substr(0, 3) == "\xEF\xBB\xBF") {
    from_ = to_ = 3;
    offset_ = 3;
  }
  if (memory_) ended_ = true;
  expose();
}

void TextStream::hash(const char* bytes, std::size_t count, std::uint64_t at) {
  if (at > hashed_ || at + count <= hashed_) return;
  bytes += hashed_ - at;
  count -= hashed_ - at;
  hashed_ += count;
  hash_.update(bytes, count);
  if (all_ != nullptr) all_->update(bytes, count);
}

bool TextStream::append_piece() {
  const std::size_t before = buffer_.size();
  const std::size_t piece = piece_ == 0 ? kPiece : piece_;
  piece_ = std::min(2 * piece, kPiece);
  buffer_.resize(before + piece);
  const std::size_t n = source_->read(buffer_.data() + before, piece);
  buffer_.resize(before + n);
  hash(buffer_.data() + before, n, source_->position() - n);
  ended_ = n == 0;
  return n > 0;
}

void TextStream::expose() {
  const std::string_view all = text();
  std::string_view fresh = all.substr(to_);
  if (!ended_) fresh.remove_suffix(open_tail(fresh));
  const std::size_t nul = fresh.find('\0');
  if (nul != fresh.npos) fresh = fresh.substr(0, nul);
  const auto broken = find_invalid_utf8(fresh);
  to_ += broken ? *broken : fresh.size();
  if (broken) {
    fail({line_of(to_ - from_), "the text is not valid UTF-8", kUtf8Hint});
  } else if (nul != fresh.npos) {
    fail({line_of(to_ - from_), "the text holds a NUL byte",
          "is this a text file? remove the byte"});
  }
}

bool TextStream::more() {
  const std::size_t before = to_ - from_;
  if (!opened_) open_first();
  while (to_ - from_ == before && !ended_) {
    buffer_.erase(0, from_);
    to_ -= from_;
    from_ = 0;
    append_piece();
    expose();
  }
  return to_ - from_ > before;
}

long TextStream::line() const {
  return line_of(0);
}

long TextStream::line_of(std::size_t at) const {
  const std::string_view there = window();
  const char end = line_end_ != 0                                 ? line_end_
                   : feeds_ > 0 || there.find('\n') != there.npos ? '\n'
                                                                  : '\r';
  return 1 + (end == '\n' ? feeds_ : returns_) + count(there.substr(0, at), end);
}

void TextStream::drop(std::size_t bytes) {
  const std::string_view gone = window().substr(0, bytes);
  feeds_ += count(gone, '\n');
  if (line_end_ != '\n') returns_ += count(gone, '\r');
  from_ += gone.size();
  offset_ += gone.size();
}

std::optional<LineStream::Line> LineStream::next() {
  text_.drop(std::exchange(taken_, 0));
  const char end_of_line = text_.line_end();
  std::size_t looked = 0, end = 0;
  while ((end = text_.window().find(end_of_line, looked)) == std::string_view::npos) {
    looked = text_.window().size();
    if (text_.more()) continue;
    if (text_.window().empty() || text_.fault() != nullptr) return std::nullopt;
    break;
  }
  Line out;
  out.ended = end != std::string_view::npos;
  out.text = text_.window().substr(0, end);
  taken_ = out.text.size() + (out.ended ? 1 : 0);
  out.offset = text_.offset();
  out.end = out.offset + taken_;
  out.number = text_.line();
  if (end_of_line == '\n' && !out.text.empty() && out.text.back() == '\r') {
    out.text.remove_suffix(1);
  }
  return out;
}

char TextStream::line_end() {
  if (line_end_ != 0) return line_end_;
  while (feeds_ == 0 && window().find('\n') == std::string_view::npos &&
         window().size() < kLongestLine && more()) {
  }
  const bool feeds = feeds_ > 0 || window().find('\n') != std::string_view::npos;
  const bool returns = returns_ > 0 || window().find('\r') != std::string_view::npos;
  return line_end_ = feeds || !returns ? '\n' : '\r';
}

void TextStream::seek(std::uint64_t offset, long line) {
  if (!opened_) open_first();
  if (memory_) {
    from_ = std::min<std::size_t>(offset, to_);
  } else {
    source_->seek(offset);
    buffer_.clear();
    piece_ = kFirstPiece;
    from_ = to_ = 0;
    ended_ = false;
    fault_ = {};
  }
  offset_ = offset;
  feeds_ = returns_ = line - 1;
}

std::string TextStream::sha256() {
  if (!opened_) open_first();
  read_rest();
  return hash_.hex();
}

void TextStream::read_rest() {
  if (!source_) hash(bytes_.data(), bytes_.size(), 0);
  if (source_) {
    if (source_->position() != hashed_) source_->seek(hashed_);
    std::string piece(kPiece, '\0');
    while (const std::size_t n = source_->read(piece.data(), piece.size())) {
      hash(piece.data(), n, source_->position() - n);
    }
  }
}

}  // namespace straq
