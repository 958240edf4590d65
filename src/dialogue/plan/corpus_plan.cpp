#include "dialogue/plan/corpus_plan.h"

#include <algorithm>
#include <numeric>
#include <utility>

#include "core/error.h"
#include "core/files/text_stream.h"
#include "core/log.h"

namespace straq::dialogue {
namespace {

// At once, of an EpisodeReader: in a shuffled order each dialogue may lie in another file.
constexpr std::size_t kOpenFiles = 128;
// Fewer dialogues are read in the time that it takes to look for their index.
constexpr std::size_t kWorthKeeping = 5000;

// The index of some files, from wherever it is.
using Indexed = std::function<CorpusIndex(const std::vector<std::string>& paths)>;

// Adds the files to the plan; their hash is the result.
std::string add_files(CorpusIndex index, CorpusPlan& plan, std::vector<std::uint32_t>& files) {
  const auto first = static_cast<std::uint32_t>(plan.files.size());
  for (auto& file : index.files) {
    files.push_back(static_cast<std::uint32_t>(plan.files.size()));
    plan.files.push_back(std::move(file));
  }
  for (auto& d : index.dialogues) d.file += first;
  if (plan.dialogues.empty()) {
    plan.dialogues = std::move(index.dialogues);
  } else {
    plan.dialogues.insert(plan.dialogues.end(), index.dialogues.begin(), index.dialogues.end());
  }
  return index.sha256;
}

void plan_official(const DataConfig& config, const Indexed& indexed, CorpusPlan& plan) {
  const std::pair<const char*, const Paths*> splits[] = {
      {"train", &config.train}, {"valid", &config.valid}, {"test", &config.test}};
  for (const auto& [name, paths] : splits) {
    if (paths->empty()) continue;
    PlannedSplit split;
    split.name = name;
    const std::size_t first = plan.dialogues.size();
    split.sha256 = add_files(indexed(paths->files(std::string("data.") + name)), plan, split.files);
    split.members.resize(plan.dialogues.size() - first);
    std::iota(split.members.begin(), split.members.end(), static_cast<std::uint32_t>(first));
    plan.splits.push_back(std::move(split));
  }
  if (plan.splits.empty()) {
    fail_input("data: split official needs the file of at least one split",
               "set data.train, data.valid or data.test, or use split: ratio with data.source");
  }
}

void plan_drawn(const DataConfig& config, const Indexed& indexed, CorpusPlan& plan) {
  if (config.source.empty()) {
    fail_input("data: splits ratio and sample_level need the files to cut in data.source",
               "set data.source: [file, …], or use split: official with data.train, data.valid and "
               "data.test");
  }
  PlannedSplit whole;
  whole.sha256 = add_files(indexed(config.source.files("data.source")), plan, whole.files);
  const Shares shares = {
      {"train", config.ratios.train}, {"valid", config.ratios.valid}, {"test", config.ratios.test}};
  std::vector<SplitPlan> drawn;
  if (config.split == SplitMode::sample_level) {
    std::vector<std::size_t> decisions;
    for (const auto& d : plan.dialogues) decisions.push_back(d.decisions);
    drawn = plan_sample_level(decisions, shares, config.split_seed);
  } else {
    drawn = plan_ratio(plan.dialogues.size(), shares, config.split_seed);
  }
  for (SplitPlan& d : drawn) {
    if (d.members.empty()) continue;
    PlannedSplit split = whole;
    split.name = d.name;
    for (SplitMember& m : d.members) {
      split.members.push_back(static_cast<std::uint32_t>(m.dialogue));
      if (config.split == SplitMode::sample_level) split.owned.push_back(std::move(m.owned));
    }
    plan.splits.push_back(std::move(split));
  }
}

// The config's limit, and what is left then.
void cut_and_count(const DataConfig& config, CorpusPlan& plan) {
  for (PlannedSplit& split : plan.splits) {
    const auto limit = static_cast<std::size_t>(config.limit);
    if (limit > 0 && split.members.size() > limit) {
      split.members.resize(limit);
      if (!split.owned.empty()) split.owned.resize(limit);
    }
    for (std::size_t i = 0; i < split.members.size(); ++i) {
      const bool cut = !split.owned.empty() && !split.owned[i].empty();
      split.decisions += cut ? std::accumulate(split.owned[i].begin(), split.owned[i].end(), 0)
                             : std::int64_t{plan.dialogues[split.members[i]].decisions};
    }
  }
}

}  // namespace

const PlannedSplit* CorpusPlan::find(const std::string& split) const {
  for (const auto& s : splits) {
    if (s.name == split) return &s;
  }
  return nullptr;
}

namespace {

CorpusPlan plan_indexed(const DataConfig& config, const Indexed& indexed) {
  CorpusPlan plan;
  if (config.split == SplitMode::official) {
    plan_official(config, indexed, plan);
  } else {
    plan_drawn(config, indexed, plan);
  }
  cut_and_count(config, plan);
  return plan;
}

}  // namespace

CorpusPlan plan_corpus(const DataConfig& config, const StrategySet& strategies,
                       const OnDialogue& on_dialogue) {
  return plan_indexed(config, [&](const std::vector<std::string>& paths) {
    return read_index(paths, config, strategies, on_dialogue);
  });
}

CorpusPlan plan_corpus(const DataConfig& config, const StrategySet& strategies,
                       const std::string& indexes) {
  return plan_indexed(config, [&](const std::vector<std::string>& paths) {
    const std::string file = indexes + "/" + index_name(paths, config, strategies);
    if (auto stored = load_index(file, paths)) return std::move(*stored);
    CorpusIndex index = read_index(paths, config, strategies);
    if (index.dialogues.size() >= kWorthKeeping) {
      try {
        save_index(file, index);
      } catch (const Error& e) {
        log::debug("data", "the index of the corpus is not kept: {}", e.what());
      }
    }
    return index;
  });
}

namespace {

// What the file is to be: the one that was planned with, also where somebody has put the same
// content in its place since (another job that makes the same corpus).
FileStamp stamp_of(const PlannedFile& file) {
  const FileStamp now = ByteSource(file.source.path).stamp();
  if (now == file.stamp) return now;
  return TextStream(file.source.path).sha256() == file.source.sha256 ? now : file.stamp;
}

}  // namespace

Dialogue EpisodeReader::dialogue(std::uint32_t number, const DialoguePlace& place) {
  auto file = open_.find(number);
  if (file == open_.end()) {
    if (open_.size() >= kOpenFiles) open_.clear();
    const PlannedFile& f = files_.at(number);
    file = open_.emplace(number, DialogueFile(f.source.path, f.format, stamp_of(f), strategies_))
               .first;
  }
  return file->second.read(place);
}

Episode EpisodeReader::read(const EpisodeOrder& order) {
  Episode episode =
      restrict_to(make_episode(config_, dialogue(order.file, order.place)), order.owned);
  for (std::size_t i = 0; i < std::min(order.outcomes.size(), episode.decisions.size()); ++i) {
    episode.decisions[i].rating = order.outcomes[i].rating;
    episode.decisions[i].judge = order.outcomes[i].judge;
  }
  return episode;
}

void EpisodeReader::check() const {
  for (const auto& [index, file] : open_) file.check();
}

}  // namespace straq::dialogue
