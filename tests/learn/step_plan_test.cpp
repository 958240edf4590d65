#include "learn/step_plan.h"

#include <gtest/gtest.h>

#include <thread>

#include "core/error.h"
#include "tests/learn/learn_helpers.h"

namespace straq::learn {
namespace {

struct Setting {
  std::vector<prompt::Comb> combs = testing::random_combs(20, 3);
  LearnConfig config = testing::plain_config();
  TransitionSource transitions = transitions_of(combs, config, 8, 1);
  BatchStream stream() const { return {combs, config, config.objective, 7}; }
};

// A run that goes on from step n gets the batches that it would have got.
TEST(BatchStream, SkippingIsTheSameAsTaking) {
  Setting s;
  s.config.batch = 16;
  auto taken = s.stream();
  for (int i = 0; i < 23; ++i) taken.next();  // into a later epoch
  auto skipped = s.stream();
  skipped.skip(23);
  for (int i = 0; i < 10; ++i) {
    const Batch a = taken.next(), b = skipped.next();
    ASSERT_EQ(a.size(), b.size());
    EXPECT_EQ(taken.epoch(), skipped.epoch());
    for (std::size_t j = 0; j < a.size(); ++j) {
      EXPECT_EQ(a[j].comb, b[j].comb);
      EXPECT_EQ(a[j].first, b[j].first);
      EXPECT_EQ(a[j].last, b[j].last);
    }
  }
  EXPECT_GT(taken.epoch(), 0);
}

TEST(BatchStream, SkippingIsTheSameAsTakingWhereDialoguesHaveNothingButText) {
  for (const ObjectiveConfig& objective : {ObjectiveConfig{1, 0, 0.5}, ObjectiveConfig{0, 0, 1}}) {
    Setting s;
    s.combs = testing::partly_labelled(30, 3);
    s.config.batch = 16;
    BatchStream taken(s.combs, s.config, objective, 7), skipped(s.combs, s.config, objective, 7);
    for (int i = 0; i < 23; ++i) taken.next();
    EXPECT_GT(taken.epoch(), 0);
    skipped.skip(23);
    for (int i = 0; i < 10; ++i) {
      const Batch a = taken.next(), b = skipped.next();
      ASSERT_EQ(a.size(), b.size());
      for (std::size_t j = 0; j < a.size(); ++j) {
        EXPECT_EQ(a[j].comb, b[j].comb);
        EXPECT_EQ(a[j].first, b[j].first);
        EXPECT_EQ(a[j].last, b[j].last);
      }
    }
  }
}

// It would look for the next batch for ever.
TEST(BatchStream, AStageThatCanLearnNothingIsRefused) {
  Setting s;
  s.combs = testing::partly_labelled(4, 3, 1);
  s.combs.erase(s.combs.begin());  // text alone
  EXPECT_THROW(BatchStream(s.combs, s.config, s.config.objective, 7).next(), Error);
  EXPECT_THROW(BatchStream(s.combs, s.config, s.config.objective, 7).skip(3), Error);
  EXPECT_FALSE(BatchStream(s.combs, s.config, {0, 0, 1}, 7).next().empty());
  PlanStream plans({s.combs, s.config, s.config.objective, 7}, 2,
                   [](const Batch&, std::int64_t) { return StepPlan{}; });
  EXPECT_THROW(plans.next(), Error);
}

TEST(PlanStep, CountsTheGlobalBatchAndPacksTheLearnersShare) {
  Setting s;
  s.config.batch = 40;
  const Batch batch = s.stream().next();
  PlanOptions options{s.config.objective, 0, 2, {}, 60, false};
  std::int64_t probes = 0, transitions = 0;
  for (options.rank = 0; options.rank < 2; ++options.rank) {
    const auto plan = plan_step(s.combs, batch, 0, s.transitions, options);
    EXPECT_EQ(plan.decisions, 40);
    EXPECT_EQ(plan.transitions, 80);  // the expert's and one sampled other of each decision
    EXPECT_GT(plan.passes.size(), 1u);
    for (const auto& pass : plan.passes) {
      EXPECT_EQ(pass.states.readout_rows.numel(), pass.probes);
      EXPECT_EQ(pass.gold.numel(), pass.probes);
      EXPECT_LT(pass.row.max().item<std::int64_t>(), pass.probes);
      probes += pass.probes;
      transitions += pass.transitions();
    }
  }
  EXPECT_EQ(probes, 40);
  EXPECT_EQ(transitions, 80);
}

TEST(PlanStep, AStepOfALaterPlanIsThatOfItsBatch) {
  Setting s;
  const auto group = comm::make_local_collectives();
  const auto learner = [&] {
    auto out = std::make_unique<Learner>(testing::random_model(), s.combs, testing::kOptions,
                                         planner::Readout::mean_logit, s.config, *group);
    out->begin_stage(s.config, 10);
    return out;
  };
  const auto direct = learner(), ahead = learner();
  auto stream = s.stream();
  PlanStream plans(s.stream(), 4, [&](const Batch& batch, std::int64_t epoch) {
    return ahead->plan(batch, epoch, s.transitions);
  });
  for (int i = 0; i < 4; ++i) {
    const Batch batch = stream.next();
    const auto expected = direct->step(batch, stream.epoch(), s.transitions);
    const StepPlan& plan = plans.next();
    EXPECT_EQ(plan.epoch, stream.epoch());
    EXPECT_EQ(ahead->step(plan).loss, expected.loss);
  }
  EXPECT_EQ(ahead->online().parameters().checksum(), direct->online().parameters().checksum());
}

TEST(PlanStream, MakesThePlansInOrderOnAnotherThreadAndNoMoreThanAsked) {
  Setting s;
  int made = 0;
  bool elsewhere = true;
  const auto here = std::this_thread::get_id();
  {
    PlanStream plans(s.stream(), 3, [&](const Batch&, std::int64_t) {
      elsewhere = elsewhere && std::this_thread::get_id() != here;
      StepPlan plan;
      plan.decisions = ++made;
      return plan;
    });
    for (int i = 1; i <= 3; ++i) EXPECT_EQ(plans.next().decisions, i);
  }
  EXPECT_EQ(made, 3);
  EXPECT_TRUE(elsewhere);
  { const PlanStream unused(s.stream(), 0, {}); }  // a stage that was complete
}

TEST(PlanStream, TheUpcomingPlanIsTheOneThatComesNext) {
  Setting s;
  int made = 0;
  PlanStream plans(s.stream(), 3, [&](const Batch&, std::int64_t) {
    StepPlan plan;
    plan.decisions = ++made;
    return plan;
  });
  for (int i = 1; i <= 3; ++i) {
    const StepPlan* upcoming = plans.upcoming();
    const StepPlan& plan = plans.next();
    EXPECT_EQ(&plan, upcoming);
    const StepPlan* after = plans.upcoming();
    ASSERT_EQ(after == nullptr, i == 3);
    EXPECT_EQ(plan.decisions, i);  // it has stayed
    if (after != nullptr) {
      EXPECT_EQ(after->decisions, i + 1);
    }
  }
}

TEST(PlanStream, AFailureComesOutWhereThePlanIsAskedFor) {
  Setting s;
  PlanStream plans(s.stream(), 2, [](const Batch&, std::int64_t) -> StepPlan {
    fail_input("comb 7 is malformed");
  });
  EXPECT_THROW(plans.next(), Error);
}

}  // namespace
}  // namespace straq::learn
