// What a run depends on and what not: the list that decides whether a checkpoint goes on.
#include "experiment/run_inputs.h"

#include <gtest/gtest.h>

#include <filesystem>

#include "core/files/files.h"
#include "core/hash.h"
#include "experiment/initial_model.h"
#include "model/weights/huggingface.h"
#include "tests/testing.h"

namespace straq::experiment {
namespace {

using straq::testing::error_of;
using straq::testing::TemporaryFolder;

shard::ShardKey data_of(const std::string& train) {
  shard::ShardKey key;
  key.source = sha256_hex(train);
  key.tokenizer = "byte_bpe:abc";
  key.prompt = sha256_hex("prompt");
  key.window = 512;
  key.data = "{}";
  key.dialogues_per_shard = 64;
  key.splits = {{"train", sha256_hex(train), "train"}};
  return key;
}

class Inputs : public ::testing::Test {
 protected:
  Inputs() { write_shape("rope_theta: 10000"); }
  void write_shape(const std::string& more) const {
    write_file_atomic(shape_,
                      "{vocab: 0, hidden: 32, layers: 1, heads: 2, kv_heads: 1, inner: 64, "
                      "max_positions: 2048, " +
                          more + "}\n");
  }
  RunInputs of(const std::string& yaml, const shard::ShardKey& data = data_of("a")) const {
    return run_inputs(
        read_experiment(config::parse_yaml(
            "name: x\nprompt: {window: 512}\ndata: {train: d/train.txt}\n" +
                (yaml.find("model:") == std::string::npos ? "model: {shape: " + shape_ + "}\n"
                                                          : std::string()) +
                yaml,
            "c.yaml")),
        data, 300);
  }
  std::string changes(const RunInputs& now) const {
    return join_changes(now.changes_since(of("")));
  }
  TemporaryFolder folder_;
  std::string shape_ = folder_.path("shape.yaml");
};

TEST_F(Inputs, WhatChangesNoNumberIsNone) {
  for (const char* yaml :
       {"results: elsewhere", "threads: 3", "roles: {learners: 2}", "watchdog: {seconds: 5}",
        "checkpoint: {every_steps: 3}", "shards: {folder: s, deflate: 0, dialogues_per_shard: 7}",
        "evaluate: {splits: [test], replicates: 200, every_steps: 5}", "best: {metric: acc}",
        // What failure messages advise.
        "learn: {micro_tokens: 100}", "learn: {zero1: true}",
        "learn: {collectives: {backend: mpi, bucket_mb: 1}}", "learn: {max_bad_steps: 3}",
        "learn: {replay: {memory_mb: 1}}", "learn: {freeze: {store: none}}",
        "learn: {freeze: {store: bf16}}",
        // A stage without steps is none.
        "pretrain: {lr: 0.1}"}) {
    EXPECT_EQ(changes(of(yaml)), "") << yaml;
  }
  for (const char* model : {"recompute: true", "device: cpu"}) {
    EXPECT_EQ(changes(of("model: {shape: " + shape_ + ", " + model + "}\n")), "") << model;
  }
  auto cut = data_of("a");
  cut.dialogues_per_shard = 3;
  cut.text_per_shard = 9;
  EXPECT_EQ(changes(of("", cut)), "");
}

TEST_F(Inputs, WhatChangesANumberIsNamed) {
  EXPECT_EQ(changes(of("learn: {gamma: 0.5}")), "learn.gamma was 0.85 and is 0.5");
  EXPECT_EQ(changes(of("seed: 2")), "seed was 1 and is 2");
  EXPECT_EQ(changes(of("", data_of("b"))), "train.txt has changed since");
  for (const char* yaml :
       {"learn: {batch: 32}", "learn: {lr: 0.1}", "learn: {neg: {ratio: 2}}", "learn: {steps: 3}",
        "learn: {replay: {capacity: 9}}", "q: {readout: vocab_prob}",
        "pretrain: {steps: 3, objective: {lm: 1}}", "learn: {planner: ce}",
        "learn: {freeze: {layers: 1}}", "learn: {freeze: {layers: all}}",
        "best: {use: true}\nevaluate: {every_steps: 5}"}) {
    EXPECT_NE(changes(of(yaml)), "") << yaml;
  }
  EXPECT_NE(changes(of("model: {shape: " + shape_ + ", precision: bf16}\n")), "");
  EXPECT_NE(changes(of("model: {shape: " + shape_ + ", lora: {rank: 2}}\n")), "");
  auto drawn = data_of("a");
  drawn.shuffle = 7;
  EXPECT_NE(changes(of("", drawn)), "");
  auto other = data_of("a");
  other.tokenizer = "byte_bpe:abd";
  EXPECT_EQ(changes(of("", other)), "the tokenizer has changed since");
  other = data_of("a");
  other.prompt = sha256_hex("another");
  EXPECT_NE(changes(of("", other)).find("the prompt"), std::string::npos);
  other = data_of("a");
  other.data = "{\"limit\":3}";
  EXPECT_NE(changes(of("", other)), "");
}

// Numbers of a shape that change no parameter's size.
TEST_F(Inputs, TheShapeCountsByItsContentAndNotByItsPath) {
  const RunInputs before = of("");
  std::filesystem::copy_file(shape_, folder_.path("copy.yaml"));
  EXPECT_EQ(changes(of("model: {shape: " + folder_.path("copy.yaml") + "}\n")), "");
  write_shape("rope_theta: 10, norm_eps: 0.1");
  EXPECT_EQ(join_changes(of("").changes_since(before)),
            "the model's shape.norm_eps was 1e-05 and is 0.1; the model's shape.rope_theta was "
            "10000 and is 10");
}

TEST_F(Inputs, WeightsCountByTheirContent) {
  model::LlamaShape shape;
  shape.vocab = 300;
  shape.hidden = 16;
  shape.layers = 1;
  shape.heads = 2;
  shape.kv_heads = 1;
  shape.inner = 32;
  const auto save = [&](const std::string& name, std::uint64_t seed) {
    model::Llama llama(shape, at::kFloat, at::kCPU, false);
    llama.initialise(seed);
    model::save_huggingface(llama, folder_.path(name));
  };
  save("a", 1);
  save("b", 1);
  save("c", 2);
  const auto from = [&](const std::string& name) {
    return of("model: {from: " + folder_.path(name) + "}\n");
  };
  const RunInputs a = from("a");
  EXPECT_EQ(join_changes(from("b").changes_since(a)), "");
  EXPECT_EQ(join_changes(from("c").changes_since(a)),
            "the content of model.from has changed since");
  save("a", 3);
  EXPECT_NE(from("a").changes_since(a).size(), 0u) << "a folder that was written again";
}

TEST_F(Inputs, AModelThatDoesNotFitIsRefused) {
  const auto e = error_of([&] {
    of("model: {shape: " + shape_ + "}\nlearn: {gamma: 0}\n", data_of("a"));
    run_inputs(read_experiment(config::parse_yaml(
                   "name: x\nprompt: {window: 4096}\nmodel: {shape: " + shape_ + "}\n", "c.yaml")),
               data_of("a"), 300);
  });
  ASSERT_TRUE(e);
  EXPECT_EQ(e->kind(), ErrorKind::input);
}

}  // namespace
}  // namespace straq::experiment
