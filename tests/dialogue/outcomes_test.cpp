// Ratings and judgements beside a corpus: what they are joined to, and what is said of lines that
// name nothing.
#include "dialogue/outcomes.h"

#include "core/files/files.h"
#include "dialogue/data_config.h"
#include "tests/dialogue/fixtures.h"

namespace straq::dialogue {
namespace {

using straq::testing::error_of;
using straq::testing::TemporaryFolder;

// Two dialogues of kLine a split: utterance 0 opens, 3 and 4 are one supporter turn (turn 2), 6 is
// another (turn 4); 1, 2, 5 and 7 are the seeker's.
class Outcomes : public ::testing::Test {
 protected:
  Outcomes() {
    for (const char* name : {"train", "test"}) {
      write_file_atomic(folder.path(std::string(name) + "_a.txt"),
                        std::string(kLine) + "\n" + kLine + "\n");
    }
    config.train = folder.path("train_a.txt");
    config.test = folder.path("test_a.txt");
    config.strategies = testing::source_path("configs/strategies/esconv.yaml");
  }
  std::string file(const std::string& lines) {
    write_file_atomic(folder.path("rows.jsonl"), lines);
    return folder.path("rows.jsonl");
  }
  static std::vector<int> ratings(const Splits& splits, const std::string& split) {
    std::vector<int> out;
    for (const auto& e : splits.find(split)->episodes) {
      for (const auto& d : e.decisions) out.push_back(d.rating);
    }
    return out;
  }

  TemporaryFolder folder;
  DataConfig config;
};

TEST_F(Outcomes, RatingsGoToTheTurnThatTheirUtteranceIsPartOf) {
  Splits splits = load_splits(config);
  const auto join = join_ratings(
      file("{\"split\": \"train\", \"dialogue\": 1, \"after_utterance\": 4, \"feedback\": 2}\n"
           // The other utterance of the same turn: the last rating of a turn counts.
           "{\"split\": \"train_a\", \"dialogue\": 0, \"after_utterance\": 3, \"feedback\": 1}\n"
           "{\"split\": \"train\", \"dialogue\": 0, \"after_utterance\": 4, \"feedback\": 5}\n"
           "{\"dialogue\": \"test_a/00001\", \"after_utterance\": 6, \"feedback\": 3}\n"
           "\n"
           "{\"split\": \"train\", \"dialogue\": 0, \"after_utterance\": 0, \"feedback\": 4}\n"
           "{\"split\": \"valid\", \"dialogue\": 7, \"after_utterance\": 1, \"feedback\": 4}\n"),
      config, splits);
  EXPECT_EQ(ratings(splits, "train"), (std::vector<int>{5, 0, 2, 0}));
  EXPECT_EQ(ratings(splits, "test"), (std::vector<int>{0, 0, 0, 3}));
  EXPECT_EQ(join.rows, 6);
  EXPECT_EQ(join.joined, 3);
  EXPECT_EQ(join.without, 5);
  EXPECT_EQ(join.undecided, 1) << "the opening turn";
  EXPECT_EQ(join.elsewhere, 1) << "a split that is not read";
  EXPECT_TRUE(join.unmatched.empty());
}

TEST_F(Outcomes, ByUtteranceARatingIsTheUtterancesOwn) {
  config.unit = DecisionUnit::utterance;
  Splits splits = load_splits(config);
  join_ratings(
      file("{\"split\": \"train\", \"dialogue\": 0, \"after_utterance\": 4, \"feedback\": 2}\n"
           "{\"split\": \"train\", \"dialogue\": 0, \"after_utterance\": 0, \"feedback\": 3}\n"),
      config, splits);
  EXPECT_EQ(ratings(splits, "train"), (std::vector<int>{3, 0, 2, 0, 0, 0, 0, 0}));
}

TEST_F(Outcomes, WhatIsNotThereIsToldByLine) {
  Splits splits = load_splits(config);
  const std::string path = file(
      "{\"split\": \"train\", \"dialogue\": 0, \"after_utterance\": 4, \"feedback\": 2}\n"
      "{\"split\": \"train\", \"dialogue\": 2, \"after_utterance\": 4, \"feedback\": 2}\n"
      "{\"split\": \"dev\", \"dialogue\": 0, \"after_utterance\": 4, \"feedback\": 2}\n"
      "{\"split\": \"train\", \"dialogue\": 0, \"after_utterance\": 5, \"feedback\": 2}\n"
      "{\"split\": \"train\", \"dialogue\": 0, \"after_utterance\": 8, \"feedback\": 2}\n");
  const auto join = join_ratings(path, config, splits);
  ASSERT_EQ(join.unmatched.size(), 4u);
  EXPECT_EQ(join.unmatched[0], path + ":2: there is no dialogue train_a/00002");
  EXPECT_EQ(join.unmatched[1], path + ":3: no split and no file is called \"dev\"");
  EXPECT_EQ(join.unmatched[2], path + ":4: utterance 5 of train_a/00000 is the seeker's");
  EXPECT_EQ(join.unmatched[3], path + ":5: utterance 8 of train_a/00000 is not there: it has 8");
  EXPECT_EQ(join.joined, 1);

  config.limit = 1;  // the second dialogue is in the file and left out
  Splits first = load_splits(config);
  const auto some = join_ratings(
      file("{\"split\": \"train\", \"dialogue\": 0, \"after_utterance\": 4, \"feedback\": 2}\n"
           "{\"split\": \"train\", \"dialogue\": 1, \"after_utterance\": 4, \"feedback\": 2}\n"),
      config, first);
  EXPECT_EQ(some.elsewhere, 1);
  EXPECT_TRUE(some.unmatched.empty());
}

TEST_F(Outcomes, LinesThatAreNoRatingsAreRefusedWithTheirPlace) {
  for (const char* line :
       {"{\"split\": \"train\", \"dialogue\": 0, \"after_utterance\": 4, \"feedback\": 6}",
        "{\"split\": \"train\", \"dialogue\": 0, \"after_utterance\": 4}",
        "{\"split\": \"train\", \"dialogue\": -1, \"after_utterance\": 4, \"feedback\": 2}",
        "{\"dialogue\": 0, \"after_utterance\": 4, \"feedback\": 2}", "[1]", "feedback: 3"}) {
    Splits splits = load_splits(config);
    const auto e = error_of([&] { join_ratings(file("\n" + std::string(line)), config, splits); });
    ASSERT_TRUE(e) << line;
    EXPECT_NE(std::string(e->what()).find("rows.jsonl:2"), std::string::npos) << e->what();
    EXPECT_EQ(e->exit_code(), 2);
  }
  Splits splits = load_splits(config);
  const auto foreign = error_of([&] {
    join_ratings(
        file("{\"split\": \"dev\", \"dialogue\": 0, \"after_utterance\": 4, \"feedback\": 2}\n"),
        config, splits);
  });
  ASSERT_TRUE(foreign);
  EXPECT_NE(std::string(foreign->what()).find("data.ratings: none of the 1 rows"),
            std::string::npos);
}

TEST_F(Outcomes, JudgementsAreJoinedByTheDecisionsName) {
  Splits splits = load_splits(config);
  const std::string path = file(
      "{\"id\": \"train_a/00000:2\", \"dialogue\": \"train_a/00000\", \"overall\": 4.5}\n"
      "{\"id\": \"train_a/00000:4\", \"dialogue\": \"train_a/00000\", \"parsed\": false}\n"
      "{\"id\": \"train_a/00001:3\", \"dialogue\": \"train_a/00001\", \"overall\": 2}\n"
      "{\"id\": \"elsewhere/00001:3\", \"dialogue\": \"elsewhere/00001\", \"overall\": 2}\n"
      "{\"id\": \"test_a/00001\", \"dialogue\": \"test_a/00001\", \"overall\": 2}\n");
  const auto join = join_judgements(path, config, splits);
  const auto& decisions = splits.find("train")->episodes[0].decisions;
  EXPECT_EQ(decisions[0].judge, 4.5);
  EXPECT_FALSE(decisions[1].judge);
  EXPECT_EQ(join.joined, 1);
  EXPECT_EQ(join.unparsed, 1);
  EXPECT_EQ(join.without, 7);
  ASSERT_EQ(join.unmatched.size(), 3u);
  EXPECT_EQ(join.unmatched[0], path + ":3: train_a/00001:3 is no decision of this corpus");
  EXPECT_EQ(join.unmatched[1], path + ":4: there is no dialogue elsewhere/00001");
  EXPECT_EQ(join.unmatched[2], path + ":5: the id \"test_a/00001\" is not <dialogue>:<turn>");

  const std::string row = "{\"id\": \"train_a/00000:2\", \"dialogue\": \"d\", \"overall\": 4}\n";
  const auto twice = error_of([&] { join_judgements(file(row + row), config, splits); });
  ASSERT_TRUE(twice);
  EXPECT_NE(std::string(twice->what()).find("rows.jsonl:2"), std::string::npos) << twice->what();
  const auto bare = error_of([&] {
    join_judgements(file("{\"id\": \"train_a/00000:2\", \"dialogue\": \"d\"}\n"), config, splits);
  });
  ASSERT_TRUE(bare);
  EXPECT_NE(std::string(bare->what()).find("overall"), std::string::npos) << bare->what();
}

TEST_F(Outcomes, AConfigNamesTheFilesAndTheSplitsRememberThem) {
  const std::string path =
      file("{\"split\": \"train\", \"dialogue\": 1, \"after_utterance\": 4, \"feedback\": 2}\n");
  config.ratings = path;
  const Splits splits = load_splits(config);
  EXPECT_EQ(ratings(splits, "train"), (std::vector<int>{0, 0, 2, 0}));
  ASSERT_EQ(splits.outcomes.size(), 1u);
  EXPECT_EQ(splits.outcomes[0].name, "ratings");
  EXPECT_EQ(splits.outcomes[0].sha256.size(), 64u);
  config.ratings = folder.path("nowhere.jsonl");
  const auto e = error_of([&] { load_splits(config); });
  ASSERT_TRUE(e);
  EXPECT_NE(std::string(e->what()).find("nowhere.jsonl"), std::string::npos);
}

TEST(RealData, SeekersRatingsOfEsconv) {
  STRAQ_REQUIRE_DATA(folder, "esconv");
  STRAQ_REQUIRE_DATA(file, "esconv/seeker_feedback.jsonl");
  DataConfig config;
  config.train = folder + "/train.txt";
  config.valid = folder + "/valid.txt";
  config.test = folder + "/test.txt";
  config.strategies = testing::source_path("configs/strategies/esconv.yaml");
  Splits splits = load_splits(config);
  const auto join = join_ratings(file, config, splits);
  EXPECT_EQ(join.rows, 4221);
  EXPECT_EQ(join.undecided, 23);
  EXPECT_EQ(join.joined, 4198);
  EXPECT_EQ(join.unmatched, std::vector<std::string>{});
  int test = 0, rated_dialogues = 0;
  for (const auto& e : splits.find("test")->episodes) {
    int own = 0;
    for (const auto& d : e.decisions) own += d.rating > 0;
    test += own;
    rated_dialogues += own > 0;
  }
  EXPECT_EQ(test, 1211);
  EXPECT_EQ(rated_dialogues, 195);
}

}  // namespace
}  // namespace straq::dialogue
