#include "model/blas.h"

#include <ATen/ATen.h>

#include <type_traits>
#include <vector>

#include "kernel/processor.h"

// Weak: null where libtorch does not export them.
extern "C" {
[[gnu::weak]] void sgemm_(const char*, const char*, const int*, const int*, const int*,
                          const float*, const float*, const int*, const float*, const int*,
                          const float*, float*, const int*);
[[gnu::weak]] void dgemm_(const char*, const char*, const int*, const int*, const int*,
                          const double*, const double*, const int*, const double*, const int*,
                          const double*, double*, const int*);
[[gnu::weak]] void cblas_gemm_bf16bf16f32(int, int, int, int, int, int, float, const void*, int,
                                          const void*, int, float, float*, int);
}

namespace straq::model {
namespace {

using kernel::BFloat16;

bool allowed = true;
bool by_fp32 = !kernel::has_bf16_tiles();

bool have_sgemm() {
  return allowed && sgemm_ != nullptr && dgemm_ != nullptr;
}
bool widens_bf16() {
  return by_fp32 && have_sgemm();
}
bool have_bf16() {
  return widens_bf16() || (allowed && cblas_gemm_bf16bf16f32 != nullptr);
}

template <class T>
at::Tensor view(const T* data, std::int64_t rows, std::int64_t columns, std::int64_t stride) {
  using L = std::conditional_t<std::is_same_v<T, BFloat16>, at::BFloat16, T>;
  return at::from_blob(const_cast<T*>(data), {rows, columns}, {stride, 1},
                       at::TensorOptions().dtype(c10::CppTypeToScalarType<L>::value));
}

// By libtorch's operators.
template <class T, class C>
void by_operators(const at::Tensor& a, const at::Tensor& b, C beta, at::Tensor c) {
  if constexpr (std::is_same_v<T, C>) {
    if (beta == 0) {
      at::mm_out(c, a, b);
    } else {
      c.addmm_(a, b, beta);
    }
  } else {
    const auto p = at::mm(a.to(c.scalar_type()), b.to(c.scalar_type()));
    if (beta == 0) {
      c.copy_(p);
    } else {
      c.mul_(beta).add_(p);
    }
  }
}

// A matrix in fp32, side by side, in memory that each thread keeps for operand `which`.
template <int which>
const float* widened(const BFloat16* x, std::int64_t rows, std::int64_t columns,
                     std::int64_t stride) {
  thread_local std::vector<float> memory;
  const auto size = static_cast<std::size_t>(rows * columns);
  if (memory.size() < size) memory.resize(size);
  kernel::row_ops<BFloat16>().to_wide(x, memory.data(), rows, stride, columns);
  return memory.data();
}

// BLAS counts columns first: a row-major C = A op(B) is the column-major C^T = op(B)^T A^T.
template <class T, class C>
void gemm(bool transpose_b, bool transpose_a, std::int64_t m, std::int64_t n, std::int64_t k,
          const T* a, std::int64_t lda, const T* b, std::int64_t ldb, C beta, C* c,
          std::int64_t ldc) {
  const auto i = [](std::int64_t x) { return static_cast<int>(x); };
  const int mm = i(m), nn = i(n), kk = i(k), la = i(lda), lb = i(ldb), lc = i(ldc);
  const C one = 1;
  const char ta = transpose_a ? 'T' : 'N', tb = transpose_b ? 'T' : 'N';
  if constexpr (std::is_same_v<T, float>) {
    sgemm_(&tb, &ta, &nn, &mm, &kk, &one, b, &lb, a, &la, &beta, c, &lc);
  } else if constexpr (std::is_same_v<T, double>) {
    dgemm_(&tb, &ta, &nn, &mm, &kk, &one, b, &lb, a, &la, &beta, c, &lc);
  } else if (widens_bf16()) {
    const auto a_rows = transpose_a ? k : m, a_columns = transpose_a ? m : k;
    const auto b_rows = transpose_b ? n : k, b_columns = transpose_b ? k : n;
    gemm<float, float>(transpose_b, transpose_a, m, n, k, widened<0>(a, a_rows, a_columns, lda),
                       a_columns, widened<1>(b, b_rows, b_columns, ldb), b_columns, beta, c, ldc);
  } else {
    constexpr int row_major = 101, plain = 111, transposed = 112;
    cblas_gemm_bf16bf16f32(row_major, transpose_a ? transposed : plain,
                           transpose_b ? transposed : plain, mm, nn, kk, one, a, la, b, lb, beta, c,
                           lc);
  }
}

template <class T, class C>
void multiply_any(bool transpose_b, std::int64_t m, std::int64_t n, std::int64_t k, const T* a,
                  std::int64_t lda, const T* b, std::int64_t ldb, C beta, C* c, std::int64_t ldc) {
  if (m == 0 || n == 0 || k == 0) return;
  if (std::is_same_v<T, BFloat16> ? have_bf16() : have_sgemm()) {
    gemm<T, C>(transpose_b, false, m, n, k, a, lda, b, ldb, beta, c, ldc);
    return;
  }
  const auto bt = transpose_b ? view(b, n, k, ldb).t() : view(b, k, n, ldb);
  by_operators<T, C>(view(a, m, k, lda), bt, beta, view(c, m, n, ldc));
}

template <class T, class C>
void add_transposed_any(std::int64_t m, std::int64_t n, std::int64_t k, const T* a,
                        std::int64_t lda, const T* b, std::int64_t ldb, C* c, std::int64_t ldc) {
  if (m == 0 || n == 0 || k == 0) return;
  if (std::is_same_v<T, BFloat16> ? have_bf16() : have_sgemm()) {
    gemm<T, C>(false, true, k, n, m, a, lda, b, ldb, C(1), c, ldc);
    return;
  }
  by_operators<T, C>(view(a, m, k, lda).t(), view(b, m, n, ldb), C(1), view(c, k, n, ldc));
}

}  // namespace

#define STRAQ_DEFINE(T, C)                                                                        \
  void multiply(bool transpose_b, std::int64_t m, std::int64_t n, std::int64_t k, const T* a,     \
                std::int64_t lda, const T* b, std::int64_t ldb, C beta, C* c, std::int64_t ldc) { \
    multiply_any<T, C>(transpose_b, m, n, k, a, lda, b, ldb, beta, c, ldc);                       \
  }                                                                                               \
  void add_transposed_product(std::int64_t m, std::int64_t n, std::int64_t k, const T* a,         \
                              std::int64_t lda, const T* b, std::int64_t ldb, C* c,               \
                              std::int64_t ldc) {                                                 \
    add_transposed_any<T, C>(m, n, k, a, lda, b, ldb, c, ldc);                                    \
  }
STRAQ_DEFINE(float, float)
STRAQ_DEFINE(double, double)
STRAQ_DEFINE(BFloat16, float)
#undef STRAQ_DEFINE

bool bf16_by_fp32() {
  return by_fp32;
}
void use_bf16_by_fp32(bool on) {
  by_fp32 = on;
}

bool exported_blas() {
  return have_sgemm();
}
void use_exported_blas(bool on) {
  allowed = on;
}

}  // namespace straq::model
