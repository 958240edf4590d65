// All learners of a group get the failure of the first one that has one, with its words.
#include "train/shared_outcome.h"

#include <gtest/gtest.h>
#include <mpi.h>

#include <new>
#include <optional>
#include <string>
#include <utility>

#include "core/error.h"

namespace straq::train {
namespace {

using results::FailureKind;
using results::PointFailure;

template <class F>
std::optional<PointFailure> outcome(comm::Collectives& group, F&& f) {
  try {
    together(group, std::forward<F>(f));
  } catch (const PointFailure& e) {
    return e;
  }
  return std::nullopt;
}

TEST(Together, SuccessOfAllIsSuccess) {
  const auto group = comm::make_mpi_collectives(MPI_COMM_WORLD);
  EXPECT_FALSE(outcome(*group, [] {}));
}

TEST(Together, OneLearnersFailureIsEverybodysWithItsWords) {
  const auto group = comm::make_mpi_collectives(MPI_COMM_WORLD);
  const int last = group->size() - 1;
  const auto failure = outcome(*group, [&] {
    if (group->rank() == last) {
      throw PointFailure(FailureKind::bad_shard,
                         Error(ErrorKind::input, "train-00001.h5: größer", "make it again"));
    }
  });
  ASSERT_TRUE(failure);
  EXPECT_EQ(failure->failure(), FailureKind::bad_shard);
  EXPECT_EQ(failure->exit_code(), 2);
  EXPECT_EQ(failure->hint(), "make it again");
  const std::string who = last == 0 ? "" : "learner " + std::to_string(last) + ": ";
  EXPECT_EQ(failure->what(), who + "train-00001.h5: größer");
}

TEST(Together, OfSeveralFailuresTheFirstLearnersCounts) {
  const auto group = comm::make_mpi_collectives(MPI_COMM_WORLD);
  const auto failure = outcome(*group, [&] {
    if (group->rank() == 0) throw std::bad_alloc();
    fail_input("another");
  });
  ASSERT_TRUE(failure);
  EXPECT_EQ(failure->failure(), FailureKind::out_of_memory);
  EXPECT_EQ(failure->exit_code(), 1);
}

}  // namespace
}  // namespace straq::train
