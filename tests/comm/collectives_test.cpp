// What one process can check of the data plane: the choice of a backend, the group of one, and in
// which order the bucketed reducer starts its sums. tests/mpi has the same between real ranks.
#include "comm/collectives/collectives.h"

#include <gtest/gtest.h>

#include <numeric>
#include <random>
#include <stdexcept>

#include "comm/collectives/nccl_collectives.h"
#include "config/fields.h"
#include "core/error.h"

namespace straq::comm {
namespace {

TEST(ChooseBackend, AutoFollowsTheDeviceAndTheGroup) {
  EXPECT_EQ(choose_backend(Backend::automatic, at::kCPU, 1), Backend::local);
  EXPECT_EQ(choose_backend(Backend::automatic, at::kCPU, 4), Backend::mpi);
  EXPECT_EQ(choose_backend(Backend::automatic, at::Device(at::kCUDA, 0), 1), Backend::local);
  EXPECT_EQ(choose_backend(Backend::automatic, at::Device(at::kCUDA, 0), 4),
            kNcclBuilt ? Backend::nccl : Backend::mpi);
  // The switch for diagnosis.
  EXPECT_EQ(choose_backend(Backend::mpi, at::Device(at::kCUDA, 0), 4), Backend::mpi);
}

TEST(ChooseBackend, RefusesWhatCannotWork) {
  for (const auto asked : {Backend::nccl, Backend::local}) {
    try {
      choose_backend(asked, at::kCPU, 2);
      FAIL() << "accepted";
    } catch (const Error& e) {
      EXPECT_EQ(e.kind(), ErrorKind::input);
      EXPECT_NE(e.hint().find("backend auto"), std::string::npos);
    }
  }
}

TEST(CollectivesConfig, ReadsNamesAndRefusesNcclWhereItIsNotBuilt) {
  const auto config =
      config::read<CollectivesConfig>(config::parse_yaml("backend: mpi\nbucket_mb: 4\n", "a.yaml"));
  EXPECT_EQ(config.backend, Backend::mpi);
  EXPECT_EQ(config.bucket_mb, 4);
  EXPECT_THROW(config::read<CollectivesConfig>(config::parse_yaml("bucket_mb: 0\n", "a.yaml")),
               Error);
  const auto nccl = config::parse_yaml("backend: nccl\n", "a.yaml");
  if (kNcclBuilt) {
    EXPECT_EQ(config::read<CollectivesConfig>(nccl).backend, Backend::nccl);
  } else {
    EXPECT_THROW(config::read<CollectivesConfig>(nccl), Error);
  }
}

TEST(MakeCollectives, WithoutMpiIsAGroupOfOne) {
  const auto group = make_collectives({}, at::kCPU, MPI_COMM_NULL);
  EXPECT_EQ(group->size(), 1);
  EXPECT_STREQ(group->backend(), "none");
  const auto t = at::arange(5, at::kFloat);
  group->allreduce_sum(t);
  EXPECT_TRUE(t.equal(at::arange(5, at::kFloat)));
}

TEST(LocalCollectives, TheOnlyShardIsTheWhole) {
  const auto group = make_local_collectives();
  const auto flat = at::arange(6, at::kFloat), shard = at::zeros({6}, at::kFloat);
  group->start_shard_sum(flat, 1, 6)->wait();
  EXPECT_TRUE(flat.equal(at::arange(6, at::kFloat)));
  shard.copy_(flat).mul_(2);
  group->all_gather(shard, flat);
  EXPECT_TRUE(flat.equal(at::arange(6, at::kFloat) * 2));
  EXPECT_THROW(group->all_gather(shard, at::zeros({7}, at::kFloat)), std::invalid_argument);
  EXPECT_THROW(group->all_gather(shard, at::zeros({6}, at::kDouble)), std::invalid_argument);
}

TEST(Nccl, TwoLearnersOnOneGpuAreFound) {
  EXPECT_EQ(first_shared({"a/0", "a/1", "b/0", "b/1"}), std::nullopt);
  EXPECT_EQ(first_shared({"a/0", "b/0", "a/1", "b/0", "a/0"}), std::pair(1, 3));
}

// Writes down what a reducer asks for, in place of another rank.
class Recorder : public Collectives {
 public:
  struct Sum : PendingSum {
    explicit Sum(int& waits) : waits_(waits) {}
    bool advance() override { return false; }
    void wait() override { ++waits_; }
    int& waits_;
  };
  int rank() const override { return 0; }
  int size() const override { return 2; }
  void allreduce_sum(at::Tensor) override { FAIL() << "not by this reducer"; }
  std::unique_ptr<PendingSum> start_sum(at::Tensor t) override {
    started.emplace_back(t.storage_offset(), t.storage_offset() + t.numel());
    return std::make_unique<Sum>(waits);
  }
  bool overlaps(const at::Tensor&) const override { return early; }
  void broadcast(at::Tensor, int) override {}
  std::unique_ptr<PendingSum> start_shard_sum(at::Tensor flat, std::int64_t begin,
                                              std::int64_t end) override {
    EXPECT_EQ(flat.numel() % size(), 0);
    started.emplace_back(begin, end);
    return std::make_unique<Sum>(waits);
  }
  void all_gather(at::Tensor, at::Tensor) override {}
  std::vector<double> allreduce_sum(std::vector<double> values) override { return values; }
  double allreduce_max(double value) override { return value; }
  bool all_equal(const std::string&) override { return true; }
  const char* backend() const override { return "recorder"; }

  std::vector<std::pair<std::int64_t, std::int64_t>> started;
  int waits = 0;
  bool early = true;
};

using Ranges = std::vector<std::pair<std::int64_t, std::int64_t>>;

TEST(BucketedReducer, StartsABucketWhenItAndAllLaterOnesAreFinal) {
  Recorder group;
  const auto reducer = make_bucketed_reducer(group, at::zeros({100}, at::kFloat), 4 * 30);
  reducer->add(80, 100);
  EXPECT_EQ(group.started, Ranges{});
  reducer->add(30, 60);  // a gap: nothing may start
  EXPECT_EQ(group.started, Ranges{});
  reducer->add(60, 80);
  EXPECT_EQ(group.started, (Ranges{{70, 100}, {40, 70}}));
  reducer->add(0, 30);
  EXPECT_EQ(group.started, (Ranges{{70, 100}, {40, 70}, {10, 40}, {0, 10}}));
  EXPECT_EQ(group.waits, 0);
  reducer->finish();
  EXPECT_EQ(group.waits, 4);
}

// Under ZeRO, too, the sums start while backward runs; the padding is nobody's gradient.
TEST(ShardedReducer, StartsItsBucketsAsEarlyAndLeavesThePaddingOut) {
  Recorder group;
  const auto reducer = make_sharded_reducer(group, at::zeros({102}, at::kFloat), 101, 4 * 60);
  reducer->add(30, 101);
  EXPECT_EQ(group.started, (Ranges{{41, 101}}));
  EXPECT_THROW(reducer->add(101, 102), std::invalid_argument);
  reducer->finish();
  EXPECT_EQ(group.started, (Ranges{{41, 101}, {0, 41}}));
  EXPECT_EQ(group.waits, 2);
}

TEST(BucketedReducer, OrderAndSizesDoNotDependOnWhatARankAdded) {
  Recorder full, empty, late;
  late.early = false;  // a backend that cannot overlap
  const auto grad = at::zeros({1000}, at::kFloat);
  std::mt19937 random(5);
  for (int round = 0; round < 20; ++round) {
    for (auto* group : {&full, &empty, &late}) group->started.clear();
    const auto a = make_bucketed_reducer(full, grad, 512),
               b = make_bucketed_reducer(empty, grad, 512),
               c = make_bucketed_reducer(late, grad, 512);
    Ranges parts;
    for (std::int64_t at = 0; at < 1000;) {
      const auto end = std::min<std::int64_t>(1000, at + 1 + static_cast<int>(random() % 200));
      parts.emplace_back(at, end);
      at = end;
    }
    std::shuffle(parts.begin(), parts.end(), random);
    for (const auto& [begin, end] : parts) {
      a->add(begin, end);
      c->add(begin, end);
    }
    EXPECT_EQ(full.started.size(), 8u);  // ceil(1000 * 4 / 512)
    EXPECT_TRUE(late.started.empty());
    a->finish();
    b->finish();
    c->finish();
    EXPECT_EQ(full.started, empty.started);
    EXPECT_EQ(full.started, late.started);
    EXPECT_EQ(full.started.front().second, 1000);
    EXPECT_EQ(full.started.back().first, 0);
  }
}

TEST(BucketedReducer, ServesStepAfterStep) {
  Recorder group;
  const auto reducer = make_bucketed_reducer(group, at::zeros({10}, at::kFloat), 20);
  for (int step = 1; step <= 3; ++step) {
    reducer->add(5, 10);
    reducer->finish();
    EXPECT_EQ(group.waits, 2 * step);
  }
}

// A second micro-batch that adds would have its gradient lost in a sum that has begun.
TEST(BucketedReducer, RefusesWhatWasAddedBefore) {
  Recorder group;
  const auto reducer = make_bucketed_reducer(group, at::zeros({100}, at::kFloat), 40);
  reducer->add(20, 30);
  reducer->add(60, 100);
  for (const auto& [begin, end] : Ranges{{20, 30}, {25, 40}, {10, 21}, {59, 61}, {99, 100}}) {
    EXPECT_THROW(reducer->add(begin, end), std::invalid_argument) << begin << " " << end;
  }
  EXPECT_THROW(reducer->add(-1, 5), std::invalid_argument);
  EXPECT_THROW(reducer->add(0, 101), std::invalid_argument);
  reducer->add(30, 60);
  reducer->add(0, 20);
  reducer->finish();
  EXPECT_EQ(group.started.size(), 10u);
}

TEST(BucketedReducer, CostsAGroupOfOneNothing) {
  const auto group = make_local_collectives();
  const auto grad = at::arange(10, at::kFloat);
  const auto reducer = make_bucketed_reducer(*group, grad, 8);
  reducer->add(0, 10);
  reducer->add(0, 10);  // keeps no books
  reducer->finish();
  EXPECT_TRUE(grad.equal(at::arange(10, at::kFloat)));
}

}  // namespace
}  // namespace straq::comm
