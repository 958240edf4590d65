// Between tensors and kernel/row_ops.h: which tensors the kernels take, their pointers, and the
// split of rows over threads.
#pragma once

#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include <algorithm>
#include <type_traits>

#include "kernel/row_ops.h"

#ifndef INTRA_OP_PARALLEL
#error "compile with OpenMP, or at::parallel_for runs on one thread"
#endif

namespace straq::model {

// The tests turn the kernels off to take on a CPU the way that a device takes; nothing else should.
inline bool row_kernels_allowed = true;

inline bool has_row_kernels(const at::Tensor& x) {
  const auto t = x.scalar_type();
  return row_kernels_allowed && x.is_cpu() &&
         (t == at::kFloat || t == at::kDouble || t == at::kBFloat16);
}

// Calls f with the kernels of x's precision. x must have row kernels.
template <class F>
void with_row_kernels(const at::Tensor& x, F&& f) {
  switch (x.scalar_type()) {
    case at::kFloat:
      return f(kernel::row_ops<float>());
    case at::kDouble:
      return f(kernel::row_ops<double>());
    default:
      return f(kernel::row_ops<kernel::BFloat16>());
  }
}

template <class T>
T* data(const at::Tensor& x) {
  if constexpr (std::is_same_v<T, kernel::BFloat16>) {
    return reinterpret_cast<T*>(x.mutable_data_ptr<at::BFloat16>());
  } else {
    return x.mutable_data_ptr<T>();
  }
}

// f(first, count) over [0, rows) in pieces, in parallel where they are worth a thread.
template <class F>
void for_rows(std::int64_t rows, std::int64_t width, F&& f) {
  const std::int64_t grain = std::max<std::int64_t>(1, 16384 / std::max<std::int64_t>(1, width));
  at::parallel_for(0, rows, grain,
                   [&](std::int64_t begin, std::int64_t end) { f(begin, end - begin); });
}

}  // namespace straq::model
