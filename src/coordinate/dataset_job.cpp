#include "coordinate/dataset_job.h"

#include "core/error.h"
#include "core/files/files.h"
#include "experiment/comb_builder.h"

namespace straq::coordinate {
namespace {

// A manifest of thousands of shards after each of them would cost more than the shards.
constexpr std::chrono::seconds kManifestPause{1};

// What a tokenizer that is trained from scratch sees: the prompt's fixed texts and the train split,
// line by line as prompts will show it.
std::vector<std::string> training_texts(const experiment::ExperimentConfig& config,
                                        const dialogue::Splits& splits) {
  const dialogue::Split* train = splits.find("train");
  if (train == nullptr) {
    fail_input("tokenizer.train: the data has no split \"train\" to train on",
               "name data.train, or an existing tokenizer in tokenizer.path");
  }
  std::vector<std::string> texts = experiment::fixed_texts(config, splits.strategies);
  for (const auto& episode : train->episodes) {
    texts.push_back(episode.situation);
    for (const auto& turn : episode.turns) texts.push_back(turn.text);
  }
  return texts;
}

}  // namespace

std::string dataset_signature(const experiment::ExperimentConfig& config) {
  return config::to_yaml(config::dump(config.data)) +
         config::to_yaml(config::dump(config.tokenizer)) +
         config::to_yaml(config::dump(config.prompt)) +
         // A responder's prompts are written in the chat template of the model that it starts from.
         (config.responder.trains()
              ? config::to_yaml(config::dump(config.responder)) + config.model.from
              : std::string()) +
         config::to_yaml(config::dump(config.shards));
}

DatasetJob::DatasetJob(const experiment::ExperimentConfig& config)
    : storage_(config.shards.storage()), splits_(dialogue::load_splits(config.data)) {
  text::check_tokenizer(config.tokenizer);
  tokenizer_path_ = text::prepare_tokenizer(
      config.tokenizer,
      config.tokenizer.train ? training_texts(config, splits_) : std::vector<std::string>{},
      config.shards.folder + "/tokenizers");
  tokenizer_ = text::open_tokenizer(tokenizer_path_);
  prompts_ = experiment::make_comb_builder(config, splits_.strategies, *tokenizer_);

  shard::SplitSizes sizes;
  std::int64_t decisions = 0;
  for (const auto& split : splits_.splits) {
    sizes.emplace_back(split.name, static_cast<std::int64_t>(split.episodes.size()));
    for (const auto& episode : split.episodes) {
      decisions += static_cast<std::int64_t>(episode.decisions.size());
    }
  }
  if (decisions == 0) {
    fail_input(
        "data." + config.data.name + ": no dialogue has a labelled supporter turn to learn from",
        "check data.train and the strategy labels with `straq dataset stats`");
  }
  const shard::ShardKey key = shard::make_key(config.data, splits_, *prompts_, *tokenizer_,
                                              config.shards.dialogues_per_shard);
  manifest_ = shard::plan_manifest(config.data.name, key, *prompts_, splits_.strategies,
                                   tokenizer_->vocab_size(), sizes);
  folder_ = shard::shard_folder(config.shards.folder, manifest_.key);
}

std::vector<shard::MissingItem> DatasetJob::survey(bool makes) {
  manifest_ = shard::resume_manifest(std::move(manifest_), folder_);
  auto missing = shard::missing_items(manifest_, folder_);
  if (makes || missing.empty()) manifest_.write_if_changed(folder_);
  return missing;
}

std::span<const dialogue::Episode> DatasetJob::episodes(const shard::WorkItem& item) const {
  const dialogue::Split* split = splits_.find(item.split);
  if (split == nullptr ||
      item.first + item.count > static_cast<std::int64_t>(split->episodes.size())) {
    fail_runtime("work item " + item.file() + " is not one of this data set");
  }
  return std::span(split->episodes)
      .subspan(static_cast<std::size_t>(item.first), static_cast<std::size_t>(item.count));
}

shard::ShardRecord DatasetJob::process(const shard::WorkItem& item) const {
  return shard::preprocess_item(manifest_, item, episodes(item), *prompts_, folder_, storage_);
}

void DatasetJob::add(const shard::ShardRecord& record) {
  manifest_.add(record);
  const auto now = std::chrono::steady_clock::now();
  if (manifest_.complete(record.item.split) || now - written_ > kManifestPause) {
    manifest_.write(folder_);
    written_ = now;
  }
}

ShardMaker::ShardMaker(const experiment::ExperimentConfig& config,
                       const std::string& tokenizer_path, const std::string& folder,
                       const std::string& key)
    : storage_(config.shards.storage()),
      strategies_(dialogue::load_strategies(config.data)),
      tokenizer_(text::open_tokenizer(tokenizer_path)),
      prompts_(experiment::make_comb_builder(config, strategies_, *tokenizer_)),
      manifest_(shard::Manifest::read(folder)),
      folder_(folder) {
  if (manifest_.key != key || manifest_.parts.tokenizer != tokenizer_->fingerprint() ||
      manifest_.parts.prompt != prompts_->fingerprint()) {
    fail_runtime(
        "this rank sees another tokenizer, template or strategies than the coordinator, or "
        "another manifest in " +
            folder,
        "start all ranks in the same folder on a shared filesystem");
  }
}

shard::ShardRecord ShardMaker::process(const shard::WorkItem& item,
                                       std::span<const dialogue::Episode> episodes) const {
  return shard::preprocess_item(manifest_, item, episodes, *prompts_, folder_, storage_);
}

}  // namespace straq::coordinate
