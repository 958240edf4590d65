#include "learn/learner.h"

#include <c10/core/GradMode.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include "core/environment.h"
#include "core/error.h"
#include "planner/balance.h"

namespace straq::learn {
namespace {

constexpr std::int64_t kMasterPiece = 1 << 24;  // elements, 64 MB

}  // namespace

// What the passes of a step add up, left on the device: nothing waits for a pass to end.
struct Learner::Sums {
  enum Name { td, ce, lm, cql, kl, td_abs, q, max_q, y, count };
  at::Tensor values;  // [count] fp64
  double tokens = 0;
};

Learner::Learner(std::unique_ptr<model::Llama> online, const std::vector<prompt::Comb>& combs,
                 std::vector<std::int64_t> option_ids, planner::Readout readout,
                 const LearnConfig& config, comm::Collectives& collectives, at::Tensor master)
    : online_(std::move(online)),
      combs_(combs),
      readout_(readout),
      config_(config),
      collectives_(collectives) {
  const auto& parameters = online_->parameters();
  option_ids_ = at::tensor(option_ids, at::kLong).to(online_->device());
  sharded_ = config_.zero1 && collectives_.size() > 1;
  if (master.defined() && keeps_master(parameters.flat().scalar_type())) take_master(master);
  const auto bucket_bytes = static_cast<std::int64_t>(config_.collectives.bucket_mb * (1 << 20));
  reducer_ =
      sharded_
          ? comm::make_sharded_reducer(collectives_, parameters.padded_grad(collectives_.size()),
                                       parameters.size(), bucket_bytes)
          : comm::make_bucketed_reducer(collectives_, parameters.flat_grad(), bucket_bytes);
}

// This learner's part of its own master weights; what share_start() needs to make them the leader's
// is allocated here. They travel in pieces: a device that holds the weights need not have room for
// all of them in fp32.
void Learner::take_master(const at::Tensor& all) {
  const std::int64_t total = all.numel();
  const auto own = online_->parameters().padded_flat(sharded_ ? collectives_.size() : 1);
  const std::int64_t size = sharded_ ? own.numel() / collectives_.size() : total;
  start_.begin = sharded_ ? collectives_.rank() * size : 0;
  start_.master = at::zeros({size}, own.options().dtype(at::kFloat));
  const std::int64_t real = std::clamp<std::int64_t>(total - start_.begin, 0, size);
  if (real > 0) start_.master.narrow(0, 0, real).copy_(all.narrow(0, start_.begin, real));
  if (collectives_.size() == 1) return;
  if (collectives_.rank() == 0) start_.all = all;
  start_.piece = at::empty({std::min(kMasterPiece, total)}, start_.master.options());
}

void Learner::share_start() {
  if (collectives_.size() == 1) return;
  collectives_.broadcast(online_->parameters().flat(), 0);
  if (online_->frozen().size() > 0) collectives_.broadcast(online_->frozen().flat(), 0);
  if (base_) base_->parameters().copy_from(online_->parameters());
  if (!start_.piece.defined()) return;
  const std::int64_t total = online_->parameters().size(), begin = start_.begin,
                     size = start_.master.numel();
  for (std::int64_t at = 0; at < total; at += kMasterPiece) {
    const std::int64_t n = std::min(kMasterPiece, total - at);
    const at::Tensor piece = start_.piece.narrow(0, 0, n);
    if (start_.all.defined()) piece.copy_(start_.all.narrow(0, at, n));
    collectives_.broadcast(piece, 0);
    const std::int64_t from = std::max(at, begin), to = std::min(at + n, begin + size);
    if (from < to) {
      start_.master.narrow(0, from - begin, to - from).copy_(piece.narrow(0, from - at, to - from));
    }
  }
  start_.all = start_.piece = at::Tensor();
}

void Learner::begin_stage(const StageConfig& stage, std::int64_t total_steps) {
  stage_ = stage;
  stage_steps_ = total_steps;
  stage_step_ = 0;
  const auto& parameters = online_->parameters();
  // A stage that follows another goes on from its master weights, not from their rounding.
  at::Tensor master;
  if (keeps_master(parameters.flat().scalar_type())) {
    master = optimizer_ ? optimizer_->master() : start_.master;
  }
  start_ = {};
  optimizer_.reset();
  optimizer_ = std::make_unique<AdamW>(
      stage, sharded_ ? shard_of(parameters.padded_flat(collectives_.size())) : parameters.flat(),
      std::move(master));
  ahead_ = {};
  soft_target_ = at::Tensor();
  if (stage_.objective.bellman > 0 && config_.needs_base()) {
    if (!base_) base_ = online_->twin();
    base_->parameters().copy_from(parameters);
  } else {
    base_.reset();
  }
  if (!has_target()) {
    target_.reset();
    return;
  }
  if (!target_) target_ = online_->twin();
  target_->parameters().copy_from(parameters);
  if (soft() && keeps_master(parameters.flat().scalar_type())) {
    soft_target_ = parameters.flat().to(at::kFloat);
  }
}

// Soft updates (Lillicrap et al. 2016, arXiv 1509.02971): the same on every learner, without a word
// between them.
void Learner::move_target() {
  if (!target_ || !soft()) return;
  const at::Tensor target = target_->parameters().flat(), online = online_->parameters().flat();
  if (soft_target_.defined()) {
    soft_target_.lerp_(online.to(at::kFloat), config_.target.polyak);
    target.copy_(soft_target_);
  } else {
    target.lerp_(online, config_.target.polyak);
  }
}

at::Tensor Learner::shard_of(const at::Tensor& padded) const {
  const auto size = padded.numel() / collectives_.size();
  return padded.narrow(0, collectives_.rank() * size, size);
}

at::Tensor Learner::gathered(const at::Tensor& shard) {
  if (!sharded_) return shard;
  at::Tensor all = at::empty({shard.numel() * collectives_.size()}, shard.options());
  collectives_.all_gather(shard, all);
  return all.narrow(0, 0, online_->parameters().size());
}

void Learner::share_parameters() {
  if (!sharded_) return;
  const at::Tensor all = online_->parameters().padded_flat(collectives_.size());
  collectives_.all_gather(shard_of(all), all);
}

at::Tensor Learner::weights() {
  const at::Tensor flat = online_->parameters().flat();
  return optimizer_ && optimizer_->master().scalar_type() != flat.scalar_type()
             ? gathered(optimizer_->master())
             : flat;
}

void Learner::set_weights(const at::Tensor& weights) {
  online_->parameters().flat().copy_(weights);
}

StateSlice Learner::state() {
  const std::int64_t total = online_->parameters().size();
  StateSlice out{0, total, total, {{kWeights, weights()}}};
  if (target_) {
    out.buffers.emplace_back(kTarget,
                             soft_target_.defined() ? soft_target_ : target_->parameters().flat());
  }
  if (base_) out.buffers.emplace_back(kBase, base_->parameters().flat());
  out.buffers.emplace_back(kFirstMoment, gathered(optimizer_->first_moment()));
  out.buffers.emplace_back(kSecondMoment, gathered(optimizer_->second_moment()));
  return out;
}

void Learner::restore(const Checkpoint& checkpoint) {
  const std::int64_t total = online_->parameters().size();
  const std::int64_t begin =
      sharded_ ? std::min(total, collectives_.rank() * optimizer_->master().numel()) : 0;
  // A shard may reach into the padding, which stays zero.
  const auto own = [&](const at::Tensor& shard) {
    return shard.narrow(0, 0, std::min(total - begin, shard.numel()));
  };
  read_buffer(checkpoint, kWeights, begin, own(optimizer_->master()));
  read_buffer(checkpoint, kFirstMoment, begin, own(optimizer_->first_moment()));
  read_buffer(checkpoint, kSecondMoment, begin, own(optimizer_->second_moment()));
  if (target_) {
    // A run that had no target network then (--continue-anyway) gets one that starts here.
    const char* from = has_buffer(checkpoint, kTarget) ? kTarget : kWeights;
    const at::Tensor target = target_->parameters().flat();
    read_buffer(checkpoint, from, 0, soft_target_.defined() ? soft_target_ : target);
    if (soft_target_.defined()) target.copy_(soft_target_);
  }
  // Older checkpoints have none: their base was the initial network, which is there already.
  if (base_ && has_buffer(checkpoint, kBase)) {
    read_buffer(checkpoint, kBase, 0, base_->parameters().flat());
  }
  ahead_ = {};
  optimizer_->resume(checkpoint.progress.optimizer_steps);
  stage_step_ = checkpoint.progress.stage_step;
}

StepPlan Learner::plan(const Batch& batch, std::int64_t epoch,
                       const TransitionSource& transitions) const {
  return plan(combs_, batch, epoch, transitions);
}

StepPlan Learner::plan(const FedBatch& fed, std::int64_t epoch,
                       const CombTransitions& transitions) const {
  return plan(fed.combs, fed.batch, epoch,
              [&](std::int32_t comb, std::int32_t d, std::int64_t e, std::vector<Transition>& out) {
                const auto at = static_cast<std::size_t>(comb);
                transitions(fed.combs[at], fed.numbers[at], d, e, out);
              });
}

StepPlan Learner::plan(const std::vector<prompt::Comb>& combs, const Batch& batch,
                       std::int64_t epoch, const TransitionSource& transitions) const {
  return plan_step(combs, batch, epoch, transitions,
                   {stage_.objective, collectives_.rank(), collectives_.size(),
                    planner::cost_in(online_->shape(), stage_.objective.lm > 0),
                    config_.micro_tokens, online_->device().is_cuda(), has_target(),
                    !has_target() || config_.backup == Backup::double_q, pack_, option_ids_.numel(),
                    config_.terminal == Terminal::bootstrap_on_final_seeker});
}

StepMetrics Learner::step(const Batch& batch, std::int64_t epoch,
                          const TransitionSource& transitions) {
  return step(plan(batch, epoch, transitions));
}

StepMetrics Learner::step(const StepPlan& plan, const StepPlan* next) {
  const double start = monotonic_seconds();
  seconds_ = {};
  online_->parameters().zero_grad();
  Ahead ahead = std::exchange(ahead_, {});
  if (ahead.plan != &plan) ahead = {};
  Sums sums;
  sums.values =
      at::zeros({Sums::count}, at::TensorOptions().dtype(at::kDouble).device(online_->device()));
  for (std::size_t i = 0; i < plan.passes.size(); ++i) {
    const PassPlan pass =
        ahead.plan ? std::move(ahead.passes[i]) : plan.passes[i].to(online_->device());
    const NextStates target_next = ahead.plan ? ahead.target[i] : target_values(pass);
    accumulate(pass, target_next, plan, sums, i + 1 == plan.passes.size());
  }
  double reduce_start = monotonic_seconds();
  // A learner with no items takes part, too. Nothing here waits for another learner until the next
  // batch's target values are there.
  at::Tensor numbers = at::cat({sums.values, at::full({1}, sums.tokens, sums.values.options())});
  reducer_->start_all();
  const auto pending = collectives_.start_sum(numbers);
  if (next != nullptr) {
    seconds_.reduce += monotonic_seconds() - reduce_start;
    look_ahead(*next);
    reduce_start = monotonic_seconds();
  }
  reducer_->finish();
  pending->wait();
  const at::Tensor grad = sharded_
                              ? shard_of(online_->parameters().padded_grad(collectives_.size()))
                              : online_->parameters().flat_grad();
  at::Tensor norm = squared_norm(grad);
  if (sharded_) collectives_.allreduce_sum(norm);
  numbers = at::cat({numbers, norm});
  // All that a step tells the host, in one copy.
  const at::Tensor host = numbers.cpu();
  const auto* sum = host.const_data_ptr<double>();
  const double optimizer_start = monotonic_seconds();
  seconds_.reduce += optimizer_start - reduce_start;

  StepMetrics m;
  auto mean = [](double sum, double n) { return n > 0 ? sum / n : 0.0; };
  m.td_loss = mean(sum[Sums::td], plan.transitions);
  m.ce_loss = mean(sum[Sums::ce], plan.decisions);
  m.lm_loss = mean(sum[Sums::lm], plan.text_tokens);
  m.cql_loss = mean(sum[Sums::cql], plan.decisions);
  m.kl_loss = mean(sum[Sums::kl], plan.decisions);
  m.td_abs = mean(sum[Sums::td_abs], plan.transitions);
  m.q_mean = mean(sum[Sums::q], plan.transitions);
  m.max_q = mean(sum[Sums::max_q], plan.decisions);
  m.target_mean = mean(sum[Sums::y], plan.transitions);
  m.tokens = static_cast<std::int64_t>(sum[Sums::count]);
  m.loss = stage_.objective.bellman *
               (m.td_loss + config_.cql.alpha * m.cql_loss + config_.kl_to_base * m.kl_loss) +
           stage_.objective.ce * m.ce_loss + stage_.objective.lm * m.lm_loss;
  m.decisions = static_cast<std::int64_t>(plan.decisions);
  m.transitions = static_cast<std::int64_t>(plan.transitions);
  m.text_tokens = static_cast<std::int64_t>(plan.text_tokens);
  m.lr = learning_rate(stage_, stage_step_, stage_steps_);
  m.grad_norm = std::sqrt(sum[Sums::count + 1]);
  clip_gradient(grad, m.grad_norm, stage_.clip);
  m.skipped = !std::isfinite(m.grad_norm);
  if (!m.skipped) {
    optimizer_->step(grad, m.lr);
    share_parameters();
    move_target();
  }
  ++stage_step_;
  const double end = monotonic_seconds();
  seconds_.optimizer = end - optimizer_start;
  seconds_.total = end - start;
  return m;
}

at::Tensor Learner::base_values(const model::CombBatch& states, const at::Tensor& labels) const {
  c10::NoGradGuard no_grad;
  return planner::by_strategy(planner::q_values(*base_, states, option_ids_, readout_), labels);
}

at::Tensor Learner::log_policy(const at::Tensor& values) const {
  return at::log_softmax(readout_ == planner::Readout::vocab_prob ? values.log() : values, 1);
}

Learner::Read Learner::read(const model::Llama& network, const at::Tensor& hidden,
                            const at::Tensor& labels) const {
  Read out{
      planner::by_strategy(planner::q_of_hidden(network, hidden, option_ids_, readout_), labels),
      {}};
  if (config_.dueling) out.state = network.state_values(hidden).select(1, 0);
  return out;
}

at::Tensor Learner::above(const Read& read, const at::Tensor& base) const {
  if (config_.above_base <= 0 || !base.defined()) return read.values;
  if (!config_.dueling) return (read.values - base) * config_.above_base;
  return read.state.unsqueeze(1) +
         (log_policy(read.values) - log_policy(base)) * config_.above_base;
}

bool Learner::asks_base_of_states() const {
  return base_ && (config_.above_base > 0 || config_.kl_to_base > 0 ||
                   (config_.backup == Backup::soft && !has_target()));
}

Learner::NextStates Learner::target_values(const PassPlan& pass) {
  if (pass.next_probes == 0 || !has_target()) return {};
  const double start = monotonic_seconds();
  c10::NoGradGuard no_grad;
  NextStates out;
  const at::Tensor hidden = target_->hidden(pass.next_states, pass.next_states.readout_rows);
  if (backs_up_state()) {
    out.value = target_->state_values(hidden).select(1, 0);
    seconds_.target += monotonic_seconds() - start;
    return out;
  }
  const Read said = read(*target_, hidden, pass.next_labels);
  out.q = said.values;
  if (base_ && (config_.above_base > 0 || config_.backup == Backup::soft)) {
    const at::Tensor base = base_values(pass.next_states, pass.next_labels);
    out.q = above(said, base);
    out.base = log_policy(base);
  }
  seconds_.target += monotonic_seconds() - start;
  return out;
}

void Learner::look_ahead(const StepPlan& next) {
  // Alone there is nothing to wait for; without a network of its own, and with soft updates, the
  // target moves with this step.
  if (collectives_.size() == 1 || !has_target() || soft()) return;
  target_->on_layer([this] { reducer_->advance(); });
  for (const PassPlan& pass : next.passes) {
    ahead_.passes.push_back(pass.to(online_->device()));
    ahead_.target.push_back(target_values(ahead_.passes.back()));
  }
  target_->on_layer({});
  ahead_.plan = &next;
}

at::Tensor Learner::td_loss(const PassPlan& pass, const at::Tensor& q_read, const at::Tensor& q,
                            const NextStates& next, const at::Tensor& at_probes,
                            std::vector<at::Tensor>& parts) const {
  const auto real = at::TensorOptions().dtype(q.scalar_type()).device(q.device());
  at::Tensor online_next;
  if (pass.next_online.defined()) {
    online_next = q_read.detach().index_select(0, pass.next_online);
  }
  const at::Tensor& next_q = has_target() ? next.q : online_next;
  const at::Tensor chosen = q.index({pass.row, pass.action});
  at::Tensor value = at::zeros({pass.transitions()}, real);
  if (next.value.defined()) {
    value = next.value.index_select(0, pass.next_row);
  } else if (next_q.defined()) {
    value = next_values(
        config_.backup, next_q.index_select(0, pass.next_row),
        online_next.defined() ? online_next.index_select(0, pass.next_row) : online_next,
        pass.next_action, config_.backup_temp,
        next.base.defined() ? next.base.index_select(0, pass.next_row) : next.base);
  }
  const at::Tensor y =
      td_targets(pass.reward.to(real), value, pass.continues.to(real), config_.gamma);
  at::Tensor td;
  if (categorical(config_.loss)) {
    const auto& head = *online_->shape().state_head;
    td = categorical_loss_sum(distributions(pass, at_probes),
                              as_distribution(config_.loss, y, head.bins, head.most));
  } else {
    td = td_loss_sum(config_.loss, chosen, y, config_.huber_delta);
  }
  parts[Sums::td] = td;
  parts[Sums::td_abs] = (y - chosen.detach()).abs().sum();
  parts[Sums::q] = chosen.detach().sum();
  parts[Sums::y] = y.sum();
  return td;
}

at::Tensor Learner::distributions(const PassPlan& pass, const at::Tensor& at_probes) const {
  at::Tensor option = pass.action;
  if (pass.labels.defined()) {
    const at::Tensor labels =
        pass.own.defined() ? pass.labels.index_select(0, pass.own) : pass.labels;
    option = labels.index({pass.row, pass.action});
  }
  return online_->state_distributions(at_probes).index({pass.row, option});
}

at::Tensor Learner::expert_options(const PassPlan& pass) const {
  if (!pass.labels.defined()) return pass.gold;
  const at::Tensor labels =
      pass.own.defined() ? pass.labels.index_select(0, pass.own) : pass.labels;
  return labels.gather(1, pass.gold.unsqueeze(1)).squeeze(1);
}

at::Tensor Learner::decisions_loss(const PassPlan& pass, const at::Tensor& at_readouts,
                                   const NextStates& target_next, const StepPlan& step,
                                   std::vector<at::Tensor>& parts) const {
  const auto& objective = stage_.objective;
  const bool bellman = objective.bellman > 0;
  const auto of_decisions = [&](const at::Tensor& x) {
    return pass.own.defined() ? x.index_select(0, pass.own) : x;
  };
  at::Tensor loss;
  auto add = [&](const at::Tensor& part) { loss = loss.defined() ? loss + part : part; };
  const at::Tensor at_probes = of_decisions(at_readouts);
  const Read said = read(*online_, at_readouts, pass.labels);
  const at::Tensor values = of_decisions(said.values);
  const at::Tensor base =
      asks_base_of_states() ? base_values(pass.states, pass.labels) : at::Tensor();
  const at::Tensor q_read = above(said, base), q = of_decisions(q_read);
  if (bellman && pass.transitions() > 0) {
    NextStates next = target_next;
    if (backs_up_state() && pass.next_online.defined()) {
      next.value = said.state.detach().index_select(0, pass.next_online);
    } else if (base.defined() && pass.next_online.defined() && !next.base.defined()) {
      next.base = log_policy(base).index_select(0, pass.next_online);
    }
    add(td_loss(pass, q_read, q, next, at_probes, parts) * (objective.bellman / step.transitions));
  }
  if (bellman && config_.cql.alpha > 0) {
    // Of what the planner chooses by, which is not Q where Q is measured above the base.
    const at::Tensor cql =
        at::cross_entropy_loss(values / config_.cql.temp, pass.gold, {}, at::Reduction::Sum);
    parts[Sums::cql] = cql;
    add(cql * (objective.bellman * config_.cql.alpha / step.decisions));
  }
  if (bellman && config_.kl_to_base > 0) {
    const at::Tensor policy = log_policy(values);
    parts[Sums::kl] = (policy.exp() * (policy - log_policy(of_decisions(base)))).sum();
    add(parts[Sums::kl] * (objective.bellman * config_.kl_to_base / step.decisions));
  }
  if (objective.ce > 0) {
    // Auto-regressive: the option token is predicted against the whole vocabulary. A head has
    // nothing but the options.
    const at::Tensor ce = readout_ == planner::Readout::state_head
                              ? at::cross_entropy_loss(values, pass.gold, {}, at::Reduction::Sum)
                              : online_->cross_entropy_sum(
                                    at_probes, option_ids_.index_select(0, expert_options(pass)));
    parts[Sums::ce] = ce;
    add(ce * (objective.ce / step.decisions));
  }
  c10::NoGradGuard no_grad;
  parts[Sums::max_q] = q.amax(1).sum();
  return loss;
}

void Learner::accumulate(const PassPlan& pass, const NextStates& target_next, const StepPlan& step,
                         Sums& sums, bool last) {
  const auto& objective = stage_.objective;
  const double forward_start = monotonic_seconds();
  if (target_next.q.defined() || target_next.value.defined()) {
    sums.tokens += static_cast<double>(pass.next_states.rows);
  }
  sums.tokens += static_cast<double>(pass.states.rows);
  // Rows to read: the probes, then the text rows whose next token the language model predicts.
  const std::int64_t texts = pass.text_rows.numel();
  at::Tensor rows = pass.states.readout_rows;
  if (texts > 0) rows = at::cat({rows, pass.text_rows});
  const at::Tensor hidden = online_->hidden(pass.states, rows);
  const auto readouts = pass.states.readout_rows.numel();
  std::vector<at::Tensor> parts(Sums::count, at::zeros({}, sums.values.options()));
  // A pass may hold nothing but text. What is divided by all decisions, or all transitions, of the
  // global batch is added by every pass that has some.
  at::Tensor loss;
  if (pass.probes > 0) {
    loss = decisions_loss(pass, hidden.narrow(0, 0, readouts), target_next, step, parts);
  }
  if (texts > 0) {
    const at::Tensor lm =
        online_->cross_entropy_sum(hidden.narrow(0, readouts, texts), pass.text_next);
    parts[Sums::lm] = lm;
    const at::Tensor part = lm * (objective.lm / step.text_tokens);
    loss = loss.defined() ? loss + part : part;
  }
  {
    c10::NoGradGuard no_grad;
    for (at::Tensor& part : parts) part = part.detach().to(at::kDouble);
    sums.values += at::stack(parts);
  }
  const double backward_start = monotonic_seconds();
  seconds_.forward += backward_start - forward_start;
  if (loss.defined()) {
    // Gradients grow from micro-batch to micro-batch: with the last one they are final, and their
    // reduction starts while the layers below are still to be done.
    if (last) {
      online_->on_gradient(
          [this](std::int64_t begin, std::int64_t end) { reducer_->add(begin, end); });
    }
    torch::autograd::backward({loss}, {});
    online_->on_gradient({});
  }
  seconds_.backward += monotonic_seconds() - backward_start;
}

std::string Learner::sync_target() {
  if (target_ && !soft()) target_->parameters().copy_from(online_->parameters());
  ahead_ = {};
  const std::string checksum = online_->parameters().fingerprint();
  if (!collectives_.all_equal(checksum)) {
    fail_runtime("the learners' weights differ at a target synchronisation (rank " +
                     std::to_string(collectives_.rank()) + " has " + checksum.substr(0, 12) + ")",
                 "check that all nodes run the same build on the same kind of processor");
  }
  return checksum;
}

}  // namespace straq::learn
