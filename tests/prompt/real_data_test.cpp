// Combs of the real corpus under real tokenizers: the contract of comb.h on every dialogue.
#include <gtest/gtest.h>

#include <set>

#include "dialogue/data_config.h"
#include "prompt/builder.h"
#include "tests/testing.h"

namespace straq::prompt {
namespace {

PromptConfig config(Layout layout, int window = 2048, const std::string& name = "planner") {
  PromptConfig c;
  c.template_path = testing::source_path("configs/prompts/" + name + ".yaml");
  c.layout = layout;
  c.window = window;
  return c;
}

const dialogue::Splits& test_split() {
  static const dialogue::Splits splits = [] {
    dialogue::DataConfig data;
    data.test = *testing::data_path("esconv/test.txt");
    return dialogue::load_splits(
        data, dialogue::StrategySet::load(testing::source_path("configs/strategies/esconv.yaml")));
  }();
  return splits;
}

struct Case {
  const char* tokenizer;
  Layout layout;
  int window;
  // Every so many dialogues: the plain prompt encodes a dialogue once for each of its decisions,
  // which takes sentencepiece half a minute for the whole split.
  std::size_t stride = 1;
};

class RealCombs : public ::testing::TestWithParam<Case> {};
INSTANTIATE_TEST_SUITE_P(Esconv, RealCombs,
                         ::testing::Values(Case{"llama3/tokenizer.model", Layout::comb, 2048},
                                           Case{"llama3/tokenizer.model", Layout::paper, 2048},
                                           Case{"llama3/tokenizer.model", Layout::comb, 700},
                                           Case{"llama3/tokenizer.model", Layout::paper, 700},
                                           Case{"llama2/tokenizer.model", Layout::comb, 800, 8},
                                           Case{"llama2/tokenizer.model", Layout::paper, 800, 8},
                                           Case{"gpt2", Layout::comb, 700}),
                         [](const auto& info) {
                           std::string name = info.param.tokenizer;
                           name = name.substr(0, name.find('/'));
                           return name +
                                  (info.param.layout == Layout::comb ? "_comb_" : "_paper_") +
                                  std::to_string(info.param.window);
                         });

TEST_P(RealCombs, GiveEachDecisionItsOwnPrompt) {
  STRAQ_REQUIRE_DATA(corpus, "esconv/test.txt");
  STRAQ_REQUIRE_DATA(path, std::string("tokenizers/") + GetParam().tokenizer);
  const auto tokenizer = text::open_tokenizer(path);
  const auto& splits = test_split();
  const PromptBuilder builder(config(GetParam().layout, GetParam().window), splits.strategies,
                              *tokenizer);
  const auto& ids = builder.option_ids();
  EXPECT_EQ(std::set<TokenId>(ids.begin(), ids.end()).size(), 8u);
  std::size_t decisions = 0, own_trunks = 0;
  const auto& episodes = splits.splits.at(0).episodes;
  for (std::size_t e = 0; e < episodes.size(); e += GetParam().stride) {
    const auto& episode = episodes[e];
    const Comb comb = builder.build_comb(episode);
    ASSERT_EQ(comb.decisions.size(), episode.decisions.size());
    for (std::size_t i = 0; i < comb.probes.size(); ++i) {
      const auto& probe = comb.probes[i];
      const auto& trunk = comb.trunks[static_cast<std::size_t>(probe.trunk)].tokens;
      std::vector<TokenId> state(trunk.begin(), trunk.begin() + probe.attach);
      state.insert(state.end(), probe.tokens.begin(), probe.tokens.end());
      const bool final = i == comb.decisions.size();
      const int turn = final ? static_cast<int>(episode.turns.size()) : episode.decisions[i].turn;
      ASSERT_EQ(state, builder.full_prompt(episode, turn)) << comb.id << ":" << turn;
    }
    decisions += comb.decisions.size();
    own_trunks += comb.trunks.size() - 1;
  }
  if (GetParam().stride == 1) {
    EXPECT_EQ(decisions, 2295u);
  }
  if (GetParam().window < 1000) {
    EXPECT_GT(own_trunks, 0u);  // the window was tight enough to try the fallback
  }
}

// Segment by segment, the ids are those of the whole text: what the model reads is ordinary text.
class WholeText : public ::testing::TestWithParam<const char*> {};
INSTANTIATE_TEST_SUITE_P(ByteLevel, WholeText, ::testing::Values("llama3/tokenizer.model", "gpt2"),
                         [](const auto& info) { return std::string(info.param).substr(0, 4); });

TEST_P(WholeText, IsEncodedAsItsSegmentsAre) {
  STRAQ_REQUIRE_DATA(corpus, "esconv/test.txt");
  STRAQ_REQUIRE_DATA(path, std::string("tokenizers/") + GetParam());
  const auto tokenizer = text::open_tokenizer(path);
  const auto& splits = test_split();
  for (const auto& [layout, name] :
       {std::pair(Layout::comb, "planner"), std::pair(Layout::paper, "planner"),
        std::pair(Layout::comb, "compact")}) {
    const PromptBuilder builder(config(layout, 1 << 20, name), splits.strategies, *tokenizer);
    int differing = 0;
    const auto& episodes = splits.splits.at(0).episodes;
    ASSERT_EQ(episodes.size(), 195u);
    for (const auto& episode : episodes) {
      std::string text;
      for (const auto& s : builder.segments(episode, static_cast<int>(episode.turns.size()))) {
        text += s;
      }
      std::vector<TokenId> whole = tokenizer->encode(text);
      if (tokenizer->adds_bos()) whole.insert(whole.begin(), *tokenizer->bos());
      differing += whole != builder.full_prompt(episode, static_cast<int>(episode.turns.size()));
    }
    EXPECT_EQ(differing, 0);
  }
}

TEST(RealOptions, LettersAreSingleTokensToo) {
  STRAQ_REQUIRE_DATA(corpus, "esconv/test.txt");
  for (const char* name : {"llama3/tokenizer.model", "llama2/tokenizer.model", "gpt2"}) {
    STRAQ_REQUIRE_DATA(path, std::string("tokenizers/") + name);
    const auto tokenizer = text::open_tokenizer(path);
    for (const bool space : {false, true}) {
      PromptConfig c = config(Layout::comb);
      c.options.tokens = OptionTokens::letter;
      c.options.leading_space = space;
      const PromptBuilder builder(c, test_split().strategies, *tokenizer);
      const std::string second = tokenizer->decode({builder.option_ids()[1]});
      EXPECT_NE(second.find('B'), std::string::npos) << name << space;
    }
  }
}

TEST(RealOptions, ADigitWithABlankIsTwoTokensInLlama3AndIsRefused) {
  STRAQ_REQUIRE_DATA(corpus, "esconv/test.txt");
  STRAQ_REQUIRE_DATA(path, "tokenizers/llama3/tokenizer.model");
  const auto tokenizer = text::open_tokenizer(path);
  PromptConfig c = config(Layout::comb);
  c.options.leading_space = true;
  const auto e = testing::error_of([&] { PromptBuilder(c, test_split().strategies, *tokenizer); });
  ASSERT_TRUE(e);
  EXPECT_NE(std::string(e->what()).find("option \" 1\""), std::string::npos) << e->what();
}

}  // namespace
}  // namespace straq::prompt
