#include "model/matrix_product.h"

#include <gtest/gtest.h>

#include "model/layers.h"
#include "model_helpers.h"
#include "tests/testing.h"

namespace straq::model {
namespace {

struct Way {
  at::ScalarType dtype;
  bool by_fp32 = false;  // of bf16 products
};

// Each way against products in fp64: what a linear layer does must not depend on the processor but
// for the order of sums.
class Products : public ::testing::TestWithParam<Way> {
 protected:
  at::Tensor random(at::IntArrayRef sizes) const {
    return at::randn(sizes, at::kDouble).to(GetParam().dtype);
  }
  static at::Tensor wide(const at::Tensor& x) { return x.to(at::kDouble); }
  // Of a result that was rounded once.
  double rounding() const {
    return GetParam().dtype == at::kDouble ? 1e-14 : GetParam().dtype == at::kFloat ? 1e-6 : 4e-3;
  }
  static double error(const at::Tensor& a, const at::Tensor& b) {
    return (wide(a) - b).abs().max().item<double>() / b.abs().max().item<double>();
  }
  testing::Bf16Products way_{GetParam().by_fp32};
};

TEST_P(Products, AreThoseOfFp64RoundedOnce) {
  at::manual_seed(3);
  // More rows than one piece holds, and weights as layers have them: transposed views.
  const auto a = random({2100, 12}), weight = random({9, 12}), base = random({2100, 9});
  const auto exact = at::mm(wide(a), wide(weight).t());
  EXPECT_LT(error(product(a, weight.t()), exact), rounding());
  EXPECT_LT(error(product(base, weight), at::mm(wide(base), wide(weight))), rounding());
  const auto all = random({2100, 20});
  product_out(all.narrow(1, 4, 9), a, weight.t());  // columns of a wider tensor
  EXPECT_LT(error(all.narrow(1, 4, 9), exact), rounding());
  const auto sum = at::empty_like(base), in_place = base.clone();
  add_product_out(sum, base, a, weight.t());
  EXPECT_LT(error(sum, exact + wide(base)), rounding());
  add_product_out(in_place, in_place, a, weight.t());
  EXPECT_TRUE(at::equal(in_place, sum));
}

TEST_P(Products, WeightGradientsAreAddedInTheWidePrecision) {
  at::manual_seed(8);
  const auto d = random({2300, 5}), h = random({2300, 7});
  const auto gradient = at::ones({5, 7}, wide_type(GetParam().dtype));
  add_weight_gradient_(gradient, d, h);
  const auto expected = at::mm(wide(d).t(), wide(h)) + 1;
  // The inputs are rounded, the sums are not.
  EXPECT_LT(error(gradient, expected), GetParam().dtype == at::kDouble ? 1e-14 : 2e-6);
}

INSTANTIATE_TEST_SUITE_P(Ways, Products,
                         ::testing::Values(Way{at::kFloat}, Way{at::kDouble},
                                           Way{at::kBFloat16, false}, Way{at::kBFloat16, true}),
                         [](const auto& info) {
                           return c10::toString(info.param.dtype) +
                                  std::string(info.param.by_fp32 ? "ByFloat" : "");
                         });

}  // namespace
}  // namespace straq::model
