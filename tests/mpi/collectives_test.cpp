// The control and data planes between real ranks.
#include "comm/collectives.h"

#include <gtest/gtest.h>
#include <mpi.h>

#include "comm/communicator.h"
#include "comm/roles.h"

namespace straq::comm {
namespace {

TEST(Collectives, SumBroadcastMaxAndAgreement) {
  const auto group = make_mpi_collectives(MPI_COMM_WORLD);
  const int n = group->size(), rank = group->rank();
  const auto t = at::full({1000}, static_cast<double>(rank + 1), at::kFloat);
  group->allreduce_sum(t);
  EXPECT_EQ(t[999].item<float>(), static_cast<float>(n * (n + 1) / 2));
  const auto b = at::full({3}, static_cast<double>(rank), at::kFloat);
  group->broadcast(b, n - 1);
  EXPECT_EQ(b[0].item<float>(), static_cast<float>(n - 1));
  EXPECT_EQ(group->allreduce_max(rank), n - 1);
  EXPECT_EQ(group->allreduce_sum(std::vector<double>{1, static_cast<double>(rank)})[0], n);
  EXPECT_TRUE(group->all_equal("same"));
  EXPECT_EQ(group->all_equal(std::to_string(rank)), n == 1);
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
