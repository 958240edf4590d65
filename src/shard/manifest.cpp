#include "shard/manifest.h"

#include <algorithm>
#include <filesystem>
#include <limits>
#include <stdexcept>

#include "core/error.h"
#include "core/files/files.h"
#include "core/files/lfs_pointer.h"
#include "core/hash.h"
#include "core/json/json.h"
#include "core/json/json_number.h"
#include "core/log.h"

namespace straq::shard {
namespace {

using Json = nlohmann::ordered_json;
constexpr const char* kFormat = "straq-manifest";
constexpr const char* kFile = "manifest.json";
constexpr const char* kHint = "rerun straq preprocess with this config to make it again";

std::string join(const std::string& folder, const std::string& file) {
  return (std::filesystem::path(folder) / file).string();
}

// A value for a message, cut where it is long.
std::string shown(const Json& value) {
  const std::string text = dump_json(value);
  return text.size() > 60 ? text.substr(0, 60) + " …" : text;
}

// A split's name becomes the beginning of its shards' names.
bool is_plain_name(const std::string& name) {
  return !name.empty() && name.front() != '.' && std::none_of(name.begin(), name.end(), [](char c) {
    return c == '/' || static_cast<unsigned char>(c) < 0x20;
  });
}

}  // namespace

std::string ShardKey::hex() const {
  return sha256_hex(write_json(*this).dump());
}

ShardKey make_key(const dialogue::DataConfig& data, const dialogue::StrategySet& strategies,
                  const DataSources& sources, const prompt::CombBuilder& prompts,
                  const text::Tokenizer& tokenizer, const ShardCut& cut,
                  std::optional<std::uint64_t> shuffle) {
  ShardKey key;
  Sha256 source;
  for (const auto& split : sources.splits) source.update(split.split + "=" + split.sha256 + "\n");
  key.splits = sources.splits;
  key.outcomes = sources.outcomes;
  // The switches of the data section but its paths: the bytes are in `source`. The format stays
  // (the same bytes could be read as another), and so do the spellings that labels resolve by.
  Json rules = config::to_json(config::dump(data));
  for (const char* path :
       {"name", "train", "valid", "test", "source", "strategies", "ratings", "judgements"}) {
    rules.erase(path);
  }
  if (data.split == dialogue::SplitMode::official) {  // nothing is drawn
    rules.erase("ratios");
    rules.erase("split_seed");
  }
  // A key of later versions: where it says what they all did, their shards stay valid.
  if (data.unit == dialogue::DecisionUnit::turn) rules.erase("unit");
  for (int i = 0; i < strategies.size(); ++i) {
    const auto& s = strategies[i];
    rules["labels"].push_back({{"name", s.name}, {"aliases", s.aliases}});
  }
  key.source = source.hex();
  key.tokenizer = tokenizer.fingerprint();
  key.prompt = prompts.fingerprint();
  key.window = prompts.window();
  key.data = rules.dump();
  key.dialogues_per_shard = cut.dialogues_per_shard;
  key.text_per_shard = cut.text_per_shard;
  key.shuffle = shuffle;
  return key;
}

std::vector<WorkItem> plan_items(const SplitSizes& splits, std::int64_t dialogues_per_shard) {
  if (dialogues_per_shard < 1) throw std::logic_error("plan_items: dialogues_per_shard < 1");
  std::vector<WorkItem> items;
  for (const auto& [split, size] : splits) {
    for (std::int64_t first = 0, index = 0; first < size; first += dialogues_per_shard, ++index) {
      items.push_back({split, index, first, std::min(dialogues_per_shard, size - first)});
    }
  }
  return items;
}

namespace {

constexpr std::int64_t kLeastDialogues = 64;  // of a shard
constexpr std::int64_t kShardsOfASmallSplit = 16;
constexpr std::int64_t kTextOfAPackedByte = 4;

void cut_by_text(const std::string& split, const std::vector<std::uint32_t>& bytes,
                 std::int64_t text_per_shard, std::vector<WorkItem>& items) {
  const auto size = static_cast<std::int64_t>(bytes.size());
  const std::int64_t most =
      std::max(kLeastDialogues, (size + kShardsOfASmallSplit - 1) / kShardsOfASmallSplit);
  WorkItem item{split, 0, 0, 0};
  std::int64_t text = 0;
  for (std::int64_t d = 0; d < size; ++d) {
    ++item.count;
    text += bytes[static_cast<std::size_t>(d)];
    const bool full = item.count >= kLeastDialogues && text >= text_per_shard;
    if (!full && item.count < most && d + 1 < size) continue;
    items.push_back(item);
    item = {split, item.index + 1, d + 1, 0};
    text = 0;
  }
}

}  // namespace

ShardCut plan_cut(const SplitTexts& splits, const ShardConfig& config) {
  ShardCut out;
  for (const auto& [split, bytes] : splits) {
    out.sizes.emplace_back(split, static_cast<std::int64_t>(bytes.size()));
  }
  if (config.dialogues_per_shard) {
    out.dialogues_per_shard = *config.dialogues_per_shard;
    out.items = plan_items(out.sizes, out.dialogues_per_shard);
    return out;
  }
  out.dialogues_per_shard = kLeastDialogues;
  const std::int64_t text = std::int64_t{config.megabytes} * kTextOfAPackedByte << 20;
  for (const auto& [split, bytes] : splits) cut_by_text(split, bytes, text, out.items);
  if (out.items != plan_items(out.sizes, kLeastDialogues)) out.text_per_shard = text;
  return out;
}

bool Manifest::complete() const {
  return std::all_of(shards.begin(), shards.end(), [](const auto& e) { return e.record; });
}

bool Manifest::complete(const std::string& split) const {
  return std::all_of(shards.begin(), shards.end(),
                     [&](const auto& e) { return e.item.split != split || e.record; });
}

void Manifest::add(const ShardRecord& record) {
  for (auto& entry : shards) {
    if (entry.item == record.item && record.key == key) {
      entry.record = record;
      return;
    }
  }
  fail_runtime("a preprocessor made " + record.item.file() + " of " + shard_folder("", record.key) +
                   ", which is not in this run's plan",
               "ranks must read the same config, corpus and tokenizer: check that every node sees "
               "the same files");
}

ShardHeader Manifest::header(const WorkItem& item) const {
  return {.key = key,
          .source = parts.source,
          .tokenizer = parts.tokenizer,
          .prompt = parts.prompt,
          .window = parts.window,
          .vocab_size = vocab_size,
          .option_ids = option_ids,
          .item = item};
}

Expected Manifest::expected(const ManifestEntry& entry) const {
  return {.key = key,
          .source = parts.source,
          .tokenizer = parts.tokenizer,
          .prompt = parts.prompt,
          .item = entry.item,
          .record = entry.record};
}

void Manifest::fields(JsonFields& f) {
  constexpr std::int64_t most_tokens = std::int64_t{1} << 31;
  if (f.writing()) {
    f.put("format", kFormat);
    f.put("format_version", kManifestVersion);
  }
  f("corpus", corpus);
  f("key", key);
  f("key_parts", parts);
  f.within("vocab_size", vocab_size, std::int64_t{0}, most_tokens);
  f("option_ids", option_ids);
  f("strategies", strategies);
  f("splits", splits);
  f("shards", shards);
}

void Manifest::write(const std::string& folder) const {
  write_file_atomic(join(folder, kFile), dump_json(to_json(), 1) + "\n");
}

void Manifest::write_if_changed(const std::string& folder) const {
  const std::string path = join(folder, kFile);
  std::error_code ec;
  if (std::filesystem::exists(path, ec)) {
    Json now = to_json();
    Json old = Json::parse(read_file(path), nullptr, /*allow_exceptions=*/false);
    if (old.is_object()) {
      now.erase("corpus");
      old.erase("corpus");
      if (old == now) return;
    }
  }
  write(folder);
}

namespace {

[[noreturn]] void refuse(const std::string& path, const std::string& why) {
  fail_input("manifest " + path + " is refused: " + why, kHint);
}

// What tells a manifest of this version from anything else.
void check_format(const Json& j, const std::string& path) {
  if (!j.is_object() || !j.contains("format") || j["format"] != kFormat) {
    refuse(path, "it is not a manifest of this program");
  }
  const auto version = j.contains("format_version") ? whole_number(j["format_version"])
                                                    : std::optional<std::int64_t>();
  if (version != kManifestVersion) {
    refuse(path, "it has format version " +
                     (j.contains("format_version") ? shown(j["format_version"]) : "none") +
                     "; this program reads version " + std::to_string(kManifestVersion));
  }
}

// What the list of fields cannot say. Numbers become sizes, indices and names of files: none is
// used before it was looked at.
void check_values(const Manifest& m, const std::string& path) {
  for (const auto id : m.option_ids) {
    if (id < 0) refuse(path, "option_ids holds " + std::to_string(id) + ", no token id");
  }
  for (const auto& [name, size] : m.splits) {
    if (!is_plain_name(name)) refuse(path, "the name of a split is " + shown(Json(name)));
    if (size < 0 || size > kMostCount) {
      refuse(path, "splits: " + name + " is " + std::to_string(size) + ", no number of dialogues");
    }
  }
}

// The items of a split cover its dialogues, one after the other.
bool covers(const SplitSizes& splits, const std::vector<WorkItem>& items) {
  auto item = items.begin();
  for (const auto& [name, size] : splits) {
    std::int64_t next = 0, index = 0;
    for (; item != items.end() && item->split == name && next < size; ++item) {
      if (item->index != index++ || item->first != next || item->count < 1 ||
          item->count > size - next) {
        return false;
      }
      next += item->count;
    }
    if (next != size) return false;
  }
  return item == items.end();
}

// An edited manifest must not name files elsewhere or leave dialogues out. How many shards the
// splits make is computed before they are listed: the sizes are the file's claim.
bool is_sound(const Manifest& m) {
  if (m.key != m.parts.hex()) return false;
  std::vector<WorkItem> items;
  for (const auto& e : m.shards) items.push_back(e.item);
  if (m.parts.text_per_shard > 0) return covers(m.splits, items);
  std::int64_t planned = 0;
  for (const auto& [name, size] : m.splits) {
    planned += size / m.parts.dialogues_per_shard + (size % m.parts.dialogues_per_shard != 0);
    if (planned > static_cast<std::int64_t>(m.shards.size())) break;
  }
  if (planned != static_cast<std::int64_t>(m.shards.size())) return false;
  return items == plan_items(m.splits, m.parts.dialogues_per_shard);
}

}  // namespace

Manifest Manifest::read(const std::string& folder) {
  const std::string path = join(folder, kFile);
  std::error_code ec;
  if (!std::filesystem::exists(path, ec)) {
    fail_input("manifest " + path + " is missing", "run straq preprocess with this config first");
  }
  const std::string text = read_file(path);
  if (is_lfs_pointer(text)) {
    fail_input("manifest " + path + " is refused: " + lfs_pointer_words(text), kLfsHint);
  }
  Json j;
  if (const auto reason = try_parse_json(text, j); !reason.empty()) {
    fail_input("manifest " + path + " is malformed: " + reason, kHint);
  }
  check_format(j, path);
  auto m = read_json<Manifest>(j, {"manifest " + path + " is malformed", kHint});
  check_values(m, path);
  if (!is_sound(m)) refuse(path, "its key, splits and shards contradict each other");
  return m;
}

Manifest plan_manifest(std::string corpus, ShardKey key, const prompt::CombBuilder& prompts,
                       const dialogue::StrategySet& strategies, std::int64_t vocab_size,
                       const ShardCut& cut) {
  Manifest m;
  m.corpus = std::move(corpus);
  m.parts = std::move(key);
  m.key = m.parts.hex();
  m.vocab_size = vocab_size;
  m.option_ids = prompts.option_ids();
  for (int i = 0; i < strategies.size(); ++i) m.strategies.push_back(strategies[i].name);
  m.splits = cut.sizes;
  for (const auto& item : cut.items) m.shards.push_back({item, std::nullopt});
  return m;
}

Manifest resume_manifest(Manifest plan, const std::string& folder) {
  std::error_code ec;
  if (!std::filesystem::exists(join(folder, kFile), ec)) return plan;
  try {
    const Manifest old = Manifest::read(folder);
    if (old.key != plan.key) {
      log::warn("shard", "{} belongs to another data set and is written anew", join(folder, kFile));
      return plan;
    }
    for (const auto& entry : old.shards) {
      if (entry.record) plan.add(*entry.record);
    }
  } catch (const Error& e) {
    log::warn("shard", "{}; its records are left aside", e.what());
    for (auto& entry : plan.shards) entry.record.reset();
  }
  return plan;
}

std::string shard_folder(const std::string& shards, const std::string& key) {
  return join(shards, key.substr(0, 16));
}

std::vector<MissingItem> missing_items(Manifest& manifest, const std::string& folder) {
  std::vector<MissingItem> missing;
  for (auto& entry : manifest.shards) {
    ShardCheck check = validate_shard(join(folder, entry.item.file()), manifest.expected(entry));
    entry.record = std::move(check.record);
    if (!entry.record) missing.push_back({entry.item, std::move(check.reason)});
  }
  return missing;
}

ShardRecord preprocess_item(const Manifest& manifest, const WorkItem& item,
                            const std::function<dialogue::Episode(std::int64_t)>& episode,
                            const prompt::CombBuilder& prompts, const std::string& folder,
                            const Storage& storage) {
  std::vector<prompt::Comb> combs;
  for (std::int64_t i = 0; i < item.count; ++i) combs.push_back(prompts.build_comb(episode(i)));
  return write_shard(join(folder, item.file()), manifest.header(item), combs, storage);
}

}  // namespace straq::shard
