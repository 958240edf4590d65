// The manifest of a folder of shards: which shards make up a data set, which are there, and what
// each must be. The plan in it is a pure function of the config and the corpus sizes, so every rank
// can compute it; the file is written by the coordinator alone. A restart compares it with the
// folder and redoes only what is missing or invalid.
//
//   <shards>/<first 16 digits of the key>/manifest.json
//                                         train-00000.h5 train-00001.h5 … valid-00000.h5 …
#pragma once

#include <cstdint>
#include <functional>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "config/fields.h"
#include "dialogue/data_config.h"
#include "dialogue/dialogue.h"
#include "prompt/comb_builder.h"
#include "shard/shard.h"
#include "text/tokenizer.h"

namespace straq::shard {

constexpr std::int64_t kManifestVersion = 1;

// The `shards:` section of a config.
struct ShardConfig {
  std::string folder = "shards";
  // How large shards are: about so many megabytes as they lie on disk, or exactly so many
  // dialogues. A small split is still cut into some, so that several preprocessors have work
  // (plan_items).
  int megabytes = 16;
  std::optional<std::int64_t> dialogues_per_shard;
  // Dialogues of a split in an order drawn with this seed instead of the files'.
  std::optional<std::uint64_t> shuffle;
  int deflate = 4;  // gzip level of the datasets; 0 stores them plain. Does not change the content.

  void fields(config::Fields& f) {
    f("folder", folder);
    f("megabytes", megabytes, config::between(1, 1024));
    f("dialogues_per_shard", dialogues_per_shard, config::between(1, 1e9));
    f("shuffle", shuffle, config::at_least(0));
    f("deflate", deflate, config::between(0, 9));
  }
  Storage storage() const {
    Storage s;
    s.deflate = deflate;
    return s;
  }
};

// Where the dialogues of one split come from.
struct SplitSource {
  std::string split;
  std::string sha256;  // of its files' bytes, one after the other
  std::string ids;     // what its dialogues' ids begin with: the files' stems, with commas
  bool operator==(const SplitSource&) const = default;

  void fields(JsonFields& f) {
    f("split", split);
    f("sha256", sha256);
    f("ids", ids);
  }
};

// A file of outcomes that was joined to the decisions.
struct OutcomeFile {
  std::string name;    // "ratings", "judgements"
  std::string sha256;  // of its bytes
  bool operator==(const OutcomeFile&) const = default;

  void fields(JsonFields& f) {
    f("name", name);
    f("sha256", sha256);
  }
};

// Everything that decides what is in a data set's shards. Two configs with equal keys share them:
// points of a sweep over learning settings never tokenise twice.
struct ShardKey {
  std::string source;     // SHA-256 over the corpus files
  std::string tokenizer;  // Tokenizer::fingerprint()
  std::string prompt;     // CombBuilder::fingerprint(): template, layout, options, strategies
  std::int64_t window = 0;
  std::string data;  // how episodes and splits come from the source: merge label, split rule, limit
  std::int64_t dialogues_per_shard = 0;  // each, or the least where bytes decide
  std::vector<SplitSource> splits = {};  // empty in a manifest of an older version
  std::vector<OutcomeFile> outcomes = {};
  std::int64_t text_per_shard = 0;  // bytes of the corpus that make a shard; 0: they do not decide
  std::optional<std::uint64_t> shuffle = {};

  std::string hex() const;  // 64 hexadecimal digits
  bool operator==(const ShardKey&) const = default;

  void fields(JsonFields& f) {
    f("source", source);
    f("tokenizer", tokenizer);
    f("template", prompt);
    f.within("window", window, std::int64_t{0}, kMostCount);
    f("data", data);
    f.within("dialogues_per_shard", dialogues_per_shard, std::int64_t{1}, kMostCount);
    f.unless_default("splits", splits);
    f.unless_default("outcomes", outcomes);
    f.unless_default("text_per_shard", text_per_shard);
    f.unless_default("shuffle", shuffle);
  }
};

// Files that a data set is made of.
struct DataSources {
  std::vector<SplitSource> splits;
  std::vector<OutcomeFile> outcomes;
};

// Number of dialogues of each split, in the order in which they are worked on.
using SplitSizes = std::vector<std::pair<std::string, std::int64_t>>;
// The same with what each dialogue takes in its file, in bytes.
using SplitTexts = std::vector<std::pair<std::string, std::vector<std::uint32_t>>>;

// Cuts every split into shards of `dialogues_per_shard` (the last of a split may be smaller).
std::vector<WorkItem> plan_items(const SplitSizes& splits, std::int64_t dialogues_per_shard);

// How a config's data set is cut: what is planned, and the part of the key that stands for it.
struct ShardCut {
  std::int64_t dialogues_per_shard = 0, text_per_shard = 0;
  SplitSizes sizes = {};
  std::vector<WorkItem> items = {};
};
// As `config` says. Sized by bytes a shard ends with the dialogue that brings its text to some four
// times `megabytes` (what text becomes as packed tokens) and the least of 64 dialogues; a split
// that would make fewer than 16 shards so is cut into up to 16, of 64 or more. A cut that is
// everywhere by 64 says so, as all did once.
ShardCut plan_cut(const SplitTexts& splits, const ShardConfig& config);

// The key of the shards that `sources`, read as `data` says, give with `prompts`. Folders are not
// part of it; the files' bytes and stems (ids are made of them), and everything that decides on
// labels, turns and splits, are.
ShardKey make_key(const dialogue::DataConfig& data, const dialogue::StrategySet& strategies,
                  const DataSources& sources, const prompt::CombBuilder& prompts,
                  const text::Tokenizer& tokenizer, const ShardCut& cut,
                  std::optional<std::uint64_t> shuffle = {});

struct ManifestEntry {
  WorkItem item;
  std::optional<ShardRecord> record;  // empty until the shard is there

  void fields(JsonFields& f) {
    if (f.writing()) {
      f.put("file", item.file());
      f.put("state", record ? "done" : "missing");
    }
    item.fields(f);
    f("record", record);
  }
};

struct Manifest {
  std::string corpus;  // its name, for people
  ShardKey parts;
  std::string key;
  std::int64_t vocab_size = 0;
  std::vector<std::int32_t> option_ids;
  std::vector<std::string> strategies;  // names, in the order of option_ids
  SplitSizes splits;
  std::vector<ManifestEntry> shards;

  bool complete() const;
  // All shards of `split` are there (learners may start on it while others are being made).
  bool complete(const std::string& split) const;
  // Puts a preprocessor's record in its place. Throws Error(failure) when it is no planned shard of
  // this data set: ranks that disagree about the plan must not go on.
  void add(const ShardRecord& record);
  ShardHeader header(const WorkItem& item) const;
  Expected expected(const ManifestEntry& entry) const;

  void fields(JsonFields& f);
  nlohmann::ordered_json to_json() const { return write_json(*this); }
  void write(const std::string& folder) const;  // folder/manifest.json, atomically
  // Unless it says the same already, whatever name it has for the corpus: a folder that others have
  // filled may be one that cannot be written to.
  void write_if_changed(const std::string& folder) const;
  // Throws Error(input) naming the file for a missing, malformed, older or inconsistent manifest.
  static Manifest read(const std::string& folder);
};

// The manifest of a data set before any shard is made.
Manifest plan_manifest(std::string corpus, ShardKey key, const prompt::CombBuilder& prompts,
                       const dialogue::StrategySet& strategies, std::int64_t vocab_size,
                       const ShardCut& cut);

// `plan` with the records of the manifest that an earlier run left in `folder`. One that is missing
// is no matter; one that cannot be read, or is another data set's, is left aside with a warning:
// missing_items judges the files themselves.
Manifest resume_manifest(Manifest plan, const std::string& folder);

// "<shards>/<16 digits>".
std::string shard_folder(const std::string& shards, const std::string& key);

struct MissingItem {
  WorkItem item;
  std::string reason;
};
// Compares the plan with the folder, reading every shard that is there: records of invalid files
// are removed from `manifest`, valid files without a record (the coordinator ended before it wrote
// one) are adopted, and what remains to be made is returned in plan order.
std::vector<MissingItem> missing_items(Manifest& manifest, const std::string& folder);

// What a preprocessor rank does with one item: tokenises the item's dialogues, episode(0) to
// episode(item.count - 1), asked for in that order, and writes the shard into `folder`. The result
// does not depend on the rank or on what else was made. Throws Error as build_comb and write_shard
// do, and what `episode` throws.
ShardRecord preprocess_item(const Manifest& manifest, const WorkItem& item,
                            const std::function<dialogue::Episode(std::int64_t)>& episode,
                            const prompt::CombBuilder& prompts, const std::string& folder,
                            const Storage& storage = {});

}  // namespace straq::shard
