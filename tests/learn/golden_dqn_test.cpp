// Twelve DQN steps of a small real model, computed by transformers from the same transitions, one
// padded prompt each: losses, gradient norms, the target sync and the final weights.
#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "core/files/files.h"
#include "learn/learner.h"
#include "model/weights/huggingface.h"
#include "tests/model/device_way.h"
#include "tests/testing.h"

namespace straq::learn {
namespace {

using nlohmann::json;

// A prompt as a trunk with its last token as the probe.
void add_prompt(prompt::Comb& comb, const std::vector<prompt::TokenId>& ids) {
  const auto trunk = static_cast<std::int32_t>(comb.trunks.size());
  comb.trunks.push_back({{ids.begin(), ids.end() - 1}, 0});
  comb.probes.push_back({trunk, static_cast<std::int32_t>(ids.size()) - 1, {ids.back()}});
}

class GoldenDqn : public ::testing::TestWithParam<bool> {};

TEST_P(GoldenDqn, TwelveSteps) {
  STRAQ_REQUIRE_DATA(folder, "models/golden_dqn");
  STRAQ_REQUIRE_DATA(model_folder, "models/stories260K_hf");
  const bool sync = GetParam();
  const json golden = json::parse(read_file(folder + "/golden_dqn.json"));
  const json meta = json::parse(read_file(folder + "/meta.json"));
  const auto& settings = golden.at("settings");

  std::vector<prompt::Comb> combs;
  std::vector<Transition> transitions;
  std::ifstream in(folder + "/transitions.jsonl");
  for (std::string line; std::getline(in, line);) {
    const json t = json::parse(line);
    prompt::Comb comb;
    add_prompt(comb, t.at("ids"));
    const bool continues = !t.at("next_ids").is_null();
    comb.decisions.push_back({0, t.at("action"), -1, !continues});
    if (continues) {
      add_prompt(comb, t.at("next_ids"));
      comb.decisions.push_back({1, 0, -1, true});
    }
    transitions.push_back({0, t.at("action"), t.at("reward"), continues});
    combs.push_back(std::move(comb));
  }
  ASSERT_EQ(combs.size(), 48u);

  LearnConfig config;
  config.lr = settings.at("lr");
  config.lr_min = 1;  // a constant rate
  config.warmup = 0;
  config.beta1 = settings.at("betas")[0];
  config.beta2 = settings.at("betas")[1];
  config.eps = settings.at("eps");
  config.weight_decay = settings.at("weight_decay");
  config.clip = settings.at("clip");
  config.gamma = settings.at("gamma");
  const auto group = comm::make_local_collectives();
  std::unique_ptr<model::Llama> online(new model::Llama(
      model::load_huggingface(model_folder, at::kFloat, straq::testing::device(), true)));
  Learner learner(std::move(online), combs, meta.at("option_ids"), planner::Readout::mean_logit,
                  config, *group);
  learner.begin_stage(config, 12);
  const TransitionSource source = [&](std::int32_t comb, std::int32_t, std::int64_t,
                                      std::vector<Transition>& out) {
    out.push_back(transitions[static_cast<std::size_t>(comb)]);
  };
  const auto& steps = golden.at("steps");
  for (int step = 0; step < 12; ++step) {
    Batch batch;
    for (int i = 0; i < 8; ++i) batch.push_back({(step % 6) * 8 + i, 0, 1});
    const StepMetrics m = learner.step(batch, step / 6, source);
    const bool after_sync = step >= 10;
    if (!sync && after_sync) {
      const double expected = golden.at("loss_steps_11_12_without_sync")[step - 10];
      EXPECT_NEAR(m.loss, expected, 1e-4 * expected) << "step " << step + 1;
      continue;
    }
    const double loss = steps[step].at("loss"), norm = steps[step].at("grad_norm_before_clip");
    EXPECT_NEAR(m.loss, loss, 1e-4 * loss) << "step " << step + 1;
    EXPECT_NEAR(m.grad_norm, norm, 1e-4 * norm) << "step " << step + 1;
    if (sync && step == 9) learner.sync_target();
  }
  if (!sync) return;
  const auto& arena = learner.online().parameters();
  for (const auto& [name, values] : golden.at("final_weights").items()) {
    const at::Tensor w = arena[name].detach().to(at::kDouble);
    const double l2 = values.at("l2");
    EXPECT_NEAR(w.norm().item<double>(), l2, 1e-4 * l2) << name;
    const at::Tensor flat = w.flatten();
    for (int i = 0; i < 4; ++i) {
      const double expected = values.at("first4")[static_cast<std::size_t>(i)];
      EXPECT_NEAR(flat[i].item<double>(), expected, 1e-4 * std::max(std::abs(expected), 0.1))
          << name;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(WithAndWithoutSync, GoldenDqn, ::testing::Bool());

}  // namespace
}  // namespace straq::learn
