#include "coordinate/dataset_job.h"

#include <numeric>

#include "core/error.h"
#include "core/files/byte_source.h"
#include "core/files/files.h"
#include "core/rng.h"
#include "experiment/comb_builder.h"

namespace straq::coordinate {
namespace {

// A manifest of thousands of shards after each of them would cost more than the shards.
constexpr std::chrono::seconds kManifestPause{1};

// Text of a corpus that a tokenizer is trained on: more teaches it nothing.
constexpr std::int64_t kTrainingText = std::int64_t{64} << 20;

// What a tokenizer that is trained from scratch sees: the prompt's fixed texts and the train split,
// line by line as prompts will show it; of a large one every so many dialogues.
std::vector<std::string> training_texts(const experiment::ExperimentConfig& config,
                                        const dialogue::StrategySet& strategies,
                                        const dialogue::CorpusPlan& corpus,
                                        dialogue::EpisodeReader& reader) {
  const auto* train = corpus.find("train");
  if (train == nullptr) {
    fail_input("tokenizer.train: the data has no split \"train\" to train on",
               "name data.train, or an existing tokenizer in tokenizer.path");
  }
  std::int64_t bytes = 0;
  for (const auto m : train->members) bytes += corpus.dialogues[m].place.bytes;
  const auto step = static_cast<std::size_t>(bytes / kTrainingText + 1);
  std::vector<std::string> texts = experiment::fixed_texts(config, strategies);
  for (std::size_t i = 0; i < train->members.size(); i += step) {
    const auto& d = corpus.dialogues[train->members[i]];
    const auto episode = reader.read({d.file, d.place});
    texts.push_back(episode.situation);
    for (const auto& turn : episode.turns) texts.push_back(turn.text);
  }
  return texts;
}

// What files of outcomes say, once they are joined: of every decision of every member of a split.
std::vector<std::vector<dialogue::DecisionOutcome>> outcomes_of(const dialogue::Split& split) {
  std::vector<std::vector<dialogue::DecisionOutcome>> out;
  for (const auto& episode : split.episodes) {
    auto& decisions = out.emplace_back();
    for (const auto& d : episode.decisions) decisions.push_back({d.rating, d.judge});
  }
  return out;
}

shard::ShardRecord make_shard(const shard::Manifest& manifest, const shard::WorkItem& item,
                              const dialogue::EpisodeOrders& dialogues,
                              dialogue::EpisodeReader& reader, const prompt::CombBuilder& prompts,
                              const std::string& folder, const shard::Storage& storage) {
  const auto episode = [&](std::int64_t i) {
    auto out = reader.read(dialogues.episodes.at(static_cast<std::size_t>(i)));
    // A file that is written to meanwhile must not become a shard of the one that was planned with.
    if (i + 1 == item.count) reader.check();
    return out;
  };
  return shard::preprocess_item(manifest, item, episode, prompts, folder, storage);
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
    : storage_(config.shards.storage()),
      strategies_(dialogue::load_strategies(config.data)),
      corpus_(dialogue::plan_corpus(config.data, strategies_, config.shards.folder + "/indexes")),
      reader_(config.data, strategies_) {
  for (std::uint32_t f = 0; f < corpus_.files.size(); ++f) reader_.know(f, corpus_.files[f]);
  read_outcomes(config.data);
  if (config.shards.shuffle) shuffle(*config.shards.shuffle);
  text::check_tokenizer(config.tokenizer);
  tokenizer_path_ = text::prepare_tokenizer(
      config.tokenizer,
      config.tokenizer.train ? training_texts(config, strategies_, corpus_, reader_)
                             : std::vector<std::string>{},
      config.shards.folder + "/tokenizers");
  tokenizer_ = text::open_tokenizer(tokenizer_path_);
  prompts_ = experiment::make_comb_builder(config, strategies_, *tokenizer_);

  shard::SplitTexts texts;
  std::int64_t decisions = 0;
  for (const auto& split : corpus_.splits) {
    auto& bytes = texts.emplace_back(split.name, std::vector<std::uint32_t>()).second;
    for (const auto m : split.members) bytes.push_back(corpus_.dialogues[m].place.bytes);
    decisions += split.decisions;
  }
  if (decisions == 0) {
    fail_input(
        "data." + config.data.name + ": no dialogue has a labelled supporter turn to learn from",
        "check data.train and the strategy labels with `straq dataset stats`");
  }
  const shard::ShardCut cut = shard::plan_cut(texts, config.shards);
  const shard::ShardKey key = shard::make_key(config.data, strategies_, sources(), *prompts_,
                                              *tokenizer_, cut, config.shards.shuffle);
  manifest_ = shard::plan_manifest(config.data.name, key, *prompts_, strategies_,
                                   tokenizer_->vocab_size(), cut);
  folder_ = shard::shard_folder(config.shards.folder, manifest_.key);
}

void DatasetJob::shuffle(std::uint64_t seed) {
  for (const auto& file : corpus_.files) {
    if (file.packed) {
      fail_input("shards.shuffle: the dialogues of " + file.source.path +
                     " can be read in their order only",
                 "unpack the archive, or leave shards.shuffle out");
    }
  }
  for (auto& split : corpus_.splits) {
    CounterRng rng(seed, "shard-order-" + split.name);
    std::vector<std::size_t> order(split.members.size());
    std::iota(order.begin(), order.end(), std::size_t{0});
    straq::shuffle(order, rng);
    const auto permute = [&](auto& values) {
      auto drawn = values;
      for (std::size_t i = 0; i < values.size(); ++i) drawn[i] = std::move(values[order[i]]);
      values = std::move(drawn);
    };
    permute(split.members);
    permute(split.owned);
    if (const auto it = outcomes_.find(split.name); it != outcomes_.end()) permute(it->second);
  }
}

shard::DataSources DatasetJob::sources() const {
  shard::DataSources out;
  for (const auto& split : corpus_.splits) {
    std::string ids;
    for (const auto f : split.files) {
      ids += (ids.empty() ? "" : ",") + content_stem(corpus_.files[f].source.path);
    }
    out.splits.push_back({split.name, split.sha256, std::move(ids)});
  }
  for (const auto& file : outcome_files_) out.outcomes.push_back({file.name, file.sha256});
  return out;
}

// Joining them asks for the whole corpus, once: what a decision earned is found by dialogue and
// turn.
void DatasetJob::read_outcomes(const dialogue::DataConfig& data) {
  if (data.ratings.empty() && data.judgements.empty()) return;
  const dialogue::Splits whole = dialogue::load_splits(data, strategies_);
  outcome_files_ = whole.outcomes;
  for (const auto& split : whole.splits) outcomes_[split.name] = outcomes_of(split);
}

std::vector<shard::MissingItem> DatasetJob::survey(bool makes) {
  manifest_ = shard::resume_manifest(std::move(manifest_), folder_);
  auto missing = shard::missing_items(manifest_, folder_);
  if (makes || missing.empty()) manifest_.write_if_changed(folder_);
  return missing;
}

dialogue::EpisodeOrders DatasetJob::dialogues(const shard::WorkItem& item) const {
  const auto* split = corpus_.find(item.split);
  if (split == nullptr ||
      item.first + item.count > static_cast<std::int64_t>(split->members.size())) {
    fail_runtime("work item " + item.file() + " is not one of this data set");
  }
  const auto outcomes = outcomes_.find(item.split);
  dialogue::EpisodeOrders out;
  for (std::int64_t i = item.first; i < item.first + item.count; ++i) {
    const auto at = static_cast<std::size_t>(i);
    const auto& d = corpus_.dialogues[split->members[at]];
    out.files.emplace(d.file, corpus_.files[d.file]);
    dialogue::EpisodeOrder order{d.file, d.place};
    if (!split->owned.empty()) order.owned = split->owned[at];
    if (outcomes != outcomes_.end()) order.outcomes = outcomes->second[at];
    out.episodes.push_back(std::move(order));
  }
  return out;
}

shard::ShardRecord DatasetJob::process(const shard::WorkItem& item) {
  return make_shard(manifest_, item, dialogues(item), reader_, *prompts_, folder_, storage_);
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
      reader_(config.data, strategies_),
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
                                       const dialogue::EpisodeOrders& dialogues) {
  for (const auto& [number, file] : dialogues.files) reader_.know(number, file);
  return make_shard(manifest_, item, dialogues, reader_, *prompts_, folder_, storage_);
}

}  // namespace straq::coordinate
