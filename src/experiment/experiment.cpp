#include "experiment/experiment.h"

#include "core/error.h"
#include "metrics/metric.h"

namespace straq::experiment {

const metrics::StrategyMetric& BestConfig::by() const {
  return metrics::strategy_metric(metric);
}

bool BestConfig::lower_is_better() const {
  return mode == BestMode::automatic ? by().better == metrics::Better::lower
                                     : mode == BestMode::min;
}

std::vector<std::pair<std::string, bool>> BestConfig::metrics_to_choose() {
  std::vector<std::pair<std::string, bool>> out;
  for (const auto& m : metrics::strategy_metrics()) {
    if (m.better != metrics::Better::neither) out.emplace_back(m.key, true);
  }
  return out;
}

void ExperimentConfig::fields(config::Fields& f) {
  f.required("name", name);
  f("results", results);
  f("seed", seed, config::at_least(0));
  f("threads", threads, config::between(0, 4096));
  f("simulate", simulate);
  f("data", data);
  f("tokenizer", tokenizer);
  f("prompt", prompt);
  f("shards", shards);
  f("model", model);
  f("responder", responder);
  f("q", q);
  f("pretrain", pretrain);
  f("learn", learn);
  f("checkpoint", checkpoint);
  f("evaluate", evaluate);
  f("best", best);
  f("roles", roles);
  f("sweep", sweep);
  f("watchdog", watchdog);
  if (!f.reading()) return;
  // Every recorded config of earlier versions has it; whoever writes it now is told (settings.h).
  config::Value former;
  f.raw(kFormerSection, former);
  if (name.empty() || name.find_first_of("/\\ \t") != std::string::npos || name.front() == '.') {
    fail_input(f.where("name") + ": \"" + name + "\" is no folder name",
               "use letters, digits, '-' and '_'; the results land in results/<name>");
  }
  const bool pretrains = pretrain.epochs > 0 || pretrain.steps > 0;
  if (pretrains && !pretrain.objective.any()) {
    fail_input(f.where("pretrain") + ": the stage has steps but no objective",
               "set pretrain.objective.lm or .ce above 0");
  }
  if (pretrain.objective.bellman > 0) {
    fail_input(f.where("pretrain") + ": the Bellman objective belongs to the stage `learn`",
               "pretrain with lm and ce");
  }
  if ((best.use || best.patience > 0) && !evaluate.during_training()) {
    fail_input(f.where("best") + ": the best weights are found by evaluations during training",
               "set evaluate.every_steps or evaluate.every_epochs above 0");
  }
  if (evaluate.play > 0 && simulate.config.empty()) {
    fail_input(f.where("evaluate.play") +
                   ": planners are played in the simulator that made their "
                   "corpus, and simulate.config is not set",
               "set simulate.config, or evaluate.play: 0");
  }
  if (responder.trains()) {
    if (pretrains) {
      fail_input(f.where("pretrain") + ": a responder is trained in one stage, learn",
                 "leave the section out (pretrain: !replace {})");
    }
    if (evaluate.play > 0) {
      fail_input(f.where("evaluate.play") + ": a responder plans nothing that could be played",
                 "set evaluate.play: 0");
    }
    if (q.readout == planner::Readout::state_head) {
      fail_input(f.where("q.readout") + ": a responder has no head on its states",
                 "leave q.readout out");
    }
    learn.objective = {.bellman = 0, .ce = 0, .lm = 1};
  }
  if (!learn.objective.any()) {
    fail_input(f.where("learn") + ": every part of learn.objective is 0",
               "set bellman or ce above 0");
  }
}

ExperimentConfig read_experiment(const config::Value& root) {
  return config::read<ExperimentConfig>(root);
}

}  // namespace straq::experiment
