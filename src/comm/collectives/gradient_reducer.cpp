// The gradient reducers: flat, in buckets for all or for their owners, and none for a group of one.
#include <algorithm>
#include <functional>
#include <map>
#include <stdexcept>

#include "comm/collectives/collectives.h"

namespace straq::comm {
namespace {

class NoReducer : public GradientReducer {
 public:
  void add(std::int64_t, std::int64_t) override {}
  void finish() override {}
};

class FlatReducer : public GradientReducer {
 public:
  FlatReducer(Collectives& collectives, at::Tensor flat_grad)
      : collectives_(collectives), flat_grad_(std::move(flat_grad)) {}
  void add(std::int64_t, std::int64_t) override {}
  void finish() override { collectives_.allreduce_sum(flat_grad_); }

 private:
  Collectives& collectives_;
  at::Tensor flat_grad_;
};

class BucketedReducer : public GradientReducer {
 public:
  // Starts the sum of [begin, end).
  using Start = std::function<std::unique_ptr<PendingSum>(std::int64_t begin, std::int64_t end)>;

  BucketedReducer(std::int64_t size, std::int64_t bucket, bool eager, Start start)
      : size_(size),
        bucket_(std::max<std::int64_t>(1, bucket)),
        eager_(eager),
        start_(std::move(start)) {
    reset();
  }

  void add(std::int64_t begin, std::int64_t end) override {
    if (begin < 0 || end > size_ || begin > end) {
      throw std::invalid_argument("gradient range [" + std::to_string(begin) + ", " +
                                  std::to_string(end) + ") is not in a buffer of " +
                                  std::to_string(size_));
    }
    if (begin == end) return;
    const auto next = waiting_.lower_bound(begin);
    const bool overlaps = end > final_from_ || (next != waiting_.end() && next->first < end) ||
                          (next != waiting_.begin() && std::prev(next)->second > begin);
    if (overlaps) {
      throw std::invalid_argument("gradient range [" + std::to_string(begin) + ", " +
                                  std::to_string(end) +
                                  ") was added before; only the last "
                                  "micro-batch may add");
    }
    waiting_.emplace(begin, end);
    // What is final in one piece up to the end of the buffer.
    while (!waiting_.empty() && std::prev(waiting_.end())->second == final_from_) {
      final_from_ = std::prev(waiting_.end())->first;
      waiting_.erase(std::prev(waiting_.end()));
    }
    if (!eager_) return;
    while (started_from_ > 0 && begin_of_next() >= final_from_) start_next();
    advance();
  }

  void start_all() override {
    while (started_from_ > 0) start_next();
  }

  void advance() override {
    for (auto at = first_open_; at < sums_.size() && sums_[at]->advance(); ++at) ++first_open_;
  }

  void finish() override {
    start_all();
    for (auto& sum : sums_) sum->wait();
    reset();
  }

 private:
  std::int64_t begin_of_next() const { return std::max<std::int64_t>(0, started_from_ - bucket_); }
  void start_next() {
    const std::int64_t begin = begin_of_next();
    sums_.push_back(start_(begin, started_from_));
    started_from_ = begin;
  }
  void reset() {
    sums_.clear();
    waiting_.clear();
    first_open_ = 0;
    final_from_ = started_from_ = size_;
  }

  std::int64_t size_, bucket_;
  bool eager_;  // start while backward runs
  Start start_;
  std::map<std::int64_t, std::int64_t> waiting_;   // final ranges below a gap: begin → end
  std::int64_t final_from_ = 0;                    // [final_from_, size_) is final
  std::int64_t started_from_ = 0;                  // and [started_from_, size_) is being reduced
  std::vector<std::unique_ptr<PendingSum>> sums_;  // oldest first
  std::size_t first_open_ = 0;                     // of sums_: not known to be done
};

}  // namespace

std::unique_ptr<GradientReducer> make_flat_reducer(Collectives& collectives, at::Tensor flat_grad) {
  return std::make_unique<FlatReducer>(collectives, std::move(flat_grad));
}

std::unique_ptr<GradientReducer> make_bucketed_reducer(Collectives& collectives,
                                                       at::Tensor flat_grad,
                                                       std::int64_t bucket_bytes) {
  if (collectives.size() == 1) return std::make_unique<NoReducer>();
  const at::Tensor flat = flat_grad.view({-1});
  return std::make_unique<BucketedReducer>(
      flat.numel(), bucket_bytes / flat.element_size(), collectives.overlaps(flat),
      [&collectives, flat](std::int64_t begin, std::int64_t end) {
        return collectives.start_sum(flat.narrow(0, begin, end - begin));
      });
}

std::unique_ptr<GradientReducer> make_sharded_reducer(Collectives& collectives,
                                                      at::Tensor padded_grad, std::int64_t elements,
                                                      std::int64_t bucket_bytes) {
  if (collectives.size() == 1) return std::make_unique<NoReducer>();
  return std::make_unique<BucketedReducer>(
      elements, bucket_bytes / padded_grad.element_size(), collectives.overlaps(padded_grad),
      [&collectives, padded_grad](std::int64_t begin, std::int64_t end) {
        return collectives.start_shard_sum(padded_grad, begin, end);
      });
}

}  // namespace straq::comm
