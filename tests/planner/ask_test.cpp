#include "planner/ask.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "tests/planner/combs.h"

namespace straq::planner {
namespace {

// Refers to a model that is only asked: no gradients.
struct Asked {
  model::Llama model = model::Llama(testing::small_shape(), at::kFloat, testing::device(), false);
  at::Tensor ids = at::tensor(testing::kOptions, at::kLong).to(testing::device());
  Asked() { model.initialise(5, 0.2); }
  Reading reading(std::int64_t micro_tokens = 8192) const {
    return {model, ids, Readout::mean_logit, micro_tokens};
  }
};

TEST(Ask, EveryDecisionHasItsOwnRow) {
  const Asked asked;
  const auto combs = testing::random_combs(12, 3);
  const at::Tensor q = ask(asked.reading(100), combs);
  EXPECT_FALSE(q.requires_grad());
  std::int64_t row = 0;
  for (const auto& comb : combs) {
    for (std::int32_t d = 0; d < static_cast<std::int32_t>(comb.decisions.size()); ++d, ++row) {
      const auto packed = model::pack({{&comb, {d}, false}}, testing::device());
      const auto alone = q_values(asked.model, packed, asked.ids, Readout::mean_logit);
      EXPECT_TRUE(at::allclose(q[row], alone[0].cpu(), 1e-4, 1e-5)) << comb.id << " decision " << d;
    }
  }
  EXPECT_EQ(row, q.size(0));
}

TEST(Ask, SharesAreTheRowsOfAllEachOnce) {
  const Asked asked;
  const auto combs = testing::random_combs(12, 4);
  const at::Tensor whole = ask(asked.reading(), combs);
  for (const int size : {1, 2, 3, 30}) {
    at::Tensor sum = at::zeros_like(whole), askers = at::zeros({whole.size(0)}, at::kLong);
    for (int rank = 0; rank < size; ++rank) {
      const at::Tensor part = ask(asked.reading(), combs, rank, size);
      askers += part.ne(0).any(1);
      sum += part;
    }
    EXPECT_TRUE(askers.eq(1).all().item<bool>()) << size;
    EXPECT_TRUE(at::allclose(sum, whole, 1e-4, 1e-5)) << size;
  }
}

TEST(Ask, DialoguesWithoutDecisionsHaveNoRows) {
  const Asked asked;
  const auto combs = testing::partly_labelled(2, 3);
  const std::vector<prompt::Comb> first = {combs[0]}, silent = {combs[1]};
  EXPECT_TRUE(at::equal(ask(asked.reading(), combs), ask(asked.reading(), first)));
  EXPECT_EQ(ask(asked.reading(), silent).size(0), 0);
  EXPECT_EQ(ask(asked.reading(), {}).sizes(), (at::IntArrayRef{0, 8}));
}

TEST(Ask, AShiftIsAddedToEveryDecisionsValues) {
  const Asked asked;
  const auto combs = testing::random_combs(3, 3);
  auto reading = asked.reading();
  const at::Tensor plain = ask(reading, combs);
  reading.shift = {1, 0, 0, -2, 0, 0, 0, 0.5};
  const at::Tensor shift = at::tensor(reading.shift, at::kDouble).to(at::kFloat);
  EXPECT_TRUE(at::equal(ask(reading, combs), plain + shift));
}

TEST(Ask, TheFirstOfTheGreatestIsChosenAndNoneWhereAValueIsNotFinite) {
  constexpr float kInf = std::numeric_limits<float>::infinity();
  EXPECT_EQ(choice(std::vector<float>{1, 3, 3, 2}), 1);
  EXPECT_EQ(choice(std::vector<float>{-2, -1}), 1);
  EXPECT_EQ(choice(std::vector<float>{1, kInf}), -1);
  EXPECT_EQ(choice(std::vector<float>{std::nanf(""), 1}), -1);
}

}  // namespace
}  // namespace straq::planner
