#include "learn/step_plan.h"

#include <algorithm>
#include <utility>

#include "learn/reply_rows.h"
#include "planner/ask.h"
#include "planner/balance.h"

namespace straq::learn {
namespace {

// The probes of decisions [first, last) of an item.
model::CombSelection select(const prompt::Comb& comb, std::int32_t first, std::int32_t last) {
  model::CombSelection s;
  s.comb = &comb;
  for (auto d = first; d < last; ++d) s.probes.push_back(d);
  return s;
}

template <class F>
void each_tensor(PassPlan& p, F&& f) {
  for (auto* batch : {&p.states, &p.next_states}) {
    f(batch->tokens), f(batch->positions), f(batch->lower_states);
  }
  f(p.own), f(p.next_online), f(p.labels), f(p.next_labels), f(p.gold), f(p.row), f(p.next_row),
      f(p.action);
  f(p.next_action), f(p.reward), f(p.continues), f(p.text_next);
}

// The text that the language model predicts: of the selections that carry it, their first trunk.
void add_text(const std::vector<model::CombSelection>& states, PassPlan& plan) {
  std::vector<std::int64_t> rows, next;
  for (const auto& span : plan.states.spans) {
    const auto& selection = states[static_cast<std::size_t>(span.selection)];
    if (!selection.whole_trunk || span.trunk_index != 0) continue;
    const auto& trunk = selection.comb->trunks.front();
    for (auto i = first_predicted(*selection.comb); i < plan.states.trunk_tokens(span); ++i) {
      rows.push_back(plan.states.trunk_row(span, i - 1));
      next.push_back(trunk.tokens[static_cast<std::size_t>(i)]);
    }
  }
  plan.text_rows = at::tensor(rows, at::kLong);
  plan.text_next = at::tensor(next, at::kLong);
}

void pin(PassPlan& plan) {
  each_tensor(plan, [](at::Tensor& t) {
    if (t.defined()) t = t.pin_memory();
  });
}

// Of responders' combs: nothing is asked, the targets alone are predicted.
PassPlan plan_replies(const std::vector<prompt::Comb>& combs, const Batch& micro,
                      const PlanOptions& options) {
  PassPlan plan;
  std::vector<model::CombSelection> states;
  for (const auto& item : micro) {
    states.push_back(select(combs[static_cast<std::size_t>(item.comb)], item.first, item.last));
  }
  plan.states = options.pack(states);
  const TargetRows targets = target_rows(plan.states, states);
  const at::Tensor none = at::empty({0}, at::kLong);
  plan.states.readout_rows = none;
  plan.gold = plan.row = plan.next_row = plan.action = plan.next_action = none;
  plan.reward = plan.continues = none.to(at::kDouble);
  plan.text_rows = at::tensor(targets.row, at::kLong);
  plan.text_next = at::tensor(targets.token, at::kLong);
  if (options.pinned) pin(plan);
  return plan;
}

PassPlan plan_pass(const std::vector<prompt::Comb>& combs, const Batch& micro, std::int64_t epoch,
                   const TransitionSource& transitions, const PlanOptions& options) {
  PassPlan plan;
  std::vector<model::CombSelection> states, next_states;
  std::vector<std::int64_t> row, next_row, action, next_action, gold, own, next_online;
  std::vector<double> reward, continues;
  std::vector<Transition> made;
  const bool online_next = options.objective.bellman > 0 && options.online_next;
  std::int64_t readouts = 0;
  for (const auto& item : micro) {
    const auto& comb = combs[static_cast<std::size_t>(item.comb)];
    states.push_back(select(comb, item.first, item.last));
    states.back().whole_trunk = options.objective.lm > 0 && carries_text(item);
    const auto decisions = static_cast<std::int32_t>(comb.decisions.size());
    const std::int32_t asked = decisions + (options.final_states && comb.final_state == 1 ? 1 : 0);
    const auto next_last = std::min<std::int32_t>(item.last + 1, asked);
    const bool has_next = next_last > item.first + 1;
    if (has_next) next_states.push_back(select(comb, item.first + 1, next_last));
    // All next states but that of a dialogue's cut are states themselves.
    const bool cut = online_next && next_last > item.last;
    if (cut) states.back().probes.push_back(item.last);
    for (auto d = item.first; d < item.last; ++d) own.push_back(readouts + d - item.first);
    for (auto d = item.first + 1; d < next_last; ++d)
      next_online.push_back(readouts + d - item.first);
    readouts += item.count() + (cut ? 1 : 0);
    for (auto d = item.first; d < item.last; ++d) {
      gold.push_back(comb.decisions[static_cast<std::size_t>(d)].gold);
      made.clear();
      transitions(item.comb, d, epoch, made);
      for (const auto& t : made) {
        row.push_back(plan.probes + d - item.first);
        action.push_back(t.action);
        reward.push_back(t.reward);
        const bool bootstraps = t.continues && d + 1 < next_last;
        continues.push_back(bootstraps ? 1.0 : 0.0);
        // Without a next state any row will do: its weight is zero.
        next_row.push_back(bootstraps ? plan.next_probes + d - item.first : 0);
        next_action.push_back(bootstraps && d + 1 < decisions
                                  ? comb.decisions[static_cast<std::size_t>(d) + 1].gold
                                  : 0);
      }
    }
    plan.probes += item.count();
    if (has_next) plan.next_probes += next_last - item.first - 1;
  }
  plan.labels = planner::labels_of(states, options.strategies);
  plan.states = options.pack(states);
  if (options.objective.bellman > 0 && options.target_next) {
    plan.next_labels = planner::labels_of(next_states, options.strategies);
    plan.next_states = options.pack(next_states);
  }

  plan.text_rows = plan.text_next = at::empty({0}, at::kLong);
  if (options.objective.lm > 0) add_text(states, plan);
  const auto index = [](const std::vector<std::int64_t>& v) { return at::tensor(v, at::kLong); };
  if (readouts > plan.probes) plan.own = index(own);
  if (online_next && plan.next_probes > 0) plan.next_online = index(next_online);
  plan.gold = index(gold);
  plan.row = index(row);
  plan.next_row = index(next_row);
  plan.action = index(action);
  plan.next_action = index(next_action);
  plan.reward = at::tensor(reward, at::kDouble);
  plan.continues = at::tensor(continues, at::kDouble);
  if (options.pinned) pin(plan);
  return plan;
}

}  // namespace

PassPlan PassPlan::to(at::Device device) const {
  PassPlan out = *this;
  if (device.is_cpu()) return out;
  each_tensor(out, [&](at::Tensor& t) {
    if (t.defined()) t = t.to(device, /*non_blocking=*/true);
  });
  return out;
}

StepPlan plan_step(const std::vector<prompt::Comb>& combs, const Batch& batch, std::int64_t epoch,
                   const TransitionSource& transitions, const PlanOptions& options) {
  StepPlan plan;
  plan.epoch = epoch;
  bool replies = false;  // the combs of a data set are all a responder's, or none
  std::vector<Transition> made;
  for (const auto& item : batch) {
    const auto& comb = combs[static_cast<std::size_t>(item.comb)];
    replies = replies || comb.learns_replies();
    for (auto d = item.first; !replies && d < item.last; ++d) {
      transitions(item.comb, d, epoch, made);
    }
    plan.decisions += item.count();
    plan.text_tokens += static_cast<double>(predicted_tokens(comb, item));
  }
  plan.transitions = static_cast<double>(made.size());
  const Batch share = planner::share_of(batch, combs, options.rank, options.size, options.cost);
  for (const Batch& micro : micro_batches(share, combs, options.micro_tokens)) {
    plan.passes.push_back(replies ? plan_replies(combs, micro, options)
                                  : plan_pass(combs, micro, epoch, transitions, options));
  }
  return plan;
}

PlanStream::PlanStream(BatchStream batches, std::int64_t steps, Make make)
    : PlanStream(Fed{}, std::move(batches), steps, [make = std::move(make)](const BatchStream& at) {
        return make(at.batches()[at.index()], at.epoch());
      }) {}

PlanStream PlanStream::fed(BatchStream batches, std::int64_t steps, MakeFed make) {
  return PlanStream(Fed{}, std::move(batches), steps, std::move(make));
}

PlanStream::PlanStream(Fed, BatchStream batches, std::int64_t steps, MakeFed make)
    : batches_(std::move(batches)), left_(steps), make_(std::move(make)) {
  start();
}

const StepPlan& PlanStream::next() {
  current_ = upcoming_ ? std::move(upcoming_) : made();
  return *current_;
}

const StepPlan* PlanStream::upcoming() {
  if (!upcoming_ && pending_.valid()) upcoming_ = made();
  return upcoming_.get();
}

std::unique_ptr<const StepPlan> PlanStream::made() {
  auto plan = std::make_unique<const StepPlan>(pending_.get());
  start();
  return plan;
}

void PlanStream::start() {
  if (left_ == 0) return;
  --left_;
  pending_ = std::async(std::launch::async, [this] {
    batches_.next();
    return make_(batches_);
  });
}

}  // namespace straq::learn
