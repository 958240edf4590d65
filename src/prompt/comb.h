// The comb: a dialogue's states are nested prefixes of one token sequence, so one trunk holds what
// they share and a short probe per decision asks for the option there.
//
//   trunk   [header | turn 0 | turn 1 | turn 2 | turn 3 | …]
//                        ^ attach          ^ attach
//   probe                 [ask]             [ask]
//
// A probe's tokens see trunk[0, attach) and the probe's own earlier tokens, nothing else; their
// position ids are attach, attach+1, …. Q is read at the probe's last token, whose logits predict
// the option token. Exactness is the contract: a comb gives the Q values, loss and gradients of one
// separate prompt (trunk[0, attach) + probe) per decision.
//
// In the comb of a responder a probe is a reply's branch: the rest of the prompt, which ends with
// what the responder is asked, and the target. trunk[0, attach) + probe is the sequence that the
// loss on its last `target` tokens is of.
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "text/token_id.h"

namespace straq::prompt {

using text::TokenId;

struct Trunk {
  std::vector<TokenId> tokens;
  // Tokens before this one are instruction and options, the same in every dialogue of a template
  // up to the situation; the language-model objective does not count them.
  std::int32_t header = 0;
};

struct Probe {
  std::int32_t trunk = 0;       // index into Comb::trunks
  std::int32_t attach = 0;      // number of trunk tokens that the probe sees
  std::vector<TokenId> tokens;  // never empty
  // Of a reply's branch (a responder's comb): how many of the last tokens are learned, which the
  // tokens before predict, and how many of these are the reply itself. 0: the probe only asks.
  std::int32_t target = 0, reply = 0;
};

// In place of a rating or an intensity: whoever made the comb did not look for it (a shard of an
// older version).
inline constexpr std::int32_t kNotCarried = -1;

struct CombDecision {
  std::int32_t turn = 0;       // turn index in the episode: the decision's name is "<id>:<turn>"
  std::int32_t gold = 0;       // strategy index of the human supporter
  std::int32_t previous = -1;  // strategy of the supporter turn before; -1 at the start
  bool terminal = false;       // no next state
  // What came of it; rewards may be made of it. The seeker's rating, 1 to 5; 0: none was given.
  std::int32_t rating = kNotCarried;
  std::optional<double> judge = {};   // a judge's score
  std::optional<double> reward = {};  // what it earned, where the corpus says so
  // Every strategy of the utterances that were merged into the turn, strategy i as bit i; of at
  // most 31 strategies.
  std::int32_t strategies = kNotCarried;
};

// One dialogue. decisions[i] is asked by probes[i]; the next state of decisions[i] is the one that
// probes[i + 1] asks about. Where the seeker has the dialogue's last word, probes may have one more
// than there are decisions: it asks what the supporter would do then, which nobody did. Usually
// there is one trunk; a dialogue longer than the window has one more trunk, truncated on its own,
// for each decision that does not fit.
struct Comb {
  std::string id;
  std::vector<Trunk> trunks;
  std::vector<Probe> probes;
  std::vector<CombDecision> decisions;
  // How strong the seeker said the emotion was, 1 to 5, before and after; 0: not said.
  std::int32_t initial_intensity = kNotCarried, final_intensity = kNotCarried;
  // Which strategy stands behind each option's label; empty: the strategies' order. Of a strategy
  // the answer's token is that of its label (labels).
  std::vector<std::int32_t> option_order;
  // 1: the last probe asks about the state after the dialogue's last words; 0: the supporter had
  // them, or that state exceeds the window.
  std::int32_t final_state = kNotCarried;

  std::int64_t token_count() const;  // all trunk and probe tokens
  // Whether it is a responder's: its probes are branches with targets.
  bool learns_replies() const { return !probes.empty() && probes.front().target > 0; }
  // How many of the probe's first tokens its trunk goes on with where the probe is attached. Such a
  // token sees the same tokens at the same positions in the trunk and in the probe, so it need not
  // be computed twice: the template "compact" asks with the words that the supporter's line begins
  // with, and its probes are all trunk but for the last one. Any probe that has a place on its
  // trunk.
  std::int64_t repeated(const Probe& probe) const;
  // The option, from 0, that each of `count` strategies is.
  std::vector<std::int64_t> labels(std::int64_t count) const;
};

inline std::int64_t Comb::token_count() const {
  std::int64_t n = 0;
  for (const auto& t : trunks) n += static_cast<std::int64_t>(t.tokens.size());
  for (const auto& p : probes) n += static_cast<std::int64_t>(p.tokens.size());
  return n;
}

inline std::vector<std::int64_t> Comb::labels(std::int64_t count) const {
  std::vector<std::int64_t> out(static_cast<std::size_t>(count));
  for (std::int64_t i = 0; i < count; ++i) {
    const auto at = static_cast<std::size_t>(i);
    const std::int64_t strategy = option_order.empty() ? i : option_order[at];
    out[static_cast<std::size_t>(strategy)] = i;
  }
  return out;
}

inline std::int64_t Comb::repeated(const Probe& probe) const {
  const auto& trunk = trunks[static_cast<std::size_t>(probe.trunk)].tokens;
  const auto from = trunk.begin() + probe.attach;
  return std::mismatch(probe.tokens.begin(), probe.tokens.end(), from, trunk.end()).first -
         probe.tokens.begin();
}

}  // namespace straq::prompt
