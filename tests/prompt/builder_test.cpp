#include "prompt/builder.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "tests/prompt/tokenizers.h"
#include "tests/testing.h"

namespace straq::prompt {
namespace {

using dialogue::Decision;
using dialogue::Episode;
using dialogue::Speaker;
using testing::ByteTokenizer;

const dialogue::StrategySet& strategies() {
  static const auto set =
      dialogue::StrategySet::load(testing::source_path("configs/strategies/esconv.yaml"));
  return set;
}

PromptConfig config(Layout layout = Layout::comb, int window = 100000) {
  PromptConfig c;
  c.template_path = testing::source_path("configs/prompts/planner.yaml");
  c.layout = layout;
  c.window = window;
  return c;
}

const AnswerPieces& answer() {
  static const Template pieces = Template::load(config().template_path);
  return pieces.answer;
}

// Five decisions; the third answers a long seeker turn; the dialogue ends with the seeker.
Episode episode() {
  Episode e;
  e.id = "made-up/00000";
  e.emotion = "anxiety";
  e.problem = "job crisis";
  e.situation = "My contract ends in May {and} nobody says what comes then.";
  int previous = -1;
  for (int i = 0; i < 11; ++i) {
    dialogue::Turn t;
    t.speaker = i % 2 == 0 ? Speaker::seeker : Speaker::supporter;
    t.text = "turn " + std::to_string(i) + std::string(i == 4 ? 90 : 10, 'a' + i);
    if (i % 2 == 1) {
      t.strategy = (i * 3) % 8;
      e.decisions.push_back({i, t.strategy, previous, i == 9});
      previous = t.strategy;
    }
    e.turns.push_back(std::move(t));
  }
  return e;
}

std::vector<TokenId> state_ids(const Comb& comb, std::size_t i) {
  const auto& p = comb.probes.at(i);
  const auto& t = comb.trunks.at(static_cast<std::size_t>(p.trunk)).tokens;
  std::vector<TokenId> ids(t.begin(), t.begin() + p.attach);
  ids.insert(ids.end(), p.tokens.begin(), p.tokens.end());
  return ids;
}

class Layouts : public ::testing::TestWithParam<Layout> {};
INSTANTIATE_TEST_SUITE_P(Both, Layouts, ::testing::Values(Layout::comb, Layout::paper),
                         [](const auto& i) { return i.param == Layout::comb ? "comb" : "paper"; });

TEST_P(Layouts, EveryStateOfACombIsItsOwnPrompt) {
  // Also where segments are prefixed, and at every window from roomy to the smallest possible.
  for (const bool prefix : {false, true}) {
    const ByteTokenizer tokenizer({"turn ", "Seeker: ", "er: "}, prefix);
    const Episode e = episode();
    int smallest = 0;
    for (int window = 3000; window > 0; window -= 7) {
      try {
        const PromptBuilder builder(config(GetParam(), window), strategies(), tokenizer);
        const Comb comb = builder.build_comb(e);
        ASSERT_EQ(comb.decisions.size(), 5u);
        for (std::size_t i = 0; i < comb.probes.size(); ++i) {
          const auto ids = state_ids(comb, i);
          // The last one is the state behind the seeker's last words.
          const int turn = i < 5 ? e.decisions[i].turn : static_cast<int>(e.turns.size());
          ASSERT_EQ(ids, builder.full_prompt(e, turn)) << window << " " << i;
          ASSERT_LE(ids.size(), static_cast<std::size_t>(window));
        }
        for (const auto& t : comb.trunks)
          ASSERT_LE(t.tokens.size(), static_cast<std::size_t>(window));
        smallest = window;
      } catch (const Error& error) {
        EXPECT_NE(std::string(error.what()).find("prompt.window"), std::string::npos);
        break;
      }
    }
    EXPECT_GT(smallest, 400);
    EXPECT_LT(smallest, 2000);
  }
}

TEST_P(Layouts, OneTrunkServesAllDecisionsWhenTheWindowIsRoomy) {
  const ByteTokenizer tokenizer;
  const PromptBuilder builder(config(GetParam()), strategies(), tokenizer);
  const Comb comb = builder.build_comb(episode());
  ASSERT_EQ(comb.trunks.size(), 1u);
  EXPECT_EQ(comb.id, "made-up/00000");
  for (std::size_t i = 1; i < comb.decisions.size(); ++i) {
    EXPECT_GT(comb.probes[i].attach, comb.probes[i - 1].attach);
    EXPECT_EQ(comb.probes[i].tokens, comb.probes[0].tokens);
    EXPECT_EQ(comb.decisions[i].previous, comb.decisions[i - 1].gold);
  }
  EXPECT_TRUE(comb.decisions.back().terminal);
  // The trunk goes on after the last decision: the language model learns from all of it.
  const std::string text = tokenizer.decode(comb.trunks[0].tokens);
  EXPECT_NE(text.find("turn 10kkkkk"), std::string::npos);
}

TEST_P(Layouts, AStateHoldsSituationEmotionHistoryAndQueryAndNoLaterWord) {
  const ByteTokenizer tokenizer;
  const PromptBuilder builder(config(GetParam()), strategies(), tokenizer);
  const Episode e = episode();
  const std::string text = tokenizer.decode(builder.full_prompt(e, 5));
  for (const char* part : {"anxiety", "My contract ends in May {and} nobody", "turn 0", "turn 3",
                           "turn 4", "(1) Question\n", "(8) Others\n"}) {
    EXPECT_NE(text.find(part), std::string::npos) << part;
  }
  EXPECT_EQ(text.find("turn 5"), std::string::npos);
  EXPECT_EQ(text.find("job crisis"), std::string::npos);  // problem_type is off by default
  EXPECT_TRUE(text.starts_with("<bos>You"));
  EXPECT_TRUE(text.ends_with("Best strategy: ("));
  // Earlier turns show their strategy; the one to be decided is not there yet.
  EXPECT_NE(text.find("Supporter [" + strategies()[(1 * 3) % 8].name + "]: turn 1"),
            std::string::npos);
  const bool options_first = text.find("(1) Question") < text.find("turn 0");
  EXPECT_EQ(options_first, GetParam() == Layout::comb);
  const bool asked_first = text.find("from (1) to (8)") < text.find("turn 0");
  EXPECT_EQ(asked_first, GetParam() == Layout::comb);
}

TEST_P(Layouts, TheHeaderIsWhatAllDialoguesShare) {
  const ByteTokenizer tokenizer;
  const PromptBuilder builder(config(GetParam()), strategies(), tokenizer);
  Episode other = episode();
  other.emotion = "sadness";
  other.situation = "Else.";
  const Comb a = builder.build_comb(episode()), b = builder.build_comb(other);
  ASSERT_EQ(a.trunks[0].header, builder.header_tokens());
  ASSERT_EQ(a.trunks[0].header, b.trunks[0].header);
  EXPECT_TRUE(std::equal(a.trunks[0].tokens.begin(),
                         a.trunks[0].tokens.begin() + a.trunks[0].header,
                         b.trunks[0].tokens.begin()));
  const std::string head = tokenizer.decode(
      {a.trunks[0].tokens.begin(), a.trunks[0].tokens.begin() + a.trunks[0].header});
  EXPECT_EQ(head.find("anxiety"), std::string::npos);
  EXPECT_TRUE(head.ends_with("\n"));
}

TEST_P(Layouts, TruncationDropsTheOldestTurnsOnly) {
  const ByteTokenizer tokenizer;
  const Episode e = episode();
  const PromptBuilder roomy(config(GetParam()), strategies(), tokenizer);
  // Two bytes too few for the last decision: exactly the oldest turn goes.
  const int window = static_cast<int>(roomy.full_prompt(e, 9).size()) - 2;
  const PromptBuilder tight(config(GetParam(), window), strategies(), tokenizer);
  const std::string text = tokenizer.decode(tight.full_prompt(e, 9));
  EXPECT_EQ(text.find("turn 0"), std::string::npos);
  for (const char* kept : {"turn 1", "turn 8", "anxiety", "My contract", "(8) Others", "You are"}) {
    EXPECT_NE(text.find(kept), std::string::npos) << kept;
  }
  const Comb comb = tight.build_comb(e);
  ASSERT_EQ(comb.trunks.size(), 3u);
  EXPECT_EQ(comb.probes[3].trunk, 0);
  EXPECT_EQ(comb.probes[4].trunk, 1);
  EXPECT_EQ(comb.probes[5].trunk, 2) << "of the state behind the last words";
}

TEST_P(Layouts, ShuffledOptionsKeepTheirLabelsInOrderAndTheirStrategiesKnown) {
  const ByteTokenizer tokenizer;
  PromptConfig shuffled = config(GetParam());
  shuffled.options.shuffle = true;
  const PromptBuilder builder(shuffled, strategies(), tokenizer);
  const PromptBuilder plain(config(GetParam()), strategies(), tokenizer);
  EXPECT_EQ(builder.option_ids(), plain.option_ids());
  EXPECT_NE(builder.fingerprint(), plain.fingerprint());
  std::set<OptionOrder> orders;
  for (const char* id : {"made-up/00000", "made-up/00001", "made-up/00002"}) {
    Episode e = episode();
    e.id = id;
    const Comb comb = builder.build_comb(e);
    ASSERT_EQ(comb.option_order.size(), 8u);
    EXPECT_EQ(comb.option_order, shuffled_options(id, 8));
    orders.insert(comb.option_order);
    // The list names the strategy of each label, the history tags turns with the same labels.
    const std::string text = tokenizer.decode(state_ids(comb, 4));
    for (int place = 0; place < 8; ++place) {
      const auto& name = strategies()[comb.option_order[static_cast<std::size_t>(place)]].name;
      EXPECT_NE(text.find("(" + std::to_string(place + 1) + ") " + name), std::string::npos)
          << place << "\n"
          << text;
      EXPECT_EQ(
          comb.labels(
              8)[static_cast<std::size_t>(comb.option_order[static_cast<std::size_t>(place)])],
          place);
    }
    for (std::size_t i = 0; i < comb.probes.size(); ++i) {
      const int turn = i < 5 ? e.decisions[i].turn : static_cast<int>(e.turns.size());
      EXPECT_EQ(state_ids(comb, i), builder.full_prompt(e, turn)) << i;
    }
  }
  EXPECT_EQ(orders.size(), 3u);
  EXPECT_TRUE(plain.build_comb(episode()).option_order.empty());
  EXPECT_EQ(plain.build_comb(episode()).labels(3), (std::vector<std::int64_t>{0, 1, 2}));
}

TEST(Builder, TheStateBehindASeekersLastWordsIsAskedAboutToo) {
  const ByteTokenizer tokenizer;
  const PromptBuilder builder(config(), strategies(), tokenizer);
  Episode e = episode();
  ASSERT_EQ(e.turns.back().speaker, dialogue::Speaker::seeker);
  const Comb comb = builder.build_comb(e);
  EXPECT_EQ(comb.final_state, 1);
  ASSERT_EQ(comb.probes.size(), comb.decisions.size() + 1);
  EXPECT_EQ(comb.probes.back().attach, static_cast<std::int32_t>(comb.trunks[0].tokens.size()));
  EXPECT_EQ(comb.probes.back().tokens, comb.probes.front().tokens);
  e.turns.pop_back();  // now the supporter has the last word
  const Comb other = builder.build_comb(e);
  EXPECT_EQ(other.final_state, 0);
  EXPECT_EQ(other.probes.size(), other.decisions.size());
  // A state that the window cannot hold is left out; it is nobody's decision.
  e.turns.push_back(episode().turns.back());
  e.turns.back().text = std::string(5000, 'q');
  const PromptBuilder tight(config(Layout::comb, 3000), strategies(), tokenizer);
  EXPECT_EQ(tight.build_comb(e).final_state, 0);
}

TEST(Builder, NamesTheDecisionWhoseQueryAloneExceedsTheWindow) {
  const ByteTokenizer tokenizer;
  Episode e = episode();
  e.turns[4].text = std::string(5000, 'q');
  const PromptBuilder builder(config(Layout::comb, 3000), strategies(), tokenizer);
  const auto error = testing::error_of([&] { builder.build_comb(e); });
  ASSERT_TRUE(error);
  EXPECT_EQ(error->kind(), ErrorKind::input);
  EXPECT_NE(std::string(error->what()).find("made-up/00000:5"), std::string::npos) << error->what();
  const auto same = testing::error_of([&] { builder.full_prompt(e, 5); });
  ASSERT_TRUE(same);
  EXPECT_EQ(std::string(same->what()), error->what());
  // The hint's number is enough.
  const int need = std::stoi(error->hint().substr(error->hint().rfind(' ')));
  const PromptBuilder enough(config(Layout::comb, need), strategies(), tokenizer);
  EXPECT_EQ(enough.full_prompt(e, 5).size(), static_cast<std::size_t>(need));
}

TEST(Builder, KeepsTheQueryWhenUnmergedSupporterTurnsFollowIt) {
  const ByteTokenizer tokenizer;
  Episode e = episode();
  e.turns[5].speaker = e.turns[6].speaker = Speaker::supporter;  // turn 4 stays the last query
  e.turns[6].strategy = 2;
  e.decisions = {{7, 1, 2, true}};
  const PromptBuilder roomy(config(), strategies(), tokenizer);
  const auto all = roomy.full_prompt(e, 7).size();
  const auto four = tokenizer.encode("Seeker: " + e.turns[4].text + "\n").size();
  int lowest = 0;
  for (int window = static_cast<int>(all); window > 0; --window) {
    try {
      const PromptBuilder builder(config(Layout::comb, window), strategies(), tokenizer);
      const std::string text = tokenizer.decode(builder.full_prompt(e, 7));
      ASSERT_NE(text.find("turn 4"), std::string::npos);
      lowest = window;
    } catch (const Error&) {
      break;
    }
  }
  EXPECT_GT(all - static_cast<std::size_t>(lowest), four);  // turns 0 to 3 went, 4 never
}

TEST(Builder, CarriesWhatCameOfIt) {
  const ByteTokenizer tokenizer;
  const PromptBuilder builder(config(Layout::comb), strategies(), tokenizer);
  Episode e = episode();
  e.initial_intensity = 5;
  e.decisions[1].rating = 4;
  e.decisions[2].judge = 2.5;
  e.decisions[1].gold = 3;
  e.turns[static_cast<std::size_t>(e.decisions[1].turn)].strategies = {3, 0, 5};
  e.decisions[1].reward = -0.5;
  const Comb comb = builder.build_comb(e);
  EXPECT_EQ(comb.initial_intensity, 5);
  EXPECT_EQ(comb.final_intensity, 0);
  EXPECT_EQ(comb.decisions[0].rating, 0);
  EXPECT_EQ(comb.decisions[1].rating, 4);
  EXPECT_FALSE(comb.decisions[1].judge);
  EXPECT_EQ(comb.decisions[2].judge, 2.5);
  EXPECT_EQ(comb.decisions[1].strategies, 1 << 3 | 1 << 0 | 1 << 5);
  EXPECT_EQ(comb.decisions[1].reward, -0.5);
  EXPECT_FALSE(comb.decisions[2].reward);
}

// What a planner is asked about the turn that comes next (planner::with_next): nobody has taken it.
TEST(Builder, ADecisionOfATurnThatIsStillToComeHasNoStrategies) {
  const ByteTokenizer tokenizer;
  const PromptBuilder builder(config(), strategies(), tokenizer);
  Episode e = episode();
  e.decisions.push_back({static_cast<int>(e.turns.size()), -1, 3, true});
  const Comb comb = builder.build_comb(e);
  EXPECT_EQ(comb.decisions.back().strategies, 0);
  EXPECT_EQ(comb.final_state, 0) << "that state is a decision's";
  EXPECT_EQ(comb.probes.size(), comb.decisions.size());
  EXPECT_EQ(state_ids(comb, 5), builder.full_prompt(e, static_cast<int>(e.turns.size())));
}

TEST(Builder, AnEpisodeWithoutDecisionsIsATrunkForTheLanguageModel) {
  const ByteTokenizer tokenizer;
  const PromptBuilder builder(config(), strategies(), tokenizer);
  Episode e = episode();
  e.decisions.clear();
  const Comb comb = builder.build_comb(e);
  EXPECT_TRUE(comb.probes.empty());
  ASSERT_EQ(comb.trunks.size(), 1u);
  EXPECT_GT(static_cast<std::int32_t>(comb.trunks[0].tokens.size()), comb.trunks[0].header);
}

TEST(Builder, LeavesOutWhatIsUnknown) {
  const ByteTokenizer tokenizer;
  const PromptBuilder builder(config(), strategies(), tokenizer);
  Episode e = episode();
  e.emotion.clear();
  EXPECT_EQ(tokenizer.decode(builder.full_prompt(e, 1)).find("Emotion:"), std::string::npos);
  e.situation.clear();
  const std::string text = tokenizer.decode(builder.full_prompt(e, 1));
  EXPECT_EQ(text.find("known about the seeker"), std::string::npos);
  EXPECT_NE(text.find("conversation so far"), std::string::npos);
}

TEST(Builder, SwitchesChangeThePromptAndTheFingerprint) {
  const ByteTokenizer tokenizer;
  const Episode e = episode();
  const PromptBuilder base(config(), strategies(), tokenizer);
  std::vector<std::string> prints = {base.fingerprint()};
  const ByteTokenizer spaced({" 1", " 2", " 3", " 4", " 5", " 6", " 7", " 8"});
  const auto with = [&](auto change) {
    PromptConfig c = config();
    change(c);
    const PromptBuilder b(c, strategies(), spaced);
    prints.push_back(b.fingerprint());
    return spaced.decode(b.full_prompt(e, 5));
  };
  EXPECT_NE(with([](auto& c) { c.problem_type = true; }).find("job crisis"), std::string::npos);
  EXPECT_EQ(with([](auto& c) { c.show_strategy = false; }).find("Supporter ["), std::string::npos);
  EXPECT_NE(with([](auto& c) { c.options.tokens = OptionTokens::letter; }).find("(H) Others"),
            std::string::npos);
  EXPECT_TRUE(with([](auto& c) { c.options.leading_space = true; }).ends_with(answer().space));
  EXPECT_NE(with([](auto& c) { c.options.definitions = true; }).find("(1) Question: "),
            std::string::npos);
  EXPECT_TRUE(with([](auto& c) { c.bos = false; }).starts_with("You"));
  with([](auto& c) { c.layout = Layout::paper; });
  std::sort(prints.begin(), prints.end());
  EXPECT_EQ(std::adjacent_find(prints.begin(), prints.end()), prints.end());
}

TEST(Builder, FingerprintIsTheWordingsNotTheFilesOrTheWindows) {
  const ByteTokenizer tokenizer, other({"xy"});
  const PromptBuilder base(config(), strategies(), tokenizer);
  const Template pieces = Template::load(config().template_path);
  PromptConfig c = config(Layout::comb, 512);
  c.template_path = "elsewhere.yaml";
  EXPECT_EQ(PromptBuilder(c, pieces, "elsewhere.yaml", strategies(), other).fingerprint(),
            base.fingerprint());
  Template changed = pieces;
  changed.question = "Which one?\n";
  EXPECT_NE(PromptBuilder(c, changed, "x", strategies(), tokenizer).fingerprint(),
            base.fingerprint());
}

TEST(Builder, ATokenizerWithoutBosStartsWithTheText) {
  const ByteTokenizer tokenizer({}, false, false);
  const PromptBuilder builder(config(), strategies(), tokenizer);
  EXPECT_EQ(builder.build_comb(episode()).trunks[0].tokens.front(), 'Y');
}

// Llama's texts begin with BOS, SmolLM2's and GPT-2's do not: what the model has never seen at the
// start of a text must not stand there.
TEST(Builder, BeginsWithBosAsTheTokenizerDoesUnlessTheConfigDecides) {
  const ByteTokenizer adds, leaves({}, false, true, false);
  const auto begin = [](std::optional<bool> bos, const ByteTokenizer& tokenizer) {
    PromptConfig c = config();
    c.bos = bos;
    const PromptBuilder builder(c, strategies(), tokenizer);
    const auto comb = builder.build_comb(episode());
    const TokenId first = comb.trunks[0].tokens.front();
    EXPECT_EQ(builder.full_prompt(episode(), 1).front(), first);
    EXPECT_EQ(builder.config().bos, first == 256);
    return std::pair(first, builder.fingerprint());
  };
  EXPECT_EQ(begin(std::nullopt, adds).first, 256);
  EXPECT_EQ(begin(std::nullopt, leaves).first, 'Y');
  EXPECT_EQ(begin(false, adds).first, 'Y');
  EXPECT_EQ(begin(true, leaves).first, 256);
  // The fingerprint is of what is done, not of who decided it.
  EXPECT_EQ(begin(std::nullopt, adds).second, begin(true, leaves).second);
  EXPECT_EQ(begin(std::nullopt, leaves).second, begin(false, adds).second);
  EXPECT_NE(begin(true, adds).second, begin(false, adds).second);
}

TEST(Builder, BosThatTheTokenizerDoesNotHaveCanNotBeAskedFor) {
  const ByteTokenizer tokenizer({}, false, false);
  PromptConfig c = config();
  c.bos = true;
  const auto e = straq::testing::error_of([&] { PromptBuilder(c, strategies(), tokenizer); });
  ASSERT_TRUE(e);
  EXPECT_EQ(e->kind(), ErrorKind::input);
  EXPECT_NE(std::string(e->what()).find("prompt.bos is true"), std::string::npos);
  const auto read = [](const std::string& yaml) {
    return config::read<PromptConfig>(config::parse_yaml(yaml, "test.yaml")).bos;
  };
  EXPECT_EQ(read("window: 64"), std::nullopt);
  EXPECT_EQ(read("bos: null"), std::nullopt);
  EXPECT_EQ(read("bos: false"), false);
}

TEST(Builder, AsksInLayoutCombWithTheAnswersLeadAlone) {
  // The probe is paid for at every decision of every dialogue, forward and backward.
  const ByteTokenizer tokenizer;
  const PromptBuilder builder(config(), strategies(), tokenizer);
  EXPECT_EQ(tokenizer.decode(builder.build_comb(episode()).probes[0].tokens), answer().bracket);
}

TEST(OptionIds, AreTheTokensAfterTheProbe) {
  for (const bool prefix : {false, true}) {
    const ByteTokenizer tokenizer({}, prefix);
    EXPECT_EQ(PromptBuilder(config(), strategies(), tokenizer).option_ids(),
              (std::vector<TokenId>{'1', '2', '3', '4', '5', '6', '7', '8'}));
  }
  PromptConfig c = config();
  c.options.tokens = OptionTokens::letter;
  const ByteTokenizer tokenizer;
  EXPECT_EQ(PromptBuilder(c, strategies(), tokenizer).option_ids().back(), 'H');
  // A blank and the letter are one token where the tokenizer has it.
  c.options.leading_space = true;
  const ByteTokenizer spaced({" A", " B", " C", " D", " E", " F", " G", " H"});
  EXPECT_EQ(PromptBuilder(c, strategies(), spaced).option_ids(),
            (std::vector<TokenId>{258, 259, 260, 261, 262, 263, 264, 265}));
}

TEST(OptionIds, AreRefusedWhereAnOptionIsNoTokenOfItsOwn) {
  const auto refuse = [](const ByteTokenizer& t, bool space) {
    PromptConfig c = config();
    c.options.leading_space = space;
    return testing::error_of([&] { PromptBuilder(c, strategies(), t); });
  };
  // "(3" is one token: reading the id of "3" alone would ask for what the model never saw there.
  auto e = refuse(ByteTokenizer({"(3"}), false);
  ASSERT_TRUE(e);
  EXPECT_EQ(e->kind(), ErrorKind::input);
  EXPECT_NE(std::string(e->what()).find("option \"3\" (Reflection of feelings)"), std::string::npos)
      << e->what();
  EXPECT_NE(std::string(e->what()).find("test:1"), std::string::npos) << e->what();
  EXPECT_NE(e->hint().find("prompt.options.tokens"), std::string::npos);
  // " 1" is two bytes, so two tokens.
  e = refuse(ByteTokenizer(), true);
  ASSERT_TRUE(e);
  EXPECT_NE(std::string(e->what()).find("option \" 1\""), std::string::npos) << e->what();
}

// Every digit is the same unknown token.
class DigitBlind : public ByteTokenizer {
 public:
  std::vector<text::TokenId> encode(std::string_view s) const override {
    auto ids = ByteTokenizer::encode(s);
    for (auto& id : ids) id = id >= '0' && id <= '9' ? 0 : id;
    return ids;
  }
};

TEST(OptionIds, AreRefusedWhenTwoOptionsShareAToken) {
  const DigitBlind tokenizer;
  const auto e =
      straq::testing::error_of([&] { PromptBuilder(config(), strategies(), tokenizer); });
  ASSERT_TRUE(e);
  EXPECT_NE(std::string(e->what()).find("same token 0"), std::string::npos) << e->what();
}

TEST(OptionLabels, RunOutWithAHint) {
  EXPECT_EQ(option_labels(OptionTokens::digit, 9).back(), "9");
  const auto e = testing::error_of([] { option_labels(OptionTokens::digit, 10); });
  EXPECT_NE(e->hint().find("letter"), std::string::npos);
  EXPECT_EQ(option_labels(OptionTokens::letter, 26).back(), "Z");
  testing::error_of([] { option_labels(OptionTokens::letter, 27); });
}

TEST(PromptSection, ReadsDumpsAndRefuses) {
  const auto read = [](const std::string& yaml) {
    return config::read<PromptConfig>(config::parse_yaml(yaml, "c.yaml"));
  };
  const PromptConfig c = read("{layout: paper, window: 64, options: {tokens: letter}}");
  EXPECT_EQ(c.layout, Layout::paper);
  EXPECT_EQ(c.options.tokens, OptionTokens::letter);
  const PromptConfig again = config::read<PromptConfig>(config::dump(c));
  EXPECT_EQ(config::to_yaml(config::dump(again)), config::to_yaml(config::dump(c)));
  for (const char* bad : {"{options: {tokens: full_option}}", "{options: {tokens: strategy_text}}",
                          "{chat: llama3}", "{window: 3}", "{layout: papr}"}) {
    const auto e = testing::error_of([&] { read(bad); });
    ASSERT_TRUE(e) << bad;
    EXPECT_EQ(e->kind(), ErrorKind::input);
    EXPECT_NE(std::string(e->what()).find("c.yaml"), std::string::npos) << e->what();
  }
}

TEST(FixedTexts, HoldEveryOptionAndTag) {
  std::string all;
  const Template pieces = Template::load(config().template_path);
  for (const auto& t : fixed_texts(config(), pieces, strategies())) all += t;
  EXPECT_NE(all.find("Seeker: "), std::string::npos);
  for (int i = 0; i < strategies().size(); ++i) {
    EXPECT_NE(all.find("Best strategy: (" + std::to_string(i + 1)), std::string::npos);
    EXPECT_NE(all.find("[" + strategies()[i].name + "]"), std::string::npos);
  }
}

}  // namespace
}  // namespace straq::prompt
