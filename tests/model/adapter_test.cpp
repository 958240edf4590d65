#include "model/weights/adapter.h"

#include <gtest/gtest.h>

#include <cmath>
#include <fstream>

#include "device_way.h"
#include "model/weights/safetensors.h"
#include "model_helpers.h"
#include "tests/testing.h"

namespace straq::model {
namespace {

using straq::testing::error_of;

class Adapters : public ::testing::Test {
 protected:
  Adapters() : model_(testing::small_shape(), at::kFloat, at::kCPU, false) {
    model_.initialise(3, 0.1);
    at::manual_seed(4);
    a_ = at::randn({2, 32});
    b_ = at::randn({16, 2});
  }
  void write(const std::string& config,
             std::vector<std::pair<std::string, at::Tensor>> tensors = {}) {
    std::ofstream(folder_.path("adapter_config.json")) << config;
    if (tensors.empty()) tensors = {{kName + ".lora_A.weight", a_}, {kName + ".lora_B.weight", b_}};
    write_safetensors(folder_.path("adapter_model.safetensors"), tensors);
  }
  std::string failure() {
    return error_of([&] { with_adapter(weights_of(model_), folder_.path()); })->full();
  }
  at::Tensor weight(const WeightsSource& source, const std::string& name) {
    for (const auto& spec : parameter_specs(source.shape)) {
      if (spec.name == name) return source.tensor(spec);
    }
    throw std::out_of_range(name);
  }

  static inline const std::string kPlain =
      R"({"peft_type": "LORA", "r": 2, "lora_alpha": 6, "bias": "none", "modules_to_save": null,
          "rank_pattern": {}, "use_dora": false, "target_modules": ["k_proj"])";
  static inline const std::string kName = "base_model.model.model.layers.1.self_attn.k_proj";
  Llama model_;
  at::Tensor a_, b_;
  straq::testing::TemporaryFolder folder_;
};

TEST_F(Adapters, AddTheProductOfTheirFactorsToTheirWeightsAlone) {
  write(kPlain + "}");
  const auto base = weights_of(model_), adapted = with_adapter(base, folder_.path());
  for (const auto& spec : parameter_specs(base.shape)) {
    at::Tensor expected = base.tensor(spec);
    if (spec.name == "model.layers.1.self_attn.k_proj.weight") {
      expected = expected + 3 * at::mm(b_, a_);
    }
    EXPECT_TRUE(at::allclose(adapted.tensor(spec), expected, 1e-5, 1e-6)) << spec.name;
  }
  write(kPlain + R"(, "use_rslora": true})");
  const std::string name = "model.layers.1.self_attn.k_proj.weight";
  EXPECT_TRUE(at::allclose(weight(with_adapter(base, folder_.path()), name),
                           weight(base, name) + 6 / std::sqrt(2.0) * at::mm(b_, a_), 1e-5, 1e-6));
}

TEST_F(Adapters, WhatWouldBeIgnoredIsRefusedByName) {
  EXPECT_NE(failure().find("there is no adapter_config.json"), std::string::npos);
  write(R"({"peft_type": "IA3"})");
  EXPECT_NE(failure().find("IA3"), std::string::npos);
  write(R"({"peft_type": "LORA", "r": 2, "lora_alpha": 6, "use_dora": true})");
  EXPECT_NE(failure().find("use_dora"), std::string::npos);
  write(R"({"peft_type": "LORA", "r": 2, "lora_alpha": 6, "bias": "all"})");
  EXPECT_NE(failure().find("bias"), std::string::npos);
  write(R"({"peft_type": "LORA", "r": 2, "lora_alpha": 6, "rank_pattern": {"k_proj": 4}})");
  EXPECT_NE(failure().find("rank_pattern"), std::string::npos);
  write(R"({"peft_type": "LORA", "lora_alpha": 6})");
  EXPECT_NE(failure().find("\"r\""), std::string::npos);
  write(R"({"peft_type": "LORA", "r": 0, "lora_alpha": 6})");
  EXPECT_NE(failure().find("is 0"), std::string::npos);
}

TEST_F(Adapters, OfAnotherModelAreRefusedByTheirTensor) {
  write(kPlain + "}", {{kName + ".lora_A.weight", a_}});
  EXPECT_NE(failure().find("one factor without the other"), std::string::npos);
  write(kPlain + "}",
        {{kName + ".lora_A.weight", at::randn({2, 33})}, {kName + ".lora_B.weight", b_}});
  EXPECT_NE(failure().find("[2, 33]"), std::string::npos);
  const std::string other = "base_model.model.model.layers.7.self_attn.k_proj";
  write(kPlain + "}", {{other + ".lora_A.weight", a_}, {other + ".lora_B.weight", b_}});
  EXPECT_NE(failure().find("layers.7"), std::string::npos);
  write(kPlain + "}", {{"base_model.model.lm_head.weight", a_}});
  EXPECT_NE(failure().find("lm_head.weight"), std::string::npos);
}

}  // namespace
}  // namespace straq::model
