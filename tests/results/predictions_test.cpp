#include "results/rows/predictions.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "core/files/files.h"
#include "tests/testing.h"

namespace straq::results {
namespace {

using metrics::Prediction;
using straq::testing::error_of;
using straq::testing::TemporaryFolder;

Prediction example() {
  Prediction p;
  p.dialogue = "test/00003";
  p.turn = 7;
  p.index = 2;
  p.of = 11;
  p.gold = 5;
  p.previous = 2;
  p.chosen = 5;
  p.q = {0.1, 1.0 / 3, -2, 3, 4, 1e-17, 6, 7};
  p.mc_return = 3.2;
  return p;
}

const char* const kLine =
    R"({"id":"a:1","dialogue":"a","turn":1,"index":0,"of":2,"gold":5,"previous":-1,"chosen":-1})";

TEST(Predictions, WrittenRowsReadBackToTheSameBits) {
  TemporaryFolder folder;
  const std::string path = folder.path("predictions/test.jsonl");
  Prediction bare = example();
  bare.turn = 9;
  bare.index = 3;
  bare.chosen = -1;
  bare.q.clear();
  bare.mc_return.reset();
  Prediction rated = example();
  rated.strategies = 1u << 5 | 1u << 2;
  rated.rating = 4;
  write_predictions(path, std::vector<Prediction>{rated, bare});
  const std::string text = read_file(path);
  EXPECT_NE(text.find(R"("strategies":[2,5],"rating":4})"), std::string::npos) << text;
  EXPECT_EQ(text.find("rating", text.find('\n')), std::string::npos) << "none is not written";
  const auto rows = read_predictions(path);
  ASSERT_EQ(rows.size(), 2u);
  EXPECT_EQ(rows[0].id(), "test/00003:7");
  EXPECT_EQ(rows[0].q, example().q);
  EXPECT_EQ(rows[0].mc_return, 3.2);
  EXPECT_EQ(rows[0].strategies, rated.strategies);
  EXPECT_EQ(rows[0].rating, 4);
  EXPECT_EQ(rows[1].strategies, 0u);
  EXPECT_EQ(rows[1].rating, 0);
  EXPECT_EQ(rows[0].previous, 2);
  EXPECT_EQ(rows[0].of, 11);
  EXPECT_EQ(rows[1].chosen, -1);
  EXPECT_TRUE(rows[1].q.empty());
  EXPECT_FALSE(rows[1].mc_return);
}

TEST(Predictions, NonFiniteQSurvivesAsNan) {
  TemporaryFolder folder;
  Prediction p = example();
  p.q[3] = std::numeric_limits<double>::infinity();
  write_predictions(folder.path("p.jsonl"), std::vector<Prediction>{p});
  EXPECT_TRUE(std::isnan(read_predictions(folder.path("p.jsonl"))[0].q[3]));
}

TEST(Predictions, KeysOfLaterVersionsAreIgnored) {
  TemporaryFolder folder;
  std::string line = kLine;
  line.insert(1, "\"margin\":0.5,");
  write_file_atomic(folder.path("p.jsonl"), line + "\n\n");
  EXPECT_EQ(read_predictions(folder.path("p.jsonl")).size(), 1u);
}

struct BadLine {
  const char* name;
  const char* from;
  const char* to;
  const char* message;
};

class PredictionErrors : public ::testing::TestWithParam<BadLine> {};

TEST_P(PredictionErrors, NameFileLineAndReason) {
  TemporaryFolder folder;
  std::string second = kLine;
  const auto at = second.find(GetParam().from);
  ASSERT_NE(at, std::string::npos);
  second.replace(at, std::string(GetParam().from).size(), GetParam().to);
  const std::string path = folder.path("p.jsonl");
  write_file_atomic(path, std::string(R"({"id":"b:1","dialogue":"b","turn":1,"index":0,"of":2,)") +
                              R"("gold":5,"previous":-1,"chosen":3})" + "\n" + second + "\n");
  const auto e = error_of([&] { read_predictions(path); });
  ASSERT_TRUE(e);
  EXPECT_EQ(e->kind(), ErrorKind::input);
  EXPECT_TRUE(std::string(e->what()).starts_with(path + ":2: " + GetParam().message)) << e->what();
  EXPECT_FALSE(e->hint().empty());
}

INSTANTIATE_TEST_SUITE_P(
    Each, PredictionErrors,
    ::testing::Values(
        BadLine{"cut", "\"chosen\":-1}", "\"cho", "this is no JSON object"},
        BadLine{"missing", "\"gold\":5,", "", "\"gold\" is missing"},
        BadLine{"text", "\"gold\":5", "\"gold\":\"5\"", "\"gold\" must be a whole number"},
        BadLine{"gold", "\"gold\":5", "\"gold\":8", "\"gold\" is 8, expected 0 to 7"},
        BadLine{"chosen", "\"chosen\":-1", "\"chosen\":-2", "\"chosen\" is -2, expected -1 to 7"},
        BadLine{"index", "\"index\":0", "\"index\":2", "\"index\" is 2, expected 0 to 1"},
        BadLine{"q", "\"chosen\":-1", "\"chosen\":1,\"q\":[1,2]",
                "\"q\" must be a list of 8 numbers"},
        BadLine{"id", "\"a:1\"", "\"a:3\"",
                "\"id\" is \"a:3\", expected \"a:1\" from its dialogue and turn"},
        BadLine{"twice", R"("id":"a:1","dialogue":"a")", R"("id":"b:1","dialogue":"b")",
                "decision b:1 comes twice"}),
    [](const auto& info) { return std::string(info.param.name); });

TEST(Predictions, AHalfWrittenLastLineIsSaidToBeThat) {
  TemporaryFolder folder;
  write_file_atomic(folder.path("p.jsonl"), std::string(kLine) + "\n" + std::string(kLine, 20));
  const auto e = error_of([&] { read_predictions(folder.path("p.jsonl")); });
  ASSERT_TRUE(e);
  EXPECT_NE(std::string(e->what()).find(":2: the last line is half-written"), std::string::npos);
}

TEST(Predictions, AFileFromATableProgramIsRead) {
  const testing::TemporaryFolder folder;
  const std::string row =
      R"({"id":"a:1","dialogue":"a","turn":1.0,"index":0.0,"of":1,"gold":5.0,"previous":-1,"chosen":3})";
  write_file_atomic(folder.path("p.jsonl"), "\xEF\xBB\xBF" + row + "\r\n");
  EXPECT_EQ(read_predictions(folder.path("p.jsonl")).at(0).gold, 5);
  std::string half = row;
  half.replace(half.find("5.0"), 3, "4.5");
  write_file_atomic(folder.path("p.jsonl"), half);
  const auto e = testing::error_of([&] { read_predictions(folder.path("p.jsonl")); });
  EXPECT_NE(e->full().find("p.jsonl:1: \"gold\" must be a whole number"), std::string::npos)
      << "a whole line without its end is whole: " << e->full();
}

}  // namespace
}  // namespace straq::results
