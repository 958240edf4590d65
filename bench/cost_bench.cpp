// How the cost of a decision grows: with the length of a dialogue, with the decisions in it and
// with the model, once with a dialogue's decisions in one comb and once with a prompt for each of
// them, by the same learner on the same random tokens. cost_bench.sh draws it.
//
//   cost_bench [--quick] [--threads N] [--json FILE]
#include <ATen/Parallel.h>
#include <malloc.h>

#include <CLI/CLI.hpp>
#include <chrono>
#include <iostream>
#include <nlohmann/json.hpp>

#include "bench_main.h"
#include "comm/collectives/collectives.h"
#include "config/value.h"
#include "core/error.h"
#include "core/files/files.h"
#include "core/rng.h"
#include "learn/learner.h"

namespace {

using namespace straq;
using Json = nlohmann::ordered_json;

// As many as the strategies' letters, anywhere in the vocabulary.
const std::vector<std::int64_t> kOptions{10, 11, 12, 13, 14, 15, 16, 17};

// A dialogue of random tokens whose decisions are evenly spread.
prompt::Comb dialogue(std::uint64_t seed, int tokens, int decisions, std::int64_t vocab) {
  CounterRng rng(seed, "cost-bench");
  prompt::Comb comb;
  comb.id = std::to_string(seed);
  comb.trunks.resize(1);
  for (int i = 0; i < tokens; ++i) {
    comb.trunks[0].tokens.push_back(
        static_cast<prompt::TokenId>(rng.below(static_cast<std::uint64_t>(vocab))));
  }
  for (int d = 0; d < decisions; ++d) {
    comb.probes.push_back({0, tokens * (d + 1) / decisions, {1, 2, 3}});
    comb.decisions.push_back({d, d % 8, -1, d + 1 == decisions});
  }
  return comb;
}

// Each decision with what it and its next state see, as a comb of its own: what a trainer that does
// not share prefixes goes through. The state is the first decision of each. Neighbours are of
// different dialogues: a pass lays out once what all of its combs begin with, which would be the
// dialogue itself.
std::vector<prompt::Comb> cut(const std::vector<prompt::Comb>& combs) {
  std::vector<prompt::Comb> out;
  for (std::size_t d = 0; d < combs.front().decisions.size(); ++d) {
    for (const auto& comb : combs) {
      const std::size_t end = std::min(d + 2, comb.decisions.size());
      prompt::Comb one;
      one.id = comb.id;
      one.trunks = comb.trunks;
      one.trunks[0].tokens.resize(static_cast<std::size_t>(comb.probes[end - 1].attach));
      one.probes.assign(comb.probes.begin() + static_cast<std::ptrdiff_t>(d),
                        comb.probes.begin() + static_cast<std::ptrdiff_t>(end));
      one.decisions.assign(comb.decisions.begin() + static_cast<std::ptrdiff_t>(d),
                           comb.decisions.begin() + static_cast<std::ptrdiff_t>(end));
      out.push_back(std::move(one));
    }
  }
  return out;
}

struct Measured {
  double seconds = 0;  // of one step, the faster of two after one that warms up
  double loss = 0;     // of the first step
};

Measured measure(const model::LlamaShape& shape, const std::vector<prompt::Comb>& combs,
                 bool first_only, bool one_a_pass) {
  learn::LearnConfig config;
  if (one_a_pass) config.micro_tokens = 1;
  config.neg.resample = learn::Resample::fixed;
  learn::Batch batch;
  for (std::size_t i = 0; i < combs.size(); ++i) {
    const auto n = first_only ? 1 : static_cast<std::int32_t>(combs[i].decisions.size());
    batch.push_back({static_cast<std::int32_t>(i), 0, n});
  }
  auto online = std::make_unique<model::Llama>(shape, at::kFloat, at::kCPU, true);
  online->initialise(1);
  const auto group = comm::make_local_collectives();
  learn::Learner learner(std::move(online), combs, kOptions, planner::Readout::mean_logit, config,
                         *group);
  learner.share_start();
  auto stage = static_cast<learn::StageConfig>(config);
  stage.warmup = 0;
  learner.begin_stage(stage, 3);
  // One action each, the recorded one: both ways of laying the decisions out have the same loss.
  const learn::TransitionSource source = [&](std::int32_t comb, std::int32_t decision, std::int64_t,
                                             std::vector<learn::Transition>& out) {
    const auto& d =
        combs[static_cast<std::size_t>(comb)].decisions[static_cast<std::size_t>(decision)];
    out.push_back({decision, d.gold, 1.0, !d.terminal});
  };
  Measured m;
  for (int i = 0; i < 3; ++i) {
    const auto begin = std::chrono::steady_clock::now();
    const auto metrics = learner.step(batch, 0, source);
    const double took =
        std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
    if (i == 0) m.loss = metrics.loss;
    if (i == 1 || (i > 1 && took < m.seconds)) m.seconds = took;
  }
  return m;
}

// One point of a curve. Throws when the two layouts do not give the same loss.
Json point(const model::LlamaShape& shape, int tokens, int decisions, int budget) {
  const int dialogues = std::max(1, budget / tokens);
  std::vector<prompt::Comb> combs;
  for (int i = 0; i < dialogues; ++i) {
    combs.push_back(dialogue(static_cast<std::uint64_t>(i), tokens, decisions, shape.vocab));
  }
  const auto alone = cut(combs);
  const auto shared = measure(shape, combs, false, false),
             prompts = measure(shape, alone, true, dialogues == 1);
  if (std::abs(shared.loss - prompts.loss) > 1e-4 * std::abs(prompts.loss)) {
    fail_runtime("combs and prompts have different losses: " + std::to_string(shared.loss) +
                     " and " + std::to_string(prompts.loss),
                 "this is an error of the program");
  }
  const double n = static_cast<double>(dialogues) * decisions;
  Json out = {{"tokens", tokens},
              {"decisions", decisions},
              {"parameters", shape.parameter_count()},
              {"comb_ms_per_decision", 1e3 * shared.seconds / n},
              {"prompt_ms_per_decision", 1e3 * prompts.seconds / n},
              {"ratio", prompts.seconds / shared.seconds}};
  std::cout << tokens << " tokens, " << decisions << " decisions, " << shape.parameter_count()
            << " parameters: " << 1e3 * shared.seconds / n << " ms a decision, "
            << 1e3 * prompts.seconds / n << " with a prompt each, "
            << prompts.seconds / shared.seconds << "x" << std::endl;
  return out;
}

model::LlamaShape shape_of(const std::string& name) {
  auto shape = config::read<model::LlamaShape>(config::load_config("configs/shapes/" + name));
  shape.vocab = 4096;
  shape.max_positions = 8192;
  return shape;
}

int run(int argc, char** argv) {
  CLI::App app{"how the cost of a decision grows"};
  std::string json;
  bool quick = false;
  int threads = 1;
  app.add_option("--json", json, "write the result here");
  app.add_option("--threads", threads);
  app.add_flag("--quick", quick, "the small shape and a few points");
  CLI11_PARSE(app, argc, argv);
  mallopt(M_MMAP_THRESHOLD, 1 << 30);
  mallopt(M_TRIM_THRESHOLD, 1 << 30);
  at::set_num_threads(threads);

  const auto shape = shape_of(quick ? "small_128x4.yaml" : "small_256x6.yaml");
  const int budget = 4000;  // tokens of the dialogues of a step
  Json out = {{"threads", threads}};
  for (const int tokens :
       quick ? std::vector{250, 1000} : std::vector{250, 500, 1000, 2000, 4000}) {
    out["by_tokens"].push_back(point(shape, tokens, 12, budget));
  }
  for (const int n : quick ? std::vector{1, 8} : std::vector{1, 2, 4, 8, 16, 32}) {
    out["by_decisions"].push_back(point(shape, 1000, n, budget));
  }
  for (const char* name : {"small_128x4.yaml", "small_256x6.yaml", "medium_512x8.yaml"}) {
    if (quick && std::string(name) != "small_128x4.yaml") continue;
    out["by_size"].push_back(point(shape_of(name), 1000, 12, budget));
  }
  if (!json.empty()) write_file_atomic(json, out.dump(1) + "\n");
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  return straq::bench::bench_main("cost_bench", run, argc, argv);
}
