// What the tests of the simulator share: the shipped config with paths that work from anywhere, and
// a strategy set.
#pragma once

#include "simulate/simulator.h"
#include "tests/testing.h"

namespace straq::simulate::testing {

inline SimulateConfig shipped_config() {
  auto config = config::read<SimulateConfig>(
      config::load_config(straq::testing::source_path("configs/simulate/quickstart.yaml")));
  config.strategies = straq::testing::source_path(config.strategies);
  for (auto& file : config.phrases) file = straq::testing::source_path(file);
  return config;
}

inline dialogue::StrategySet esconv_strategies() {
  return dialogue::StrategySet::load(straq::testing::source_path("configs/strategies/esconv.yaml"));
}

}  // namespace straq::simulate::testing
