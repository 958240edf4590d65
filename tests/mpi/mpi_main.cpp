// The main of every test program that runs under mpirun. All ranks run the same cases in the same
// order, so a case may use collectives freely. Rank 0 reports as GoogleTest always does; another
// rank speaks only to say that it failed, with its number. The program fails on every rank when it
// fails on any, so that no launcher can miss it.
#include <gtest/gtest.h>
#include <mpi.h>

#include <cstdio>
#include <string>

namespace {

// Reports the failures of one rank at once: if the other ranks hang in a collective because of
// it, the reason is already on the screen when the time limit strikes.
class RankFailures : public testing::EmptyTestEventListener {
 public:
  explicit RankFailures(int rank) : rank_(rank) {}
  // GoogleTest holds its lock while it reports a result, so the name is noted beforehand.
  void OnTestStart(const testing::TestInfo& test) override {
    name_ = std::string(test.test_suite_name()) + "." + test.name();
  }
  void OnTestEnd(const testing::TestInfo&) override { name_ = kOutside; }
  void OnTestPartResult(const testing::TestPartResult& result) override {
    if (!result.failed()) return;
    std::fprintf(stderr, "rank %d: %s: %s:%d: %s\n", rank_, name_.c_str(),
                 result.file_name() ? result.file_name() : "?", result.line_number(),
                 result.message());
    std::fflush(stderr);
  }

 private:
  static constexpr const char* kOutside = "(outside a test)";
  int rank_;
  std::string name_ = kOutside;
};

}  // namespace

int main(int argc, char** argv) {
  int provided = 0;
  MPI_Init_thread(&argc, &argv, MPI_THREAD_MULTIPLE, &provided);
  int rank = 0;
  MPI_Comm_rank(MPI_COMM_WORLD, &rank);
  testing::InitGoogleTest(&argc, argv);
  if (rank != 0) {
    auto& listeners = testing::UnitTest::GetInstance()->listeners();
    delete listeners.Release(listeners.default_result_printer());
    // Files of results would be overwritten by each rank: rank 0 alone writes them.
    delete listeners.Release(listeners.default_xml_generator());
    listeners.Append(new RankFailures(rank));
  }
  int mine = RUN_ALL_TESTS();
  int worst = 1;
  MPI_Allreduce(&mine, &worst, 1, MPI_INT, MPI_MAX, MPI_COMM_WORLD);
  MPI_Finalize();
  return worst;
}
