#include "prompt/builder.h"

#include <algorithm>
#include <set>

#include "core/error.h"

namespace straq::prompt {
namespace {

void append(std::vector<TokenId>& to, const std::vector<TokenId>& from) {
  to.insert(to.end(), from.begin(), from.end());
}

std::string shown(const std::vector<TokenId>& ids) {
  std::string out = "[";
  for (std::size_t i = 0; i < ids.size(); ++i) out += (i ? " " : "") + std::to_string(ids[i]);
  return out + "]";
}

// The strategies of a decision's turn as bits (CombDecision::strategies); none where that turn is
// still to come (planner::with_next).
std::int32_t strategy_bits(const dialogue::Episode& episode, const dialogue::Decision& d) {
  const auto at = static_cast<std::size_t>(d.turn);
  if (at >= episode.turns.size()) return 0;
  constexpr int kMostBits = 31;
  std::int32_t bits = 0;
  const auto add = [&](int strategy) {
    if (strategy >= 0 && strategy < kMostBits) bits |= std::int32_t{1} << strategy;
  };
  for (const int strategy : episode.turns[at].strategies) add(strategy);
  add(d.gold);
  return bits;
}

// The config with what the tokenizer decides where the config leaves it open, so that fingerprints
// and planner files hold what was done.
PromptConfig settled(PromptConfig config, const text::Tokenizer& tokenizer) {
  if (config.bos.value_or(false) && !tokenizer.bos()) {
    fail_input("prompt.bos is true, but tokenizer " + tokenizer.fingerprint() + " has no BOS token",
               "leave prompt.bos out, or name bos_token in the tokenizer's tokenizer_config.json");
  }
  if (!config.bos) config.bos = tokenizer.bos() && tokenizer.adds_bos();
  return config;
}

}  // namespace

PromptBuilder::PromptBuilder(const PromptConfig& config, const dialogue::StrategySet& strategies,
                             const text::Tokenizer& tokenizer)
    : PromptBuilder(config, Template::load(config.template_path), config.template_path, strategies,
                    tokenizer) {}

PromptBuilder::PromptBuilder(const PromptConfig& config, Template pieces, const std::string& source,
                             const dialogue::StrategySet& strategies,
                             const text::Tokenizer& tokenizer)
    : text_(settled(config, tokenizer), std::move(pieces), source, strategies),
      tokenizer_(tokenizer) {
  if (*text_.config().bos) header_.push_back(*tokenizer_.bos());
  for (const auto& s : text_.header()) append(header_, tokenizer_.encode(s));
  for (const auto& s : text_.probe()) append(probe_, tokenizer_.encode(s));
  find_option_ids();
}

void PromptBuilder::find_option_ids() {
  const std::string& lead = text_.probe().back();
  const auto& strategies = text_.strategies();
  const std::vector<TokenId> base = tokenizer_.encode(lead);
  const std::string end = lead.substr(lead.rfind('\n') + 1);
  const std::string hint =
      "try another prompt.options.tokens (digit, letter) or prompt.options.leading_space, or train "
      "the tokenizer on the template's texts too";
  std::set<TokenId> seen;
  for (std::size_t i = 0; i < text_.answers().size(); ++i) {
    const std::string& option = text_.answers()[i];
    const std::vector<TokenId> whole = tokenizer_.encode(lead + option);
    const bool prefix =
        whole.size() > base.size() && std::equal(base.begin(), base.end(), whole.begin());
    if (!prefix || whole.size() != base.size() + 1) {
      const auto same =
          std::mismatch(base.begin(), base.end(), whole.begin(), whole.end()).first - base.begin();
      const auto from = [&](const std::vector<TokenId>& ids) {
        return shown({ids.begin() + same, ids.end()});
      };
      fail_input(text_.source() + ": option \"" + option + "\" (" +
                     strategies[static_cast<int>(i)].name +
                     ") is not one token of its own after \"" + end + "\": tokenizer " +
                     tokenizer_.fingerprint() + " ends with " + from(whole) + " with it and with " +
                     from(base) + " without it; one id more is expected",
                 hint);
    }
    if (!seen.insert(whole.back()).second) {
      fail_input(text_.source() + ": option \"" + option + "\" (" +
                     strategies[static_cast<int>(i)].name + ") has the same token " +
                     std::to_string(whole.back()) + " as another option under tokenizer " +
                     tokenizer_.fingerprint(),
                 hint);
    }
    option_ids_.push_back(whole.back());
  }
}

// The first turn that truncation must keep: the last seeker turn before `turn`, else the last turn.
int PromptBuilder::query_turn(const dialogue::Episode& episode, int turn) const {
  for (int i = turn - 1; i >= 0; --i) {
    if (episode.turns[static_cast<std::size_t>(i)].speaker == dialogue::Speaker::seeker) return i;
  }
  return std::max(0, turn - 1);
}

void PromptBuilder::fail_window(const dialogue::Episode& episode, int turn,
                                std::size_t need) const {
  fail_input("prompt.window: decision " + episode.id + ":" + std::to_string(turn) + " needs " +
                 std::to_string(need) + " tokens for instruction, options, situation and query; " +
                 "the window is " + std::to_string(text_.config().window),
             "raise prompt.window to at least " + std::to_string(need));
}

// A dialogue's trunk from end to end, and the trunks of states that exceed the window.
struct PromptBuilder::Unrolled {
  Trunk trunk;
  std::size_t start = 0;          // trunk tokens before the first turn
  std::vector<std::size_t> ends;  // [t]: trunk tokens before turn t, where a state there attaches
  std::vector<Trunk> own;
  std::vector<TokenId> probe;  // the question's tokens
};

OptionOrder PromptBuilder::order_of(const dialogue::Episode& episode) const {
  if (!text_.config().options.shuffle) return {};
  return shuffled_options(episode.id, strategy_count());
}

std::optional<Probe> PromptBuilder::probe_at(const dialogue::Episode& episode, int turn,
                                             Unrolled& u) const {
  const std::size_t window = static_cast<std::size_t>(text_.config().window);
  const std::size_t at = static_cast<std::size_t>(turn);
  Probe probe;
  probe.tokens = u.probe;
  if (u.ends.at(at) + u.probe.size() <= window) {
    probe.attach = static_cast<std::int32_t>(u.ends[at]);
    return probe;
  }
  // Dropping the turns before `first` takes ends[first] - start tokens away.
  const std::size_t query = static_cast<std::size_t>(query_turn(episode, turn));
  const std::size_t excess = u.ends[at] + u.probe.size() - window;
  std::size_t first = 0;
  while (first < query && u.ends[first] - u.start < excess) ++first;
  if (u.ends[first] - u.start < excess) return std::nullopt;
  const auto token = [&](std::size_t i) {
    return u.trunk.tokens.begin() + static_cast<std::ptrdiff_t>(i);
  };
  Trunk shorter;
  shorter.header = u.trunk.header;
  shorter.tokens.assign(token(0), token(u.start));
  shorter.tokens.insert(shorter.tokens.end(), token(u.ends[first]), token(u.ends[at]));
  probe.attach = static_cast<std::int32_t>(shorter.tokens.size());
  u.own.push_back(std::move(shorter));
  probe.trunk = static_cast<std::int32_t>(u.own.size());
  return probe;
}

Comb PromptBuilder::build_comb(const dialogue::Episode& episode) const {
  const std::size_t window = static_cast<std::size_t>(text_.config().window);
  Comb comb;
  comb.id = episode.id;
  comb.initial_intensity = episode.initial_intensity;
  comb.final_intensity = episode.final_intensity;
  comb.option_order = order_of(episode);
  Unrolled u;
  u.trunk.tokens = header_;
  u.probe = probe_;
  if (!comb.option_order.empty()) {
    u.trunk.tokens.clear();
    if (*text_.config().bos) u.trunk.tokens.push_back(*tokenizer_.bos());
    for (const auto& s : text_.header(comb.option_order)) {
      append(u.trunk.tokens, tokenizer_.encode(s));
    }
    u.probe.clear();
    for (const auto& s : text_.probe(comb.option_order)) append(u.probe, tokenizer_.encode(s));
  }
  u.trunk.header = static_cast<std::int32_t>(u.trunk.tokens.size());
  append(u.trunk.tokens, tokenizer_.encode(text_.situation(episode)));
  u.start = u.trunk.tokens.size();
  u.ends = {u.start};
  for (const auto& turn : episode.turns) {
    append(u.trunk.tokens, tokenizer_.encode(text_.turn(turn, comb.option_order)));
    u.ends.push_back(u.trunk.tokens.size());
  }

  for (const auto& d : episode.decisions) {
    auto probe = probe_at(episode, d.turn, u);
    if (!probe) {
      const std::size_t query = static_cast<std::size_t>(query_turn(episode, d.turn));
      fail_window(
          episode, d.turn,
          u.ends[static_cast<std::size_t>(d.turn)] - (u.ends[query] - u.start) + u.probe.size());
    }
    comb.probes.push_back(std::move(*probe));
    comb.decisions.push_back({.turn = d.turn,
                              .gold = d.gold,
                              .previous = d.previous,
                              .terminal = d.terminal,
                              .rating = d.rating,
                              .judge = d.judge,
                              .reward = d.reward,
                              .strategies = strategy_bits(episode, d)});
  }
  comb.final_state = 0;
  const int end = static_cast<int>(episode.turns.size());
  if (!comb.decisions.empty() && comb.decisions.back().turn < end &&
      episode.turns.back().speaker == dialogue::Speaker::seeker) {
    if (auto probe = probe_at(episode, end, u)) {
      comb.probes.push_back(std::move(*probe));
      comb.final_state = 1;
    }
  }
  if (u.trunk.tokens.size() > window) u.trunk.tokens.resize(window);
  u.trunk.header = std::min(u.trunk.header, static_cast<std::int32_t>(u.trunk.tokens.size()));
  comb.trunks.push_back(std::move(u.trunk));
  for (auto& t : u.own) comb.trunks.push_back(std::move(t));
  return comb;
}

std::vector<std::string> PromptBuilder::trunk_segments(const dialogue::Episode& episode,
                                                       int first_turn, int turn) const {
  const OptionOrder order = order_of(episode);
  std::vector<std::string> out = text_.header(order);
  out.push_back(text_.situation(episode));
  for (int t = first_turn; t < turn; ++t) {
    out.push_back(text_.turn(episode.turns.at(static_cast<std::size_t>(t)), order));
  }
  return out;
}

std::vector<std::string> PromptBuilder::segments(const dialogue::Episode& episode, int turn) const {
  std::vector<std::string> out = trunk_segments(episode, 0, turn);
  for (const auto& s : text_.probe(order_of(episode))) out.push_back(s);
  return out;
}

std::vector<TokenId> PromptBuilder::full_prompt(const dialogue::Episode& episode, int turn) const {
  // Deliberately the plain way: encode everything, and once more without the oldest turn while it
  // does not fit. Nothing is shared with build_comb but the texts, so each checks the other.
  const int query = query_turn(episode, turn);
  for (int first = 0;; ++first) {
    std::vector<TokenId> ids;
    if (*text_.config().bos) ids.push_back(*tokenizer_.bos());
    for (const auto& s : trunk_segments(episode, first, turn)) append(ids, tokenizer_.encode(s));
    for (const auto& s : text_.probe(order_of(episode))) append(ids, tokenizer_.encode(s));
    if (ids.size() <= static_cast<std::size_t>(text_.config().window)) return ids;
    if (first >= query) fail_window(episode, turn, ids.size());
  }
}

}  // namespace straq::prompt
