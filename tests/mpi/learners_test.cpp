// Several learners do what one does: the same loss curve and weights, also when a batch has nothing
// for some of them; and a learner that went astray is noticed at the next target sync.
#include <gtest/gtest.h>
#include <mpi.h>

#include "core/error.h"
#include "learn/learner.h"
#include "tests/learn/learn_helpers.h"
#include "tests/testing.h"

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
  ObjectiveConfig objective = {1, 0.5, 0.5};
  Terminal terminal = Terminal::mask;
  double cql = 0;
  Batching mode = Batching::exact;
};

Trained train(comm::Collectives& group, const std::vector<prompt::Comb>& combs, std::int64_t batch,
              int steps, const Variant& variant = {}) {
  LearnConfig config = testing::plain_config();
  config.objective = variant.objective;
  config.terminal = variant.terminal;
  config.cql.alpha = variant.cql;
  config.zero1 = variant.zero1;
  config.backup = variant.backup;
  config.target.every = variant.target_every;
  config.micro_tokens = variant.micro_tokens;
  Learner learner(testing::random_model(testing::kVocab, variant.dtype), combs, testing::kOptions,
                  planner::Readout::mean_logit, config, group);
  learner.share_start();
  learner.begin_stage(config, steps);
  const auto source = transitions_of(combs, config, 8, 1);
  Trained run;
  std::vector<StepPlan> plans;
  for (std::int64_t epoch = 0; plans.size() < static_cast<std::size_t>(steps); ++epoch) {
    for (const Batch& b :
         epoch_batches(combs, variant.mode, batch, 12000, 1, epoch, texts_of(variant.objective))) {
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

// Dialogues without decisions, dropped terminal decisions, single decisions drawn at random: what a
// learner's share lacks must not be missed in what all divide by.
TEST(Learners, NoTermDependsOnHowABatchIsShared) {
  const auto combs = testing::partly_labelled(30, 3);
  const auto alone = comm::make_local_collectives();
  const auto group = comm::make_mpi_collectives(MPI_COMM_WORLD);
  for (const Variant& v : {Variant{.terminal = Terminal::drop, .cql = 1},
                           Variant{.objective = {1, 0, 0},
                           .terminal = Terminal::drop,
                           .cql = 1,
                           .mode = Batching::uniform},
                           Variant{.micro_tokens = 60, .mode = Batching::whole},
                           Variant{.look_ahead = true, .objective = {0, 0, 1}}}) {
    const Trained one = train(*alone, combs, 8, 25, v), many = train(*group, combs, 8, 25, v);
    for (std::size_t i = 0; i < one.losses.size(); ++i) {
      EXPECT_NEAR(one.losses[i], many.losses[i], 2e-5 * std::abs(one.losses[i])) << "step " << i;
    }
    const double scale = one.weights.abs().max().item<double>();
    EXPECT_LT((one.weights - many.weights).abs().max().item<double>() / scale, 2e-5);
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
  const auto q = testing::evaluated(b, combs);
  EXPECT_TRUE(at::allclose(testing::evaluated(a, combs), q, 1e-5, 1e-6));
  EXPECT_EQ(testing::evaluated(b, {}).size(0), 0);
}

// bf16 weights come with the fp32 ones that they were rounded from: those are the leader's, too.
TEST(Learners, AllStartFromTheLeadersMasterWeights) {
  const auto combs = testing::random_combs(3, 4);
  const auto group = comm::make_mpi_collectives(MPI_COMM_WORLD);
  const at::Tensor leaders = testing::random_model()->parameters().flat().clone();
  for (const bool zero1 : {false, true}) {
    LearnConfig config = testing::plain_config();
    config.zero1 = zero1;
    auto wide = testing::random_model();
    if (group->rank() > 0) wide->initialise(99, 0.2);
    auto narrow = testing::random_model(testing::kVocab, at::kBFloat16);
    narrow->parameters().copy_from(wide->parameters());
    Learner learner(std::move(narrow), combs, testing::kOptions, planner::Readout::mean_logit,
                    config, *group, wide->parameters().flat());
    learner.share_start();
    learner.begin_stage(config, 10);
    EXPECT_TRUE(at::equal(learner.weights(), leaders));
    EXPECT_TRUE(at::equal(learner.online().parameters().flat(), leaders.to(at::kBFloat16)));
    EXPECT_TRUE(at::equal(learner.target()->parameters().flat(), leaders.to(at::kBFloat16)));
  }
}

// What is read from a checkpoint is each learner's own part; the weights are whole once all have
// read theirs.
TEST(Learners, ARestoredGroupGoesOnToTheBit) {
  const auto combs = testing::partly_labelled(20, 3);
  const auto group = comm::make_mpi_collectives(MPI_COMM_WORLD);
  straq::testing::TemporaryFolder folder;
  for (const bool zero1 : {false, true}) {
    LearnConfig config = testing::plain_config();
    config.objective = {1, 0, 0.5};
    config.batch = 8;
    config.zero1 = zero1;
    const auto source = transitions_of(combs, config, 8, 1);
    const auto make = [&](std::uint64_t seed) {
      auto model = testing::random_model();
      model->initialise(seed, 0.2);
      auto out = std::make_unique<Learner>(std::move(model), combs, testing::kOptions,
                                           planner::Readout::mean_logit, config, *group);
      out->share_start();
      out->begin_stage(config, 40);
      return out;
    };
    const auto a = make(5), b = make(6);
    BatchStream batches(combs, config, config.objective, 1),
        later(combs, config, config.objective, 1);
    for (int i = 0; i < 17; ++i) {
      const Batch& batch = batches.next();
      a->step(batch, batches.epoch(), source);
    }
    CheckpointRecord record;
    record.progress.stage_step = 17;
    record.progress.optimizer_steps = a->optimizer_steps();
    // Each writes its own copy, as on nodes without a common disk.
    const std::string path = folder.path(zero1 ? "sharded" : "whole");
    write_checkpoint(path, record, a->state());
    b->restore(open_checkpoint(path, true));
    b->share_restored();
    later.skip(17);
    for (int i = 0; i < 5; ++i) {
      const Batch& batch = batches.next();
      const double loss = a->step(batch, batches.epoch(), source).loss;
      const Batch& again = later.next();
      EXPECT_EQ(b->step(again, later.epoch(), source).loss, loss);
    }
    EXPECT_TRUE(at::equal(a->weights(), b->weights()));
  }
}

TEST(Learners, AllStartFromTheLeadersWeights) {
  const auto combs = testing::random_combs(3, 4);
  const auto group = comm::make_mpi_collectives(MPI_COMM_WORLD);
  auto model = testing::random_model();
  model->initialise(static_cast<std::uint64_t>(group->rank()), 0.2);
  Learner learner(std::move(model), combs, testing::kOptions, planner::Readout::mean_logit,
                  testing::plain_config(), *group);
  learner.share_start();
  EXPECT_TRUE(group->all_equal(learner.online().parameters().checksum()));
  learner.begin_stage(testing::plain_config(), 10);
  EXPECT_EQ(learner.target()->parameters().checksum(), learner.online().parameters().checksum());
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
