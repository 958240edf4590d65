#include "model/llama.h"

#include <ATen/Parallel.h>
#include <ATen/core/grad_mode.h>

#include <algorithm>
#include <cmath>
#include <numbers>
#include <numeric>

#include "core/error.h"
#include "core/hash.h"
#include "core/rng.h"
#include "model/heads.h"
#include "model/layers.h"
#include "model/weights/shape_limits.h"

namespace straq::model {
namespace {

const std::string kHead = "state_head.";

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

void require_within(const char* key, std::int64_t value, std::int64_t least, std::int64_t most) {
  if (value >= least && value <= most) return;
  fail_input("shape: " + std::string(key) + " is " + std::to_string(value) + ", outside " +
                 std::to_string(least) + " to " + std::to_string(most),
             "no model is of that size; the number is damaged or belongs to another key");
}

// Whoever uses a shape's numbers as sizes asks this first: they come from files.
void require_possible_sizes(const LlamaShape& s) {
  require_within("vocab", s.vocab, 0, limits::vocab);
  require_within("hidden", s.hidden, 1, limits::hidden);
  require_within("layers", s.layers, 1, limits::layers);
  require_within("heads", s.heads, 1, limits::heads);
  require_within("kv_heads", s.kv_heads, 1, limits::heads);
  require_within("head_dim", s.head_dim, 0, limits::head_dim);
  require_within("inner", s.inner, 1, limits::inner);
  require_within("max_positions", s.max_positions, 1, limits::positions);
  if (s.state_head) {
    require_within("state_head.outputs", s.state_head->outputs, 1, limits::hidden);
    require_within("state_head.inner", s.state_head->inner, 0, limits::inner);
    require_within("state_head.bins", s.state_head->bins, 0, limits::head_bins);
  }
  // In doubles, which do not overflow.
  const auto vocab = static_cast<double>(s.vocab), hidden = static_cast<double>(s.hidden);
  const double count = vocab * hidden * (s.tied ? 1 : 2) +
                       static_cast<double>(s.layers) * (s.row_products() + 2 * hidden) + hidden;
  if (count > limits::parameters) {
    fail_input("shape: vocab " + std::to_string(s.vocab) + ", hidden " + std::to_string(s.hidden) +
                   ", inner " + std::to_string(s.inner) + " and " + std::to_string(s.layers) +
                   " layers make " + std::to_string(static_cast<std::int64_t>(count / 1e12)) +
                   " trillion parameters",
               "no model is of that size; one of the numbers is damaged");
  }
}

void require_usable(const LlamaShape& shape) {
  shape.check();
  if (shape.vocab < 1) fail_input("shape: vocab is 0", "set it, or take it from the tokenizer");
}

DecoderShape decoder_shape(const LlamaShape& s) {
  return {s.heads, s.kv_heads, s.dim_per_head(), s.norm_eps};
}

// Values drawn one after the other in each row of `out`, a stream a row, so that rows can be drawn
// in parallel.
template <class Draw>
void fill_by_rows_(at::Tensor out, std::uint64_t seed, const std::string& name, Draw&& draw) {
  const auto rows = out.size(0), columns = out.size(1);
  at::Tensor values = at::empty({rows, columns}, at::kFloat);
  auto* data = values.data_ptr<float>();
  at::parallel_for(0, rows, 16, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t row = begin; row < end; ++row) {
      CounterRng rng(seed, name, static_cast<std::uint64_t>(row));
      for (std::int64_t c = 0; c < columns; ++c) {
        data[row * columns + c] = static_cast<float>(draw(rng));
      }
    }
  });
  out.copy_(values);
}

}  // namespace

void LlamaShape::check() const {
  require_possible_sizes(*this);
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
  if (rope_scaling) {
    require_within("rope_scaling.original_max_positions", rope_scaling->original_max_positions, 1,
                   limits::positions);
  }
}

std::vector<ParameterSpec> parameter_specs(const LlamaShape& s) {
  require_possible_sizes(s);
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
  if (s.state_head) {
    const auto inner = s.state_head->inner, outputs = s.state_head->units();
    if (inner > 0) {
      specs.push_back({kHead + "inner.weight", {inner, s.hidden}});
      specs.push_back({kHead + "inner.bias", {inner}});
    }
    specs.push_back({kHead + "out.weight", {outputs, inner > 0 ? inner : s.hidden}});
    specs.push_back({kHead + "out.bias", {outputs}});
  }
  return specs;
}

at::Tensor bin_centres(const StateHeadShape& head) {
  const auto n = static_cast<double>(head.bins);
  return (at::arange(head.bins, at::kDouble) + 0.5) * (2 * head.most / n) - head.most;
}

std::int64_t LlamaShape::parameter_count() const {
  require_possible_sizes(*this);
  const auto layer = static_cast<std::int64_t>(row_products()) + 2 * hidden;
  std::int64_t head = 0;
  if (state_head) {
    const auto units = state_head->inner, outputs = state_head->units();
    head = units > 0 ? units * (hidden + 1) + outputs * (units + 1) : outputs * (hidden + 1);
  }
  return vocab * hidden * (tied ? 1 : 2) + layers * layer + hidden + head;
}

double LlamaShape::row_products() const {
  const auto d = static_cast<double>(dim_per_head());
  const auto q = static_cast<double>(heads) * d, kv = static_cast<double>(kv_heads) * d;
  return static_cast<double>(hidden) * (2 * q + 2 * kv + 3 * static_cast<double>(inner));
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

Llama::Llama(const LlamaShape& shape, const TrainedPart& part, ParameterArena trained,
             std::shared_ptr<ParameterArena> frozen)
    : shape_(shape), part_(part), trained_(std::move(trained)), frozen_(std::move(frozen)) {
  weights_ = tensors(/*gradients=*/false);
  if (trained_.flat_grad().defined()) gradients_ = tensors(/*gradients=*/true);
  if (gradients_.layers.empty()) gradients_.layers.resize(weights_.layers.size());
  const std::string output = shape_.tied ? "model.embed_tokens.weight" : "lm_head.weight";
  output_ = weight(output);
  if (trained_.has(output)) output_gradient_ = trained_.grad(output);
  frequencies_ = rope_frequencies(shape_).to(device());
}

Llama::Llama(const LlamaShape& shape, at::ScalarType dtype, at::Device device, bool with_gradients,
             const TrainedPart& part)
    : Llama(shape, part,
            ParameterArena((require_usable(shape), divide(shape, part).trained), dtype, device,
                           with_gradients),
            std::make_shared<ParameterArena>(divide(shape, part).frozen, dtype, device,
                                             /*with_gradients=*/false)) {}

std::unique_ptr<Llama> Llama::twin() const {
  return std::unique_ptr<Llama>(new Llama(
      shape_, part_, ParameterArena(trained_.specs(), dtype(), device(), /*with_gradients=*/false),
      frozen_));
}

at::Tensor Llama::weight(const std::string& name) const {
  return trained_.has(name) ? trained_[name] : (*frozen_)[name];
}

at::Tensor Llama::merged_weight(const std::string& name) const {
  const at::Tensor w = weight(name);
  const std::string a = factor_name(name, 'A');
  if (!trained_.has(a)) return w;
  const auto type = wide_type(w.scalar_type());
  const at::Tensor product =
      at::mm(trained_[factor_name(name, 'B')].to(type), trained_[a].to(type));
  return w.to(type).add(product, part_.lora.scale());
}

void Llama::copy_from(const Llama& other) {
  trained_.copy_from(other.trained_);
  frozen_->copy_from(other.frozen());
}

std::string Llama::checksum() const {
  if (frozen_->size() == 0) return trained_.checksum();
  return sha256_hex(frozen_->checksum() + trained_.checksum());
}

DecoderTensors Llama::tensors(bool gradients) const {
  const auto h = shape_.hidden, d = shape_.dim_per_head();
  // `count` elements from where a parameter begins; undefined for the gradient of a frozen one.
  const auto part = [&](const std::string& name, std::int64_t count) {
    const ParameterArena& arena = trained_.has(name) ? trained_ : *frozen_;
    const at::Tensor flat = gradients ? arena.flat_grad() : arena.flat();
    return flat.defined() ? flat.narrow(0, arena.offset(name), count) : at::Tensor();
  };
  const auto matrix = [&](const std::string& name, std::int64_t rows, std::int64_t columns) {
    const at::Tensor flat = part(name, rows * columns);
    return flat.defined() ? flat.view({rows, columns}) : at::Tensor();
  };
  struct Piece {
    std::string name;
    std::int64_t outputs;
  };
  // parameter_specs puts the pieces of a map beside each other, and divide() their factors.
  const auto linear = [&](const std::vector<Piece>& pieces, std::int64_t inputs) {
    Linear out;
    std::int64_t outputs = 0, rank = part_.lora.rank;
    std::string first;
    for (const auto& [name, count] : pieces) {
      const std::string b = factor_name(name, 'B');
      if (trained_.has(b)) {
        if (first.empty()) first = factor_name(name, 'A');
        out.parts.push_back({outputs, count, matrix(b, count, rank)});
      }
      outputs += count;
    }
    out.weight = matrix(pieces.front().name, outputs, inputs);
    if (first.empty()) return out;
    out.a = matrix(first, static_cast<std::int64_t>(out.parts.size()) * rank, inputs);
    out.scale = part_.lora.scale();
    return out;
  };
  DecoderTensors t;
  t.embedding = matrix("model.embed_tokens.weight", shape_.vocab, h);
  for (std::int64_t i = 0; i < shape_.layers; ++i) {
    const auto name = [&](const char* rest) { return layer_name(i, rest); };
    const auto q = shape_.heads * d, kv = shape_.kv_heads * d, inner = shape_.inner;
    t.layers.push_back(
        {part(name("input_layernorm.weight"), h),
         linear({{name("self_attn.q_proj.weight"), q},
                 {name("self_attn.k_proj.weight"), kv},
                 {name("self_attn.v_proj.weight"), kv}},
                h),
         linear({{name("self_attn.o_proj.weight"), h}}, q),
         part(name("post_attention_layernorm.weight"), h),
         linear({{name("mlp.gate_proj.weight"), inner}, {name("mlp.up_proj.weight"), inner}}, h),
         linear({{name("mlp.down_proj.weight"), h}}, inner)});
  }
  t.final_norm = part("model.norm.weight", h);
  return t;
}

void Llama::initialise(std::uint64_t seed, double std) {
  at::NoGradGuard no_grad;
  const double residual = std / std::sqrt(2.0 * static_cast<double>(shape_.layers));
  for (const auto& [name, dims] : parameter_specs(shape_)) {
    if (name.starts_with(kHead)) continue;
    at::Tensor out = weight(name);
    if (dims.size() == 1) {
      out.fill_(1);
      continue;
    }
    const bool writes_residual =
        ends_with(name, "o_proj.weight") || ends_with(name, "down_proj.weight");
    const double scale = writes_residual ? residual : std;
    fill_by_rows_(out, seed, name, [scale](CounterRng& rng) { return scale * rng.normal(); });
  }
}

void Llama::initialise_state_head(std::uint64_t seed) {
  at::NoGradGuard no_grad;
  const double std = 1 / std::sqrt(static_cast<double>(shape_.hidden));
  for (const auto& [name, dims] : trained_.specs()) {
    if (!name.starts_with(kHead)) continue;
    at::Tensor out = trained_[name].zero_();
    if (name == kHead + "inner.weight") {
      fill_by_rows_(out, seed, name, [std](CounterRng& rng) { return std * rng.normal(); });
    }
  }
}

void Llama::initialise_adapter(std::uint64_t seed) {
  at::NoGradGuard no_grad;
  for (const auto& [name, dims] : trained_.specs()) {
    if (name.find(".lora_") == std::string::npos) continue;
    at::Tensor out = trained_[name];
    if (ends_with(name, "lora_B.weight")) {
      out.zero_();
      continue;
    }
    const double bound = 1 / std::sqrt(static_cast<double>(dims[1]));
    fill_by_rows_(out, seed, name,
                  [bound](CounterRng& rng) { return bound * (2 * rng.uniform() - 1); });
  }
}

// Where the trained parameters of a layer, and of what comes after it, begin; those of the final
// norm, the output projection and the state head for the number of layers.
std::int64_t Llama::begin_of_layer(std::int64_t layer) const {
  const auto& specs = trained_.specs();
  for (std::size_t i = 0; i < specs.size(); ++i) {
    const auto of = layer_of(specs[i].name);
    const bool after = of < 0 && specs[i].name != "model.embed_tokens.weight";
    if (after || of >= layer) return trained_.offset(i);
  }
  return trained_.size();
}

void Llama::report_gradient(std::int64_t layer) const {
  if (!gradient_done_) return;
  const auto report = [&](std::int64_t begin, std::int64_t end) {
    if (begin < end) gradient_done_(begin, end);
  };
  const auto lowest = part_.lowest();
  // The final norm and an output projection of its own are done before the first layer that is;
  // the embedding, which may be the output projection too, comes last.
  if (layer + 1 == shape_.layers || lowest == shape_.layers) {
    report(begin_of_layer(shape_.layers), trained_.size());
  }
  if (layer < shape_.layers) {
    report(begin_of_layer(layer), begin_of_layer(layer + 1));
  } else {
    report(0, begin_of_layer(lowest));
  }
}

const RotaryTable& Llama::table_for(const CombBatch& batch) const {
  const auto highest =
      batch.max_position >= 0 ? batch.max_position : batch.positions.max().item<std::int64_t>();
  if (!table_.cos.defined() || table_.cos.size(0) <= highest) {
    const auto size = std::min(shape_.max_positions, std::max<std::int64_t>(2 * highest, 256));
    table_ = rotary_table(size, frequencies_, dtype());
  }
  return table_;
}

at::Tensor Llama::lower_states(const CombBatch& batch) const {
  check_batch(batch, shape_);
  DecoderTensors lower = weights_;
  lower.layers.resize(static_cast<std::size_t>(part_.lowest()));
  std::vector<std::int64_t> rows(static_cast<std::size_t>(batch.rows));
  std::iota(rows.begin(), rows.end(), 0);
  DecoderPass pass(lower, decoder_shape(shape_), batch, table_for(batch), std::move(rows), {});
  return pass.states(layer_done_);
}

at::Tensor Llama::hidden(const CombBatch& batch, const at::Tensor& rows) const {
  const bool with_tape = at::GradMode::is_enabled() && trained_.flat_grad().defined();
  // Nothing asked: no rows, but with a history, so that a learner without samples can call backward
  // like the others.
  if (rows.numel() == 0) {
    return at::empty({0, shape_.hidden}, trained_.flat().options()).requires_grad_(with_tape);
  }
  check_batch(batch, shape_);
  const at::Tensor rows_host = rows.cpu();
  const auto* row = rows_host.const_data_ptr<std::int64_t>();
  std::vector<std::int64_t> asked(row, row + rows_host.numel()), kept = asked;
  std::sort(kept.begin(), kept.end());
  kept.erase(std::unique(kept.begin(), kept.end()), kept.end());
  if (kept.front() < 0 || kept.back() >= batch.rows) {
    throw std::out_of_range("row " + std::to_string(kept.front() < 0 ? kept.front() : kept.back()) +
                            " of a batch of " + std::to_string(batch.rows));
  }
  const auto pass = std::make_shared<DecoderPass>(
      weights_, decoder_shape(shape_), batch, table_for(batch), kept,
      PassOptions{.keep_tape = with_tape, .recompute = recompute_, .lowest = part_.lowest()});
  at::Tensor out = pass->forward(layer_done_);
  if (with_tape) {
    const auto version = trained_.flat()._version();
    out = with_backward(out, [this, pass, version](const at::Tensor& g) {
      // The tape's activations belong to the weights that made them.
      if (trained_.flat()._version() != version) {
        throw std::logic_error("the parameters changed between a forward pass and its backward");
      }
      pass->backward(g.to(dtype()), gradients_,
                     [this](std::int64_t layer) { report_gradient(layer); });
    });
  }
  if (kept == asked) return out;
  std::vector<std::int64_t> picked;
  for (const auto r : asked) {
    picked.push_back(std::lower_bound(kept.begin(), kept.end(), r) - kept.begin());
  }
  return out.index_select(0, on_device(at::tensor(picked, at::kLong), device()));
}

at::Tensor Llama::logits(const at::Tensor& hidden) const {
  return projection(hidden, output_, output_gradient_);
}

at::Tensor Llama::logits_of(const at::Tensor& hidden, const at::Tensor& token_ids) const {
  const auto type = wide_type(hidden.scalar_type());
  const at::Tensor rows = output_.index_select(0, token_ids).to(type);
  const at::Tensor wide = hidden.to(type);
  return projection_rows(wide, rows, output_gradient_, token_ids);
}

at::Tensor Llama::state_outputs(const at::Tensor& hidden) const {
  if (!shape_.state_head) throw std::logic_error("the model has no state head");
  const auto type = wide_type(hidden.scalar_type());
  const auto layer = [&](const at::Tensor& x, const char* name) {
    const std::string w = kHead + name + ".weight", b = kHead + name + ".bias";
    return affine(x, weight(w).to(type), weight(b).to(type), trained_.grad(w), trained_.grad(b));
  };
  const at::Tensor x = hidden.to(type);
  return layer(shape_.state_head->inner > 0 ? at::silu(layer(x, "inner")) : x, "out");
}

at::Tensor Llama::state_distributions(const at::Tensor& hidden) const {
  const at::Tensor logits = state_outputs(hidden);
  const auto& head = *shape_.state_head;
  if (head.bins == 0) throw std::logic_error("the model's state head gives no distributions");
  return at::log_softmax(logits.view({-1, head.outputs, head.bins}), 2);
}

at::Tensor Llama::state_values(const at::Tensor& hidden) const {
  if (!shape_.state_head || shape_.state_head->bins == 0) return state_outputs(hidden);
  const at::Tensor log_p = state_distributions(hidden);
  return (log_p.exp() * bin_centres(*shape_.state_head).to(log_p)).sum(2);
}

at::Tensor Llama::cross_entropy_sum(const at::Tensor& hidden, const at::Tensor& next) const {
  return projected_cross_entropy(hidden, output_, output_gradient_, next);
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
