#include "shard/columns.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <type_traits>

#include "core/hash.h"

namespace straq::shard {
namespace {

// Offsets must start at 0, never fall, and end at the number of rows.
void check_offsets(const char* name, const std::vector<std::int64_t>& offsets, std::size_t items,
                   std::size_t rows) {
  bool sound = offsets.size() == items + 1 && offsets.front() == 0 &&
               offsets.back() == static_cast<std::int64_t>(rows);
  for (std::size_t i = 1; sound && i < offsets.size(); ++i) sound = offsets[i - 1] <= offsets[i];
  if (!sound) throw Unreadable{std::string("dataset ") + name + " does not fit its rows"};
}

void check_values(const char* name, const std::vector<std::int32_t>& values, std::int64_t low,
                  std::int64_t end) {
  for (std::int32_t v : values) {
    if (v < low || v >= end) {
      throw Unreadable{std::string("dataset ") + name + " holds " + std::to_string(v) +
                       ", outside " + std::to_string(low) + " to " + std::to_string(end - 1)};
    }
  }
}

constexpr std::int64_t kScoresEnd = 6;  // 1 to 5, and 0 for none
constexpr int kMostBits = 31;           // strategies of a turn

// What the values of an array that may be absent lie in: the first one, and the end.
std::pair<std::int64_t, std::int64_t> range_of(std::string_view name) {
  if (name == "decision/strategies") return {0, std::int64_t{1} << kMostBits};
  if (name == "decision/target" || name == "decision/reply") return {1, std::int64_t{1} << 31};
  if (name == "dialogue/final_trunk" || name == "dialogue/final_attach") {
    return {-1, std::int64_t{1} << 31};
  }
  return {0, kScoresEnd};
}

// The state after a seeker's last words: its trunk and place, -1 where there is none. Its probe has
// the tokens of the dialogue's others.
void add_final_states(const std::vector<prompt::Comb>& combs, Columns& c) {
  std::vector<std::int32_t> trunk, attach;
  for (const auto& comb : combs) {
    if (comb.final_state == prompt::kNotCarried) return;
    const bool has = comb.final_state == 1;
    trunk.push_back(has ? comb.probes.back().trunk : -1);
    attach.push_back(has ? comb.probes.back().attach : -1);
  }
  if (combs.empty()) return;
  c.final_trunk = std::move(trunk);
  c.final_attach = std::move(attach);
}

// Of a responder's branches: the tokens that are learned, and how many of them are the reply.
void add_targets(const std::vector<prompt::Comb>& combs, Columns& c) {
  std::vector<std::int32_t> target, reply;
  for (const auto& comb : combs) {
    for (std::size_t i = 0; comb.learns_replies() && i < comb.decisions.size(); ++i) {
      target.push_back(comb.probes[i].target);
      reply.push_back(comb.probes[i].reply);
    }
  }
  if (target.empty()) return;
  c.decision_target = std::move(target);
  c.decision_reply = std::move(reply);
}

// A target lies in its branch, behind a token that can predict its first, and ends with the reply.
void check_targets(const Columns& c) {
  if (c.decision_target.has_value() != c.decision_reply.has_value()) {
    throw Unreadable{"only one of the datasets decision/target and decision/reply is there"};
  }
  for (std::size_t i = 0; c.decision_target && i < c.decision_target->size(); ++i) {
    const std::int64_t target = (*c.decision_target)[i], reply = (*c.decision_reply)[i];
    const std::int64_t tokens = c.probe_offset[i + 1] - c.probe_offset[i];
    if (target > tokens || target >= tokens + c.decision_attach[i] || reply > target) {
      throw Unreadable{"dataset decision/target or decision/reply exceeds branch " +
                       std::to_string(i)};
    }
  }
}

// Of every dialogue all options; shards whose options are in the strategies' order have none.
void add_option_orders(const std::vector<prompt::Comb>& combs, Columns& c) {
  std::vector<std::int32_t> orders;
  for (const auto& comb : combs) {
    if (comb.option_order.empty()) return;
    orders.insert(orders.end(), comb.option_order.begin(), comb.option_order.end());
  }
  if (!combs.empty()) c.option_order = std::move(orders);
}

void check_option_order(const Columns& c, std::size_t options) {
  if (!c.option_order) return;
  if (c.option_order->size() != c.dialogue_id.size() * options) {
    throw Unreadable{"dataset dialogue/option_order does not fit its rows"};
  }
  check_values("dialogue/option_order", *c.option_order, 0, static_cast<std::int64_t>(options));
  for (std::size_t d = 0; d < c.dialogue_id.size(); ++d) {
    std::vector<bool> seen(options);
    for (std::size_t i = 0; i < options; ++i) {
      const auto strategy = static_cast<std::size_t>((*c.option_order)[d * options + i]);
      if (seen[strategy]) {
        throw Unreadable{"dataset dialogue/option_order names a strategy of dialogue " +
                         c.dialogue_id[d] + " twice"};
      }
      seen[strategy] = true;
    }
  }
}

void check_final_states(const Columns& c) {
  if (c.final_trunk.has_value() != c.final_attach.has_value()) {
    throw Unreadable{"only one of the datasets dialogue/final_trunk and final_attach is there"};
  }
  for (std::size_t d = 0; c.final_trunk && d < c.dialogue_id.size(); ++d) {
    const std::int64_t trunk = (*c.final_trunk)[d], attach = (*c.final_attach)[d];
    const std::int64_t first = c.dialogue_trunk_offset[d];
    const bool decides = c.dialogue_decision_offset[d + 1] > c.dialogue_decision_offset[d];
    if (trunk == -1 && attach == -1) continue;
    const auto t = static_cast<std::size_t>(first + std::max<std::int64_t>(trunk, 0));
    if (!decides || trunk < 0 || attach < 0 || trunk >= c.dialogue_trunk_offset[d + 1] - first ||
        attach > c.trunk_offset[t + 1] - c.trunk_offset[t]) {
      throw Unreadable{"dataset dialogue/final_attach points outside a trunk of dialogue " +
                       c.dialogue_id[d]};
    }
  }
}

// An outcome that no comb carries makes no array: such a shard is the one that it always was.
void add_outcomes(const std::vector<prompt::Comb>& combs, Columns& c) {
  std::vector<std::int32_t> initial, final, rating, strategies;
  std::vector<double> judge, reward;
  bool judged = false, rewarded = false;
  constexpr double none = std::numeric_limits<double>::quiet_NaN();
  for (const auto& comb : combs) {
    initial.push_back(comb.initial_intensity);
    final.push_back(comb.final_intensity);
    for (const auto& d : comb.decisions) {
      rating.push_back(d.rating);
      strategies.push_back(d.strategies);
      judge.push_back(d.judge.value_or(none));
      judged = judged || d.judge;
      reward.push_back(d.reward.value_or(none));
      rewarded = rewarded || d.reward;
    }
  }
  const auto keep = [](std::vector<std::int32_t>& values, auto& column) {
    const bool carried =
        std::find(values.begin(), values.end(), prompt::kNotCarried) == values.end();
    if (carried && !values.empty()) column = std::move(values);
  };
  keep(initial, c.initial_intensity);
  keep(final, c.final_intensity);
  keep(rating, c.decision_rating);
  keep(strategies, c.decision_strategies);
  if (judged) c.decision_judge = std::move(judge);
  if (rewarded) c.decision_reward = std::move(reward);
}

void check_outcomes(const Columns& c, std::size_t dialogues, std::size_t decisions) {
  Columns::each_optional(c, [&](const char* name, const auto& column) {
    const bool of_dialogue = std::string_view(name).rfind("dialogue/", 0) == 0;
    if (std::string_view(name) == "dialogue/option_order") return;  // check_option_order
    if (column && column->size() != (of_dialogue ? dialogues : decisions)) {
      throw Unreadable{std::string("dataset ") + name + " does not fit its rows"};
    }
    if constexpr (std::is_same_v<std::remove_cvref_t<decltype(*column)>,
                                 std::vector<std::int32_t>>) {
      const auto [low, end] = range_of(name);
      if (column) check_values(name, *column, low, end);
    } else if (column && std::any_of(column->begin(), column->end(),
                                     [](double v) { return std::isinf(v); })) {
      throw Unreadable{std::string("dataset ") + name + " holds a number that is not finite"};
    }
  });
}

}  // namespace

Columns to_columns(const std::vector<prompt::Comb>& combs) {
  Columns c;
  for (const auto& comb : combs) {
    // Texts are stored padded with NUL bytes.
    if (comb.id.find('\0') != std::string::npos) {
      throw Unreadable{"the id of dialogue " + std::to_string(c.dialogue_id.size()) +
                       " holds a NUL byte"};
    }
    c.dialogue_id.push_back(comb.id);
    for (const auto& t : comb.trunks) {
      c.trunk_token.insert(c.trunk_token.end(), t.tokens.begin(), t.tokens.end());
      c.trunk_offset.push_back(static_cast<std::int64_t>(c.trunk_token.size()));
      c.trunk_header.push_back(t.header);
    }
    const std::size_t states = comb.decisions.size() + (comb.final_state == 1 ? 1 : 0);
    if (comb.probes.size() != states) {
      throw Unreadable{"dialogue " + comb.id + " has " + std::to_string(comb.probes.size()) +
                       " probes for " + std::to_string(comb.decisions.size()) + " decisions"};
    }
    for (std::size_t i = 0; i < comb.decisions.size(); ++i) {
      const auto& p = comb.probes[i];
      const auto& d = comb.decisions[i];
      c.decision_trunk.push_back(p.trunk);
      c.decision_attach.push_back(p.attach);
      c.decision_turn.push_back(d.turn);
      c.decision_gold.push_back(d.gold);
      c.decision_previous.push_back(d.previous);
      c.decision_terminal.push_back(d.terminal ? 1 : 0);
      c.probe_token.insert(c.probe_token.end(), p.tokens.begin(), p.tokens.end());
      c.probe_offset.push_back(static_cast<std::int64_t>(c.probe_token.size()));
    }
    c.dialogue_trunk_offset.push_back(static_cast<std::int64_t>(c.trunk_header.size()));
    c.dialogue_decision_offset.push_back(static_cast<std::int64_t>(c.decision_gold.size()));
  }
  add_outcomes(combs, c);
  add_final_states(combs, c);
  add_option_orders(combs, c);
  add_targets(combs, c);
  return c;
}

void check_columns(const Columns& c, const ShardHeader& header) {
  const std::size_t dialogues = static_cast<std::size_t>(header.item.count);
  const std::size_t trunks = c.trunk_header.size();
  const std::size_t decisions = c.decision_gold.size();
  if (header.item.count < 0 || c.dialogue_id.size() != dialogues) {
    throw Unreadable{"it holds " + std::to_string(c.dialogue_id.size()) +
                     " dialogues, its header says " + std::to_string(header.item.count)};
  }
  check_offsets("dialogue/trunk_offset", c.dialogue_trunk_offset, dialogues, trunks);
  check_offsets("dialogue/decision_offset", c.dialogue_decision_offset, dialogues, decisions);
  check_offsets("trunk/offset", c.trunk_offset, trunks, c.trunk_token.size());
  check_offsets("probe/offset", c.probe_offset, decisions, c.probe_token.size());
  if (c.decision_trunk.size() != decisions || c.decision_attach.size() != decisions ||
      c.decision_turn.size() != decisions || c.decision_previous.size() != decisions ||
      c.decision_terminal.size() != decisions) {
    throw Unreadable{"the datasets under decision/ differ in length"};
  }
  check_outcomes(c, dialogues, decisions);
  // A responder chooses by no token: its shards have no options, and strategies all the same.
  const auto options = header.option_ids.empty()
                           ? std::int64_t{kMostBits}
                           : static_cast<std::int64_t>(header.option_ids.size());
  check_values("trunk/token", c.trunk_token, 0, header.vocab_size);
  check_values("probe/token", c.probe_token, 0, header.vocab_size);
  check_values("option_ids", header.option_ids, 0, header.vocab_size);
  check_values("decision/gold", c.decision_gold, -1, options);
  check_values("decision/previous", c.decision_previous, -1, options);
  check_values("decision/turn", c.decision_turn, 0, std::int64_t{1} << 31);
  if (std::any_of(c.decision_terminal.begin(), c.decision_terminal.end(),
                  [](std::uint8_t v) { return v > 1; })) {
    throw Unreadable{"dataset decision/terminal holds another number than 0 and 1"};
  }
  for (std::size_t d = 0; d < dialogues; ++d) {
    const std::int64_t first = c.dialogue_trunk_offset[d];
    const std::int64_t count = c.dialogue_trunk_offset[d + 1] - first;
    for (std::int64_t i = c.dialogue_decision_offset[d]; i < c.dialogue_decision_offset[d + 1];
         ++i) {
      const auto at = static_cast<std::size_t>(i);
      const std::int64_t trunk = c.decision_trunk[at];
      if (trunk < 0 || trunk >= count) {
        throw Unreadable{"dataset decision/trunk names a trunk that dialogue " + c.dialogue_id[d] +
                         " does not have"};
      }
      const auto t = static_cast<std::size_t>(first + trunk);
      if (c.decision_attach[at] < 0 ||
          c.decision_attach[at] > c.trunk_offset[t + 1] - c.trunk_offset[t]) {
        throw Unreadable{"dataset decision/attach points outside a trunk of dialogue " +
                         c.dialogue_id[d]};
      }
      if (c.probe_offset[at] == c.probe_offset[at + 1]) {
        throw Unreadable{"dataset probe/offset gives dialogue " + c.dialogue_id[d] +
                         " an empty probe"};
      }
    }
  }
  check_final_states(c);
  check_targets(c);
  check_option_order(c, header.option_ids.size());
  for (std::size_t t = 0; t < trunks; ++t) {
    if (c.trunk_header[t] < 0 || c.trunk_header[t] > c.trunk_offset[t + 1] - c.trunk_offset[t]) {
      throw Unreadable{"dataset trunk/header exceeds its trunk"};
    }
  }
}

std::vector<prompt::Comb> to_combs(const Columns& c) {
  const auto slice = [](const std::vector<std::int32_t>& from, std::int64_t a, std::int64_t b) {
    return std::vector<std::int32_t>(from.begin() + a, from.begin() + b);
  };
  std::vector<prompt::Comb> combs(c.dialogue_id.size());
  for (std::size_t d = 0; d < combs.size(); ++d) {
    auto& comb = combs[d];
    comb.id = c.dialogue_id[d];
    if (c.initial_intensity) comb.initial_intensity = (*c.initial_intensity)[d];
    if (c.final_intensity) comb.final_intensity = (*c.final_intensity)[d];
    for (auto i = c.dialogue_trunk_offset[d]; i < c.dialogue_trunk_offset[d + 1]; ++i) {
      const auto t = static_cast<std::size_t>(i);
      comb.trunks.push_back(
          {slice(c.trunk_token, c.trunk_offset[t], c.trunk_offset[t + 1]), c.trunk_header[t]});
    }
    for (auto i = c.dialogue_decision_offset[d]; i < c.dialogue_decision_offset[d + 1]; ++i) {
      const auto p = static_cast<std::size_t>(i);
      comb.probes.push_back({c.decision_trunk[p], c.decision_attach[p],
                             slice(c.probe_token, c.probe_offset[p], c.probe_offset[p + 1])});
      if (c.decision_target) {
        comb.probes.back().target = (*c.decision_target)[p];
        comb.probes.back().reply = (*c.decision_reply)[p];
      }
      prompt::CombDecision decision;
      decision.turn = c.decision_turn[p];
      decision.gold = c.decision_gold[p];
      decision.previous = c.decision_previous[p];
      decision.terminal = c.decision_terminal[p] != 0;
      if (c.decision_rating) decision.rating = (*c.decision_rating)[p];
      if (c.decision_strategies) decision.strategies = (*c.decision_strategies)[p];
      if (c.decision_judge && !std::isnan((*c.decision_judge)[p])) {
        decision.judge = (*c.decision_judge)[p];
      }
      if (c.decision_reward && !std::isnan((*c.decision_reward)[p])) {
        decision.reward = (*c.decision_reward)[p];
      }
      comb.decisions.push_back(decision);
    }
    if (c.option_order) {
      const std::size_t options = c.option_order->size() / combs.size();
      const auto from = c.option_order->begin() + static_cast<std::ptrdiff_t>(d * options);
      comb.option_order.assign(from, from + static_cast<std::ptrdiff_t>(options));
    }
    if (!c.final_trunk) continue;
    comb.final_state = (*c.final_trunk)[d] < 0 ? 0 : 1;
    if (comb.final_state == 0) continue;
    const std::vector<std::int32_t> tokens = comb.probes.front().tokens;
    comb.probes.push_back({(*c.final_trunk)[d], (*c.final_attach)[d], tokens});
  }
  return combs;
}

std::string content_hash(const ShardHeader& h, const Columns& columns) {
  static_assert(std::endian::native == std::endian::little, "arrays are hashed little-endian");
  Sha256 sha;
  const auto field = [&](const char* name, const std::string& value) {
    sha.update(std::string(name) + "=" + value + "\n");
  };
  field("format_version", std::to_string(kShardVersion));
  field("key", h.key);
  field("source", h.source);
  field("tokenizer", h.tokenizer);
  field("template", h.prompt);
  field("window", std::to_string(h.window));
  field("vocab_size", std::to_string(h.vocab_size));
  std::string options;
  for (auto id : h.option_ids) options += (options.empty() ? "" : ",") + std::to_string(id);
  field("option_ids", options);
  field("split", h.item.split);
  field("index", std::to_string(h.item.index));
  field("first_dialogue", std::to_string(h.item.first));
  field("dialogues", std::to_string(h.item.count));
  for (const auto& id : columns.dialogue_id) field("id", id);
  const auto array = [&](const char* name, const auto& values) {
    using T = typename std::remove_cvref_t<decltype(values)>::value_type;
    field(name, std::to_string(values.size()));
    sha.update(values.data(), values.size() * sizeof(T));
  };
  Columns::each(columns, array);
  Columns::each_optional(columns, [&](const char* name, const auto& column) {
    if (column) array(name, *column);
  });
  return sha.hex();
}

}  // namespace straq::shard
