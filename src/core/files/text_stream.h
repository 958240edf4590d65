// A text file read from its beginning in pieces, so that what reads it needs no memory for the
// whole: a window over the text that grows at its end and is dropped at its front. What a text may
// be is as in core/files/text_file.h, and gzip and zstd archives are unpacked. UTF-16 alone is read
// whole.
//
//   TextStream text("corpus.jsonl.zst");
//   do {
//     ... take what is whole out of text.window(), then text.drop(taken) ...
//   } while (text.more());
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "core/files/byte_source.h"
#include "core/hash.h"

namespace straq {

// Why a file is no text from some place on.
struct TextFault {
  long line = 0;  // from 1; 0: the whole file
  std::string message, hint;
};

class TextStream {
 public:
  // Pieces of a file. Throws Error(input) as ByteSource does.
  explicit TextStream(const std::string& path);
  // Text that is in memory already, all of it in the window at once; `bytes` outlives the stream.
  static TextStream of(std::string_view bytes, const std::string& path);
  // The same of text that a reader has decoded already: it is taken as it stands.
  static TextStream of_decoded(std::string_view text);

  const std::string& path() const { return path_; }
  // Valid UTF-8 without a byte order mark; valid until more(), drop() or seek().
  std::string_view window() const { return text().substr(from_, to_ - from_); }
  // Where the window begins: bytes of the file's (unpacked) content, of UTF-16 bytes of the text
  // that it becomes.
  std::uint64_t offset() const { return offset_; }
  // The line, from 1, in which the window begins.
  long line() const;
  // The line of a place in the window.
  long line_of(std::size_t at) const;
  // Lengthens the window. False where nothing follows: at the end, and at a fault.
  bool more();
  const TextFault* fault() const { return fault_.message.empty() ? nullptr : &fault_; }
  // The window's first `bytes` are done with.
  void drop(std::size_t bytes);
  // What ends lines: '\n', or '\r' in a text without any (old Macs). Reads on to find out, but no
  // further than 16 MB.
  char line_end();
  // Empties the window and goes on at a place that offset() and line() gave; little is read there
  // at first, for who jumps about. Throws as ByteSource::seek.
  void seek(std::uint64_t offset, long line);
  // What is read from now on goes into this hash, too; it outlives the stream.
  void add_to(Sha256& all) { all_ = &all; }
  // SHA-256 of all bytes of the file's (unpacked) content; reads what is left of them. Call it
  // once, of a stream that jumped to no place before it had been there.
  std::string sha256();
  // Whether places behind the window cost all that lies before them.
  bool packed() const { return source_ && source_->packing() != Packing::none; }
  // Of the file; nothing of text in memory.
  FileStamp stamp() const { return source_ ? source_->stamp() : FileStamp{}; }

 private:
  TextStream() = default;
  std::string_view text() const { return memory_ ? *memory_ : std::string_view(buffer_); }
  void open_first();
  bool append_piece();
  void read_rest();
  // Bytes of the content from that place on; what was hashed before counts once.
  void hash(const char* bytes, std::size_t count, std::uint64_t at);
  // Shows what was read up to the first fault, and never half a character.
  void expose();
  void fail(const TextFault& fault);

  std::string path_;
  std::unique_ptr<ByteSource> source_;              // none: all is in memory
  std::unique_ptr<std::string> decoded_;            // of UTF-16, the text
  std::unique_ptr<const std::string_view> memory_;  // the text, where all of it is there
  Sha256 hash_;
  Sha256* all_ = nullptr;
  std::string_view bytes_;  // of text in memory, as it came
  std::string buffer_;
  // In the text that is there: the window, and up to where it was checked.
  std::size_t from_ = 0, to_ = 0;
  std::uint64_t offset_ = 0;
  long feeds_ = 0, returns_ = 0;  // line ends before the window
  char line_end_ = 0;
  std::size_t piece_ = 0;     // bytes that are read next
  std::uint64_t hashed_ = 0;  // of the content
  bool opened_ = false, ended_ = false;
  TextFault fault_;
};

// The lines of a text, one after the other.
class LineStream {
 public:
  // `text` outlives the stream.
  explicit LineStream(TextStream& text) : text_(text) {}
  struct Line {
    std::string_view text;              // without its end; valid until the next call
    long number = 0;                    // from 1
    bool ended = true;                  // false: the last line, without a line end
    std::uint64_t offset = 0, end = 0;  // of the line with its end, as TextStream::offset()
  };
  // Nothing at the end; a line that a fault of the text breaks off is none.
  std::optional<Line> next();

 private:
  TextStream& text_;
  std::size_t taken_ = 0;  // of the window, by the line that was handed out last
};

}  // namespace straq
