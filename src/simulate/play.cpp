#include "simulate/play.h"

#include <cmath>
#include <exception>
#include <memory>
#include <thread>
#include <utility>

namespace straq::simulate {

Mean mean_of(const std::vector<double>& values) {
  Mean out;
  const auto n = static_cast<double>(values.size());
  if (values.empty()) return out;
  for (const double v : values) out.value += v / n;
  double squares = 0;
  for (const double v : values) squares += (v - out.value) * (v - out.value);
  if (values.size() > 1) out.standard_error = std::sqrt(squares / (n - 1) / n);
  return out;
}

void add_played(Played& played, const SimulatedDialogue& d, const Values& best, double at_start) {
  double sum = 0, advantages = 0, discount = 1;
  for (const auto& t : d.trace) {
    sum += discount * t.reward;
    advantages += discount * (best.q(t.state, t.action) - best.value(t.state));
    discount *= best.gamma();
    ++played.decisions;
  }
  played.returns.push_back(sum);
  played.by_advantage.push_back(at_start + advantages);
  ++played.outcomes[static_cast<std::size_t>(d.trace.back().next.outcome)];
}

Played play(const Simulator& simulator, const Values& best, const ChooserOf& chooser,
            const PlayOptions& options) {
  const int threads = std::max(1, std::min(options.threads, options.dialogues));
  const double at_start = start_value(simulator.dynamics(), best);
  std::vector<Played> parts(static_cast<std::size_t>(threads));
  std::vector<std::exception_ptr> failures(parts.size());
  const auto part = [&](int thread) {
    try {
      const auto at = [&](int i) {
        return static_cast<int>(std::int64_t{options.dialogues} * i / threads);
      };
      for (int n = at(thread); n < at(thread + 1); ++n) {
        Session session(simulator, options.seed, n);
        const Chooser choose = chooser(n);
        while (!session.over()) session.answer(choose(session));
        add_played(parts[static_cast<std::size_t>(thread)], session.so_far(), best, at_start);
      }
    } catch (...) {
      failures[static_cast<std::size_t>(thread)] = std::current_exception();
    }
  };
  std::vector<std::thread> others;
  for (int t = 1; t < threads; ++t) others.emplace_back(part, t);
  part(0);
  for (auto& t : others) t.join();
  for (const auto& failure : failures) {
    if (failure) std::rethrow_exception(failure);
  }
  // Parts follow on each other, so the order is that of the numbers, however many there are.
  Played out = std::move(parts.front());
  for (std::size_t i = 1; i < parts.size(); ++i) {
    const Played& p = parts[i];
    out.returns.insert(out.returns.end(), p.returns.begin(), p.returns.end());
    out.by_advantage.insert(out.by_advantage.end(), p.by_advantage.begin(), p.by_advantage.end());
    for (std::size_t o = 0; o < out.outcomes.size(); ++o) out.outcomes[o] += p.outcomes[o];
    out.decisions += p.decisions;
  }
  return out;
}

ChooserOf by_belief(const Simulator& simulator, std::function<int(const Belief&)> choice) {
  return [&simulator, choice = std::move(choice)](int) -> Chooser {
    auto filter = std::make_shared<WordFilter>(simulator);
    return [filter, choice](const Session& session) {
      filter->read(session.so_far());
      return choice(filter->belief());
    };
  };
}

ChooserOf by_state(StatePolicy policy, std::uint64_t seed) {
  return [policy = std::move(policy), seed](int number) -> Chooser {
    auto rng =
        std::make_shared<CounterRng>(seed, "play/choices", static_cast<std::uint64_t>(number));
    return [rng, policy](const Session& session) {
      return static_cast<int>(rng->categorical(policy(session.state())));
    };
  };
}

}  // namespace straq::simulate
