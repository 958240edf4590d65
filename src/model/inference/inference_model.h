// A model for asking alone: weights packed for inference, forward passes that append tokens to the
// sequences of a cache. Weights come tensor by tensor from wherever they lie, so that a model is
// never in memory twice.
//
//   const InferenceModel model(open_model("model.gguf"), WeightPrecision::fp32);
//   Cache cache(model.cache_shape(), 1000);
//   const auto chat = cache.create();
//   const auto hidden = model.forward(cache, {append(cache, chat, prompt, 1)});
//   const auto logits = model.logits(hidden);  // [1, vocab], what follows the last token
#pragma once

#include <ATen/ATen.h>

#include <cstdint>
#include <optional>
#include <vector>

#include "model/inference/cache.h"
#include "model/inference/cached_attention.h"
#include "model/inference/packed_matrix.h"
#include "model/layers.h"
#include "model/weights/weights_io.h"
#include "text/token_id.h"

namespace straq::model {

// Tokens that a sequence has got and the next forward pass has to compute, and how many of the last
// of them are read.
struct Append {
  Cache::Sequence sequence = 0;
  std::int64_t begin = 0;  // the position of the first
  std::vector<text::TokenId> tokens;
  std::int64_t read = 0;
};
// Appends them in the cache. From now on others can fork from them, in the same pass too. Throws
// std::length_error where the cache is full.
Append append(Cache& cache, Cache::Sequence sequence, std::vector<text::TokenId> tokens,
              std::int64_t read);

class InferenceModel {
 public:
  // Reads every weight of the source once. On a CPU everything is computed in fp32, whatever the
  // weights are kept in; on a device in fp32 or bf16 as `precision` says. Throws Error(input) for
  // int8 on a device and what the source's reader throws.
  explicit InferenceModel(const WeightsSource& source,
                          WeightPrecision precision = WeightPrecision::fp32,
                          at::Device device = at::kCPU);

  const LlamaShape& shape() const { return shape_; }
  at::Device device() const { return device_; }
  at::ScalarType dtype() const { return dtype_; }  // of activations and of caches for it
  CacheShape cache_shape() const { return {shape_.layers, shape_.kv_heads, shape_.dim_per_head()}; }

  // Computes what was appended and gives the hidden states after the final norm of the tokens that
  // are read, [sum of read, hidden], in the order of `batch`, which must hold all that was appended
  // since the last pass, each sequence once. Throws Error(input) naming a position beyond
  // max_positions or a token outside the vocabulary.
  at::Tensor forward(Cache& cache, const std::vector<Append>& batch) const;
  // [n, vocab] fp32 on the host, from hidden [n, hidden].
  at::Tensor logits(const at::Tensor& hidden) const;

 private:
  struct Layer {
    at::Tensor input_norm, post_norm;
    PackedMatrix qkv, o, gate_up, down;
  };
  struct Pass;

  void check(const std::vector<Append>& batch) const;
  at::Tensor layer(std::int64_t i, const Pass& pass, const at::Tensor& x) const;
  const RotaryTable& table(std::int64_t positions) const;

  LlamaShape shape_;
  at::Device device_;
  at::ScalarType dtype_;
  PackedMatrix embedding_;  // the output projection too where they are tied
  std::optional<PackedMatrix> output_;
  std::vector<Layer> layers_;
  at::Tensor final_norm_, frequencies_;
  mutable RotaryTable table_;  // of the positions met so far
};

}  // namespace straq::model
