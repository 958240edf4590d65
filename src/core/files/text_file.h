// Text files as other programs save them: with a byte order mark or without, in UTF-16, with the
// line ends of Windows or of old Macs. Readers of foreign files take their bytes through here, so
// that every one of them accepts the same and none takes a file of another encoding for prose.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace straq {

// What bytes are as text, or why they are none.
struct DecodedText {
  std::string text;    // without a byte order mark; UTF-16 (which needs its mark) became UTF-8
  std::string reason;  // empty: `text` holds it; else what the bytes are instead
  std::string hint;
  long line = 0;  // that `reason` is about, from 1; 0: the whole file
};

// Refuses UTF-16 without a mark, UTF-32, compressed files, spreadsheets and NUL bytes. Whether
// UTF-8 is well-formed is the reader's to check: it knows what to do with the rest of the file.
DecodedText decode_text(std::string_view bytes);

// The text of a file. Throws what read_file does, and Error(input) "path[:line]: <reason>".
std::string read_text_file(const std::string& path);

struct TextLine {
  long number = 0;        // from 1
  std::string_view text;  // without its end
  bool ended = true;      // false: the last line, without a line end
};

// The lines of a text: LF or CRLF ends them, and CR where the text has no LF at all (old Macs).
std::vector<TextLine> lines_of(std::string_view text);

// Nothing but blanks, tabs and carriage returns.
bool is_blank_line(std::string_view line);

// At most about `most` bytes of a text for a message, never half a character; "…" where it goes on.
std::string shortened_text(const std::string& text, std::size_t most = 60);

}  // namespace straq
