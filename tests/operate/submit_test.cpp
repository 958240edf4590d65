#include "operate/submit.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>

#include "core/files/files.h"
#include "core/process.h"
#include "experiment/provenance.h"
#include "tests/testing.h"

namespace straq::operate {
namespace {

using straq::testing::error_of;
using straq::testing::source_path;

config::Value config_with(const std::string& more) {
  return config::parse_yaml("name: x\nresults: out\nmodel: {shape: " +
                                source_path("configs/shapes/llama-3.2-1b.yaml") + "}\n" + more,
                            "c.yaml");
}
const char* const kSweep = "sweep: {grid: {learn.gamma: [0, 0.5, 0.9]}, seeds: [1, 2]}\n";

bool has(const BatchJob& job, const std::string& option) {
  return std::find(job.options.begin(), job.options.end(), option) != job.options.end();
}
// The value of an option that must be there.
std::string value_of(const BatchJob& job, const std::string& key) {
  for (const auto& o : job.options) {
    if (o.rfind("--" + key + "=", 0) == 0) return o.substr(key.size() + 3);
  }
  return "none";
}

TEST(Submit, ASweepIsShardsThenAnArrayThenTheReport) {
  SubmitOptions options;
  options.config = "c.yaml";
  options.sets = {"learn.lr=0.1"};
  options.at_once = 2;
  const auto plan = plan_submission(config_with(kSweep), options, {});
  ASSERT_EQ(plan.jobs.size(), 3u);
  EXPECT_EQ(plan.jobs[0].script, "slurm/preprocess.sbatch");
  EXPECT_TRUE(has(plan.jobs[0], "--ntasks=5"));
  EXPECT_EQ(plan.jobs[1].script, "slurm/sweep_array.sbatch");
  EXPECT_TRUE(has(plan.jobs[1], "--array=0-5%2"));
  EXPECT_TRUE(has(plan.jobs[1], "--ntasks=1"));  // a lone learner coordinates itself
  EXPECT_EQ(plan.jobs[1].arguments, (std::vector<std::string>{"c.yaml", "--set", "learn.lr=0.1",
                                                              "--set", "roles.preprocessors=0"}));
  EXPECT_EQ(plan.jobs[2].arguments, std::vector<std::string>{"out/x"});
  EXPECT_EQ(sbatch_words(plan.jobs[1], "17")[2], "--dependency=afterok:17");
  EXPECT_EQ(sbatch_words(plan.jobs[2], "18")[2], "--dependency=afterany:18");
}

TEST(Submit, AnAllocationHoldsItsGroupsAndACoordinator) {
  SubmitOptions options;
  options.form = SubmitForm::allocation;
  options.preprocess = false;
  options.report = false;
  options.learners = 6;
  const auto plan = plan_submission(
      config_with(std::string(kSweep) + "roles: {preprocessors: 2, learners_per_group: 2}\n"),
      options, {});
  ASSERT_EQ(plan.jobs.size(), 1u);
  EXPECT_EQ(plan.jobs[0].script, "slurm/sweep.sbatch");
  // Nobody has made the shards, so the config's preprocessors are in the job.
  EXPECT_TRUE(has(plan.jobs[0], "--ntasks=9"));
  EXPECT_EQ(plan.jobs[0].after, -1);
}

TEST(Submit, GpusMemoryAndTimeFollowFromTheEstimate) {
  SubmitOptions options;
  options.gpus_per_node = 4;
  options.nodes = 2;
  options.gpu_kind = "h100";
  SiteSettings site;
  site.account = "acc";
  site.partition = "cpu";
  site.gpu_partition = "gpu";
  const auto plan = plan_submission(config_with(""), options, site);
  EXPECT_EQ(value_of(plan.jobs[0], "partition"), "cpu");
  const auto& train = plan.jobs[1];
  EXPECT_EQ(train.script, "slurm/train_gpu.sbatch");
  EXPECT_EQ(value_of(train, "partition"), "gpu");
  EXPECT_EQ(value_of(train, "account"), "acc");
  EXPECT_EQ(value_of(train, "nodes"), "2");
  EXPECT_EQ(value_of(train, "ntasks"), "9");
  EXPECT_EQ(value_of(train, "gpus-per-node"), "4");
  // 1.24 billion parameters of 16 bytes, a fifth more and 4 GiB, on four cores of a task.
  const int memory = std::stoi(value_of(train, "mem-per-cpu"));
  EXPECT_GT(memory, 6000);
  EXPECT_LT(memory, 8000);
  EXPECT_NE(value_of(train, "time"), "none");

  options.time = "1-00:00:00";
  options.mem_per_cpu_mb = 4000;
  const auto given = plan_submission(config_with(""), options, site);
  EXPECT_EQ(value_of(given.jobs[1], "time"), "1-00:00:00");
  EXPECT_EQ(value_of(given.jobs[1], "mem-per-cpu"), "4000M");
}

TEST(Submit, WhatDoesNotFitTheGpuIsSaidBeforehand) {
  SubmitOptions options;
  options.gpus_per_node = 1;
  options.gpu_kind = "l40s";
  const auto root = config::parse_yaml(
      "name: x\nmodel: {shape: " + source_path("configs/shapes/llama-3.1-8b.yaml") + "}\n", "c");
  const auto plan = plan_submission(root, options, {});
  ASSERT_FALSE(plan.notes.empty());
  EXPECT_NE(plan.notes[0].find("do not fit l40s"), std::string::npos) << plan.notes[0];
}

TEST(Submit, ContradictionsAreRefused) {
  SubmitOptions options;
  options.config = "c.yaml";
  options.form = SubmitForm::array;
  EXPECT_TRUE(error_of([&] { plan_submission(config_with(""), options, {}); }));
  options.form = SubmitForm::automatic;
  options.gpus_per_node = 4;
  options.learners = 3;
  const auto gpus = error_of([&] { plan_submission(config_with(""), options, {}); });
  ASSERT_TRUE(gpus);
  EXPECT_NE(std::string(gpus->what()).find("3 learners for 4 GPUs"), std::string::npos);
  options.gpus_per_node = 0;
  const auto group = error_of(
      [&] { plan_submission(config_with("roles: {learners_per_group: 2}\n"), options, {}); });
  ASSERT_TRUE(group);
  EXPECT_NE(std::string(group->what()).find("learners_per_group"), std::string::npos);
}

TEST(Submit, ADryRunIsAScriptThatKeepsOddWordsWhole) {
  SubmitPlan plan;
  plan.jobs.push_back({"train", {"--comment=it's mine"}, "slurm/train.sbatch", {"a b.yaml"}});
  plan.jobs.push_back({"report", {}, "slurm/report.sbatch", {"out"}, 0, false});
  EXPECT_EQ(
      to_script(plan, "/repo"),
      "cd /repo\n"
      "train=$(sbatch --parsable '--comment=it'\\''s mine' slurm/train.sbatch 'a b.yaml')\n"
      "report=$(sbatch --parsable \"--dependency=afterany:$train\" slurm/report.sbatch out)\n");
}

// Names come from configs: whatever they hold, running the script runs sbatch and nothing else.
TEST(Submit, NothingInAWordIsSpecialToTheScript) {
  const straq::testing::TemporaryFolder folder;
  const std::string mark = folder.path("made");
  std::vector<std::string> odd = {"$(touch " + mark + ")@ID@",
                                  "`touch " + mark + "`",
                                  "@ID@ after",
                                  "a\"; touch " + mark + "; \"",
                                  "it's",
                                  "two  blanks",
                                  "${HOME}",
                                  "new\nline",
                                  "caf\xe9"};
  SubmitPlan plan;
  plan.jobs.push_back({"train", odd, "slurm/train.sbatch", odd});
  plan.jobs.push_back({"report", odd, "slurm/report.sbatch", odd, 0, true});
  write_file_atomic(folder.path("bin/sbatch"),
                    "#!/bin/sh\nprintf '<%s>' \"$@\" >>" + folder.path("words") + "\necho 17\n");
  std::filesystem::permissions(folder.path("bin/sbatch"), std::filesystem::perms::owner_all);
  write_file_atomic(folder.path("script"), to_script(plan, folder.path()));
  const auto ran = run_shell("PATH=" + folder.path("bin") + ":$PATH bash " + folder.path("script"));
  EXPECT_EQ(ran.code, 0) << ran.text;
  EXPECT_FALSE(std::filesystem::exists(mark));
  std::string expected;
  for (const auto& job : plan.jobs) {
    for (const auto& w : sbatch_words(job, job.after < 0 ? "" : "17")) {
      if (w != "sbatch") expected += "<" + w + ">";
    }
  }
  EXPECT_EQ(read_file(folder.path("words")), expected);
}

// A relative path means in the jobs what it means where they are submitted from.
TEST(Submit, FromElsewhereTheJobsRunThere) {
  SubmitOptions options;
  options.config = "mine/c.yaml";
  options.folder = "/data/my project";
  const auto plan = plan_submission(config_with(kSweep), options, {});
  for (const auto& job : plan.jobs) {
    ASSERT_GE(job.arguments.size(), 2u);
    EXPECT_EQ(job.arguments[0], "--in=/data/my project");
  }
  EXPECT_EQ(plan.jobs[0].arguments[1], "/data/my project/mine/c.yaml");
  EXPECT_EQ(plan.jobs[1].arguments[1], "/data/my project/mine/c.yaml");
  EXPECT_EQ(plan.jobs[2].arguments[1], "/data/my project/out/x");
}

TEST(Submit, TheSitesFileIsReadAsBashReadsIt) {
  const straq::testing::TemporaryFolder folder;
  write_file_atomic(folder.path("slurm/site.env"),
                    ": \"${STRAQ_ACCOUNT:=mine}\"\n: \"${STRAQ_PARTITION:=long}\"\n"
                    ": \"${STRAQ_GPU_PARTITION:=}\"\n"
                    ": \"${STRAQ_SBATCH_OPTIONS:=--qos=a --constraint=b}\"\n");
  const auto site = read_site(folder.path());
  EXPECT_EQ(site.account, "mine");
  EXPECT_EQ(site.partition, "long");
  EXPECT_EQ(site.gpu_partition, "");
  EXPECT_EQ(site.options, (std::vector<std::string>{"--qos=a", "--constraint=b"}));
  write_file_atomic(folder.path("slurm/site.env"), "if\n");
  EXPECT_TRUE(error_of([&] { read_site(folder.path()); }));
  EXPECT_TRUE(error_of([&] { read_site(folder.path("absent")); }));
}

TEST(Provenance, TheCommandThatMakesARunAgainCanBeRun) {
  const comm::Layout one;
  EXPECT_EQ(experiment::reproduce_command(one, "results/x/seed-1"),
            "straq run --from results/x/seed-1/config.yaml");
  EXPECT_EQ(experiment::reproduce_command(one, "my results/$(x)/it's"),
            "straq run --from 'my results/$(x)/it'\\''s/config.yaml'");
}

}  // namespace
}  // namespace straq::operate
