#include "results/run_folder.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <string>
#include <tuple>

#include "core/files/files.h"
#include "results/rows/steps.h"
#include "tests/testing.h"

namespace straq::results {
namespace {

using straq::testing::TemporaryFolder;

TEST(Failure, ANoteIsReadAsItWasWritten) {
  const FailureNote note{FailureKind::non_finite_loss, ErrorKind::diverged,
                         "diverged: at step 3\n  hint: lower learn.lr"};
  const auto read = FailureNote::parse(note.to_text());
  EXPECT_EQ(read.kind, note.kind);
  EXPECT_EQ(read.error, note.error);
  EXPECT_EQ(read.reason, note.reason);
  EXPECT_EQ(read.first_line(), "diverged: at step 3");
  const auto old = FailureNote::parse("a disk was full\n  hint: make room\n");
  EXPECT_EQ(old.kind, FailureKind::other);
  EXPECT_EQ(old.reason, "a disk was full\n  hint: make room");
}

TEST(RunFolder, GoingOnKeepsTheNumbersUpToTheCheckpoint) {
  TemporaryFolder folder;
  const RunFolder run(folder.path("p"));
  const auto config = config::parse_yaml("name: x\n", "c.yaml");
  run.begin(config);
  const std::string lines = "{\"step\":1}\n{\"step\":2}\n";
  write_file_atomic(run.file("metrics.jsonl"), lines + "{\"step\":3}\n{\"st");
  write_file_atomic(run.file("evaluations.jsonl"), "{\"step\":3}\n");
  run.begin(config, 2);
  EXPECT_EQ(read_file(run.file("metrics.jsonl")), lines);
  EXPECT_EQ(read_file(run.file("evaluations.jsonl")), "");
  run.begin(config);
  EXPECT_FALSE(std::filesystem::exists(run.file("metrics.jsonl")));
}

TEST(RunFolder, LinesAfterABrokenOneAreNotTrusted) {
  TemporaryFolder folder;
  const std::string path = folder.path("m.jsonl");
  for (const auto& [text, kept, last] :
       {std::tuple{"{\"step\":1}\nrubbish\n{\"step\":2}\n", "{\"step\":1}\n", 1},
        {"{\"step\":1}\n{\"step\":2}", "{\"step\":1}\n", 1},
        {"", "", 0},
        {"{\"step\":5}\n{\"step\":6}\n", "{\"step\":5}\n", 5}}) {
    write_file_atomic(path, text);
    EXPECT_EQ(cut_after(path, 5), last);
    EXPECT_EQ(read_file(path), kept);
  }
}

TEST(RunFolder, BeginClearsWhatAnUnfinishedAttemptLeft) {
  TemporaryFolder folder;
  const RunFolder run(folder.path("p"));
  run.fail({FailureKind::other, ErrorKind::failure, "boom"});
  write_file_atomic(run.predictions("test"), "{}");
  write_file_atomic(run.simulation(), "{}");
  run.begin(config::parse_yaml("name: x\n", "c.yaml"));
  EXPECT_FALSE(std::filesystem::exists(run.file("FAILED")));
  EXPECT_FALSE(std::filesystem::exists(run.predictions("test")));
  EXPECT_FALSE(std::filesystem::exists(run.simulation()));
}

}  // namespace
}  // namespace straq::results
