#include "learn/learner.h"

#include <gtest/gtest.h>

#include <cmath>

#include "core/error.h"
#include "learn/td.h"
#include "prompt/render.h"
#include "tests/learn/learn_helpers.h"
#include "tests/testing.h"

namespace straq::learn {
namespace {

using testing::imitation;
using testing::plain_config;
using testing::random_combs;
using testing::random_model;

struct Fixture {
  std::vector<prompt::Comb> combs = random_combs(12, 3);
  std::unique_ptr<comm::Collectives> group = comm::make_local_collectives();
  LearnConfig config = plain_config();
  std::unique_ptr<Learner> learner;
  at::ScalarType dtype = at::kFloat;
  bool recompute = false;
  bool from_wide = false;  // bf16 weights are rounded from fp32 ones, which training goes on from

  void make() {
    auto model = random_model(testing::kVocab, dtype);
    model->set_recompute(recompute);
    learner = std::make_unique<Learner>(
        std::move(model), combs, testing::kOptions, planner::Readout::mean_logit, config, *group,
        from_wide ? random_model(testing::kVocab)->parameters().flat().clone() : at::Tensor());
    learner->begin_stage(config, 100);
  }
  StepMetrics step(int n = 0) {
    const auto batches = epoch_batches(combs, Batching::exact, 16, 1000, 1, 0);
    return learner->step(batches[static_cast<std::size_t>(n) % batches.size()], 0,
                         transitions_of(combs, config, 8, 1));
  }
};

// The target network is a copy of its own that lags until it is told to follow. With target =
// online this fails at once: its weights would have moved with the first step.
TEST(Learner, TargetLagsUntilTheSync) {
  Fixture f;
  f.make();
  const auto start = f.learner->target()->parameters().fingerprint();
  EXPECT_EQ(start, f.learner->online().parameters().fingerprint());
  for (int i = 0; i < 9; ++i) f.step(i);
  EXPECT_EQ(f.learner->target()->parameters().fingerprint(), start);
  EXPECT_NE(f.learner->online().parameters().fingerprint(), start);
  const auto synced = f.learner->sync_target();
  EXPECT_EQ(f.learner->target()->parameters().fingerprint(), synced);
  EXPECT_EQ(f.learner->online().parameters().fingerprint(), synced);
}

// target <- (1 - p) target + p online after each step, and no hard copy in between.
TEST(Learner, SoftUpdatesMoveTheTargetByTheirShare) {
  for (const at::ScalarType dtype : {at::kFloat, at::kBFloat16}) {
    SCOPED_TRACE(at::toString(dtype));
    Fixture f;
    f.dtype = dtype;
    f.config.target.polyak = 0.25;
    f.config.target.every = 0;
    f.make();
    at::Tensor wanted = f.learner->online().parameters().flat().to(at::kFloat).clone();
    for (int i = 0; i < 3; ++i) {
      f.step(i);
      wanted = 0.75 * wanted + 0.25 * f.learner->online().parameters().flat().to(at::kFloat);
      const at::Tensor target = f.learner->target()->parameters().flat().clone();
      EXPECT_TRUE(at::allclose(target.to(at::kFloat), wanted, 1e-2, 1e-6)) << i;
      if (dtype == at::kFloat) {
        EXPECT_TRUE(at::allclose(target, wanted, 1e-6, 1e-7)) << i;
      }
      // What checkpoints keep is what the next step goes on from, also where weights are rounded.
      for (const auto& [name, buffer] : f.learner->state().buffers) {
        if (name != kTarget) continue;
        EXPECT_EQ(buffer.scalar_type(), at::kFloat);
        EXPECT_TRUE(at::allclose(buffer, wanted, 1e-6, 1e-7)) << i;
      }
      f.learner->sync_target();
      EXPECT_TRUE(at::equal(f.learner->target()->parameters().flat(), target)) << "hard copy";
    }
    EXPECT_FALSE(at::equal(wanted, f.learner->online().parameters().flat().to(at::kFloat)));
  }
}

// KL(policy, initial policy) over the options: 0 before the first update, by hand behind it, and
// its gradient pulls the policy back.
TEST(Learner, KlToTheBaseIsMeasuredFromTheInitialPolicy) {
  Fixture f, free;
  f.config.kl_to_base = 2;
  f.make();
  free.make();
  const auto policy = [&](Learner& l, const Batch& batch) {
    at::Tensor all = testing::evaluated(l, f.combs);
    std::vector<at::Tensor> rows;
    std::vector<std::int64_t> first;
    std::int64_t n = 0;
    for (const auto& comb : f.combs) {
      first.push_back(n);
      n += static_cast<std::int64_t>(comb.decisions.size());
    }
    for (const auto& item : batch) {
      rows.push_back(all.narrow(0, first[static_cast<std::size_t>(item.comb)] + item.first,
                                item.last - item.first));
    }
    return at::log_softmax(at::cat(rows).to(at::kDouble), 1);
  };
  const auto batches = epoch_batches(f.combs, Batching::exact, 16, 1000, 1, 0);
  const at::Tensor base = policy(*f.learner, batches[1]);
  const auto first = f.step(0), plain = free.step(0);
  EXPECT_NEAR(first.kl_loss, 0, 1e-6);
  EXPECT_NEAR(first.loss, plain.loss, 1e-5);
  const at::Tensor now = policy(*f.learner, batches[1]);
  const double wanted = (now.exp() * (now - base)).sum(1).mean().item<double>();
  const auto second = f.step(1);
  ASSERT_GT(wanted, 1e-4);
  EXPECT_NEAR(second.kl_loss, wanted, 1e-4 * wanted + 1e-6);
  EXPECT_NEAR(second.loss, second.td_loss + 2 * second.kl_loss, 1e-5);
  free.step(1);
  for (int i = 2; i < 20; ++i) f.step(i), free.step(i);
  const auto distance = [&](Learner& l) {
    const at::Tensor p = policy(l, batches[1]);
    return (p.exp() * (p - base)).sum(1).mean().item<double>();
  };
  EXPECT_LT(distance(*f.learner), distance(*free.learner));
}

// Q above the base is 0 where training begins, so that the first targets are the rewards alone, and
// afterwards what the values have moved by. The base is what the stage began with.
TEST(Learner, QAboveTheBaseIsWhatTheValuesHaveMovedBy) {
  for (const int every : {0, 10}) {
    SCOPED_TRACE(every);
    Fixture f;
    f.config.above_base = 0.5;
    f.config.target.every = every;
    f.make();
    StageConfig text = f.config;
    text.objective = {0, 1, 0};
    f.learner->begin_stage(text, 10);
    for (int i = 0; i < 3; ++i) f.step(i);
    f.learner->begin_stage(f.config, 10);
    const auto q_of = [&](const Batch& batch, const at::Tensor& all) {
      std::vector<at::Tensor> rows;
      for (const auto& item : batch) {
        std::int64_t first = item.first;
        for (std::int32_t c = 0; c < item.comb; ++c) {
          first += static_cast<std::int64_t>(f.combs[static_cast<std::size_t>(c)].decisions.size());
        }
        rows.push_back(all.narrow(0, first, item.last - item.first));
      }
      return at::cat(rows);
    };
    const at::Tensor base = testing::evaluated(*f.learner, f.combs);
    const auto first = f.step(0);
    EXPECT_NEAR(first.q_mean, 0, 1e-6);
    EXPECT_NEAR(first.max_q, 0, 1e-6);
    const at::Tensor now = testing::evaluated(*f.learner, f.combs);
    const auto batches = epoch_batches(f.combs, Batching::exact, 16, 1000, 1, 0);
    const auto second = f.step(1);
    const double wanted = q_of(batches[1], (now - base) * 0.5).amax(1).mean().item<double>();
    ASSERT_GT(std::abs(wanted), 1e-3);
    EXPECT_NEAR(second.max_q, wanted, 1e-4 * std::abs(wanted) + 1e-6);
  }
}

// A dueling network over the base: Q = V + temp (log policy - log base policy), V from its head. It
// begins at 0, its soft backup is its V, and what nobody does keeps the base's log-probability but
// for what the others gain.
TEST(Learner, ADuelingNetworkLearnsStatesFromAllThatWasDoneThere) {
  for (const int every : {0, 10}) {
    SCOPED_TRACE(every);
    Fixture f;
    f.config.above_base = f.config.backup_temp = 0.5;
    f.config.backup = Backup::soft;
    f.config.dueling = true;
    f.config.target.every = every;
    f.config.lr = 1e-2;
    auto shape = testing::small_shape();
    shape.state_head = model::StateHeadShape{1, 0};
    auto model = std::make_unique<model::Llama>(shape, at::kFloat, at::kCPU, true);
    model->initialise(3, 0.2);
    model->initialise_state_head(4);
    f.learner = std::make_unique<Learner>(std::move(model), f.combs, testing::kOptions,
                                          planner::Readout::mean_logit, f.config, *f.group);
    f.learner->begin_stage(f.config, 100);
    const at::Tensor base = at::log_softmax(testing::evaluated(*f.learner, f.combs), 1);
    const auto first = f.step(0);
    EXPECT_NEAR(first.max_q, 0, 1e-6);
    EXPECT_NEAR(first.target_mean, 0, 1e-6) << "as many rewards of 1 as of -1, and V = 0 behind";
    for (int i = 1; i < 5; ++i) f.step(i);
    f.learner->sync_target();
    // By hand, on one batch: V of each decision and of the next one, read with the weights as they
    // are now.
    const auto batch = epoch_batches(f.combs, Batching::exact, 16, 1000, 1, 0)[0];
    const at::Tensor now = at::log_softmax(testing::evaluated(*f.learner, f.combs), 1);
    double y = 0, most = 0;
    int n = 0;
    const auto state_of = [&](const prompt::Comb& comb, std::int32_t d) {
      c10::NoGradGuard no_grad;
      auto& online = f.learner->online();
      const auto packed = model::pack({{&comb, {d}, false}}, testing::device());
      return online.state_values(online.hidden(packed, packed.readout_rows)).item<double>();
    };
    for (const auto& item : batch) {
      std::int64_t before = 0;
      for (std::int32_t c = 0; c < item.comb; ++c) {
        before += static_cast<std::int64_t>(f.combs[static_cast<std::size_t>(c)].decisions.size());
      }
      const auto& comb = f.combs[static_cast<std::size_t>(item.comb)];
      for (std::int32_t d = item.first; d < item.last; ++d, ++n) {
        const bool last = d + 1 == static_cast<std::int32_t>(comb.decisions.size());
        // Each decision has a transition of reward 1 and one of -1, with the same next state.
        y += last ? 0 : f.config.gamma * state_of(comb, d + 1);
        const at::Tensor gain = (now - base)[before + d] * 0.5;
        most += state_of(comb, d) + gain.amax().item<double>();
      }
    }
    const auto m = f.step(0);
    ASSERT_GT(std::abs(most / n), 1e-2);
    EXPECT_NEAR(m.target_mean, y / n, 1e-4);
    EXPECT_NEAR(m.max_q, most / n, 1e-4);
  }
}

// The soft backup weighs next states by the base's policy, asked there, whether the target network
// or the online one values them: both are the same network in the first step.
TEST(Learner, TheSoftBackupAsksTheBaseOfNextStates) {
  double target_mean[2];
  for (const int every : {0, 10}) {
    Fixture f;
    f.config.backup = Backup::soft;
    f.config.backup_temp = 0.7;
    f.config.target.every = every;
    f.make();
    target_mean[every > 0] = f.step(0).target_mean;
  }
  EXPECT_NEAR(target_mean[0], target_mean[1], 1e-5);
  // By hand: the base is the network itself, so V = temp log sum softmax(q) exp(q / temp).
  Fixture f;
  f.config.backup = Backup::soft;
  f.config.backup_temp = 0.7;
  imitation(f.config).neg.ratio = 0;
  f.make();
  const at::Tensor q = testing::evaluated(*f.learner, f.combs).to(at::kDouble);
  const at::Tensor v = at::logsumexp(at::log_softmax(q, 1) + q / 0.7, {1}) * 0.7;
  const auto batch = epoch_batches(f.combs, Batching::exact, 16, 1000, 1, 0)[0];
  double sum = 0;
  int n = 0;
  for (const auto& item : batch) {
    std::int64_t before = 0;
    for (std::int32_t c = 0; c < item.comb; ++c) {
      before += static_cast<std::int64_t>(f.combs[static_cast<std::size_t>(c)].decisions.size());
    }
    const auto& decisions = f.combs[static_cast<std::size_t>(item.comb)].decisions;
    for (std::int32_t d = item.first; d < item.last; ++d, ++n) {
      sum += imitation(f.config).expert;
      if (d + 1 < static_cast<std::int32_t>(decisions.size())) {
        sum += f.config.gamma * v[before + d + 1].item<double>();
      }
    }
  }
  EXPECT_NEAR(f.step(0).target_mean, sum / n, 1e-4);
}

// With a head of distributions Q is their mean, the loss the cross-entropy of the taken actions'
// targets: uniform at first, and behind some steps what the rewards are.
TEST(Learner, LearnsDistributionsWhoseMeansAreQ) {
  for (const LossKind loss : {LossKind::hl_gauss, LossKind::two_hot}) {
    SCOPED_TRACE(static_cast<int>(loss));
    Fixture f;
    f.config.loss = loss;
    f.config.gamma = 0;
    f.config.lr = 2e-2;
    auto shape = testing::small_shape();
    shape.state_head = model::StateHeadShape{8, 0, 21, 2};
    auto model = std::make_unique<model::Llama>(shape, at::kFloat, at::kCPU, true);
    model->initialise(3, 0.2);
    model->initialise_state_head(4);
    EXPECT_EQ(model->parameters().size(), shape.parameter_count());
    f.learner = std::make_unique<Learner>(std::move(model), f.combs, testing::kOptions,
                                          planner::Readout::state_head, f.config, *f.group);
    f.learner->begin_stage(f.config, 100);
    const auto first = f.step(0);
    EXPECT_NEAR(first.td_loss, std::log(21.0), 1e-5);
    EXPECT_NEAR(first.q_mean, 0, 1e-6);
    EXPECT_NEAR(first.td_abs, 1, 1e-6);  // rewards of 1 and -1
    StepMetrics last;
    for (int i = 0; i < 60; ++i) last = f.step(0);
    EXPECT_LT(last.td_abs, 0.15);
    EXPECT_NEAR(last.q_mean, last.target_mean, 0.1);
  }
}

// Options in another order are the same options by other tokens: a learner that is told the order
// does what one does whose strategies have those tokens.
TEST(Learner, ShuffledOptionsAreTheStrategiesByOtherTokens) {
  for (const bool ce : {false, true}) {
    SCOPED_TRACE(ce);
    Fixture shuffled, renamed;
    const prompt::OptionOrder order = {3, 0, 7, 1, 2, 6, 5, 4};
    auto ids = testing::kOptions;
    for (std::size_t place = 0; place < order.size(); ++place) {
      ids[static_cast<std::size_t>(order[place])] = testing::kOptions[place];
    }
    for (auto& comb : shuffled.combs) comb.option_order = order;
    for (Fixture* f : {&shuffled, &renamed}) {
      f->config.backup = Backup::double_q;
      f->config.cql.alpha = 0.5;
      f->config.kl_to_base = 0.5;
      f->config.above_base = 0.8;
      if (ce) f->config.objective.ce = 1;
      f->learner = std::make_unique<Learner>(random_model(), f->combs,
                                             f == &shuffled ? testing::kOptions : ids,
                                             planner::Readout::mean_logit, f->config, *f->group);
      f->learner->begin_stage(f->config, 10);
      f->learner->target()->initialise(99, 0.2);
    }
    for (int i = 0; i < 3; ++i) {
      const auto a = shuffled.step(i), b = renamed.step(i);
      EXPECT_NEAR(a.loss, b.loss, 1e-5 * std::abs(b.loss));
      EXPECT_NEAR(a.ce_loss, b.ce_loss, 1e-5);
      EXPECT_NEAR(a.target_mean, b.target_mean, 1e-5);
    }
    EXPECT_TRUE(at::allclose(testing::evaluated(*shuffled.learner, shuffled.combs),
                             testing::evaluated(*renamed.learner, renamed.combs), 1e-4, 1e-4));
    // And it matters: without the order other strategies would be meant.
    for (auto& comb : shuffled.combs) comb.option_order.clear();
    EXPECT_FALSE(at::allclose(testing::evaluated(*shuffled.learner, shuffled.combs),
                              testing::evaluated(*renamed.learner, renamed.combs), 1e-2, 1e-2));
  }
}

// With the seeker's last word as a state the last decision's target grows by gamma max Q there,
// once for each of its transitions; dialogues that end with the supporter stay as they are.
TEST(Learner, TheLastDecisionBootstrapsOnASeekersLastWords) {
  Fixture masked, going_on;
  going_on.config.terminal = Terminal::bootstrap_on_final_seeker;
  double wanted = 0;
  for (Fixture* f : {&masked, &going_on}) {
    for (std::size_t c = 0; c < f->combs.size(); ++c) {
      auto& comb = f->combs[c];
      comb.final_state = c % 3 == 2 ? 0 : 1;
      if (comb.final_state == 0) continue;
      comb.probes.push_back(
          {0, static_cast<std::int32_t>(comb.trunks[0].tokens.size()), comb.probes[0].tokens});
    }
    f->make();
    f->learner->target()->initialise(77, 0.2);
  }
  Batch all;
  const auto ids = at::tensor(testing::kOptions, at::kLong).to(testing::device());
  for (std::int32_t c = 0; c < 12; ++c) {
    const auto& comb = going_on.combs[static_cast<std::size_t>(c)];
    const auto last = static_cast<std::int32_t>(comb.decisions.size());
    all.push_back({c, 0, last});
    if (comb.final_state == 0) continue;
    const auto q = planner::q_values(*going_on.learner->target(),
                                     model::pack({{&comb, {last}, false}}, testing::device()), ids,
                                     planner::Readout::mean_logit);
    wanted += 2 * 0.85 * q.max().item<double>();  // the expert's transition and a negative's
  }
  const auto step = [&](Fixture& f) {
    return f.learner->step(all, 0, transitions_of(f.combs, f.config, 8, 1));
  };
  const auto before = step(masked), after = step(going_on);
  ASSERT_EQ(before.transitions, after.transitions);
  EXPECT_NEAR((after.target_mean - before.target_mean) * static_cast<double>(after.transitions),
              wanted, 1e-4 * std::abs(wanted));
  EXPECT_GT(std::abs(wanted), 1e-3);
}

TEST(LearnConfig, FinalStatesMustBeInTheShardsAndHaveNoActionOfTheCorpus) {
  LearnConfig config;
  auto combs = random_combs(2, 3);
  require_final_states(config, combs);
  config.terminal = Terminal::bootstrap_on_final_seeker;
  EXPECT_THROW(require_final_states(config, combs), Error);
  for (auto& comb : combs) comb.final_state = 0;
  require_final_states(config, combs);
  EXPECT_THROW(config::read<LearnConfig>(config::parse_yaml(
                   "terminal: bootstrap_on_final_seeker\nbackup: sarsa", "learn.yaml")),
               Error);
}

// The lag is not only kept but used: the targets of the next step come from the old weights.
TEST(Learner, TargetsComeFromTheLaggingNetwork) {
  Fixture lagging, following;
  lagging.make();
  following.config.target.every = 0;  // the online network itself
  following.make();
  // Equal weights so far, asked in passes of their own or in one.
  EXPECT_NEAR(lagging.step(0).target_mean, following.step(0).target_mean, 1e-6);
  const auto a = lagging.step(1), b = following.step(1);
  EXPECT_NEAR(a.q_mean, b.q_mean, 1e-6);
  EXPECT_GT(std::abs(a.target_mean - b.target_mean), 1e-5);
}

// What the online network says of next states comes from the pass that trains it. Before the first
// update both networks agree, so all ways to value next states must, too: batches of 16 cut
// dialogues, whose next state is asked beside the batch's own.
TEST(Learner, NextStatesAskedOfTheOnlineNetworkHaveTheValuesOfTheTarget) {
  for (int batch = 0; batch < 3; ++batch) {
    SCOPED_TRACE(batch);
    Fixture separate, twice, alone;
    twice.config.backup = Backup::double_q;
    alone.config.target.every = 0;
    for (Fixture* f : {&separate, &twice, &alone}) {
      f->config.objective = {1, 0.5, 0.5};
      f->config.cql.alpha = 0.3;
      f->make();
    }
    const auto expected = separate.step(batch);
    for (Fixture* f : {&twice, &alone}) {
      const auto m = f->step(batch);
      EXPECT_NEAR(m.loss, expected.loss, 1e-5 * std::abs(expected.loss));
      EXPECT_NEAR(m.target_mean, expected.target_mean, 1e-6);
      EXPECT_NEAR(m.max_q, expected.max_q, 1e-6);
      EXPECT_NEAR(m.grad_norm, expected.grad_norm, 1e-5 * expected.grad_norm);
    }
    // Without a network of its own nothing but the states is computed, and where a dialogue goes on
    // the next one.
    EXPECT_LT(alone.step(batch).tokens, 0.7 * static_cast<double>(separate.step(batch).tokens));
  }
}

TEST(Learner, LossFallsOnAFixedBatch) {
  Fixture f;
  imitation(f.config).neg.resample = Resample::fixed;
  f.make();
  const double first = f.step(0).td_loss;
  double last = first;
  for (int i = 0; i < 60; ++i) last = f.step(0).td_loss;
  EXPECT_LT(last, 0.5 * first);
}

TEST(Learner, MicroBatchingDoesNotChangeTheStep) {
  Fixture whole, cut;
  cut.config.micro_tokens = 60;
  whole.make();
  cut.make();
  const auto a = whole.step(0), b = cut.step(0);
  EXPECT_NEAR(a.loss, b.loss, 1e-5 * std::abs(a.loss));
  EXPECT_TRUE(at::allclose(whole.learner->online().parameters().flat_grad(),
                           cut.learner->online().parameters().flat_grad(), 1e-4, 1e-5));
}

TEST(Learner, AccumulationAndRecomputationGiveTheSameWeights) {
  const auto train = [](std::int64_t micro_tokens, bool recompute) {
    Fixture f;
    f.config.micro_tokens = micro_tokens;
    f.recompute = recompute;
    f.make();
    for (int i = 0; i < 20; ++i) {
      f.step(i);
      if (i % 10 == 9) f.learner->sync_target();
    }
    return f.learner->weights().clone();
  };
  const auto plain = train(100000, false);
  const auto differ = [&](const at::Tensor& x) {
    return (x - plain).abs().max().item<double>() / plain.abs().max().item<double>();
  };
  EXPECT_EQ(differ(train(100000, true)), 0);
  EXPECT_LT(differ(train(60, false)), 1e-6);
  EXPECT_LT(differ(train(60, true)), 1e-6);
}

// bf16 keeps eight bits: the curve stays close, and what is learned is the same.
TEST(Learner, Bf16FollowsTheCurveOfFp32AndChoosesTheSameStrategies) {
  Fixture wide, narrow;
  narrow.dtype = at::kBFloat16;
  for (Fixture* f : {&wide, &narrow}) {
    imitation(f->config).neg.resample = Resample::fixed;
    f->config.lr = 3e-3;
    f->combs = random_combs(40, 3);
    f->make();
  }
  double first = 0, last = 0;
  // Not further: once everything is memorised, Adam's bounces differ from one rounding to the next.
  for (int i = 0; i < 40; ++i) {
    const double a = wide.step(i % 4).loss, b = narrow.step(i % 4).loss;
    EXPECT_NEAR(b, a, 0.05 * a + 0.02) << "step " << i;
    if (i == 0) first = a;
    last = a;
  }
  EXPECT_LT(last, 0.6 * first);
  EXPECT_EQ(narrow.learner->weights().scalar_type(), at::kFloat);
  // The same weights in both precisions choose alike.
  Fixture cast;
  cast.dtype = at::kBFloat16;
  cast.make();
  cast.learner->online().parameters().copy_from(wide.learner->online().parameters());
  const auto q = testing::evaluated(*wide.learner, wide.combs);
  const auto a = q.argmax(1), b = testing::evaluated(*cast.learner, wide.combs).argmax(1);
  // Which near ties there are depends on the last bits of 40 steps and on how a processor rounds
  // bf16 products; a clear choice, one by more than a few of bf16's last bits of Q, is never lost.
  const auto best = std::get<0>(q.topk(2, 1));
  const auto lead = best.select(1, 0) - best.select(1, 1);
  EXPECT_GE(a.eq(b).to(at::kDouble).mean().item<double>(), 0.97);
  const double clear = 0.01 * q.abs().max().item<double>();
  EXPECT_TRUE(a.eq(b).logical_or(lead.lt(clear)).all().item<bool>())
      << "choices differ where the best leads by " << lead.masked_select(a.ne(b));
}

// Steps far below bf16's last bit move bf16 weights on average, as long as these were rounded from
// fp32 ones: from exact values none would change for many steps.
TEST(Learner, TinyStepsTakeEffectInBf16FromFp32Weights) {
  const auto drop = [](at::ScalarType dtype, bool from_wide) {
    Fixture f;
    f.dtype = dtype;
    f.from_wide = from_wide;
    f.config.lr = 5e-5;  // weights are about 0.2: half of bf16's last bit is 5e-4
    f.config.warmup = 0;
    f.make();
    const double first = f.step(0).td_loss;
    for (int i = 0; i < 3; ++i) f.step(0);
    return first - f.step(0).td_loss;
  };
  const double wide = drop(at::kFloat, false), narrow = drop(at::kBFloat16, true);
  EXPECT_GT(wide, 0);
  EXPECT_NEAR(narrow / wide, 1, 0.35) << wide << " in fp32, " << narrow << " in bf16";
  EXPECT_LT(drop(at::kBFloat16, false), 0.5 * wide);  // what the fp32 weights are for
}

TEST(Learner, AStageThatFollowsGoesOnFromTheMasterWeights) {
  Fixture f;
  f.dtype = at::kBFloat16;
  f.make();
  for (int i = 0; i < 3; ++i) f.step(i);
  const at::Tensor before = f.learner->weights().clone();
  ASSERT_EQ(before.scalar_type(), at::kFloat);
  EXPECT_FALSE(before.equal(before.to(at::kBFloat16).to(at::kFloat)));
  f.learner->begin_stage(f.config, 10);
  EXPECT_TRUE(f.learner->weights().equal(before));
}

// A learning rate whose steps are below bf16's last bit still adds up in the master copy.
TEST(Optimizer, SmallStepsOfBf16AddUp) {
  StageConfig s;
  auto w = at::ones({4}, at::kBFloat16);
  AdamW adam(s, w);
  for (int i = 0; i < 1000; ++i) adam.step(at::ones({4}), 1e-5);
  EXPECT_NEAR(adam.master()[0].item<double>(), 0.99, 1e-4);
  EXPECT_NEAR(w[0].item<double>(), 0.99, 0.004);
  EXPECT_NE(w[0].item<double>(), 1.0);
}

TEST(Learner, TextOfADialogueCountsOncePerEpochWhereverBatchesCut) {
  Fixture f;
  f.config.objective = {0, 0, 1};
  f.make();
  std::int64_t text = 0, expected = 0;
  for (const auto& comb : f.combs) {
    expected +=
        static_cast<std::int64_t>(comb.trunks.front().tokens.size()) - comb.trunks.front().header;
  }
  double sum = 0;
  // With lr so small that weights do not move, the sum over the epoch's batches of loss times
  // tokens is the loss over all text: compare with one batch that holds everything.
  f.config.lr = 1e-30;
  f.make();
  for (const auto& batch : epoch_batches(f.combs, Batching::exact, 7, 1000, 1, 0)) {
    const auto m = f.learner->step(batch, 0, transitions_of(f.combs, f.config, 8, 1));
    std::int64_t here = 0;
    for (const auto& item : batch) {
      const auto& trunk = f.combs[static_cast<std::size_t>(item.comb)].trunks.front();
      if (item.first == 0) here += static_cast<std::int64_t>(trunk.tokens.size()) - trunk.header;
    }
    text += here;
    sum += m.lm_loss * static_cast<double>(here);
  }
  EXPECT_EQ(text, expected);
  Fixture all;
  all.config = f.config;
  all.make();
  const auto m =
      all.learner->step(epoch_batches(f.combs, Batching::exact, 100000, 1000, 1, 0).front(), 0,
                        transitions_of(all.combs, all.config, 8, 1));
  EXPECT_NEAR(m.lm_loss, sum / static_cast<double>(expected), 1e-4 * m.lm_loss);
}

// Everything that a step tells and does is the same however its batch is cut into passes: passes
// with dropped terminal decisions alone (which have no transition), with text alone, with both.
TEST(Learner, NoTermDependsOnHowABatchIsCutIntoPasses) {
  const auto run = [](std::int64_t micro_tokens, const ObjectiveConfig& objective) {
    Fixture f;
    f.combs = testing::partly_labelled(12, 3, 3);
    f.config.objective = objective;
    f.config.terminal = Terminal::drop;
    f.config.cql.alpha = 1;
    f.config.micro_tokens = micro_tokens;
    f.make();
    Batch batch = {{1, 0, 0}};
    for (std::int32_t c = 2; c < 12; ++c) {
      const auto n =
          static_cast<std::int32_t>(f.combs[static_cast<std::size_t>(c)].decisions.size());
      if (n == 0) {
        batch.push_back({c, 0, 0});
      } else if (c < 5) {
        batch.push_back({c, 0, n});
      } else {
        batch.push_back({c, n - 1, n});  // the terminal one
      }
    }
    const auto m = f.learner->step(batch, 0, transitions_of(f.combs, f.config, 8, 1));
    return std::pair(m, f.learner->online().parameters().flat_grad().clone());
  };
  for (const ObjectiveConfig& objective :
       {ObjectiveConfig{1, 0.5, 0.5}, ObjectiveConfig{1, 0, 0}, ObjectiveConfig{0, 0, 1}}) {
    const auto [whole, gradient] = run(100000, objective);
    const auto [cut, of_cut] = run(1, objective);
    const auto same = [](const char* what, double a, double b) {
      EXPECT_NEAR(a, b, 1e-5 * std::abs(a) + 1e-7) << what;
    };
    same("loss", whole.loss, cut.loss);
    same("td_loss", whole.td_loss, cut.td_loss);
    same("ce_loss", whole.ce_loss, cut.ce_loss);
    same("lm_loss", whole.lm_loss, cut.lm_loss);
    same("cql_loss", whole.cql_loss, cut.cql_loss);
    same("td_abs", whole.td_abs, cut.td_abs);
    same("q_mean", whole.q_mean, cut.q_mean);
    same("max_q", whole.max_q, cut.max_q);
    same("target_mean", whole.target_mean, cut.target_mean);
    EXPECT_EQ(whole.decisions, cut.decisions);
    EXPECT_EQ(whole.transitions, cut.transitions);
    EXPECT_EQ(whole.text_tokens, cut.text_tokens);
    EXPECT_TRUE(at::allclose(gradient, of_cut, 1e-4, 1e-5));
    if (objective.bellman > 0) {
      EXPECT_GT(whole.cql_loss, 0);
    }
  }
}

// A batch of dropped terminal decisions has no transition, but each of its decisions counts.
TEST(Learner, ConservatismIsOverAllDecisionsAlsoDroppedOnes) {
  Fixture f;
  f.config.terminal = Terminal::drop;
  f.config.cql.alpha = 1;
  f.make();
  Batch batch;
  for (std::int32_t c = 0; c < 4; ++c) {
    const auto n = static_cast<std::int32_t>(f.combs[static_cast<std::size_t>(c)].decisions.size());
    batch.push_back({c, n - 1, n});
  }
  const auto m = f.learner->step(batch, 0, transitions_of(f.combs, f.config, 8, 1));
  EXPECT_EQ(m.transitions, 0);
  const auto fresh = random_model();
  double expected = 0;
  for (const auto& item : batch) {
    const auto& comb = f.combs[static_cast<std::size_t>(item.comb)];
    const auto packed = model::pack({{&comb, {item.first}, false}}, testing::device());
    c10::NoGradGuard no_grad;
    const auto q = planner::q_values(*fresh, packed,
                                     at::tensor(testing::kOptions, at::kLong).to(testing::device()),
                                     planner::Readout::mean_logit);
    const auto gold = comb.decisions[static_cast<std::size_t>(item.first)].gold;
    expected -= at::log_softmax(q.to(at::kDouble), 1)[0][gold].item<double>() / 4;
  }
  EXPECT_NEAR(m.cql_loss, expected, 1e-5);
  EXPECT_NEAR(m.loss, expected, 1e-5);
  EXPECT_GT(m.grad_norm, 0);
}

// The sum over all text of a batch, row by row, of dialogues with decisions and without.
TEST(Learner, TextOfADialogueWithoutDecisionsCountsAsAnyOther) {
  Fixture f;
  f.combs = testing::partly_labelled(6, 3);
  f.config.objective = {0, 0, 1};
  f.make();
  const auto source = transitions_of(f.combs, f.config, 8, 1);
  const auto by_hand = [&](const std::vector<std::int32_t>& which) {
    const auto fresh = random_model();
    c10::NoGradGuard no_grad;
    double sum = 0;
    std::int64_t n = 0;
    for (const auto c : which) {
      const auto& comb = f.combs[static_cast<std::size_t>(c)];
      const auto packed = model::pack({{&comb, {}, true}}, testing::device());
      const auto& tokens = comb.trunks.front().tokens;
      const auto all = fresh->logits(fresh->hidden(packed, at::arange(packed.rows)));
      const auto logs = at::log_softmax(all.to(at::kDouble), 1).cpu();
      for (std::int64_t i = comb.trunks.front().header;
           i < static_cast<std::int64_t>(tokens.size()); ++i, ++n) {
        sum -= logs[i - 1][tokens[static_cast<std::size_t>(i)]].item<double>();
      }
    }
    return std::pair(sum / static_cast<double>(n), n);
  };
  f.config.lr = 1e-30;
  f.make();
  const auto decisions = static_cast<std::int32_t>(f.combs[2].decisions.size());
  const auto [both, tokens] = by_hand({1, 2, 3});
  const auto m = f.learner->step({{1, 0, 0}, {2, 0, decisions}, {3, 0, 0}}, 0, source);
  EXPECT_EQ(m.text_tokens, tokens);
  EXPECT_NEAR(m.lm_loss, both, 1e-5);
  const auto [labelled, fewer] = by_hand({2});
  const auto without = f.learner->step({{2, 0, decisions}}, 0, source);
  EXPECT_EQ(without.text_tokens, fewer);
  EXPECT_NEAR(without.lm_loss, labelled, 1e-5);
  EXPECT_GT(std::abs(both - labelled), 1e-3);
  EXPECT_GT(m.tokens, without.tokens);
  // Text alone, with what decisions are learned by in the objective: there are none of it.
  f.config.objective = {1, 1, 1};
  f.make();
  const auto text = f.learner->step({{1, 0, 0}, {3, 0, 0}}, 0, source);
  EXPECT_NEAR(text.loss, by_hand({1, 3}).first, 1e-5);
  EXPECT_EQ(text.decisions, 0);
  EXPECT_EQ(text.max_q, 0);
  EXPECT_FALSE(text.skipped);
}

TEST(Learner, CrossEntropyIsThatOfTheOptionTokenInTheVocabulary) {
  Fixture f;
  f.config.objective = {0, 1, 0};
  f.make();
  const Batch batch = {{1, 0, 2}};
  const auto m = f.learner->step(batch, 0, transitions_of(f.combs, f.config, 8, 1));
  // By hand, from the logits of each state's own prompt.
  const auto fresh = random_model();
  double expected = 0;
  for (int d = 0; d < 2; ++d) {
    const auto packed = model::pack({{&f.combs[1], {d}, false}}, testing::device());
    const auto logits = fresh->logits(fresh->hidden(packed, packed.readout_rows)).to(at::kDouble);
    const auto gold = testing::kOptions[static_cast<std::size_t>(f.combs[1].decisions[d].gold)];
    expected -= at::log_softmax(logits, 1)[0][gold].item<double>() / 2;
  }
  EXPECT_NEAR(m.ce_loss, expected, 1e-5);
  EXPECT_EQ(m.td_loss, 0);
}

TEST(Learner, NonFiniteGradientSkipsTheUpdate) {
  Fixture f;
  f.make();
  f.learner->online().parameters().flat()[0].fill_(std::numeric_limits<float>::quiet_NaN());
  const auto before = f.learner->online().parameters().flat().clone();
  const auto m = f.step(0);
  EXPECT_TRUE(m.skipped);
  EXPECT_TRUE(at::equal(f.learner->online().parameters().flat().nan_to_num(), before.nan_to_num()));
}

// Only a stage with a Bellman equation and a target of its own pays for a second network, and its
// checkpoints alone hold one.
TEST(Learner, HasATargetNetworkWhereTheStageNeedsOne) {
  Fixture f;
  f.make();
  EXPECT_NE(f.learner->target(), nullptr);
  EXPECT_EQ(f.learner->state().buffers.size(), 4u);
  auto text = f.config;
  text.objective = {0, 1, 1};
  f.learner->begin_stage(text, 10);
  EXPECT_EQ(f.learner->target(), nullptr);
  EXPECT_EQ(f.learner->state().buffers.size(), 3u);
  EXPECT_GT(f.step(0).ce_loss, 0);
  f.learner->sync_target();
  f.learner->begin_stage(f.config, 10);
  ASSERT_NE(f.learner->target(), nullptr);
  EXPECT_EQ(f.learner->target()->parameters().checksum(),
            f.learner->online().parameters().checksum());
  f.config.target.every = 0;
  f.make();
  EXPECT_EQ(f.learner->target(), nullptr);
  EXPECT_GT(f.step(0).td_loss, 0);
}

TEST(Optimizer, LearningRateWarmsUpThenFollowsTheCosine) {
  StageConfig s;
  s.lr = 1;
  s.warmup = 0.1;
  s.lr_min = 0.1;
  EXPECT_NEAR(learning_rate(s, 0, 100), 0.1, 1e-12);
  EXPECT_NEAR(learning_rate(s, 9, 100), 1.0, 1e-12);
  EXPECT_NEAR(learning_rate(s, 10, 100), 1.0, 1e-12);
  EXPECT_NEAR(learning_rate(s, 55, 100), 0.55, 1e-12);
  EXPECT_NEAR(learning_rate(s, 100, 100), 0.1, 1e-12);
}

TEST(Optimizer, ClippingScalesDownToTheNorm) {
  auto g = at::tensor({3.0f, 4.0f});
  EXPECT_NEAR(squared_norm(g).item<double>(), 25.0, 1e-6);
  clip_gradient(g, 5.0, 1.0);
  EXPECT_NEAR(g.norm().item<double>(), 1.0, 1e-5);
  auto small = at::tensor({0.3f, 0.4f});
  clip_gradient(small, 0.5, 1.0);
  EXPECT_FLOAT_EQ(small[0].item<float>(), 0.3f);
}

// Two steps of AdamW by hand for one weight.
TEST(Optimizer, AdamWByHand) {
  StageConfig s;
  s.beta1 = 0.9;
  s.beta2 = 0.95;
  s.eps = 1e-8;
  s.weight_decay = 0.1;
  auto w = at::full({1}, 2.0f);
  AdamW adam(s, w);
  double expected = 2.0, m = 0, v = 0;
  for (int t = 1; t <= 2; ++t) {
    const double g = t == 1 ? 0.5 : -1.0;
    adam.step(at::full({1}, static_cast<float>(g)), 0.01);
    expected -= 0.01 * 0.1 * expected;
    m = 0.9 * m + 0.1 * g;
    v = 0.95 * v + 0.05 * g * g;
    expected -=
        0.01 * (m / (1 - std::pow(0.9, t))) / (std::sqrt(v / (1 - std::pow(0.95, t))) + 1e-8);
  }
  EXPECT_NEAR(w.item<double>(), expected, 1e-6);
}

TEST(LearnConfig, DocumentedButUnbuiltChoicesAreRefusedByKey) {
  for (const char* text : {"positions: all_turns_packed", "planner: vhead"}) {
    try {
      config::read<LearnConfig>(config::parse_yaml(text, "learn.yaml"));
      ADD_FAILURE() << text << " was accepted";
    } catch (const Error& e) {
      EXPECT_NE(std::string(e.what()).find("learn.yaml:1"), std::string::npos) << e.what();
      EXPECT_NE(std::string(e.what()).find("not build"), std::string::npos) << e.what();
    }
  }
}

TEST(LearnConfig, FrozenLayersAreANumberOrAll) {
  const auto layers = [](const std::string& text) {
    return config::read<LearnConfig>(
               config::parse_yaml("freeze: {layers: " + text + "}", "learn.yaml"))
        .freeze.layers;
  };
  EXPECT_EQ(layers("24"), 24);
  EXPECT_EQ(layers("all"), FreezeConfig::kAll);
  for (const char* text : {"-1", "most", "1.5", "12x", "99999999999999999999"}) {
    const auto error = straq::testing::error_of([&] { layers(text); });
    ASSERT_TRUE(error) << text;
    EXPECT_NE(error->full().find("learn.yaml:1"), std::string::npos) << error->full();
    EXPECT_NE(error->full().find(text), std::string::npos) << error->full();
  }
}

TEST(LearnConfig, AutoRegressivePlannerTrainsOnCrossEntropyAlone) {
  const auto c = config::read<LearnConfig>(config::parse_yaml("planner: ce", "learn.yaml"));
  EXPECT_EQ(c.objective.bellman, 0);
  EXPECT_EQ(c.objective.ce, 1);
}

}  // namespace
}  // namespace straq::learn
