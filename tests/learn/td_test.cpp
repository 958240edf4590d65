#include "learn/td.h"

#include <gtest/gtest.h>

#include <cmath>

#include "planner/readout.h"

namespace straq::learn {
namespace {

TEST(Td, WorkedNumbersOfEachReadout) {
  // The state's and the next state's logits are the same vector; action 1, r = 3, gamma = 0.85.
  const auto logits =
      at::tensor({18.0, 17.0, 15.5, 16.0, 17.5, 16.5, 14.0, 15.0}, at::kDouble).unsqueeze(0);
  const auto z = at::logsumexp(at::cat({logits, at::full({1, 1000}, 8.0, at::kDouble)}, 1), {1});
  struct Case {
    planner::Readout readout;
    double y, q, loss;
  };
  const Case cases[] = {
      {planner::Readout::mean_logit, 18.3, 17, 1.69},
      {planner::Readout::vocab_prob, 3.336172583707, 0.145495273213, 10.180421699701},
      {planner::Readout::vocab_logprob, 2.211530072507, -1.927611679404, 17.132494442409}};
  for (const auto& c : cases) {
    const auto q = planner::q_from_logits(c.readout, logits, z);
    const auto reward = at::full({1}, 3.0, at::kDouble), continues = at::ones({1}, at::kDouble);
    const auto y = td_targets(reward, next_values(Backup::max, q, {}, {}), continues, 0.85);
    const auto chosen = q.select(1, 1);
    EXPECT_NEAR(y.item<double>(), c.y, 1e-11);
    EXPECT_NEAR(chosen.item<double>(), c.q, 1e-11);
    EXPECT_NEAR(td_loss_sum(LossKind::mse, chosen, y, 1).item<double>(), c.loss, 1e-10);
  }
}

TEST(Td, TerminalDecisionLearnsItsRewardAlone) {
  const auto y = td_targets(at::full({1}, 2.0), at::full({1}, 100.0), at::zeros({1}), 0.85);
  EXPECT_FLOAT_EQ(y.item<float>(), 2.0f);
}

TEST(Td, BackupsTakeTheirOwnNextAction) {
  const auto target = at::tensor({1.0, 5.0, 3.0}, at::kDouble).unsqueeze(0);
  const auto online = at::tensor({9.0, 0.0, 1.0}, at::kDouble).unsqueeze(0);
  const auto next = at::tensor({2}, at::kLong);
  EXPECT_EQ(next_values(Backup::max, target, online, next).item<double>(), 5.0);
  EXPECT_EQ(next_values(Backup::double_q, target, online, next).item<double>(), 1.0);
  EXPECT_EQ(next_values(Backup::sarsa, target, online, next).item<double>(), 3.0);
  // Weights 1 : 3 : 1 at a temperature of 2 / ln 3, where Q differs by 0, 2 and 0.
  const auto q = at::tensor({1.0, 3.0, 1.0}, at::kDouble).unsqueeze(0);
  EXPECT_NEAR(next_values(Backup::expected, q, {}, {}, 2 / std::log(3.0)).item<double>(),
              (1 + 9 + 1) / 5.0, 1e-12);
  EXPECT_NEAR(next_values(Backup::expected, q, {}, {}, 1e-3).item<double>(), 3, 1e-12);
  EXPECT_NEAR(next_values(Backup::expected, q, {}, {}, 1e9).item<double>(), 5 / 3.0, 1e-6);
}

TEST(Td, TheSoftBackupKeepsToWhatTheBaseDoes) {
  const auto q = at::tensor({1.0, 5.0, 3.0}, at::kDouble).unsqueeze(0);
  const auto base = at::tensor({0.5, 0.0, 0.5}, at::kDouble).log().unsqueeze(0);
  const auto soft = [&](double temp) {
    return next_values(Backup::soft, q, {}, {}, temp, base).item<double>();
  };
  // 2 log(e^(1/2) / 2 + e^(3/2) / 2); the 5 of what the base never does counts for nothing.
  EXPECT_NEAR(soft(2), 2 * std::log((std::exp(0.5) + std::exp(1.5)) / 2), 1e-12);
  EXPECT_NEAR(soft(1e-3), 3 - 1e-3 * std::log(2), 1e-9);
  EXPECT_NEAR(soft(1e6), 2, 1e-5);
}

TEST(Td, TargetsAsDistributionsKeepTheirMeanOrTheirSpread) {
  // Ten parts of 0.4 from -2 to 2, centres at -1.8, -1.4 … 1.8.
  const auto y = at::tensor({0.3, -1.8, 5.0, 0.0}, at::kDouble);
  const model::StateHeadShape head{1, 0, 10, 2};
  const auto two = as_distribution(LossKind::two_hot, y, 10, 2);
  // 0.3 lies between 0.2 and 0.6: a quarter of the way.
  EXPECT_NEAR(two[0][5].item<double>(), 0.75, 1e-12);
  EXPECT_NEAR(two[0][6].item<double>(), 0.25, 1e-12);
  EXPECT_NEAR(two[1][0].item<double>(), 1, 1e-12);
  EXPECT_NEAR(two[2][9].item<double>(), 1, 1e-12) << "beyond the range: its end";
  EXPECT_TRUE(at::allclose(two.sum(1), at::ones({4}, at::kDouble)));
  const auto mean = (two * model::bin_centres(head)).sum(1);
  EXPECT_TRUE(at::allclose(mean, at::tensor({0.3, -1.8, 1.8, 0.0}, at::kDouble)));
  // A normal distribution of spread 0.3 around 0: between 0 and 0.4 lies Phi(4/3) - Phi(0), of
  // what lies within ±2.
  const auto gauss = as_distribution(LossKind::hl_gauss, y, 10, 2);
  const auto phi = [](double x) { return 0.5 * std::erfc(-x / std::sqrt(2.0)); };
  EXPECT_NEAR(gauss[3][5].item<double>(), (phi(4 / 3.0) - 0.5) / (phi(2 / 0.3) - phi(-2 / 0.3)),
              1e-12);
  EXPECT_TRUE(at::allclose(gauss.sum(1), at::ones({4}, at::kDouble)));
  EXPECT_NEAR((gauss[0] * model::bin_centres(head)).sum().item<double>(), 0.3, 1e-3);
  // Cross-entropy by hand, and none of its gradient is left where the prediction is the target.
  const auto logits = two.add(1e-3).log().set_requires_grad(true);
  const auto loss =
      categorical_loss_sum(at::log_softmax(logits, 1), at::softmax(logits, 1).detach());
  loss.backward();
  EXPECT_NEAR(logits.grad().abs().max().item<double>(), 0, 1e-12);
}

TEST(Td, HuberIsQuadraticInsideAndLinearOutside) {
  const auto q = at::tensor({0.0, 0.0}, at::kDouble), y = at::tensor({0.5, 3.0}, at::kDouble);
  EXPECT_NEAR(td_loss_sum(LossKind::huber, q, y, 1).item<double>(), 0.125 + 2.5, 1e-12);
}

}  // namespace
}  // namespace straq::learn
