// Small random models and combs for the tests of the model module.
#pragma once

#include <ATen/ATen.h>

#include <algorithm>
#include <string>
#include <vector>

#include "core/rng.h"
#include "model/blas.h"
#include "model/llama.h"

namespace straq::model::testing {

// While it lives, bf16 products on a CPU are made in fp32 or not.
class Bf16Products {
 public:
  explicit Bf16Products(bool by_fp32) : before_(bf16_by_fp32()) { use_bf16_by_fp32(by_fp32); }
  ~Bf16Products() { use_bf16_by_fp32(before_); }
  Bf16Products(const Bf16Products&) = delete;
  Bf16Products& operator=(const Bf16Products&) = delete;

 private:
  bool before_;
};

inline LlamaShape small_shape() {
  LlamaShape s;
  s.vocab = 50;
  s.hidden = 32;
  s.layers = 3;
  s.heads = 4;
  s.kv_heads = 2;
  s.inner = 48;
  s.max_positions = 256;
  return s;
}

inline std::vector<prompt::TokenId> random_tokens(CounterRng& rng, std::size_t n, int vocab) {
  std::vector<prompt::TokenId> tokens(n);
  for (auto& t : tokens) t = static_cast<prompt::TokenId>(rng.below(vocab));
  return tokens;
}

// A comb with the given trunk lengths and `probes` probes of one to three tokens on each trunk, at
// ascending places; the last one hangs on the trunk's end.
inline prompt::Comb random_comb(std::uint64_t seed, const std::vector<std::size_t>& trunks,
                                int probes, int vocab = 50) {
  CounterRng rng(seed, "comb");
  prompt::Comb comb;
  comb.id = "comb" + std::to_string(seed);
  for (std::size_t t = 0; t < trunks.size(); ++t) {
    comb.trunks.push_back({random_tokens(rng, trunks[t], vocab), 0});
    for (int p = 0; p < probes; ++p) {
      prompt::Probe probe;
      probe.trunk = static_cast<std::int32_t>(t);
      probe.attach = static_cast<std::int32_t>(trunks[t] * (p + 1) / probes);
      probe.tokens = random_tokens(rng, 1 + rng.below(3), vocab);
      comb.probes.push_back(std::move(probe));
    }
  }
  return comb;
}

// Gives all trunks of the combs the same first `n` tokens, as an instruction does, and moves probes
// that hang earlier behind them.
inline void share_beginning(const std::vector<prompt::Comb*>& combs, std::size_t n) {
  CounterRng rng(77, "beginning");
  const auto tokens = random_tokens(rng, n, 50);
  for (auto* comb : combs) {
    for (auto& trunk : comb->trunks) std::copy(tokens.begin(), tokens.end(), trunk.tokens.begin());
    for (auto& p : comb->probes) p.attach = std::max(p.attach, static_cast<std::int32_t>(n));
  }
}

inline std::vector<std::int32_t> all_probes(const prompt::Comb& comb) {
  std::vector<std::int32_t> all(comb.probes.size());
  for (std::size_t i = 0; i < all.size(); ++i) all[i] = static_cast<std::int32_t>(i);
  return all;
}

// What the comb stands for: the probe's own prompt, trunk[0, attach) + probe, as one plain sequence
// (a trunk without probes).
inline prompt::Comb plain_prompt(const prompt::Comb& comb, std::size_t probe) {
  const auto& p = comb.probes[probe];
  const auto& trunk = comb.trunks[p.trunk].tokens;
  prompt::Comb plain;
  plain.id = comb.id + "/" + std::to_string(probe);
  plain.trunks.resize(1);
  plain.trunks[0].tokens.assign(trunk.begin(), trunk.begin() + p.attach);
  plain.trunks[0].tokens.insert(plain.trunks[0].tokens.end(), p.tokens.begin(), p.tokens.end());
  return plain;
}

inline at::Tensor last_row(const CombBatch& batch) {
  return at::full({1}, batch.rows - 1, at::TensorOptions().dtype(at::kLong));
}

// Largest absolute difference relative to the largest absolute value of `expected`.
inline double relative_error(const at::Tensor& actual, const at::Tensor& expected) {
  const auto scale = expected.abs().max().item<double>();
  return (actual - expected).abs().max().item<double>() / (scale > 0 ? scale : 1.0);
}

}  // namespace straq::model::testing
