// The harness of the MPI tests itself: the ranks are one world, and a failure on one rank is a
// failure of the whole program.
#include <gtest/gtest.h>
#include <mpi.h>

#include <cstdlib>
#include <string>

TEST(MpiHarness, RanksFormOneWorld) {
  int size = 0, rank = 0;
  MPI_Comm_size(MPI_COMM_WORLD, &size);
  MPI_Comm_rank(MPI_COMM_WORLD, &rank);
  int sum = 0;
  const int one = 1;
  MPI_Allreduce(&one, &sum, 1, MPI_INT, MPI_SUM, MPI_COMM_WORLD);
  EXPECT_EQ(sum, size);
  // mpirun tells each process the size it asked for; separate worlds of size 1 would differ.
  if (const char* expected = std::getenv("OMPI_COMM_WORLD_SIZE")) {
    EXPECT_EQ(std::to_string(size), expected);
  }
}

// Not part of the suite (tests/tools/mpi_harness_test.sh runs it and expects the failure).
TEST(MpiHarness, DISABLED_FailsOnTheLastRankOnly) {
  int size = 0, rank = 0;
  MPI_Comm_size(MPI_COMM_WORLD, &size);
  MPI_Comm_rank(MPI_COMM_WORLD, &rank);
  EXPECT_NE(rank, size - 1) << "planted failure";
}
