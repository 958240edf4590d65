// Training from stored states of frozen layers is training with the layers computed in each step.
#include "learn/frozen_states.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <tuple>

#include "comm/collectives/collectives.h"
#include "model/weights/safetensors.h"
#include "tests/learn/learn_helpers.h"
#include "tests/testing.h"

namespace straq::learn {
namespace {

using straq::testing::error_of;

constexpr std::int64_t kLayers = 2;

std::unique_ptr<model::Llama> frozen_model(std::int64_t layers, at::ScalarType dtype,
                                           std::int64_t lora_rank = 0) {
  auto shape = testing::small_shape();
  shape.state_head = model::StateHeadShape{8, 6};
  auto model = std::make_unique<model::Llama>(
      shape, dtype, at::kCPU, true, model::TrainedPart{layers, {.rank = lora_rank, .alpha = 4}});
  model->initialise(3, 0.2);
  model->initialise_state_head(4);
  model->initialise_adapter(5);
  return model;
}

// A learner on all decisions of some dialogues, with or without stored states.
struct Trained {
  Trained(std::int64_t layers, at::ScalarType dtype, const std::vector<prompt::Comb>& combs,
          const ObjectiveConfig& objective, std::optional<at::ScalarType> stored,
          std::int64_t lora_rank = 0)
      : combs(combs) {
    config.objective = objective;
    config.micro_tokens = 150;
    config.target.every = 3;
    readout = layers == kLayers ? planner::Readout::state_head : planner::Readout::mean_logit;
    auto model = frozen_model(layers, dtype, lora_rank);
    if (stored) {
      states.emplace(folder.path("data"), "key", *model, *stored, objective.lm > 0, 100);
      split = states->of("train", combs);
      for (std::int64_t p = 0; p < split->pieces(); ++p) {
        EXPECT_TRUE(split->make(p));
        EXPECT_FALSE(split->make(p)) << "it is there already";
      }
    }
    learner.emplace(std::move(model), combs, testing::kOptions, readout, config, *group);
    if (stored) learner->use_pack(pack());
    learner->begin_stage(config, 12);
  }

  // As if the split were opened now.
  planner::Pack pack() const {
    return [opened = states->of("train", combs)](const auto& selections) {
      return opened->pack(selections);
    };
  }

  // Losses of 12 steps with target syncs.
  std::vector<double> train() {
    Batch batch;
    for (std::size_t c = 0; c < combs.size(); ++c) {
      batch.push_back(
          {static_cast<std::int32_t>(c), 0, static_cast<std::int32_t>(combs[c].decisions.size())});
    }
    const auto transitions = transitions_of(combs, config, 8, 1);
    std::vector<double> losses;
    for (int i = 0; i < 12; ++i) {
      losses.push_back(learner->step(batch, i, transitions).loss);
      if (i % 3 == 2) learner->sync_target();
    }
    return losses;
  }

  const std::vector<prompt::Comb>& combs;
  LearnConfig config = testing::plain_config();
  planner::Readout readout;
  std::unique_ptr<comm::Collectives> group = comm::make_local_collectives();
  straq::testing::TemporaryFolder folder;
  std::optional<FrozenStates> states;
  std::shared_ptr<SplitStates> split;
  std::optional<Learner> learner;
};

struct Case {
  const char* name;
  std::int64_t layers;
  ObjectiveConfig objective;
  std::int64_t lora_rank = 0;
};
void PrintTo(const Case& c, std::ostream* out) {
  *out << c.name;
}

class StoredStatesOf : public ::testing::TestWithParam<Case> {};

TEST_P(StoredStatesOf, TrainAsComputedOnesDo) {
  const Case c = GetParam();
  const auto combs =
      c.objective.lm > 0 ? testing::partly_labelled(7, 21) : testing::random_combs(7, 21);
  for (const auto dtype : {at::kDouble, at::kFloat}) {
    const double bound = dtype == at::kDouble ? 1e-11 : 2e-5;
    Trained computed(c.layers, dtype, combs, c.objective, {}, c.lora_rank);
    Trained stored(c.layers, dtype, combs, c.objective, dtype, c.lora_rank);
    const auto expected = computed.train(), losses = stored.train();
    for (std::size_t i = 0; i < losses.size(); ++i) {
      EXPECT_NEAR(losses[i], expected[i], bound * std::abs(expected[i])) << "step " << i;
    }
    EXPECT_NE(expected.front(), expected.back());
    const auto difference = (stored.learner->weights() - computed.learner->weights()).abs().max();
    EXPECT_LT(difference.item<double>(), dtype == at::kDouble ? 1e-10 : 1e-4);
    const auto q = planner::ask(computed.learner->reading(), combs);
    const auto by_states = planner::ask(stored.learner->reading(), combs, 0, 1, stored.pack());
    EXPECT_TRUE(at::allclose(by_states, q, 1e-3, 1e-3));
  }
}

INSTANTIATE_TEST_SUITE_P(
    Layers, StoredStatesOf,
    ::testing::Values(Case{"OneLayer", 1, {.bellman = 1}},
                      Case{"OneLayerAndText", 1, {.bellman = 1, .lm = 0.5}},
                      Case{"OneLayerAndAnAdapter", 1, {.bellman = 1, .ce = 1}, 2},
                      Case{"AllLayers", kLayers, {.bellman = 1}},
                      Case{"AllLayersByCrossEntropy", kLayers, {.ce = 1}}),
    [](const auto& info) { return std::string(info.param.name); });

// A responder's branches are rows of their own, and what they predict is read at many of them.
TEST(FrozenStates, TrainRespondersAsComputedOnesDo) {
  const auto combs = planner::testing::reply_combs(7, 21);
  const ObjectiveConfig objective{.bellman = 0, .ce = 0, .lm = 1};
  Trained computed(1, at::kDouble, combs, objective, {}, 2);
  Trained stored(1, at::kDouble, combs, objective, at::kDouble, 2);
  const auto expected = computed.train(), losses = stored.train();
  for (std::size_t i = 0; i < losses.size(); ++i) EXPECT_NEAR(losses[i], expected[i], 1e-10);
  EXPECT_LT(losses.back(), losses.front());
}

TEST(FrozenStates, RoundedToBf16ChangeQByTheirRoundingAlone) {
  const auto combs = testing::random_combs(5, 3);
  Trained exact(1, at::kFloat, combs, {.bellman = 1}, at::kFloat);
  Trained rounded(1, at::kFloat, combs, {.bellman = 1}, at::kBFloat16);
  const auto ask = [&](Trained& t) {
    return planner::ask(t.learner->reading(), combs, 0, 1, t.pack());
  };
  const auto a = ask(exact), b = ask(rounded);
  const double difference = (a - b).abs().max().item<double>();
  EXPECT_GT(difference, 0);
  EXPECT_LT(difference, 0.03 * a.abs().max().item<double>());
  EXPECT_DOUBLE_EQ(exact.split->bytes(), 2 * rounded.split->bytes());
}

TEST(FrozenStates, OfOtherWeightsOrDialoguesAreNotTaken) {
  const auto combs = testing::random_combs(5, 3), others = testing::random_combs(6, 3);
  straq::testing::TemporaryFolder folder;
  const auto model = frozen_model(1, at::kFloat), upper = frozen_model(1, at::kFloat),
             other = frozen_model(1, at::kFloat);
  upper->parameters().flat().add_(1);  // nothing that the states depend on
  other->weight("model.embed_tokens.weight").add_(1);
  const FrozenStates states(folder.path("d"), "key", *model, at::kFloat, false, 100);
  EXPECT_EQ(FrozenStates(folder.path("d"), "key", *upper, at::kFloat, false, 9).folder(),
            states.folder());
  EXPECT_NE(FrozenStates(folder.path("d"), "key", *other, at::kFloat, false, 100).folder(),
            states.folder());
  EXPECT_NE(FrozenStates(folder.path("d"), "other", *model, at::kFloat, false, 100).folder(),
            states.folder());
  EXPECT_TRUE(states.of("train", combs)->make(0));
  EXPECT_TRUE(states.of("train", others)->make(0))
      << "the piece that is there is of other dialogues";
}

TEST(FrozenStates, ADamagedPieceIsRefusedByName) {
  const auto combs = testing::random_combs(5, 3);
  Trained t(1, at::kFloat, combs, {.bellman = 1}, at::kFloat);
  std::string piece;
  for (const auto& e : std::filesystem::directory_iterator(t.states->folder())) {
    piece = e.path().string();
  }
  {
    std::fstream file(piece, std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(-5, std::ios::end);
    file.put('\x7f');
  }
  const auto pack = t.pack();
  const auto error = error_of([&] { planner::ask(t.learner->reading(), combs, 0, 1, pack); });
  ASSERT_TRUE(error);
  EXPECT_NE(error->full().find(piece + " is damaged"), std::string::npos) << error->full();
  std::filesystem::remove(piece);
  EXPECT_TRUE(error_of([&] { planner::ask(t.learner->reading(), combs, 0, 1, t.pack()); }));
}

}  // namespace
}  // namespace straq::learn
