#include <gtest/gtest.h>

#include <numeric>

#include "config/choices.h"
#include "device_way.h"
#include "model/inference/inference_model.h"
#include "model_helpers.h"
#include "tests/testing.h"

namespace straq::model {
namespace {

using straq::testing::error_of;
using testing::random_tokens;
using testing::small_shape;

Llama random_model(LlamaShape shape = small_shape()) {
  Llama model(shape, at::kFloat, at::kCPU, false);
  model.initialise(11, 0.3);
  return model;
}

// Hidden states of every token by the training decoder.
at::Tensor reference(const Llama& model, const std::vector<prompt::TokenId>& tokens) {
  at::NoGradGuard no_grad;
  prompt::Comb comb;
  comb.trunks.resize(1);
  comb.trunks[0].tokens = tokens;
  const auto batch = pack({{&comb, {}, true}}, at::kCPU);
  return model.hidden(batch, at::arange(batch.rows, at::kLong));
}

std::vector<text::TokenId> slice(const std::vector<text::TokenId>& tokens, std::int64_t begin,
                                 std::int64_t end) {
  return {tokens.begin() + begin, tokens.begin() + end};
}

TEST(Inference, IsTheDecoderOfTraining) {
  for (const bool tied : {true, false}) {
    auto shape = small_shape();
    shape.tied = tied;
    const Llama model = random_model(shape);
    const InferenceModel inference(weights_of(model));
    CounterRng rng(1, "tokens");
    const auto tokens = random_tokens(rng, 75, 50);
    Cache cache(inference.cache_shape(), 20);
    const auto s = cache.create();
    const auto hidden = inference.forward(cache, {append(cache, s, tokens, 75)});
    const auto expected = reference(model, tokens);
    EXPECT_LT((hidden - expected).abs().max().item<double>(), 2e-5);
    EXPECT_LT((inference.logits(hidden) - model.logits(expected)).abs().max().item<double>(), 1e-3);
  }
}

// Pieces of any size, forks in the middle of pages, forks from tokens of the same pass.
TEST(Inference, TokensHaveTheSameHiddenStatesHoweverTheyCame) {
  const Llama model = random_model();
  const InferenceModel inference(weights_of(model));
  CounterRng rng(2, "tokens");
  const auto tokens = random_tokens(rng, 60, 50);
  auto other = tokens;
  other.resize(41);
  for (int i = 0; i < 9; ++i) other.push_back(static_cast<text::TokenId>(i));
  Cache whole_cache(inference.cache_shape(), 40);
  const auto whole_of = [&](const std::vector<text::TokenId>& t) {
    const auto s = whole_cache.create();
    const auto n = static_cast<std::int64_t>(t.size());
    return inference.forward(whole_cache, {append(whole_cache, s, t, n)});
  };
  const auto expected = whole_of(tokens), expected_other = whole_of(other);

  Cache cache(inference.cache_shape(), 40);
  const auto s = cache.create();
  std::vector<at::Tensor> parts;
  for (const auto& [begin, end] : {std::pair{0, 1}, {1, 18}, {18, 41}}) {
    parts.push_back(
        inference.forward(cache, {append(cache, s, slice(tokens, begin, end), end - begin)}));
  }
  // One pass: the rest, and a fork from the middle of a page of it that begins with its tokens.
  std::vector<Append> batch{append(cache, s, slice(tokens, 41, 60), 19)};
  const auto fork = cache.fork(s, 41), late = cache.fork(s, 55);
  batch.push_back(append(cache, fork, slice(other, 41, 50), 9));
  batch.push_back(append(cache, late, slice(tokens, 55, 60), 5));
  const auto last = inference.forward(cache, batch);
  parts.push_back(last.narrow(0, 0, 19));
  const auto same = [](const at::Tensor& a, const at::Tensor& b) {
    return row_kernels_allowed ? at::equal(a, b) : at::allclose(a, b, 1e-4, 1e-5);
  };
  EXPECT_TRUE(same(at::cat(parts), expected));
  EXPECT_TRUE(same(last.narrow(0, 19, 9), expected_other.narrow(0, 41, 9)));
  EXPECT_TRUE(same(last.narrow(0, 28, 5), expected.narrow(0, 55, 5)));
}

TEST(Inference, ReadsOnlyWhatIsAskedFor) {
  const Llama model = random_model();
  const InferenceModel inference(weights_of(model));
  CounterRng rng(3, "tokens");
  const auto a = random_tokens(rng, 30, 50), b = random_tokens(rng, 7, 50);
  Cache cache(inference.cache_shape(), 20);
  const auto sa = cache.create(), sb = cache.create(), sc = cache.create();
  const auto hidden = inference.forward(
      cache, {append(cache, sa, a, 1), append(cache, sb, b, 0), append(cache, sc, b, 2)});
  ASSERT_EQ(hidden.size(0), 3);
  EXPECT_LT((hidden[0] - reference(model, a)[29]).abs().max().item<double>(), 2e-5);
  EXPECT_LT((hidden[2] - reference(model, b)[6]).abs().max().item<double>(), 2e-5);
}

TEST(Inference, NarrowWeightsCostOneRounding) {
  const Llama model = random_model();
  CounterRng rng(4, "tokens");
  const auto tokens = random_tokens(rng, 20, 50);
  const auto expected = reference(model, tokens);
  for (const auto& [precision, most] :
       {std::pair{WeightPrecision::bf16, 0.05}, {WeightPrecision::int8, 0.1}}) {
    const InferenceModel inference(weights_of(model), precision);
    Cache cache(inference.cache_shape(), 20);
    const auto s = cache.create();
    const auto hidden = inference.forward(cache, {append(cache, s, tokens, 20)});
    const auto error = ((hidden - expected).norm() / expected.norm()).item<double>();
    EXPECT_LT(error, most) << config::word_of(kWeightPrecisions, precision);
    EXPECT_GT(error, 1e-5) << config::word_of(kWeightPrecisions, precision);
  }
}

TEST(Inference, BadTokensAndPositionsAreNamed) {
  const Llama model = random_model();
  const InferenceModel inference(weights_of(model));
  Cache cache(inference.cache_shape(), 40);
  const auto s = cache.create(), t = cache.create();
  const auto outside = error_of([&] { inference.forward(cache, {append(cache, s, {50}, 1)}); });
  EXPECT_NE(outside->full().find("outside the model's vocabulary of 50"), std::string::npos);
  const auto beyond = error_of(
      [&] { inference.forward(cache, {append(cache, t, std::vector<text::TokenId>(257, 1), 1)}); });
  EXPECT_NE(beyond->full().find("256 positions"), std::string::npos);
}

}  // namespace
}  // namespace straq::model
