#include "model/layers.h"

#include <torch/csrc/autograd/autograd.h>

#include <limits>

#include "model/llama.h"
#include "model_helpers.h"
#include "tests/testing.h"

namespace straq::model {
namespace {

using testing::relative_error;

at::Tensor leaf(at::IntArrayRef sizes, at::ScalarType dtype = at::kDouble) {
  return at::randn(sizes, at::TensorOptions().dtype(at::kDouble)).to(dtype).requires_grad_(true);
}

TEST(RmsNorm, HasTheValuesAndGradientsOfThePlainComposition) {
  at::manual_seed(3);
  const auto x = leaf({7, 16}), w = leaf({16}), g = at::randn({7, 16}, at::kDouble);
  const auto plain = w * (x * (x.pow(2).mean(-1, true) + 1e-5).rsqrt());
  const auto fused = rms_norm(x, w, 1e-5);
  EXPECT_LT(relative_error(fused, plain), 1e-14);
  const auto a = torch::autograd::grad({plain}, {x, w}, {g});
  const auto b = torch::autograd::grad({fused}, {x, w}, {g});
  EXPECT_LT(relative_error(b[0], a[0]), 1e-13);
  EXPECT_LT(relative_error(b[1], a[1]), 1e-13);
}

TEST(RmsNorm, StatisticsOfHalfPrecisionAreWide) {
  // 600 squared is beyond fp16's largest number: without fp32 statistics the result is zero.
  const auto x = at::full({1, 8}, 600.0, at::kHalf);
  const auto y = rms_norm(x, at::ones({8}, at::kHalf), 1e-5);
  EXPECT_EQ(y.scalar_type(), at::kHalf);
  EXPECT_LT((y.to(at::kFloat) - 1).abs().max().item<float>(), 1e-3);
}

TEST(Rotate, TurnsPairsByPositionTimesFrequency) {
  // One head of four: pairs (0, 2) and (1, 3), frequencies 1 and 0.5, position 3.
  const auto table =
      rotary_table(at::tensor({3}, at::kLong), at::tensor({1.0f, 0.5f}), at::kDouble);
  const auto x = at::tensor({1.0, 2.0, 3.0, 4.0}, at::kDouble).view({1, 1, 4});
  const auto y = rotate(x, table).view(-1);
  EXPECT_NEAR(y[0].item<double>(), 1 * std::cos(3.0) - 3 * std::sin(3.0), 1e-6);
  EXPECT_NEAR(y[2].item<double>(), 3 * std::cos(3.0) + 1 * std::sin(3.0), 1e-6);
  EXPECT_NEAR(y[1].item<double>(), 2 * std::cos(1.5) - 4 * std::sin(1.5), 1e-6);
  EXPECT_NEAR(y[3].item<double>(), 4 * std::cos(1.5) + 2 * std::sin(1.5), 1e-6);
}

TEST(Rotate, GradientIsTheRotationBack) {
  at::manual_seed(4);
  const auto table = rotary_table(at::arange(5), at::tensor({1.0f, 0.3f, 0.01f}), at::kDouble);
  const auto x = leaf({5, 2, 6});
  const auto y = rotate(x, table);
  // |y|^2 = |x|^2, so the gradient of its half is x itself (to the rounding of the fp32 tables).
  const auto g = torch::autograd::grad({y.square().sum() / 2}, {x});
  EXPECT_LT(relative_error(g[0], x), 1e-6);
  const auto weight = at::randn({5, 2, 6}, at::kDouble);
  const auto linear = torch::autograd::grad({(rotate(x, table) * weight).sum()}, {x});
  const auto step = at::randn({5, 2, 6}, at::kDouble);
  EXPECT_NEAR((linear[0] * step).sum().item<double>(),
              (rotate(step, table) * weight).sum().item<double>(), 1e-10);
}

TEST(SwiGlu, HasTheValuesAndGradientsOfThePlainCompositionInSeveralPieces) {
  at::manual_seed(6);
  const std::int64_t rows = 1200, width = 100;  // more than one cache-sized piece, the last partial
  const auto gate = leaf({rows, width}), up = leaf({rows, width});
  const auto g = at::randn({rows, width}, at::kDouble);
  const auto plain = at::silu(gate) * up, fused = swiglu(gate, up);
  EXPECT_LT(relative_error(fused, plain), 1e-15);
  const auto a = torch::autograd::grad({plain}, {gate, up}, {g});
  const auto b = torch::autograd::grad({fused}, {gate, up}, {g});
  EXPECT_LT(relative_error(b[0], a[0]), 1e-14);
  EXPECT_LT(relative_error(b[1], a[1]), 1e-14);
}

// Softmax over every row pair of the batch with one dense mask: slow and plain.
at::Tensor dense_attention(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v,
                           const at::Tensor& mask) {
  const auto repeat = q.size(1) / k.size(1);
  const auto heads = [](const at::Tensor& x) { return x.transpose(0, 1); };
  const auto kk = heads(k.repeat_interleave(repeat, 1)), vv = heads(v.repeat_interleave(repeat, 1));
  auto scores = at::matmul(heads(q), kk.transpose(1, 2)) / std::sqrt(double(q.size(2)));
  scores = scores.masked_fill(mask.logical_not(), -std::numeric_limits<double>::infinity());
  return at::matmul(at::softmax(scores, -1), vv).transpose(0, 1).reshape({q.size(0), -1});
}

class CombAttention : public ::testing::TestWithParam<std::pair<int, int>> {};

TEST_P(CombAttention, EqualsDenseAttentionUnderTheMaskOfTheWholeBatch) {
  const auto [heads, kv_heads] = GetParam();
  at::manual_seed(5);
  const auto a = testing::random_comb(1, {40, 9}, 4), b = testing::random_comb(2, {70}, 5);
  const auto batch =
      pack({{&a, testing::all_probes(a), false}, {&b, {}, true}, {&b, {1, 3}, true}}, at::kCPU);
  const auto mask = at::zeros({batch.rows, batch.rows}, at::kBool);
  for (const auto& s : batch.spans) {
    mask.slice(0, s.begin, s.begin + s.trunk)
        .slice(1, s.begin, s.begin + s.trunk)
        .copy_(at::ones({s.trunk, s.trunk}, at::kBool).tril());
    if (s.probes > 0) {
      mask.slice(0, s.begin + s.trunk, s.begin + s.trunk + s.probes)
          .slice(1, s.begin, s.begin + s.trunk + s.probes)
          .copy_(s.probe_mask);
    }
  }
  const auto q = leaf({batch.rows, heads, 8}), k = leaf({batch.rows, kv_heads, 8}),
             v = leaf({batch.rows, kv_heads, 8});
  const auto expected = dense_attention(q, k, v, mask);
  const auto actual = comb_attention(q, k, v, full_plan(batch, at::kDouble));
  EXPECT_LT(relative_error(actual, expected), 1e-13);
  const auto g = at::randn_like(expected);
  const auto x = torch::autograd::grad({expected}, {q, k, v}, {g});
  const auto y = torch::autograd::grad({actual}, {q, k, v}, {g});
  for (int i = 0; i < 3; ++i) EXPECT_LT(relative_error(y[i], x[i]), 1e-12) << i;
}

INSTANTIATE_TEST_SUITE_P(HeadGroups, CombAttention,
                         ::testing::Values(std::pair{4, 4}, std::pair{4, 2}, std::pair{6, 1}));

TEST(RopeFrequencies, PlainOnesAreAGeometricSeries) {
  auto shape = testing::small_shape();
  shape.head_dim = 8;
  shape.rope_theta = 10000;
  const auto f = rope_frequencies(shape);
  ASSERT_EQ(f.numel(), 4);
  const double expected[] = {1.0, 0.1, 0.01, 0.001};
  for (int i = 0; i < 4; ++i) EXPECT_NEAR(f[i].item<double>() / expected[i], 1.0, 1e-6);
}

TEST(RopeFrequencies, Llama3ScalingKeepsShortStretchesLongAndBlendsBetween) {
  auto shape = testing::small_shape();
  shape.head_dim = 8;
  shape.rope_theta = 10000;
  shape.rope_scaling = Llama3RopeScaling{8.0, 1.0, 4.0, 1000};
  const auto f = rope_frequencies(shape);
  // Wavelengths 2 pi / frequency: 6.28, 62.8, 628 and 6283 positions. Below 1000/4 = 250 nothing
  // changes; above 1000/1 the frequency is divided by 8; 628.3 lies between, with the blend
  // (1000/628.3185 - 1) / (4 - 1) = 0.1971831: 0.8028169 * 0.00125 + 0.1971831 * 0.01.
  EXPECT_NEAR(f[0].item<double>(), 1.0, 1e-6);
  EXPECT_NEAR(f[1].item<double>(), 0.1, 1e-7);
  EXPECT_NEAR(f[2].item<double>(), 0.0029753521, 1e-8);
  EXPECT_NEAR(f[3].item<double>(), 0.000125, 1e-10);
}

}  // namespace
}  // namespace straq::model
