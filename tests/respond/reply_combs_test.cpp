// What a responder is trained on is what `straq respond` sends and should get back.
#include "respond/reply_combs.h"

#include <gtest/gtest.h>

#include <fstream>
#include <map>
#include <memory>

#include "core/error.h"
#include "core/files/files.h"
#include "dialogue/data_config.h"
#include "language/recording.h"
#include "respond/responder.h"
#include "tests/respond/scripted_source.h"
#include "tests/testing.h"
#include "text/training/train.h"

namespace straq::respond {
namespace {

using prompt::TokenId;
using straq::testing::error_of;
using testing::says;
using testing::ScriptedSource;

// Six turns a dialogue, some of which end with marks that tokenizers join with line ends.
std::vector<dialogue::Episode> talks(const dialogue::StrategySet& strategies, int turns = 6) {
  std::vector<dialogue::Episode> out;
  for (int d = 0; d < 2; ++d) {
    dialogue::Episode e;
    e.id = "test/" + std::to_string(d);
    e.emotion = "fear";
    e.situation = d == 0 ? "I lost my job." : "";
    for (int i = 0; i < turns; ++i) {
      dialogue::Turn turn;
      turn.speaker = i % 2 == 0 ? dialogue::Speaker::seeker : dialogue::Speaker::supporter;
      turn.text = i % 2 == 0 ? "It is hard, " + std::to_string(i) + " times over..."
                             : "What do you mean by " + std::to_string(d * i) + "?";
      if (i % 2 == 1) {
        turn.strategy = (i + d) % strategies.size();
        dialogue::Decision decision;
        decision.turn = i;
        decision.gold = turn.strategy;
        decision.terminal = i + 2 > turns - 1;
        e.decisions.push_back(decision);
      }
      e.turns.push_back(std::move(turn));
    }
    out.push_back(std::move(e));
  }
  return out;
}

class ReplyCombsOf : public ::testing::Test {
 protected:
  ReplyCombsOf() {
    config_.wordings = straq::testing::source_path("configs/replies");
    config_.method = "direct";
  }

  // Byte-level tokenizers cut texts by a pattern, sentencepiece cuts nothing at all: both must see
  // whole prompts.
  const text::Tokenizer& tokenizer(const std::string& kind) {
    auto& made = tokenizers_[kind];
    if (made) return *made;
    text::TrainOptions options;
    options.vocab_size = 560;
    options.specials = {"<|im_start|>", "<|im_end|>"};
    options.split = kind == "gpt2" ? text::SplitStyle::gpt2 : text::SplitStyle::llama3;
    if (kind == "sentencepiece") options.kind = text::TokenizerKind::sentencepiece;
    config_.method = "direct";
    auto texts = fixed_texts(config_, strategies_);
    for (const auto& e : talks(strategies_)) {
      for (const auto& turn : e.turns) texts.push_back(turn.text + "\n\nWrite");
    }
    const std::string path = folder_.path(kind + "/" + text::tokenizer_file_name(options.kind));
    make_folders(folder_.path(kind));
    text::train_tokenizer(texts, options, path);
    made = text::open_tokenizer(path);
    return *made;
  }

  // The requests that `straq respond` sends for the decisions of a dialogue, by the machinery that
  // sends them.
  std::vector<language::Request> sent(const dialogue::Episode& episode,
                                      const ContextConfig& context) {
    const auto wording = ContextWording::load(config_.wordings + "/context.yaml");
    SceneConfig scene;
    scene.context = context;
    scene.choose = Choosing::text;
    const Stage stage{strategies_, wording, scene};
    const auto& entry = method_entry(config_.method);
    const auto method = entry.open(config_.wordings + "/" + entry.wording, strategies_);
    std::vector<Task> tasks;
    for (const auto& d : episode.decisions) tasks.push_back({&episode, d.turn, d.gold});
    std::map<std::string, language::Request> asked;
    ScriptedSource source([&](const language::Request& r) {
      asked[r.id] = r;
      return says("Strategy: Question\nReply: Yes?");
    });
    static_cast<void>(respond_to(source, stage, {method}, {tasks}));
    std::vector<language::Request> out;
    for (const auto& d : episode.decisions) {
      out.push_back(asked.at(episode.id + ":" + std::to_string(d.turn)));
    }
    return out;
  }

  static std::vector<TokenId> sequence(const prompt::Comb& comb, std::size_t i) {
    const auto& branch = comb.probes[i];
    const auto& trunk = comb.trunks[static_cast<std::size_t>(branch.trunk)].tokens;
    std::vector<TokenId> out(trunk.begin(), trunk.begin() + branch.attach);
    out.insert(out.end(), branch.tokens.begin(), branch.tokens.end());
    return out;
  }

  straq::testing::TemporaryFolder folder_;
  dialogue::StrategySet strategies_ =
      dialogue::StrategySet::load(straq::testing::source_path("configs/strategies/esconv.yaml"));
  ResponderConfig config_;
  std::map<std::string, std::unique_ptr<text::Tokenizer>> tokenizers_;
};

TEST_F(ReplyCombsOf, PromptsAreTokenForTokenWhatIsAskedAndTargetsWhatIsAnswered) {
  const text::ChatFormat chatml{text::ChatFamily::chatml, "You help.", ""}, plain;
  for (const char* kind : {"gpt2", "llama3", "sentencepiece"}) {
    const auto& words = tokenizer(kind);
    for (const char* method : {"direct", "straq"}) {
      config_.method = method;
      for (const auto order : {ContextOrder::shared, ContextOrder::paper}) {
        for (const std::int64_t turns : {0, 3}) {
          for (const auto& format : {chatml, plain}) {
            config_.context = {};
            config_.context.order = order;
            config_.context.turns = turns;
            const ReplyCombs combs(config_, 4096, strategies_, words, format);
            for (const auto& episode : talks(strategies_)) {
              const auto comb = combs.build_comb(episode);
              const auto requests = sent(episode, config_.context);
              ASSERT_EQ(comb.probes.size(), requests.size());
              for (std::size_t i = 0; i < requests.size(); ++i) {
                auto expected = text::encode_chat(words, format, requests[i].messages);
                const std::size_t prompt = expected.size();
                const auto& d = episode.decisions[i];
                const std::string reply = episode.turns[static_cast<std::size_t>(d.turn)].text;
                const auto target = words.encode(config_.method == "straq"
                                                     ? reply
                                                     : "Strategy: " + strategies_[d.gold].name +
                                                           "\nReply: " + reply);
                expected.insert(expected.end(), target.begin(), target.end());
                expected.push_back(format.family == text::ChatFamily::none
                                       ? *words.eos()
                                       : *words.special("<|im_end|>"));
                EXPECT_EQ(sequence(comb, i), expected) << kind << " " << method << " " << i;
                EXPECT_EQ(comb.probes[i].target,
                          static_cast<std::int32_t>(expected.size() - prompt));
                EXPECT_EQ(comb.decisions[i].gold, d.gold);
                EXPECT_EQ(comb.decisions[i].turn, d.turn);
              }
            }
          }
        }
      }
    }
  }
}

TEST_F(ReplyCombsOf, WhatIsSharedIsLaidOnce) {
  config_.method = "straq";
  const auto& words = tokenizer("llama3");
  const ReplyCombs combs(config_, 4096, strategies_, words, {});
  const auto comb = combs.build_comb(talks(strategies_, 20)[0]);
  ASSERT_EQ(comb.trunks.size(), 1u);
  std::int64_t alone = 0;
  for (std::size_t i = 0; i < comb.probes.size(); ++i) {
    alone += static_cast<std::int64_t>(sequence(comb, i).size());
    EXPECT_EQ(comb.repeated(comb.probes[i]), 0) << "the trunk goes on otherwise";
    if (i == 0) continue;
    EXPECT_GT(comb.probes[i].attach, comb.probes[i - 1].attach);
  }
  EXPECT_LT(3 * comb.token_count(), alone);
  // The trunk ends where the last branch leaves it.
  EXPECT_EQ(static_cast<std::int64_t>(comb.trunks[0].tokens.size()), comb.probes.back().attach);
}

// The part of the target that is the reply itself: what stands behind the strategy's line.
TEST_F(ReplyCombsOf, TheReplyIsToldFromTheStrategyLine) {
  for (const char* kind : {"gpt2", "sentencepiece"}) {
    const auto& words = tokenizer(kind);
    config_.method = "direct";
    const auto episode = talks(strategies_)[0];
    const ReplyCombs direct(config_, 4096, strategies_, words, {});
    const auto comb = direct.build_comb(episode);
    for (std::size_t i = 0; i < comb.probes.size(); ++i) {
      const auto& branch = comb.probes[i];
      const std::vector<TokenId> reply(branch.tokens.end() - branch.reply, branch.tokens.end() - 1);
      const auto turn = static_cast<std::size_t>(episode.decisions[i].turn);
      // Sentencepiece takes the blank before the first word off.
      const std::string text = words.decode(reply);
      EXPECT_EQ(text.substr(text.find_first_not_of(' ')), episode.turns[turn].text);
    }
    config_.method = "straq";
    const ReplyCombs planned(config_, 4096, strategies_, words, {});
    for (const auto& branch : planned.build_comb(episode).probes) {
      EXPECT_EQ(branch.reply, branch.target);
    }
  }
}

TEST_F(ReplyCombsOf, ATargetIsReadBackAsWhatItSays) {
  const auto wording = ContextWording::load(config_.wordings + "/context.yaml");
  const SceneConfig scene;
  const Stage stage{strategies_, wording, scene};
  const ReplyCombs combs(config_, 4096, strategies_, tokenizer("llama3"), {});
  const auto method = open_direct(config_.wordings + "/direct.yaml", strategies_);
  auto episode = talks(strategies_)[0];
  for (int s = 0; s < strategies_.size(); ++s) {
    episode.decisions[0].gold = s;
    const auto target = combs.target(episode, episode.decisions[0]);
    ScriptedSource source([&](const language::Request&) { return says(target.whole()); });
    const auto out =
        respond_to(source, stage, {method}, {{{&episode, 1, std::nullopt}}}).at(0).at(0).value();
    EXPECT_EQ(out.strategy, s) << target.whole();
    EXPECT_EQ(out.reply, episode.turns[1].text);
    EXPECT_TRUE(out.unread.empty());
  }
}

TEST_F(ReplyCombsOf, WhatExceedsTheWindowIsShownWithFewerTurns) {
  const auto& words = tokenizer("llama3");
  const auto episode = talks(strategies_, 30)[0];
  const auto whole = ReplyCombs(config_, 100000, strategies_, words, {}).build_comb(episode);
  const auto longest = static_cast<int>(sequence(whole, whole.probes.size() - 1).size());
  const int window = longest - 40;
  const auto comb = ReplyCombs(config_, window, strategies_, words, {}).build_comb(episode);
  std::size_t shortened = 0;
  for (std::size_t i = 0; i < comb.probes.size(); ++i) {
    const auto mine = sequence(comb, i);
    EXPECT_LE(static_cast<int>(mine.size()), window);
    if (mine == sequence(whole, i)) continue;
    ++shortened;
    // It is what is asked with a smaller context.turns, and one turn more would not fit.
    std::vector<TokenId> prompt(mine.begin(), mine.end() - comb.probes[i].target);
    bool found = false;
    for (std::int64_t turns = 1; turns < episode.decisions[i].turn && !found; ++turns) {
      ContextConfig context = config_.context;
      context.turns = turns;
      if (text::encode_chat(words, {}, sent(episode, context)[i].messages) != prompt) continue;
      found = true;
      context.turns = turns + 1;
      const auto more = text::encode_chat(words, {}, sent(episode, context)[i].messages);
      EXPECT_GT(static_cast<int>(more.size()) + comb.probes[i].target, window);
    }
    EXPECT_TRUE(found) << "decision " << i;
  }
  EXPECT_GT(shortened, 0u);
  EXPECT_LT(shortened, comb.probes.size());
  const auto e = error_of([&] {
    static_cast<void>(ReplyCombs(config_, 100, strategies_, words, {}).build_comb(episode));
  });
  ASSERT_TRUE(e);
  EXPECT_NE(std::string(e->what()).find("prompt.window: decision test/0:1"), std::string::npos)
      << e->what();
}

TEST_F(ReplyCombsOf, ADialogueWithoutDecisionsHasNothingToLearn) {
  auto episode = talks(strategies_)[0];
  episode.decisions.clear();
  const auto comb =
      ReplyCombs(config_, 4096, strategies_, tokenizer("llama3"), {}).build_comb(episode);
  EXPECT_TRUE(comb.probes.empty());
  EXPECT_FALSE(comb.learns_replies());
  ASSERT_EQ(comb.trunks.size(), 1u);
  EXPECT_TRUE(comb.trunks[0].tokens.empty());
}

TEST_F(ReplyCombsOf, TheFingerprintKnowsAllThatDecidesOnTokens) {
  const auto& words = tokenizer("llama3");
  const auto of = [&](const ResponderConfig& config, const text::ChatFormat& format = {}) {
    return ReplyCombs(config, 4096, strategies_, words, format).fingerprint();
  };
  const auto first = of(config_);
  EXPECT_EQ(of(config_), first);
  auto other = config_;
  other.method = "straq";
  EXPECT_NE(of(other), first);
  other = config_;
  other.context.history_strategy = false;
  EXPECT_NE(of(other), first);
  EXPECT_NE(of(config_, {text::ChatFamily::chatml, "", ""}), first);
  other = config_;
  other.wordings = folder_.path("w");
  make_folders(other.wordings);
  for (const char* name : {"context.yaml", "direct.yaml"}) {
    std::ofstream(other.wordings + "/" + name) << read_file(config_.wordings + "/" + name);
  }
  EXPECT_EQ(of(other), first) << "the folder's name changes nothing";
  std::ofstream(other.wordings + "/direct.yaml") << "ask: Go.\nchoose: c\nwrite: w {strategy}\n";
  EXPECT_NE(of(other), first);
}

// Silence at the end would teach a model never to stop.
TEST_F(ReplyCombsOf, ATokenizerThatCannotEndAReplyIsRefused) {
  class Endless : public text::Tokenizer {
   public:
    std::vector<TokenId> encode(std::string_view text) const override {
      return {text.begin(), text.end()};
    }
    std::string decode(const std::vector<TokenId>&) const override { return {}; }
    int vocab_size() const override { return 256; }
    std::optional<TokenId> special(std::string_view) const override { return {}; }
    std::optional<TokenId> bos() const override { return {}; }
    std::optional<TokenId> eos() const override { return {}; }
    std::string fingerprint() const override { return "endless"; }
  } words;
  const auto e = error_of([&] { ReplyCombs(config_, 4096, strategies_, words, {}); });
  ASSERT_TRUE(e);
  EXPECT_NE(std::string(e->what()).find("end a reply"), std::string::npos) << e->what();
}

}  // namespace
}  // namespace straq::respond
