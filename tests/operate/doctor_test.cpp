#include "operate/doctor.h"

#include <gtest/gtest.h>

#include <filesystem>

#include "core/files/files.h"
#include "shard/lock_probe.h"
#include "tests/testing.h"

namespace straq::operate {
namespace {

comm::RankPlace place(int rank, const std::string& host, std::vector<int> cores, int threads = 1,
                      std::vector<std::string> gpus = {}) {
  comm::RankPlace p;
  p.rank = rank;
  p.host = host;
  p.cores = std::move(cores);
  p.threads = threads;
  p.gpus = std::move(gpus);
  return p;
}

TEST(Doctor, AWorldThatIsNotWhatSlurmGaveIsFound) {
  EXPECT_EQ(judge_world(4, 0, 1).verdict, Verdict::ok);
  EXPECT_EQ(judge_world(4, 4, 2).verdict, Verdict::ok);
  EXPECT_EQ(judge_world(2, 4, 1).verdict, Verdict::failed);
  const auto alone = judge_world(1, 4, 1);
  EXPECT_EQ(alone.verdict, Verdict::warning);
  EXPECT_NE(alone.hint.find("doctor.sbatch"), std::string::npos);
}

TEST(Doctor, RanksThatShareTooFewCoresAreNamedByHost) {
  const auto good = judge_bindings({place(0, "a", {0, 1}), place(1, "a", {0, 1})}, false, false);
  EXPECT_EQ(good[0].verdict, Verdict::ok);
  // Bound to one core while each starts four threads; the other host is fine.
  const auto bad = judge_bindings(
      {place(0, "a", {0, 1, 2, 3}, 4), place(1, "b", {0}, 4), place(2, "b", {1}, 1)}, false, false);
  EXPECT_EQ(bad[0].verdict, Verdict::warning);
  EXPECT_NE(bad[0].detail.find("b: 4 threads share 1 core (0)"), std::string::npos)
      << bad[0].detail;
}

TEST(Doctor, GpusThatAreNotUsedOrNotEqualAreFound) {
  const std::vector<std::string> two = {"H100", "H100"};
  const auto equal = {place(0, "a", {0}, 1, two), place(1, "b", {0}, 1, two)};
  EXPECT_EQ(judge_bindings(equal, true, true)[1].verdict, Verdict::ok);
  const auto unequal = {place(0, "a", {0}, 1, two), place(1, "b", {0}, 1, {"H100"})};
  EXPECT_EQ(judge_bindings(unequal, true, true)[1].verdict, Verdict::warning);
  const auto none = {place(0, "a", {0})};
  EXPECT_EQ(judge_bindings(none, true, true)[1].verdict, Verdict::failed);
  EXPECT_EQ(judge_bindings(none, true, false)[1].verdict, Verdict::note);
  EXPECT_EQ(judge_bindings(none, false, true)[1].verdict, Verdict::warning);
}

TEST(Doctor, ClocksApartAreFoundBecauseLocksJudgeByAge) {
  auto a = place(0, "a", {0}), b = place(1, "b", {0});
  b.clock = 2;
  EXPECT_EQ(judge_clocks({a, b}).verdict, Verdict::ok);
  b.clock = 100;
  const auto check = judge_clocks({a, b});
  EXPECT_EQ(check.verdict, Verdict::warning);
  EXPECT_EQ(check.detail, "b is 100 s ahead of a");
}

TEST(Doctor, LittleSpaceWarnsAndNoneFails) {
  DiskSpace space;
  space.type = "nfs";
  space.total_bytes = 1'000'000'000'000;
  space.free_bytes = 50'000'000'000;
  EXPECT_EQ(judge_disk("r", space, 5).verdict, Verdict::ok);
  EXPECT_EQ(judge_disk("r", space, 100).verdict, Verdict::warning);
  EXPECT_EQ(judge_disk("r", space, 1000).verdict, Verdict::failed);
  space.total_files = 1'000'000;
  space.free_files = 10;
  EXPECT_EQ(judge_disk("r", space, 5).verdict, Verdict::warning);
  space.free_files = 500'000;
  space.type = "tmpfs";
  EXPECT_NE(judge_disk("r", space, 5).hint.find("memory"), std::string::npos);
}

TEST(Doctor, TheWorstVerdictCountsAndNotesDoNot) {
  DoctorReport report;
  report.places = {place(0, "a", {0, 1, 2, 5})};
  report.checks = {{"x", Verdict::ok, "fine", {}}, {"y", Verdict::note, "no GPU", {}}};
  EXPECT_EQ(report.verdict(), Verdict::ok);
  report.checks.push_back({"z", Verdict::failed, "broken", "mend it"});
  EXPECT_EQ(report.verdict(), Verdict::failed);
  const std::string text = report.to_text();
  EXPECT_NE(text.find("FAILED   z  broken\n         hint: mend it"), std::string::npos) << text;
  EXPECT_NE(text.find("0-2,5"), std::string::npos) << text;
  EXPECT_EQ(report.to_json()["verdict"], "FAILED");
}

TEST(Doctor, TheProbesWorkOnThisFilesystemAndLeaveNothingBehind) {
  const straq::testing::TemporaryFolder folder;
  EXPECT_GT(disk_space(folder.path()).total_bytes, 0u);
  EXPECT_GT(probe_write_rename_read(folder.path(), 1001).write_seconds, 0);
  probe_hard_links(folder.path());
  EXPECT_NE(shard::probe_hdf5_locking(folder.path()).locking, shard::Hdf5Locking::unusable);
  EXPECT_TRUE(std::filesystem::is_empty(folder.path()));
}

TEST(Doctor, AFolderThatIsNotThereFailsTheProbes) {
  const straq::testing::TemporaryFolder folder;
  const std::string file = folder.path("file");
  write_file_atomic(file, "x");
  EXPECT_TRUE(straq::testing::error_of([&] { disk_space(folder.path("absent")); }));
  EXPECT_TRUE(straq::testing::error_of([&] { probe_write_rename_read(file, 10); }));
  EXPECT_TRUE(straq::testing::error_of([&] { probe_hard_links(file); }));
  EXPECT_EQ(shard::probe_hdf5_locking(file).locking, shard::Hdf5Locking::unusable);
}

}  // namespace
}  // namespace straq::operate
