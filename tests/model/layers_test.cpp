#include "model/layers.h"

#include <torch/csrc/autograd/autograd.h>

#include "model/attention.h"
#include "model/heads.h"
#include "model/llama.h"
#include "model_helpers.h"
#include "plain_llama.h"
#include "tests/testing.h"

namespace straq::model {
namespace {

using testing::relative_error;

at::Tensor leaf(at::IntArrayRef sizes, at::ScalarType dtype = at::kDouble) {
  return at::randn(sizes, at::TensorOptions().dtype(at::kDouble)).to(dtype).requires_grad_(true);
}

// How far a function of this precision may be from its value in double.
double rounding(at::ScalarType dtype) {
  return dtype == at::kDouble ? 1e-13 : dtype == at::kFloat ? 2e-6 : 2e-2;
}

class Kernels : public ::testing::TestWithParam<at::ScalarType> {
 protected:
  at::Tensor random(at::IntArrayRef sizes) const {
    return at::randn(sizes, at::TensorOptions().dtype(at::kDouble)).to(GetParam());
  }
  at::Tensor leaf_of(const at::Tensor& x) const { return x.to(at::kDouble).requires_grad_(true); }
  at::ScalarType wide() const { return wide_type(GetParam()); }
  void expect_near(const at::Tensor& actual, const at::Tensor& expected) const {
    EXPECT_LT(relative_error(actual.to(at::kDouble), expected.detach()), rounding(GetParam()));
  }
};

TEST_P(Kernels, RmsNormHasTheValuesAndGradientsOfThePlainComposition) {
  at::manual_seed(3);
  for (const std::int64_t width : {1, 7, 16, 100}) {  // also widths that no vector divides
    SCOPED_TRACE(width);
    const auto x = random({7, width}), w = random({width}), g = random({7, width});
    const auto lx = leaf_of(x), lw = leaf_of(w);
    const auto plain = lw * (lx * (lx.square().mean(-1, true) + 1e-5).rsqrt());
    at::Tensor scale;
    expect_near(rms_norm(x, w, 1e-5, scale), plain);
    expect_near(rms_norm_again(x, w, scale), plain);
    const auto expected = torch::autograd::grad({plain}, {lx, lw}, {g.to(at::kDouble)});
    auto dx = at::ones_like(x), dw = at::ones({width}, wide());
    rms_norm_backward(x, w, scale, g, dx, dw);
    expect_near(dx, expected[0] + 1);  // gradients are added
    expect_near(dw, expected[1] + 1);
  }
}

TEST_P(Kernels, SwiGluHasTheValuesAndGradientsOfThePlainComposition) {
  at::manual_seed(6);
  const std::int64_t rows = 50, width = 37;
  const auto both = random({rows, 2 * width}).mul_(3), g = random({rows, width});
  const auto l = leaf_of(both);
  const auto plain = at::silu(l.narrow(1, 0, width)) * l.narrow(1, width, width);
  expect_near(swiglu(both), plain);
  const auto expected = torch::autograd::grad({plain}, {l}, {g.to(at::kDouble)})[0];
  const auto d = both.clone(), value = g.clone();
  swiglu_backward_(d, value);
  expect_near(d, expected);
  expect_near(value, plain);  // what the next weight's gradient needs
}

TEST_P(Kernels, SwiGluSurvivesLargeInputs) {
  const auto both = at::tensor({200.0, -200.0, 90.0, -90.0, 2.0, 2.0, 2.0, 2.0}, at::kDouble)
                        .to(GetParam())
                        .view({1, 8});
  const auto out = swiglu(both);
  EXPECT_TRUE(out.isfinite().all().item<bool>());
  EXPECT_NEAR(out[0][0].item<double>(), 400, 4);
  EXPECT_NEAR(out[0][1].item<double>(), 0, 1e-6);
  auto d = both.clone(), g = at::ones({1, 4}, both.options());
  swiglu_backward_(d, g);
  EXPECT_TRUE(d.isfinite().all().item<bool>());
}

TEST_P(Kernels, RotatingBackIsTheTransposeOfRotating) {
  at::manual_seed(4);
  const auto frequencies = at::tensor({1.0f, 0.3f, 0.01f});
  const auto table = rotary_table(9, frequencies, GetParam());
  const auto positions = at::tensor({8, 0, 3, 3, 5}, at::kLong);
  const auto all = random({5, 20});
  auto x = all.narrow(1, 4, 12);  // two heads of six between other columns
  const auto before = all.clone();
  rotate_(x, 2, table, positions);
  const auto turned = x.clone();
  EXPECT_TRUE(at::equal(all.narrow(1, 0, 4), before.narrow(1, 0, 4)));
  EXPECT_TRUE(at::equal(all.narrow(1, 16, 4), before.narrow(1, 16, 4)));
  EXPECT_TRUE(at::equal(turned[1], before[1].narrow(0, 4, 12)));  // position 0
  rotate_(x, 2, table, positions, -1);
  // The angles' cosines and sines are those of fp32 in every precision.
  EXPECT_LT(relative_error(x.to(at::kDouble), before.narrow(1, 4, 12).to(at::kDouble)),
            std::max(1e-6, rounding(GetParam())));
}

INSTANTIATE_TEST_SUITE_P(Precisions, Kernels,
                         ::testing::Values(at::kFloat, at::kDouble, at::kBFloat16),
                         [](const auto& info) { return c10::toString(info.param); });

TEST(RmsNorm, StatisticsOfHalfPrecisionAreWide) {
  // 600 squared is beyond fp16's largest number: without fp32 statistics the result is zero.
  at::Tensor scale;
  const auto y =
      rms_norm(at::full({1, 8}, 600.0, at::kHalf), at::ones({8}, at::kHalf), 1e-5, scale);
  EXPECT_EQ(y.scalar_type(), at::kHalf);
  EXPECT_LT((y.to(at::kFloat) - 1).abs().max().item<float>(), 1e-3);
}

TEST(Rotate, TurnsPairsByPositionTimesFrequency) {
  // One head of four: pairs (0, 2) and (1, 3), frequencies 1 and 0.5, position 3.
  const auto table = rotary_table(4, at::tensor({1.0f, 0.5f}), at::kDouble);
  const auto x = at::tensor({1.0, 2.0, 3.0, 4.0}, at::kDouble).view({1, 4});
  rotate_(x, 1, table, at::tensor({3}, at::kLong));
  const auto y = x.view(-1);
  EXPECT_NEAR(y[0].item<double>(), 1 * std::cos(3.0) - 3 * std::sin(3.0), 1e-6);
  EXPECT_NEAR(y[2].item<double>(), 3 * std::cos(3.0) + 1 * std::sin(3.0), 1e-6);
  EXPECT_NEAR(y[1].item<double>(), 2 * std::cos(1.5) - 4 * std::sin(1.5), 1e-6);
  EXPECT_NEAR(y[3].item<double>(), 4 * std::cos(1.5) + 2 * std::sin(1.5), 1e-6);
}

TEST(AddRows, RepeatedRowsAddUp) {
  const auto to = at::ones({3, 2});
  add_rows_(to, at::tensor({2, 0, 2}, at::kLong), at::arange(6).to(at::kFloat).view({3, 2}));
  EXPECT_TRUE(at::equal(to, at::tensor({3.f, 4.f, 1.f, 1.f, 5.f, 7.f}).view({3, 2})));
}

TEST(CrossEntropy, EqualsLibtorchsAlsoInSeveralPieces) {
  at::manual_seed(9);
  const std::int64_t n = 300, vocab = 20000;  // pieces of 209 rows
  const auto hidden = leaf({n, 6}), weight = leaf({vocab, 6});
  const auto next = at::randint(vocab, {n}, at::kLong);
  const auto plain =
      at::cross_entropy_loss(at::mm(hidden, weight.t()), next, {}, at::Reduction::Sum);
  const auto expected = torch::autograd::grad({plain * 0.5}, {hidden, weight});
  const auto gradient = at::ones({vocab, 6}, at::kDouble);
  const auto loss = projected_cross_entropy(hidden, weight.detach(), gradient, next);
  EXPECT_NEAR(loss.item<double>(), plain.item<double>(), 1e-8);
  const auto d_hidden = torch::autograd::grad({loss * 0.5}, {hidden})[0];
  EXPECT_LT(relative_error(d_hidden, expected[0]), 1e-12);
  EXPECT_LT(relative_error(gradient - 1, expected[1]), 1e-12);
}

struct AttentionCase {
  int heads, kv_heads;
  bool share;
  at::ScalarType dtype;
  bool tiles = false;  // bf16 products as bf16's, whatever the processor has
};

class CombAttention : public ::testing::TestWithParam<AttentionCase> {};

TEST_P(CombAttention, EqualsDenseAttentionUnderTheMaskOfTheWholeBatch) {
  const auto c = GetParam();
  const testing::Bf16Products way(c.tiles ? false : bf16_by_fp32());
  at::manual_seed(5);
  auto a = testing::random_comb(1, {140, 39}, 4), b = testing::random_comb(2, {170}, 5);
  testing::share_beginning({&a, &b}, 20);
  const auto batch = pack({{&a, testing::all_probes(a), false}, {&b, {}, true}, {&b, {1, 3}, true}},
                          at::kCPU, c.share);
  EXPECT_EQ(batch.prefix > 0, c.share);
  const std::int64_t d = 8;
  const auto random = [&](std::int64_t rows, std::int64_t heads) {
    return at::randn({rows, heads * d}, at::kDouble).to(c.dtype);
  };
  const auto mask = testing::dense_mask(batch);
  std::vector<std::int64_t> some;
  for (std::int64_t r = 3; r < batch.rows; r += r % 4 + 1) some.push_back(r);
  const auto all = at::arange(batch.rows);
  for (const auto& plan : {full_plan(batch), plan_for(batch, some)}) {
    std::int64_t queries = 0;
    for (const auto& span : plan) queries += static_cast<std::int64_t>(span.visible.size());
    const auto index = queries == batch.rows ? all : at::tensor(some, at::kLong);
    const auto q = random(queries, c.heads), k = random(batch.rows, c.kv_heads),
               v = random(batch.rows, c.kv_heads), g = random(queries, c.heads);
    const auto leaf_of = [&](const at::Tensor& x) {
      return x.to(at::kDouble).view({x.size(0), -1, d}).detach().requires_grad_(true);
    };
    const auto lq = leaf_of(q), lk = leaf_of(k), lv = leaf_of(v);
    const auto expected = testing::dense_attention(lq, lk, lv, mask.index_select(0, index));
    const AttentionOperands in{q, k, v, c.heads, c.kv_heads};
    const auto result = comb_attention(in, plan);
    EXPECT_LT(relative_error(result.out.to(at::kDouble), expected), rounding(c.dtype));
    const auto x = torch::autograd::grad({expected}, {lq, lk, lv}, {g.to(at::kDouble)});
    const auto dq = at::full_like(q, 7), dk = at::full_like(k, 7), dv = at::full_like(v, 7);
    comb_attention_backward(g, in, result, plan, {dq, dk, dv});
    const at::Tensor got[] = {dq, dk, dv};
    for (int i = 0; i < 3; ++i) {
      EXPECT_LT(relative_error(got[i].to(at::kDouble).view(x[i].sizes()), x[i]),
                2 * rounding(c.dtype))
          << i;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(HeadGroups, CombAttention,
                         ::testing::Values(AttentionCase{4, 4, false, at::kDouble},
                                           AttentionCase{4, 2, true, at::kDouble},
                                           AttentionCase{6, 1, true, at::kDouble},
                                           AttentionCase{4, 2, true, at::kFloat},
                                           AttentionCase{4, 2, true, at::kBFloat16},
                                           AttentionCase{4, 2, true, at::kBFloat16, true}));

// A libtorch that does not export its BLAS: the same by its operators.
TEST(Attention, NeedsNoExportedBlas) {
  at::manual_seed(6);
  const auto a = testing::random_comb(1, {60, 19}, 4);
  const auto batch = pack({{&a, testing::all_probes(a), false}}, at::kCPU);
  const auto plan = full_plan(batch);
  for (const auto dtype : {at::kFloat, at::kBFloat16}) {
    const auto q = at::randn({batch.rows, 32}).to(dtype), k = at::randn({batch.rows, 16}).to(dtype),
               v = at::randn({batch.rows, 16}).to(dtype), g = at::randn({batch.rows, 32}).to(dtype);
    const auto run = [&](bool exported) {
      use_exported_blas(exported);
      const AttentionOperands in{q, k, v, 4, 2};
      const auto result = comb_attention(in, plan);
      const auto dq = at::empty_like(q), dk = at::empty_like(k), dv = at::empty_like(v);
      comb_attention_backward(g, in, result, plan, {dq, dk, dv});
      use_exported_blas(true);
      return at::cat({result.out, dq, at::cat({dk, dv}, 1)}).to(at::kDouble);
    };
    EXPECT_LT(relative_error(run(false), run(true)), 2 * rounding(dtype));
  }
}

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
