// What a job finds to do in its folders, and the exit code of what came of it.
#include "coordinate/job_progress.h"

#include <gtest/gtest.h>

#include <filesystem>

#include "results/run_folder.h"
#include "tests/coordinate/job_fixture.h"

namespace straq::coordinate {
namespace {

using straq::testing::error_of;
using testing::TinyJob;

void make_all(JobProgress& progress) {
  while (const auto work = progress.shards().take(0)) {
    progress.shard_made(0, progress.datasets()[work->lot].job->process(work->item));
  }
}

TEST(JobProgress, ShardsThatAreThereAreNotMadeAgain) {
  TinyJob job;
  {
    JobProgress first(job.plan());
    const auto work = first.shards().take(0);
    EXPECT_EQ(work->item.file(), "train-00000.h5");
    first.shard_made(0, first.datasets()[0].job->process(work->item));
    EXPECT_FALSE(first.datasets()[0].ready({"train"}));
  }
  JobProgress second(job.plan());
  EXPECT_EQ(second.shards().take(0)->item.file(), "train-00001.h5");
  second.shard_made(0, second.datasets()[0].job->process(second.shards().oldest(0).item));
  EXPECT_TRUE(second.datasets()[0].ready({"train"}));
  EXPECT_FALSE(second.datasets()[0].complete());
  make_all(second);
  EXPECT_TRUE(second.datasets()[0].complete());
}

TEST(JobProgress, MissingShardsAreAnErrorWhereNobodyMakesThem) {
  TinyJob job;
  job.plan().preprocess = false;
  const auto error = error_of([&] { JobProgress progress(job.plan()); });
  EXPECT_EQ(error->kind(), ErrorKind::input);
  EXPECT_NE(std::string(error->what()).find("4 of 4 shards are missing"), std::string::npos)
      << error->what();
  EXPECT_NE(error->hint().find("roles.preprocessors"), std::string::npos);
}

TEST(JobProgress, PointsOfOneDataSetShareItAndOthersHaveTheirOwn) {
  TinyJob job("sweep: {grid: {prompt.window: [2048, 1024]}, seeds: [1, 2]}");
  JobProgress progress(job.plan());
  ASSERT_EQ(progress.points().size(), 4u);
  EXPECT_EQ(progress.datasets().size(), 2u);
  EXPECT_EQ(progress.points()[0].dataset, progress.points()[1].dataset);
  EXPECT_NE(progress.points()[0].dataset, progress.points()[2].dataset);
  EXPECT_EQ(progress.task(progress.points()[2]).key, progress.datasets()[1].job->key());
}

TEST(JobProgress, TheExitCodeSaysWhatCameOfIt) {
  TinyJob job("sweep: {seeds: [1, 2]}");
  JobProgress progress(job.plan());
  make_all(progress);
  train::PointResult result;
  result.ok = true;
  progress.points()[0].note(result);
  EXPECT_EQ(progress.points()[0].state, results::PointState::done);
  progress.stop();
  EXPECT_EQ(progress.exit_code(), 75);  // a point is left
  result.ok = false;
  result.kind = ErrorKind::diverged;
  progress.points()[1].note(result);
  EXPECT_EQ(progress.exit_code(), 3);
  result.ok = true;
  progress.points()[1].note(result);
  EXPECT_EQ(progress.exit_code(), 0);  // stopped, but nothing was left
}

TEST(JobProgress, AStopThatLeavesShardsIsSaidEvenWhereNothingIsLearnt) {
  TinyJob job;
  job.plan().learn = false;
  JobProgress progress(job.plan());
  make_all(progress);
  progress.stop();
  EXPECT_EQ(progress.exit_code(), 0);
  TinyJob other;
  other.plan().learn = false;
  JobProgress left(other.plan());
  left.stop();
  EXPECT_EQ(left.exit_code(), 75);
  EXPECT_FALSE(left.shards().take(0));
}

TEST(JobProgress, AFailedDataSetsCodeIsThatOfItsFirstFailure) {
  TinyJob job;
  JobProgress progress(job.plan());
  progress.shards().take(1);
  progress.shards().take(2);
  progress.shard_failed(2,
                        {results::FailureKind::out_of_memory, Error(ErrorKind::failure, "first")});
  progress.shard_failed(1, {results::FailureKind::bad_input, Error(ErrorKind::input, "second")});
  EXPECT_EQ(progress.datasets()[0].failure, "train-00001.h5: first");
  EXPECT_EQ(progress.exit_code(), 1);
  progress.fail_without_data(progress.points()[0]);
  const auto note = results::RunFolder(job.run_folder()).failure();
  ASSERT_TRUE(note);
  EXPECT_EQ(note->kind, results::FailureKind::out_of_memory);
}

TEST(JobProgress, OnlyTheChosenPointsAreItsOwn) {
  TinyJob job("sweep: {seeds: [1, 2, 3]}");
  job.plan().only = {1};
  JobProgress progress(job.plan());
  EXPECT_EQ(progress.order(), std::vector<std::size_t>{1});
  EXPECT_FALSE(progress.points()[0].selected);
}

}  // namespace
}  // namespace straq::coordinate
