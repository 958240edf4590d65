// One experiment as a config file describes it: everything from corpora to evaluation, in one
// struct whose resolved form is stored in every run folder.
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "comm/roles.h"
#include "comm/watchdog.h"
#include "config/fields.h"
#include "dialogue/splits.h"
#include "learn/checkpoint.h"
#include "learn/learn_config.h"
#include "model/llama.h"
#include "planner/readout.h"
#include "prompt/prompt_config.h"
#include "respond/reply_combs.h"
#include "shard/manifest.h"
#include "text/tokenizer_config.h"

namespace straq::metrics {
struct StrategyMetric;
}

namespace straq::experiment {

enum class DeviceKind { automatic, cpu, cuda };
enum class Precision { fp32, fp64, bf16 };

struct ModelConfig {
  std::string shape = "configs/shapes/tiny.yaml";  // a file of shape keys, for random weights
  std::string from;  // a Hugging Face folder, a planner's, a GGUF file; empty: random weights
  // Of model.from the lowest layers alone, with its final norm above them; 0: all. What the upper
  // ones have learned is to predict the next token; the middle ones often read better.
  std::int64_t keep_layers = 0;
  // Of random weights: the standard deviation of the matrices (those that write into the residual
  // stream by 1 / sqrt(2 layers) less). 0.02 is made for a width of 2,000; a narrow model learns
  // where to look much sooner from about 1 / sqrt(width).
  double init_std = 0.02;
  DeviceKind device = DeviceKind::automatic;
  Precision precision =
      Precision::fp32;  // of the computation; weights are updated in fp32 or wider
  // Activation recomputation: the forward pass keeps each layer's input alone.
  bool recompute = false;
  model::LoraConfig lora;  // an adapter is trained, and nothing else
  void fields(config::Fields& f) {
    f("shape", shape);
    f("from", from);
    f("keep_layers", keep_layers, config::between(0, 100000));
    f("init_std", init_std, config::above(0));
    f.choice("device", device,
             {{"auto", DeviceKind::automatic},
              {"cpu", DeviceKind::cpu},
              {"cuda", DeviceKind::cuda, kCudaBuilt}});
    f.choice("precision", precision,
             {{"fp32", Precision::fp32}, {"fp64", Precision::fp64}, {"bf16", Precision::bf16}});
    f("recompute", recompute);
    f("lora", lora);
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
  // Evaluations while training goes on, counted in each stage; 0 and 0: none.
  std::int64_t every_steps = 0;
  double every_epochs = 0;  // a fraction is allowed; every_steps goes first
  std::string split = "valid";
  // Dialogues with the simulator that the planner is played in when it is trained; 0: none.
  std::int64_t play = 0;
  void fields(config::Fields& f) {
    f("splits", splits);
    f("replicates", replicates, config::between(100, 1e6));
    f("every_steps", every_steps, config::between(0, 1e12));
    f("every_epochs", every_epochs, config::between(0, 1e6));
    f("split", split);
    f("play", play, config::between(0, 1000000));
  }
  bool during_training() const { return every_steps > 0 || every_epochs > 0; }
};

// Which of the evaluations during the last stage counts as the best one.
enum class BestMode { automatic, max, min };
struct BestConfig {
  std::string metric = "macro_f1";      // one of choices that has a better side (metrics/metric.h)
  BestMode mode = BestMode::automatic;  // by the metric's better side
  bool use = false;           // predictions and planner come from the best weights, not the last
  std::int64_t patience = 0;  // stop after so many evaluations without gain; 0: never
  void fields(config::Fields& f) {
    f.word("metric", metric, metrics_to_choose());
    f.choice("mode", mode,
             {{"auto", BestMode::automatic}, {"max", BestMode::max}, {"min", BestMode::min}});
    f("use", use);
    f("patience", patience, config::between(0, 1e9));
  }
  const metrics::StrategyMetric& by() const;
  bool lower_is_better() const;
  static std::vector<std::pair<std::string, bool>> metrics_to_choose();
};

// What makes the points of a sweep; experiment/sweep.h says how.
struct SweepConfig {
  config::Value grid = config::Value::make_map();     // "learn.gamma": [0, 0.5, 0.85]
  config::Value lists = config::Value::make_map();    // the same, in step
  config::Value points = config::Value::make_list();  // {"learn.gamma": 0.5}, one by one
  std::vector<std::int64_t> seeds;                    // empty: the experiment's one seed
  void fields(config::Fields& f) {
    f.raw("grid", grid);
    f.raw("lists", lists);
    f.raw("points", points);
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

// A section of earlier versions that did nothing (how replies are written, before there was
// `straq respond`).
inline constexpr const char* kFormerSection = "gen";

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
  // With a method a responder is trained in place of a planner: learn.objective is then lm, on what
  // the responder should have answered, and of `prompt` the window alone counts.
  respond::ResponderConfig responder;
  planner::QConfig q;
  learn::StageConfig pretrain;  // a stage before Q-learning; epochs 0 = none
  learn::LearnConfig learn;
  learn::CheckpointConfig checkpoint;
  EvaluateConfig evaluate;
  BestConfig best;
  comm::RoleConfig roles;
  SweepConfig sweep;
  comm::WatchdogConfig watchdog;

  void fields(config::Fields& f);
};

// Reads and checks; throws Error(input) with file, line and key.
ExperimentConfig read_experiment(const config::Value& root);

}  // namespace straq::experiment
