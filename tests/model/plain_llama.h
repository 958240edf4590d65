// The decoder as a textbook would write it: autograd over every operation, one dense mask over the
// whole batch. Slow and plain, so that the fast one has something to be equal to.
#pragma once

#include <ATen/ATen.h>

#include <cmath>
#include <limits>
#include <map>
#include <string>

#include "model/llama.h"

namespace straq::model::testing {

// Who sees whom: [rows, rows] bool.
inline at::Tensor dense_mask(const CombBatch& batch) {
  const auto mask = at::zeros({batch.rows, batch.rows}, at::kBool);
  const auto p = batch.prefix;
  const auto causal = [&](std::int64_t begin, std::int64_t n) {
    mask.slice(0, begin, begin + n)
        .slice(1, begin, begin + n)
        .copy_(at::ones({n, n}, at::kBool).tril());
  };
  causal(0, p);
  for (const auto& s : batch.spans) {
    mask.slice(0, s.begin, s.begin + s.trunk + s.probes).slice(1, 0, p).fill_(true);
    causal(s.begin, s.trunk);
    for (std::int64_t i = 0; i < s.probes; ++i) {
      const auto& probe = s.probe_rows[static_cast<std::size_t>(i)];
      const auto first = s.begin + s.trunk;
      auto row = mask[first + i];
      row.slice(0, 0, p).fill_(false);
      row.slice(0, 0, std::min<std::int64_t>(p, probe.attach)).fill_(true);
      if (probe.attach > p) row.slice(0, s.begin, s.begin + probe.attach - p).fill_(true);
      row.slice(0, first + probe.begin, first + i + 1).fill_(true);
    }
  }
  return mask;
}

// Softmax attention over the rows under a mask: q [queries, heads, d], k, v [rows, kv_heads, d],
// mask [queries, rows]; returns [queries, heads * d].
inline at::Tensor dense_attention(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v,
                                  const at::Tensor& mask) {
  const auto repeat = q.size(1) / k.size(1);
  const auto heads = [](const at::Tensor& x) { return x.transpose(0, 1); };
  const auto kk = heads(k.repeat_interleave(repeat, 1)), vv = heads(v.repeat_interleave(repeat, 1));
  auto scores = at::matmul(heads(q), kk.transpose(1, 2)) / std::sqrt(double(q.size(2)));
  scores = scores.masked_fill(mask.logical_not(), -std::numeric_limits<double>::infinity());
  return at::matmul(at::softmax(scores, -1), vv).transpose(0, 1).reshape({q.size(0), -1});
}

// The parameters as leaves of autograd.
inline std::map<std::string, at::Tensor> leaves_of(const Llama& model) {
  std::map<std::string, at::Tensor> leaves;
  for (const auto& spec : model.parameters().specs()) {
    leaves[spec.name] = model.parameters()[spec.name].clone().requires_grad_(true);
  }
  return leaves;
}

// Hidden states after the final norm of every row of the batch, [rows, hidden].
inline at::Tensor plain_hidden(const LlamaShape& shape, std::map<std::string, at::Tensor>& w,
                               const CombBatch& batch) {
  const auto d = shape.dim_per_head(), half = d / 2;
  const auto mask = dense_mask(batch);
  const auto norm = [&](const at::Tensor& x, const at::Tensor& weight) {
    return weight * (x * (x.square().mean(-1, true) + shape.norm_eps).rsqrt());
  };
  const auto angles =
      (batch.positions.to(at::kFloat).unsqueeze(1) * rope_frequencies(shape)).unsqueeze(1);
  const auto rotate = [&](const at::Tensor& x) {
    const auto cos = angles.cos().to(x.scalar_type()), sin = angles.sin().to(x.scalar_type());
    const auto a = x.narrow(-1, 0, half), b = x.narrow(-1, half, half);
    return at::cat({a * cos - b * sin, b * cos + a * sin}, -1);
  };
  auto x = w.at("model.embed_tokens.weight").index_select(0, batch.tokens);
  for (std::int64_t i = 0; i < shape.layers; ++i) {
    const auto p = [&](const char* name) {
      return w.at("model.layers." + std::to_string(i) + "." + name + ".weight");
    };
    auto h = norm(x, p("input_layernorm"));
    const auto heads = [&](const char* name, std::int64_t n) {
      return at::matmul(h, p(name).t()).view({-1, n, d});
    };
    const auto attended = dense_attention(rotate(heads("self_attn.q_proj", shape.heads)),
                                          rotate(heads("self_attn.k_proj", shape.kv_heads)),
                                          heads("self_attn.v_proj", shape.kv_heads), mask);
    x = x + at::matmul(attended, p("self_attn.o_proj").t());
    h = norm(x, p("post_attention_layernorm"));
    x = x + at::matmul(at::silu(at::matmul(h, p("mlp.gate_proj").t())) *
                           at::matmul(h, p("mlp.up_proj").t()),
                       p("mlp.down_proj").t());
  }
  return norm(x, w.at("model.norm.weight"));
}

}  // namespace straq::model::testing
