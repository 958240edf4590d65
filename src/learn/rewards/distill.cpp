#include "learn/rewards/distill.h"

#include "learn/rewards/own_action.h"

namespace straq::learn {
namespace {

struct DistillSection {
  DistillReward& reward;
  void fields(config::Fields& f) {
    f.choice("missing", reward.missing,
             {{"drop", MissingScore::drop}, {"mean", MissingScore::mean}});
  }
};

}  // namespace

std::unique_ptr<Reward> DistillReward::clone() const {
  return std::make_unique<DistillReward>(*this);
}

RewardFacts DistillReward::facts() const {
  return {"distill", "straq_distill", "straQ*-distill", /*imitation=*/false};
}

void DistillReward::sections(config::Fields& f) {
  DistillSection section{*this};
  f("distill", section);
}

void DistillReward::fit(const prompt::EachComb& train) {
  std::vector<double> scores;
  train([&](const prompt::Comb& comb) {
    for (const auto& d : comb.decisions) {
      if (d.judge) scores.push_back(*d.judge);
    }
  });
  map.fit(scores);
}

std::optional<double> DistillReward::of_own_action(const prompt::Comb& comb, std::size_t d) const {
  if (const auto& score = comb.decisions[d].judge) return map(*score);
  return missing == MissingScore::mean ? std::optional<double>(map.mean()) : std::nullopt;
}

double DistillReward::largest_return(double gamma) const {
  return largest_of_steps(map.largest(), gamma);
}

CombTransitions DistillReward::transitions(int, std::uint64_t) const {
  return own_action_transitions(*this);
}

}  // namespace straq::learn
