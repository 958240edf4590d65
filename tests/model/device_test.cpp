// What only a GPU can show: the decoder there is the decoder on the CPU, and its attention never
// takes libtorch's slow way unnoticed.
#include <ATen/Context.h>
#include <torch/csrc/autograd/autograd.h>

#include "device_way.h"
#include "model/llama.h"
#include "model_helpers.h"
#include "tests/testing.h"

namespace straq::model {
namespace {

using testing::relative_error;

class OnAGpu : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!at::hasCUDA()) GTEST_SKIP() << "no GPU here, or libtorch without CUDA";
    at::globalContext().setAllowTF32CuBLAS(false);
  }
  void TearDown() override { at::globalContext().setSDPUseMath(true); }

  // Combs with a shared beginning, several trunks and probes: every kind of span.
  static std::vector<prompt::Comb> combs() {
    std::vector<prompt::Comb> out{testing::random_comb(1, {70, 40}, 3),
                                  testing::random_comb(2, {90}, 4)};
    testing::share_beginning({&out[0], &out[1]}, 16);
    return out;
  }
  // Heads of 64, which the fused kernels take.
  static LlamaShape shape() {
    LlamaShape s = testing::small_shape();
    s.hidden = 256;
    return s;
  }
  static CombBatch batch_of(const std::vector<prompt::Comb>& combs, at::Device device) {
    std::vector<CombSelection> selections;
    for (const auto& comb : combs) {
      selections.push_back({&comb, {}, true});
      for (std::size_t p = 0; p < comb.probes.size(); ++p) {
        selections.back().probes.push_back(static_cast<std::int32_t>(p));
      }
    }
    return pack(selections, device);
  }
  // Hidden states at the probes, and the flat gradient of their squares' sum, both fp32 on the
  // host.
  static std::pair<at::Tensor, at::Tensor> run(at::ScalarType dtype, at::Device device) {
    const auto all = combs();
    Llama model(shape(), dtype, device, true);
    model.initialise(3);
    const auto batch = batch_of(all, device);
    const auto hidden = model.hidden(batch, batch.readout_rows);
    torch::autograd::backward({hidden.to(at::kFloat).square().sum()}, {});
    return {hidden.detach().to(at::kCPU, at::kFloat),
            model.parameters().flat_grad().to(at::kCPU, at::kFloat)};
  }
};

TEST_F(OnAGpu, TheDecoderIsTheCpus) {
  const auto here = run(at::kFloat, at::kCPU), there = run(at::kFloat, at::kCUDA);
  EXPECT_LT(relative_error(there.first, here.first), 1e-5);
  EXPECT_LT(relative_error(there.second, here.second), 1e-4);
}

TEST_F(OnAGpu, AttentionInBf16NeedsNoSlowWay) {
  // Without it libtorch throws where no fused kernel takes what it is given.
  at::globalContext().setSDPUseMath(false);
  const auto fast = run(at::kBFloat16, at::kCUDA);
  const auto exact = run(at::kFloat, at::kCPU);
  EXPECT_LT(relative_error(fast.first, exact.first), 3e-2);
}

}  // namespace
}  // namespace straq::model
