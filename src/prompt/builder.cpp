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

Comb PromptBuilder::build_comb(const dialogue::Episode& episode) const {
  const std::size_t window = static_cast<std::size_t>(text_.config().window);
  Comb comb;
  comb.id = episode.id;
  comb.initial_intensity = episode.initial_intensity;
  comb.final_intensity = episode.final_intensity;
  Trunk trunk;
  trunk.tokens = header_;
  append(trunk.tokens, tokenizer_.encode(text_.situation(episode)));
  trunk.header = static_cast<std::int32_t>(header_.size());
  const std::size_t start = trunk.tokens.size();
  // ends[t]: trunk tokens before turn t, so that a state at turn t attaches there.
  std::vector<std::size_t> ends = {start};
  for (const auto& turn : episode.turns) {
    append(trunk.tokens, tokenizer_.encode(text_.turn(turn)));
    ends.push_back(trunk.tokens.size());
  }

  std::vector<Trunk> own;  // of decisions that exceed the window
  for (const auto& d : episode.decisions) {
    Probe probe;
    probe.tokens = probe_;
    const std::size_t at = static_cast<std::size_t>(d.turn);
    if (ends.at(at) + probe_.size() <= window) {
      probe.attach = static_cast<std::int32_t>(ends[at]);
    } else {
      // Dropping the turns before `first` takes ends[first] - start tokens away.
      const std::size_t query = static_cast<std::size_t>(query_turn(episode, d.turn));
      const std::size_t excess = ends[at] + probe_.size() - window;
      std::size_t first = 0;
      while (first < query && ends[first] - start < excess) ++first;
      if (ends[first] - start < excess) {
        fail_window(episode, d.turn, ends[at] - (ends[first] - start) + probe_.size());
      }
      const auto token = [&](std::size_t i) {
        return trunk.tokens.begin() + static_cast<std::ptrdiff_t>(i);
      };
      Trunk shorter;
      shorter.header = trunk.header;
      shorter.tokens.assign(token(0), token(start));
      shorter.tokens.insert(shorter.tokens.end(), token(ends[first]), token(ends[at]));
      probe.attach = static_cast<std::int32_t>(shorter.tokens.size());
      own.push_back(std::move(shorter));
      probe.trunk = static_cast<std::int32_t>(own.size());
    }
    comb.probes.push_back(std::move(probe));
    comb.decisions.push_back({.turn = d.turn,
                              .gold = d.gold,
                              .previous = d.previous,
                              .terminal = d.terminal,
                              .rating = d.rating,
                              .judge = d.judge,
                              .reward = d.reward});
  }
  if (trunk.tokens.size() > window) trunk.tokens.resize(window);
  trunk.header = std::min(trunk.header, static_cast<std::int32_t>(trunk.tokens.size()));
  comb.trunks.push_back(std::move(trunk));
  for (auto& t : own) comb.trunks.push_back(std::move(t));
  return comb;
}

std::vector<std::string> PromptBuilder::trunk_segments(const dialogue::Episode& episode,
                                                       int first_turn, int turn) const {
  std::vector<std::string> out = text_.header();
  out.push_back(text_.situation(episode));
  for (int t = first_turn; t < turn; ++t) {
    out.push_back(text_.turn(episode.turns.at(static_cast<std::size_t>(t))));
  }
  return out;
}

std::vector<std::string> PromptBuilder::segments(const dialogue::Episode& episode, int turn) const {
  std::vector<std::string> out = trunk_segments(episode, 0, turn);
  out.insert(out.end(), text_.probe().begin(), text_.probe().end());
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
    for (const auto& s : text_.probe()) append(ids, tokenizer_.encode(s));
    if (ids.size() <= static_cast<std::size_t>(text_.config().window)) return ids;
    if (first >= query) fail_window(episode, turn, ids.size());
  }
}

}  // namespace straq::prompt
