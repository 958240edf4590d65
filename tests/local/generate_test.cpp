#include "local/generate.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>

#include "local/sampling.h"
#include "tests/model/device_way.h"
#include "tests/model/model_helpers.h"

namespace straq::local {
namespace {

using model::testing::random_tokens;

class Generating : public ::testing::Test {
 protected:
  Generating() : llama_(model::testing::small_shape(), at::kFloat, at::kCPU, false) {
    llama_.initialise(5, 0.3);
    model_.emplace(model::weights_of(llama_));
  }

  // Prompts as they are in practice: dialogues with several decisions, several samples of each.
  std::vector<GenerationRequest> requests(double temperature) {
    std::vector<GenerationRequest> out;
    CounterRng rng(9, "prompts");
    for (int dialogue = 0; dialogue < 4; ++dialogue) {
      auto trunk = random_tokens(rng, 70, 47);
      trunk[0] = static_cast<text::TokenId>(dialogue);
      for (const int length : {20, 45, 70}) {
        for (int strategy = 0; strategy < 3; ++strategy) {
          GenerationRequest r;
          r.prompt.assign(trunk.begin(), trunk.begin() + length);
          r.prompt.push_back(static_cast<text::TokenId>(47 + strategy));
          r.sampling.max_tokens = 5 + 4 * strategy;
          r.sampling.temperature = temperature;
          r.sampling.seed = 3;
          r.sample = strategy;
          out.push_back(std::move(r));
        }
      }
    }
    // Backwards, so that an order of their own has to be found.
    std::reverse(out.begin(), out.end());
    return out;
  }

  std::vector<Generation> answers(const std::vector<GenerationRequest>& requests,
                                  const GenerationLimits& limits = {}) {
    std::vector<Generation> out(requests.size());
    std::vector<int> times(requests.size());
    GenerationCalls calls;
    calls.done = [&](std::size_t i, Generation g) {
      out[i] = std::move(g);
      ++times[i];
    };
    totals_ = generate(*model_, requests, limits, calls);
    for (const int n : times) EXPECT_EQ(n, 1);
    return out;
  }

  model::Llama llama_;
  std::optional<model::InferenceModel> model_;
  GenerationTotals totals_;
};

TEST_F(Generating, GreedyTextIsThatOfRunningTheWholePrefixEachTime) {
  const auto all = requests(0);
  const auto got = answers(all);
  for (std::size_t i = 0; i < all.size(); ++i) {
    const std::vector<std::int64_t> prompt(all[i].prompt.begin(), all[i].prompt.end());
    const auto expected = llama_.greedy(prompt, static_cast<int>(all[i].sampling.max_tokens));
    EXPECT_EQ(std::vector<std::int64_t>(got[i].tokens.begin(), got[i].tokens.end()), expected);
    EXPECT_FALSE(got[i].ended);
  }
}

TEST_F(Generating, ATextIsTheSameAloneAndInAnyBatch) {
  const auto all = requests(1.3);
  const auto together = answers(all);
  std::size_t different = 0;
  for (std::size_t i = 0; i < all.size(); ++i) {
    const auto alone = answers({all[i]});
    EXPECT_EQ(alone[0].tokens, together[i].tokens) << i;
    different += together[i].tokens != together[0].tokens;
  }
  EXPECT_GT(different, all.size() / 2) << "texts that are all alike say nothing";
  for (const auto& [pass_tokens, running] : {std::pair{7, 3}, {1, 1}, {1000, 5}}) {
    GenerationLimits limits;
    limits.pass_tokens = pass_tokens;
    limits.running = running;
    const auto other = answers(all, limits);
    for (std::size_t i = 0; i < all.size(); ++i) EXPECT_EQ(other[i].tokens, together[i].tokens);
  }
}

TEST_F(Generating, CommonBeginningsAreReadOnce) {
  const auto all = requests(0);
  const auto got = answers(all);
  // A dialogue's 70 tokens once, and of each request the last token.
  EXPECT_EQ(totals_.prompt_computed, 4 * 70 + 36);
  EXPECT_EQ(totals_.prompt_tokens, 4 * 3 * (20 + 45 + 70 + 3));
  std::int64_t sum = 0;
  for (const auto& g : got) sum += g.prompt_computed;
  EXPECT_EQ(sum, totals_.prompt_computed);
}

TEST_F(Generating, ASmallCacheMakesItSlowerAndNothingElse) {
  const auto all = requests(0.8);
  const auto expected = answers(all);
  GenerationLimits limits;
  const auto page = model::Cache::page_bytes(model_->cache_shape());
  limits.cache_bytes = 9 * page;
  const auto got = answers(all, limits);
  EXPECT_LE(totals_.cache_pages, 9);
  for (std::size_t i = 0; i < all.size(); ++i) {
    EXPECT_EQ(got[i].error, "");
    EXPECT_EQ(got[i].tokens, expected[i].tokens);
  }
  limits.cache_bytes = 4 * page;
  const auto small = answers(all, limits);
  std::size_t failed = 0;
  for (std::size_t i = 0; i < all.size(); ++i) {
    if (small[i].error.empty()) {
      EXPECT_EQ(small[i].tokens, expected[i].tokens);
    } else {
      EXPECT_NE(small[i].error.find("allow more memory"), std::string::npos);
      ++failed;
    }
  }
  EXPECT_GT(failed, 0u);
  EXPECT_LT(failed, all.size());
}

TEST_F(Generating, EndsWhereItIsToldTo) {
  auto all = requests(0);
  all.resize(1);
  all[0].sampling.max_tokens = 12;
  const auto free = answers(all)[0].tokens;
  ASSERT_EQ(free.size(), 12u);
  // The first token that has not stood before it.
  std::size_t at = 4;
  while (std::find(free.begin(), free.begin() + static_cast<long>(at), free[at]) !=
         free.begin() + static_cast<long>(at)) {
    if (++at == free.size()) GTEST_SKIP() << "the model repeats itself";
  }
  all[0].end_tokens = {free[at]};
  const auto ended = answers(all)[0];
  EXPECT_TRUE(ended.ended);
  EXPECT_EQ(ended.tokens,
            std::vector<text::TokenId>(free.begin(), free.begin() + static_cast<long>(at)));

  all[0].end_tokens.clear();
  GenerationCalls calls;
  Generation stopped;
  calls.ended = [](std::size_t, const auto& tokens) { return tokens.size() == 3; };
  calls.done = [&](std::size_t, Generation g) { stopped = std::move(g); };
  generate(*model_, all, {}, calls);
  EXPECT_TRUE(stopped.ended);
  EXPECT_EQ(stopped.tokens.size(), 3u);
}

TEST_F(Generating, ChoicesHaveTheProbabilitiesOfTheirTokens) {
  auto all = requests(0);
  all.resize(5);
  const std::vector<std::vector<text::TokenId>> choices{{4}, {7, 8}, {4, 9, 9, 1}};
  for (std::size_t i = 0; i < 4; ++i) all[i].choices = choices;
  const auto got = answers(all);
  EXPECT_EQ(got[4].tokens.size(), static_cast<std::size_t>(all[4].sampling.max_tokens));
  for (std::size_t i = 0; i < 4; ++i) {
    ASSERT_EQ(got[i].choice_log_probabilities.size(), 3u);
    EXPECT_TRUE(got[i].tokens.empty());
    for (std::size_t c = 0; c < choices.size(); ++c) {
      double expected = 0;
      auto tokens = all[i].prompt;
      for (const auto next : choices[c]) {
        prompt::Comb comb;
        comb.trunks.resize(1);
        comb.trunks[0].tokens = tokens;
        const auto batch = model::pack({{&comb, {}, true}}, at::kCPU);
        at::NoGradGuard no_grad;
        const auto logits =
            llama_.logits(llama_.hidden(batch, at::full({1}, batch.rows - 1, at::kLong)));
        expected += at::log_softmax(logits.to(at::kDouble), -1)[0][next].item<double>();
        tokens.push_back(next);
      }
      EXPECT_NEAR(got[i].choice_log_probabilities[c], expected, 1e-4);
    }
  }
}

TEST_F(Generating, WhatCannotBeAnsweredIsSaidAndTheOthersGoOn) {
  auto all = requests(0);
  all.resize(5);
  const auto expected = answers({all[0]});
  all[1].prompt.clear();
  all[2].prompt[3] = 50;
  all[3].prompt.assign(256, 1);
  all[4].choices = {{}};
  const auto got = answers(all);
  EXPECT_EQ(got[0].tokens, expected[0].tokens);
  EXPECT_NE(got[1].error.find("empty"), std::string::npos);
  EXPECT_NE(got[2].error.find("vocabulary"), std::string::npos);
  EXPECT_NE(got[3].error.find("256"), std::string::npos);
  EXPECT_NE(got[4].error.find("choice"), std::string::npos);
}

TEST(Sampling, FollowsTheProbabilitiesThatTheRulesLeave) {
  const std::vector<float> logits{1.0f, 3.0f, 2.0f, -1.0f, 2.5f};
  const auto frequencies = [&](const language::Sampling& sampling, const TokenCounts& seen = {}) {
    std::map<text::TokenId, double> out;
    constexpr int draws = 20000;
    for (int i = 0; i < draws; ++i) {
      CounterRng rng(1, "draw", static_cast<std::uint64_t>(i));
      auto x = logits;
      out[sample(x, sampling, seen, rng)] += 1.0 / draws;
    }
    return out;
  };
  language::Sampling s;
  s.temperature = 2;
  double total = 0;
  for (const float x : logits) total += std::exp(x / 2.0);
  auto f = frequencies(s);
  for (std::size_t i = 0; i < logits.size(); ++i) {
    EXPECT_NEAR(f[static_cast<text::TokenId>(i)], std::exp(logits[i] / 2.0) / total, 0.015);
  }
  s.top_k = 2;
  f = frequencies(s);
  EXPECT_EQ(f.size(), 2u);
  EXPECT_NEAR(f[1], 1 / (1 + std::exp(-0.25)), 0.015);
  s.top_k = 0;
  s.temperature = 1;
  s.top_p = 0.6;  // 0.47 alone is not enough, with 0.28 it is
  EXPECT_EQ(frequencies(s).size(), 2u);
  s.top_p = 1;
  s.min_p = 0.3;  // e^-1 is above it, e^-2 below
  EXPECT_EQ(frequencies(s).size(), 3u);
  s = {};
  s.repetition_penalty = 2;
  EXPECT_EQ(frequencies(s, {{1, 1}}).count(4), 1u) << "the greatest was seen: 3 / 2 < 2.5";
}

}  // namespace
}  // namespace straq::local
