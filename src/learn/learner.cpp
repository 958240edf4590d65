#include "learn/learner.h"

#include <c10/core/GradMode.h>

#include <chrono>
#include <cmath>

#include "core/error.h"
#include "core/log.h"

namespace straq::learn {
namespace {

double now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

const prompt::Comb& comb_of(const std::vector<prompt::Comb>& combs, const BatchItem& item) {
  return combs[static_cast<std::size_t>(item.comb)];
}

// The probes of decisions [first, last) of an item.
model::CombSelection select(const std::vector<prompt::Comb>& combs, const BatchItem& item,
                            std::int32_t first, std::int32_t last) {
  model::CombSelection s;
  s.comb = &comb_of(combs, item);
  for (auto d = first; d < last; ++d) s.probes.push_back(d);
  return s;
}

// The text of a dialogue counts once per epoch, also where batches cut the dialogue: with the part
// that holds its first decision.
bool carries_text(const BatchItem& item) {
  return item.first == 0;
}

std::int64_t text_tokens(const prompt::Comb& comb) {
  const auto& trunk = comb.trunks.front();
  return std::max<std::int64_t>(
      0, static_cast<std::int64_t>(trunk.tokens.size()) - std::max<std::int32_t>(trunk.header, 1));
}

}  // namespace

// Of the global batch; every learner computes them from the same batch, so nothing is sent.
struct Learner::Counts {
  double decisions = 0, transitions = 0, text = 0;
};

struct Learner::Sums {
  double td = 0, ce = 0, lm = 0, cql = 0, td_abs = 0, q = 0, max_q = 0, y = 0, tokens = 0;
  std::vector<double> pack() const { return {td, ce, lm, cql, td_abs, q, max_q, y, tokens}; }
  void unpack(const std::vector<double>& v) {
    td = v[0], ce = v[1], lm = v[2], cql = v[3], td_abs = v[4], q = v[5], max_q = v[6], y = v[7];
    tokens = v[8];
  }
};

Learner::Learner(std::unique_ptr<model::Llama> online, const std::vector<prompt::Comb>& combs,
                 std::vector<std::int64_t> option_ids, planner::Readout readout,
                 const LearnConfig& config, comm::Collectives& collectives)
    : online_(std::move(online)),
      combs_(combs),
      readout_(readout),
      config_(config),
      collectives_(collectives) {
  const auto& flat = online_->parameters().flat();
  option_ids_ = at::tensor(option_ids, at::kLong).to(online_->device());
  // Every learner starts from the leader's weights, whatever the others read or drew.
  collectives_.broadcast(flat, 0);
  target_ = std::make_unique<model::Llama>(online_->shape(), flat.scalar_type(), online_->device(),
                                           /*with_gradients=*/false);
  target_->parameters().copy_from(online_->parameters());
  sharded_ = config_.zero1 && collectives_.size() > 1;
  if (!sharded_) {
    const auto bucket_bytes = static_cast<std::int64_t>(config_.collectives.bucket_mb * (1 << 20));
    reducer_ =
        comm::make_bucketed_reducer(collectives_, online_->parameters().flat_grad(), bucket_bytes);
  }
}

void Learner::begin_stage(const StageConfig& stage, std::int64_t total_steps) {
  stage_ = stage;
  stage_steps_ = total_steps;
  stage_step_ = 0;
  const auto& parameters = online_->parameters();
  optimizer_ = std::make_unique<AdamW>(
      stage, sharded_ ? shard_of(parameters.padded_flat(collectives_.size())) : parameters.flat());
  target_->parameters().copy_from(online_->parameters());
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
  collectives_.all_gather(shard_of(all).clone(), all);
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
  return {0,
          total,
          total,
          {{kWeights, weights()},
           {kTarget, target_->parameters().flat()},
           {kFirstMoment, gathered(optimizer_->first_moment())},
           {kSecondMoment, gathered(optimizer_->second_moment())}}};
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
  read_buffer(checkpoint, kTarget, 0, target_->parameters().flat());
  optimizer_->resume(checkpoint.progress.optimizer_steps);
  share_parameters();
  stage_step_ = checkpoint.progress.stage_step;
}

StepMetrics Learner::step(const Batch& batch, std::int64_t epoch,
                          const TransitionSource& transitions) {
  const double start = now();
  seconds_ = {};
  Counts counts;
  std::vector<Transition> made;
  for (const auto& item : batch) {
    for (auto d = item.first; d < item.last; ++d) transitions(item.comb, d, epoch, made);
    counts.decisions += item.count();
    if (carries_text(item)) counts.text += static_cast<double>(text_tokens(comb_of(combs_, item)));
  }
  counts.transitions = static_cast<double>(made.size());

  online_->parameters().zero_grad();
  Sums sums;
  const Batch share = share_of(batch, combs_, collectives_.rank(), collectives_.size());
  const auto micros = micro_batches(share, combs_, config_.micro_tokens);
  for (std::size_t i = 0; i < micros.size(); ++i) {
    accumulate(micros[i], epoch, transitions, counts, sums, i + 1 == micros.size());
  }
  const double reduce_start = now();
  // A learner with no items takes part, too.
  at::Tensor grad = online_->parameters().flat_grad();
  if (sharded_) {
    const at::Tensor all = online_->parameters().padded_grad(collectives_.size());
    grad = at::empty({all.numel() / collectives_.size()}, all.options());
    collectives_.reduce_scatter_sum(all, grad);
  } else {
    reducer_->finish();
  }
  auto numbers = sums.pack();
  numbers.push_back(sharded_ ? squared_norm(grad) : 0);
  numbers = collectives_.allreduce_sum(std::move(numbers));
  sums.unpack(numbers);
  const double optimizer_start = now();
  seconds_.reduce = optimizer_start - reduce_start;

  StepMetrics m;
  auto mean = [](double sum, double n) { return n > 0 ? sum / n : 0.0; };
  m.td_loss = mean(sums.td, counts.transitions);
  m.ce_loss = mean(sums.ce, counts.decisions);
  m.lm_loss = mean(sums.lm, counts.text);
  m.cql_loss = mean(sums.cql, counts.decisions);
  m.td_abs = mean(sums.td_abs, counts.transitions);
  m.q_mean = mean(sums.q, counts.transitions);
  m.max_q = mean(sums.max_q, counts.decisions);
  m.target_mean = mean(sums.y, counts.transitions);
  m.loss = stage_.objective.bellman * (m.td_loss + config_.cql.alpha * m.cql_loss) +
           stage_.objective.ce * m.ce_loss + stage_.objective.lm * m.lm_loss;
  m.decisions = static_cast<std::int64_t>(counts.decisions);
  m.transitions = static_cast<std::int64_t>(counts.transitions);
  m.tokens = static_cast<std::int64_t>(sums.tokens);
  m.text_tokens = static_cast<std::int64_t>(counts.text);
  m.lr = learning_rate(stage_, stage_step_, stage_steps_);
  m.grad_norm = std::sqrt(sharded_ ? numbers.back() : squared_norm(grad));
  clip_gradient(grad, m.grad_norm, stage_.clip);
  m.skipped = !std::isfinite(m.grad_norm);
  if (!m.skipped) {
    optimizer_->step(grad, m.lr);
    share_parameters();
  }
  ++stage_step_;
  const double end = now();
  seconds_.optimizer = end - optimizer_start;
  seconds_.total = end - start;
  return m;
}

void Learner::accumulate(const Batch& micro, std::int64_t epoch,
                         const TransitionSource& transitions, const Counts& counts, Sums& sums,
                         bool last) {
  const auto& objective = stage_.objective;
  const double start = now();
  const at::Device device = online_->device();

  // Transitions of this micro-batch, with rows into the online probes and the next-state probes.
  std::vector<model::CombSelection> states, next_states;
  std::vector<std::int64_t> row, next_row, action, next_action, gold;
  std::vector<double> reward, continues;
  std::vector<Transition> made;
  std::int64_t probes = 0, next_probes = 0;
  for (const auto& item : micro) {
    const auto& comb = comb_of(combs_, item);
    states.push_back(select(combs_, item, item.first, item.last));
    states.back().whole_trunk = objective.lm > 0 && carries_text(item);
    const auto next_last =
        std::min<std::int32_t>(item.last + 1, static_cast<std::int32_t>(comb.decisions.size()));
    const bool has_next = next_last > item.first + 1;
    if (has_next) next_states.push_back(select(combs_, item, item.first + 1, next_last));
    for (auto d = item.first; d < item.last; ++d) {
      gold.push_back(comb.decisions[static_cast<std::size_t>(d)].gold);
      made.clear();
      transitions(item.comb, d, epoch, made);
      for (const auto& t : made) {
        row.push_back(probes + d - item.first);
        action.push_back(t.action);
        reward.push_back(t.reward);
        const bool bootstraps = t.continues && d + 1 < next_last;
        continues.push_back(bootstraps ? 1.0 : 0.0);
        // Without a next state any row will do: its weight is zero.
        next_row.push_back(bootstraps ? next_probes + d - item.first : 0);
        next_action.push_back(bootstraps ? comb.decisions[static_cast<std::size_t>(d) + 1].gold
                                         : 0);
      }
    }
    probes += item.count();
    if (has_next) next_probes += next_last - item.first - 1;
  }

  auto index = [&](const std::vector<std::int64_t>& v) {
    return at::tensor(v, at::kLong).to(device);
  };
  const bool bellman = objective.bellman > 0;
  at::Tensor target_next, online_next;
  if (bellman && next_probes > 0) {
    c10::NoGradGuard no_grad;
    const model::CombBatch next = model::pack(next_states, device);
    const model::Llama& network = config_.target.every == 0 ? *online_ : *target_;
    target_next = planner::q_values(network, next, option_ids_, readout_);
    if (config_.backup == Backup::double_q) {
      online_next = planner::q_values(*online_, next, option_ids_, readout_);
    }
    sums.tokens += static_cast<double>(next.rows);
  }
  const double forward_start = now();
  seconds_.target += forward_start - start;

  const model::CombBatch batch = model::pack(states, device);
  sums.tokens += static_cast<double>(batch.rows);
  // Rows to read: the probes, then the text rows whose next token the language model predicts.
  std::vector<std::int64_t> text_rows, text_next;
  if (objective.lm > 0) {
    for (const auto& span : batch.spans) {
      const auto& selection = states[static_cast<std::size_t>(span.selection)];
      if (!selection.whole_trunk || span.trunk_index != 0) continue;
      const auto& trunk = selection.comb->trunks.front();
      for (std::int64_t i = std::max<std::int64_t>(trunk.header, 1); i < batch.trunk_tokens(span);
           ++i) {
        text_rows.push_back(batch.trunk_row(span, i - 1));
        text_next.push_back(trunk.tokens[static_cast<std::size_t>(i)]);
      }
    }
  }
  at::Tensor rows = batch.readout_rows;
  if (!text_rows.empty()) rows = at::cat({rows, index(text_rows)});
  const at::Tensor hidden = online_->hidden(batch, rows);
  const at::Tensor at_probes = hidden.narrow(0, 0, probes);

  at::Tensor loss;
  auto add = [&](const at::Tensor& part) { loss = loss.defined() ? loss + part : part; };
  const at::Tensor q = planner::q_of_hidden(*online_, at_probes, option_ids_, readout_);
  sums.max_q += q.detach().amax(1).sum().item<double>();
  const auto real = at::TensorOptions().dtype(q.scalar_type()).device(device);
  if (bellman && !row.empty()) {
    const at::Tensor chosen = q.index({index(row), index(action)});
    at::Tensor value = at::zeros({static_cast<std::int64_t>(row.size())}, real);
    if (target_next.defined()) {
      const at::Tensor at_next = index(next_row);
      value =
          next_values(config_.backup, target_next.index_select(0, at_next),
                      online_next.defined() ? online_next.index_select(0, at_next) : online_next,
                      index(next_action));
    }
    const at::Tensor y =
        td_targets(at::tensor(reward, real), value, at::tensor(continues, real), config_.gamma);
    const at::Tensor td = td_loss_sum(config_.loss, chosen, y, config_.huber_delta);
    add(td * (objective.bellman / counts.transitions));
    sums.td += td.item<double>();
    sums.td_abs += (y - chosen.detach()).abs().sum().item<double>();
    sums.q += chosen.detach().sum().item<double>();
    sums.y += y.sum().item<double>();
    if (config_.cql.alpha > 0) {
      const at::Tensor cql =
          at::cross_entropy_loss(q / config_.cql.temp, index(gold), {}, at::Reduction::Sum);
      add(cql * (objective.bellman * config_.cql.alpha / counts.decisions));
      sums.cql += cql.item<double>();
    }
  }
  if (objective.ce > 0) {
    // Auto-regressive: the option token is predicted against the whole vocabulary.
    const at::Tensor ce =
        online_->cross_entropy_sum(at_probes, option_ids_.index_select(0, index(gold)));
    add(ce * (objective.ce / counts.decisions));
    sums.ce += ce.item<double>();
  }
  if (!text_rows.empty()) {
    const auto n = static_cast<std::int64_t>(text_rows.size());
    const at::Tensor lm = online_->cross_entropy_sum(hidden.narrow(0, probes, n), index(text_next));
    add(lm * (objective.lm / counts.text));
    sums.lm += lm.item<double>();
  }
  const double backward_start = now();
  seconds_.forward += backward_start - forward_start;
  if (loss.defined()) {
    // Gradients grow from micro-batch to micro-batch: with the last one they are final, and their
    // reduction starts while the layers below are still to be done.
    if (last && reducer_) {
      online_->on_gradient(
          [this](std::int64_t begin, std::int64_t end) { reducer_->add(begin, end); });
    }
    torch::autograd::backward({loss}, {});
    online_->on_gradient({});
  }
  seconds_.backward += now() - backward_start;
}

std::string Learner::sync_target() {
  target_->parameters().copy_from(online_->parameters());
  const std::string checksum = online_->parameters().checksum();
  if (!collectives_.all_equal(checksum)) {
    fail_runtime("the learners' weights differ at a target synchronisation (rank " +
                     std::to_string(collectives_.rank()) + " has " + checksum.substr(0, 12) + ")",
                 "check that all nodes run the same build on the same kind of processor");
  }
  return checksum;
}

at::Tensor Learner::evaluate(const std::vector<prompt::Comb>& combs) {
  c10::NoGradGuard no_grad;
  Batch all;
  std::vector<std::int64_t> first_row;
  std::int64_t total = 0;
  for (std::size_t c = 0; c < combs.size(); ++c) {
    const auto n = static_cast<std::int32_t>(combs[c].decisions.size());
    first_row.push_back(total);
    if (n > 0) all.push_back({static_cast<std::int32_t>(c), 0, n});
    total += n;
  }
  at::Tensor out = at::zeros({total, option_ids_.numel()}, at::kFloat);
  const Batch share = share_of(all, combs, collectives_.rank(), collectives_.size());
  for (const Batch& micro : micro_batches(share, combs, config_.micro_tokens)) {
    std::vector<model::CombSelection> selections;
    for (const auto& item : micro) selections.push_back(select(combs, item, 0, item.last));
    const model::CombBatch batch = model::pack(selections, online_->device());
    const at::Tensor q =
        planner::q_values(*online_, batch, option_ids_, readout_).to(at::kCPU, at::kFloat);
    std::int64_t at = 0;
    for (const auto& item : micro) {
      out.narrow(0, first_row[static_cast<std::size_t>(item.comb)], item.count())
          .copy_(q.narrow(0, at, item.count()));
      at += item.count();
    }
  }
  collectives_.allreduce_sum(out);  // every row was filled by exactly one learner
  return out;
}

}  // namespace straq::learn
