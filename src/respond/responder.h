// Replies of several methods to many decisions, asked of one source: all that is open in a round
// goes out together.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "dialogue/dialogue.h"
#include "respond/methods/methods.h"
#include "respond/scene.h"

namespace straq::respond {

struct RespondCalls {
  std::function<void(std::size_t open)> answered;  // after each answer: scenes not over yet
  std::function<bool()> stop;                      // true leaves the rest unasked
};

// What `methods[m]` makes of `tasks[m][t]`, by m and t. One whose request failed has
// Finish::failed and says why; one that was left unasked is absent (nothing).
using Outcomes = std::vector<std::vector<std::optional<Outcome>>>;
Outcomes respond_to(language::Source& source, const Stage& stage,
                    const std::vector<Method>& methods, const std::vector<std::vector<Task>>& tasks,
                    const RespondCalls& calls = {});

// The decisions of an episode as tasks without a plan.
std::vector<Task> tasks_of(const std::vector<dialogue::Episode>& episodes);

}  // namespace straq::respond
