// Made-up combs and folders of shards for the tests of this module.
#pragma once

#include <string>
#include <vector>

#include "core/rng.h"
#include "prompt/render.h"
#include "shard/manifest.h"
#include "tests/prompt/tokenizers.h"
#include "tests/testing.h"

namespace straq::testing {

// Combs with everything that can occur: several trunks, no decisions, no trunk tokens, long ids.
inline std::vector<prompt::Comb> made_up_combs(int count, std::uint64_t seed = 7) {
  std::vector<prompt::Comb> combs;
  for (int d = 0; d < count; ++d) {
    CounterRng rng(seed, "combs", static_cast<std::uint64_t>(d));
    const auto ids = [&](std::uint64_t n) {
      std::vector<std::int32_t> out;
      for (std::uint64_t i = 0; i < n; ++i)
        out.push_back(static_cast<std::int32_t>(rng.below(1000)));
      return out;
    };
    prompt::Comb comb;
    comb.id = "made-up/" + std::to_string(d) + (d == 1 ? "-with-a-long-name-é" : "");
    const auto trunks = 1 + rng.below(3);
    for (std::uint64_t t = 0; t < trunks; ++t) {
      comb.trunks.push_back({ids(d == 2 ? 0 : 5 + rng.below(200)), d == 2 ? 0 : 5});
    }
    const auto decisions = d == 3 ? 0 : 1 + rng.below(8);
    for (std::uint64_t i = 0; i < decisions; ++i) {
      const auto t = static_cast<std::int32_t>(rng.below(trunks));
      const auto size = comb.trunks[static_cast<std::size_t>(t)].tokens.size();
      comb.probes.push_back(
          {t, static_cast<std::int32_t>(rng.below(size + 1)), ids(1 + rng.below(9))});
      comb.decisions.push_back({static_cast<std::int32_t>(2 * i + 1),
                                static_cast<std::int32_t>(rng.below(8)),
                                static_cast<std::int32_t>(rng.below(9)) - 1, i + 1 == decisions});
    }
    combs.push_back(std::move(comb));
  }
  return combs;
}

// With all that may have come of them: ratings, judge's scores and rewards of some decisions,
// intensities.
inline std::vector<prompt::Comb> with_outcomes(std::vector<prompt::Comb> combs) {
  std::int32_t n = 0;
  for (auto& comb : combs) {
    comb.initial_intensity = n % 6;
    comb.final_intensity = (n + 3) % 6;
    comb.option_order = prompt::shuffled_options(comb.id, 8);
    // The seeker has every second dialogue's last word.
    comb.final_state = !comb.decisions.empty() && n % 2 == 0 ? 1 : 0;
    if (comb.final_state == 1) {
      const auto& last = comb.trunks.back().tokens;
      comb.probes.push_back({static_cast<std::int32_t>(comb.trunks.size()) - 1,
                             static_cast<std::int32_t>(last.size()), comb.probes[0].tokens});
    }
    for (auto& d : comb.decisions) {
      d.rating = ++n % 6;
      if (n % 3 != 0) d.judge = 1 + 0.1 * n;
      d.strategies = (1 << d.gold) | (1 << n % 8);
      if (n % 4 != 0) d.reward = 0.3 * n - 2;
    }
  }
  return combs;
}

// As a responder's: every probe a branch that ends with a target, and with a reply.
inline std::vector<prompt::Comb> with_targets(std::vector<prompt::Comb> combs) {
  for (auto& comb : combs) {
    for (auto& branch : comb.probes) {
      branch.tokens.push_back(7);
      branch.target = static_cast<std::int32_t>(branch.tokens.size()) - 1;
      branch.reply = (branch.target + 1) / 2;
    }
  }
  return combs;
}

inline shard::ShardHeader made_up_header(int count) {
  return {"key0123456789abcdef",
          "source",
          "test:tokenizer",
          "template",
          512,
          1000,
          {11, 12, 13, 14, 15, 16, 17, 18},
          {"train", 3, 192, count}};
}

inline void expect_same(const std::vector<prompt::Comb>& a, const std::vector<prompt::Comb>& b) {
  ASSERT_EQ(a.size(), b.size());
  for (std::size_t d = 0; d < a.size(); ++d) {
    EXPECT_EQ(a[d].id, b[d].id);
    EXPECT_EQ(a[d].initial_intensity, b[d].initial_intensity);
    EXPECT_EQ(a[d].final_intensity, b[d].final_intensity);
    ASSERT_EQ(a[d].trunks.size(), b[d].trunks.size());
    for (std::size_t i = 0; i < a[d].trunks.size(); ++i) {
      EXPECT_EQ(a[d].trunks[i].tokens, b[d].trunks[i].tokens);
      EXPECT_EQ(a[d].trunks[i].header, b[d].trunks[i].header);
    }
    ASSERT_EQ(a[d].probes.size(), b[d].probes.size());
    ASSERT_EQ(a[d].decisions.size(), b[d].decisions.size());
    for (std::size_t i = 0; i < a[d].probes.size(); ++i) {
      const auto &p = a[d].probes[i], &q = b[d].probes[i];
      EXPECT_EQ(p.trunk, q.trunk);
      EXPECT_EQ(p.attach, q.attach);
      EXPECT_EQ(p.tokens, q.tokens);
      EXPECT_EQ(p.target, q.target);
      EXPECT_EQ(p.reply, q.reply);
    }
    EXPECT_EQ(a[d].final_state, b[d].final_state);
    EXPECT_EQ(a[d].option_order, b[d].option_order);
    for (std::size_t i = 0; i < a[d].decisions.size(); ++i) {
      const auto &x = a[d].decisions[i], &y = b[d].decisions[i];
      EXPECT_EQ(x.turn, y.turn);
      EXPECT_EQ(x.gold, y.gold);
      EXPECT_EQ(x.previous, y.previous);
      EXPECT_EQ(x.terminal, y.terminal);
      EXPECT_EQ(x.rating, y.rating);
      EXPECT_EQ(x.judge, y.judge);
      EXPECT_EQ(x.strategies, y.strategies);
      EXPECT_EQ(x.reward, y.reward);
    }
  }
}

}  // namespace straq::testing
