#include "learn/rewards/feedback.h"

#include <cmath>

#include "learn/rewards/own_action.h"

namespace straq::learn {
namespace {

struct FeedbackSection {
  FeedbackReward& reward;
  void fields(config::Fields& f) {
    f("centre", reward.centre);
    f.choice("unrated", reward.unrated,
             {{"next", Unrated::next}, {"average", Unrated::average}, {"drop", Unrated::drop}});
  }
};

// The mean of a dialogue's ratings; nothing where it has none.
std::optional<double> mean_rating(const prompt::Comb& comb) {
  double sum = 0;
  int n = 0;
  for (const auto& d : comb.decisions) {
    if (d.rating <= 0) continue;
    sum += d.rating;
    ++n;
  }
  return n > 0 ? std::optional<double>(sum / n) : std::nullopt;
}

}  // namespace

std::unique_ptr<Reward> FeedbackReward::clone() const {
  return std::make_unique<FeedbackReward>(*this);
}

RewardFacts FeedbackReward::facts() const {
  return {"feedback", "straq_feedback", "straQ*-feedback", /*imitation=*/false};
}

void FeedbackReward::sections(config::Fields& f) {
  FeedbackSection section{*this};
  f("feedback", section);
}

void FeedbackReward::fit(const prompt::EachComb& train) {
  std::vector<double> ratings;
  train([&](const prompt::Comb& comb) {
    for (const auto& d : comb.decisions) {
      if (d.rating > 0) ratings.push_back(d.rating);
    }
  });
  map.fit(ratings);
}

std::optional<double> FeedbackReward::of_own_action(const prompt::Comb& comb, std::size_t d) const {
  const auto average = mean_rating(comb);
  if (!average) return std::nullopt;
  double rating = comb.decisions[d].rating;
  if (rating <= 0) {
    if (unrated == Unrated::drop) return std::nullopt;
    rating = *average;
    for (std::size_t i = d + 1; unrated == Unrated::next && i < comb.decisions.size(); ++i) {
      if (comb.decisions[i].rating <= 0) continue;
      rating = comb.decisions[i].rating;
      break;
    }
  }
  // The maps are linear: less the dialogue's mean, mapped, is the slope times the difference.
  return centre ? map.slope() * (rating - *average) : map(rating);
}

double FeedbackReward::largest_return(double gamma) const {
  constexpr double kFurthest = 4;  // of two ratings
  const bool unfitted = std::isinf(map.largest());
  const double scale = !centre || unfitted ? map.largest() : kFurthest * map.slope();
  return largest_of_steps(scale, gamma);
}

CombTransitions FeedbackReward::transitions(int, std::uint64_t) const {
  return own_action_transitions(*this);
}

}  // namespace straq::learn
