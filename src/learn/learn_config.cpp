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

CombTransitions comb_transitions(const prompt::EachComb& train, const LearnConfig& config,
                                 int strategies, std::uint64_t seed) {
  CombTransitions all = fitted(config.reward.chosen(), train)->transitions(strategies, seed);
  if (config.terminal == Terminal::bootstrap_on_final_seeker) {
    return [all = std::move(all)](const prompt::Comb& comb, std::int64_t number, std::int32_t d,
                                  std::int64_t epoch, std::vector<Transition>& out) {
      if (comb.final_state != 1) {
        all(comb, number, d, epoch, out);
        return;
      }
      // To a reward the last decision of such a dialogue is one like the others. Its tokens are not
      // asked for.
      prompt::Comb endless;
      endless.id = comb.id;
      endless.decisions = comb.decisions;
      endless.initial_intensity = comb.initial_intensity;
      endless.final_intensity = comb.final_intensity;
      endless.decisions.back().terminal = false;
      all(endless, number, d, epoch, out);
    };
  }
  if (config.terminal != Terminal::drop) return all;
  return [all = std::move(all)](const prompt::Comb& comb, std::int64_t number, std::int32_t d,
                                std::int64_t epoch, std::vector<Transition>& out) {
    if (!comb.decisions[static_cast<std::size_t>(d)].terminal) all(comb, number, d, epoch, out);
  };
}

TransitionSource transitions_of(const std::vector<prompt::Comb>& combs, const LearnConfig& config,
                                int strategies, std::uint64_t seed) {
  return [&combs, of = comb_transitions(combs, config, strategies, seed)](
             std::int32_t comb, std::int32_t d, std::int64_t epoch, std::vector<Transition>& out) {
    of(combs[static_cast<std::size_t>(comb)], comb, d, epoch, out);
  };
}

void require_final_states(const LearnConfig& config, const prompt::EachComb& combs) {
  if (config.terminal != Terminal::bootstrap_on_final_seeker) return;
  combs([](const prompt::Comb& comb) {
    if (comb.final_state != prompt::kNotCarried) return;
    fail_input(
        "learn.terminal: bootstrap_on_final_seeker needs the states behind seekers' last "
        "words, which the shards of train do not hold (dialogue/final_attach; the first that "
        "lacks it is of dialogue " +
            comb.id + ")",
        "they are of an older version: remove the data set's folder under shards.folder and "
        "run straq preprocess again");
  });
}

}  // namespace straq::learn
