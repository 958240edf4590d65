#include "simulate/simulator.h"

#include <algorithm>
#include <cstdio>
#include <set>
#include <stdexcept>

#include "core/error.h"
#include "dialogue/utf8.h"

namespace straq::simulate {
namespace {

PhraseTables load_phrases(const std::vector<std::string>& files) {
  if (files.empty()) {
    fail_input("phrases: no file is named",
               "write phrases: [configs/simulate/phrases.yaml, configs/simulate/problems.yaml]");
  }
  config::Value all = config::Value::make_map();
  for (const auto& file : files) all = config::merge(all, config::load_config(file));
  return config::read<PhraseTables>(all);
}

std::string decapitalised(std::string text) {
  text = dialogue::to_lower(text);
  if (!text.empty() && text.back() == '.') text.pop_back();
  return text;
}

}  // namespace

void SizesConfig::fields(config::Fields& f) {
  f("train", train, config::between(0, kMostDialogues));
  f("valid", valid, config::between(0, kMostDialogues));
  f("test", test, config::between(0, kMostDialogues));
}

void WordingConfig::fields(config::Fields& f) {
  const auto probability = config::between(0, 1);
  f("noise", noise, probability);
  f("intensity_told", intensity_told, probability);
  f("reaction", reaction, probability);
  f("split_turn", split_turn, probability);
  f("second_utterance", second_utterance, probability);
  f("farewell", farewell, probability);
  f("last_word", last_word, probability);
  f("casual", casual, probability);
}

void SimulateConfig::fields(config::Fields& f) {
  f("seed", seed);
  f("dialogues", dialogues);
  f("strategies", strategies);
  f.required("phrases", phrases);
  f.required("dynamics", dynamics);
  f.required("behaviour", behaviour);
  f("wording", wording);
}

Simulator::Simulator(const SimulateConfig& config)
    : seed_(config.seed),
      wording_(config.wording),
      strategies_(dialogue::StrategySet::load(config.strategies)),
      dynamics_(config.dynamics, strategies_),
      policy_(config.behaviour, strategies_),
      book_(load_phrases(config.phrases), strategies_),
      farewell_(strategies_.find("Others").value_or(-1)) {
  for (const auto& p : book_.problems()) problem_weights_.push_back(p.weight);
}

// One dialogue in the making.
struct Simulator::Run {
  const Simulator& sim;
  CounterRng rng;
  SimulatedDialogue out;
  PhraseBook::Scene scene;
  bool casual = false;
  bool supporter_opened = false;
  int turns = 0;
  std::set<std::string> said;
  std::vector<int> facts_left, facts_told;
  int change = 0;  // of the intensity, by the turn before

  bool chance(double p) { return rng.uniform() < p; }

  // A dialogue should not say the same thing twice; a few tries are enough for that.
  template <class Draw>
  std::string fresh(Draw&& draw) {
    std::string text = draw();
    for (int i = 0; i < 5 && !said.insert(text).second; ++i) text = draw();
    return text;
  }
  std::string say(const std::string& list) {
    return fresh([&] { return sim.book_.say(list, scene, rng); });
  }

  void utter(dialogue::Speaker speaker, std::string text, int strategy) {
    auto& all = out.dialogue.utterances;
    if (all.empty() || all.back().speaker != speaker) ++turns;
    if (speaker == dialogue::Speaker::seeker && casual) text = decapitalised(std::move(text));
    all.push_back({speaker, std::move(text), strategy, 0});
  }

  // What the dialogue is about; before its first state.
  void choose_scene(const std::string& split, int number) {
    char digits[16];
    std::snprintf(digits, sizeof digits, "%05d", number);
    dialogue::Dialogue& d = out.dialogue;
    d.id = split + "/" + digits;
    d.line = number + 1;
    const int problem = static_cast<int>(rng.categorical(sim.problem_weights_));
    const auto& p = sim.book_.problems()[static_cast<std::size_t>(problem)];
    scene.problem = out.problem = problem;
    scene.emotion = out.emotion = p.emotions[rng.below(p.emotions.size())];
    d.problem = p.name;
    d.emotion = sim.book_.emotions()[static_cast<std::size_t>(scene.emotion)].name;
    casual = chance(sim.wording_.casual);
    for (int i = 0; i < p.facts; ++i) facts_left.push_back(i);
    shuffle(facts_left, rng);
  }

  // The words before the seeker's first turn.
  void open(const State& state) {
    out.dialogue.initial_intensity = state.intensity;
    scene.intensity = state.intensity;
    out.dialogue.situation = say("situation");
    if (state.previous >= 0) {
      supporter_opened = true;
      support(state.previous, state, PhraseBook::Supporting::opening);
    }
  }

  // `action` in `state` has led to `next`.
  double decide(const State& state, int action, const State& next) {
    const std::size_t first = out.dialogue.utterances.size();
    answer(state, action, next);
    const double reward = sim.dynamics_.reward(state, action, next);
    out.dialogue.utterances[first].reward = reward;
    out.trace.push_back({state, action, next, reward, turns - 1});
    change = next.intensity - state.intensity;
    return reward;
  }

  void close(const State& state) {
    out.dialogue.final_intensity = state.intensity;
    if (!chance(sim.wording_.last_word)) return;
    scene.intensity = state.intensity;
    utter(dialogue::Speaker::seeker, say(std::string("seeker.") + name(state.outcome)), -1);
  }

  void support(int strategy, const State& s, PhraseBook::Supporting place) {
    scene.intensity = s.intensity;
    if (!facts_told.empty()) {  // what a supporter restates is something that was said
      const std::size_t recent = std::min<std::size_t>(2, facts_told.size());
      scene.fact = facts_told[facts_told.size() - 1 - rng.below(recent)];
    }
    std::string text =
        fresh([&] { return sim.book_.support(strategy, s.stage, place, scene, rng); });
    out.spoken.push_back({dialogue::Speaker::supporter, {text}});
    utter(dialogue::Speaker::supporter, std::move(text), strategy);
  }

  void tell_fact() {
    if (facts_left.empty()) {  // all told: begin again, in other words
      facts_left = facts_told;
      shuffle(facts_left, rng);
    }
    scene.fact = facts_left.back();
    facts_left.pop_back();
    facts_told.push_back(scene.fact);
  }

  // The seeker's turn in state `s`.
  void seek(const State& s) {
    Stage stage = s.stage;
    int intensity = s.intensity;
    if (chance(sim.wording_.noise)) {
      const int other = static_cast<int>(rng.below(stage_count - 1));
      stage = static_cast<Stage>(other + (other >= static_cast<int>(stage)));
    }
    if (chance(sim.wording_.noise)) {
      intensity = std::clamp(intensity + (chance(0.5) ? 1 : -1), 1, intensity_levels);
    }
    scene.intensity = intensity;
    std::vector<std::string> parts;
    if (s.turn == 0) {
      if (supporter_opened || chance(0.5)) parts.push_back(say("seeker.greeting"));
      parts.push_back(say("seeker.opening"));
    } else if (chance(sim.wording_.reaction)) {
      parts.push_back(say(change < 0   ? "seeker.better"
                          : change > 0 ? "seeker.worse"
                                       : "seeker.same"));
    }
    std::string about;
    if (s.turn > 0 || chance(0.5)) {
      if (stage == Stage::exploration) tell_fact();
      about = say(std::string("seeker.") + name(stage));
    }
    std::string felt;
    if (s.turn == 0 || chance(sim.wording_.intensity_told)) {
      felt = say("seeker.intensity." + std::to_string(intensity));
    }
    if (chance(0.3)) std::swap(about, felt);
    for (auto* part : {&about, &felt}) {
      if (!part->empty()) parts.push_back(std::move(*part));
    }
    out.spoken.push_back({dialogue::Speaker::seeker, parts});
    const std::size_t cut = parts.size() > 1 && chance(sim.wording_.split_turn)
                                ? 1 + rng.below(parts.size() - 1)
                                : parts.size();
    std::string text;
    for (std::size_t i = 0; i < parts.size(); ++i) {
      if (i == cut) {
        utter(dialogue::Speaker::seeker, std::move(text), -1);
        text.clear();
      }
      text += (text.empty() ? "" : " ") + parts[i];
    }
    utter(dialogue::Speaker::seeker, std::move(text), -1);
  }

  // The supporter's turn with strategy `action` in `s`, after which `next` is reached.
  void answer(const State& s, int action, const State& next) {
    using Place = PhraseBook::Supporting;
    const bool settled = next.outcome == Outcome::settled;
    support(action, s, s.turn == 0 ? Place::first : settled ? Place::last : Place::any);
    if (settled && sim.farewell_ >= 0 && action != sim.farewell_ && chance(sim.wording_.farewell)) {
      support(sim.farewell_, s, Place::last);
    } else if (chance(sim.wording_.second_utterance)) {
      State then = s;
      then.previous = action;
      then.turn = std::max(1, s.turn);
      support(sim.policy_.sample(then, rng), s, settled ? Place::last : Place::any);
    }
  }
};

SimulatedDialogue Simulator::generate(const std::string& split, int number) const {
  Run run{.sim = *this,
          .rng = CounterRng(seed_, "simulate/" + split, static_cast<std::uint64_t>(number)),
          .out = {},
          .scene = {},
          .said = {},
          .facts_left = {},
          .facts_told = {}};
  run.choose_scene(split, number);
  State state = dynamics_.sample_start(run.rng);
  run.open(state);
  while (!state.terminal()) {
    run.seek(state);
    const int action = policy_.sample(state, run.rng);
    const State next = dynamics_.step(state, action, run.rng);
    run.decide(state, action, next);
    state = next;
  }
  run.close(state);
  return std::move(run.out);
}

namespace {

// The words of turn `turn` (0: what comes before the first) of a played dialogue.
CounterRng words_of(std::uint64_t seed, int number, int turn) {
  return CounterRng(seed, "play/words",
                    static_cast<std::uint64_t>(number) << 20 | static_cast<std::uint64_t>(turn));
}

}  // namespace

Session::Session(const Simulator& simulator, std::uint64_t seed, int number)
    : run_(new Simulator::Run{.sim = simulator,
                              .rng = words_of(seed, number, 0),
                              .out = {},
                              .scene = {},
                              .said = {},
                              .facts_left = {},
                              .facts_told = {}}),
      simulator_(&simulator),
      seed_(seed),
      number_(number),
      happenings_(seed, "play/happenings", static_cast<std::uint64_t>(number)) {
  run_->choose_scene("played", number);
  state_ = simulator.dynamics().sample_start(happenings_);
  run_->open(state_);
  run_->seek(state_);
}

Session::~Session() = default;
Session::Session(Session&&) noexcept = default;
Session& Session::operator=(Session&&) noexcept = default;

const SimulatedDialogue& Session::so_far() const {
  return run_->out;
}

double Session::answer(int action) {
  if (over()) throw std::logic_error("Session::answer: the dialogue is over");
  // A step draws one number, so the n-th is the n-th step's whoever decides.
  const State next = simulator_->dynamics().step(state_, action, happenings_);
  run_->rng = words_of(seed_, number_, state_.turn + 1);
  const double reward = run_->decide(state_, action, next);
  state_ = next;
  if (over()) {
    run_->close(state_);
  } else {
    run_->seek(state_);
  }
  return reward;
}

}  // namespace straq::simulate
