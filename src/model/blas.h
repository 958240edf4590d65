// Small matrix products on raw pointers with leading dimensions: attention makes thousands of them
// on blocks, where an operator call with its tensors would cost more than the product. libtorch
// carries a BLAS and exports its Fortran interface, which is called directly; where a build of
// libtorch does not export it, libtorch's own operators do the same, more slowly.
#pragma once

#include <cstdint>

#include "kernel/row_ops.h"

namespace straq::model {

// Row-major C [m, n] = A op(B) + beta C with A [m, k] and op(B) = B [k, n], or B^T where B is
// [n, k]; rows are lda, ldb and ldc elements apart. bf16 products are summed in fp32, and made in
// fp32 where bf16_by_fp32().
void multiply(bool transpose_b, std::int64_t m, std::int64_t n, std::int64_t k, const float* a,
              std::int64_t lda, const float* b, std::int64_t ldb, float beta, float* c,
              std::int64_t ldc);
void multiply(bool transpose_b, std::int64_t m, std::int64_t n, std::int64_t k, const double* a,
              std::int64_t lda, const double* b, std::int64_t ldb, double beta, double* c,
              std::int64_t ldc);
void multiply(bool transpose_b, std::int64_t m, std::int64_t n, std::int64_t k,
              const kernel::BFloat16* a, std::int64_t lda, const kernel::BFloat16* b,
              std::int64_t ldb, float beta, float* c, std::int64_t ldc);

// Row-major C [k, n] += A^T B with A [m, k] and B [m, n].
void add_transposed_product(std::int64_t m, std::int64_t n, std::int64_t k, const float* a,
                            std::int64_t lda, const float* b, std::int64_t ldb, float* c,
                            std::int64_t ldc);
void add_transposed_product(std::int64_t m, std::int64_t n, std::int64_t k, const double* a,
                            std::int64_t lda, const double* b, std::int64_t ldb, double* c,
                            std::int64_t ldc);
void add_transposed_product(std::int64_t m, std::int64_t n, std::int64_t k,
                            const kernel::BFloat16* a, std::int64_t lda, const kernel::BFloat16* b,
                            std::int64_t ldb, float* c, std::int64_t ldc);

// True when a CPU's bf16 matrices are multiplied as fp32 ones: where the processor has no tiles for
// them, that is twice as fast. A product of two bf16 numbers is exact in fp32, so only the order of
// the sums differs. The tests set it; nothing else should.
bool bf16_by_fp32();
void use_bf16_by_fp32(bool on);

// True when products go to the BLAS that libtorch exports. The tests turn it off to see the other
// way; nothing else should.
bool exported_blas();
void use_exported_blas(bool on);

}  // namespace straq::model
