// Corpora from their files, whatever dialect they are written in, into one form. Each reader is
// strict: what it cannot take as it stands is an error with file and line, because a dialogue that
// is dropped in silence changes every count that the learner and the tables rest on.
//
//   const auto strategies = StrategySet::load("configs/strategies/esconv.yaml");
//   const Corpus corpus = read_corpus("esconv/train.txt", Format::automatic, strategies);
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/files/byte_source.h"
#include "core/hash.h"
#include "dialogue/dialogue.h"
#include "dialogue/strategy.h"

namespace straq::dialogue {

enum class Format {
  automatic,       // from the first bytes
  esconv_json,     // one JSON list of dialogues (ESConv.json, FailedESConv.json)
  esconv_jsonl,    // one JSON object a line
  empathetic_csv,  // EmpatheticDialogues' columns; quotes are literal, commas written _comma_
};

struct SourceFile {
  std::string path;
  std::string sha256;  // of its content: of an archive, unpacked
  std::int64_t dialogues = 0;
};

struct Corpus {
  std::string name;                 // the file's stem unless the caller names it
  std::vector<SourceFile> sources;  // in the order read
  std::string sha256;               // of all their content, one file after the other
  std::vector<Dialogue> dialogues;  // in the order of the files
};

// Something in a file that cannot be taken as it stands.
struct Problem {
  std::string file;
  long line = 0;  // from 1; 0 when the whole file is meant
  std::string message;
  std::string hint;
};
using OnProblem = std::function<void(const Problem&)>;

// Where a dialogue lies in its file.
struct DialoguePlace {
  std::uint64_t offset = 0;  // in the file's content, unpacked
  std::uint32_t bytes = 0;
  std::uint32_t number = 0;  // in its file, from 0
  std::int64_t line = 0;     // from 1
};

// One file, dialogue by dialogue: what is in memory is a dialogue and the piece of the file that it
// was cut from (of UTF-16 all of it). Files may be packed with gzip or zstd.
class CorpusReader {
 public:
  // Throws Error(input) where the file cannot be read; what is wrong with its content comes from
  // next().
  CorpusReader(const std::string& path, Format format, const StrategySet& strategies,
               OnProblem on_problem = {});
  // As above for bytes in memory, which outlive the reader; `path` names them.
  CorpusReader(std::string_view bytes, const std::string& path, Format format,
               const StrategySet& strategies, OnProblem on_problem = {});
  ~CorpusReader();
  CorpusReader(CorpusReader&&) noexcept;

  // The next dialogue; nothing at the end. Throws Error(input) "file:line: …" at the first problem:
  // malformed JSON or CSV, ill-formed UTF-8, unknown speaker or label (with the nearest known one),
  // a supporter utterance without a strategy in a dialogue that has strategies, an empty dialogue
  // or utterance, a file without dialogues. With `on_problem` every problem is reported there
  // instead, what is affected is left out, and reading goes on. In JSON and JSONL, a dialogue's
  // utterances are `dialog` or `messages`; an utterance's text is `text` or `content`, who speaks
  // `speaker` or `role` (usr, user, seeker, speaker; sys, assistant, supporter, listener); its
  // strategy and feedback stand in the utterance or in its `annotation`. A dialogue is called by
  // its `id` or `conv_id` behind the file's stem, else by its number. In EmpatheticDialogues the
  // first speaker of a conversation is the seeker.
  std::optional<Dialogue> next();
  // Of the dialogue that next() gave last.
  const DialoguePlace& place() const;
  // What the file is, once next() was called.
  Format format() const;
  // What is read goes into this hash, too; before the first next().
  void add_to(Sha256& all);
  // Of the file, when next() has come to its end (call it once).
  SourceFile source();
  // Of the file as it is now; nothing of bytes in memory.
  FileStamp stamp() const;
  bool packed() const;  // an archive

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

// A file that a CorpusReader has read without a problem, asked for single dialogues. Fastest where
// they are asked for in their order; of an archive whatever lies between them is unpacked.
class DialogueFile {
 public:
  // `format` is not automatic. Throws Error(input) where the file cannot be read or is another one
  // than `stamp` says.
  DialogueFile(const std::string& path, Format format, const FileStamp& stamp,
               const StrategySet& strategies);
  ~DialogueFile();
  DialogueFile(DialogueFile&&) noexcept;
  // Throws Error(input) where no such dialogue lies there.
  Dialogue read(const DialoguePlace& place);
  // Throws Error(input) where the file has changed since it was opened.
  void check() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

// A whole file: what a CorpusReader gives.
Corpus read_corpus(const std::string& path, Format format, const StrategySet& strategies,
                   const OnProblem& on_problem = {});

// As read_corpus for bytes already in memory; `path` names them in ids and messages.
Corpus parse_corpus(std::string_view bytes, const std::string& path, Format format,
                    const StrategySet& strategies, const OnProblem& on_problem = {});

// One dialogue as a line of the JSONL form, without a newline: parse_corpus reads it back to the
// same dialogue (but for id and line). `name` is its own, behind its file's stem; empty: its number
// there.
std::string to_jsonl(const Dialogue& dialogue, const StrategySet& strategies,
                     const std::string& name = {});

}  // namespace straq::dialogue
