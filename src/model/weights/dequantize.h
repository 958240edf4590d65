// Quantised weights of GGUF files back to fp32, bit for bit as the reference does it (the Python
// package `gguf`): each operation is one rounding in fp32, none is fused. Plain pointers: who has a
// mapped file has a tensor.
#pragma once

#include <cstdint>

#include "core/files/gguf_file.h"

namespace straq::model {

// Whether dequantize knows the type: F32, F16, BF16, Q8_0, Q4_0, Q4_1, Q5_0, Q5_1, Q4_K, Q5_K,
// Q6_K.
bool can_dequantize(GgufType type);

// `count` values, whole blocks of the type, to `out`. `bytes` need not be aligned. Only for types
// that can_dequantize.
void dequantize(GgufType type, const char* bytes, std::int64_t count, float* out);

}  // namespace straq::model
