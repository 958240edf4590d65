// Models of which a part is trained: the same outputs and the same gradients as where everything
// is.
#include "model/trained_part.h"

#include <gtest/gtest.h>
#include <torch/csrc/autograd/autograd.h>

#include <algorithm>
#include <cmath>
#include <string>
#include <tuple>
#include <vector>

#include "model/llama.h"
#include "model_helpers.h"
#include "tests/testing.h"

namespace straq::model {
namespace {

using straq::testing::error_of;
using testing::all_probes;
using testing::random_comb;
using testing::relative_error;
using testing::small_shape;

Llama model_of(const TrainedPart& part, bool tied = true, at::ScalarType dtype = at::kDouble) {
  auto shape = small_shape();
  shape.tied = tied;
  Llama model(shape, dtype, at::kCPU, true, part);
  model.initialise(7, 0.15);
  return model;
}

CombBatch batch_of(const Llama& model) {
  static const prompt::Comb a = random_comb(1, {40}, 4), b = random_comb(2, {23, 31}, 3);
  return pack({{&a, all_probes(a), true}, {&b, all_probes(b)}}, model.device());
}

// A loss with a gradient for every hidden value that is read, and for the output projection.
at::Tensor loss_of(const Llama& model, const CombBatch& batch) {
  const at::Tensor hidden = model.hidden(batch, batch.readout_rows);
  const auto n = hidden.size(0);
  const at::Tensor weights =
      at::sin(at::arange(n * hidden.size(1), hidden.options())).view({n, -1});
  const at::Tensor next = at::arange(n, at::kLong).remainder(50);
  return (hidden * weights).sum() + model.cross_entropy_sum(hidden, next) +
         model.logits_of(hidden, at::tensor({3, 5}, at::kLong)).sum() +
         model.logits(hidden).square().sum();
}

double backward(const Llama& model, const CombBatch& batch) {
  const at::Tensor loss = loss_of(model, batch);
  torch::autograd::backward({loss}, {});
  return loss.item<double>();
}

class Freezing : public ::testing::TestWithParam<std::tuple<int, bool, bool>> {};

TEST_P(Freezing, LeavesOutputsAndTheOtherGradientsAsTheyAre) {
  const auto [layers, tied, recompute] = GetParam();
  Llama all = model_of({}, tied), some = model_of({.frozen_layers = layers}, tied);
  some.set_recompute(recompute);
  const auto batch = batch_of(all);
  std::vector<bool> told(static_cast<std::size_t>(some.parameters().size()));
  some.on_gradient([&](std::int64_t begin, std::int64_t end) {
    for (auto i = begin; i < end; ++i) {
      EXPECT_FALSE(told[static_cast<std::size_t>(i)]) << i << " was told twice";
      told[static_cast<std::size_t>(i)] = true;
    }
  });
  EXPECT_EQ(backward(some, batch), backward(all, batch));
  EXPECT_EQ(std::count(told.begin(), told.end(), false), 0);
  EXPECT_EQ(some.frozen().size() + some.parameters().size(), all.parameters().size());
  for (const auto& spec : some.parameters().specs()) {
    EXPECT_LT(relative_error(some.parameters().grad(spec.name), all.parameters().grad(spec.name)),
              1e-12)
        << spec.name;
  }
  EXPECT_EQ(some.frozen().has("model.embed_tokens.weight"), layers > 0);
}

TEST_P(Freezing, GoesOnFromTheStatesOfTheFrozenLayers) {
  const auto [layers, tied, recompute] = GetParam();
  if (layers == 0) return;
  Llama whole = model_of({.frozen_layers = layers}, tied),
        upper = model_of({.frozen_layers = layers}, tied);
  upper.set_recompute(recompute);
  auto batch = batch_of(whole);
  const double expected = backward(whole, batch);
  batch.lower_states = upper.lower_states(batch);
  EXPECT_NEAR(backward(upper, batch), expected, 1e-10 * std::abs(expected));
  EXPECT_LT(relative_error(upper.parameters().flat_grad(), whole.parameters().flat_grad()), 1e-12);
}

INSTANTIATE_TEST_SUITE_P(Layers, Freezing,
                         ::testing::Combine(::testing::Values(0, 1, 2, 3), ::testing::Bool(),
                                            ::testing::Bool()));

class Adapting : public ::testing::TestWithParam<TrainedPart> {};

// W + s B A has d loss / d B = s dW A^T and d loss / d A = s B^T dW, with dW the gradient of a
// model that has the sum as its weight.
TEST_P(Adapting, HasTheGradientsOfTheProduct) {
  const TrainedPart part = GetParam();
  Llama adapted = model_of(part), merged = model_of({});
  at::manual_seed(5);
  adapted.parameters().flat().normal_(0, 0.2);
  for (const auto& spec : parameter_specs(merged.shape())) {
    merged.weight(spec.name).copy_(adapted.merged_weight(spec.name));
  }
  const auto batch = batch_of(merged);
  std::int64_t told = 0;
  adapted.on_gradient([&](std::int64_t begin, std::int64_t end) { told += end - begin; });
  const double expected = backward(merged, batch);
  EXPECT_NEAR(backward(adapted, batch), expected, 1e-11 * std::abs(expected));
  EXPECT_EQ(told, adapted.parameters().size());
  int seen = 0;
  for (const auto& spec : parameter_specs(merged.shape())) {
    const auto a = factor_name(spec.name, 'A'), b = factor_name(spec.name, 'B');
    if (!adapted.parameters().has(a)) continue;
    ++seen;
    const at::Tensor dw = merged.parameters().grad(spec.name).mul(part.lora.scale());
    EXPECT_LT(relative_error(adapted.parameters().grad(b), at::mm(dw, adapted.parameters()[a].t())),
              1e-11)
        << b;
    EXPECT_LT(relative_error(adapted.parameters().grad(a), at::mm(adapted.parameters()[b].t(), dw)),
              1e-11)
        << a;
  }
  EXPECT_EQ(seen, static_cast<int>(part.lora.targets.size()) * (3 - part.frozen_layers));
}

INSTANTIATE_TEST_SUITE_P(
    Targets, Adapting,
    ::testing::Values(TrainedPart{0, {.rank = 3, .alpha = 6}},
                      TrainedPart{0, {2, 5, {"q_proj", "v_proj"}}},
                      TrainedPart{0, {4, 4, {"down_proj", "k_proj", "up_proj"}}},
                      TrainedPart{2, {1, 8, {"o_proj", "gate_proj", "k_proj"}}}));

TEST(Adapter, IsNothingAtFirstAndFollowsFromItsSeed) {
  const TrainedPart part{0, {.rank = 3, .alpha = 6}};
  Llama plain = model_of({}, true, at::kFloat), adapted = model_of(part, true, at::kFloat);
  adapted.initialise_adapter(11);
  const auto batch = batch_of(plain);
  at::NoGradGuard no_grad;
  EXPECT_TRUE(at::equal(adapted.hidden(batch, batch.readout_rows),
                        plain.hidden(batch, batch.readout_rows)));
  const at::Tensor a = adapted.parameters()["model.layers.1.mlp.down_proj.lora_A.weight"];
  EXPECT_LE(a.abs().max().item<float>(), 1 / std::sqrt(48.0F));
  EXPECT_GT(a.std().item<float>(), 0.5 / std::sqrt(3 * 48.0F));
  Llama again = model_of(part, true, at::kFloat);
  again.initialise_adapter(11);
  EXPECT_EQ(again.checksum(), adapted.checksum());
  again.initialise_adapter(12);
  EXPECT_NE(again.checksum(), adapted.checksum());
}

TEST(TrainedPart, ATwinSharesWhatIsFrozenAndHasTheRestOfItsOwn) {
  Llama model = model_of({.frozen_layers = 2});
  const auto twin = model.twin();
  const auto address = [](const Llama& m, const char* name) { return m.weight(name).data_ptr(); };
  EXPECT_EQ(address(*twin, "model.layers.1.mlp.up_proj.weight"),
            address(model, "model.layers.1.mlp.up_proj.weight"));
  EXPECT_NE(address(*twin, "model.layers.2.mlp.up_proj.weight"),
            address(model, "model.layers.2.mlp.up_proj.weight"));
  EXPECT_FALSE(twin->parameters().flat_grad().defined());
  twin->parameters().copy_from(model.parameters());
  EXPECT_EQ(twin->checksum(), model.checksum());
}

TEST(TrainedPart, WhatCannotBeTrainedIsRefusedByItsKey) {
  const auto refusal = [](const TrainedPart& part) {
    const auto error = error_of([&] { part.check(small_shape()); });
    return error ? error->full() : std::string();
  };
  const auto says = [&](const TrainedPart& part, const std::string& words) {
    EXPECT_NE(refusal(part).find(words), std::string::npos) << refusal(part);
  };
  says({.frozen_layers = 4}, "learn.freeze.layers is 4");
  says({3, {.rank = 2}}, "model.lora has no layer");
  says({0, {2, 4, {}}}, "model.lora.targets is empty");
  says({0, {2, 4, {"q_porj"}}}, "\"q_porj\"");
  says({0, {2, 4, {"q_proj", "q_proj"}}}, "twice");
  EXPECT_NO_THROW(TrainedPart{.frozen_layers = 3}.check(small_shape()));
}

}  // namespace
}  // namespace straq::model
