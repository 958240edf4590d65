#include "learn/learn_config.h"

#include <charconv>
#include <memory>
#include <utility>

#include "core/error.h"

namespace straq::learn {

void FreezeConfig::fields(config::Fields& f) {
  constexpr std::int64_t kMost = 100000;
  std::string text = layers == kAll ? "all" : std::to_string(layers);
  f("layers", text);
  f.choice(
      "store", store,
      {{"none", StoredStates::none}, {"exact", StoredStates::exact}, {"bf16", StoredStates::bf16}});
  if (!f.reading()) return;
  if (text == "all") {
    layers = kAll;
    return;
  }
  const char* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, layers);
  if (error != std::errc() || stop != end || layers < 0 || layers > kMost) {
    fail_input(f.where("layers") + ": expected a number of layers, or all, not \"" + text + "\"",
               "0 freezes nothing; 24 keeps the embedding and the lowest 24 layers as they are");
  }
}

void LearnConfig::fields(config::Fields& f) {
  StageConfig::fields(f);
  f.choice("planner", planner,
           {{"q", PlannerKind::q}, {"ce", PlannerKind::ce}, {"vhead", PlannerKind::vhead, false}});
  f("batch", batch, config::between(1, 1e9));
  f("micro_tokens", micro_tokens, config::between(0, 1e9));
  f("gamma", gamma, config::between(0, 1));
  f.choice("backup", backup,
           {{"max", Backup::max},
            {"double", Backup::double_q},
            {"sarsa", Backup::sarsa},
            {"expected", Backup::expected},
            {"soft", Backup::soft}});
  f("backup_temp", backup_temp, config::above(0));
  f.choice("terminal", terminal,
           {{"mask", Terminal::mask},
            {"drop", Terminal::drop},
            {"bootstrap_on_final_seeker", Terminal::bootstrap_on_final_seeker}});
  f.choice("positions", positions,
           {{"last", Positions::last}, {"all_turns_packed", Positions::all_turns_packed, false}});
  f.choice("loss", loss,
           {{"mse", LossKind::mse},
            {"huber", LossKind::huber},
            {"hl_gauss", LossKind::hl_gauss},
            {"two_hot", LossKind::two_hot}});
  f("huber_delta", huber_delta, config::above(0));
  f("target", target);
  reward.sections(f);
  f("reward", reward);
  f("replay", replay);
  f("cql", cql);
  f("freeze", freeze);
  f("kl_to_base", kl_to_base, config::at_least(0));
  f("above_base", above_base, config::at_least(0));
  f("dueling", dueling);
  f("zero1", zero1);
  f("collectives", collectives);
  f("max_bad_steps", max_bad_steps, config::at_least(1));
  if (!f.reading()) return;
  if (terminal == Terminal::bootstrap_on_final_seeker && backup == Backup::sarsa) {
    fail_input(f.where("terminal") +
                   ": behind a seeker's last words the corpus has no action, "
                   "which learn.backup: sarsa would take",
               "set learn.terminal: mask, or another learn.backup");
  }
  if (terminal == Terminal::drop && reward->only_at_the_end()) {
    fail_input(f.where("terminal") + ": drop leaves the last decision out, and the reward " +
                   reward->facts().kind + " is earned nowhere else",
               "set learn.terminal: mask");
  }
  // The auto-regressive ablation is the same learner with cross-entropy in place of the TD loss.
  if (planner == PlannerKind::ce && objective.bellman > 0) {
    objective.ce = objective.ce > 0 ? objective.ce : 1;
    objective.bellman = 0;
  }
}

TransitionSource transitions_of(const std::vector<prompt::Comb>& combs, const LearnConfig& config,
                                int strategies, std::uint64_t seed) {
  if (config.terminal == Terminal::bootstrap_on_final_seeker) {
    // To a reward the last decision of such a dialogue is one like the others. Its tokens are not
    // asked for.
    auto endless = std::make_shared<std::vector<prompt::Comb>>();
    for (const auto& comb : combs) {
      prompt::Comb& copy = endless->emplace_back();
      copy.id = comb.id;
      copy.decisions = comb.decisions;
      copy.initial_intensity = comb.initial_intensity;
      copy.final_intensity = comb.final_intensity;
      if (comb.final_state == 1) copy.decisions.back().terminal = false;
    }
    return [endless, all = config.reward->transitions(*endless, strategies, seed)](
               std::int32_t comb, std::int32_t d, std::int64_t epoch,
               std::vector<Transition>& out) { all(comb, d, epoch, out); };
  }
  TransitionSource all = config.reward->transitions(combs, strategies, seed);
  if (config.terminal != Terminal::drop) return all;
  return [&combs, all = std::move(all)](std::int32_t comb, std::int32_t d, std::int64_t epoch,
                                        std::vector<Transition>& out) {
    const auto& decisions = combs[static_cast<std::size_t>(comb)].decisions;
    if (!decisions[static_cast<std::size_t>(d)].terminal) all(comb, d, epoch, out);
  };
}

void require_final_states(const LearnConfig& config, const std::vector<prompt::Comb>& combs) {
  if (config.terminal != Terminal::bootstrap_on_final_seeker) return;
  for (const auto& comb : combs) {
    if (comb.final_state != prompt::kNotCarried) continue;
    fail_input(
        "learn.terminal: bootstrap_on_final_seeker needs the states behind seekers' last "
        "words, which the shards of train do not hold (dialogue/final_attach; the first that "
        "lacks it is of dialogue " +
            comb.id + ")",
        "they are of an older version: remove the data set's folder under shards.folder and "
        "run straq preprocess again");
  }
}

}  // namespace straq::learn
