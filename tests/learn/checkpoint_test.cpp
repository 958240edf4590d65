// What a run relies on when it goes on from a checkpoint: the same tensors and numbers come back, a
// bad one is refused by name and the one before it is used, and a disk that is full costs the new
// checkpoint and never an old one.
#include "learn/checkpoint.h"

#include <gtest/gtest.h>
#include <sys/resource.h>

#include <csignal>
#include <fstream>
#include <functional>
#include <set>

#include "core/files/files.h"
#include "tests/learn/learn_helpers.h"
#include "tests/testing.h"

namespace straq::learn {
namespace {

namespace fs = std::filesystem;
using straq::testing::error_of;
using straq::testing::TemporaryFolder;

CheckpointIdentity identity_of(const std::string& gamma) {
  CheckpointIdentity id;
  id.inputs.add("learn.gamma", gamma);
  id.parameters = "parameters";
  return id;
}
const CheckpointIdentity kIdentity = identity_of("0.85");

StateSlice state_of(double value, std::int64_t n = 100) {
  StateSlice s{0, n, n, {}};
  for (const char* name : {kWeights, kTarget, kFirstMoment, kSecondMoment}) {
    s.buffers.emplace_back(name, at::full({n}, value++, at::kFloat));
  }
  return s;
}

CheckpointRecord record_of(std::int64_t step, std::int64_t best = -1) {
  CheckpointRecord r;
  r.progress.step = step;
  r.progress.best_step = best;
  r.identity = kIdentity;
  r.environment = {{"host", "here"}};
  return r;
}

// A folder with the checkpoints of these steps; `weights` is filled with the step.
void fill(const std::string& folder, const std::vector<std::int64_t>& steps) {
  for (const auto step : steps) {
    write_checkpoint(folder + "/" + checkpoint_name(step), record_of(step),
                     state_of(static_cast<double>(step)));
  }
}

void overwrite(const std::string& path, std::streamoff at, char byte) {
  std::fstream f(path, std::ios::in | std::ios::out | std::ios::binary);
  f.seekp(at);
  f.put(byte);
}

std::set<std::string> names_in(const std::string& folder) {
  std::set<std::string> out;
  for (const auto& e : fs::directory_iterator(folder)) out.insert(e.path().filename().string());
  return out;
}

TEST(Checkpoint, ProgressAndEveryRangeComeBackToTheBit) {
  TemporaryFolder folder;
  CheckpointRecord record = record_of(120, 80);
  record.progress.stage = 1;
  record.progress.stage_step = 20;
  record.progress.optimizer_steps = 19;
  record.progress.bad_steps = 2;
  record.progress.evaluated_step = 100;
  record.progress.best_value = 0.1 + 0.2;
  record.progress.without_gain = 3;
  StateSlice state = state_of(0, 1000);
  for (auto& [name, t] : state.buffers) t.copy_(at::rand({1000}));
  const std::string path = folder.path(checkpoint_name(120));
  write_checkpoint(path, record, state);
  const Checkpoint c = open_checkpoint(path, true);
  EXPECT_EQ(c.progress, record.progress);
  EXPECT_EQ(c.total, 1000);
  for (const auto& [begin, n] : {std::pair{0, 1000}, {0, 1}, {333, 334}, {999, 1}}) {
    for (const auto& [name, t] : state.buffers) {
      const at::Tensor out = at::empty({n}, at::kFloat);
      read_buffer(c, name, begin, out);
      EXPECT_TRUE(at::equal(out, t.narrow(0, begin, n))) << name << " from " << begin;
    }
  }
  const at::Tensor beyond = at::empty({2}, at::kFloat);
  EXPECT_THROW(read_buffer(c, kWeights, 999, beyond), Error);
}

TEST(Checkpoint, ABadOneIsRefusedByNameAndTheOneBeforeItIsUsed) {
  struct Case {
    const char* word;
    std::function<void(const std::string&)> harm;
  };
  const std::string file = "/state-0-of-1.safetensors", json = "/checkpoint.json";
  const std::vector<Case> cases = {
      {"corrupted", [&](const auto& c) { overwrite(c + file, 700, '\x55'); }},
      {"corrupted", [&](const auto& c) { overwrite(c + json, 0, 'x'); }},
      {"truncated", [&](const auto& c) { fs::resize_file(c + file, 900); }},
      {"truncated", [&](const auto& c) { fs::remove(c + file); }},
      {"incomplete", [&](const auto& c) { fs::remove(c + json); }},
      {"wrong version",
       [&](const auto& c) {
         auto j = nlohmann::ordered_json::parse(read_file(c + json));
         j["format_version"] = 99;
         write_file_atomic(c + json, j.dump());
       }},
      {"foreign",
       [&](const auto& c) {
         CheckpointRecord other = record_of(30);
         other.identity = identity_of("0.9");
         write_checkpoint(c, other, state_of(30));
       }},
      {"foreign",
       [&](const auto& c) {
         CheckpointRecord other = record_of(30);
         other.identity.parameters = "another";
         write_checkpoint(c, other, state_of(30));
       }},
  };
  for (const auto& [word, harm] : cases) {
    TemporaryFolder folder;
    fill(folder.path(), {10, 20, 30});
    harm(folder.path(checkpoint_name(30)));
    const FoundCheckpoint found = find_checkpoint(folder.path(), kIdentity);
    ASSERT_TRUE(found.checkpoint) << word;
    EXPECT_EQ(found.checkpoint->progress.step, 20) << word;
    ASSERT_EQ(found.refused.size(), 1u) << word;
    EXPECT_NE(found.refused[0].reason.find(word), std::string::npos) << found.refused[0].reason;
    EXPECT_NE(found.refused[0].reason.find("step-00000030"), std::string::npos);
    EXPECT_EQ(found.refused[0].foreign, std::string(word) == "foreign");
    set_aside(folder.path(), found);
    EXPECT_EQ(names_in(folder.path()),
              (std::set<std::string>{"step-00000010", "step-00000020", "refused-step-00000030"}));
  }
}

TEST(Checkpoint, NoFolderMeansNoCheckpoint) {
  TemporaryFolder folder;
  const FoundCheckpoint found = find_checkpoint(folder.path("none"), kIdentity);
  EXPECT_FALSE(found.checkpoint);
  EXPECT_TRUE(found.refused.empty());
}

TEST(Checkpoint, AnotherModelHasAnotherFingerprint) {
  const std::vector<model::ParameterSpec> a = {{"x", {2, 3}}, {"y", {4}}};
  EXPECT_EQ(parameters_fingerprint(a), parameters_fingerprint(a));
  EXPECT_NE(parameters_fingerprint(a), parameters_fingerprint({{"x", {3, 2}}, {"y", {4}}}));
  EXPECT_NE(parameters_fingerprint(a), parameters_fingerprint({{"x", {2, 3}}, {"z", {4}}}));
}

TEST(CheckpointWriter, KeepsTheLastOnesMultiplesAndBestOnesThatAreSpokenOf) {
  TemporaryFolder folder;
  CheckpointConfig config;
  config.keep_last = 2;
  config.keep_every = 20;
  for (const std::int64_t best : {5, 15, 35}) {
    write_checkpoint(
        folder.path("best-000000" + std::string(best < 10 ? "0" : "") + std::to_string(best)),
        record_of(best), state_of(0));
  }
  CheckpointWriter writer(folder.path(), config);
  for (const std::int64_t step : {10, 20, 30, 40, 50}) {
    writer.save(record_of(step, step < 20 ? 5 : step < 40 ? 15 : 35), state_of(0));
  }
  writer.wait();
  EXPECT_EQ(writer.completed(), 50);
  EXPECT_EQ(names_in(folder.path()),
            (std::set<std::string>{"step-00000020", "step-00000040", "step-00000050",
                                   "best-00000015", "best-00000035"}));
}

// Training changes the tensors while they are being written.
TEST(CheckpointWriter, WritesTheStateOfTheMomentOfSave) {
  TemporaryFolder folder;
  CheckpointWriter writer(folder.path(), {});
  StateSlice state = state_of(7, 1 << 20);
  writer.save(record_of(1), state);
  for (auto& [name, t] : state.buffers) t.fill_(-1);
  writer.wait();
  const Checkpoint c = open_checkpoint(folder.path(checkpoint_name(1)), true);
  const at::Tensor out = at::empty({1 << 20}, at::kFloat);
  read_buffer(c, kWeights, 0, out);
  EXPECT_TRUE(at::equal(out, at::full({1 << 20}, 7.0, at::kFloat)));
}

TEST(CheckpointWriter, AFullDiskIsToldAndTheOldCheckpointStaysWhole) {
  for (const bool async : {false, true}) {
    TemporaryFolder folder;
    CheckpointConfig config;
    config.async = async;
    CheckpointWriter writer(folder.path(), config);
    writer.save(record_of(1), state_of(1));
    writer.wait();
    // As when the disk is full: no file may grow beyond this.
    const auto old_handler = std::signal(SIGXFSZ, SIG_IGN);
    rlimit before{}, small{};
    getrlimit(RLIMIT_FSIZE, &before);
    small = before;
    small.rlim_cur = 100'000;
    setrlimit(RLIMIT_FSIZE, &small);
    const auto e = error_of([&] {
      writer.save(record_of(2), state_of(2, 1 << 20));
      writer.wait();
    });
    setrlimit(RLIMIT_FSIZE, &before);
    std::signal(SIGXFSZ, old_handler);
    ASSERT_TRUE(e);
    EXPECT_NE(std::string(e->what()).find("step-00000002"), std::string::npos) << e->what();
    EXPECT_EQ(names_in(folder.path()), (std::set<std::string>{"step-00000001"}));
    EXPECT_EQ(find_checkpoint(folder.path(), kIdentity).checkpoint->progress.step, 1);
    writer.save(record_of(3), state_of(3));  // there is space again
    writer.wait();
    EXPECT_EQ(writer.completed(), 3);
  }
}

TEST(CheckpointWriter, WhatADeadWriterLeftIsCleared) {
  TemporaryFolder folder;
  fill(folder.path(), {10});
  make_folders(folder.path(".tmp-step-00000020-4711"));
  write_file_atomic(folder.path(".tmp-step-00000020-4711/state-0-of-1.safetensors"), "half");
  EXPECT_EQ(find_checkpoint(folder.path(), kIdentity).checkpoint->progress.step, 10);
  clear_partial_checkpoints(folder.path());
  EXPECT_EQ(names_in(folder.path()), (std::set<std::string>{"step-00000010"}));
}

TEST(Checkpoint, OfOtherInputsIsRefusedByWhatDiffersOrTakenAnyway) {
  TemporaryFolder folder;
  fill(folder.path(), {10});
  const auto found = find_checkpoint(folder.path(), identity_of("0.9"));
  ASSERT_FALSE(found.checkpoint);
  ASSERT_EQ(found.refused.size(), 1u);
  EXPECT_TRUE(found.refused[0].foreign);
  EXPECT_NE(found.refused[0].reason.find("learn.gamma was 0.85 and is 0.9"), std::string::npos)
      << found.refused[0].reason;
  EXPECT_TRUE(find_checkpoint(folder.path(), identity_of("0.9"), /*anyway=*/true).checkpoint);
  // Another model is another model: its buffers are of another length.
  CheckpointIdentity model = kIdentity;
  model.parameters = "others";
  EXPECT_FALSE(find_checkpoint(folder.path(), model, /*anyway=*/true).checkpoint);
}

// The first version noted a hash of the config alone, which says nothing of what its paths held.
TEST(Checkpoint, OfTheFirstVersionIsTakenOnlyWhenAskedFor) {
  TemporaryFolder folder;
  fill(folder.path(), {10});
  const std::string path = folder.path(checkpoint_name(10)) + "/checkpoint.json";
  auto j = nlohmann::ordered_json::parse(read_file(path));
  j["format_version"] = 1;
  j.erase("inputs");
  j["config_sha256"] = std::string(64, 'a');
  write_file_atomic(path, j.dump());
  const auto found = find_checkpoint(folder.path(), kIdentity);
  ASSERT_FALSE(found.checkpoint);
  EXPECT_TRUE(found.refused.at(0).foreign);
  EXPECT_NE(found.refused[0].reason.find("older version"), std::string::npos);
  EXPECT_TRUE(find_checkpoint(folder.path(), kIdentity, /*anyway=*/true).checkpoint);
}

TEST(Checkpoint, KeepsWhatItWentOnFromAnyway) {
  TemporaryFolder folder;
  CheckpointRecord record = record_of(10);
  record.continued_anyway.push_back({{"step", 4}, {"changes", {"train.txt has changed since"}}});
  write_checkpoint(folder.path(checkpoint_name(10)), record, state_of(10));
  const auto back = open_checkpoint(folder.path(checkpoint_name(10)), false);
  EXPECT_EQ(nlohmann::json(back.continued_anyway), nlohmann::json(record.continued_anyway));
}

// The learner itself: some steps, a checkpoint, more steps; against a new learner from there, which
// has taken none of the steps before: with a base, neither those of the stage before this one.
void expect_going_on_to_the_bit(const LearnConfig& settings) {
  TemporaryFolder folder;
  const auto combs = testing::random_combs(20, 3);
  const auto group = comm::make_local_collectives();
  LearnConfig config = settings;
  config.lr_min = 0.1;
  config.warmup = 0.2;
  config.clip = 1;
  StageConfig before = config;
  before.objective = {0, 1, 0};
  const auto source = transitions_of(combs, config, 8, 1);
  const auto batches = epoch_batches(combs, Batching::exact, 8, 12000, 1, 0);
  ASSERT_GT(batches.size(), 8u);
  const auto make = [&] {
    auto learner = std::make_unique<Learner>(testing::random_model(), combs, testing::kOptions,
                                             planner::Readout::mean_logit, config, *group);
    return learner;
  };
  const auto a = make();
  a->begin_stage(before, 4);
  for (std::size_t i = 5; i < 8; ++i) a->step(batches[i], 0, source);
  a->begin_stage(config, 12);
  for (std::size_t i = 0; i < 5; ++i) {
    a->step(batches[i], 0, source);
    if (i == 2) a->sync_target();
  }
  CheckpointRecord record = record_of(5);
  record.progress.stage_step = 5;
  record.progress.optimizer_steps = a->optimizer_steps();
  write_checkpoint(folder.path(checkpoint_name(5)), record, a->state());
  const auto b = make();
  b->begin_stage(config, 12);
  b->restore(open_checkpoint(folder.path(checkpoint_name(5)), true));
  for (std::size_t i = 5; i < 8; ++i) {
    const StepMetrics ma = a->step(batches[i], 0, source), mb = b->step(batches[i], 0, source);
    EXPECT_EQ(ma.loss, mb.loss);
    EXPECT_EQ(ma.lr, mb.lr);
  }
  const StateSlice sa = a->state(), sb = b->state();
  for (std::size_t i = 0; i < sa.buffers.size(); ++i) {
    EXPECT_TRUE(at::equal(sa.buffers[i].second, sb.buffers[i].second)) << sa.buffers[i].first;
  }
}

TEST(Checkpoint, ALearnerGoesOnToTheBit) {
  expect_going_on_to_the_bit(testing::plain_config());
}

TEST(Checkpoint, ALearnerWithABaseGoesOnToTheBit) {
  LearnConfig config = testing::plain_config();
  config.backup = Backup::soft;
  config.backup_temp = config.above_base = 0.5;
  expect_going_on_to_the_bit(config);
}

}  // namespace
}  // namespace straq::learn
