// What a job finds to do in its folders, and the exit code of what came of it.
#include "coordinate/ledger.h"

#include <gtest/gtest.h>

#include <filesystem>

#include "results/run_folder.h"
#include "tests/coordinate/job_fixture.h"

namespace straq::coordinate {
namespace {

using straq::testing::error_of;
using testing::TinyJob;

void make_all(Ledger& ledger) {
  while (const auto work = ledger.shards().take(0)) {
    ledger.shard_made(0, ledger.datasets()[work->lot].job->process(work->item));
  }
}

TEST(Ledger, ShardsThatAreThereAreNotMadeAgain) {
  TinyJob job;
  {
    Ledger first(job.plan());
    const auto work = first.shards().take(0);
    EXPECT_EQ(work->item.file(), "train-00000.h5");
    first.shard_made(0, first.datasets()[0].job->process(work->item));
    EXPECT_FALSE(first.datasets()[0].ready({"train"}));
  }
  Ledger second(job.plan());
  EXPECT_EQ(second.shards().take(0)->item.file(), "train-00001.h5");
  second.shard_made(0, second.datasets()[0].job->process(second.shards().oldest(0).item));
  EXPECT_TRUE(second.datasets()[0].ready({"train"}));
  EXPECT_FALSE(second.datasets()[0].complete());
  make_all(second);
  EXPECT_TRUE(second.datasets()[0].complete());
}

TEST(Ledger, MissingShardsAreAnErrorWhereNobodyMakesThem) {
  TinyJob job;
  job.plan().preprocess = false;
  const auto error = error_of([&] { Ledger ledger(job.plan()); });
  EXPECT_EQ(error->kind(), ErrorKind::input);
  EXPECT_NE(std::string(error->what()).find("4 of 4 shards are missing"), std::string::npos)
      << error->what();
  EXPECT_NE(error->hint().find("roles.preprocessors"), std::string::npos);
}

TEST(Ledger, PointsOfOneDataSetShareItAndOthersHaveTheirOwn) {
  TinyJob job("sweep: {grid: {prompt.window: [2048, 1024]}, seeds: [1, 2]}");
  Ledger ledger(job.plan());
  ASSERT_EQ(ledger.points().size(), 4u);
  EXPECT_EQ(ledger.datasets().size(), 2u);
  EXPECT_EQ(ledger.points()[0].dataset, ledger.points()[1].dataset);
  EXPECT_NE(ledger.points()[0].dataset, ledger.points()[2].dataset);
  EXPECT_EQ(ledger.task(ledger.points()[2]).key, ledger.datasets()[1].job->key());
}

TEST(Ledger, TheExitCodeSaysWhatCameOfIt) {
  TinyJob job("sweep: {seeds: [1, 2]}");
  Ledger ledger(job.plan());
  make_all(ledger);
  train::PointResult result;
  result.ok = true;
  ledger.points()[0].note(result);
  EXPECT_EQ(ledger.points()[0].state, results::PointState::done);
  ledger.stop();
  EXPECT_EQ(ledger.exit_code(), 75);  // a point is left
  result.ok = false;
  result.kind = ErrorKind::diverged;
  ledger.points()[1].note(result);
  EXPECT_EQ(ledger.exit_code(), 3);
  result.ok = true;
  ledger.points()[1].note(result);
  EXPECT_EQ(ledger.exit_code(), 0);  // stopped, but nothing was left
}

TEST(Ledger, AStopThatLeavesShardsIsSaidEvenWhereNothingIsLearnt) {
  TinyJob job;
  job.plan().learn = false;
  Ledger ledger(job.plan());
  make_all(ledger);
  ledger.stop();
  EXPECT_EQ(ledger.exit_code(), 0);
  TinyJob other;
  other.plan().learn = false;
  Ledger left(other.plan());
  left.stop();
  EXPECT_EQ(left.exit_code(), 75);
  EXPECT_FALSE(left.shards().take(0));
}

TEST(Ledger, AFailedDataSetsCodeIsThatOfItsFirstFailure) {
  TinyJob job;
  Ledger ledger(job.plan());
  ledger.shards().take(1);
  ledger.shards().take(2);
  ledger.shard_failed(2, {results::FailureKind::out_of_memory, Error(ErrorKind::failure, "first")});
  ledger.shard_failed(1, {results::FailureKind::bad_input, Error(ErrorKind::input, "second")});
  EXPECT_EQ(ledger.datasets()[0].failure, "train-00001.h5: first");
  EXPECT_EQ(ledger.exit_code(), 1);
  ledger.fail_without_data(ledger.points()[0]);
  const auto note = results::RunFolder(job.run_folder()).failure();
  ASSERT_TRUE(note);
  EXPECT_EQ(note->kind, results::FailureKind::out_of_memory);
}

TEST(Ledger, OnlyTheChosenPointsAreItsOwn) {
  TinyJob job("sweep: {seeds: [1, 2, 3]}");
  job.plan().only = {1};
  Ledger ledger(job.plan());
  EXPECT_EQ(ledger.order(), std::vector<std::size_t>{1});
  EXPECT_FALSE(ledger.points()[0].selected);
}

}  // namespace
}  // namespace straq::coordinate
