// Random combs and models for the tests of what asks and what learns.
#pragma once

#include <ATen/ATen.h>

#include <memory>
#include <vector>

#include "core/rng.h"
#include "model/llama.h"
#include "prompt/comb.h"
#include "tests/model/device_way.h"

namespace straq::planner::testing {

using straq::testing::device;

inline constexpr int kVocab = 97;
inline const std::vector<std::int64_t> kOptions = {3, 5, 7, 11, 13, 17, 19, 23};

inline model::LlamaShape small_shape(std::int64_t vocab = kVocab) {
  model::LlamaShape shape;
  shape.vocab = vocab;
  shape.hidden = 32;
  shape.layers = 2;
  shape.heads = 4;
  shape.kv_heads = 2;
  shape.inner = 48;
  shape.max_positions = 4096;
  return shape;
}

inline std::vector<prompt::TokenId> random_tokens(CounterRng& rng, std::size_t n) {
  std::vector<prompt::TokenId> out;
  for (std::size_t i = 0; i < n; ++i)
    out.push_back(static_cast<prompt::TokenId>(rng.below(kVocab)));
  return out;
}

// Dialogues of 2 to 9 decisions with random tokens; every third one has a decision on a trunk of
// its own, as a dialogue over the window has.
inline std::vector<prompt::Comb> random_combs(int count, std::uint64_t seed) {
  std::vector<prompt::Comb> combs;
  for (int c = 0; c < count; ++c) {
    CounterRng rng(seed, "combs", static_cast<std::uint64_t>(c));
    prompt::Comb comb;
    comb.id = "random/" + std::to_string(c);
    const int n = 2 + static_cast<int>(rng.below(8));
    comb.trunks.push_back({random_tokens(rng, 10), 4});
    for (int d = 0; d < n; ++d) {
      auto& main = comb.trunks.front().tokens;
      const auto more = random_tokens(rng, 3 + rng.below(6));
      main.insert(main.end(), more.begin(), more.end());
      prompt::Probe probe{0, static_cast<std::int32_t>(main.size()), {29, 31}};
      if (d == n - 1 && c % 3 == 0) {
        comb.trunks.push_back({random_tokens(rng, 12), 4});
        probe.trunk = 1;
        probe.attach = 12;
      }
      comb.probes.push_back(probe);
      comb.decisions.push_back(
          {2 * d + 1, static_cast<std::int32_t>(rng.below(8)), -1, d == n - 1});
    }
    const auto tail = random_tokens(rng, 5);
    comb.trunks.front().tokens.insert(comb.trunks.front().tokens.end(), tail.begin(), tail.end());
    combs.push_back(std::move(comb));
  }
  return combs;
}

// Dialogues of a responder: branches of 2 to 12 tokens, some of which the trunk goes on with, with
// targets of which the reply is a part. A dialogue's last branch is a target alone.
inline std::vector<prompt::Comb> reply_combs(int count, std::uint64_t seed) {
  auto combs = random_combs(count, seed);
  for (std::size_t c = 0; c < combs.size(); ++c) {
    CounterRng rng(seed, "replies", c);
    auto& comb = combs[c];
    comb.final_state = 0;
    for (std::size_t p = 0; p < comb.probes.size(); ++p) {
      auto& branch = comb.probes[p];
      const auto& trunk = comb.trunks[static_cast<std::size_t>(branch.trunk)].tokens;
      branch.tokens = random_tokens(rng, 2 + rng.below(11));
      for (std::size_t i = 0; i < p % 3 && branch.attach + i < trunk.size(); ++i) {
        branch.tokens[i % branch.tokens.size()] =
            trunk[static_cast<std::size_t>(branch.attach) + i];
      }
      const auto n = static_cast<std::uint64_t>(branch.tokens.size());
      branch.target = 1 + static_cast<std::int32_t>(rng.below(n));
      branch.reply = 1 + static_cast<std::int32_t>(rng.below(branch.target));
    }
    comb.probes.back().target = static_cast<std::int32_t>(comb.probes.back().tokens.size());
  }
  return combs;
}

// The same, every `each`-th dialogue (from the second on) without strategies: its text alone.
inline std::vector<prompt::Comb> partly_labelled(int count, std::uint64_t seed, int each = 2) {
  auto combs = random_combs(count, seed);
  for (std::size_t c = 1; c < combs.size(); c += static_cast<std::size_t>(each)) {
    combs[c].trunks.resize(1);
    combs[c].probes.clear();
    combs[c].decisions.clear();
  }
  return combs;
}

inline std::unique_ptr<model::Llama> random_model(std::int64_t vocab = kVocab,
                                                  at::ScalarType dtype = at::kFloat) {
  auto out = std::make_unique<model::Llama>(small_shape(vocab), dtype, device(), true);
  // Large enough that attention patterns and Q gaps are far from uniform.
  out->initialise(5, 0.2);
  return out;
}

}  // namespace straq::planner::testing
