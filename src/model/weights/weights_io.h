// A model's weights wherever they lie, tensor by tensor: a checkpoint of eight billion parameters
// is converted or loaded without ever being in memory twice. Readers of a format make a
// WeightsSource, writers and loaders use one.
#pragma once

#include <ATen/ATen.h>

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "model/llama.h"

namespace straq::model {

struct WeightsSource {
  std::string path;  // for messages
  LlamaShape shape;
  at::ScalarType dtype = at::kFloat;  // holds every stored value exactly
  std::optional<std::int64_t> bos_token_id;
  std::vector<std::int64_t> eos_token_ids;  // chat models end a text and a turn differently
  std::map<std::string, std::string> metadata;
  std::uint64_t bytes = 0;  // of the files
  std::vector<std::string> files;
  // The values of a parameter of parameter_specs(shape), in its shape, on the host, in the
  // precision in which they are stored. They may look into a mapped file: copy before writing.
  std::function<at::Tensor(const ParameterSpec&)> tensor;
};

// What a model in memory offers to a writer, an adapter's products added; the model must outlive
// it.
WeightsSource weights_of(const Llama& model);

// A model of the source's weights in `dtype` on `device`. An adapter that `part` names is zero.
Llama load_weights(const WeightsSource& source, at::ScalarType dtype, at::Device device,
                   bool with_gradients = false, const TrainedPart& part = {});

// Throws Error(input) naming the first tensor that holds a NaN or an infinity, or a value that
// `dtype` can't (fp16 ends at 65504). Reads everything once.
void require_storable(const WeightsSource& source, at::ScalarType dtype);

// fp32, bf16, fp16: the words of configs and options. dtype_of_word throws Error(input).
at::ScalarType dtype_of_word(const std::string& word);
std::string word_of_dtype(at::ScalarType dtype);

}  // namespace straq::model
