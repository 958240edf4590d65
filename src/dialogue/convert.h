// Corpora written again: in another form, and some dialogues drawn from them.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "core/files/packed_file.h"
#include "dialogue/readers/readers.h"

namespace straq::dialogue {

// The form that a file's name says, packed or not: .json a list, .csv EmpatheticDialogues' table,
// else a dialogue a line.
Format form_by_name(const std::string& path);

// A corpus file that is written dialogue by dialogue and appears when it is whole. Reading it gives
// the same dialogues. A dialogue keeps its name behind the new file's stem where that is not its
// number there anyway; those of several files are told apart by the stems of these. A table has no
// names.
class CorpusWriter {
 public:
  // `form` is not automatic; packed where `path` ends with .gz or .zst. `several`: dialogues come
  // from more than one file. Throws Error(failure) as AtomicFile does.
  CorpusWriter(const std::string& path, Format form, const StrategySet& strategies, bool several);
  // Throws Error(input) where the form cannot say what the dialogue holds: a table has no
  // strategies, ratings or rewards.
  void write(const Dialogue& dialogue);
  void publish();
  std::int64_t written() const { return written_; }

 private:
  void write_table(const Dialogue& dialogue);
  std::string name_of(const Dialogue& dialogue) const;

  PackedFile file_;
  std::string path_;
  Format form_;
  const StrategySet& strategies_;
  bool several_;
  std::int64_t written_ = 0;
};

// Calls `take` for every dialogue of every file, in order.
void each_dialogue(const std::vector<std::string>& paths, Format format,
                   const StrategySet& strategies, const std::function<void(Dialogue&&)>& take);

// `count` dialogues of the files, each with the same chance, in their order; all where there are no
// more. The draw depends on the seed and on how many there are.
std::vector<Dialogue> sample_dialogues(const std::vector<std::string>& paths, Format format,
                                       const StrategySet& strategies, std::size_t count,
                                       std::uint64_t seed);

}  // namespace straq::dialogue
