// What a decoder does beside its matrix products, on raw pointers: norms, rotary embedding, SwiGLU,
// softmax. These are bound by memory, so each is one pass over its rows. Every function is compiled
// once for each instruction set (baseline, AVX2, AVX-512) and the best that this processor has is
// taken at the first call: one program runs at full speed on every node of a mixed cluster.
//
// All functions work on a block of rows; the caller splits rows over threads. T is the precision of
// the data, A = Accumulator<T> that of statistics and sums.
#pragma once

#include <cstdint>
#include <type_traits>

namespace straq::kernel {

// The upper half of an IEEE binary32, laid out as in memory everywhere else.
struct BFloat16 {
  std::uint16_t bits;
};

template <class T>
using Accumulator = std::conditional_t<std::is_same_v<T, double>, double, float>;

// Which keys a query row may see, as columns of its score row: [0, limit) and [own_begin, own_end).
// A trunk row sees its prefix; a probe row the trunk up to its attach position and its own probe.
struct VisibleColumns {
  std::int32_t limit = 0;
  std::int32_t own_begin = 0, own_end = 0;
};

template <class T>
struct RowOps {
  using A = Accumulator<T>;

  // out = weight * x / sqrt(mean(x^2) + eps) (Zhang and Sennrich 2019); scale[row] = that rsqrt.
  // x, out [rows, width], weight [width].
  void (*rms_norm)(const T* x, const T* weight, T* out, A* scale, std::int64_t rows,
                   std::int64_t width, A eps);
  // The same values again from the saved scale.
  void (*rms_norm_again)(const T* x, const T* weight, const A* scale, T* out, std::int64_t rows,
                         std::int64_t width);
  // dx += d loss / d x, dweight += d loss / d weight, from g = d loss / d out.
  void (*rms_norm_backward)(const T* x, const T* weight, const A* scale, const T* g, T* dx,
                            A* dweight, std::int64_t rows, std::int64_t width);

  // Turns the pairs (x[i], x[i + width/2]) of each of `heads` heads of a row by the row's angles
  // (Su et al. 2021, half-split order), in place. Rows are `stride` elements apart; cos and sin are
  // [positions, width/2]; direction -1 turns back, which is the transpose.
  void (*rotate)(T* x, std::int64_t rows, std::int64_t stride, std::int64_t heads,
                 std::int64_t width, const A* cos, const A* sin, const std::int64_t* positions,
                 int direction);

  // out = silu(gate) * up (Shazeer 2020); both [rows, 2 width] = [gate | up], out [rows, width].
  void (*swiglu)(const T* both, T* out, std::int64_t rows, std::int64_t width);
  // From g = d loss / d out: both becomes d loss / d [gate | up] and g becomes the value of `out`
  // again, which the weight gradient of the next layer needs: one pass, no memory of its own.
  void (*swiglu_backward)(T* both, T* g, std::int64_t rows, std::int64_t width);

  // probability = exp(scale * score - max) in the visible columns and 0 in the others of [0,
  // width); log_sum[row] = log of the sum of exp(scale * score), inverse[row] = 1 / sum of the
  // row's probabilities: what they still have to be multiplied by. score rows are `stride` apart,
  // as are those of `probability`, which may be `score` itself where T is A.
  void (*softmax)(const A* score, T* probability, std::int64_t stride, std::int64_t rows,
                  std::int64_t width, const VisibleColumns* visible, A scale, A* log_sum,
                  A* inverse);
  // probability = exp(scale * score - log_sum) and dscore = scale * probability * (g - delta[row]),
  // zero in the columns that are not visible: softmax's gradient from g = d loss / d probability
  // and delta = sum of probability * g.
  void (*softmax_backward)(const A* score, const A* g, T* probability, T* dscore,
                           std::int64_t stride, std::int64_t rows, std::int64_t width,
                           const VisibleColumns* visible, A scale, const A* log_sum,
                           const A* delta);
  // out[row] = sum of a * b over the row; rows `stride` apart.
  void (*row_dot)(const T* a, const T* b, A* out, std::int64_t rows, std::int64_t stride,
                  std::int64_t width);
  // out = x * factor[row], from the accumulator's precision; rows x_stride and out_stride apart.
  void (*scale_rows)(const A* x, const A* factor, T* out, std::int64_t rows, std::int64_t x_stride,
                     std::int64_t out_stride, std::int64_t width);
  // out = x in the accumulator's precision, [rows, width] side by side; rows of x `stride` apart.
  void (*to_wide)(const T* x, A* out, std::int64_t rows, std::int64_t stride, std::int64_t width);
};

enum class InstructionSet { baseline, avx2, avx512 };

// The best that this processor has, and its name.
InstructionSet best_instruction_set();
const char* name_of(InstructionSet set);
// True when this processor can run it.
bool runs(InstructionSet set);

// The functions for this processor; T is float, double or BFloat16.
template <class T>
const RowOps<T>& row_ops();
// Those of one instruction set, which must run here.
template <class T>
RowOps<T> row_ops(InstructionSet set);

}  // namespace straq::kernel
