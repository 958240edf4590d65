#include "planner/readout.h"

#include <gtest/gtest.h>

#include "core/error.h"

namespace straq::planner {
namespace {

// Eight option logits beside 1000 other vocabulary entries at 8.0.
at::Tensor option_logits() {
  return at::tensor({18.0, 17.0, 15.5, 16.0, 17.5, 16.5, 14.0, 15.0}, at::kDouble).unsqueeze(0);
}
at::Tensor vocabulary_logsumexp() {
  const at::Tensor all = at::cat({option_logits(), at::full({1, 1000}, 8.0, at::kDouble)}, 1);
  return at::logsumexp(all, {1});
}

TEST(Readout, WorkedNumbers) {
  const auto z = vocabulary_logsumexp();
  EXPECT_NEAR(z.item<double>(), 18.927611679404, 1e-11);
  EXPECT_NEAR(at::logsumexp(option_logits(), {1}).item<double>(), 18.909492979480, 1e-11);
  auto q = [&](Readout r, int a) {
    return q_from_logits(r, option_logits(), z)[0][a].item<double>();
  };
  EXPECT_DOUBLE_EQ(q(Readout::mean_logit, 1), 17.0);
  EXPECT_NEAR(q(Readout::vocab_prob, 0), 0.395497157303, 1e-11);
  EXPECT_NEAR(q(Readout::vocab_logprob, 1), -1.927611679404, 1e-11);
  EXPECT_NEAR(std::exp(q(Readout::option_logprob, 0)), 0.402728363822, 1e-11);
}

TEST(Readout, ReadsReducedPrecisionInFp32) {
  const auto q = q_from_logits(Readout::mean_logit, option_logits().to(at::kBFloat16), {});
  EXPECT_EQ(q.scalar_type(), at::kFloat);
}

// Shares 4/7, 2/7 and 1/7 with the one that each is counted more: logarithms a log 2 apart.
TEST(Readout, ThePriorTakesAStrategysShareFromItsValue) {
  const auto shift = option_shift(0.5, {3, 1, 0});
  ASSERT_EQ(shift.size(), 3u);
  const double half = 0.5 * std::log(2.0);
  EXPECT_NEAR(shift[0], -half, 1e-12);
  EXPECT_NEAR(shift[1], 0, 1e-12);
  EXPECT_NEAR(shift[2], half, 1e-12);
  EXPECT_TRUE(option_shift(0, {3, 1, 0}).empty());
}

TEST(Readout, UnbuiltReadoutIsRefusedByName) {
  const auto tree = config::parse_yaml("readout: value_head", "q.yaml");
  try {
    config::read<QConfig>(tree);
    FAIL() << "accepted";
  } catch (const Error& e) {
    EXPECT_NE(std::string(e.what()).find("value_head"), std::string::npos);
    EXPECT_NE(std::string(e.what()).find("q.yaml:1"), std::string::npos);
  }
}

}  // namespace
}  // namespace straq::planner
