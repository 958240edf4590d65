// What this processor can do, beside the instruction sets of row_ops.h.
#pragma once

namespace straq::kernel {

// True when it multiplies bf16 matrices in tiles (AMX). Without them bf16 products of libraries run
// at half of fp32's speed or less, also where AVX512-BF16 has instructions for them: there such
// products are made in fp32 (model/blas.h).
bool has_bf16_tiles();

}  // namespace straq::kernel
