// Matrix products for inference: rows of activations times a matrix that was packed once into
// panels of columns. A BLAS packs its operand at every call, which costs more than the product
// where a few sequences each add one token, and rounds a row differently in company than alone.
// Here every value is one chain of fused multiply-adds over the depth, in order, whatever else is
// in the batch: a reply is the same alone and in any batch, to the bit.
//
// Weights may be kept in fp32, bf16 (half the memory to read for a token) or int8 with a scale for
// each 32 values of a row (a quarter); activations and sums are fp32. Compiled for each instruction
// set and chosen at run time, as row_ops.h.
#pragma once

#include <cstdint>

#include "kernel/row_ops.h"

namespace straq::kernel {

// Columns of a panel: of a weight matrix W [columns, depth] panel p holds, for each k of the depth,
// W[kPanel p + j][k] for j in [0, kPanel), zeros where there is no such column. Panels follow each
// other.
inline constexpr std::int64_t kPanel = 16;
// Values of a row of int8 weights that share a scale.
inline constexpr std::int64_t kScaleBlock = 32;

// The right operand of a product, [depth, columns]: the value at (k, j) is at data + k row_stride +
// (j / kPanel) panel_stride + j % kPanel. Readable up to the next multiple of kPanel columns.
struct PanelOperand {
  const float* data = nullptr;
  std::int64_t row_stride = 0, panel_stride = 0;
};
// int8 weights: values as panels, and a scale for each block and column, as panels of
// ceil(depth / kScaleBlock) rows.
struct ScaledPanels {
  const std::int8_t* values = nullptr;
  const float* scales = nullptr;
};

struct PanelOps {
  // c[i][j] (+)= sum over k of a[i][k] b[k][j] for `rows` rows and `columns` columns; rows of a and
  // c are lda and ldc elements apart. With `add` the chain begins at c's value, else at zero.
  void (*multiply)(const float* a, std::int64_t lda, PanelOperand b, float* c, std::int64_t ldc,
                   std::int64_t rows, std::int64_t depth, std::int64_t columns, bool add);
  // The same with packed weights, without `add`. Many rows share a panel that is widened once, into
  // `wide` ([depth][2 kPanel] of the caller's scratch); the values are the same.
  void (*multiply_bf16)(const float* a, std::int64_t lda, const BFloat16* panels, float* wide,
                        float* c, std::int64_t ldc, std::int64_t rows, std::int64_t depth,
                        std::int64_t columns);
  void (*multiply_int8)(const float* a, std::int64_t lda, ScaledPanels panels, float* wide,
                        float* c, std::int64_t ldc, std::int64_t rows, std::int64_t depth,
                        std::int64_t columns);
};

// The functions for this processor, and those of one instruction set, which must run here.
const PanelOps& panel_ops();
PanelOps panel_ops(InstructionSet set);

}  // namespace straq::kernel
