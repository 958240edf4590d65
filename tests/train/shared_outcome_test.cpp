// One outcome for all learners of a group, here between threads; tests/mpi has the same over MPI.
#include "train/shared_outcome.h"

#include <gtest/gtest.h>

#include <new>

#include "tests/comm/thread_world.h"

namespace straq::train {
namespace {

using comm::testing::ThreadGroup;
using comm::testing::ThreadWorld;

// What each learner of `size` gets out of a section in which `f` runs.
std::vector<std::optional<results::PointFailure>> outcomes(int size,
                                                           const std::function<void(int)>& f) {
  ThreadWorld world(size);
  ThreadGroup group(world, size);
  std::vector<std::optional<results::PointFailure>> out(static_cast<std::size_t>(size));
  world.run([&](int rank) {
    const auto collectives = group.collectives(rank);
    try {
      together(*collectives, [&] { f(rank); });
    } catch (const SharedFailure& e) {
      out[static_cast<std::size_t>(rank)] = e;
    }
  });
  return out;
}

TEST(Together, SuccessOfAllIsSuccess) {
  for (const auto& outcome : outcomes(3, [](int) {})) EXPECT_FALSE(outcome);
}

TEST(Together, AFailureIsEverybodysInTheWordsOfTheFirstThatFailed) {
  const auto out = outcomes(4, [](int rank) {
    if (rank == 2) fail_input("größer", "make it again");
    if (rank == 3) throw std::bad_alloc();
  });
  for (const auto& outcome : out) {
    ASSERT_TRUE(outcome);
    EXPECT_STREQ(outcome->what(), "learner 2: größer");
    EXPECT_EQ(outcome->hint(), "make it again");
    EXPECT_EQ(outcome->exit_code(), 2);
    EXPECT_EQ(outcome->failure(), results::FailureKind::bad_input);
  }
}

}  // namespace
}  // namespace straq::train
