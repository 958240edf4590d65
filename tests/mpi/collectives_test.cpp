// The control and data planes between real ranks.
#include "comm/collectives/collectives.h"

#include <gtest/gtest.h>
#include <mpi.h>

#include <cmath>
#include <cstdlib>
#include <limits>

#include "comm/collectives/nccl_collectives.h"
#include "comm/communicator.h"
#include "comm/probe.h"
#include "comm/roles.h"
#include "core/error.h"
#include "core/hash.h"

namespace straq::comm {
namespace {

// Every test of the data plane runs on each backend that this build and machine have.
class CollectivesOf : public ::testing::TestWithParam<Backend> {
 protected:
  void SetUp() override {
    int rank = 0, size = 1;
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    MPI_Comm_size(MPI_COMM_WORLD, &size);
    if (GetParam() == Backend::local && size > 1) GTEST_SKIP() << "local is for one rank";
    if (GetParam() == Backend::nccl) {
      if (!kNcclBuilt) GTEST_SKIP() << "built without NCCL";
      const int gpus =
          at::hasCUDA() ? static_cast<int>(at::detail::getCUDAHooks().deviceCount()) : 0;
      if (gpus < size) GTEST_SKIP() << "NCCL needs a GPU for each of the " << size << " ranks";
      device_ = at::Device(at::kCUDA, static_cast<at::DeviceIndex>(rank));
    }
    CollectivesConfig config;
    config.backend = GetParam();
    group_ = make_collectives(config, device_, MPI_COMM_WORLD);
  }
  void TearDown() override { group_.reset(); }

  int n() const { return group_->size(); }
  int rank() const { return group_->rank(); }
  at::TensorOptions on_device(at::ScalarType type) const {
    return at::TensorOptions().dtype(type).device(device_);
  }
  // Other numbers on each rank, the same on every run, of magnitudes that make the order of
  // additions visible.
  at::Tensor numbers(std::int64_t count, int of_rank, at::ScalarType type = at::kFloat) const {
    const auto i = at::arange(count, at::kDouble);
    const auto t = at::sin(i * 12.9898 + of_rank * 78.233) * at::exp(at::cos(i * 0.37) * 8);
    return t.to(type).to(device_);
  }
  std::string bits(const at::Tensor& t) const {
    const auto host = t.cpu().contiguous();
    return sha256_hex(
        std::string_view(static_cast<const char*>(host.data_ptr()),
                         static_cast<std::size_t>(host.numel()) * host.element_size()));
  }

  at::Device device_ = at::kCPU;
  std::unique_ptr<Collectives> group_;
};

INSTANTIATE_TEST_SUITE_P(Each, CollectivesOf,
                         ::testing::Values(Backend::local, Backend::mpi, Backend::nccl),
                         [](const auto& backend) {
                           return backend.param == Backend::local ? "local"
                                  : backend.param == Backend::mpi ? "mpi"
                                                                  : "nccl";
                         });

TEST_P(CollectivesOf, SumBroadcastMaxAndAgreement) {
  const auto t = at::full({1000}, static_cast<double>(rank() + 1), on_device(at::kFloat));
  group_->allreduce_sum(t);
  EXPECT_EQ(t[999].item<float>(), static_cast<float>(n() * (n() + 1) / 2));
  const auto b = at::full({3}, static_cast<double>(rank()), on_device(at::kFloat));
  group_->broadcast(b, n() - 1);
  EXPECT_EQ(b[0].item<float>(), static_cast<float>(n() - 1));
  EXPECT_EQ(group_->allreduce_max(rank()), n() - 1);
  EXPECT_EQ(group_->allreduce_sum(std::vector<double>{1, static_cast<double>(rank())})[0], n());
  EXPECT_TRUE(group_->all_equal("same"));
  EXPECT_EQ(group_->all_equal(std::to_string(rank())), n() == 1);
}

TEST_P(CollectivesOf, SumsOfEveryTypeAreRightAndTheSameBitsEverywhere) {
  for (const auto type : {at::kFloat, at::kDouble, at::kBFloat16, at::kHalf}) {
    // Fewer elements than ranks, odd counts.
    for (const std::int64_t count : {1, 3, 1001, 40000}) {
      auto exact = at::zeros({count}, at::kDouble);
      for (int r = 0; r < n(); ++r) exact += numbers(count, r, type).cpu().to(at::kDouble);
      const auto t = numbers(count, rank(), type);
      group_->allreduce_sum(t);
      EXPECT_TRUE(group_->all_equal(bits(t))) << at::toString(type) << " " << count;
      const double eps = type == at::kDouble  ? 1e-14
                         : type == at::kFloat ? 1e-6
                         : type == at::kHalf  ? 2e-3
                                              : 2e-2;
      const double largest = 3000.0 * n();
      EXPECT_LT((t.cpu().to(at::kDouble) - exact).abs().max().item<double>(), eps * largest);
    }
  }
  const auto whole = at::full({7}, rank() + 1, on_device(at::kLong));
  group_->allreduce_sum(whole);
  EXPECT_EQ(whole[6].item<std::int64_t>(), n() * (n() + 1) / 2);
}

TEST_P(CollectivesOf, ShardsOfTheSumAndBackAreTheSum) {
  for (const std::int64_t count : {1, 1000, 4099}) {
    const auto mine = numbers(count * n(), rank());
    const auto sum = mine.clone();
    group_->allreduce_sum(sum);
    const auto same = [&](const at::Tensor& a, const at::Tensor& b) {
      // NCCL adds in another order in an allreduce.
      return GetParam() == Backend::nccl ? at::allclose(a, b, 1e-5, 1e-3) : a.equal(b);
    };
    const auto flat = mine.clone();
    group_->start_shard_sum(flat, 0, count * n())->wait();
    const auto own = flat.narrow(0, rank() * count, count);
    EXPECT_TRUE(same(own, sum.narrow(0, rank() * count, count)));
    const auto shard = own.clone();
    // The others' parts are theirs to sum.
    own.copy_(mine.narrow(0, rank() * count, count));
    EXPECT_TRUE(flat.equal(mine));
    const auto gathered = at::zeros({count * n()}, on_device(at::kFloat));
    group_->all_gather(shard, gathered);
    EXPECT_TRUE(gathered.narrow(0, rank() * count, count).equal(shard));
    EXPECT_TRUE(group_->all_equal(bits(gathered)));
    // In place: the shard is a part of the buffer.
    own.copy_(shard);
    group_->all_gather(own, flat);
    EXPECT_TRUE(flat.equal(gathered));
  }
  const auto odd = at::zeros({n() + 1}, on_device(at::kFloat));
  if (n() > 1) {
    EXPECT_THROW(group_->start_shard_sum(odd, 0, 1), std::invalid_argument);
  }
  const auto fits = at::zeros({2 * n()}, on_device(at::kFloat));
  EXPECT_THROW(group_->start_shard_sum(fits, 1, 2 * n() + 1), std::invalid_argument);
  EXPECT_THROW(group_->all_gather(at::zeros({1}, on_device(at::kFloat)), odd),
               std::invalid_argument);
}

// Parts as a decoder's backward reports them: the last layers first, the embedding at the end.
std::vector<std::pair<std::int64_t, std::int64_t>> layers_of(std::int64_t size, int layers) {
  const std::int64_t embedding = size / 4, layer = (size - embedding) / layers;
  std::vector<std::pair<std::int64_t, std::int64_t>> parts;
  for (std::int64_t end = size, i = 0; i < layers; ++i) {
    const std::int64_t begin = i + 1 == layers ? embedding : end - layer;
    parts.emplace_back(begin, end);
    end = begin;
  }
  parts.emplace_back(0, embedding);
  return parts;
}

// Buckets must not change a bit: over MPI for any sizes, and with them neither the weights.
TEST_P(CollectivesOf, BucketsGiveTheBitsOfOneSum) {
  const std::int64_t size = 50021;
  const auto flat = numbers(size, rank());
  make_flat_reducer(*group_, flat)->finish();
  for (const std::int64_t bytes : {64, 4096, 100000, 1 << 20}) {
    for (int layers = 1; layers <= 9; layers += 4) {
      const auto grad = numbers(size, rank());
      const auto reducer = make_bucketed_reducer(*group_, grad, bytes);
      for (const auto& [begin, end] : layers_of(size, layers)) reducer->add(begin, end);
      reducer->finish();
      EXPECT_TRUE(group_->all_equal(bits(grad)));
      if (GetParam() != Backend::nccl) {
        EXPECT_TRUE(grad.equal(flat)) << bytes << " " << layers;
      }
      // And the next step with the same reducer.
      grad.copy_(numbers(size, rank()));
      reducer->add(0, size);
      reducer->finish();
      if (GetParam() != Backend::nccl) {
        EXPECT_TRUE(grad.equal(flat)) << bytes << " " << layers;
      }
    }
  }
}

// Nor may they under ZeRO, where a bucket may lie in several shards or in a part of one.
TEST_P(CollectivesOf, BucketsGiveAShardTheBitsOfOneSum) {
  const std::int64_t size = 50021, padded = (size + n() - 1) / n() * n(), share = padded / n();
  const auto sum = numbers(size, rank());
  group_->allreduce_sum(sum);
  const auto begin = std::min(size, rank() * share), end = std::min(size, begin + share);
  for (const std::int64_t bytes : {4096, 100000, 1 << 20}) {
    const auto grad = at::zeros({padded}, on_device(at::kFloat));
    const auto reducer = make_sharded_reducer(*group_, grad, size, bytes);
    for (int step = 0; step < 2; ++step) {
      grad.narrow(0, 0, size).copy_(numbers(size, rank()));
      if (rank() > 0 || step > 0) {  // a learner without samples adds nothing
        for (const auto& [from, to] : layers_of(size, 5)) reducer->add(from, to);
      }
      reducer->finish();
      const auto own = grad.narrow(0, begin, end - begin), part = sum.narrow(0, begin, end - begin);
      if (GetParam() == Backend::nccl) {
        EXPECT_TRUE(at::allclose(own, part, 1e-5, 1e-3)) << bytes;
      } else {
        EXPECT_TRUE(own.equal(part)) << bytes << " " << step;
      }
      EXPECT_EQ(grad.narrow(0, size, padded - size).abs().sum().item<float>(), 0);
    }
  }
}

// A share may be empty: such a learner adds nothing, others add in their own pieces.
TEST_P(CollectivesOf, LearnersThatAddNothingOrOtherPartsTakePart) {
  const std::int64_t size = 20000;
  const auto flat = numbers(size, rank());
  make_flat_reducer(*group_, flat)->finish();
  for (int empty = 0; empty < n(); ++empty) {
    const auto grad = numbers(size, rank());
    const auto reducer = make_bucketed_reducer(*group_, grad, 10000);
    if (rank() != empty) {
      for (const auto& [begin, end] : layers_of(size, 3 + rank())) reducer->add(begin, end);
    }
    reducer->finish();
    EXPECT_TRUE(group_->all_equal(bits(grad)));
    if (GetParam() != Backend::nccl) {
      EXPECT_TRUE(grad.equal(flat)) << empty;
    }
  }
}

// Numbers and the next step's sums between the buckets' sums must not be mixed up with them.
TEST_P(CollectivesOf, NumbersTravelBesideOpenSums) {
  const auto a = numbers(30000, rank()), b = numbers(30000, rank() + n());
  auto first = group_->start_sum(a);
  auto second = group_->start_sum(b);
  EXPECT_EQ(group_->allreduce_max(rank()), n() - 1);
  second->wait();
  first->wait();
  auto c = numbers(30000, rank()), d = numbers(30000, rank() + n());
  group_->allreduce_sum(c);
  group_->allreduce_sum(d);
  EXPECT_TRUE(a.equal(c));
  EXPECT_TRUE(b.equal(d));
}

// In rank order, whatever the size: what makes runs with other buckets the same run.
TEST(MpiCollectives, AddsFromRankZeroUpwards) {
  const auto group = make_mpi_collectives(MPI_COMM_WORLD);
  for (const std::int64_t count : {1, 500, 70000}) {
    const auto number = [&](int r) {
      return at::sin(at::arange(count, at::kFloat) * 0.7 + r) * std::pow(10.0, r % 3 * 3);
    };
    at::Tensor expected = number(0);
    for (int r = 1; r < group->size(); ++r) expected = expected + number(r);
    const auto t = number(group->rank());
    group->allreduce_sum(t);
    EXPECT_TRUE(t.equal(expected)) << count;
  }
}

// Buffers of more elements than an MPI count can say, made small.
TEST(MpiCollectives, PiecesMakeNoDifference) {
  const auto whole = make_mpi_collectives(MPI_COMM_WORLD);
  const auto cut = make_mpi_collectives(MPI_COMM_WORLD, 77);
  const int n = whole->size(), rank = whole->rank();
  const auto mine = at::sin(at::arange(1000 * n, at::kFloat) + rank);
  const auto a = mine.clone(), b = mine.clone(), c = mine.clone();
  whole->allreduce_sum(a);
  cut->allreduce_sum(b);
  EXPECT_TRUE(a.equal(b));
  const auto sum = cut->start_sum(c);
  while (!sum->advance()) continue;
  EXPECT_TRUE(a.equal(c));
  const auto gathered = at::empty({1000 * n}, at::kFloat);
  cut->start_shard_sum(mine, 0, 1000 * n)->wait();
  cut->all_gather(mine.narrow(0, 1000 * rank, 1000), gathered);
  EXPECT_TRUE(a.equal(gathered));
  const auto sent = rank == 0 ? a.clone() : at::zeros_like(a);
  cut->broadcast(sent, 0);
  EXPECT_TRUE(sent.equal(a));
}

TEST(MakeCollectives, RefusalsReachEveryRank) {
  int size = 1;
  MPI_Comm_size(MPI_COMM_WORLD, &size);
  CollectivesConfig config;
  config.backend = Backend::nccl;
  EXPECT_THROW(make_collectives(config, at::kCPU, MPI_COMM_WORLD), Error);
  config.backend = Backend::automatic;
  EXPECT_STREQ(make_collectives(config, at::kCPU, MPI_COMM_WORLD)->backend(),
               size == 1 ? "none" : "mpi");
}

TEST(GatherTexts, ComeInRankOrderWhateverTheirLength) {
  int rank = 0, size = 1;
  MPI_Comm_rank(MPI_COMM_WORLD, &rank);
  MPI_Comm_size(MPI_COMM_WORLD, &size);
  const auto texts = gather_texts(MPI_COMM_WORLD, std::string(static_cast<std::size_t>(rank), 'x'));
  ASSERT_EQ(static_cast<int>(texts.size()), size);
  for (std::size_t i = 0; i < texts.size(); ++i) EXPECT_EQ(texts[i], std::string(i, 'x'));
}

TEST(Communicator, MessagesFindTheirRank) {
  int rank = 0, size = 1;
  MPI_Comm_rank(MPI_COMM_WORLD, &rank);
  MPI_Comm_size(MPI_COMM_WORLD, &size);
  const Communicator control(MPI_COMM_WORLD);
  if (rank == 0) {
    for (int i = 1; i < size; ++i) control.send(i, {{"to", i}});
    int total = 0;
    for (int i = 1; i < size; ++i) {
      const Message m = control.receive();
      EXPECT_EQ(m.body.at("from").get<int>(), m.source);
      total += m.source;
    }
    EXPECT_EQ(total, size * (size - 1) / 2);
  } else {
    EXPECT_EQ(control.receive(0).body.at("to").get<int>(), rank);
    control.send(0, {{"from", rank}});
  }
  EXPECT_FALSE(control.poll().has_value());
}

// A results folder, a host or a message of an exception may hold any bytes, and a number may be
// none: neither ends a rank, and a path means the same file on the other side.
TEST(Communicator, BytesAndNumbersThatJsonTextLacksArriveAsTheyWere) {
  int rank = 0, size = 1;
  MPI_Comm_rank(MPI_COMM_WORLD, &rank);
  MPI_Comm_size(MPI_COMM_WORLD, &size);
  MPI_Barrier(MPI_COMM_WORLD);  // the test before looks for messages at its end
  const Communicator control(MPI_COMM_WORLD);
  const std::string path = "results/caf\xe9/\xff\x80" + std::string(1, '\0') + "x";
  const Json sent = {{"folder", path},
                     {"step", std::int64_t{1} << 60},
                     {"below", -3},
                     {"rate", 0.1 + 0.2},
                     {"none", std::numeric_limits<double>::quiet_NaN()},
                     {"list", {1, nullptr, true, "é"}}};
  control.post((rank + 1) % size, sent);
  const Json got = control.receive((rank + size - 1) % size).body;
  EXPECT_EQ(got.at("folder").get<std::string>(), path);
  EXPECT_EQ(got.at("step").get<std::int64_t>(), std::int64_t{1} << 60);
  EXPECT_EQ(got.at("below").get<int>(), -3);
  EXPECT_EQ(got.at("rate").get<double>(), 0.1 + 0.2);
  EXPECT_TRUE(std::isnan(got.at("none").get<double>()));
  EXPECT_EQ(got.at("list"), sent.at("list"));
  EXPECT_FALSE(control.poll().has_value());
}

TEST(RankPlace, TravelsWhateverItsEnvironmentHolds) {
  int size = 1;
  MPI_Comm_size(MPI_COMM_WORLD, &size);
  ::setenv("SLURM_PROCID", "caf\xe9", 1);
  const auto places = gather_places(MPI_COMM_WORLD);
  ::unsetenv("SLURM_PROCID");
  ASSERT_EQ(static_cast<int>(places.size()), size);
  EXPECT_EQ(places.back().slurm_task, "caf\xef\xbf\xbd");
}

TEST(Groups, DirectiveReachesItsOwnGroupOnly) {
  int rank = 0, size = 1;
  MPI_Comm_rank(MPI_COMM_WORLD, &rank);
  MPI_Comm_size(MPI_COMM_WORLD, &size);
  if (size < 4) GTEST_SKIP() << "needs four ranks: a coordinator, a preprocessor, two learners";
  Layout layout;
  layout.world = size;
  layout.preprocessors = size - 3;
  layout.learners = 2;
  layout.group_size = 1;
  // As Groups splits them; the harness has started MPI, so there is no World to make Groups of.
  const int group = layout.role_of(rank) == Role::learner ? layout.group_of(rank) : -1;
  std::vector<MPI_Comm> directives(2, MPI_COMM_NULL);
  for (int g = 0; g < 2; ++g) {
    MPI_Comm_split(MPI_COMM_WORLD, rank == 0 || group == g ? 1 : MPI_UNDEFINED, rank,
                   &directives[static_cast<std::size_t>(g)]);
  }
  if (rank == 0) {
    for (int g = 0; g < 2; ++g) {
      Directive d;
      d.run_until = 10 + g;
      broadcast_directive(directives[static_cast<std::size_t>(g)], d);
    }
  } else if (group >= 0) {
    Directive d;
    broadcast_directive(directives[static_cast<std::size_t>(group)], d);
    EXPECT_EQ(d.run_until, 10 + group);
  }
  for (auto& c : directives) {
    if (c != MPI_COMM_NULL) MPI_Comm_free(&c);
  }
}

}  // namespace
}  // namespace straq::comm
