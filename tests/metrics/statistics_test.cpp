#include "metrics/statistics.h"

#include <gtest/gtest.h>

#include <cmath>
#include <ctime>

#include "tests/testing.h"

namespace straq::metrics {
namespace {

constexpr double kTight = 1e-9;

TEST(Statistics, TheGeneratorIsTheOneTheSpecNames) {
  std::mt19937_64 standard(5489);
  standard.discard(9999);
  EXPECT_EQ(standard(), 9981545732273789042ull);
  std::mt19937_64 random(42);
  EXPECT_EQ(random(), 13930160852258120406ull);
  EXPECT_EQ(random(), 11788048577503494824ull);
  EXPECT_EQ(random(), 13874630024467741450ull);
  std::mt19937_64 draws(42);
  for (std::uint32_t want : {4, 3, 4, 0, 5, 0, 3, 2, 1, 2, 0, 3}) {
    EXPECT_EQ(index_below(draws(), 6), want);
  }
}

TEST(Statistics, QuantileInterpolates) {
  const std::vector<double> x = {1, 2, 4, 8};
  EXPECT_EQ(quantile(x, 0), 1);
  EXPECT_EQ(quantile(x, 1), 8);
  EXPECT_DOUBLE_EQ(quantile(x, 0.5), 3);
  EXPECT_DOUBLE_EQ(quantile(x, 0.9), 4 + 0.7 * 4);
  EXPECT_EQ(quantile(std::vector<double>{5}, 0.3), 5);
}

const std::vector<std::pair<int, int>> kA = {{3, 8}, {5, 10}, {2, 9}, {7, 12}, {4, 11}, {6, 10}};
const std::vector<std::pair<int, int>> kB = {{2, 8}, {5, 10}, {1, 9}, {5, 12}, {4, 11}, {5, 10}};

TEST(Statistics, ClusterBootstrapOfTheWorkedExample) {
  const auto replicates = cluster_bootstrap(6, {2000, 42, 0.95}, [](auto drawn) {
    int correct = 0, total = 0;
    for (auto d : drawn) {
      correct += kA[d].first;
      total += kA[d].second;
    }
    return static_cast<double>(correct) / total;
  });
  double mean = 0, squares = 0;
  for (double x : replicates) mean += x / 2000;
  for (double x : replicates) squares += (x - mean) * (x - mean) / 2000;
  EXPECT_NEAR(mean, 0.448544513144, kTight);
  EXPECT_NEAR(std::sqrt(squares), 0.052901878251, kTight);
  const Interval i = percentile_interval(replicates);
  EXPECT_NEAR(i.low, 0.339285714286, kTight);
  EXPECT_NEAR(i.high, 0.546912802419, kTight);
}

// The same example as matrices: hits on the diagonal, misses beside it.
TEST(Statistics, StrategyBootstrapAgreesWithTheGenericOneOnAccuracy) {
  std::vector<CountMatrix> dialogues;
  for (auto [correct, total] : kA) {
    CountMatrix m(8);
    m.at(0, 0) = correct;
    m.at(0, 1) = total - correct;
    dialogues.push_back(m);
  }
  const auto i = bootstrap_strategy(dialogues, {2000, 42, 0.95});
  EXPECT_NEAR(i.acc->low, 0.339285714286, kTight);
  EXPECT_NEAR(i.acc->high, 0.546912802419, kTight);
  EXPECT_EQ(i.clusters, 6);
  // Whatever is drawn, strategy 0 loses all its comparisons and the other seven keep equal
  // strengths: p = 0, 8/7, …, 8/7.
  EXPECT_NEAR(i.bias->low, std::sqrt(1.0 / 7), kTight);
  EXPECT_NEAR(i.bias->high, std::sqrt(1.0 / 7), kTight);
}

TEST(Statistics, PairedPermutationOfTheWorkedExample) {
  const auto difference = [](std::span<const std::uint8_t> swapped) {
    int d = 0, total = 0;
    for (std::size_t i = 0; i < kA.size(); ++i) {
      d += (swapped[i] ? -1 : 1) * (kA[i].first - kB[i].first);
      total += kA[i].second;
    }
    return static_cast<double>(d) / total;
  };
  const auto exact = exact_permutation(6, difference);
  EXPECT_NEAR(exact.difference, 0.083333333333, kTight);
  EXPECT_EQ(exact.of, 64);
  EXPECT_DOUBLE_EQ(exact.p, 0.125);
  const auto random = random_permutation(6, difference, 999, 7);
  EXPECT_EQ(random.count, 126);
  EXPECT_DOUBLE_EQ(random.p, 0.127);
}

TEST(Statistics, SignFlipOfTheWorkedExample) {
  const auto t = exact_sign_flip(std::vector<double>{.10, .05, -.02, .08, .03, 0, .07, -.01});
  EXPECT_NEAR(t.difference, 0.0375, kTight);
  EXPECT_EQ(t.count, 20);
  EXPECT_DOUBLE_EQ(t.p, 0.078125);
  straq::testing::error_of([] { exact_sign_flip(std::vector<double>(25, 1.0)); });
}

TEST(Statistics, McNemar) {
  const auto t = mcnemar(12, 3);
  EXPECT_NEAR(t.exact, 0.03515625, kTight);
  EXPECT_NEAR(t.mid_p, 0.021270751953, kTight);
  EXPECT_NEAR(t.chi2, 4.266666667, kTight);
  EXPECT_NEAR(t.chi2_p, 0.038867103812, kTight);
  EXPECT_NEAR(mcnemar(145, 120).exact, 0.140252351328, kTight);
  EXPECT_NEAR(mcnemar(120, 145).exact, 0.140252351328, kTight);
  EXPECT_EQ(mcnemar(0, 0).exact, 1);
  EXPECT_EQ(mcnemar(4, 4).exact, 1);
}

TEST(Statistics, Wilson) {
  const auto big = wilson(394, 1611);
  EXPECT_NEAR(big.low, 0.224203088028, kTight);
  EXPECT_NEAR(big.high, 0.266149357715, kTight);
  const auto half = wilson(10, 20);
  EXPECT_NEAR(half.low, 0.299298008198, kTight);
  EXPECT_NEAR(half.high, 0.700701991802, kTight);
}

TEST(Statistics, HolmKeepsTheOrderGiven) {
  const auto p = holm(std::vector<double>{.01, .04, .03, .005});
  const std::vector<double> want = {.03, .06, .06, .02};
  for (std::size_t i = 0; i < 4; ++i) EXPECT_NEAR(p[i], want[i], kTight);
  EXPECT_EQ(holm(std::vector<double>{.9, .8})[0], 1.0);
}

TEST(Statistics, SeedsHaveATInterval) {
  const auto s = summarise_seeds(std::vector<double>{46.1, 46.9, 45.8, 46.5, 46.3});
  EXPECT_EQ(s.n, 5);
  EXPECT_NEAR(s.mean, 46.32, kTight);
  EXPECT_NEAR(s.sd, 0.414728827067, kTight);
  EXPECT_NEAR(s.half_width, 0.514953853586, kTight);
  const auto one = summarise_seeds(std::vector<double>{46.1});
  EXPECT_EQ(one.sd, 0);
  EXPECT_EQ(one.half_width, 0);
}

TEST(Statistics, QuantilesOfKnownDistributions) {
  EXPECT_NEAR(normal_quantile(0.975), 1.959963984540054, 1e-12);
  EXPECT_NEAR(student_t_quantile(0.975, 1), 12.706204736174694, kTight);  // tan(0.475 pi)
  EXPECT_NEAR(student_t_quantile(0.975, 2), 4.302652729749464, kTight);
  EXPECT_NEAR(student_t_quantile(0.025, 4), -2.776445105197793, kTight);
}

TEST(Statistics, SpearmanWithTiesAndWithoutVariation) {
  const std::vector<double> x = {1, 2, 3, 4};
  EXPECT_NEAR(spearman(x, std::vector<double>{10, 20, 30, 99}), 1, kTight);
  EXPECT_NEAR(spearman(x, std::vector<double>{4, 3, 2, 1}), -1, kTight);
  // Ranks 1, 2.5, 2.5, 4 against 1..4: covariance 4.5, variances 5 and 4.5.
  EXPECT_NEAR(spearman(x, std::vector<double>{1, 2, 2, 3}), 4.5 / std::sqrt(22.5), kTight);
  EXPECT_TRUE(std::isnan(spearman(x, std::vector<double>{1, 1, 1, 1})));
}

// A split of the official test's size: 195 dialogues, 2,295 decisions, 10,000 replicates.
TEST(Statistics, TenThousandReplicatesTakeWellUnderASecond) {
  std::vector<CountMatrix> dialogues;
  std::mt19937_64 random(1);
  for (int d = 0; d < 195; ++d) {
    CountMatrix m(8);
    for (int i = 0; i < 12; ++i) {
      const auto gold = static_cast<int>(index_below(random(), 8));
      ++m.at(gold, static_cast<int>(index_below(random(), 8)));
    }
    dialogues.push_back(m);
  }
  // Processor time: a busy machine must not fail the test.
  const std::clock_t start = std::clock();
  const auto i = bootstrap_strategy(dialogues, {});
  const double seconds = static_cast<double>(std::clock() - start) / CLOCKS_PER_SEC;
  RecordProperty("seconds", std::to_string(seconds));
  EXPECT_LT(i.acc->low, i.acc->high);
  EXPECT_LT(i.macro_f1->low, i.macro_f1->high);
  EXPECT_LT(i.bias->low, i.bias->high);
#if defined(NDEBUG) && !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
  // Measured at about a tenth of a second.
  EXPECT_LT(seconds, 1.0);
#endif
}

TEST(Statistics, NothingToResampleIsRefused) {
  straq::testing::error_of([] { bootstrap_strategy({}, {}); });
  straq::testing::error_of([] { bootstrap_strategy(std::vector<CountMatrix>(2), {0, 1, 0.95}); });
}

}  // namespace
}  // namespace straq::metrics
