#include "metrics/response_metrics.h"

#include <gtest/gtest.h>

#include <cmath>
#include <numeric>

namespace straq::metrics {
namespace {

constexpr double kTolerance = 1e-9;

ResponsePair pair_of(const std::string& hypothesis, std::vector<std::string> references) {
  ResponsePair pair;
  pair.hypothesis = hypothesis;
  pair.references = std::move(references);
  return pair;
}

CountedResponses count(const std::vector<ResponsePair>& pairs, ResponseOptions options = {}) {
  options.tokenization = Tokenization::whitespace;
  std::vector<TokenPair> tokens;
  for (const auto& pair : pairs) tokens.push_back(tokenize(pair, options.tokenization));
  return count_responses(tokens, options);
}

std::vector<std::size_t> all_of(const CountedResponses& counted) {
  std::vector<std::size_t> out(counted.pairs.size());
  std::iota(out.begin(), out.end(), std::size_t{0});
  return out;
}

ResponseSums total(const CountedResponses& counted) {
  ResponseSums out;
  for (const auto& pair : counted.pairs) out += pair.sums;
  return out;
}

double bleu_of(const std::vector<ResponsePair>& pairs, std::size_t order,
               BleuVariant variant = BleuVariant::method3) {
  ResponseOptions options;
  options.bleu = variant;
  return bleu(total(count(pairs, options)), variant)[order - 1];
}

std::vector<ResponsePair> worked() {
  return {pair_of("i am sorry to hear that . how long have you felt this way ?",
                  {"i am so sorry to hear that . what happened ?"}),
          pair_of("you could try talking to your boss about it .",
                  {"have you tried talking to your boss ?"}),
          pair_of("that sounds really hard .", {"it sounds like you feel really alone ."})};
}

TEST(Bleu, WorkedExample) {
  const ResponseSums s = total(count(worked()));
  EXPECT_EQ(s.matches[0], 16);
  EXPECT_EQ(s.totals[0], 30);
  EXPECT_EQ(s.matches[1], 8);
  EXPECT_EQ(s.totals[1], 27);
  EXPECT_EQ(s.length, 30);
  EXPECT_EQ(s.closest_reference, 27) << "11, 8 and 8 tokens";
  EXPECT_NEAR(bleu_of(worked(), 1), 16.0 / 30, kTolerance);
  EXPECT_NEAR(bleu_of(worked(), 2), 0.397523195999963, kTolerance);
  EXPECT_NEAR(bleu_of(worked(), 2, BleuVariant::coco), 0.397523195985975, kTolerance);
  EXPECT_GT(std::abs(bleu_of(worked(), 2) - bleu_of(worked(), 2, BleuVariant::coco)), 1e-12);
}

TEST(Bleu, OfASentenceIsNotSmoothed) {
  const auto counted = count(worked());
  EXPECT_NEAR(counted.pairs[0].sums.sentence_bleu2, 0.436435780472, kTolerance);
  EXPECT_NEAR(counted.pairs[1].sums.sentence_bleu2, 0.408248290464, kTolerance);
  EXPECT_EQ(counted.pairs[2].sums.sentence_bleu2, 0) << "it has no bigram in common";
  EXPECT_NEAR(total(counted).sentence_bleu2 / 3, 0.281561356979, kTolerance);
}

TEST(Bleu, ShortCorporaArePenalised) {
  const std::vector<ResponsePair> pairs = {pair_of("i see", {"i see what you mean now"}),
                                           pair_of("that is fine", {"that is fine"})};
  EXPECT_NEAR(bleu_of(pairs, 2), 0.449328964117222, kTolerance);
  EXPECT_NEAR(bleu_of(pairs, 2), std::exp(-0.8), kTolerance);
}

TEST(Bleu, OrdersWithoutAMatchAreSmoothed) {
  const std::vector<ResponsePair> pairs = {pair_of("how are you", {"how is it going today"}),
                                           pair_of("go on", {"please go"})};
  EXPECT_NEAR(bleu_of(pairs, 2), 0.173075891661668, kTolerance);
  EXPECT_NEAR(bleu_of(pairs, 2, BleuVariant::coco), 7.74e-9, 1e-11);
  // Each further order without a match counts half as much again: 1 / (2 t2), 1 / (4 t3), …
  const double penalty = std::exp(1 - 7.0 / 5);
  EXPECT_NEAR(bleu_of(pairs, 3), penalty * std::cbrt(2.0 / 5 * (1 / (2.0 * 3)) * (1 / (4.0 * 2))),
              kTolerance);
}

TEST(Bleu, EmptyAndDisjointHypothesesScoreZero) {
  for (const char* hypothesis : {"", "x y z"}) {
    EXPECT_EQ(bleu_of({pair_of(hypothesis, {"a b"})}, 2), 0) << hypothesis;
    EXPECT_NEAR(bleu_of({pair_of(hypothesis, {"a b"})}, 2, BleuVariant::coco), 0, 1e-6);
  }
  // An empty reply among others still costs length; method3 counts one n-gram for it.
  const auto with_empty = count({pair_of("a b", {"a b"}), pair_of("", {"a b"})});
  EXPECT_EQ(total(with_empty).totals[0], 3);
  EXPECT_EQ(total(with_empty).closest_reference, 4);
}

TEST(Bleu, SeveralReferencesClipByTheirMaximumAndLendTheNearestLength) {
  const auto counted = count({pair_of("a a a b", {"a a c c c c", "a b"})});
  const ResponseSums& s = counted.pairs[0].sums;
  EXPECT_EQ(s.matches[0], 3) << "two of three a, one b";
  EXPECT_EQ(s.matches[1], 2) << "one a-a from the first, a-b from the second";
  EXPECT_EQ(s.closest_reference, 2) << "6 and 2 are equally near 4: the shorter counts";
  EXPECT_EQ(s.reference_length, 4);
  EXPECT_EQ(count({pair_of("a a a b", {"a b", "a a c c c"})}).pairs[0].sums.closest_reference, 5);
}

TEST(Rouge, WorkedExample) {
  const auto counted = count(worked());
  const double expected[] = {0.632944228274968, 0.566914498141264, 0.443099273607748};
  for (std::size_t i = 0; i < 3; ++i) {
    EXPECT_NEAR(counted.pairs[i].sums.rouge_l, expected[i], kTolerance);
  }
  EXPECT_NEAR(total(counted).rouge_l / 3, 0.547652666674660, kTolerance);
  ResponseOptions balanced;
  balanced.rouge_beta = 1;
  EXPECT_NEAR(total(count(worked(), balanced)).rouge_l / 3, 0.544159544159544, kTolerance);
}

TEST(Rouge, TakesPrecisionAndRecallFromDifferentReferences) {
  // Against "a b": L 2, P 2/4, R 1. Against "a b x d e": L 3, P 3/4, R 3/5.
  const auto counted = count({pair_of("a b c d", {"a b", "a b x d e"})});
  const double p = 0.75, r = 1, b2 = 1.44;
  EXPECT_NEAR(counted.pairs[0].sums.rouge_l, (1 + b2) * p * r / (r + b2 * p), kTolerance);
}

TEST(Rouge, NothingInCommonIsZero) {
  EXPECT_EQ(count({pair_of("x", {"a"})}).pairs[0].sums.rouge_l, 0);
  EXPECT_EQ(count({pair_of("", {"a"})}).pairs[0].sums.rouge_l, 0);
  EXPECT_NEAR(count({pair_of("a", {"a"})}).pairs[0].sums.rouge_l, 1, kTolerance);
}

TEST(Dist, WorkedExamples) {
  const auto first = count(worked());
  const auto subset = all_of(first);
  EXPECT_NEAR(distinct(first, subset, 1).value(), 25.0 / 30, kTolerance);
  EXPECT_NEAR(distinct(first, subset, 2).value(), 1, kTolerance);
  EXPECT_NEAR(distinct(first, subset, 1, DistinctRule::drop_last).value(), 0.888888888889,
              kTolerance);
  const auto second =
      count({pair_of("i am sorry to hear that .", {"x"}),
             pair_of("i am sorry you feel that way .", {"x"}), pair_of("i am here .", {"x"})});
  EXPECT_NEAR(distinct(second, subset, 1).value(), 0.578947368421, kTolerance);
  EXPECT_NEAR(distinct(second, subset, 2).value(), 0.8125, kTolerance);
  EXPECT_NEAR(distinct(second, subset, 1, DistinctRule::drop_last).value(), 0.625, kTolerance);
  EXPECT_NEAR(distinct(second, subset, 2, DistinctRule::drop_last).value(), 0.769230769231,
              kTolerance);
}

TEST(Dist, RepliesTooShortForAnNgramHaveNone) {
  const auto counted = count({pair_of("a", {"a"}), pair_of("", {"a"})});
  EXPECT_EQ(distinct(counted, all_of(counted), 1).value(), 1);
  EXPECT_EQ(distinct(counted, all_of(counted), 2).value(), 0);
  EXPECT_EQ(distinct(counted, all_of(counted), 2).total, 0);
  EXPECT_EQ(distinct(counted, all_of(counted), 1, DistinctRule::drop_last).total, 0);
}

TEST(Dist, WithoutOneClusterEqualsCountingTheRest) {
  const auto counted =
      count({pair_of("a b c", {"x"}), pair_of("a d", {"x"}), pair_of("c a b", {"x"}),
             pair_of("e e e", {"x"}), pair_of("", {"x"})});
  const std::vector<std::uint32_t> cluster = {0, 1, 0, 2, 1};
  for (const int order : {1, 2}) {
    for (const auto rule : {DistinctRule::all, DistinctRule::drop_last}) {
      const auto without = distinct_without_each(counted, all_of(counted), cluster, 3, order, rule);
      ASSERT_EQ(without.size(), 3u);
      for (std::uint32_t left_out = 0; left_out < 3; ++left_out) {
        std::vector<std::size_t> rest;
        for (std::size_t i = 0; i < cluster.size(); ++i) {
          if (cluster[i] != left_out) rest.push_back(i);
        }
        EXPECT_DOUBLE_EQ(without[left_out], distinct(counted, rest, order, rule).value());
      }
    }
  }
}

TEST(Cider, WorkedExample) {
  const auto counted = count(worked());
  const auto scores = cider(counted, all_of(counted));
  EXPECT_NEAR(scores[0], 2.90867668825714, kTolerance);
  EXPECT_NEAR(scores[1], 3.19883304850163, kTolerance);
  EXPECT_NEAR(scores[2], 0.92529138528437, kTolerance);
  EXPECT_NEAR((scores[0] + scores[1] + scores[2]) / 3, 2.34426704068105, kTolerance);
  EXPECT_NEAR(scores[0],
              10 * (0.439562928618 + 0.338373311498 + 0.222084597261 + 0.163449837926) / 4, 1e-9);
  EXPECT_NEAR(scores[2], 10 * 0.370116554114 / 4, 1e-9);
}

TEST(Cider, OnePairHasNoWeights) {
  const auto counted = count({pair_of("a b c d e", {"a b c d e"})});
  EXPECT_EQ(cider(counted, all_of(counted))[0], 0);
}

TEST(Cider, WeightsAreTheSubsetsOwn) {
  auto pairs = worked();
  pairs.push_back(pair_of("go for a walk", {"maybe go for a long walk"}));
  const auto counted = count(pairs);
  const std::vector<std::size_t> subset = {0, 1, 2};
  EXPECT_NEAR(cider(counted, subset)[1], 3.19883304850163, kTolerance)
      << "as if the fourth pair did not exist";
  EXPECT_GT(std::abs(cider(counted, all_of(counted))[1] - 3.19883304850163), 1e-3);
}

TEST(Cider, ReferencesOfOnePairAreOneDocument) {
  // "a" is in both references of the first pair only: its document frequency is 1 of 2, so
  // it keeps its weight log 2. Perfect in unigrams with both, no longer n-grams, equal lengths.
  const auto counted = count({pair_of("a", {"a", "a"}), pair_of("b", {"c"})});
  EXPECT_NEAR(cider(counted, all_of(counted))[0], 10 * 1.0 / 4, kTolerance);
  EXPECT_EQ(cider(counted, all_of(counted))[1], 0);
}

TEST(F1, IsTheBestReferencesTokenOverlap) {
  const auto counted = count({pair_of("a b c", {"x y", "a b d e a"}), pair_of("", {"a"})});
  EXPECT_NEAR(counted.pairs[0].sums.f1, 2.0 * 2 / (3 + 5), kTolerance);
  EXPECT_EQ(counted.pairs[1].sums.f1, 0);
  EXPECT_NEAR(count(worked()).pairs[0].sums.f1, 2.0 * 8 / (15 + 11), kTolerance);
}

TEST(Tokens, LowerCaseWordsOrAsTheyAre) {
  using Words = std::vector<std::string>;
  EXPECT_EQ(tokenize_response(" I can't. OK? ", Tokenization::nltk_lower),
            (Words{"i", "ca", "n't", ".", "ok", "?"}));
  EXPECT_EQ(tokenize_response(" I can't. \t OK? ", Tokenization::whitespace),
            (Words{"I", "can't.", "OK?"}));
  EXPECT_TRUE(tokenize_response(" ", Tokenization::whitespace).empty());
  EXPECT_TRUE(tokenize_response("", Tokenization::nltk_lower).empty());
}

}  // namespace
}  // namespace straq::metrics
