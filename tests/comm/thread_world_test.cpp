// The world of threads behaves as the MPI one does, as far as those can tell who talk over it.
#include "tests/comm/thread_world.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "tests/testing.h"

namespace straq::comm::testing {
namespace {

using straq::testing::error_of;

TEST(ThreadWorld, MessagesFindTheirRankInOrderAndAsTheyWereSent) {
  ThreadWorld world(3);
  std::vector<Message> got;
  world.run([&](int rank) {
    const auto control = world.control(rank);
    if (rank == 0) {
      for (int i = 0; i < 2; ++i) got.push_back(control->receive(2));
      got.push_back(control->receive());
      return;
    }
    control->send(0, {{"n", 1}, {"path", "caf\xe9"}});
    if (rank == 2) control->post(0, {{"nan", std::numeric_limits<double>::quiet_NaN()}});
  });
  ASSERT_EQ(got.size(), 3u);
  EXPECT_EQ(got[0].source, 2);
  EXPECT_EQ(got[0].body.at("path").get<std::string>(), "caf\xe9");
  EXPECT_TRUE(std::isnan(got[1].body.at("nan").get<double>()));
  EXPECT_EQ(got[2].source, 1);
}

TEST(ThreadWorld, WaitingEndsWhereThereIsAReason) {
  ThreadWorld world(1);
  const auto control = world.control(0);
  int asked = 0;
  EXPECT_FALSE(control->receive_unless([&] { return ++asked == 3; }));
  EXPECT_EQ(asked, 3);
}

TEST(ThreadWorld, ARankThatIsGoneEndsTheOthers) {
  ThreadWorld world(3);
  ThreadGroup group(world, 2);
  const auto error = error_of([&] {
    world.run([&](int rank) {
      if (rank == 0) fail_input("rank 0's own words");
      if (rank == 1) world.control(1)->receive(0);
      if (rank == 2) group.collectives(0)->allreduce_max(1);
    });
  });
  EXPECT_STREQ(error->what(), "rank 0's own words");
}

TEST(ThreadDirectives, EveryLearnerGetsEachDirectiveOnce) {
  ThreadWorld world(3);
  ThreadDirectives group(world);
  std::vector<std::int64_t> got[3];
  world.run([&](int rank) {
    const auto line = rank == 0 ? group.coordinators() : group.learners();
    for (int i = 0; i < 3; ++i) {
      Directive d;
      d.run_until = rank == 0 ? i : -1;
      line->broadcast(d);
      got[rank].push_back(d.run_until);
    }
  });
  for (const auto& directives : got) EXPECT_EQ(directives, (std::vector<std::int64_t>{0, 1, 2}));
}

TEST(ThreadGroup, CollectivesDoWhatTheirNamesSay) {
  ThreadWorld world(3);
  ThreadGroup group(world, 3);
  at::Tensor sums[3], shards[3], gathered[3], roots[3];
  std::vector<double> numbers[3];
  bool same[3] = {}, different[3] = {};
  world.run([&](int rank) {
    const auto all = group.collectives(rank);
    const double mine = rank + 1;
    sums[rank] = at::full({4}, mine, at::kBFloat16);
    all->allreduce_sum(sums[rank]);
    shards[rank] = at::full({6}, mine, at::kFloat);
    all->start_shard_sum(shards[rank], 1, 6)->wait();
    gathered[rank] = at::empty({3}, at::kLong);
    all->all_gather(at::full({1}, rank, at::kLong), gathered[rank]);
    roots[rank] = at::full({2}, mine, at::kDouble);
    all->broadcast(roots[rank], 1);
    numbers[rank] = all->allreduce_sum(std::vector<double>{mine, all->allreduce_max(-mine)});
    same[rank] = all->all_equal("x");
    different[rank] = all->all_equal(rank == 2 ? "y" : "x");
  });
  const std::vector<at::Tensor> of_shards = {at::tensor({1., 6., 1., 1., 1., 1.}, at::kFloat),
                                             at::tensor({2., 2., 6., 6., 2., 2.}, at::kFloat),
                                             at::tensor({3., 3., 3., 3., 6., 6.}, at::kFloat)};
  for (std::size_t r = 0; r < 3; ++r) {
    EXPECT_TRUE(at::equal(sums[r], at::full({4}, 6, at::kBFloat16)));
    EXPECT_TRUE(at::equal(shards[r], of_shards[r])) << shards[r];
    EXPECT_TRUE(at::equal(gathered[r], at::arange(3, at::kLong)));
    EXPECT_TRUE(at::equal(roots[r], at::full({2}, 2, at::kDouble)));
    EXPECT_EQ(numbers[r], (std::vector<double>{6, -3}));
    EXPECT_TRUE(same[r]);
    EXPECT_FALSE(different[r]);
  }
}

}  // namespace
}  // namespace straq::comm::testing
