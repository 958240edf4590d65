// A world of ranks that are threads of one process: control messages, directives and collectives,
// without MPI. What needs a launcher and seconds a case otherwise is tested in milliseconds here.
#pragma once

#include <ATen/ATen.h>

#include <algorithm>
#include <any>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <exception>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "comm/collectives/backend.h"
#include "comm/control.h"
#include "comm/directive.h"
#include "core/environment.h"
#include "core/error.h"

namespace straq::comm::testing {

// Whoever waits this long in a test waits for ever.
inline constexpr double kPatience = 60;

class ThreadWorld {
 public:
  explicit ThreadWorld(int size) : inboxes_(static_cast<std::size_t>(size)) {}
  int size() const { return static_cast<int>(inboxes_.size()); }

  // This rank's end of the control plane.
  std::unique_ptr<Control> control(int rank) { return std::make_unique<End>(*this, rank); }

  // Runs `body` for every rank at once. When a rank throws, the others' waits throw as well, as
  // MPI_Abort ends them; the first exception comes out of here.
  void run(const std::function<void(int)>& body) {
    std::vector<std::thread> threads;
    for (int rank = 0; rank < size(); ++rank) {
      threads.emplace_back([&, rank] {
        try {
          body(rank);
        } catch (...) {
          abandon(std::current_exception());
        }
      });
    }
    for (auto& t : threads) t.join();
    if (failure_) std::rethrow_exception(failure_);
  }

  // Waits until `ready`, under the world's lock; throws when a rank is gone or nothing happens.
  template <class Ready>
  void wait(std::unique_lock<std::mutex>& lock, const Ready& ready) {
    const double deadline = monotonic_seconds() + kPatience;
    while (!ready()) {
      require_whole();
      if (monotonic_seconds() > deadline) fail_runtime("a rank waits for ever");
      changed_.wait_for(lock, std::chrono::milliseconds(100));
    }
  }
  std::mutex& mutex() { return mutex_; }
  void notify() { changed_.notify_all(); }

 private:
  class End : public Control {
   public:
    End(ThreadWorld& world, int rank) : world_(world), rank_(rank) {}
    void send(int to, const Json& body) const override { post(to, body); }
    void post(int to, const Json& body) const override {
      // As bytes, so that nothing passes that MPI would not carry.
      const std::lock_guard lock(world_.mutex_);
      world_.inboxes_.at(static_cast<std::size_t>(to))
          .push_back({rank_, Json::from_msgpack(Json::to_msgpack(body))});
    }
    std::optional<Message> poll(int source) const override {
      const std::lock_guard lock(world_.mutex_);
      world_.require_whole();
      if (monotonic_seconds() > world_.started_ + kPatience) fail_runtime("a rank waits for ever");
      auto& inbox = world_.inboxes_.at(static_cast<std::size_t>(rank_));
      for (auto i = inbox.begin(); i != inbox.end(); ++i) {
        if (source != kAnybody && i->source != source) continue;
        Message message = std::move(*i);
        inbox.erase(i);
        return message;
      }
      return std::nullopt;
    }

   private:
    ThreadWorld& world_;
    int rank_;
  };

  void abandon(std::exception_ptr failure) {
    const std::lock_guard lock(mutex_);
    if (!failure_) failure_ = std::move(failure);
    changed_.notify_all();
  }
  void require_whole() const {
    if (failure_) fail_runtime("another rank is gone");
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<std::deque<Message>> inboxes_;
  std::exception_ptr failure_;
  double started_ = monotonic_seconds();
};

// The directives of one group: the coordinator's line gives without waiting, as a small broadcast
// does; every learner has a line of its own and gets each directive once.
class ThreadDirectives {
 public:
  explicit ThreadDirectives(ThreadWorld& world) : world_(world) {}

  std::unique_ptr<DirectiveLine> coordinators() { return std::make_unique<Line>(*this, true); }
  std::unique_ptr<DirectiveLine> learners() { return std::make_unique<Line>(*this, false); }

 private:
  class Line : public DirectiveLine {
   public:
    Line(ThreadDirectives& all, bool gives) : all_(all), gives_(gives) {}
    void broadcast(Directive& directive) override {
      std::unique_lock lock(all_.world_.mutex());
      if (gives_) {
        all_.given_.push_back(directive);
        all_.world_.notify();
        return;
      }
      all_.world_.wait(lock, [&] { return all_.given_.size() > next_; });
      directive = all_.given_[next_++];
    }

   private:
    ThreadDirectives& all_;
    bool gives_;
    std::size_t next_ = 0;
  };

  ThreadWorld& world_;
  std::vector<Directive> given_;
};

// Collectives of a group of threads. Sums are taken from rank 0 upwards in fp32 or wider, as over
// MPI, so the bits are MPI's.
class ThreadGroup {
 public:
  ThreadGroup(ThreadWorld& world, int size)
      : world_(world), slots_(static_cast<std::size_t>(size)) {}

  std::unique_ptr<Collectives> collectives(int rank) { return std::make_unique<End>(*this, rank); }

 private:
  // Everybody's value, in the order of the ranks.
  template <class T>
  std::vector<T> gather(int rank, T mine) {
    meet([&] { slots_[static_cast<std::size_t>(rank)] = std::move(mine); });
    std::vector<T> all;
    for (const auto& slot : slots_) all.push_back(std::any_cast<T>(slot));
    meet([] {});  // before the next gather overwrites them
    return all;
  }
  template <class F>
  void meet(F&& write) {
    std::unique_lock lock(world_.mutex());
    write();
    const std::uint64_t mine = rounds_;
    if (++arrived_ == slots_.size()) {
      arrived_ = 0;
      ++rounds_;
      world_.notify();
      return;
    }
    world_.wait(lock, [&] { return rounds_ != mine; });
  }

  class End : public Collectives {
   public:
    End(ThreadGroup& group, int rank) : group_(group), rank_(rank) {}
    int rank() const override { return rank_; }
    int size() const override { return static_cast<int>(group_.slots_.size()); }
    void allreduce_sum(at::Tensor tensor) override {
      at::NoGradGuard no_grad;
      tensor.copy_(sum_of(tensor));
    }
    std::unique_ptr<PendingSum> start_sum(at::Tensor tensor) override {
      allreduce_sum(std::move(tensor));
      return std::make_unique<DoneSum>();
    }
    bool overlaps(const at::Tensor&) const override { return false; }
    void broadcast(at::Tensor tensor, int root) override {
      at::NoGradGuard no_grad;
      const auto parts = group_.gather(rank_, tensor.detach().clone());
      tensor.copy_(parts.at(static_cast<std::size_t>(root)));
    }
    std::unique_ptr<PendingSum> start_shard_sum(at::Tensor flat, std::int64_t begin,
                                                std::int64_t end) override {
      at::NoGradGuard no_grad;
      check_range(flat, begin, end, size());
      const at::Tensor sum = sum_of(flat.view({-1}).narrow(0, begin, end - begin));
      const ShardRange mine = shard_range(flat, begin, end, rank_, size());
      if (mine.count > 0) {
        flat.view({-1})
            .narrow(0, mine.begin, mine.count)
            .copy_(sum.narrow(0, mine.begin - begin, mine.count));
      }
      return std::make_unique<DoneSum>();
    }
    void all_gather(at::Tensor shard, at::Tensor flat) override {
      at::NoGradGuard no_grad;
      check_shards(flat, shard, size());
      flat.view({-1}).copy_(at::cat(group_.gather(rank_, shard.detach().view({-1}).clone())));
    }
    std::vector<double> allreduce_sum(std::vector<double> values) override {
      const auto parts = group_.gather(rank_, values);
      for (std::size_t q = 0; q < parts.size(); ++q) {
        for (std::size_t i = 0; i < values.size(); ++i) {
          values[i] = (q == 0 ? 0 : values[i]) + parts[q].at(i);
        }
      }
      return values;
    }
    double allreduce_max(double value) override {
      const auto parts = group_.gather(rank_, value);
      return *std::max_element(parts.begin(), parts.end());
    }
    bool all_equal(const std::string& text) override {
      const auto parts = group_.gather(rank_, text);
      return std::all_of(parts.begin(), parts.end(), [&](const auto& p) { return p == text; });
    }
    const char* backend() const override { return "threads"; }

   private:
    at::Tensor sum_of(const at::Tensor& tensor) {
      const auto parts = group_.gather(rank_, tensor.detach().clone());
      const bool half = tensor.scalar_type() == at::kBFloat16 || tensor.scalar_type() == at::kHalf;
      at::Tensor sum = half ? parts[0].to(at::kFloat) : parts[0].clone();
      for (std::size_t q = 1; q < parts.size(); ++q)
        sum.add_(half ? parts[q].to(at::kFloat) : parts[q]);
      return sum.to(tensor.scalar_type());
    }
    ThreadGroup& group_;
    int rank_;
  };

  ThreadWorld& world_;
  std::vector<std::any> slots_;
  std::size_t arrived_ = 0;
  std::uint64_t rounds_ = 0;
};

}  // namespace straq::comm::testing
