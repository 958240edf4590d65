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

ShardKey key_from_json(const Json& j) {
  ShardKey k;
  k.source = j.at("source").get<std::string>();
  k.tokenizer = j.at("tokenizer").get<std::string>();
  k.prompt = j.at("template").get<std::string>();
  k.window = j.at("window").get<std::int64_t>();
  k.data = j.at("data").get<std::string>();
  k.dialogues_per_shard = j.at("dialogues_per_shard").get<std::int64_t>();
  if (j.contains("splits")) {
    for (const auto& s : j.at("splits")) {
      k.splits.push_back({s.at("split").get<std::string>(), s.at("sha256").get<std::string>(),
                          s.at("ids").get<std::string>()});
    }
  }
  return k;
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

Json ShardKey::to_json() const {
  Json out = {{"source", source},   {"tokenizer", tokenizer},
              {"template", prompt}, {"window", window},
              {"data", data},       {"dialogues_per_shard", dialogues_per_shard}};
  for (const auto& s : splits) {
    out["splits"].push_back({{"split", s.split}, {"sha256", s.sha256}, {"ids", s.ids}});
  }
  return out;
}

std::string ShardKey::hex() const {
  return sha256_hex(to_json().dump());
}

ShardKey make_key(const dialogue::DataConfig& data, const dialogue::Splits& splits,
                  const prompt::PromptBuilder& prompts, const text::Tokenizer& tokenizer,
                  std::int64_t dialogues_per_shard) {
  ShardKey key;
  Sha256 source;
  for (const auto& split : splits.splits) {
    source.update(split.name + "=" + split.corpus.sha256 + "\n");
    std::string ids;
    for (const auto& file : split.corpus.sources) {
      ids += (ids.empty() ? "" : ",") + std::filesystem::path(file.path).stem().string();
    }
    key.splits.push_back({split.name, split.corpus.sha256, std::move(ids)});
  }
  // The switches of the data section but its paths: the bytes are in `source`. The format stays
  // (the same bytes could be read as another), and so do the spellings that labels resolve by.
  Json rules = config::to_json(config::dump(data));
  for (const char* path : {"name", "train", "valid", "test", "source", "strategies"}) {
    rules.erase(path);
  }
  if (data.split == dialogue::SplitMode::official) {  // nothing is drawn
    rules.erase("ratios");
    rules.erase("split_seed");
  }
  for (int i = 0; i < splits.strategies.size(); ++i) {
    const auto& s = splits.strategies[i];
    rules["labels"].push_back({{"name", s.name}, {"aliases", s.aliases}});
  }
  key.source = source.hex();
  key.tokenizer = tokenizer.fingerprint();
  key.prompt = prompts.fingerprint();
  key.window = prompts.config().window;
  key.data = rules.dump();
  key.dialogues_per_shard = dialogues_per_shard;
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
  return {key,          parts.source, parts.tokenizer, parts.prompt,
          parts.window, vocab_size,   option_ids,      item};
}

Expected Manifest::expected(const ManifestEntry& entry) const {
  return {key, parts.source, parts.tokenizer, parts.prompt, entry.item, entry.record};
}

Json Manifest::to_json() const {
  Json out;
  out["format"] = kFormat;
  out["format_version"] = kManifestVersion;
  out["corpus"] = corpus;
  out["key"] = key;
  out["key_parts"] = parts.to_json();
  out["vocab_size"] = vocab_size;
  out["option_ids"] = option_ids;
  out["strategies"] = strategies;
  out["splits"] = Json::object();
  for (const auto& [name, size] : splits) out["splits"][name] = size;
  out["shards"] = Json::array();
  for (const auto& e : shards) {
    Json row = {{"file", e.item.file()},          {"state", e.record ? "done" : "missing"},
                {"split", e.item.split},          {"index", e.item.index},
                {"first_dialogue", e.item.first}, {"dialogues", e.item.count}};
    if (e.record) row["record"] = shard::to_json(*e.record);
    out["shards"].push_back(std::move(row));
  }
  return out;
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

// The fields of manifest.json. Numbers become sizes, indices and names of files: none is used
// before it was looked at. Throws Error(input), or a Json::exception for a key that is missing.
class ManifestReader {
 public:
  explicit ManifestReader(const std::string& path)
      : path_(path), refused_("manifest " + path + " is refused: ") {}

  [[noreturn]] void refuse(const std::string& why) const { fail_input(refused_ + why, kHint); }

  Manifest read(const Json& j) const {
    Manifest m;
    if (!j.is_object() || !j.contains("format") || j["format"] != kFormat) {
      refuse("it is not a manifest of this program");
    }
    const auto version = number(j, "format_version", std::numeric_limits<std::int64_t>::min(),
                                std::numeric_limits<std::int64_t>::max());
    if (version != kManifestVersion) {
      refuse("it has format version " + std::to_string(version) + "; this program reads version " +
             std::to_string(kManifestVersion));
    }
    m.corpus = j.at("corpus").get<std::string>();
    m.key = j.at("key").get<std::string>();
    const Json& parts = j.at("key_parts");
    number(parts, "window", 0, kMost);
    number(parts, "dialogues_per_shard", 1, kMost);
    m.parts = key_from_json(parts);
    m.vocab_size = number(j, "vocab_size", 0, kMostTokens);
    for (const auto& id : j.at("option_ids")) {
      const auto n = whole_number(id, 0, kMostTokens - 1);
      if (!n) refuse("option_ids holds " + shown(id) + ", no token id");
      m.option_ids.push_back(static_cast<std::int32_t>(*n));
    }
    m.strategies = j.at("strategies").get<std::vector<std::string>>();
    const Json& splits = j.at("splits");
    if (!splits.is_object()) refuse("splits is no object");
    for (const auto& [name, size] : splits.items()) {
      if (!is_plain_name(name)) refuse("the name of a split is " + shown(Json(name)));
      m.splits.emplace_back(name, number(splits, name.c_str(), 0, kMost));
    }
    for (const auto& row : j.at("shards")) {
      ManifestEntry e;
      e.item = {row.at("split").get<std::string>(), number(row, "index", 0, kMost),
                number(row, "first_dialogue", 0, kMost), number(row, "dialogues", 0, kMost)};
      if (row.contains("record")) e.record = record_from_json(row.at("record"), path_);
      m.shards.push_back(std::move(e));
    }
    return m;
  }

 private:
  static constexpr std::int64_t kMost = std::int64_t{1} << 53;
  static constexpr std::int64_t kMostTokens = std::int64_t{1} << 31;

  std::int64_t number(const Json& in, const char* key, std::int64_t least,
                      std::int64_t most) const {
    const auto n = whole_number(in.at(key), least, most);
    if (!n) {
      refuse(key + std::string(" is ") + shown(in.at(key)) + ", no whole number from " +
             std::to_string(least) + " to " + std::to_string(most));
    }
    return *n;
  }

  std::string path_, refused_;
};

// An edited manifest must not name files elsewhere or leave dialogues out. How many shards the
// splits make is computed before they are listed: the sizes are the file's claim.
bool is_sound(const Manifest& m) {
  std::int64_t planned = 0;
  for (const auto& [name, size] : m.splits) {
    planned += size / m.parts.dialogues_per_shard + (size % m.parts.dialogues_per_shard != 0);
    if (planned > static_cast<std::int64_t>(m.shards.size())) break;
  }
  if (m.key != m.parts.hex() || planned != static_cast<std::int64_t>(m.shards.size())) return false;
  std::vector<WorkItem> items;
  for (const auto& e : m.shards) items.push_back(e.item);
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
  const ManifestReader reader(path);
  Manifest m;
  try {
    m = reader.read(j);
  } catch (const Json::exception& e) {
    fail_input("manifest " + path + " is malformed: " + e.what(), kHint);
  }
  if (!is_sound(m)) reader.refuse("its key, splits and shards contradict each other");
  return m;
}

Manifest plan_manifest(std::string corpus, ShardKey key, const prompt::PromptBuilder& prompts,
                       const dialogue::StrategySet& strategies, std::int64_t vocab_size,
                       const SplitSizes& splits) {
  Manifest m;
  m.corpus = std::move(corpus);
  m.parts = std::move(key);
  m.key = m.parts.hex();
  m.vocab_size = vocab_size;
  m.option_ids = prompts.option_ids();
  for (int i = 0; i < strategies.size(); ++i) m.strategies.push_back(strategies[i].name);
  m.splits = splits;
  for (auto& item : plan_items(splits, m.parts.dialogues_per_shard)) {
    m.shards.push_back({std::move(item), std::nullopt});
  }
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
                            std::span<const dialogue::Episode> episodes,
                            const prompt::PromptBuilder& prompts, const std::string& folder,
                            const Storage& storage) {
  if (item.count != static_cast<std::int64_t>(episodes.size())) {
    fail_runtime("work item " + item.file() + " is for " + std::to_string(item.count) +
                 " dialogues of split " + item.split + ", and came with " +
                 std::to_string(episodes.size()));
  }
  std::vector<prompt::Comb> combs;
  combs.reserve(episodes.size());
  for (const auto& episode : episodes) {
    combs.push_back(prompts.build_comb(episode));
  }
  return write_shard(join(folder, item.file()), manifest.header(item), combs, storage);
}

}  // namespace straq::shard
