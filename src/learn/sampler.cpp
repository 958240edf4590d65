#include "learn/sampler.h"

#include <algorithm>
#include <utility>

#include "core/error.h"
#include "core/rng.h"

namespace straq::learn {
namespace {

// An item and the decisions as which it counts.
struct Weighted {
  BatchItem item;
  std::int64_t weight = 0;
};

// Passes items through a buffer that holds at least `capacity` decisions (or everything) and draws
// uniformly from it.
std::vector<Weighted> shuffled(const std::vector<Weighted>& items, std::int64_t capacity,
                               CounterRng& rng) {
  std::vector<Weighted> buffer, out;
  out.reserve(items.size());
  std::int64_t held = 0;
  std::size_t next = 0;
  while (out.size() < items.size()) {
    while (next < items.size() && held < capacity) {
      held += items[next].weight;
      buffer.push_back(items[next++]);
    }
    std::swap(buffer[rng.below(buffer.size())], buffer.back());
    out.push_back(buffer.back());
    held -= buffer.back().weight;
    buffer.pop_back();
  }
  return out;
}

}  // namespace

bool learns_decisions(const ObjectiveConfig& objective) {
  return objective.bellman > 0 || objective.ce > 0;
}

Texts texts_of(const ObjectiveConfig& objective) {
  if (objective.lm <= 0) return Texts::none;
  return learns_decisions(objective) ? Texts::beside : Texts::alone;
}

void CombSizes::add(const prompt::Comb& comb) {
  decisions.push_back(static_cast<std::int32_t>(comb.decisions.size()));
  text.push_back(static_cast<std::int32_t>(text_tokens(comb)));
}

CombSizes sizes_of(const std::vector<prompt::Comb>& combs) {
  CombSizes out;
  for (const auto& comb : combs) out.add(comb);
  return out;
}

std::vector<std::int64_t> batch_weights(const std::vector<prompt::Comb>& combs, Texts texts) {
  return batch_weights(sizes_of(combs), texts);
}

std::vector<std::int64_t> batch_weights(const CombSizes& combs, Texts texts) {
  // Text that comes with one decision, as a ratio of whole numbers: every node gets the same.
  std::int64_t decisions = 0, text = 0;
  for (std::size_t c = 0; c < combs.count(); ++c) {
    if (combs.decisions[c] == 0) continue;
    decisions += combs.decisions[c];
    text += combs.text[c];
  }
  if (decisions == 0 || text == 0) decisions = 1, text = kTextOfADecision;
  std::vector<std::int64_t> weights;
  weights.reserve(combs.count());
  for (std::size_t c = 0; c < combs.count(); ++c) {
    if (combs.decisions[c] > 0) {
      weights.push_back(combs.decisions[c]);
      continue;
    }
    const std::int64_t own = texts == Texts::none ? 0 : combs.text[c];
    if (own == 0) {
      weights.push_back(-1);
    } else if (texts == Texts::beside) {
      weights.push_back(0);
    } else {
      weights.push_back(std::max<std::int64_t>(1, (2 * own * decisions + text) / (2 * text)));
    }
  }
  return weights;
}

std::vector<Batch> epoch_batches(const std::vector<prompt::Comb>& combs, Batching mode,
                                 std::int64_t batch, std::int64_t capacity, std::uint64_t seed,
                                 std::int64_t epoch, Texts texts) {
  return epoch_batches(sizes_of(combs), mode, batch, capacity, seed, epoch, texts);
}

std::vector<Batch> epoch_batches(const CombSizes& combs, Batching mode, std::int64_t batch,
                                 std::int64_t capacity, std::uint64_t seed, std::int64_t epoch,
                                 Texts texts) {
  const std::vector<std::int64_t> weights = batch_weights(combs, texts);
  std::vector<Weighted> items;
  for (std::size_t c = 0; c < combs.count(); ++c) {
    const auto index = static_cast<std::int32_t>(c);
    const std::int32_t n = combs.decisions[c];
    if (mode == Batching::uniform && n > 0) {
      for (std::int32_t d = 0; d < n; ++d) items.push_back({{index, d, d + 1}, 1});
    } else if (weights[c] >= 0) {
      items.push_back({{index, 0, n}, weights[c]});
    }
  }
  CounterRng rng(seed, "epoch-order", static_cast<std::uint64_t>(epoch));
  const std::vector<Weighted> order = shuffled(items, capacity, rng);

  std::vector<Batch> batches;
  Batch current;
  std::int64_t size = 0;
  auto close = [&] {
    if (!current.empty()) batches.push_back(std::move(current));
    current.clear();
    size = 0;
  };
  for (auto [item, weight] : order) {
    if (mode == Batching::whole) {
      const std::int64_t with = size + weight;
      if (size > 0 && with - batch > batch - size) close();
    }
    if (mode == Batching::whole || item.count() == 0) {
      current.push_back(item);
      size += weight;
      if (size >= batch) close();
      continue;
    }
    while (item.count() > 0) {
      BatchItem part = item;
      part.last =
          static_cast<std::int32_t>(std::min<std::int64_t>(item.last, item.first + (batch - size)));
      current.push_back(part);
      size += part.count();
      item.first = part.last;
      if (size == batch) close();
    }
  }
  // Text that comes after the epoch's last decision: a batch of its own would be one step more than
  // the decisions make.
  if (size == 0 && !batches.empty()) {
    batches.back().insert(batches.back().end(), current.begin(), current.end());
    current.clear();
  }
  close();
  return batches;
}

std::vector<Batch> epoch_batches(const std::vector<prompt::Comb>& combs, const LearnConfig& config,
                                 const ObjectiveConfig& objective, std::uint64_t seed,
                                 std::int64_t epoch) {
  return epoch_batches(sizes_of(combs), config, objective, seed, epoch);
}

std::vector<Batch> epoch_batches(const CombSizes& combs, const LearnConfig& config,
                                 const ObjectiveConfig& objective, std::uint64_t seed,
                                 std::int64_t epoch) {
  return epoch_batches(combs, config.replay.mode, config.batch, config.replay.capacity, seed, epoch,
                       texts_of(objective));
}

BatchStream::BatchStream(CombSizes combs, const LearnConfig& config,
                         const ObjectiveConfig& objective, std::uint64_t seed)
    : combs_(std::move(combs)), config_(&config), objective_(objective), seed_(seed) {}

const Batch& BatchStream::next() {
  if (at_ == batches_.size()) open_epoch();
  return batches_[at_++];
}

void BatchStream::skip(std::int64_t batches) {
  while (batches > 0) {
    if (at_ == batches_.size()) open_epoch();
    const auto n = std::min(batches, static_cast<std::int64_t>(batches_.size() - at_));
    at_ += static_cast<std::size_t>(n);
    batches -= n;
  }
}

void BatchStream::open_epoch() {
  ++epoch_;
  batches_ = epoch_batches(combs_, *config_, objective_, seed_, epoch_);
  at_ = 0;
  if (batches_.empty()) {
    fail_input("the train split has nothing that this stage could learn from",
               "the Bellman equation and ce need dialogues with strategies, lm needs text");
  }
}

}  // namespace straq::learn
