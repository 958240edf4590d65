#include "learn/sampler.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "core/rng.h"

namespace straq::learn {
namespace {

// Passes items through a buffer that holds at least `capacity` decisions (or everything) and draws
// uniformly from it.
std::vector<BatchItem> shuffled(const std::vector<BatchItem>& items, std::int64_t capacity,
                                CounterRng& rng) {
  std::vector<BatchItem> buffer, out;
  out.reserve(items.size());
  std::int64_t held = 0;
  std::size_t next = 0;
  while (out.size() < items.size()) {
    while (next < items.size() && held < capacity) {
      held += items[next].count();
      buffer.push_back(items[next++]);
    }
    std::swap(buffer[rng.below(buffer.size())], buffer.back());
    out.push_back(buffer.back());
    held -= buffer.back().count();
    buffer.pop_back();
  }
  return out;
}

}  // namespace

std::vector<Batch> epoch_batches(const std::vector<prompt::Comb>& combs, Batching mode,
                                 std::int64_t batch, std::int64_t capacity, std::uint64_t seed,
                                 std::int64_t epoch) {
  std::vector<BatchItem> items;
  for (std::size_t c = 0; c < combs.size(); ++c) {
    const auto index = static_cast<std::int32_t>(c);
    const auto n = static_cast<std::int32_t>(combs[c].decisions.size());
    if (mode == Batching::uniform) {
      for (std::int32_t d = 0; d < n; ++d) items.push_back({index, d, d + 1});
    } else if (n > 0) {
      items.push_back({index, 0, n});
    }
  }
  CounterRng rng(seed, "epoch-order", static_cast<std::uint64_t>(epoch));
  const std::vector<BatchItem> order = shuffled(items, capacity, rng);

  std::vector<Batch> batches;
  Batch current;
  std::int64_t size = 0;
  auto close = [&] {
    if (!current.empty()) batches.push_back(std::move(current));
    current.clear();
    size = 0;
  };
  for (BatchItem item : order) {
    if (mode == Batching::whole) {
      const std::int64_t with = size + item.count();
      if (size > 0 && with - batch > batch - size) close();
      current.push_back(item);
      size += item.count();
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
  close();
  return batches;
}

bool carries_text(const BatchItem& item) {
  return item.first == 0;
}

std::int64_t first_predicted(const prompt::Comb& comb) {
  return std::max<std::int64_t>(comb.trunks.front().header, 1);
}

std::int64_t text_tokens(const prompt::Comb& comb) {
  const auto tokens = static_cast<std::int64_t>(comb.trunks.front().tokens.size());
  return std::max<std::int64_t>(0, tokens - first_predicted(comb));
}

std::int64_t item_operations(const prompt::Comb& comb, const BatchItem& item,
                             const ItemCost& cost) {
  std::vector<double> reach(comb.trunks.size(), 0);
  double rows = 0, pairs = 0, text = 0;
  for (auto d = item.first; d < item.last; ++d) {
    const auto& probe = comb.probes[static_cast<std::size_t>(d)];
    auto& r = reach[static_cast<std::size_t>(probe.trunk)];
    // What the trunk repeats of a probe is computed once.
    const auto repeated = static_cast<double>(comb.repeated(probe));
    const auto attach = probe.attach + repeated;
    r = std::max(r, attach);
    const auto n = static_cast<double>(probe.tokens.size()) - repeated;
    rows += n;
    pairs += n * (attach + n / 2);
  }
  if (cost.text > 0 && carries_text(item)) {
    reach.front() = static_cast<double>(comb.trunks.front().tokens.size());
    text = static_cast<double>(text_tokens(comb));
  }
  for (const double r : reach) {
    rows += r;
    pairs += r * r / 2;
  }
  return std::llround(rows * cost.row + pairs * cost.pair + text * cost.text);
}

std::int64_t item_tokens(const prompt::Comb& comb, const BatchItem& item) {
  return item_operations(comb, item, {});
}

std::vector<Batch> micro_batches(const Batch& share, const std::vector<prompt::Comb>& combs,
                                 std::int64_t tokens) {
  std::vector<Batch> out;
  std::int64_t held = 0;
  for (const auto& item : share) {
    const auto cost = item_tokens(combs[static_cast<std::size_t>(item.comb)], item);
    if (out.empty() || held + cost > tokens) {
      out.emplace_back();
      held = 0;
    }
    out.back().push_back(item);
    held += cost;
  }
  return out;
}

BatchStream::BatchStream(const std::vector<prompt::Comb>& combs, const LearnConfig& config,
                         std::uint64_t seed)
    : combs_(&combs), config_(&config), seed_(seed) {}

const Batch& BatchStream::next() {
  while (at_ == batches_.size()) open_epoch();
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
  batches_ = epoch_batches(*combs_, config_->replay.mode, config_->batch, config_->replay.capacity,
                           seed_, epoch_);
  at_ = 0;
}

}  // namespace straq::learn
