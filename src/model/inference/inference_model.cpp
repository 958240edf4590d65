#include "model/inference/inference_model.h"

#include <ATen/core/grad_mode.h>

#include <algorithm>
#include <map>
#include <string>
#include <utility>

#include "core/error.h"

namespace straq::model {
namespace {

// Parameters by name, each read when it is asked for.
class Reader {
 public:
  explicit Reader(const WeightsSource& source) : source_(source) {
    for (auto& spec : parameter_specs(source.shape)) specs_.emplace(spec.name, spec);
  }
  at::Tensor operator()(const std::string& name) const { return source_.tensor(specs_.at(name)); }
  // Matrices one above the other.
  at::Tensor stacked(const std::vector<std::string>& names) const {
    std::vector<at::Tensor> parts;
    for (const auto& name : names) parts.push_back((*this)(name).to(at::kFloat));
    return at::cat(parts, 0);
  }

 private:
  const WeightsSource& source_;
  std::map<std::string, ParameterSpec> specs_;
};

}  // namespace

// What all layers of a pass share.
struct InferenceModel::Pass {
  const Cache& cache;
  CachedRows rows;
  at::Tensor positions;            // int64 [n], on the device
  std::vector<std::int64_t> read;  // rows that are read
  at::Tensor read_index;           // the same on the device
  std::vector<std::int64_t> all;   // every row
  const RotaryTable& table;
};

InferenceModel::InferenceModel(const WeightsSource& source, WeightPrecision precision,
                               at::Device device)
    : shape_(source.shape),
      device_(device),
      dtype_(device.is_cpu() || precision == WeightPrecision::fp32 ? at::kFloat : at::kBFloat16) {
  if (!device.is_cpu() && precision == WeightPrecision::int8) {
    fail_input("weights in int8 are for CPUs", "choose bf16 on a GPU");
  }
  at::NoGradGuard no_grad;
  const Reader read(source);
  const auto pack = [&](const at::Tensor& weight) {
    return PackedMatrix(weight, precision, device);
  };
  const auto norm = [&](const std::string& name) { return read(name).to(device, dtype_).clone(); };
  embedding_ = pack(read("model.embed_tokens.weight"));
  if (!shape_.tied) output_ = pack(read("lm_head.weight"));
  for (std::int64_t i = 0; i < shape_.layers; ++i) {
    const auto name = [&](const char* rest) {
      return "model.layers." + std::to_string(i) + "." + rest + ".weight";
    };
    Layer l;
    l.input_norm = norm(name("input_layernorm"));
    l.post_norm = norm(name("post_attention_layernorm"));
    l.qkv = pack(read.stacked(
        {name("self_attn.q_proj"), name("self_attn.k_proj"), name("self_attn.v_proj")}));
    l.o = pack(read(name("self_attn.o_proj")));
    l.gate_up = pack(read.stacked({name("mlp.gate_proj"), name("mlp.up_proj")}));
    l.down = pack(read(name("mlp.down_proj")));
    layers_.push_back(std::move(l));
  }
  final_norm_ = norm("model.norm.weight");
  frequencies_ = rope_frequencies(shape_).to(device);
}

const RotaryTable& InferenceModel::table(std::int64_t positions) const {
  if (!table_.cos.defined() || table_.cos.size(0) < positions) {
    constexpr std::int64_t first = 256;
    table_ = rotary_table(std::min(shape_.max_positions, std::max(2 * positions, first)),
                          frequencies_, dtype_);
  }
  return table_;
}

void InferenceModel::check(const std::vector<Append>& batch) const {
  for (const auto& a : batch) {
    const auto end = a.begin + static_cast<std::int64_t>(a.tokens.size());
    if (end > shape_.max_positions) {
      fail_input("a text of " + std::to_string(end) + " tokens is longer than the model's " +
                     std::to_string(shape_.max_positions) + " positions",
                 "shorten the prompt or ask for fewer new tokens");
    }
    for (const auto token : a.tokens) {
      if (token < 0 || token >= shape_.vocab) {
        fail_input("token id " + std::to_string(token) + " is outside the model's vocabulary of " +
                       std::to_string(shape_.vocab),
                   "encode with the tokenizer of this model");
      }
    }
  }
}

Append append(Cache& cache, Cache::Sequence sequence, std::vector<text::TokenId> tokens,
              std::int64_t read) {
  const auto begin = cache.length(sequence);
  cache.append(sequence, static_cast<std::int64_t>(tokens.size()));
  return {sequence, begin, std::move(tokens), read};
}

at::Tensor InferenceModel::forward(Cache& cache, const std::vector<Append>& batch) const {
  at::NoGradGuard no_grad;
  check(batch);
  CachedRows rows;
  std::vector<std::int64_t> tokens, read, all;
  std::int64_t highest = 0;
  for (const auto& a : batch) {
    const auto count = static_cast<std::int64_t>(a.tokens.size());
    for (std::int64_t i = 0; i < count; ++i) {
      if (count - i <= a.read) read.push_back(static_cast<std::int64_t>(tokens.size()));
      all.push_back(static_cast<std::int64_t>(tokens.size()));
      tokens.push_back(a.tokens[static_cast<std::size_t>(i)]);
      rows.tables.push_back(&cache.table(a.sequence));
      rows.positions.push_back(a.begin + i);
    }
    highest = std::max(highest, a.begin + count);
  }
  if (tokens.empty()) {
    return at::empty({0, shape_.hidden}, at::TensorOptions().dtype(dtype_).device(device_));
  }
  const at::Tensor positions = at::tensor(rows.positions, at::kLong),
                   read_index = at::tensor(read, at::kLong);
  const Pass pass{.cache = cache,
                  .rows = std::move(rows),
                  .positions = on_device(positions, device_),
                  .read = std::move(read),
                  .read_index = on_device(read_index, device_),
                  .all = std::move(all),
                  .table = table(highest)};
  at::Tensor x = embedding_.rows(at::tensor(tokens, at::kLong)).to(dtype_);
  for (std::int64_t i = 0; i < shape_.layers; ++i) x = layer(i, pass, x);
  cache.finish_pass();
  at::Tensor scale;
  return rms_norm(x, final_norm_, shape_.norm_eps, scale);
}

// In the last layer only the rows that are read have queries and an MLP.
at::Tensor InferenceModel::layer(std::int64_t i, const Pass& pass, const at::Tensor& x) const {
  const Layer& w = layers_[static_cast<std::size_t>(i)];
  const auto d = shape_.dim_per_head(), heads = shape_.heads, kv_heads = shape_.kv_heads;
  const auto q_width = heads * d, kv_width = kv_heads * d;
  const bool some =
      i + 1 == shape_.layers && pass.read.size() < pass.all.size() && q_width % kernel::kPanel == 0;
  at::Tensor scale, q, k, v, residual = x;
  const at::Tensor h = rms_norm(x, w.input_norm, shape_.norm_eps, scale);
  if (some) {
    const at::Tensor kv = w.qkv.product(h, q_width, q_width + 2 * kv_width);
    k = kv.narrow(1, 0, kv_width);
    v = kv.narrow(1, kv_width, kv_width);
    rotate_(k, kv_heads, pass.table, pass.positions);
    q = w.qkv.product(h.index_select(0, pass.read_index), 0, q_width);
    rotate_(q, heads, pass.table, pass.positions.index_select(0, pass.read_index));
    residual = x.index_select(0, pass.read_index);
  } else {
    const at::Tensor qkv = w.qkv.product(h);
    rotate_(qkv.narrow(1, 0, q_width + kv_width), heads + kv_heads, pass.table, pass.positions);
    q = qkv.narrow(1, 0, q_width);
    k = qkv.narrow(1, q_width, kv_width);
    v = qkv.narrow(1, q_width + kv_width, kv_width);
  }
  write_cache(pass.cache, i, pass.rows, k, v);
  const at::Tensor attended =
      cached_attention(pass.cache, i, pass.rows, some ? pass.read : pass.all, q, heads);
  at::Tensor out = w.o.product(attended).add_(residual);
  const at::Tensor normed = rms_norm(out, w.post_norm, shape_.norm_eps, scale);
  out.add_(w.down.product(swiglu(w.gate_up.product(normed))));
  // Where all rows went through a last layer that could not tell them apart.
  if (i + 1 == shape_.layers && !some && pass.read.size() < pass.all.size()) {
    return out.index_select(0, pass.read_index);
  }
  return out;
}

at::Tensor InferenceModel::logits(const at::Tensor& hidden) const {
  at::NoGradGuard no_grad;
  return (output_ ? *output_ : embedding_).product(hidden).to(at::kFloat).cpu();
}

}  // namespace straq::model
