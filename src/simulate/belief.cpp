#include "simulate/belief.h"

#include <algorithm>
#include <numeric>
#include <stdexcept>

namespace straq::simulate {
namespace {

// The seeker's lists, in the order in which their chances are kept.
enum SeekerList { greeting, opening, better, same, worse, first_stage, first_intensity = 8 };
constexpr int seeker_list_count = first_intensity + intensity_levels;

const std::array<std::string, seeker_list_count>& seeker_list_names() {
  static const std::array<std::string, seeker_list_count> names = {
      "seeker.greeting",    "seeker.opening",     "seeker.better",      "seeker.same",
      "seeker.worse",       "seeker.exploration", "seeker.comforting",  "seeker.action",
      "seeker.intensity.1", "seeker.intensity.2", "seeker.intensity.3", "seeker.intensity.4",
      "seeker.intensity.5"};
  return names;
}

// A text that has been said is drawn again, five times at most (Simulator's `fresh`): the chance of
// one that comes out, from that of one draw, and `again`, that a draw is one of those said.
double after_redraws(double draw, double again, bool repeats) {
  double sum = 0, power = 1;
  for (int i = 0; i < 5; ++i, power *= again) sum += power;
  return draw * (repeats ? power : sum + power);
}

double normalise(HiddenWeights& w) {
  const double sum = std::accumulate(w.begin(), w.end(), 0.0);
  if (!(sum > 0)) throw std::logic_error("WordFilter: nobody in this world says that");
  for (double& x : w) x /= sum;
  return sum;
}

// Chances of one piece, [list][shown intensity - 1].
using PieceChances = std::array<std::array<double, intensity_levels>, seeker_list_count>;

// The probability of a turn's pieces when it sounds like (stage, intensity) and the turn before
// changed the intensity by `change`: the sum over all that a turn may be put together of.
double chance_of_turn(const std::vector<PieceChances>& pieces, const WordingConfig& wording,
                      Stage stage, int intensity, int change, bool first, bool greets) {
  const auto level = static_cast<std::size_t>(intensity - 1);
  const int about = first_stage + static_cast<int>(stage);
  const int felt = first_intensity + intensity - 1;
  const int reaction = change < 0 ? better : change > 0 ? worse : same;
  const double lead_chance = first ? (greets ? 1.0 : 0.5) : wording.reaction;
  const double about_chance = first ? 0.5 : 1.0, felt_chance = first ? 1.0 : wording.intensity_told;
  double sum = 0;
  for (int way = 0; way < 16; ++way) {
    const bool lead = way & 1, tells = way & 2, feels = way & 4, swapped = way & 8;
    if (swapped && !(tells && feels)) continue;
    double p = (lead ? lead_chance : 1 - lead_chance) * (tells ? about_chance : 1 - about_chance) *
               (feels ? felt_chance : 1 - felt_chance);
    if (tells && feels) p *= swapped ? 0.3 : 0.7;
    std::array<int, 4> lists{};
    std::size_t n = 0;
    if (lead) lists[n++] = first ? greeting : reaction;
    if (first) lists[n++] = opening;
    if (swapped) lists[n++] = felt;
    if (tells) lists[n++] = about;
    if (feels && !swapped) lists[n++] = felt;
    if (n != pieces.size() || p == 0) continue;
    for (std::size_t i = 0; i < n; ++i) p *= pieces[i][static_cast<std::size_t>(lists[i])][level];
    sum += p;
  }
  return sum;
}

}  // namespace

ShownTable shown_given_hidden(double noise) {
  ShownTable out{};
  for (int h = 0; h < hidden_count; ++h) {
    for (int g = 0; g < stage_count; ++g) {
      const double stage = g == static_cast<int>(hidden_stage(h))
                               ? 1 - noise
                               : noise / static_cast<double>(stage_count - 1);
      for (int change = -1; change <= 1; ++change) {
        const int told = std::clamp(hidden_intensity(h) + change, 1, intensity_levels);
        const double level = change == 0 ? 1 - noise : noise / 2;
        out[static_cast<std::size_t>(h)]
           [static_cast<std::size_t>(hidden_index(static_cast<Stage>(g), told))] += stage * level;
      }
    }
  }
  return out;
}

Belief belief_at_start(const Dynamics& dynamics, int opening) {
  Belief b;
  b.previous = opening;
  for (const auto& t : dynamics.start()) {
    if (t.next.previous != opening) continue;
    b.p[static_cast<std::size_t>(hidden_index(t.next.stage, t.next.intensity))] += t.probability;
  }
  normalise(b.p);
  return b;
}

WordFilter::WordFilter(const Simulator& simulator)
    : sim_(&simulator),
      shown_(shown_given_hidden(simulator.wording().noise)),
      tells_degree_(seeker_list_count),
      seeker_repeats_(seeker_list_count) {}

double WordFilter::chance_of_support(int strategy, int hidden, PhraseBook::Supporting place,
                                     const std::string& text) const {
  PhraseBook::Scene scene = scene_;
  scene.intensity = hidden_intensity(hidden);
  const auto draw = [&](const std::string& what) {
    return sim_->book().support_probability(strategy, hidden_stage(hidden), place, scene, what);
  };
  const double p = draw(text);
  if (p == 0) return 0;
  double again = 0;
  for (const auto& before : support_) again += draw(before);
  return after_redraws(p, again, said_.count(text) > 0);
}

void WordFilter::open(const SimulatedDialogue& d) {
  scene_.problem = d.problem;
  scene_.emotion = d.emotion;
  scene_.fact = -1;
  for (std::size_t l = 0; l < seeker_list_count; ++l) {
    tells_degree_[l] = sim_->book().tells_degree(seeker_list_names()[l], scene_);
  }
  const auto& first = d.dialogue.utterances.front();
  supporter_opened_ = first.speaker == dialogue::Speaker::supporter;
  belief_ = belief_at_start(sim_->dynamics(), supporter_opened_ ? first.strategy : -1);
  if (!supporter_opened_) return;
  const std::string text = bare_text(d.spoken.front().pieces.front());
  for (int h = 0; h < hidden_count; ++h) {
    double& p = belief_.p[static_cast<std::size_t>(h)];
    if (p > 0) {
      p *= chance_of_support(first.strategy, h, PhraseBook::Supporting::opening, text);
    }
  }
  normalise(belief_.p);
  support_.push_back(text);
  said_.insert(text);
  read_ = 1;
}

void WordFilter::read(const SimulatedDialogue& d) {
  if (read_ == 0) open(d);
  while (read_ < d.spoken.size()) {
    if (d.spoken[read_].speaker == dialogue::Speaker::seeker) {
      hear_seeker(d.spoken[read_++].pieces);
      continue;
    }
    std::vector<std::string> said;
    while (read_ < d.spoken.size() && d.spoken[read_].speaker == dialogue::Speaker::supporter) {
      said.push_back(bare_text(d.spoken[read_++].pieces.front()));
    }
    if (decided_ + 1 == d.trace.size() && d.trace.back().next.terminal()) return;
    hear_supporter(said, d.trace.at(decided_++).action);
  }
}

// Leaves in joint_ how likely it is that the seeker was in one state and is now in another, given
// all words up to here and that the dialogue goes on.
void WordFilter::hear_supporter(const std::vector<std::string>& said, int action) {
  using Place = PhraseBook::Supporting;
  const double more = sim_->wording().second_utterance;
  const Dynamics& dynamics = sim_->dynamics();
  joint_ = {};
  for (int h = 0; h < hidden_count; ++h) {
    double p = belief_.p[static_cast<std::size_t>(h)];
    if (p == 0) continue;
    const State s = belief_.state(h);
    p *= chance_of_support(action, h, s.turn == 0 ? Place::first : Place::any, said.front());
    p *= said.size() > 1 ? more : 1 - more;
    if (said.size() > 1) {  // a second utterance, by a habit that knows the state
      State then = s;
      then.previous = action;
      then.turn = std::max(1, s.turn);
      const auto habit = sim_->policy().probabilities(then);
      double second = 0;
      for (std::size_t a = 0; a < habit.size(); ++a) {
        second += habit[a] * chance_of_support(static_cast<int>(a), h, Place::any, said[1]);
      }
      p *= second;
    }
    if (p == 0) continue;
    for (const auto& t : dynamics.transition(s, action)) {
      if (t.next.terminal()) continue;
      joint_[static_cast<std::size_t>(h)]
            [static_cast<std::size_t>(hidden_index(t.next.stage, t.next.intensity))] +=
          p * t.probability;
    }
  }
  for (const auto& text : said) {
    support_.push_back(text);
    said_.insert(text);
  }
  belief_.previous = action;
  ++belief_.turn;
}

void WordFilter::hear_seeker(const std::vector<std::string>& pieces) {
  std::vector<PieceChances> chances(pieces.size());
  PhraseBook::Scene scene = scene_;
  const bool first = belief_.turn == 0;
  for (std::size_t i = 0; i < pieces.size(); ++i) {
    const std::string text = bare_text(pieces[i]);
    const bool repeats = said_.count(text) > 0;
    for (std::size_t l = 0; l < seeker_list_count; ++l) {
      // Greetings are for the first turn.
      if (!first && (l == greeting || l == opening)) continue;
      const std::string& list = seeker_list_names()[l];
      double draw = 0;
      for (std::size_t k = 0; k < intensity_levels; ++k) {
        scene.intensity = static_cast<int>(k) + 1;
        if (k == 0 || tells_degree_[l]) draw = sim_->book().probability(list, scene, text);
        double& again = seeker_repeats_[l][k];
        chances[i][l][k] = after_redraws(draw, again, repeats);
        if (!repeats) again += draw;
      }
    }
    said_.insert(text);
  }
  // By (shown state, change), then by what the state may sound like.
  std::array<HiddenWeights, 3> shown{};
  for (int change = -1; change <= 1; ++change) {
    for (int k = 0; k < hidden_count; ++k) {
      shown[static_cast<std::size_t>(change + 1)][static_cast<std::size_t>(k)] =
          chance_of_turn(chances, sim_->wording(), hidden_stage(k), hidden_intensity(k), change,
                         first, supporter_opened_);
    }
  }
  const auto likelihood = [&](std::size_t now, int change) {
    const HiddenWeights& of = shown[static_cast<std::size_t>(change + 1)];
    return std::inner_product(of.begin(), of.end(), shown_[now].begin(), 0.0);
  };
  HiddenWeights next{};
  for (std::size_t now = 0; now < hidden_count; ++now) {
    if (first) {
      next[now] = belief_.p[now] > 0 ? belief_.p[now] * likelihood(now, 0) : 0;
      continue;
    }
    for (std::size_t before = 0; before < hidden_count; ++before) {
      if (joint_[before][now] == 0) continue;
      const int change =
          hidden_intensity(static_cast<int>(now)) - hidden_intensity(static_cast<int>(before));
      next[now] += joint_[before][now] * likelihood(now, change);
    }
  }
  normalise(next);
  belief_.p = next;
}

}  // namespace straq::simulate
