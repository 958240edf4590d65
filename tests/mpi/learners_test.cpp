// Several learners do what one does: the same loss curve and weights, also when a batch has nothing
// for some of them; and a learner that went astray is noticed at the next target sync.
#include <gtest/gtest.h>
#include <mpi.h>

#include "core/error.h"
#include "learn/learner.h"
#include "tests/learn/learn_helpers.h"

namespace straq::learn {
namespace {

struct Trained {
  std::vector<double> losses;
  at::Tensor weights, first_moment;
};

struct Variant {
  bool zero1 = false, look_ahead = false;
  at::ScalarType dtype = at::kFloat;
  Backup backup = Backup::max;
  std::int64_t target_every = 10, micro_tokens = 8192;
};

Trained train(comm::Collectives& group, const std::vector<prompt::Comb>& combs, std::int64_t batch,
              int steps, const Variant& variant = {}) {
  LearnConfig config = testing::plain_config();
  config.objective = {1, 0.5, 0.5};
  config.zero1 = variant.zero1;
  config.backup = variant.backup;
  config.target.every = variant.target_every;
  config.micro_tokens = variant.micro_tokens;
  Learner learner(testing::random_model(testing::kVocab, variant.dtype), combs, testing::kOptions,
                  planner::Readout::mean_logit, config, group);
  learner.begin_stage(config, steps);
  const auto source = imitation_transitions(combs, config, 8, 1);
  Trained run;
  std::vector<StepPlan> plans;
  for (std::int64_t epoch = 0; plans.size() < static_cast<std::size_t>(steps); ++epoch) {
    for (const Batch& b : epoch_batches(combs, Batching::exact, batch, 12000, 1, epoch)) {
      plans.push_back(learner.plan(b, epoch, source));
    }
  }
  for (int step = 0; step < steps; ++step) {
    const auto i = static_cast<std::size_t>(step);
    // Also where a sync comes between.
    const StepPlan* next = variant.look_ahead && step + 1 < steps ? &plans[i + 1] : nullptr;
    run.losses.push_back(learner.step(plans[i], next).loss);
    if ((step + 1) % 10 == 0) learner.sync_target();
  }
  const auto state = learner.state();
  run.weights = state.buffers[0].second.clone();
  run.first_moment = state.buffers[2].second.clone();
  return run;
}

TEST(Learners, AnyNumberGivesTheSameCurveAndWeights) {
  const auto combs = testing::random_combs(30, 3);
  const auto alone = comm::make_local_collectives();
  const auto group = comm::make_mpi_collectives(MPI_COMM_WORLD);
  const Trained one = train(*alone, combs, 32, 25), many = train(*group, combs, 32, 25);
  for (std::size_t i = 0; i < one.losses.size(); ++i) {
    EXPECT_NEAR(one.losses[i], many.losses[i], 1e-5 * std::abs(one.losses[i])) << "step " << i;
  }
  const double scale = one.weights.abs().max().item<double>();
  EXPECT_LT((one.weights - many.weights).abs().max().item<double>() / scale, 1e-5);
}

// Shards of the optimizer's state change where an update is computed, not what it is; the gathered
// state is that of learners that hold it whole.
TEST(Learners, ShardedOptimizerStateGivesTheSameWeightsAndMoments) {
  const auto combs = testing::random_combs(30, 3);
  const auto group = comm::make_mpi_collectives(MPI_COMM_WORLD);
  for (const auto dtype : {at::kFloat, at::kBFloat16}) {
    const Trained whole = train(*group, combs, 32, 25, {.dtype = dtype}),
                  sharded = train(*group, combs, 32, 25, {.zero1 = true, .dtype = dtype});
    const double tolerance = dtype == at::kFloat ? 1e-6 : 1e-3;
    const auto differ = [](const at::Tensor& a, const at::Tensor& b) {
      return (a - b).abs().max().item<double>() / b.abs().max().item<double>();
    };
    EXPECT_EQ(sharded.weights.scalar_type(), at::kFloat);  // the master copy
    EXPECT_LT(differ(sharded.weights, whole.weights), tolerance);
    EXPECT_LT(differ(sharded.first_moment, whole.first_moment), 10 * tolerance);
  }
}

// What is computed while the gradients travel is what would be computed afterwards: the same bits,
// whatever makes it void.
TEST(Learners, LookingAheadChangesNoBit) {
  const auto combs = testing::random_combs(30, 3);
  const auto group = comm::make_mpi_collectives(MPI_COMM_WORLD);
  for (Variant v : {Variant{}, Variant{.backup = Backup::double_q}, Variant{.target_every = 0},
                    Variant{.micro_tokens = 60}, Variant{.zero1 = true}}) {
    const Trained plain = train(*group, combs, 24, 23, v);
    v.look_ahead = true;
    const Trained ahead = train(*group, combs, 24, 23, v);
    EXPECT_EQ(ahead.losses, plain.losses);
    EXPECT_TRUE(at::equal(ahead.weights, plain.weights));
  }
}

// One dialogue a batch: all but one learner have nothing, and must still take every collective.
TEST(Learners, LearnersWithoutSamplesDoNotHang) {
  const auto combs = testing::random_combs(3, 8);
  const auto alone = comm::make_local_collectives();
  const auto group = comm::make_mpi_collectives(MPI_COMM_WORLD);
  const Trained one = train(*alone, combs, 1, 12), many = train(*group, combs, 1, 12);
  for (std::size_t i = 0; i < one.losses.size(); ++i) {
    EXPECT_NEAR(one.losses[i], many.losses[i], 1e-5 * std::abs(one.losses[i])) << "step " << i;
  }
}

TEST(Learners, EvaluationIsSharedAndComplete) {
  const auto combs = testing::random_combs(9, 4);
  const auto alone = comm::make_local_collectives();
  const auto group = comm::make_mpi_collectives(MPI_COMM_WORLD);
  const LearnConfig config = testing::plain_config();
  Learner a(testing::random_model(), combs, testing::kOptions, planner::Readout::mean_logit, config,
            *alone);
  Learner b(testing::random_model(), combs, testing::kOptions, planner::Readout::mean_logit, config,
            *group);
  EXPECT_TRUE(at::allclose(a.evaluate(combs), b.evaluate(combs), 1e-5, 1e-6));
}

TEST(Learners, AllStartFromTheLeadersWeights) {
  const auto combs = testing::random_combs(3, 4);
  const auto group = comm::make_mpi_collectives(MPI_COMM_WORLD);
  auto model = testing::random_model();
  model->initialise(static_cast<std::uint64_t>(group->rank()), 0.2);
  Learner learner(std::move(model), combs, testing::kOptions, planner::Readout::mean_logit,
                  testing::plain_config(), *group);
  EXPECT_TRUE(group->all_equal(learner.online().parameters().checksum()));
}

TEST(Learners, DriftIsNoticedAtTheSync) {
  const auto combs = testing::random_combs(3, 4);
  const auto group = comm::make_mpi_collectives(MPI_COMM_WORLD);
  if (group->size() == 1) GTEST_SKIP() << "needs two learners to differ";
  Learner learner(testing::random_model(), combs, testing::kOptions, planner::Readout::mean_logit,
                  testing::plain_config(), *group);
  if (group->rank() == 1) learner.online().parameters().flat()[0].add_(1e-3);
  EXPECT_THROW(learner.sync_target(), Error);
}

}  // namespace
}  // namespace straq::learn
