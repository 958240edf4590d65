// Where the dialogues of some files lie: what one pass over them found, kept in a file for the next
// time. It stands for the pass only while the files are those that it was made from: of the same
// size, time and beginning.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "core/json/json_fields.h"
#include "dialogue/data_config.h"

namespace straq::dialogue {

// A file that was read from its beginning to its end.
struct PlannedFile {
  SourceFile source;
  Format format = Format::automatic;  // the one that was found
  FileStamp stamp;
  bool packed = false;  // an archive: its dialogues can be read in their order only
};

struct PlannedDialogue {
  DialoguePlace place;
  std::uint32_t file = 0;  // index into the files
  std::uint32_t decisions = 0;
};

struct CorpusIndex {
  std::vector<PlannedFile> files;
  std::vector<PlannedDialogue> dialogues;  // of all files, in their order
  std::string sha256;                      // of the files' content, one after the other
};

// Gets every dialogue of every file, in order, while the corpus is read.
using OnDialogue = std::function<void(Dialogue&&)>;

// Reads the files. Some 50 bytes a dialogue stay in memory. Throws Error(input) where two would
// give the same ids (the same stem), and what the readers throw.
CorpusIndex read_index(const std::vector<std::string>& paths, const DataConfig& config,
                       const StrategySet& strategies, const OnDialogue& on_dialogue = {});

// The name in a folder of indexes of what read_index would give: of the files' paths and of all
// that decides on how they are understood.
std::string index_name(const std::vector<std::string>& paths, const DataConfig& config,
                       const StrategySet& strategies);
// An index that stands for these files as they are now; nothing where there is none, or it is
// damaged, or a file has changed since. Never throws for what is wrong with it.
std::optional<CorpusIndex> load_index(const std::string& file,
                                      const std::vector<std::string>& paths);
// Throws Error(failure) as write_file_atomic does.
void save_index(const std::string& file, const CorpusIndex& index);

}  // namespace straq::dialogue
