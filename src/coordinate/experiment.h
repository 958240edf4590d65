// One experiment as a config file describes it: everything from corpora to evaluation, in one
// struct whose resolved form is stored in every run folder.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "comm/roles.h"
#include "config/fields.h"
#include "dialogue/splits.h"
#include "learn/learn_config.h"
#include "model/llama.h"
#include "planner/readout.h"
#include "prompt/prompt_config.h"
#include "shard/manifest.h"
#include "text/tokenizer_config.h"

namespace straq::coordinate {

enum class DeviceKind { automatic, cpu, cuda };
enum class Precision { fp32, fp64, bf16 };

struct ModelConfig {
  std::string shape = "configs/shapes/tiny.yaml";  // a file of shape keys, for random weights
  std::string from;  // a Hugging Face folder, or a planner's; empty = random weights of `shape`
  DeviceKind device = DeviceKind::automatic;
  Precision precision = Precision::fp32;
  void fields(config::Fields& f) {
    f("shape", shape);
    f("from", from);
    f.choice("device", device,
             {{"auto", DeviceKind::automatic},
              {"cpu", DeviceKind::cpu},
              {"cuda", DeviceKind::cuda, kCudaBuilt}});
    f.choice(
        "precision", precision,
        {{"fp32", Precision::fp32}, {"fp64", Precision::fp64}, {"bf16", Precision::bf16, false}});
  }
#ifdef STRAQ_CUDA
  static constexpr bool kCudaBuilt = true;
#else
  static constexpr bool kCudaBuilt = false;
#endif
};

struct EvaluateConfig {
  std::vector<std::string> splits = {"valid", "test"};
  std::int64_t replicates = 10000;  // of the cluster bootstrap
  void fields(config::Fields& f) {
    f("splits", splits);
    f("replicates", replicates, config::at_least(100));
  }
};

// How replies are written from a planned strategy. The commands that write them come with a later
// version; the keys are here so that a config is complete and their values are checked.
enum class Decoding { greedy, sample };
struct GenerationConfig {
  Decoding decoding = Decoding::greedy;
  int max_new_tokens = 64;
  void fields(config::Fields& f) {
    f.choice("decoding", decoding,
             {{"greedy", Decoding::greedy}, {"sample", Decoding::sample, false}});
    f("max_new_tokens", max_new_tokens, config::at_least(1));
  }
};

struct SweepConfig {
  config::Value grid = config::Value::make_map();  // "learn.gamma": [0, 0.5, 0.85]
  std::vector<std::int64_t> seeds;                 // empty: the experiment's one seed
  void fields(config::Fields& f) {
    f.raw("grid", grid);
    f("seeds", seeds);
  }
};

struct SimulateSection {
  std::string config;  // of `straq simulate`; empty: the corpus is there already
  std::string folder;
  void fields(config::Fields& f) {
    f("config", config);
    f("folder", folder);
  }
};

struct ExperimentConfig {
  std::string name;
  std::string results = "results";
  std::int64_t seed = 1;
  int threads = 0;  // of each learner's tensor kernels; 0: the node's cores shared by its learners
  SimulateSection simulate;
  dialogue::DataConfig data;
  text::TokenizerConfig tokenizer;
  prompt::PromptConfig prompt;
  shard::ShardConfig shards;
  ModelConfig model;
  planner::QConfig q;
  learn::StageConfig pretrain;  // a stage before Q-learning; epochs 0 = none
  learn::LearnConfig learn;
  EvaluateConfig evaluate;
  GenerationConfig gen;
  comm::RoleConfig roles;
  SweepConfig sweep;

  void fields(config::Fields& f);
};

// Reads and checks; throws Error(input) with file, line and key.
ExperimentConfig read_experiment(const config::Value& root);

}  // namespace straq::coordinate
