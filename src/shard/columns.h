// Combs as the columns of a shard: flat arrays with offsets. Inside the module.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "prompt/comb.h"
#include "shard/shard.h"

namespace straq::shard {

struct Columns {
  std::vector<std::string> dialogue_id;
  // offsets[i] … offsets[i + 1] are the rows of item i; one entry more than items
  std::vector<std::int64_t> dialogue_trunk_offset{0}, dialogue_decision_offset{0};
  std::vector<std::int64_t> trunk_offset{0}, probe_offset{0};
  std::vector<std::int32_t> trunk_header, trunk_token;
  std::vector<std::int32_t> decision_trunk, decision_attach, decision_turn, decision_gold,
      decision_previous;
  std::vector<std::uint8_t> decision_terminal;
  std::vector<std::int32_t> probe_token;
  // Outcomes, final states and what is learned of branches, which a shard may lack. A judge's score
  // or a reward that is not there is NaN, a final state that is not there -1.
  std::optional<std::vector<std::int32_t>> initial_intensity, final_intensity, decision_rating,
      decision_strategies, final_trunk, final_attach, option_order, decision_target, decision_reply;
  std::optional<std::vector<double>> decision_judge, decision_reward;

  // Calls f(name, array) for every array in the order of docs/formats.md.
  template <class Self, class F>
  static void each(Self& c, F&& f) {
    f("dialogue/trunk_offset", c.dialogue_trunk_offset);
    f("dialogue/decision_offset", c.dialogue_decision_offset);
    f("trunk/offset", c.trunk_offset);
    f("trunk/header", c.trunk_header);
    f("trunk/token", c.trunk_token);
    f("decision/trunk", c.decision_trunk);
    f("decision/attach", c.decision_attach);
    f("decision/turn", c.decision_turn);
    f("decision/gold", c.decision_gold);
    f("decision/previous", c.decision_previous);
    f("decision/terminal", c.decision_terminal);
    f("probe/offset", c.probe_offset);
    f("probe/token", c.probe_token);
  }
  // The same for the arrays that may be absent; `array` is a std::optional.
  template <class Self, class F>
  static void each_optional(Self& c, F&& f) {
    f("dialogue/initial_intensity", c.initial_intensity);
    f("dialogue/final_intensity", c.final_intensity);
    f("decision/rating", c.decision_rating);
    f("decision/judge", c.decision_judge);
    f("decision/strategies", c.decision_strategies);
    f("dialogue/final_trunk", c.final_trunk);
    f("dialogue/final_attach", c.final_attach);
    f("dialogue/option_order", c.option_order);
    f("decision/reward", c.decision_reward);
    f("decision/target", c.decision_target);
    f("decision/reply", c.decision_reply);
  }
};

Columns to_columns(const std::vector<prompt::Comb>& combs);
// Throws Unreadable naming the array whose values contradict each other or the header.
void check_columns(const Columns& columns, const ShardHeader& header);
// `columns` must have passed check_columns.
std::vector<prompt::Comb> to_combs(const Columns& columns);
// SHA-256 of header and columns as docs/formats.md defines it.
std::string content_hash(const ShardHeader& header, const Columns& columns);

}  // namespace straq::shard
