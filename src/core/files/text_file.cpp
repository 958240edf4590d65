#include "core/files/text_file.h"

#include <algorithm>
#include <cstdint>

#include "core/error.h"
#include "core/files/files.h"
#include "core/utf8.h"

namespace straq {
namespace {

constexpr const char* kToUtf8 = "save it as UTF-8, for example with iconv -t utf-8";

DecodedText refused(std::string reason, std::string hint, long line = 0) {
  DecodedText out;
  out.reason = std::move(reason);
  out.hint = std::move(hint);
  out.line = line;
  return out;
}

DecodedText from_utf16(std::string_view bytes, bool big_endian) {
  const char* const name = big_endian ? "UTF-16 (big endian)" : "UTF-16 (little endian)";
  DecodedText out;
  out.text.reserve(bytes.size());
  long line = 1;
  const auto unit = [&](std::size_t i) {
    const auto a = static_cast<unsigned char>(bytes[i]);
    const auto b = static_cast<unsigned char>(bytes[i + 1]);
    return static_cast<char32_t>(big_endian ? a << 8 | b : b << 8 | a);
  };
  for (std::size_t i = 0; i < bytes.size(); i += 2) {
    if (i + 1 == bytes.size()) {
      return refused(std::string("the text is ") + name + ", and its last character is cut off",
                     kToUtf8, line);
    }
    char32_t c = unit(i);
    if (c >= 0xD800 && c <= 0xDFFF) {
      const bool paired =
          c < 0xDC00 && i + 3 < bytes.size() && unit(i + 2) >= 0xDC00 && unit(i + 2) <= 0xDFFF;
      if (!paired) {
        return refused(std::string("the text is ") + name + " with half a character in it", kToUtf8,
                       line);
      }
      c = 0x10000 + ((c - 0xD800) << 10) + (unit(i + 2) - 0xDC00);
      i += 2;
    }
    if (c == 0) return refused("the text holds a NUL character", "remove it", line);
    line += c == '\n';
    append_utf8(out.text, c);
  }
  return out;
}

struct Magic {
  std::string_view bytes;
  const char* what;
  const char* hint;
};

}  // namespace

DecodedText decode_text(std::string_view bytes) {
  using namespace std::string_view_literals;
  static constexpr Magic kOthers[] = {
      {"\xFF\xFE\0\0"sv, "the text is UTF-32 (little endian)", kToUtf8},
      {"\0\0\xFE\xFF"sv, "the text is UTF-32 (big endian)", kToUtf8},
      {"\x1F\x8B"sv, "this is a gzip archive and no text", "unpack it first, with gunzip"},
      {"PK\x03\x04"sv, "this is a zip archive or a spreadsheet and no text",
       "unpack it first, or save the sheet as CSV"},
      {"\xD0\xCF\x11\xE0"sv, "this is an Office document and no text", "save the sheet as CSV"},
      {"PAR1"sv, "this is a Parquet file and no text", "save it as JSON lines or CSV"},
  };
  for (const Magic& m : kOthers) {
    if (bytes.substr(0, m.bytes.size()) == m.bytes) return refused(m.what, m.hint);
  }
  if (bytes.substr(0, 2) == "\xFF\xFE"sv) return from_utf16(bytes.substr(2), false);
  if (bytes.substr(0, 2) == "\xFE\xFF"sv) return from_utf16(bytes.substr(2), true);
  if (bytes.substr(0, 3) == "\xEF\xBB\xBF"sv) bytes.remove_prefix(3);
  if (const std::size_t nul = bytes.find('\0'); nul != bytes.npos) {
    // Latin letters in UTF-16 have a NUL at every second place.
    const std::string_view head = bytes.substr(0, 400);
    const auto nuls = static_cast<std::size_t>(std::count(head.begin(), head.end(), '\0'));
    if (nuls * 4 >= head.size()) {
      return refused("the text seems to be UTF-16 without a byte order mark", kToUtf8);
    }
    const auto end = bytes.begin() + static_cast<std::ptrdiff_t>(nul);
    return refused("the text holds a NUL byte", "is this a text file? remove the byte",
                   1 + static_cast<long>(std::count(bytes.begin(), end, '\n')));
  }
  DecodedText out;
  out.text = std::string(bytes);
  return out;
}

std::string read_text_file(const std::string& path) {
  DecodedText decoded = decode_text(read_file(path));
  if (!decoded.reason.empty()) {
    fail_input(decoded.line > 0 ? at_line(path, decoded.line, decoded.reason)
                                : path + ": " + decoded.reason,
               decoded.hint);
  }
  return std::move(decoded.text);
}

std::vector<TextLine> lines_of(std::string_view text) {
  const char end_of_line = text.find('\n') == text.npos ? '\r' : '\n';
  std::vector<TextLine> out;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = text.find(end_of_line, at);
    TextLine line;
    line.number = static_cast<long>(out.size()) + 1;
    line.ended = end != text.npos;
    line.text = text.substr(at, (line.ended ? end : text.size()) - at);
    if (end_of_line == '\n' && !line.text.empty() && line.text.back() == '\r') {
      line.text.remove_suffix(1);
    }
    at = line.ended ? end + 1 : text.size();
    out.push_back(line);
  }
  return out;
}

bool is_blank_line(std::string_view line) {
  return line.find_first_not_of(" \t\r") == line.npos;
}

std::string shortened_text(const std::string& text, std::size_t most) {
  if (text.size() <= most) return text;
  std::size_t end = most;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0) == 0x80) --end;
  return text.substr(0, end) + " …";
}

}  // namespace straq
