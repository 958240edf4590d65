// Corpora from their files, whatever dialect they are written in, into one form. Each reader is
// strict: what it cannot take as it stands is an error with file and line, because a dialogue that
// is dropped in silence changes every count that the learner and the tables rest on.
//
//   const auto strategies = StrategySet::load("configs/strategies/esconv.yaml");
//   const Corpus corpus = read_corpus("esconv/train.txt", Format::automatic, strategies);
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

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
  std::string sha256;  // of its bytes
  std::int64_t dialogues = 0;
};

struct Corpus {
  std::string name;                 // the file's stem unless the caller names it
  std::vector<SourceFile> sources;  // in the order read
  std::string sha256;               // of all source bytes, one file after the other
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

// Reads one file. Throws Error(input) "file:line: …" at the first problem: malformed JSON or CSV,
// ill-formed UTF-8, unknown speaker or label (with the nearest known one), a supporter utterance
// without a strategy in a dialogue that has strategies, an empty dialogue or utterance, a file
// without dialogues. With `on_problem` every problem is reported there instead, what is affected is
// left out, and reading goes on.
// In JSON and JSONL, a dialogue's utterances are `dialog` or `messages`; an utterance's text is
// `text` or `content`, who speaks `speaker` or `role` (usr, user, seeker, speaker; sys, assistant,
// supporter, listener); its strategy and feedback stand in the utterance or in its `annotation`. A
// dialogue is called by its `id` or `conv_id` behind the file's stem, else by its number. In
// EmpatheticDialogues the first speaker of a conversation is the seeker.
Corpus read_corpus(const std::string& path, Format format, const StrategySet& strategies,
                   const OnProblem& on_problem = {});

// Several files as one corpus. Throws Error(input) when two files would give the same ids (the same
// stem).
Corpus read_corpora(const std::vector<std::string>& paths, Format format,
                    const StrategySet& strategies, const OnProblem& on_problem = {});

// As read_corpus for bytes already in memory; `path` names them in ids and messages.
Corpus parse_corpus(std::string_view bytes, const std::string& path, Format format,
                    const StrategySet& strategies, const OnProblem& on_problem = {});

// One dialogue as a line of the JSONL form, without a newline: parse_corpus reads it back to the
// same dialogue (but for id and line). The id is not written: it names its file.
std::string to_jsonl(const Dialogue& dialogue, const StrategySet& strategies);

}  // namespace straq::dialogue
