#include "judge/judge.h"

#include <gtest/gtest.h>

#include <cmath>
#include <fstream>

#include "core/files/files.h"
#include "judge/judge_job.h"
#include "tests/respond/scripted_source.h"
#include "tests/testing.h"

namespace straq::judge {
namespace {

using testing::asks;
using testing::fails;
using testing::says;
using testing::ScriptedSource;
using Words = std::vector<std::string>;

TEST(OptionScore, ByHand) {
  // Probabilities 0.1, 0, 0.2, 0.1, 0 of the options: mass 0.4, mean (0.1 + 0.6 + 0.4) / 0.4.
  const double none = -std::numeric_limits<double>::infinity();
  const auto s = option_score({std::log(0.1), none, std::log(0.2), std::log(0.1), none});
  ASSERT_TRUE(s);
  EXPECT_NEAR(s->expected, 2.75, 1e-12);
  EXPECT_NEAR(s->mass, 0.4, 1e-12);
  EXPECT_EQ(s->likeliest, 3);
  EXPECT_FALSE(option_score({none, none, none, none, none}));
}

// Log-probabilities that make `score` certain.
language::Reply certain(int score) {
  language::Reply out;
  out.choice_log_probabilities.assign(5, -std::numeric_limits<double>::infinity());
  out.choice_log_probabilities.at(static_cast<std::size_t>(score - 1)) = std::log(0.5);
  return out;
}

class Judge : public ::testing::Test {
 protected:
  Judge() {
    episode_.id = "test/00001";
    episode_.situation = "lost a job";
    episode_.turns = {{dialogue::Speaker::seeker, "I was fired.", -1, {}},
                      {dialogue::Speaker::supporter, "Why is that so?", 0, {0}}};
    items_ = {{"test/00001:1", "test/00001", "Question", &episode_, 1, "Why is that so?"}};
  }
  results::Judgement judged(ScriptedSource& source) {
    const auto rows = judge_items(source, wording_, context_, config_, strategies_, items_);
    failed_ = rows.at(0).value().failed;
    return rows[0]->row;
  }

  JudgeWording wording_ = JudgeWording::load(testing::source_path("configs/judging/judge.yaml"));
  respond::ContextWording context_ =
      respond::ContextWording::load(testing::source_path("configs/replies/context.yaml"));
  dialogue::StrategySet strategies_ =
      dialogue::StrategySet::load(testing::source_path("configs/strategies/esconv.yaml"));
  JudgeConfig config_;
  dialogue::Episode episode_;
  std::vector<Item> items_;
  bool failed_ = false;
};

TEST_F(Judge, ScoresAtOneForcedPosition) {
  ScriptedSource source([](const language::Request&) { return certain(4); });
  const auto row = judged(source);
  EXPECT_EQ(row.id, "test/00001:1");
  EXPECT_EQ(row.strategy, "Question");
  EXPECT_TRUE(row.parsed);
  EXPECT_DOUBLE_EQ(*row.overall, 4);
  EXPECT_DOUBLE_EQ(*row.expected, 4);
  EXPECT_EQ(row.integer, 4);
  EXPECT_DOUBLE_EQ(*row.mass, 0.5);
  EXPECT_EQ(row.words, 4);
  EXPECT_FALSE(row.reversed);
  ASSERT_EQ(source.asked.size(), 1u);
  EXPECT_EQ(source.asked[0].choices, (Words{"1", "2", "3", "4", "5"}));
  const auto& text = testing::last_words(source.asked[0]);
  EXPECT_NE(text.find("Seeker: I was fired.\n\nThe supporter answers now:\nSupporter: Why is"),
            std::string::npos)
      << text;
  EXPECT_EQ(text.find("Question"), std::string::npos) << "the strategy is not told";
}

TEST_F(Judge, TheReversedScaleAndTheReasonAreAskedWhereTheyAreWanted) {
  config_.reversed = config_.explain = true;
  ScriptedSource source([](const language::Request& r) {
    if (r.choices.empty()) return says("\"It asks.\"");
    return certain(asks(r, "5 is very well, 4 well") ? 2 : 3);
  });
  const auto row = judged(source);
  EXPECT_DOUBLE_EQ(*row.overall, 3);
  EXPECT_DOUBLE_EQ(*row.reversed, 2);
  EXPECT_EQ(row.explanation, "It asks.");
  EXPECT_EQ(source.asked.size(), 3u);
}

TEST_F(Judge, TextIsReadOnceAndWhatCannotBeReadIsNotAskedAgain) {
  for (const auto& [text, integer, reason] :
       {std::tuple("Score: 4\nReason: It is warm.", std::optional(4), "It is warm."),
        std::tuple("I'd say 2/5.", std::optional(2), "I'd say 2/5."),
        std::tuple("It is warm.", std::optional<int>(), "It is warm."),
        std::tuple("Score: 9", std::optional<int>(), "Score: 9")}) {
    ScriptedSource source([&, text = text](const language::Request&) { return says(text); },
                          /*scores=*/false);
    const auto row = judged(source);
    EXPECT_EQ(row.parsed, integer.has_value()) << text;
    EXPECT_EQ(row.integer, integer) << text;
    EXPECT_EQ(row.overall, integer ? std::optional<double>(*integer) : std::nullopt) << text;
    EXPECT_FALSE(row.expected);
    EXPECT_EQ(row.explanation, reason);
    EXPECT_EQ(source.asked.size(), 1u) << text;
    EXPECT_FALSE(failed_);
    EXPECT_EQ(row.error.find("overall") != std::string::npos, !integer) << text;
  }
}

TEST_F(Judge, BothKeepsTheExpectedScoreAndTheWrittenNumber) {
  config_.read = Reading::both;
  ScriptedSource source([](const language::Request& r) {
    return r.choices.empty() ? says("Score: 5\nReason: Kind.") : certain(3);
  });
  auto row = judged(source);
  EXPECT_DOUBLE_EQ(*row.overall, 3);
  EXPECT_EQ(row.integer, 5);
  EXPECT_EQ(row.explanation, "Kind.");
  config_.overall = OverallScore::integer;
  EXPECT_DOUBLE_EQ(*judged(source).overall, 5);
}

TEST_F(Judge, DimensionsAreScoresOfTheirOwn) {
  config_.dimensions = {"overall", "empathy"};
  ScriptedSource source([](const language::Request& r) {
    return certain(asks(r, "share what the seeker feels") ? 2 : 5);
  });
  const auto row = judged(source);
  EXPECT_DOUBLE_EQ(*row.overall, 5);
  EXPECT_DOUBLE_EQ(row.scores.at("empathy"), 2);
  EXPECT_EQ(source.rounds, std::vector<std::size_t>{2}) << "what does not wait is one round";
  config_.dimensions = {"warmth"};
  EXPECT_NE(testing::error_of([&] { judged(source); })->full().find("warmth"), std::string::npos);
}

TEST_F(Judge, AFailedRequestIsAFailedRow) {
  ScriptedSource source([](const language::Request&) { return fails("no room"); });
  const auto row = judged(source);
  EXPECT_TRUE(failed_);
  EXPECT_FALSE(row.parsed);
  EXPECT_EQ(row.error, "no room");
  ScriptedSource mute([](const language::Request&) { return says(""); }, /*scores=*/false);
  config_.read = Reading::scores;
  EXPECT_NE(testing::error_of([&] { judged(mute); })->full().find("read: text"), std::string::npos);
}

TEST(RatedDialogues, AreReadAndBadLinesNamed) {
  testing::TemporaryFolder folder;
  const std::string path = folder.path("rated.jsonl");
  const auto complaint = [&](const std::string& line) {
    std::ofstream(path) << line << "\n";
    return testing::error_of([&] { read_rated_dialogues(path); })->full();
  };
  std::ofstream(path) << R"({"id":"a","turns":[{"speaker":"seeker","text":" Hi  there"}],)"
                      << R"("ratings":{"x":{"empathy":4}}})"
                      << "\n";
  const auto rated = read_rated_dialogues(path);
  ASSERT_EQ(rated.size(), 1u);
  EXPECT_EQ(rated[0].episode.turns[0].text, "Hi there");
  EXPECT_EQ(rated[0].ratings[0].second.at("empathy"), 4);
  const std::string turns = R"("turns":[{"speaker":"seeker","text":"a"}])";
  EXPECT_NE(
      complaint(R"({"id":"a",)" + turns + R"(,"ratings":{"x":{"empathy":6}}})").find("from 1 to 5"),
      std::string::npos);
  EXPECT_NE(complaint(R"({"id":"a","turns":[{"speaker":"usr","text":"a"}],"ratings":{"x":{}}})")
                .find("usr"),
            std::string::npos);
  EXPECT_NE(complaint(R"({"id":"a",)" + turns + R"(,"ratings":{}})").find("no rater"),
            std::string::npos);
}

// Everything of a job but the model: a corpus, replies to it, ratings.
TEST(JudgeJob, WritesWhatItWasAskedForBesideTheReplies) {
  testing::TemporaryFolder folder;
  std::ofstream(folder.path("test.txt"))
      << R"({"emotion_type":"fear","problem_type":"job crisis","situation":"s","dialog":[)"
      << R"({"text":"I was fired.","speaker":"usr"},)"
      << R"({"text":"Why?","speaker":"sys","strategy":"Question"},)"
      << R"({"text":"Bad luck.","speaker":"usr"},)"
      << R"({"text":"I see.","speaker":"sys","strategy":"Others"}]})"
      << "\n";
  results::MethodInfo info;
  info.method = "direct";
  info.responder = "base";
  info.corpus = "esconv";
  results::Reply reply, empty;
  reply.id = "test/00000:1";
  reply.dialogue = empty.dialogue = "test/00000";
  reply.hypothesis = "Oh no.";
  reply.chosen = "Others";
  reply.reference = empty.reference = "Why?";
  empty.id = "test/00000:3";
  const std::string run = folder.path("results/replies/base");
  write_file_atomic(run + "/config.yaml", "name: x\n");
  results::write_replies(run + "/responses/direct.jsonl", info, {reply, empty});
  std::ofstream(folder.path("set.jsonl"))
      << R"({"id":"a","turns":[{"speaker":"seeker","text":"Hi"},{"speaker":"supporter","text":"Yes?"}],)"
      << R"("ratings":{"x":{"empathy":4},"y":{"empathy":2}}})"
      << "\n";

  JudgeJobConfig config;
  config.name = "judged";
  config.corpora.resize(1);
  config.corpora[0].data.name = "esconv";
  config.corpora[0].data.test = folder.path("test.txt");
  config.corpora[0].data.strategies = testing::source_path("configs/strategies/esconv.yaml");
  config.replies = {folder.path("results/replies")};
  config.ratings = {folder.path("set.jsonl")};
  config.wording = testing::source_path("configs/judging/judge.yaml");
  config.context = testing::source_path("configs/replies/context.yaml");
  JudgeJob job(config, folder.path("results/judged/m"));
  EXPECT_EQ(job.items(), 5);
  ScriptedSource source([](const language::Request& r) {
    return certain(asks(r, "Supporter: Why?\n\n") ? 4 : asks(r, "Oh no.") ? 2 : 3);
  });
  std::int64_t over = 0;
  EXPECT_TRUE(job.ask(source, 0, 1,
                      [&](auto now, auto all) {
                        over = now;
                        EXPECT_EQ(all, 4);
                      },
                      {}));
  EXPECT_EQ(source.asked.size(), 4u) << "the empty reply is not asked about";
  const auto written = job.write(source, {{"judge", "m"}});
  ASSERT_EQ(written.size(), 3u);
  const auto corpus =
      results::read_judgements(folder.path("results/judged/m/judge/esconv-test.jsonl"));
  EXPECT_EQ(corpus.info.method, "human");
  ASSERT_EQ(corpus.rows.size(), 2u);
  EXPECT_EQ(corpus.rows[0].id, "test/00000:1");
  EXPECT_EQ(corpus.rows[0].strategy, "Question");
  EXPECT_EQ(corpus.rows[0].overall, 4);
  EXPECT_EQ(corpus.info.about["judge"], "m");
  const auto replies = results::read_judgements(run + "/judge/direct.jsonl");
  EXPECT_EQ(replies.info.method, "direct");
  EXPECT_EQ(replies.rows.at(0).overall, 2);
  EXPECT_EQ(replies.rows.at(0).strategy, "Others");
  EXPECT_FALSE(replies.rows.at(1).parsed);
  EXPECT_EQ(replies.rows.at(1).error, "there is no reply");
  const auto rated =
      results::read_judgements(folder.path("results/judged/m/judge/ratings-set.jsonl"));
  EXPECT_TRUE(rated.calibrates());
  EXPECT_EQ(rated.rows.at(0).overall, 3);
  EXPECT_EQ(rated.rows.at(0).words, 1);
  const auto people =
      results::read_judgements(folder.path("results/judged/m/human/ratings-set.jsonl"));
  ASSERT_EQ(people.rows.size(), 2u);
  EXPECT_EQ(people.rows[1].scores.at("empathy"), 2);

  // Over two ranks every text is asked about by one of them.
  ScriptedSource a([](const language::Request&) { return certain(3); }), b = a;
  job.ask(a, 0, 2, {}, {});
  job.ask(b, 1, 2, {}, {});
  EXPECT_EQ(a.asked.size() + b.asked.size(), 4u);
  EXPECT_GT(a.asked.size(), 0u);
  EXPECT_GT(b.asked.size(), 0u);

  config.corpora[0].data.name = "other";
  EXPECT_NE(testing::error_of([&] { JudgeJob(config, folder.path("x")); })
                ->full()
                .find("name the corpus \"esconv\""),
            std::string::npos);
}

}  // namespace
}  // namespace straq::judge
