// FSM: a finite state machine leads the model through small questions, after the idea of Wang et
// al. 2024 (arXiv 2407.02964); how it is applied to support conversations was not published, so the
// machine is our own. It is data: configs/replies/fsm.yaml lists states, what each asks and where
// it goes on, and the stages of support with the strategies that each allows.
#include <algorithm>
#include <map>
#include <set>

#include "core/error.h"
#include "respond/methods/methods.h"
#include "respond/parse.h"
#include "respond/wording.h"

namespace straq::respond {
namespace {

constexpr const char* kEnd = "end";

enum class Does {
  stage,     // chooses one of the stages
  strategy,  // chooses a strategy that the stage allows
  reply,     // writes the reply
  check,     // asks yes or no of it
};

struct SupportStage {
  std::string name, definition;
  std::vector<std::string> strategies;  // allowed in it
  std::vector<int> allowed;
  void fields(config::Fields& f) {
    f.required("name", name);
    f.required("definition", definition);
    f.required("strategies", strategies);
  }
};

struct MachineState {
  std::string name, ask, next, no;
  Does does = Does::reply;
  std::int64_t visits = 1;  // a state that was there so often is passed over: the machine ends
  void fields(config::Fields& f) {
    f.required("name", name);
    f.choice("does", does,
             {{"stage", Does::stage},
              {"strategy", Does::strategy},
              {"reply", Does::reply},
              {"check", Does::check}});
    piece(f, "ask", ask, {"stages", "stage", "options", "strategy", "definition", "reply"});
    f.required("next", next);
    f("no", no);
    f("visits", visits, config::between(1, 100));
  }
};

struct Machine {
  std::vector<SupportStage> stages;
  std::string stage_line;  // {number} {name} {definition}
  std::vector<MachineState> states;
  void fields(config::Fields& f) {
    f.required("stages", stages);
    piece(f, "stage_line", stage_line, {"number", "name", "definition"}, {"number", "name"});
    f.required("states", states);
  }

  std::size_t place_of(const std::string& state) const {
    for (std::size_t i = 0; i < states.size(); ++i) {
      if (states[i].name == state) return i;
    }
    return states.size();
  }
};

// What cannot work is told before anything is asked.
void check_machine(Machine& machine, const std::string& path,
                   const dialogue::StrategySet& strategies) {
  if (machine.stages.empty() || machine.states.empty()) {
    fail_input(path + ": a machine needs stages and states", "list at least one of each");
  }
  for (auto& stage : machine.stages) {
    for (const auto& name : stage.strategies) {
      const auto found = strategies.find(name);
      if (!found) {
        const std::string near = strategies.nearest(name);
        fail_input(
            path + ": stage " + stage.name + ": \"" + name + "\" is no strategy",
            near.empty() ? "use names of the strategies' file" : "did you mean " + near + "?");
      }
      stage.allowed.push_back(*found);
    }
    std::sort(stage.allowed.begin(), stage.allowed.end());
    if (stage.allowed.empty()) {
      fail_input(path + ": stage " + stage.name + " allows no strategy", "list some");
    }
  }
  std::set<std::string> names = {kEnd};
  for (const auto& s : machine.states) {
    if (!names.insert(s.name).second) {
      fail_input(path + ": the state \"" + s.name + "\" comes twice or is called \"end\"",
                 "give every state a name of its own");
    }
  }
  bool replies = false;
  for (const auto& s : machine.states) {
    replies = replies || s.does == Does::reply;
    if ((s.does == Does::check) == s.no.empty()) {
      fail_input(path + ": state " + s.name + ": `no` is for a check, which needs it",
                 "say where a check goes on when the answer is no");
    }
    for (const auto& to : {s.next, s.no}) {
      if (!to.empty() && names.count(to) == 0) {
        fail_input(path + ": state " + s.name + " goes on to \"" + to + "\", which is no state",
                   "name a state, or end");
      }
    }
  }
  if (!replies) fail_input(path + ": no state writes the reply", "add one that does: reply");
}

// A run of the machine for one decision.
class MachineRun {
 public:
  MachineRun(const Machine& machine, Scene& scene) : machine_(machine), scene_(scene) {
    for (std::size_t i = 0; i < machine.stages.size(); ++i) {
      const auto& s = machine.stages[i];
      stages_ +=
          (i > 0 ? "\n" : "") + prompt::fill(machine.stage_line, {{"number", std::to_string(i + 1)},
                                                                  {"name", s.name},
                                                                  {"definition", s.definition}});
    }
  }

  void go() {
    std::map<std::string, std::int64_t> visits;
    std::size_t at = 0;
    while (at < machine_.states.size()) {
      const MachineState& state = machine_.states[at];
      if (++visits[state.name] > state.visits) return;
      const bool no = !step(state);
      at = machine_.place_of(no ? state.no : state.next);
    }
  }

 private:
  // False where a check says no.
  bool step(const MachineState& state) {
    const auto& outcome = scene_.outcome();
    const auto& strategies = scene_.strategies();
    std::vector<int> allowed = stage_ ? stage_->allowed : scene_.all_strategies();
    std::string options;
    for (const int s : allowed) {
      options +=
          (options.empty() ? "(" : "\n(") + std::to_string(s + 1) + ") " + strategies[s].name;
    }
    const auto chosen = outcome.strategy < 0 ? dialogue::Strategy{} : strategies[outcome.strategy];
    const std::string reply = outcome.reply;
    const prompt::Values values = {{"stages", stages_},
                                   {"stage", stage_ ? std::string_view(stage_->name) : ""},
                                   {"options", options},
                                   {"strategy", chosen.name},
                                   {"definition", chosen.definition},
                                   {"reply", reply}};
    switch (state.does) {
      case Does::stage:
        choose_stage(state, values);
        return true;
      case Does::strategy:
        scene_.outcome().strategy = scene_.pick_strategy(state.ask, values, allowed);
        return true;
      case Does::reply:
        if (!reply.empty()) scene_.note("rejected", reply);
        scene_.write(state.ask, values);
        return true;
      case Does::check:
        break;
    }
    // What cannot be read stops nothing: it is counted and taken for a yes.
    const bool yes = scene_.check(state.ask, values).value_or(true);
    scene_.note(state.name, yes ? "yes" : "no");
    return yes;
  }

  // Where the answer names no stage all strategies stay allowed.
  void choose_stage(const MachineState& state, const prompt::Values& values) {
    std::vector<int> numbers;
    std::vector<std::string> names;
    for (const auto& s : machine_.stages) {
      numbers.push_back(static_cast<int>(names.size()));
      names.push_back(s.name);
    }
    const int chosen =
        scene_.pick(state.ask, values, numbers, "stage", [&](const std::string& text) {
          if (const int by_name = name_of(text, names); by_name >= 0) return by_name;
          return number_of(text, 1, static_cast<int>(names.size())).value_or(0) - 1;
        });
    stage_ = chosen < 0 ? nullptr : &machine_.stages[static_cast<std::size_t>(chosen)];
    if (stage_ != nullptr) scene_.note("stage", stage_->name);
  }

  const Machine& machine_;
  Scene& scene_;
  std::string stages_;
  const SupportStage* stage_ = nullptr;
};

}  // namespace

Method open_fsm(const std::string& wording, const dialogue::StrategySet& strategies) {
  auto machine = config::read<Machine>(config::load_config(wording));
  check_machine(machine, wording, strategies);
  return {"fsm", [machine](Scene& scene) { MachineRun(machine, scene).go(); }};
}

}  // namespace straq::respond
