#include "train/trainer.h"

#include <algorithm>
#include <cmath>
#include <filesystem>

#include "comm/activity.h"
#include "comm/fault.h"
#include "comm/stop.h"
#include "comm/watchdog.h"
#include "core/environment.h"
#include "core/log.h"
#include "experiment/provenance.h"
#include "metrics/metric.h"
#include "results/rows/steps.h"
#include "train/evaluate.h"
#include "train/evaluate_replies.h"
#include "train/shared_outcome.h"
#include "train/torch_failure.h"

namespace straq::train {
namespace {

constexpr double kUnattainable = 100;  // times the largest return that there is

std::int64_t evaluate_every(const experiment::EvaluateConfig& config, std::int64_t batches) {
  if (config.every_steps > 0 || config.every_epochs <= 0) return config.every_steps;
  return std::max<std::int64_t>(1,
                                std::llround(config.every_epochs * static_cast<double>(batches)));
}

results::MetricsRow metrics_row(std::int64_t step, std::int64_t epoch,
                                const experiment::Stage& stage, const learn::StepMetrics& m,
                                bool replies) {
  results::MetricsRow row;
  row.step = step;
  row.stage = stage.name;
  row.epoch = epoch;
  row.loss = m.loss;
  const auto& o = stage.config.objective;
  // A mean over nothing is left out: 0 would be a lie. A batch may hold no transition (dropped
  // terminal decisions), no decision (text alone) or no text (no dialogue's beginning).
  if (o.bellman > 0 && m.transitions > 0) {
    row.td_loss = m.td_loss;
    row.td_abs = m.td_abs;
    row.q_mean = m.q_mean;
    row.target_mean = m.target_mean;
  }
  if (o.ce > 0 && m.decisions > 0) row.ce_loss = m.ce_loss;
  if (o.lm > 0 && m.text_tokens > 0) row.lm_loss = m.lm_loss;
  if (m.cql_loss != 0) row.cql_loss = m.cql_loss;
  if (m.kl_loss != 0) row.kl_loss = m.kl_loss;
  if (m.decisions > 0 && !replies) row.max_q = m.max_q;
  row.grad_norm = m.grad_norm;  // null when it was not finite
  row.lr = m.lr;
  row.decisions = static_cast<double>(m.decisions);
  row.tokens = static_cast<double>(m.tokens);
  if (m.skipped) row.skipped = true;
  return row;
}

// `planned`: seconds that the step waited for its plan.
results::TimingsRow timings_row(std::int64_t step, double planned, const learn::StepSeconds& s) {
  return {.step = step,
          .seconds = planned + s.total,
          .plan = planned,
          .target = s.target,
          .forward = s.forward,
          .backward = s.backward,
          .reduce = s.reduce,
          .optimizer = s.optimizer};
}

std::string best_folder(const results::RunFolder& folder, std::int64_t step) {
  return fmt::format("{}/best-{:08d}", folder.checkpoints(), step);
}

}  // namespace

Trainer::Trainer(const Context& context) : context_(context) {
  const auto& config = context_.config;
  const prompt::EachComb train = context_.data.each("train");
  const auto seed = static_cast<std::uint64_t>(config.seed);
  stages_ = experiment::stages_of(config, [&](const learn::ObjectiveConfig& objective) {
    return static_cast<std::int64_t>(
        learn::epoch_batches(context_.sizes, config.learn, objective, seed, 0).size());
  });
  for (const auto& s : stages_) total_steps_ += s.steps;
  if (std::any_of(stages_.begin(), stages_.end(), [](const experiment::Stage& s) {
        return s.steps > 0 && s.config.objective.bellman > 0;
      })) {
    learn::require_outcomes(config.learn.reward.chosen(), train, "train");
    learn::require_final_states(config.learn, train);
  }
  if (config.responder.trains()) {
    reward_ = config.learn.reward->clone();  // nothing is rewarded
    transitions_ = [](const prompt::Comb&, std::int64_t, std::int32_t, std::int64_t,
                      std::vector<learn::Transition>&) {};
  } else {
    reward_ = learn::fitted(config.learn.reward.chosen(), train);
    transitions_ = learn::comb_transitions(
        train, config.learn, static_cast<int>(context_.data.option_ids().size()), seed);
  }
  if (!context_.data.is_streamed("train")) {
    held_transitions_ = [&combs = context_.data.split("train"), this](
                            std::int32_t comb, std::int32_t d, std::int64_t epoch,
                            std::vector<learn::Transition>& out) {
      transitions_(combs[static_cast<std::size_t>(comb)], comb, d, epoch, out);
    };
  }
  if (leader()) {
    const results::RunFolder folder = context_.folder;
    // A checkpoint relies on the numbers up to its step, which a rerun does not make again.
    writer_ = std::make_unique<learn::CheckpointWriter>(
        folder.checkpoints(), config.checkpoint, [folder] {
          for (const char* name : {results::kMetricsFile, results::kEvaluationsFile}) {
            if (std::filesystem::exists(folder.file(name))) sync_to_disk(folder.file(name));
          }
        });
  }
}

Trainer::~Trainer() = default;

template <class F>
void Trainer::leader_writes(F&& f) {
  if (!leader() || failure_) return;
  try {
    f();
  } catch (const std::exception& e) {
    failure_ = as_failure(e);
  }
}

void Trainer::require_within(const learn::Checkpoint& from) const {
  const auto& p = from.progress;
  const auto stages = static_cast<std::int64_t>(stages_.size());
  if (p.stage >= 0 && p.stage < stages && p.stage_step >= 0 &&
      p.stage_step <= stages_[static_cast<std::size_t>(p.stage)].steps) {
    return;
  }
  const std::string now = p.stage >= 0 && p.stage < stages
                              ? std::string("this run's stage ") +
                                    stages_[static_cast<std::size_t>(p.stage)].name + " has " +
                                    std::to_string(stages_[static_cast<std::size_t>(p.stage)].steps)
                              : "this run has " + std::to_string(stages) + " stages";
  fail_input("checkpoint " + from.folder + " stands at step " + std::to_string(p.stage_step) +
                 " of stage " + std::to_string(p.stage) + ", but " + now,
             "remove " + context_.folder.path() + " or give this experiment another name");
}

void Trainer::run(const std::optional<learn::Checkpoint>& from) {
  together(context_.group, [&] {
    if (!leader()) return;
    metrics_.emplace(context_.folder.metrics(), from.has_value());
    timings_.emplace(context_.folder.timings(), from.has_value());
    if (context_.config.evaluate.during_training()) {
      evaluations_.emplace(context_.folder.evaluations(), from.has_value());
    }
  });
  if (from) progress_ = from->progress;
  status_.checkpoint_step = from ? progress_.step : -1;
  status_.checkpoint_every = context_.config.checkpoint.every_steps;
  status_.checkpoint_seconds = 60 * context_.config.checkpoint.every_minutes;
  status_.run_end = total_steps_;
  start_ = last_log_ = monotonic_seconds();
  context_.director.begin();
  const auto first = static_cast<std::size_t>(progress_.stage);
  for (std::size_t i = first; i < stages_.size(); ++i) {
    const bool resumes = from && i == first;
    if (!resumes) {
      progress_.stage = static_cast<std::int64_t>(i);
      progress_.stage_step = 0;
    }
    if (run_stage(stages_[i], resumes ? from : std::nullopt) == Leave::run_done) break;
  }
  together(context_.group, [&] { complete_writes(); });
}

void Trainer::complete_writes() {
  if (!leader()) return;
  comm::fault_point("completing the writes");
  if (failure_) throw *failure_;
  writer_->wait();
  if (context_.lock) context_.lock->require_held();
}

void Trainer::begin_stage(const experiment::Stage& stage,
                          const std::optional<learn::Checkpoint>& from) {
  const auto& config = context_.config;
  together(context_.group, [&] {
    comm::fault_point("beginning a stage");
    context_.learner.begin_stage(stage.config, stage.steps);
    if (from) {
      comm::fault_point("restoring");
      context_.learner.restore(*from);
    }
  });
  if (from) context_.learner.share_restored();
  status_.stage_begin = progress_.step - progress_.stage_step;
  status_.stage_end = status_.stage_begin + stage.steps;
  status_.sync_every = stage.syncs ? config.learn.target.every : 0;
  status_.evaluate_every = evaluate_every(config.evaluate, stage.batches);
}

comm::Directive Trainer::report_and_ask() {
  const auto& config = context_.config;
  status_.step = progress_.step;
  status_.evaluated_step = progress_.evaluated_step;
  status_.diverged = progress_.bad_steps >= config.learn.max_bad_steps;
  status_.satisfied = config.best.patience > 0 && progress_.without_gain >= config.best.patience;
  if (leader()) {
    status_.failed = failure_ || writer_->failed() || (context_.lock && context_.lock->lost());
    status_.stop_requested = comm::stop_requested();
  }
  return context_.director.boundary(status_);
}

void Trainer::carry_out(const comm::Directive& directive, const experiment::Stage& stage) {
  if (directive.sync_target) {
    std::string checksum;
    alike([&] { checksum = context_.learner.sync_target(); });
    if (leader()) {
      log::debug("learn", "step {}: target := online ({})", progress_.step, checksum.substr(0, 12));
    }
  }
  if (directive.evaluate) {
    comm::enter_phase("evaluating", comm::Patience::phase, progress_.step);
    evaluate(stage);
  }
  if (directive.checkpoint) {
    comm::enter_phase("saving a checkpoint", comm::Patience::phase, progress_.step);
    save_checkpoint();
  }
}

Trainer::Leave Trainer::run_stage(const experiment::Stage& stage,
                                  const std::optional<learn::Checkpoint>& from) {
  const auto& config = context_.config;
  begin_stage(stage, from);
  learn::BatchStream batches(context_.sizes, config.learn, stage.config.objective,
                             static_cast<std::uint64_t>(config.seed));
  batches.skip(progress_.stage_step);
  std::optional<learn::CombFeed> feed;  // where train is not in memory
  if (context_.data.is_streamed("train")) feed.emplace(context_.data.reader("train"));
  learn::PlanStream plans = learn::PlanStream::fed(
      std::move(batches), stage.steps - progress_.stage_step, [&](const learn::BatchStream& at) {
        return feed
                   ? context_.learner.plan(feed->take(at), at.epoch(), transitions_)
                   : context_.learner.plan(at.batches()[at.index()], at.epoch(), held_transitions_);
      });
  while (true) {
    const comm::Directive directive = report_and_ask();
    carry_out(directive, stage);
    if (directive.stop == comm::Stop::satisfied) {
      if (leader()) {
        log::info("learn", "{}: {} evaluations without gain; stopping at step {}", context_.name,
                  progress_.without_gain, progress_.step);
      }
      return Leave::run_done;
    }
    if (directive.stop != comm::Stop::no) stop(directive.stop);
    // Patience may have ended with this evaluation: the next boundary is here.
    if (directive.evaluate && config.best.patience > 0 &&
        progress_.without_gain >= config.best.patience) {
      continue;
    }
    if (progress_.step == status_.stage_end) return Leave::stage_done;

    const double begin = monotonic_seconds();
    const std::int64_t first = progress_.step;
    while (progress_.step < directive.run_until) {
      take_step(stage, plans);
      if (progress_.bad_steps >= config.learn.max_bad_steps) break;  // the same on every learner
    }
    if (progress_.step > first) {
      status_.step_seconds =
          (monotonic_seconds() - begin) / static_cast<double>(progress_.step - first);
    }
  }
}

void Trainer::take_step(const experiment::Stage& stage, learn::PlanStream& plans) {
  comm::enter_phase("optimizer step", comm::Patience::step, progress_.step + 1);
  comm::hang_if_arranged(progress_.step + 1);
  comm::fault_point("step");
  const double begin = monotonic_seconds();
  const learn::StepPlan& plan = plans.next();
  // Where the target network is synchronised after this step, the next one's values must wait.
  const bool syncs = status_.sync_every > 0 && (progress_.stage_step + 1) % status_.sync_every == 0;
  const learn::StepPlan* next = syncs ? nullptr : plans.upcoming();
  const double planned = monotonic_seconds() - begin;
  const learn::StepMetrics m = context_.learner.step(plan, next);
  last_ = m;
  ++progress_.step;
  ++progress_.stage_step;
  progress_.bad_steps = m.skipped || out_of_bounds(stage, m) ? progress_.bad_steps + 1 : 0;
  leader_writes([&] {
    metrics_->write(line_of(
        metrics_row(progress_.step, plan.epoch, stage, m, context_.config.responder.trains())));
    timings_->write(line_of(timings_row(progress_.step, planned, context_.learner.seconds())));
    const double t = monotonic_seconds();
    if (t - last_log_ > 5 || progress_.step == status_.stage_end) {
      last_log_ = t;
      log::info("learn", "{} {} step {}/{}: loss {:.4f}, {:.0f} s", context_.name, stage.name,
                progress_.step, total_steps_, m.loss, t - start_);
    }
  });
}

// TD errors far beyond what any policy's rewards add up to: such a run is lost, although it may
// take long until its numbers overflow.
bool Trainer::out_of_bounds(const experiment::Stage& stage, const learn::StepMetrics& m) const {
  const auto& config = context_.config.learn;
  if (stage.config.objective.bellman <= 0) return false;
  return m.td_abs > kUnattainable * reward_->largest_return(config.gamma);
}

void Trainer::evaluate(const experiment::Stage& stage) {
  const auto& config = context_.config;
  const bool replies = config.responder.trains();
  const auto& split = config.evaluate.split;
  results::ValidationRow row;
  row.step = progress_.step;
  row.stage = stage.name;
  row.split = split;
  std::string words;
  if (replies) {
    row.replies = reply_loss(context_.learner.reading(), context_.data, split, context_.group,
                             context_.pack_of);
    row.decisions = row.replies->decisions;
    words = results::words_of(*row.replies);
  } else {
    const ValidationScores scores = validate(context_.learner.reading(), context_.data, split,
                                             context_.group, context_.pack_of);
    row.scores = scores;
    row.decisions = scores.decisions;
    words = metrics::words_of(scores);
  }
  progress_.evaluated_step = progress_.step;
  // The leader's number decides for all, whatever a node's arithmetic makes of the last bit.
  const at::Tensor value = at::tensor(
      {replies ? row.replies->target.nll : row.scores.*config.best.by().score}, at::kDouble);
  context_.group.broadcast(value, 0);
  const auto v = value.item<double>();
  // An earlier stage's planner is no planner of this experiment yet.
  const bool counts = static_cast<std::size_t>(progress_.stage) + 1 == stages_.size();
  bool best = false;
  if (counts) {
    best = progress_.best_step < 0 ||
           (replies || config.best.lower_is_better() ? v < progress_.best_value
                                                     : v > progress_.best_value);
    if (best) {
      progress_.best_step = progress_.step;
      progress_.best_value = v;
    }
    progress_.without_gain = best ? 0 : progress_.without_gain + 1;
  }
  leader_writes([&] {
    comm::fault_point("writing an evaluation");
    row.best = best;
    evaluations_->write(line_of(row));
    log::info("evaluate", "{} step {}, {}: {}{}", context_.name, progress_.step, split, words,
              best ? ", the best so far" : "");
  });
  if (best) save_best();
}

learn::CheckpointRecord Trainer::record() const {
  learn::CheckpointRecord record;
  record.progress = progress_;
  record.progress.optimizer_steps = context_.learner.optimizer_steps();
  record.identity = context_.identity;
  record.continued_anyway = context_.continued_anyway;
  record.learners = context_.group.size();
  record.micro_tokens = context_.learner.micro_tokens();
  record.environment = experiment::environment_provenance(context_.layout);
  record.environment["written"] = utc_now();
  return record;
}

void Trainer::save_best() {
  const at::Tensor best = context_.learner.weights();  // gathered by all
  leader_writes([&] {
    const learn::StateSlice weights{0, best.numel(), best.numel(), {{learn::kWeights, best}}};
    const std::string folder = best_folder(context_.folder, progress_.step);
    learn::write_checkpoint(folder, record(), weights);
    if (!context_.config.checkpoint.periodic()) {
      learn::prune_checkpoints(context_.folder.checkpoints(), context_.config.checkpoint,
                               progress_.best_step);
    }
  });
}

void Trainer::load_best() {
  if (progress_.best_step < 0) return;
  const at::Tensor weights = at::empty_like(context_.learner.weights());
  together(context_.group, [&] {
    comm::fault_point("loading the best weights");
    const auto best =
        learn::open_checkpoint(best_folder(context_.folder, progress_.best_step), leader());
    // The inputs are the leader's to compare, and were: with the checkpoint that names this one.
    learn::require_identity(best, context_.identity, /*anyway=*/true);
    learn::read_buffer(best, learn::kWeights, 0, weights);
    context_.learner.set_weights(weights);
  });
  if (leader()) {
    log::info("learn", "{}: using the weights of step {}, the best on {}", context_.name,
              progress_.best_step, context_.config.evaluate.split);
  }
}

void Trainer::save_checkpoint() {
  status_.checkpoint_step = progress_.step;
  const learn::StateSlice state = context_.learner.state();  // gathered by all
  leader_writes([&] {
    comm::fault_point("saving a checkpoint");
    writer_->save(record(), state);
  });
}

void Trainer::stop(comm::Stop reason) {
  if (reason == comm::Stop::diverged) {
    const bool loss = !std::isfinite(last_.loss);
    const std::string what =
        loss ? "the loss was not finite"
        : !last_.skipped
            ? fmt::format("Q was off by {:.3g} on average, beyond any value that gamma allows",
                          last_.td_abs)
            : std::string("the gradient was not finite");
    const Error error(
        ErrorKind::diverged,
        fmt::format("diverged: {} in {} steps in a row, the last at step {}", what,
                    progress_.bad_steps, progress_.step),
        "lower learn.lr or learn.clip; as these are other numbers, give the experiment "
        "another name or remove its folder");
    throw SharedFailure(
        {loss ? results::FailureKind::non_finite_loss : results::FailureKind::diverged, error});
  }
  together(context_.group, [&] { complete_writes(); });
  throw SharedFailure(
      as_failure(Error(ErrorKind::stopped,
                       "stopped on request at step " + std::to_string(progress_.step) + " of " +
                           std::to_string(total_steps_) + ", with a checkpoint",
                       "run the same command again to go on")));
}

}  // namespace straq::train
