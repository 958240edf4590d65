// From the corpus to an evaluated planner with every rank a thread: real shards, real training,
// real sums between learners.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>

#include "coordinate/rank_loops.h"
#include "results/run_folder.h"
#include "tests/coordinate/job_fixture.h"

namespace straq::coordinate {
namespace {

using testing::JobWorld;
using testing::layout_of;
using testing::never;
using testing::TinyJob;

// One preprocessor and one group of `learners`; the exit code of every rank.
std::vector<int> run_job(TinyJob& tiny, int learners) {
  JobWorld world(layout_of(1, 1, learners));
  comm::testing::ThreadGroup group(world.world(), learners);
  JobProgress progress(tiny.plan());
  std::vector<int> codes(static_cast<std::size_t>(world.layout().world), -1);
  world.world().run([&](int rank) {
    const auto control = world.control(rank);
    OrderLine orders(*control, never);
    int& code = codes[static_cast<std::size_t>(rank)];
    if (rank == 0) {
      code = world.coordinate(progress);
    } else if (rank == 1) {
      code = run_preprocessor(orders);
    } else {
      train::LearnerGroup mine(group.collectives(rank - 2), {});
      const auto line = world.directives(rank);
      code = run_learner(orders, *line, world.leads(rank),
                         [&](const train::PointTask& task, train::Director& director) {
                           return train::run_point(task, mine, director, world.layout());
                         });
    }
  });
  return codes;
}

std::string lines_of(const std::string& path) {
  const std::string text = read_file(path);
  return std::to_string(std::count(text.begin(), text.end(), '\n'));
}

TEST(WholeJob, TrainsAndEvaluatesWithOneLearnerOrTwo) {
  for (const int learners : {1, 2}) {
    TinyJob tiny(
        "pretrain: {objective: {lm: 1, ce: 1}, steps: 1}\n"
        "learn: {batch: 6, steps: 2, lr: 1.0e-3}\nevaluate: {replicates: 100}\n");
    for (const int code : run_job(tiny, learners)) EXPECT_EQ(code, 0) << learners;
    const results::RunFolder run(tiny.run_folder());
    EXPECT_TRUE(run.done()) << learners;
    EXPECT_EQ(lines_of(run.metrics()), "3");
    EXPECT_TRUE(std::filesystem::exists(run.evaluation()));
  }
}

TEST(WholeJob, AFailureOfTheLearnersIsOnePointsAndItsWords) {
  // Found by the learners only: the model's vocabulary is not the tokenizer's.
  TinyJob tiny("learn: {batch: 6, steps: 1}\n");
  write_file_atomic(tiny.shape(),
                    "{vocab: 7, hidden: 16, layers: 1, heads: 2, kv_heads: 1, inner: 32, "
                    "max_positions: 2048, tied: true}\n");
  for (const int code : run_job(tiny, 2)) EXPECT_EQ(code, 2);
  EXPECT_TRUE(results::RunFolder(tiny.run_folder()).failure());
}

}  // namespace
}  // namespace straq::coordinate
