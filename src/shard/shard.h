// A shard: the combs of a range of dialogues of one split, as one HDF5 file of ragged arrays with
// offsets. Tokenising is done once, in bulk, by preprocessor ranks; learners only read. A shard is
// written once, whole or not at all, and verified whenever it is read: everything that a training
// run relies on (format, tokenizer, template, source, range, every byte) is checked before the
// first step. The layout of the file is documented in docs/formats.md.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "core/json/json_fields.h"
#include "prompt/comb.h"
#include "shard/hdf5.h"

namespace straq::shard {

constexpr std::int64_t kShardVersion = 1;
// The most of anything that a file may claim to hold: whole numbers up to here survive JSON.
constexpr std::int64_t kMostCount = std::int64_t{1} << 53;

// Dialogues [first, first + count) of a split: what one preprocessor makes one shard of.
struct WorkItem {
  std::string split;
  std::int64_t index = 0;  // of the shard in its split
  std::int64_t first = 0, count = 0;

  std::string file() const;  // "train-00003.h5"
  bool operator==(const WorkItem&) const = default;

  void fields(JsonFields& f) {
    f("split", split);
    f.within("index", index, std::int64_t{0}, kMostCount);
    f.within("first_dialogue", first, std::int64_t{0}, kMostCount);
    f.within("dialogues", count, std::int64_t{0}, kMostCount);
  }
};

// What a shard says about where it came from; everything in it is checked on reading.
struct ShardHeader {
  std::string key;        // ShardKey::hex(), which covers the next three and more
  std::string source;     // SHA-256 of the corpus files
  std::string tokenizer;  // Tokenizer::fingerprint()
  std::string prompt;     // CombBuilder::fingerprint()
  std::int64_t window = 0;
  std::int64_t vocab_size = 0;
  std::vector<std::int32_t> option_ids;
  WorkItem item;
};

// What the coordinator keeps of a shard. A preprocessor sends it back as JSON.
struct ShardRecord {
  std::string key;
  WorkItem item;
  std::int64_t decisions = 0, trunk_tokens = 0, probe_tokens = 0;
  std::int64_t bytes = 0;      // of the file
  std::string content_sha256;  // of what the file says, however it is compressed
  std::string file_sha256;     // of the file's bytes

  bool operator==(const ShardRecord&) const = default;

  void fields(JsonFields& f) {
    f("key", key);
    item.fields(f);
    f.within("decisions", decisions, std::int64_t{0}, kMostCount);
    f.within("trunk_tokens", trunk_tokens, std::int64_t{0}, kMostCount);
    f.within("probe_tokens", probe_tokens, std::int64_t{0}, kMostCount);
    f.within("bytes", bytes, std::int64_t{0}, kMostCount);
    f("content_sha256", content_sha256);
    f("file_sha256", file_sha256);
  }
};

struct Shard {
  ShardHeader header;
  std::vector<prompt::Comb> combs;
};

// Writes `combs` to `path` by way of a temporary name. Throws std::logic_error when the combs do
// not fit the header (count, gold outside the options, a token outside the vocabulary), and
// Error(failure) naming the file when the disk refuses it; no part of a file is left then. The
// content hash depends on header and combs alone.
ShardRecord write_shard(const std::string& path, const ShardHeader& header,
                        const std::vector<prompt::Comb>& combs, const Storage& storage = {});

// What a shard has to be; empty fields accept anything.
struct Expected {
  std::string key, source, tokenizer, prompt;
  std::optional<WorkItem> item;
  std::optional<ShardRecord> record;  // then size and both hashes must agree too
};

struct ShardCheck {
  std::optional<ShardRecord> record;  // of a valid shard
  std::string reason;                 // of a refused one: "it is truncated: 96 of 18204 bytes"
};

// Reads everything and checks everything; never throws for what is wrong with the file.
ShardCheck validate_shard(const std::string& path, const Expected& expected);

// As validate_shard, and gives the content. Throws Error(input) "shard <path> is refused:
// <reason>" with a hint.
Shard read_shard(const std::string& path, const Expected& expected, ShardRecord* record = nullptr);

}  // namespace straq::shard
