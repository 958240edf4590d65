// Llama models in GGUF files. What the file does not say as this decoder computes it is refused by
// name, as in huggingface.h; quantised tensors become fp32, exactly as the reference dequantises
// them.
#pragma once

#include <map>
#include <string>

#include "core/files/gguf_file.h"
#include "model/weights/weights_io.h"

namespace straq::model {

// The shape that the keys (and rope_freqs.weight, which holds the llama3 scaling) give. Throws
// Error(input) naming file and key for a missing or impossible one, another architecture, experts,
// a sliding window, another rope scaling, a partial rotary embedding.
LlamaShape read_gguf_shape(const GgufFile& file);

// The weights of a file, checked but not read: fp32 tensors with Hugging Face's names and layout
// (the file has the rows of q and k with rotary pairs side by side). Without output.weight the
// output projection is the embedding. Throws Error(input) naming file and tensor when one is
// missing, superfluous, of another shape or of a type that is not read.
WeightsSource open_gguf(const std::string& path);

// "210 Q4_1, 61 F32, 1 Q8_0": how many tensors are stored how, the most frequent first.
std::string gguf_types(const GgufFile& file);

}  // namespace straq::model
