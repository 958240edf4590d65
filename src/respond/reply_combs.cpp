#include "respond/reply_combs.h"

#include <algorithm>
#include <numeric>

#include "config/value.h"
#include "core/error.h"
#include "core/files/files.h"
#include "core/hash.h"
#include "language/talk.h"

namespace straq::respond {
namespace {

constexpr const char* kDirect = "direct";

std::string wording_path(const ResponderConfig& config, const std::string& file) {
  return config.wordings + "/" + file;
}

Method open_method(const ResponderConfig& config, const dialogue::StrategySet& strategies) {
  const MethodEntry& entry = method_entry(config.method);
  return entry.open(wording_path(config, entry.wording), strategies);
}

// "Strategy: Question" and the label of what follows it, as answer_labels() are read.
std::string lead_of(const dialogue::Strategy& strategy) {
  return "Strategy: " + strategy.name + "\nReply:";
}

std::size_t common_prefix(const std::vector<prompt::TokenId>& a,
                          const std::vector<prompt::TokenId>& b) {
  return static_cast<std::size_t>(std::mismatch(a.begin(), a.end(), b.begin(), b.end()).first -
                                  a.begin());
}

// What the decision's context shows when nothing is left out.
std::int64_t shown_turns(const ContextConfig& config, int turn) {
  return turn - first_shown(config, turn);
}

}  // namespace

void ResponderConfig::fields(config::Fields& f) {
  f.word("method", method, {{"none", true}, {kDirect, true}, {"straq", true}});
  f("wordings", wordings);
  f("context", context);
}

// A decision's prompt with its target.
struct ReplyCombs::Sequence {
  std::vector<prompt::TokenId> prompt, target;
  std::size_t reply = 0;  // of the target's last tokens
  bool shortened = false;
};

ReplyCombs::ReplyCombs(const ResponderConfig& config, int window,
                       const dialogue::StrategySet& strategies, const text::Tokenizer& tokenizer,
                       const text::ChatFormat& format)
    : config_(config),
      window_(window),
      strategies_(strategies),
      tokenizer_(tokenizer),
      format_(format),
      wording_(ContextWording::load(wording_path(config, "context.yaml"))),
      method_(open_method(config, strategies)),
      end_(text::end_of_reply(tokenizer, format)) {
  Sha256 all;
  all.update("replies 1\n" + config.method + "\n");
  all.update(config::to_yaml(config::dump(config.context)));
  // The wording by what it says: a file's path and its comments change no token.
  all.update(config::to_yaml(config::dump(wording_)));
  const config::Value asks =
      config::load_config(wording_path(config, method_entry(config.method).wording));
  all.update(config::to_yaml(asks));
  all.update(text::words_of(format) + "\n" + format.default_system + "\n" + format.bos + "\n");
  for (const auto& s : strategies.items()) all.update(s.name + "\n" + s.definition + "\n");
  fingerprint_ = all.hex();
}

std::vector<language::Message> ReplyCombs::messages(const dialogue::Episode& episode,
                                                    const dialogue::Decision& decision,
                                                    std::int64_t turns) const {
  SceneConfig scene_config;
  scene_config.context = config_.context;
  scene_config.context.turns = turns;
  const Stage stage{strategies_, wording_, scene_config};
  Task task{&episode, decision.turn, std::nullopt};
  if (method_entry(config_.method).planned) task.plan = decision.gold;
  const auto asked = language::requests_of([&](language::Inquiry& inquiry) {
    Scene scene(inquiry, stage, task);
    method_.reply(scene);
  });
  return asked.at(0).messages;
}

std::vector<prompt::TokenId> ReplyCombs::prompt_of(const dialogue::Episode& episode,
                                                   const dialogue::Decision& decision,
                                                   std::int64_t turns) const {
  return text::encode_chat(tokenizer_, format_, messages(episode, decision, turns));
}

TargetText ReplyCombs::target(const dialogue::Episode& episode,
                              const dialogue::Decision& decision) const {
  TargetText out;
  if (config_.method == kDirect) out.lead = lead_of(strategies_[decision.gold]);
  out.reply = episode.turns.at(static_cast<std::size_t>(decision.turn)).text;
  return out;
}

ReplyCombs::Sequence ReplyCombs::sequence_of(const dialogue::Episode& episode,
                                             const dialogue::Decision& decision) const {
  Sequence out;
  const TargetText text = target(episode, decision);
  out.target = tokenizer_.encode(text.whole());
  const std::size_t lead =
      text.lead.empty() ? 0 : common_prefix(tokenizer_.encode(text.lead), out.target);
  out.target.push_back(end_);
  out.reply = out.target.size() - lead;
  const auto fits = [&](const std::vector<prompt::TokenId>& prompt) {
    return prompt.size() + out.target.size() <= static_cast<std::size_t>(window_);
  };
  out.prompt = prompt_of(episode, decision, config_.context.turns);
  if (fits(out.prompt)) return out;
  // The most turns that fit: fewer turns are never longer.
  out.shortened = true;
  std::int64_t fewest = 1, most = shown_turns(config_.context, decision.turn) - 1;
  std::vector<prompt::TokenId> best;
  while (fewest <= most) {
    const std::int64_t turns = (fewest + most + 1) / 2;
    auto prompt = prompt_of(episode, decision, turns);
    if (fits(prompt)) {
      best = std::move(prompt);
      fewest = turns + 1;
    } else {
      most = turns - 1;
    }
  }
  if (best.empty()) {
    fail_input("prompt.window: decision " + episode.id + ":" + std::to_string(decision.turn) +
                   " needs more than " + std::to_string(window_) +
                   " tokens for what the responder is asked, the last turn and the reply",
               "raise prompt.window");
  }
  out.prompt = std::move(best);
  return out;
}

prompt::Comb ReplyCombs::build_comb(const dialogue::Episode& episode) const {
  prompt::Comb comb;
  comb.id = episode.id;
  comb.initial_intensity = episode.initial_intensity;
  comb.final_intensity = episode.final_intensity;
  comb.final_state = 0;
  comb.trunks.resize(1);
  std::vector<Sequence> sequences;
  for (const auto& d : episode.decisions) sequences.push_back(sequence_of(episode, d));
  if (sequences.empty()) return comb;
  // The last prompt that shows all turns holds the most of the others.
  auto& trunk = comb.trunks.front().tokens;
  const auto whole = std::find_if(sequences.rbegin(), sequences.rend(),
                                  [](const Sequence& s) { return !s.shortened; });
  trunk = whole == sequences.rend() ? sequences.back().prompt : whole->prompt;
  std::size_t reach = 0;
  for (std::size_t i = 0; i < sequences.size(); ++i) {
    const Sequence& s = sequences[i];
    const auto& d = episode.decisions[i];
    const std::size_t attach = common_prefix(s.prompt, trunk);
    reach = std::max(reach, attach);
    prompt::Probe branch;
    branch.attach = static_cast<std::int32_t>(attach);
    branch.tokens.assign(s.prompt.begin() + static_cast<std::ptrdiff_t>(attach), s.prompt.end());
    branch.tokens.insert(branch.tokens.end(), s.target.begin(), s.target.end());
    branch.target = static_cast<std::int32_t>(s.target.size());
    branch.reply = static_cast<std::int32_t>(s.reply);
    comb.probes.push_back(std::move(branch));
    comb.decisions.push_back({.turn = d.turn,
                              .gold = d.gold,
                              .previous = d.previous,
                              .terminal = d.terminal,
                              .rating = d.rating,
                              .judge = d.judge,
                              .reward = d.reward});
  }
  trunk.resize(reach);
  return comb;
}

std::vector<std::string> fixed_texts(const ResponderConfig& config,
                                     const dialogue::StrategySet& strategies) {
  const auto wording = ContextWording::load(wording_path(config, "context.yaml"));
  const Method method = open_method(config, strategies);
  dialogue::Episode nobody;
  SceneConfig scene_config;
  scene_config.context = config.context;
  const Stage stage{strategies, wording, scene_config};
  std::vector<std::string> out;
  for (int s = 0; s < strategies.size(); ++s) {
    const Task task{&nobody, 0, s};
    const auto asked = language::requests_of([&](language::Inquiry& inquiry) {
      Scene scene(inquiry, stage, task);
      method.reply(scene);
    });
    for (const auto& message : asked.at(0).messages) out.push_back(message.content);
    out.push_back(lead_of(strategies[s]));
  }
  return out;
}

}  // namespace straq::respond
