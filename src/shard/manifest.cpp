#include "shard/manifest.h"

#include <algorithm>
#include <filesystem>
#include <stdexcept>

#include "core/error.h"
#include "core/files.h"
#include "core/hash.h"
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
  return k;
}

}  // namespace

Json ShardKey::to_json() const {
  return {{"source", source},   {"tokenizer", tokenizer},
          {"template", prompt}, {"window", window},
          {"data", data},       {"dialogues_per_shard", dialogues_per_shard}};
}

std::string ShardKey::hex() const {
  return sha256_hex(to_json().dump());
}

ShardKey make_key(const dialogue::DataConfig& data, const dialogue::Splits& splits,
                  const prompt::PromptBuilder& prompts, const text::Tokenizer& tokenizer,
                  std::int64_t dialogues_per_shard) {
  Sha256 source;
  for (const auto& split : splits.splits) {
    source.update(split.name + "=" + split.corpus.sha256 + "\n");
  }
  // The switches of the data section but its paths: the bytes are in `source`. The format stays
  // (the same bytes could be read as another), and so do the spellings that labels resolve by.
  Json rules = config::to_json(config::dump(data));
  for (const char* path : {"name", "train", "valid", "test", "source", "strategies"}) {
    rules.erase(path);
  }
  for (int i = 0; i < splits.strategies.size(); ++i) {
    const auto& s = splits.strategies[i];
    rules["labels"].push_back({{"name", s.name}, {"aliases", s.aliases}});
  }
  ShardKey key;
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
  write_file_atomic(join(folder, kFile), to_json().dump(1) + "\n");
}

Manifest Manifest::read(const std::string& folder) {
  const std::string path = join(folder, kFile);
  std::error_code ec;
  if (!std::filesystem::exists(path, ec)) {
    fail_input("manifest " + path + " is missing", "run straq preprocess with this config first");
  }
  Manifest m;
  try {
    const Json j = Json::parse(read_file(path));
    if (!j.is_object() || j.value("format", "") != kFormat) {
      fail_input("manifest " + path + " is refused: it is not a manifest of this program", kHint);
    }
    const auto version = j.at("format_version").get<std::int64_t>();
    if (version != kManifestVersion) {
      fail_input("manifest " + path + " is refused: it has format version " +
                     std::to_string(version) + "; this program reads version " +
                     std::to_string(kManifestVersion),
                 kHint);
    }
    m.corpus = j.at("corpus").get<std::string>();
    m.key = j.at("key").get<std::string>();
    m.parts = key_from_json(j.at("key_parts"));
    m.vocab_size = j.at("vocab_size").get<std::int64_t>();
    m.option_ids = j.at("option_ids").get<std::vector<std::int32_t>>();
    m.strategies = j.at("strategies").get<std::vector<std::string>>();
    for (const auto& [name, size] : j.at("splits").items()) {
      m.splits.emplace_back(name, size.get<std::int64_t>());
    }
    for (const auto& row : j.at("shards")) {
      ManifestEntry e;
      e.item = {row.at("split").get<std::string>(), row.at("index").get<std::int64_t>(),
                row.at("first_dialogue").get<std::int64_t>(),
                row.at("dialogues").get<std::int64_t>()};
      if (row.contains("record")) e.record = record_from_json(row.at("record"), path);
      m.shards.push_back(std::move(e));
    }
  } catch (const Json::exception& e) {
    fail_input("manifest " + path + " is malformed: " + e.what(), kHint);
  }
  // An edited manifest must not name files elsewhere or leave dialogues out.
  std::vector<WorkItem> items;
  for (const auto& e : m.shards) items.push_back(e.item);
  if (m.key != m.parts.hex() || m.parts.dialogues_per_shard < 1 ||
      items != plan_items(m.splits, m.parts.dialogues_per_shard)) {
    fail_input("manifest " + path + " is refused: its key, splits and shards contradict each other",
               kHint);
  }
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
