#include "respond/respond_job.h"

#include <gtest/gtest.h>

#include <fstream>
#include <numeric>

#include "language/recording.h"
#include "tests/respond/scripted_source.h"
#include "tests/testing.h"

namespace straq::respond {
namespace {

using testing::asks;
using testing::says;
using testing::ScriptedSource;

TEST(Deal, EveryDialogueOnceAndTheHeaviestApart) {
  const std::vector<double> weights = {1, 9, 2, 8, 3, 1};
  std::vector<std::size_t> seen;
  for (int rank = 0; rank < 3; ++rank) {
    for (const auto i : deal(weights, rank, 3)) seen.push_back(i);
  }
  std::sort(seen.begin(), seen.end());
  EXPECT_EQ(seen, (std::vector<std::size_t>{0, 1, 2, 3, 4, 5}));
  EXPECT_EQ(deal(weights, 0, 3), (std::vector<std::size_t>{1}));
  EXPECT_EQ(deal(weights, 1, 3), (std::vector<std::size_t>{3}));
  EXPECT_EQ(deal({5, 5}, 0, 1), (std::vector<std::size_t>{0, 1}));
}

class RespondJobs : public ::testing::Test {
 protected:
  RespondJobs() {
    std::ofstream esconv(folder_.path("test.txt"));
    for (int d = 0; d < 3; ++d) {
      esconv << R"({"emotion_type":"fear","problem_type":"p","situation":"s)" << d
             << R"(","dialog":[)"
             << R"({"text":"I was fired.","speaker":"usr"},)"
             << R"({"text":"Why )" << d << R"(?","speaker":"sys","strategy":"Question"},)"
             << R"({"text":"Bad luck.","speaker":"usr"},)"
             << R"({"text":"I see.","speaker":"sys","strategy":"Others"}]})"
             << "\n";
    }
    std::ofstream(folder_.path("ed.csv"))
        << "conv_id,utterance_idx,context,prompt,speaker_idx,utterance,selfeval,tags\n"
        << "hit:0_conv:0,1,sad,My dog died,1,My dog died.,5|5|5_5|5|5,\n"
        << "hit:0_conv:0,2,sad,My dog died,2,So sorry.,5|5|5_5|5|5,\n";
    config_.name = "replies";
    config_.corpora.resize(2);
    config_.corpora[0].data.test = folder_.path("test.txt");
    config_.corpora[1].data.name = "empathetic";
    config_.corpora[1].data.test = folder_.path("ed.csv");
    for (auto& c : config_.corpora) {
      c.data.strategies = testing::source_path("configs/strategies/esconv.yaml");
    }
    config_.methods = {"direct", "straq"};
    config_.wordings = testing::source_path("configs/replies");
    config_.dialogues_at_once = 2;
    planner_.method = "straq_imit";
    planner_.run = folder_.path("planner");
    planner_.seed = "7";
    planner_.choose = [](const std::vector<SplitOfCorpus>& splits) {
      std::vector<std::vector<int>> out;
      for (const auto& s : splits) {
        out.emplace_back();
        for (const auto& e : s.episodes) {
          for (const auto& d : e.decisions) out.back().push_back(d.turn % 8);
        }
      }
      return out;
    };
  }

  static language::Reply answer(const language::Request& r) {
    if (asks(r, "and be brief")) return says("planned");
    return says(asks(r, "My dog died.") ? "Just text" : "Strategy: Others\nReply: direct");
  }

  testing::TemporaryFolder folder_;
  RespondConfig config_;
  PlannerToFollow planner_;
};

TEST_F(RespondJobs, WritesRowsForTheTablesFromARecord) {
  RespondJob job(config_, {planner_});
  EXPECT_EQ(job.decisions(), 7);
  EXPECT_EQ(job.scenes(), 14);
  job.plan();
  const std::string record = folder_.path("record");
  std::int64_t over = 0, all = 0;
  // Two ranks, one after the other.
  for (int rank = 0; rank < 2; ++rank) {
    language::Recording source(std::make_unique<ScriptedSource>(answer), record);
    EXPECT_TRUE(job.ask(source, rank, 2, [&](auto o, auto a) { over = o, all = a; }, {}));
    EXPECT_EQ(over, all);
  }
  language::Replay replay(record, "scripted");
  const auto files = job.write(replay, {"base", folder_.path("run")}, {{"model", "m"}}, false);
  ASSERT_EQ(files.size(), 4u);
  const auto direct = results::read_replies(folder_.path("run/responses/esconv-test-direct.jsonl"));
  EXPECT_EQ(direct.info.method, "direct");
  EXPECT_EQ(direct.info.responder, "base");
  EXPECT_EQ(direct.info.corpus, "esconv");
  EXPECT_EQ(direct.info.about["model"], "m");
  EXPECT_EQ(direct.info.about["failed"], 0);
  ASSERT_EQ(direct.rows.size(), 6u);
  EXPECT_EQ(direct.rows[1].id, "test/00000:3");
  EXPECT_EQ(direct.rows[1].strategy, "Others");
  EXPECT_EQ(direct.rows[0].chosen, "Others");
  EXPECT_EQ(direct.rows[0].hypothesis, "direct");
  EXPECT_EQ(direct.rows[0].reference, "Why 0?");
  EXPECT_EQ(direct.rows[0].query, "I was fired.");
  EXPECT_EQ(direct.rows[0].finish, "stop");
  EXPECT_EQ(direct.rows[0].requests, 1);
  const auto choices = direct.choices(direct.info.strategies);
  ASSERT_TRUE(choices);
  EXPECT_EQ(choices->at(1).gold, 7);

  const auto ed = results::read_replies(folder_.path("run/responses/empathetic-test-direct.jsonl"));
  ASSERT_EQ(ed.rows.size(), 1u) << "corpora without strategies are replied to as well";
  EXPECT_EQ(ed.rows[0].strategy, "");
  EXPECT_EQ(ed.rows[0].hypothesis, "Just text");
  EXPECT_EQ(ed.rows[0].unread, (std::vector<std::string>{"strategy", "label"}));
  EXPECT_EQ(ed.info.about["unread"]["strategy"], 1);

  const auto planned =
      results::read_replies(folder_.path("planner/responses/base-esconv-test.jsonl"));
  EXPECT_EQ(planned.info.method, "straq_imit");
  EXPECT_EQ(planned.info.seed, "7");
  EXPECT_EQ(planned.rows.at(0).chosen, "Restatement or Paraphrasing");
  EXPECT_EQ(planned.rows.at(1).chosen, "Self-disclosure");
  EXPECT_EQ(planned.rows.at(1).hypothesis, "planned");
}

TEST_F(RespondJobs, WhatIsThereIsNotAskedAgainAndAStopLeavesTheRest) {
  RespondJob job(config_, {planner_});
  job.plan();
  const std::string record = folder_.path("record");
  {
    int looks = 0;
    language::Recording source(std::make_unique<ScriptedSource>(answer), record);
    // Looked at before each round: the first lot of two dialogues is asked, the second is not.
    EXPECT_FALSE(job.ask(source, 0, 1, {}, [&] { return ++looks > 1; }));
  }
  {
    language::Replay replay(record, "scripted");
    const auto part = job.write(replay, {"base", folder_.path("part")}, {}, true);
    EXPECT_EQ(part.at(0).rows, 4) << "two dialogues of two decisions";
    EXPECT_EQ(part.at(0).failed, 0);
    const auto whole = job.write(replay, {"base", folder_.path("whole")}, {}, false);
    EXPECT_EQ(whole.at(0).rows, 6);
    EXPECT_EQ(whole.at(0).failed, 2);
    EXPECT_NE(whole.at(0).first_error.find("recorded"), std::string::npos);
  }
  auto counting = std::make_unique<ScriptedSource>(answer);
  const auto& asked = counting->asked;
  language::Recording source(std::move(counting), record);
  EXPECT_TRUE(job.ask(source, 0, 1, {}, {}));
  EXPECT_EQ(asked.size(), 6u) << "two decisions of ESConv and one of the other, by two methods";
  const auto first = asked.size();
  EXPECT_TRUE(job.ask(source, 0, 1, {}, {}));
  EXPECT_EQ(asked.size(), first);
}

TEST_F(RespondJobs, BadConfigsAreNamed) {
  const auto complaint = [&](auto change) {
    RespondConfig c = config_;
    change(c);
    return testing::error_of([&] { RespondJob(c, {}); })->full();
  };
  EXPECT_NE(complaint([](auto&) {}).find("planner"), std::string::npos);
  EXPECT_NE(complaint([](auto& c) { c.methods = {"dirct"}; }).find("dirct"), std::string::npos);
  EXPECT_NE(complaint([](auto& c) {
              c.methods = {"direct", "direct"};
            }).find("twice"),
            std::string::npos);
  EXPECT_NE(complaint([](auto& c) { c.corpora[0].splits = {"train"}; }).find("\"train\""),
            std::string::npos);
  EXPECT_NE(complaint([](auto& c) { c.corpora[1].data.name = "esconv"; }).find("twice"),
            std::string::npos);
  EXPECT_NE(complaint([](auto& c) { c.corpora.clear(); }).find("corpora"), std::string::npos);
}

}  // namespace
}  // namespace straq::respond
