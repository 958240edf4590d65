// The ways to a reply that are compared: each is a file here, a file of wording in configs/replies
// and an entry in methods.cpp. A method is a few calls of a Scene; what it finds is the scene's
// outcome.
#pragma once

#include <functional>
#include <span>
#include <string>
#include <vector>

#include "respond/scene.h"

namespace straq::respond {

struct Method {
  std::string name;
  std::function<void(Scene&)> reply;
};

struct MethodEntry {
  const char* name;     // of configs, files and tables
  const char* wording;  // its file in the folder of wordings
  bool planned;         // follows a planner's strategies
  // Reads the wording. Throws Error(input) naming file, line and key.
  Method (*open)(const std::string& wording, const dialogue::StrategySet& strategies);
};

// In the order of the paper's tables.
std::span<const MethodEntry> method_entries();
// Throws Error(input) naming the methods that there are.
const MethodEntry& method_entry(const std::string& name);

// Each defined in its own file.
Method open_direct(const std::string& wording, const dialogue::StrategySet& strategies);
Method open_direct_refine(const std::string& wording, const dialogue::StrategySet& strategies);
Method open_self_refine(const std::string& wording, const dialogue::StrategySet& strategies);
Method open_cot(const std::string& wording, const dialogue::StrategySet& strategies);
Method open_fsm(const std::string& wording, const dialogue::StrategySet& strategies);
Method open_planned(const std::string& wording, const dialogue::StrategySet& strategies);

}  // namespace straq::respond
