#include "metrics/response_pairs.h"

#include <gtest/gtest.h>

#include "core/files/files.h"
#include "tests/testing.h"

namespace straq::metrics {
namespace {

class ResponsePairs : public ::testing::Test {
 protected:
  std::string file(const std::string& name, const std::string& bytes) {
    write_file_atomic(folder_.path(name), bytes);
    return folder_.path(name);
  }
  // The message of the error that reading gives, with the folder left out.
  std::string complaint(const std::string& hypotheses, const std::vector<std::string>& references) {
    const auto error = testing::error_of([&] { read_responses(hypotheses, references); });
    if (!error) return {};
    EXPECT_EQ(error->exit_code(), 2);
    EXPECT_FALSE(error->hint().empty());
    std::string message = error->what();
    const std::string folder = folder_.path() + "/";
    for (auto at = message.find(folder); at != std::string::npos; at = message.find(folder)) {
      message.erase(at, folder.size());
    }
    return message;
  }
  testing::TemporaryFolder folder_;
};

TEST_F(ResponsePairs, LinesBelongTogetherByNumber) {
  const auto pairs =
      read_responses(file("h.txt", "\xEF\xBB\xBFI see.\r\n\nlast"),
                     {file("a.txt", "one\ntwo\nthree\n"), file("b.txt", "uno\ndos\ntres")});
  ASSERT_EQ(pairs.size(), 3u);
  EXPECT_EQ(pairs[0].hypothesis, "I see.") << "no byte order mark, no carriage return";
  EXPECT_EQ(pairs[1].hypothesis, "") << "a method may fail to answer";
  EXPECT_EQ(pairs[2].id, "3");
  EXPECT_EQ(pairs[2].references, (std::vector<std::string>{"three", "tres"}));
}

TEST_F(ResponsePairs, RowsBelongTogetherById) {
  const auto h = file("h.jsonl",
                      "{\"id\":\"x:1\",\"text\":\"hi\",\"strategy\":\"chosen\",\"other\":1}\n\n"
                      "{\"id\":7,\"hypothesis\":\"\"}\n");
  const auto r = file("r.jsonl",
                      "{\"id\":7,\"references\":[\"a\",\"b\"],\"dialogue\":\"d\"}\n"
                      "{\"id\":\"x:1\",\"reference\":\"c\",\"dialogue\":\"x\","
                      "\"strategy\":\"gold\",\"emotion\":\"fear\"}\n");
  const auto pairs = read_responses(h, {r});
  ASSERT_EQ(pairs.size(), 2u);
  EXPECT_EQ(pairs[0].id, "x:1");
  EXPECT_EQ(pairs[0].references, (std::vector<std::string>{"c"}));
  EXPECT_EQ(pairs[0].strategy, "gold") << "the reference file says what the human did";
  EXPECT_EQ(pairs[0].emotion, "fear");
  EXPECT_EQ(pairs[1].id, "7");
  EXPECT_EQ(pairs[1].references, (std::vector<std::string>{"a", "b"}));
  EXPECT_EQ(pairs[1].strategy, "");
}

TEST_F(ResponsePairs, RowsMayHoldTheirReference) {
  const auto pairs = read_responses(
      file("h.jsonl", "{\"id\":\"1\",\"hypothesis\":\"a\",\"reference\":\"b\"}\n"), {});
  EXPECT_EQ(pairs.at(0).references, (std::vector<std::string>{"b"}));
}

TEST_F(ResponsePairs, TextErrorsNameFileAndLine) {
  const auto two = file("two.txt", "a\nb\n");
  EXPECT_EQ(complaint(two, {file("three.txt", "a\nb\nc\n")}),
            "three.txt:3: this line has no partner: two.txt has 2 lines, three.txt has 3");
  EXPECT_EQ(complaint(two, {file("one.txt", "a\n")}),
            "two.txt:2: this line has no partner: two.txt has 2 lines, one.txt has 1");
  EXPECT_EQ(complaint(file("none.txt", ""), {two}), "none.txt: there is nothing to score in it");
  EXPECT_EQ(complaint(two, {file("none.txt", "")}), "none.txt: there is nothing to score in it");
  EXPECT_EQ(complaint(two, {file("blank.txt", "a\n \n")}), "blank.txt:2: the reference is empty");
  EXPECT_EQ(complaint(file("bad.txt", "a\nx\xFFy\n"), {two}),
            "bad.txt:2: byte 1 of the line is not valid UTF-8");
  EXPECT_NE(complaint(two, {}).find("no references were named"), std::string::npos);
  EXPECT_NE(complaint(two, {file("r.jsonl", "{}")}).find("different forms"), std::string::npos);
  EXPECT_NE(complaint(folder_.path("absent.txt"), {two}).find("absent.txt"), std::string::npos);
}

TEST_F(ResponsePairs, RowErrorsNameFileAndLine) {
  const auto h = file("h.jsonl",
                      "{\"id\":\"1\",\"text\":\"a\"}\n{\"id\":\"2\",\"text\":\"b\"}\n"
                      "{\"id\":\"3\",\"text\":\"c\"}\n");
  EXPECT_EQ(complaint(h, {file("r.jsonl", "{\"id\":\"1\",\"text\":\"a\"}\n")}),
            "h.jsonl:2: the id \"2\" is not in r.jsonl (and 1 more)");
  EXPECT_EQ(complaint(h, {file("r.jsonl", "{\"id\":\"9\",\"text\":\"a\"}\n")}),
            "r.jsonl:1: the id \"9\" is not in h.jsonl");
  EXPECT_EQ(complaint(h, {}),
            "h.jsonl:1: the row has no \"reference\" and no reference file was named");
  const std::pair<const char*, const char*> bad[] = {
      {"{\"id\":\"1\",", "expected one JSON object a line"},
      {"[1]", "expected one JSON object a line"},
      {"{\"text\":\"a\"}", "the key \"id\" is missing"},
      {"{\"id\":1.5,\"text\":\"a\"}", "\"id\" must be a string"},
      {"{\"id\":\"1\",\"text\":3}", "\"text\" must be a string"},
      {"{\"id\":\"1\"}", "there is none of \"reference\", \"references\" and \"text\""},
      {"{\"id\":\"1\",\"text\":\" \"}", "the reference is empty"},
      {"{\"id\":\"1\",\"references\":[]}", "\"references\" must be a list of one or more strings"},
      {"{\"id\":\"1\",\"references\":[\"a\",\"\"]}", "the reference is empty"},
  };
  for (const auto& [row, message] : bad) {
    EXPECT_EQ(complaint(h, {file("r.jsonl", std::string("\n") + row + "\n")}),
              std::string("r.jsonl:2: ") + message);
  }
  EXPECT_EQ(complaint(file("no.jsonl", "{\"id\":\"1\"}\n"), {h}),
            "no.jsonl:1: there is neither \"hypothesis\" nor \"text\"");
}

TEST_F(ResponsePairs, IdsComeOnceAndDialoguesForAllOrNone) {
  const std::string row = "{\"id\":\"1\",\"text\":\"a\",\"reference\":\"b\"}\n";
  EXPECT_EQ(complaint(file("h.jsonl", row + "\n" + row), {}),
            "h.jsonl:3: the id \"1\" comes twice, first on line 1");
  EXPECT_EQ(complaint(file("h.jsonl", row + "{\"id\":\"2\",\"text\":\"a\",\"reference\":\"b\","
                                            "\"dialogue\":\"d\"}\n"),
                      {}),
            "h.jsonl:1: \"dialogue\" is missing here but 1 other rows have it");
}

}  // namespace
}  // namespace straq::metrics
