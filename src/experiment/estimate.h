// What a training run will need before it is submitted: memory by kind and the time of a step, from
// the config alone. Memory is counted from what the learner allocates (learn/learner.h,
// model/decoder.h), so it is as exact as those; time is the operations of a step over an assumed
// share of a device's peak, so it is a guess and says so.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/tables/table.h"
#include "experiment/experiment.h"
#include "learn/sampler.h"

namespace straq::experiment {

// A kind of device that learners run on.
struct DeviceSpec {
  std::string name;
  double memory_bytes = 0;  // that a program can have, not the round number of its name
  double peak_flops = 0;    // of dense bf16 products, as its maker states it
};
// a100-40, a100-80, h100, h200, l40s. Throws Error(input) naming them for another name.
DeviceSpec device_spec(const std::string& name);

struct EstimateInput {
  model::LlamaShape shape;
  model::TrainedPart part;  // what is trained
  Precision precision = Precision::fp32;
  bool recompute = false, zero1 = false;
  bool based = false;                       // a base network stays (learn::LearnConfig::needs_base)
  bool bootstraps = true;                   // some stage has a target network
  bool pretrains = false;                   // some stage has the language-model objective
  learn::Texts texts = learn::Texts::none;  // what that stage makes of dialogues without decisions
  std::int64_t learners = 1;                // of a group
  std::int64_t micro_tokens = 8192;         // rows of one forward pass; 0: to be chosen by memory
  std::int64_t batch = 64;                  // decisions of a step, over all learners
  // Of the data set: rows of a comb for each of its decisions, and tokens of a trunk.
  double rows_per_decision = 85, trunk_tokens = 940;
};
// From a config; the shape's file or folder is read. `vocab` is taken where the shape has none.
EstimateInput estimate_input(const ExperimentConfig& config, std::int64_t learners,
                             std::int64_t vocab);

// Bytes on one learner.
struct MemoryEstimate {
  std::int64_t parameters = 0, trained = 0;  // their number, and of those that training changes
  double weights = 0, target = 0, gradients = 0;
  double master = 0;       // fp32 copy of lower-precision weights, or the learner's shard of it
  double moments = 0;      // both, or the learner's shards
  double activations = 0;  // the tape of one micro-batch
  double workspace = 0;    // what the backward pass and the losses hold beside it
  double total() const {
    return weights + target + gradients + master + moments + activations + workspace;
  }
};
// With micro_tokens 0: of a pass over all that a learner has of a batch.
MemoryEstimate estimate_memory(const EstimateInput& input);

// Rows of a forward pass for `learn.micro_tokens: 0`: the largest power of two from 512 to 65536
// with which nine tenths of `available` bytes hold a learner, the program and its libraries, and no
// larger than holds the learner's part of a batch. The smallest one where none fits: whether it
// fits after all shows when it is tried.
std::int64_t choose_micro_tokens(const EstimateInput& input, double available);
// Lengths of the data set at hand in place of the assumed ones.
void measure_data(EstimateInput& input, const prompt::EachComb& combs);

// Room to spare (a tenth is left), room with little to spare, or none.
enum class Fit { yes, tight, no };
Fit fits(const MemoryEstimate& memory, const DeviceSpec& device);

// Operations of one optimizer step over all learners: three passes' worth online (four with
// recomputation), one for the target network; every row in every layer, causal attention.
double step_flops(const EstimateInput& input);
// Their time on so many devices, each at an assumed share of its peak.
inline constexpr double kUtilisation = 0.4;
double step_seconds(const EstimateInput& input, const DeviceSpec& device,
                    double utilisation = kUtilisation);

// What an epoch has, by corpus: decisions, and as how many more the dialogues without any count in
// a stage that learns from text alone (learn::Texts::alone; here by characters, as there is no
// tokenizer yet).
struct EpochSize {
  std::int64_t decisions = 0, text = 0;
};
EpochSize measure_epoch(const std::vector<dialogue::Episode>& episodes);
// Optimizer steps of a run, all stages, on such a train split.
std::int64_t run_steps(const ExperimentConfig& config, const EpochSize& epoch);
inline std::int64_t run_steps(const ExperimentConfig& config, std::int64_t decisions) {
  return run_steps(config, EpochSize{decisions, 0});
}
// Operations of a whole run. For comparing points of a sweep: their data's own lengths are left
// out. Throws Error(input) where the model's shape cannot be read.
double run_flops(const ExperimentConfig& config, const EpochSize& epoch);
inline double run_flops(const ExperimentConfig& config, std::int64_t decisions) {
  return run_flops(config, EpochSize{decisions, 0});
}

// The config as it stands and the variants that save memory, each with its bytes and, where a
// device is named, whether it fits and how long a step would take at `utilisation` of the peak.
std::vector<Table> estimate_tables(const EstimateInput& input,
                                   const std::optional<DeviceSpec>& device,
                                   double utilisation = kUtilisation);

}  // namespace straq::experiment
