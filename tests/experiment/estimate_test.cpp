#include "experiment/estimate.h"

#include <ATen/ATen.h>
#include <c10/core/CPUAllocator.h>
#include <gtest/gtest.h>

#include <atomic>
#include <map>
#include <mutex>

#include "core/rng.h"
#include "learn/learner.h"
#include "tests/testing.h"

namespace straq::experiment {
namespace {

// libtorch's allocator with a count of what is alive, and of the most that ever was.
class CountingAllocator final : public c10::Allocator {
 public:
  explicit CountingAllocator(c10::Allocator* real) : real_(real) {}
  c10::DataPtr allocate(std::size_t bytes) override {
    c10::DataPtr inner = real_->allocate(bytes);
    void* data = inner.get();
    {
      const std::lock_guard lock(mutex_);
      held_[data] = {std::move(inner), bytes};
      alive_ += bytes;
      peak_ = std::max(peak_, alive_);
    }
    return {data, data, &release, at::Device(at::kCPU)};
  }
  c10::DeleterFnPtr raw_deleter() const override { return &release; }
  void copy_data(void* to, const void* from, std::size_t n) const override {
    default_copy_data(to, from, n);
  }
  std::size_t peak() const { return peak_; }
  static CountingAllocator* current;

 private:
  static void release(void* data) {
    const std::lock_guard lock(current->mutex_);
    const auto it = current->held_.find(data);
    if (it == current->held_.end()) return;
    current->alive_ -= it->second.second;
    current->held_.erase(it);
  }
  c10::Allocator* real_;
  std::mutex mutex_;
  std::map<void*, std::pair<c10::DataPtr, std::size_t>> held_;
  std::size_t alive_ = 0, peak_ = 0;
};
CountingAllocator* CountingAllocator::current = nullptr;

prompt::Comb dialogue(std::uint64_t seed, int tokens, int decisions, int vocab) {
  CounterRng rng(seed, "estimate");
  prompt::Comb comb;
  comb.id = std::to_string(seed);
  comb.trunks.resize(1);
  for (int i = 0; i < tokens; ++i) {
    comb.trunks[0].tokens.push_back(static_cast<prompt::TokenId>(rng.below(vocab)));
  }
  for (int d = 0; d < decisions; ++d) {
    comb.probes.push_back({0, tokens * (d + 1) / decisions, {1, 2}});
    comb.decisions.push_back({d, d % 8, -1, d + 1 == decisions});
  }
  return comb;
}

struct Case {
  const char* name;
  Precision precision;
  bool recompute, lm;
  model::TrainedPart part = {};
};

class MeasuredMemory : public ::testing::TestWithParam<Case> {};

// The issue of an estimate: within 15 % of what a step really holds.
TEST_P(MeasuredMemory, IsWithinFifteenPercentOfTheEstimate) {
  const Case c = GetParam();
  model::LlamaShape shape;
  shape.vocab = 800;
  shape.hidden = 128;
  shape.layers = 5;
  shape.heads = 4;
  shape.kv_heads = 2;
  shape.inner = 344;
  const int tokens = 600, decisions = 10, count = 4;
  std::vector<prompt::Comb> combs;
  for (int i = 0; i < count; ++i) combs.push_back(dialogue(i, tokens, decisions, 800));
  learn::LearnConfig config;
  config.batch = count * decisions;
  config.micro_tokens = 100000;
  config.objective.lm = c.lm ? 1 : 0;
  learn::Batch batch;
  for (int i = 0; i < count; ++i) batch.push_back({i, 0, decisions});

  // Installed for good: what it gave may be released after this test.
  static CountingAllocator* counting = nullptr;
  counting = new CountingAllocator(c10::GetDefaultCPUAllocator());
  CountingAllocator::current = counting;
  auto* real = c10::GetCPUAllocator();
  c10::SetCPUAllocator(counting, 100);
  {
    const auto dtype = c.precision == Precision::bf16 ? at::kBFloat16 : at::kFloat;
    auto online = std::make_unique<model::Llama>(shape, dtype, at::kCPU, true, c.part);
    online->initialise(1);
    online->set_recompute(c.recompute);
    const auto group = comm::make_local_collectives();
    learn::Learner learner(std::move(online), combs, {1, 2, 3, 4, 5, 6, 7, 8},
                           planner::Readout::mean_logit, config, *group);
    learner.begin_stage(config, 2);
    learner.step(batch, 0, learn::transitions_of(combs, config, 8, 1));
  }
  c10::SetCPUAllocator(real, 100);

  EstimateInput in;
  in.shape = shape;
  in.part = c.part;
  in.precision = c.precision;
  in.recompute = c.recompute;
  in.pretrains = c.lm;
  in.micro_tokens = config.micro_tokens;
  in.batch = config.batch;
  in.rows_per_decision = (tokens + 2.0 * decisions) / decisions;
  in.trunk_tokens = tokens;
  const double estimated = estimate_memory(in).total();
  const double measured = static_cast<double>(counting->peak());
  ::testing::Test::RecordProperty("estimated_over_measured", std::to_string(estimated / measured));
  EXPECT_NEAR(estimated / measured, 1, 0.15) << estimated << " estimated, " << measured;
}

INSTANTIATE_TEST_SUITE_P(
    Options, MeasuredMemory,
    ::testing::Values(Case{"fp32", Precision::fp32, false, false},
                      Case{"recompute", Precision::fp32, true, false},
                      Case{"bf16", Precision::bf16, false, false},
                      Case{"lm", Precision::fp32, false, true},
                      Case{"frozen", Precision::fp32, false, false, {3, {}}},
                      Case{"adapter", Precision::fp32, false, false, {0, {.rank = 4, .alpha = 8}}}),
    [](const auto& info) { return std::string(info.param.name); });

EstimateInput published(const std::string& file) {
  EstimateInput in;
  in.shape = config::read<model::LlamaShape>(
      config::load_config(straq::testing::source_path("configs/shapes/" + file)));
  in.precision = Precision::bf16;
  in.learners = 8;
  return in;
}

TEST(Estimate, SaysWhichOptionsTheLlamaModelsNeedOnEightGpusOf80GB) {
  const auto gpu = device_spec("h100");
  const auto fit = [&](const EstimateInput& in) { return fits(estimate_memory(in), gpu); };
  EXPECT_EQ(fit(published("llama-3.2-1b.yaml")), Fit::yes);
  EXPECT_EQ(fit(published("llama-3.2-3b.yaml")), Fit::yes);
  auto eight = published("llama-3.1-8b.yaml");
  EXPECT_EQ(fit(eight), Fit::no);
  eight.zero1 = true;
  eight.recompute = true;
  // Weights and target 16 GB each, fp32 gradients 32 GB, an eighth of master and moments 12 GB.
  EXPECT_NEAR(estimate_memory(eight).total() / 1e9, 76, 4);
  EXPECT_EQ(fit(eight), Fit::tight);
}

TEST(Estimate, ShardsDivideMasterAndMomentsAlone) {
  auto in = published("llama-3.2-1b.yaml");
  const auto whole = estimate_memory(in);
  in.zero1 = true;
  const auto shard = estimate_memory(in);
  EXPECT_DOUBLE_EQ(shard.moments, whole.moments / 8);
  EXPECT_DOUBLE_EQ(shard.master, whole.master / 8);
  EXPECT_DOUBLE_EQ(shard.gradients, whole.gradients);
  EXPECT_DOUBLE_EQ(shard.weights, whole.weights);
}

TEST(Estimate, ChoosesTheLargestForwardPassThatMemoryAllows) {
  auto in = published("llama-3.2-1b.yaml");
  in.batch = 1024;
  in.learners = 2;
  std::int64_t before = 0;
  for (const double gib : {24, 28, 32, 40, 60, 80, 140}) {
    const double bytes = gib * 1024 * 1024 * 1024;
    const auto chosen = choose_micro_tokens(in, bytes);
    EXPECT_GE(chosen, before);
    auto fixed = in;
    fixed.micro_tokens = chosen;
    const double total = estimate_memory(fixed).total();
    if (chosen > 512) {
      EXPECT_LT(total, 0.9 * bytes) << gib;
    }
    fixed.micro_tokens = 2 * chosen;
    if (chosen < 65536) {
      EXPECT_GT(estimate_memory(fixed).total(), 0.85 * bytes) << gib;
    }
    before = chosen;
  }
  EXPECT_GT(before, 8192);
  // With nothing to be had: the smallest, and the attempt will tell.
  EXPECT_EQ(choose_micro_tokens(in, 0), 512);
}

TEST(Estimate, ChoosesNoForwardPassBeyondTheLearnersPartOfABatch) {
  auto in = published("llama-3.2-1b.yaml");
  in.rows_per_decision = 85;
  in.batch = 64;
  in.learners = 1;  // 5440 rows
  EXPECT_EQ(choose_micro_tokens(in, 1e15), 8192);
  in.learners = 4;
  EXPECT_EQ(choose_micro_tokens(in, 1e15), 2048);
}

TEST(Estimate, TakesLengthsFromTheData) {
  std::vector<prompt::Comb> combs{dialogue(1, 600, 10, 800), dialogue(2, 200, 10, 800)};
  combs.push_back(dialogue(3, 50, 1, 800));
  combs.back().decisions.clear();
  EstimateInput in;
  measure_data(in, combs);
  EXPECT_DOUBLE_EQ(in.rows_per_decision, (600 + 20 + 200 + 20) / 20.0);
  EXPECT_DOUBLE_EQ(in.trunk_tokens, 400);
  const auto before = in.rows_per_decision;
  measure_data(in, {});
  EXPECT_DOUBLE_EQ(in.rows_per_decision, before);
}

// Dialogues without decisions are rows of the same batches where text is learned beside decisions,
// and make batches of their own where it is learned alone.
TEST(Estimate, CountsTheTextOfDialoguesWithoutDecisions) {
  std::vector<prompt::Comb> combs{dialogue(1, 600, 10, 800), dialogue(3, 300, 1, 800)};
  const double labelled = (600 + 20) / 10.0;
  const auto text = static_cast<double>(combs[1].trunks.front().tokens.size());
  combs.back().decisions.clear();
  combs.back().probes.clear();
  EstimateInput in;
  measure_data(in, combs);
  EXPECT_DOUBLE_EQ(in.rows_per_decision, labelled);
  in.texts = learn::Texts::beside;
  measure_data(in, combs);
  EXPECT_DOUBLE_EQ(in.rows_per_decision, labelled + text / 10);
  in.texts = learn::Texts::alone;
  measure_data(in, combs);
  EXPECT_NEAR(in.rows_per_decision, labelled, 0.1 * labelled);
  EXPECT_DOUBLE_EQ(in.trunk_tokens, 600);

  dialogue::Episode with, without;
  with.situation = std::string(400, 'a');
  with.decisions.resize(10);
  without.situation = std::string(200, 'a');
  const auto epoch = measure_epoch({with, without});
  EXPECT_EQ(epoch.decisions, 10);
  EXPECT_EQ(epoch.text, 5);
  ExperimentConfig config;
  config.learn.batch = 5;
  config.learn.epochs = 1;
  config.pretrain.epochs = 2;
  config.pretrain.objective = {0, 0, 1};
  EXPECT_EQ(run_steps(config, epoch), 2 * 3 + 2);
  config.pretrain.objective = {0, 1, 1};
  EXPECT_EQ(run_steps(config, epoch), 2 * 2 + 2);
}

TEST(Estimate, UnknownGpusAreRefusedWithTheKnownOnes) {
  const auto error = straq::testing::error_of([] { device_spec("v100"); });
  ASSERT_TRUE(error);
  EXPECT_NE(error->full().find("a100-80"), std::string::npos);
}

}  // namespace
}  // namespace straq::experiment
