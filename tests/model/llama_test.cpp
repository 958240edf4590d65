#include "model/llama.h"

#include <ATen/core/grad_mode.h>
#include <torch/csrc/autograd/autograd.h>

#include <algorithm>
#include <fstream>
#include <nlohmann/json.hpp>

#include "model/weights/huggingface.h"
#include "model_helpers.h"
#include "plain_llama.h"
#include "tests/testing.h"

namespace straq::model {
namespace {

using straq::testing::error_of;
using testing::relative_error;

// A shape file holds the shape's keys at its top level.
LlamaShape shape_file(const std::string& name) {
  return config::read<LlamaShape>(
      config::load_config(straq::testing::source_path("configs/shapes/" + name)));
}

TEST(LlamaShape, PublishedModelsHaveTheirPublishedParameterCounts) {
  EXPECT_EQ(shape_file("llama-3.2-1b.yaml").parameter_count(), 1235814400);
  EXPECT_EQ(shape_file("llama-3.2-3b.yaml").parameter_count(), 3212749824);
  EXPECT_EQ(shape_file("llama-3.1-8b.yaml").parameter_count(), 8030261248);
  EXPECT_EQ(shape_file("llama-2-7b.yaml").parameter_count(), 6738415616);
}

TEST(LlamaShape, EveryShapeFileIsPossible) {
  int n = 0;
  for (const auto& entry :
       std::filesystem::directory_iterator(straq::testing::source_path("configs/shapes"))) {
    SCOPED_TRACE(entry.path().string());
    EXPECT_NO_THROW(shape_file(entry.path().filename()).check());
    ++n;
  }
  EXPECT_GE(n, 9);
}

TEST(LlamaShape, ImpossibleCombinationsAreNamed) {
  const auto refuses = [](auto change, const std::string& key) {
    auto shape = testing::small_shape();
    change(shape);
    const auto error = error_of([&] { shape.check(); });
    ASSERT_TRUE(error);
    EXPECT_EQ(error->kind(), ErrorKind::input);
    EXPECT_NE(std::string(error->what()).find(key), std::string::npos) << error->what();
  };
  refuses([](LlamaShape& s) { s.kv_heads = 3; }, "kv_heads");
  refuses([](LlamaShape& s) { s.hidden = 34; }, "hidden (34)");
  refuses([](LlamaShape& s) { s.head_dim = 7; }, "head_dim");
  refuses(
      [](LlamaShape& s) {
        s.rope_scaling = Llama3RopeScaling{8, 4, 4, 100};
      },
      "high_freq_factor");
}

TEST(Llama, InitialValuesFollowFromSeedAndNameAlone) {
  auto shape = testing::small_shape();
  Llama a(shape, at::kFloat, at::kCPU, false);
  a.initialise(7);
  at::manual_seed(99);  // libtorch's generator has no say
  at::rand({10});
  Llama b(shape, at::kFloat, at::kCPU, true);
  b.initialise(7);
  EXPECT_EQ(a.parameters().checksum(), b.parameters().checksum());
  b.initialise(8);
  EXPECT_NE(a.parameters().checksum(), b.parameters().checksum());
  // A deeper model has the same values in what both share (but for the residual scale).
  auto deeper = shape;
  deeper.layers = 5;
  Llama c(deeper, at::kFloat, at::kCPU, false);
  c.initialise(7);
  const std::string q = "model.layers.1.self_attn.q_proj.weight";
  EXPECT_TRUE(at::equal(a.parameters()[q], c.parameters()[q]));
  EXPECT_FALSE(
      at::equal(a.parameters()[q], a.parameters()["model.layers.0.self_attn.q_proj.weight"]));
}

TEST(Llama, InitialValuesHaveTheirDeviations) {
  auto shape = testing::small_shape();
  shape.vocab = 2000;
  shape.layers = 2;
  shape.inner = 400;
  Llama model(shape, at::kDouble, at::kCPU, false);
  model.initialise(1, 0.1);
  const auto std_of = [&](const char* name) {
    return model.parameters()[name].std().item<double>();
  };
  EXPECT_NEAR(std_of("model.embed_tokens.weight"), 0.1, 0.002);
  EXPECT_NEAR(std_of("model.layers.1.mlp.up_proj.weight"), 0.1, 0.004);
  EXPECT_NEAR(std_of("model.layers.1.mlp.down_proj.weight"), 0.05, 0.002);  // / sqrt(2 layers)
  EXPECT_NEAR(model.parameters()["model.embed_tokens.weight"].mean().item<double>(), 0, 0.002);
  EXPECT_TRUE(at::equal(model.parameters()["model.norm.weight"], at::ones({32}, at::kDouble)));
}

struct PlainCase {
  bool tied, share, recompute;
  int head_dim, kv_heads;
};

class AgainstPlain : public ::testing::TestWithParam<PlainCase> {};

TEST_P(AgainstPlain, HiddenStatesAndGradientsAreThoseOfTheTextbook) {
  const auto c = GetParam();
  auto shape = testing::small_shape();
  shape.tied = c.tied;
  shape.head_dim = c.head_dim;
  shape.kv_heads = c.kv_heads;
  Llama model(shape, at::kDouble, at::kCPU, true);
  model.initialise(3, 0.3);
  model.set_recompute(c.recompute);
  auto a = testing::random_comb(1, {80, 37}, 4), b = testing::random_comb(2, {53}, 3);
  testing::share_beginning({&a, &b}, 15);
  const auto batch =
      pack({{&a, testing::all_probes(a), true}, {&b, {0, 2}, false}}, at::kCPU, c.share);
  std::vector<std::pair<std::int64_t, std::int64_t>> reported;
  model.on_gradient(
      [&](std::int64_t begin, std::int64_t end) { reported.emplace_back(begin, end); });
  at::manual_seed(2);
  for (const auto& rows :
       {batch.readout_rows, at::arange(batch.rows), at::tensor({5, 2, 5, 60}, at::kLong)}) {
    auto leaves = testing::leaves_of(model);
    const auto expected = testing::plain_hidden(shape, leaves, batch).index_select(0, rows);
    const auto weight = at::randn_like(expected);
    const auto ids = at::tensor({3, 9, 3}, at::kLong);
    const auto head = leaves.at(c.tied ? "model.embed_tokens.weight" : "lm_head.weight");
    const auto score = [&](const at::Tensor& h, const at::Tensor& logits) {
      return (h * weight).sum() + logits.square().sum();
    };
    score(expected, at::mm(expected, head.index_select(0, ids).t())).backward();

    model.parameters().zero_grad();
    reported.clear();
    const auto hidden = model.hidden(batch, rows);
    EXPECT_LT(relative_error(hidden, expected), 1e-12);
    score(hidden, model.logits_of(hidden, ids)).backward();
    for (const auto& spec : model.parameters().specs()) {
      EXPECT_LT(relative_error(model.parameters().grad(spec.name), leaves.at(spec.name).grad()),
                1e-11)
          << spec.name;
    }
    // Every part of the buffer is reported once.
    std::sort(reported.begin(), reported.end());
    std::int64_t at = 0;
    for (const auto& [begin, end] : reported) {
      EXPECT_EQ(begin, at);
      at = end;
    }
    EXPECT_EQ(at, model.parameters().size());
  }
}

INSTANTIATE_TEST_SUITE_P(Shapes, AgainstPlain,
                         ::testing::Values(PlainCase{true, true, false, 0, 2},
                                           PlainCase{true, false, false, 0, 2},
                                           PlainCase{false, true, false, 0, 4},
                                           PlainCase{true, true, true, 0, 1},
                                           PlainCase{false, false, true, 12, 2}));

TEST(Llama, ChangingWeightsBetweenForwardAndBackwardIsAnError) {
  Llama model(testing::small_shape(), at::kFloat, at::kCPU, true);
  model.initialise(1);
  const auto comb = testing::random_comb(1, {20}, 2);
  const auto batch = pack({{&comb, {0, 1}, false}}, at::kCPU);
  const auto h = model.hidden(batch, batch.readout_rows);
  model.parameters().flat().add_(1);
  EXPECT_THROW(h.sum().backward(), std::logic_error);
}

// The contract of the comb: hidden states at the readouts, and the gradients of any function of
// them, are those of one prompt per probe.
class CombExactness : public ::testing::TestWithParam<at::ScalarType> {
 protected:
  double tolerance() const { return GetParam() == at::kDouble ? 1e-10 : 1e-5; }
};

TEST_P(CombExactness, HiddenStatesAndGradientsEqualThoseOfSeparatePrompts) {
  auto shape = testing::small_shape();
  Llama model(shape, GetParam(), at::kCPU, true);
  model.initialise(3, 0.3);  // large enough that attention is far from uniform
  const auto a = testing::random_comb(1, {60, 17, 1}, 4), b = testing::random_comb(2, {33}, 1),
             c = testing::random_comb(3, {101}, 11);
  // Probes that ask with what the trunk goes on with, wholly or at first.
  auto d = testing::random_comb(4, {70}, 5);
  for (std::size_t i = 0; i < 5; ++i) {
    auto& probe = d.probes[i];
    const auto after = d.trunks[0].tokens.begin() + probe.attach;
    const auto left = d.trunks[0].tokens.end() - after;
    probe.tokens.assign(after, after + std::min<std::ptrdiff_t>(left, 2));
    if (i % 2 == 1) probe.tokens.insert(probe.tokens.end(), {3, 4});
    if (probe.tokens.empty()) probe.tokens = {5};
  }
  const std::vector<CombSelection> selections{{&a, testing::all_probes(a), false},
                                              {&b, {0}, true},
                                              {&c, {0, 3, 4, 9}, false},
                                              {&d, testing::all_probes(d), false}};
  const auto batch = pack(selections, at::kCPU);
  const auto hidden = model.hidden(batch, batch.readout_rows);
  ASSERT_EQ(hidden.size(0), 12 + 1 + 4 + 5);
  at::manual_seed(6);
  const auto weight = at::randn(hidden.sizes(), at::kDouble).to(GetParam());
  (hidden * weight).sum().backward();
  const auto comb_gradient = model.parameters().flat_grad().clone();

  model.parameters().zero_grad();
  std::int64_t row = 0;
  for (const auto& selection : selections) {
    for (const auto i : selection.probes) {
      const auto plain = testing::plain_prompt(*selection.comb, i);
      const auto one = pack({{&plain, {}, true}}, at::kCPU);
      const auto h = model.hidden(one, testing::last_row(one));
      EXPECT_LT(relative_error(hidden[row], h[0]), tolerance()) << plain.id;
      (h[0] * weight[row]).sum().backward();
      ++row;
    }
  }
  const auto& expected = model.parameters().flat_grad();
  for (std::size_t i = 0; i < model.parameters().specs().size(); ++i) {
    const auto n = model.parameters()[model.parameters().specs()[i].name].numel();
    const auto offset = model.parameters().offset(i);
    EXPECT_LT(relative_error(comb_gradient.narrow(0, offset, n), expected.narrow(0, offset, n)),
              tolerance())
        << model.parameters().specs()[i].name;
  }
}

// What the last layer leaves out must not show: any choice of rows gives the values and gradients
// that they have among all rows.
TEST_P(CombExactness, AnyChoiceOfRowsGivesWhatAllRowsGive) {
  Llama model(testing::small_shape(), GetParam(), at::kCPU, true);
  model.initialise(4, 0.3);
  const auto a = testing::random_comb(1, {30, 12}, 3), b = testing::random_comb(2, {25}, 4);
  const auto batch =
      pack({{&a, testing::all_probes(a), true}, {&b, testing::all_probes(b), false}}, at::kCPU);
  const auto all = at::arange(batch.rows);
  const auto& second = batch.spans[1];
  const std::vector<at::Tensor> choices{
      batch.readout_rows,
      batch.readout_rows.flip(0),
      at::cat({batch.readout_rows, batch.readout_rows}),
      at::arange(second.begin, second.begin + second.trunk),  // one trunk only
      at::tensor({batch.rows - 1, std::int64_t{3}}, at::kLong),
      at::cat({at::arange(batch.spans[0].begin, batch.spans[0].trunk), batch.readout_rows}),
  };
  for (std::size_t i = 0; i < choices.size(); ++i) {
    SCOPED_TRACE(i);
    model.parameters().zero_grad();
    const auto reference = model.hidden(batch, all).index_select(0, choices[i]);
    reference.square().sum().backward();
    const auto expected = model.parameters().flat_grad().clone();
    model.parameters().zero_grad();
    const auto chosen = model.hidden(batch, choices[i]);
    EXPECT_LT(relative_error(chosen, reference), tolerance());
    chosen.square().sum().backward();
    EXPECT_LT(relative_error(model.parameters().flat_grad(), expected), tolerance());
  }
}

INSTANTIATE_TEST_SUITE_P(Precisions, CombExactness, ::testing::Values(at::kFloat, at::kDouble),
                         [](const auto& info) { return c10::toString(info.param); });

TEST(Llama, AProbeSeesNeitherOtherProbesNorTheTrunkPastItsPlace) {
  Llama model(testing::small_shape(), at::kDouble, at::kCPU, false);
  model.initialise(5, 0.3);
  auto comb = testing::random_comb(1, {40}, 4);
  const auto read = [&] {
    const auto batch = pack({{&comb, {0, 1, 2, 3}, true}}, at::kCPU);
    return model.hidden(batch, batch.readout_rows).clone();
  };
  const auto before = read();
  comb.probes[2].tokens[0] = (comb.probes[2].tokens[0] + 1) % 50;
  comb.trunks[0].tokens[35] = (comb.trunks[0].tokens[35] + 1) % 50;  // after probes 0, 1, 2
  const auto after = read();
  // Not to the bit: rows of one token share products, so that a product has other rows now, and
  // some processors' kernels round a row by how many there are.
  EXPECT_LT(relative_error(before[0], after[0]), 1e-13);
  EXPECT_LT(relative_error(before[1], after[1]), 1e-13);
  EXPECT_GT(relative_error(before[2], after[2]), 1e-6);
  EXPECT_GT(relative_error(before[3], after[3]), 1e-6);
}

TEST(Llama, ReducedPrecisionRunsForwardAndBackward) {
  const auto comb = testing::random_comb(1, {40}, 4);
  const auto batch = pack({{&comb, {0, 1, 2, 3}, false}}, at::kCPU);
  Llama wide(testing::small_shape(), at::kFloat, at::kCPU, false);
  wide.initialise(6, 0.1);
  Llama narrow(testing::small_shape(), at::kBFloat16, at::kCPU, true);
  narrow.parameters().copy_from(wide.parameters());
  const auto ids = at::tensor({3, 5, 7}, at::kLong);
  const auto q = narrow.logits_of(narrow.hidden(batch, batch.readout_rows), ids);
  EXPECT_EQ(q.scalar_type(), at::kFloat);  // Q values are never rounded to bf16
  const auto expected = wide.logits_of(wide.hidden(batch, batch.readout_rows), ids);
  EXPECT_LT(relative_error(q, expected), 0.05);
  q.square().sum().backward();
  EXPECT_TRUE(narrow.parameters().flat_grad().isfinite().all().item<bool>());
  EXPECT_GT(narrow.parameters().flat_grad().abs().sum().item<float>(), 0);
}

TEST(Llama, LogitsOfSomeTokensAreColumnsOfAllLogitsTiedOrNot) {
  for (const bool tied : {true, false}) {
    auto shape = testing::small_shape();
    shape.tied = tied;
    Llama model(shape, at::kDouble, at::kCPU, false);
    model.initialise(7, 0.2);
    const auto comb = testing::random_comb(1, {20}, 2);
    const auto batch = pack({{&comb, {0, 1}, false}}, at::kCPU);
    const auto h = model.hidden(batch, batch.readout_rows);
    const auto ids = at::tensor({49, 0, 3, 3}, at::kLong);
    EXPECT_LT(relative_error(model.logits_of(h, ids), model.logits(h).index_select(1, ids)), 1e-14);
    const auto head = model.parameters()[tied ? "model.embed_tokens.weight" : "lm_head.weight"];
    EXPECT_LT(relative_error(model.logits(h), at::matmul(h, head.t())), 1e-14);
  }
}

TEST(Llama, NoRowsStillTakePartInBackward) {
  Llama model(testing::small_shape(), at::kFloat, at::kCPU, true);
  model.initialise(8);
  const auto batch = pack({}, at::kCPU);
  const auto h = model.hidden(batch, batch.readout_rows);
  EXPECT_EQ(h.sizes(), (std::vector<std::int64_t>{0, 32}));
  EXPECT_NO_THROW(model.logits_of(h, at::tensor({1}, at::kLong)).sum().backward());
  EXPECT_EQ(model.parameters().flat_grad().abs().sum().item<float>(), 0);
}

TEST(Llama, APromptBeyondTheWindowAndAForeignTokenAreRefused) {
  auto shape = testing::small_shape();
  shape.max_positions = 20;
  Llama model(shape, at::kFloat, at::kCPU, false);
  const auto run = [&](const prompt::Comb& comb) {
    const auto batch = pack({{&comb, testing::all_probes(comb), true}}, at::kCPU);
    model.hidden(batch, batch.readout_rows);
  };
  auto comb = testing::random_comb(1, {19}, 1);
  comb.probes[0].tokens.resize(1);
  EXPECT_NO_THROW(run(comb));  // positions 0 to 19: just fits
  comb.probes[0].tokens.push_back(1);
  const auto too_long = error_of([&] { run(comb); });
  ASSERT_TRUE(too_long);
  EXPECT_NE(std::string(too_long->what()).find("21 tokens"), std::string::npos);
  EXPECT_NE(std::string(too_long->what()).find("is 20"), std::string::npos);
  for (const int id : {50, -1}) {
    comb = testing::random_comb(1, {10}, 1);
    comb.trunks[0].tokens[4] = id;
    const auto foreign = error_of([&] { run(comb); });
    ASSERT_TRUE(foreign);
    EXPECT_EQ(foreign->kind(), ErrorKind::input);
    EXPECT_NE(std::string(foreign->what()).find("token id " + std::to_string(id)),
              std::string::npos);
  }
  // A batch that was put together by hand is checked too.
  auto batch = pack({{&comb, {}, false}}, at::kCPU);
  comb.trunks[0].tokens[4] = 4;
  batch = pack({{&comb, testing::all_probes(comb), true}}, at::kCPU);
  batch.max_position = -1;
  batch.tokens[2] = 50;
  EXPECT_TRUE(error_of([&] { model.hidden(batch, batch.readout_rows); }));
}

nlohmann::json golden_of(const std::string& folder) {
  std::ifstream in(folder + "/golden.json");
  return nlohmann::json::parse(in);
}

TEST(Stories260K, LogitsAreThoseOfTransformers) {
  STRAQ_REQUIRE_DATA(folder, "models/stories260K_hf");
  const Llama model = load_huggingface(folder, at::kFloat, at::kCPU);
  const auto golden_file = golden_of(folder);
  int prompts = 0;
  for (const auto& golden : golden_file["prompts"]) {
    SCOPED_TRACE(golden["text"].get<std::string>());
    prompt::Comb comb;
    comb.id = golden["text"];
    comb.trunks.resize(1);
    const auto ids = golden["ids"].get<std::vector<std::int64_t>>();
    comb.trunks[0].tokens.assign(ids.begin(), ids.end());
    const auto batch = pack({{&comb, {}, true}}, at::kCPU);
    at::NoGradGuard no_grad;
    const auto logits = model.logits(model.hidden(batch, testing::last_row(batch)))[0];
    const auto expected = golden["last_logits_first16"].get<std::vector<double>>();
    for (std::size_t i = 0; i < expected.size(); ++i) {
      EXPECT_NEAR(logits[static_cast<std::int64_t>(i)].item<double>(), expected[i], 2e-4) << i;
    }
    EXPECT_NEAR(logits.logsumexp(0).item<double>(), golden["logsumexp"].get<double>(), 2e-4);
    EXPECT_EQ(model.greedy(ids, 40), golden["greedy40"].get<std::vector<std::int64_t>>());
    ++prompts;
  }
  EXPECT_EQ(prompts, 5);
}

TEST(Stories260K, GreedyContinuationIsThatOfTransformers) {
  STRAQ_REQUIRE_DATA(folder, "models/stories260K_hf");
  const Llama model = load_huggingface(folder, at::kFloat, at::kCPU);
  const auto ids = golden_of(folder)["bos_greedy_200"]["ids"].get<std::vector<std::int64_t>>();
  ASSERT_EQ(ids.size(), 201u);
  EXPECT_EQ(model.greedy({ids[0]}, 200), std::vector<std::int64_t>(ids.begin() + 1, ids.end()));
}

TEST(Llama, GreedyNamesBadPrompts) {
  Llama model(testing::small_shape(), at::kFloat, at::kCPU, false);
  EXPECT_TRUE(error_of([&] { model.greedy({}, 1); }));
  EXPECT_TRUE(error_of([&] { model.greedy({1, 50}, 1); }));
}

}  // namespace
}  // namespace straq::model
