#include "learn/comb_feed.h"

#include <algorithm>
#include <stdexcept>
#include <utility>

namespace straq::learn {

void CombFeed::begin(const BatchStream& stream) {
  if (ahead_.valid()) ahead_.wait();
  ahead_ = {};
  held_.clear();
  last_.clear();
  epoch_ = stream.epoch();
  next_batch_ = stream.index();
  next_shard_ = 0;
  const auto& batches = stream.batches();
  for (std::size_t b = next_batch_; b < batches.size(); ++b) {
    for (const BatchItem& item : batches[b]) {
      const auto comb = static_cast<std::size_t>(item.comb);
      if (last_.size() <= comb) last_.resize(comb + 1, -1);
      last_[comb] = static_cast<std::int32_t>(b);
    }
  }
}

void CombFeed::read_next_shard(std::size_t batch) {
  if (next_shard_ == shards_.shards()) {
    throw std::logic_error("a batch asks for a dialogue that the split does not have");
  }
  const auto start = [&] {
    if (next_shard_ == shards_.shards()) return;
    ahead_ =
        std::async(std::launch::async, [this, shard = next_shard_] { return shards_.read(shard); });
  };
  if (!ahead_.valid()) start();
  std::vector<prompt::Comb> combs = ahead_.get();
  auto number = static_cast<std::size_t>(shards_.first(next_shard_++));
  start();
  for (auto& comb : combs) {
    const std::size_t at = number++;
    if (at < last_.size() && last_[at] >= static_cast<std::int32_t>(batch)) {
      held_.emplace(static_cast<std::int32_t>(at), std::move(comb));
    }
  }
}

FedBatch CombFeed::take(const BatchStream& stream) {
  if (stream.epoch() != epoch_ || stream.index() != next_batch_) begin(stream);
  const std::size_t batch = next_batch_++;
  FedBatch out;
  out.batch = stream.batches()[batch];
  for (const BatchItem& item : out.batch) out.numbers.push_back(item.comb);
  // In the split's order, so that whatever breaks ties by a dialogue's place breaks them alike.
  std::sort(out.numbers.begin(), out.numbers.end());
  out.numbers.erase(std::unique(out.numbers.begin(), out.numbers.end()), out.numbers.end());
  for (const auto number : out.numbers) {
    const auto comb = static_cast<std::int32_t>(number);
    auto it = held_.find(comb);
    while (it == held_.end()) {
      read_next_shard(batch);
      it = held_.find(comb);
    }
    if (last_[static_cast<std::size_t>(number)] == static_cast<std::int32_t>(batch)) {
      out.combs.push_back(std::move(it->second));
      held_.erase(it);
    } else {
      out.combs.push_back(it->second);
    }
  }
  for (BatchItem& item : out.batch) {
    const auto at = std::lower_bound(out.numbers.begin(), out.numbers.end(), item.comb);
    item.comb = static_cast<std::int32_t>(at - out.numbers.begin());
  }
  return out;
}

}  // namespace straq::learn
