#include "model/llama.h"

#include <ATen/Parallel.h>
#include <ATen/core/grad_mode.h>

#include <algorithm>
#include <cmath>
#include <numbers>

#include "core/error.h"
#include "core/rng.h"
#include "model/layers.h"

namespace straq::model {
namespace {

std::string layer_name(std::int64_t layer, const char* rest) {
  return "model.layers." + std::to_string(layer) + "." + rest;
}

bool ends_with(const std::string& name, const char* suffix) {
  return name.ends_with(suffix);
}

void check_batch(const CombBatch& batch, const LlamaShape& shape) {
  std::int64_t position = batch.max_position, low = batch.min_token, high = batch.max_token;
  if (position < 0) {
    position = batch.positions.max().item<std::int64_t>();
    low = batch.tokens.min().item<std::int64_t>();
    high = batch.tokens.max().item<std::int64_t>();
  }
  if (position >= shape.max_positions) {
    fail_input("a prompt has " + std::to_string(position + 1) +
                   " tokens but the model's window "
                   "(max_positions) is " +
                   std::to_string(shape.max_positions),
               "preprocess with a window of at most max_positions, or choose a model with a "
               "larger one");
  }
  if (low < 0 || high >= shape.vocab) {
    fail_input("token id " + std::to_string(low < 0 ? low : high) +
                   " is outside the model's vocabulary of " + std::to_string(shape.vocab),
               "the shards must be made with the tokenizer of this model");
  }
}

// The rows whose queries, attention outputs and MLP the last layer has to compute so that `rows`
// can be read: these rows, and all of a trunk when one of its rows is asked for, because causal
// attention needs no mask only when it is whole. Ascending; `plan` gets the matching spans.
std::vector<std::int64_t> rows_of_last_layer(const CombBatch& batch,
                                             const std::vector<std::int64_t>& rows,
                                             AttentionPlan& plan) {
  std::vector<char> asked(batch.rows, 0);
  for (const auto r : rows) {
    if (r < 0 || r >= batch.rows) {
      throw std::out_of_range("row " + std::to_string(r) + " of a batch of " +
                              std::to_string(batch.rows));
    }
    asked[r] = 1;
  }
  std::vector<std::int64_t> keep;
  for (std::size_t i = 0; i < batch.spans.size(); ++i) {
    const TrunkSpan& span = batch.spans[i];
    AttentionSpan& s = plan[i];
    const auto first = asked.begin() + span.begin;
    const bool trunk = std::find(first, first + span.trunk, 1) != first + span.trunk;
    s.trunk_queries = trunk ? span.trunk : 0;
    for (std::int64_t r = 0; r < s.trunk_queries; ++r) keep.push_back(span.begin + r);
    std::vector<std::int64_t> mask_rows;
    for (std::int64_t r = 0; r < span.probes; ++r) {
      if (!asked[span.begin + span.trunk + r]) continue;
      mask_rows.push_back(r);
      keep.push_back(span.begin + span.trunk + r);
    }
    s.probe_queries = static_cast<std::int64_t>(mask_rows.size());
    if (s.probe_queries > 0 && s.probe_queries < span.probes) {
      s.mask = s.mask.index_select(0, at::tensor(mask_rows, at::kLong).to(s.mask.device()));
    }
  }
  return keep;
}

}  // namespace

void LlamaShape::check() const {
  if (heads % kv_heads != 0) {
    fail_input("shape: heads (" + std::to_string(heads) + ") is no multiple of kv_heads (" +
                   std::to_string(kv_heads) + ")",
               "each key-value head serves the same number of query heads");
  }
  if (head_dim == 0 && hidden % heads != 0) {
    fail_input("shape: hidden (" + std::to_string(hidden) + ") is no multiple of heads (" +
                   std::to_string(heads) + ")",
               "change one of them, or set head_dim");
  }
  if (dim_per_head() % 2 != 0) {
    fail_input("shape: head_dim is " + std::to_string(dim_per_head()) + ", which is odd",
               "rotary embedding turns pairs; choose an even head_dim");
  }
  if (rope_scaling && rope_scaling->high_freq_factor <= rope_scaling->low_freq_factor) {
    fail_input("shape: rope_scaling.high_freq_factor must be above low_freq_factor",
               "Llama 3.1 has 4 and 1");
  }
}

std::vector<ParameterSpec> parameter_specs(const LlamaShape& s) {
  const auto d = s.dim_per_head();
  std::vector<ParameterSpec> specs{{"model.embed_tokens.weight", {s.vocab, s.hidden}}};
  for (std::int64_t i = 0; i < s.layers; ++i) {
    const auto add = [&](const char* name, std::vector<std::int64_t> shape) {
      specs.push_back({layer_name(i, name), std::move(shape)});
    };
    add("input_layernorm.weight", {s.hidden});
    add("self_attn.q_proj.weight", {s.heads * d, s.hidden});
    add("self_attn.k_proj.weight", {s.kv_heads * d, s.hidden});
    add("self_attn.v_proj.weight", {s.kv_heads * d, s.hidden});
    add("self_attn.o_proj.weight", {s.hidden, s.heads * d});
    add("post_attention_layernorm.weight", {s.hidden});
    add("mlp.gate_proj.weight", {s.inner, s.hidden});
    add("mlp.up_proj.weight", {s.inner, s.hidden});
    add("mlp.down_proj.weight", {s.hidden, s.inner});
  }
  specs.push_back({"model.norm.weight", {s.hidden}});
  if (!s.tied) specs.push_back({"lm_head.weight", {s.vocab, s.hidden}});
  return specs;
}

std::int64_t LlamaShape::parameter_count() const {
  std::int64_t n = 0;
  for (const auto& spec : parameter_specs(*this)) {
    std::int64_t m = 1;
    for (const auto d : spec.shape) m *= d;
    n += m;
  }
  return n;
}

at::Tensor rope_frequencies(const LlamaShape& shape) {
  // In fp32 and in this order, as the reference does: at position 8000 the last bit of a frequency
  // is half a thousandth of a turn's radian.
  const auto d = shape.dim_per_head();
  const auto exponent = at::arange(0, d, 2, at::kLong).to(at::kFloat).div(static_cast<float>(d));
  const auto frequency = at::pow(shape.rope_theta, exponent).reciprocal();
  if (!shape.rope_scaling) return frequency;
  const auto& scaling = *shape.rope_scaling;
  const auto original = static_cast<double>(scaling.original_max_positions);
  const auto wavelength = (2 * std::numbers::pi) / frequency;
  const auto stretched = frequency / scaling.factor;
  const auto blend = (original / wavelength - scaling.low_freq_factor) /
                     (scaling.high_freq_factor - scaling.low_freq_factor);
  const auto between = (1 - blend) * stretched + blend * frequency;
  const auto is_long = wavelength.gt(original / scaling.low_freq_factor);
  const auto is_short = wavelength.lt(original / scaling.high_freq_factor);
  return at::where(is_long, stretched, at::where(is_short, frequency, between));
}

Llama::Llama(const LlamaShape& shape, at::ScalarType dtype, at::Device device, bool with_gradients)
    : shape_((shape.check(), shape)),
      arena_(parameter_specs(shape), dtype, device, with_gradients) {
  if (shape_.vocab < 1) {
    fail_input("shape: vocab is 0", "set it, or take it from the tokenizer");
  }
  for (std::int64_t i = 0; i < shape_.layers; ++i) {
    const auto leaf = [&](const char* name) { return arena_[layer_name(i, name)]; };
    layers_.push_back({leaf("input_layernorm.weight"), leaf("self_attn.q_proj.weight"),
                       leaf("self_attn.k_proj.weight"), leaf("self_attn.v_proj.weight"),
                       leaf("self_attn.o_proj.weight"), leaf("post_attention_layernorm.weight"),
                       leaf("mlp.gate_proj.weight"), leaf("mlp.up_proj.weight"),
                       leaf("mlp.down_proj.weight")});
  }
  embedding_ = arena_["model.embed_tokens.weight"];
  final_norm_ = arena_["model.norm.weight"];
  output_ = shape_.tied ? embedding_ : arena_["lm_head.weight"];
  frequencies_ = rope_frequencies(shape_).to(device);
}

void Llama::initialise(std::uint64_t seed, double std) {
  at::NoGradGuard no_grad;
  const double residual = std / std::sqrt(2.0 * static_cast<double>(shape_.layers));
  const auto& specs = arena_.specs();
  for (std::size_t i = 0; i < specs.size(); ++i) {
    const auto& [name, dims] = specs[i];
    if (dims.size() == 1) {
      arena_.flat().narrow(0, arena_.offset(i), dims[0]).fill_(1);
      continue;
    }
    const bool writes_residual =
        ends_with(name, "o_proj.weight") || ends_with(name, "down_proj.weight");
    const double scale = writes_residual ? residual : std;
    const auto columns = dims[1];
    at::Tensor values = at::empty({dims[0], columns}, at::kFloat);
    auto* data = values.data_ptr<float>();
    // One stream a row, so that rows can be drawn in parallel.
    at::parallel_for(0, dims[0], 16, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t row = begin; row < end; ++row) {
        CounterRng rng(seed, name, static_cast<std::uint64_t>(row));
        for (std::int64_t c = 0; c < columns; ++c) {
          data[row * columns + c] = static_cast<float>(scale * rng.normal());
        }
      }
    });
    arena_.flat().narrow(0, arena_.offset(i), values.numel()).copy_(values.view(-1));
  }
}

at::Tensor Llama::hidden(const CombBatch& batch, const at::Tensor& rows) const {
  // Nothing asked: no rows, but still part of the graph, so that a learner without samples can
  // call backward like the others.
  if (rows.numel() == 0) return embedding_.narrow(0, 0, 0);
  check_batch(batch, shape_);
  const auto dtype = arena_.flat().scalar_type();
  const auto d = shape_.dim_per_head();
  const at::Tensor rows_host = rows.cpu();
  const auto* row = rows_host.const_data_ptr<std::int64_t>();
  const std::vector<std::int64_t> asked(row, row + rows_host.numel());

  AttentionPlan plan = full_plan(batch, dtype);
  RotaryTable table = rotary_table(batch.positions, frequencies_, dtype);
  at::Tensor x = at::embedding(embedding_, batch.tokens);
  at::Tensor picked = rows;  // where the rows asked for are in x
  for (std::int64_t i = 0; i < shape_.layers; ++i) {
    const Layer& w = layers_[i];
    at::Tensor h = rms_norm(x, w.input_norm, shape_.norm_eps);
    const auto k = rotate(at::linear(h, w.k).view({-1, shape_.kv_heads, d}), table);
    const auto v = at::linear(h, w.v).view({-1, shape_.kv_heads, d});
    if (i + 1 == shape_.layers) {
      const auto keep = rows_of_last_layer(batch, asked, plan);
      if (static_cast<std::int64_t>(keep.size()) < batch.rows) {
        const auto index = at::tensor(keep, at::kLong).to(device());
        h = h.index_select(0, index);
        x = x.index_select(0, index);
        table = table.select(index);
        std::vector<std::int64_t> place(batch.rows, -1);
        for (std::size_t j = 0; j < keep.size(); ++j) place[keep[j]] = static_cast<std::int64_t>(j);
        std::vector<std::int64_t> moved;
        for (const auto r : asked) moved.push_back(place[r]);
        picked = keep == asked ? at::Tensor() : at::tensor(moved, at::kLong).to(device());
      }
    }
    const auto q = rotate(at::linear(h, w.q).view({-1, shape_.heads, d}), table);
    x = x + at::linear(comb_attention(q, k, v, plan), w.o);
    h = rms_norm(x, w.post_norm, shape_.norm_eps);
    x = x + at::linear(swiglu(at::linear(h, w.gate), at::linear(h, w.up)), w.down);
  }
  if (picked.defined()) x = x.index_select(0, picked);
  return rms_norm(x, final_norm_, shape_.norm_eps);
}

at::Tensor Llama::logits(const at::Tensor& hidden) const {
  return at::linear(hidden, output_);
}

at::Tensor Llama::logits_of(const at::Tensor& hidden, const at::Tensor& token_ids) const {
  const auto type = hidden.scalar_type() == at::kDouble ? at::kDouble : at::kFloat;
  return at::linear(hidden.to(type), output_.index_select(0, token_ids).to(type));
}

std::vector<std::int64_t> Llama::greedy(std::vector<std::int64_t> prompt, int count) const {
  if (prompt.empty()) fail_input("cannot continue an empty prompt", "give at least one token");
  at::NoGradGuard no_grad;
  prompt::Comb comb;
  comb.id = "greedy";
  comb.trunks.resize(1);
  auto& tokens = comb.trunks[0].tokens;
  for (const auto id : prompt) {
    if (id < 0 || id >= shape_.vocab) {
      fail_input("token id " + std::to_string(id) + " is outside the model's vocabulary of " +
                     std::to_string(shape_.vocab),
                 "encode the prompt with the tokenizer of this model");
    }
    tokens.push_back(static_cast<prompt::TokenId>(id));
  }
  std::vector<std::int64_t> out;
  for (int i = 0; i < count; ++i) {
    const auto batch = pack({{&comb, {}, true}}, device());
    const auto last = at::full({1}, batch.rows - 1, at::TensorOptions().dtype(at::kLong));
    const auto next = logits(hidden(batch, last.to(device()))).argmax(-1).item<std::int64_t>();
    out.push_back(next);
    tokens.push_back(static_cast<prompt::TokenId>(next));
  }
  return out;
}

}  // namespace straq::model
