// Files of replies are told by what they hold: rows under any name, never JSON or tables as prose.
#include <gtest/gtest.h>

#include "core/files/files.h"
#include "metrics/response_pairs.h"
#include "tests/testing.h"

namespace straq::metrics {
namespace {

const char* const kRows =
    "{\"id\": \"t:1\", \"text\": \"so it is\"}\n{\"id\": \"t:3\", \"text\": \"and so on\"}\n";
const char* const kList =
    "[{\"id\": \"t:1\", \"text\": \"so it is\"},\n {\"id\": \"t:3\",\n  \"text\": \"and so "
    "on\"}]\n";
const char* const kPrinted = "{\n  \"id\": \"t:1\",\n  \"text\": \"so it is\"\n}\n";

class ResponseForms : public ::testing::Test {
 protected:
  std::string file(const std::string& name, const std::string& bytes) {
    write_file_atomic(folder_.path(name), bytes);
    return folder_.path(name);
  }
  // What is said of a hypothesis file of this name and content against good rows or text.
  std::string refusal(const std::string& name, const std::string& bytes) {
    const auto e = testing::error_of(
        [&] { read_responses(file(name, bytes), {file("ref.txt", "one\ntwo\n")}); });
    if (!e) return {};
    EXPECT_EQ(e->exit_code(), 2);
    EXPECT_NE(e->full().find(name), std::string::npos) << e->full();
    return e->what();
  }
  testing::TemporaryFolder folder_;
};

TEST_F(ResponseForms, RowsAreRowsUnderAnyName) {
  for (const char* name : {"h.json", "h.txt", "h", "h.jsonl", "H.JSONL"}) {
    for (const std::string& text :
         {std::string(kRows), std::string(kList), "\xEF\xBB\xBF" + std::string(kRows),
          std::string("{\"id\": \"t:1\", \"text\": \"so it is\"}\r"
                      "{\"id\": \"t:3\", \"text\": \"and so on\"}\r")}) {
      const auto pairs = read_responses(file(name, text), {file("r.jsonl", kRows)});
      ASSERT_EQ(pairs.size(), 2u) << name;
      EXPECT_EQ(pairs[1].hypothesis, "and so on");
      EXPECT_EQ(pairs[1].id, "t:3");
    }
  }
}

TEST_F(ResponseForms, WhatIsNeitherIsRefusedByName) {
  const auto has = [](const std::string& text, const char* part) {
    EXPECT_NE(text.find(part), std::string::npos) << text;
  };
  for (const char* name : {"p.json", "p.txt", "p.jsonl"}) {
    has(refusal(name, kPrinted), "printed over many lines");
    has(refusal(name, std::string(kPrinted) + kPrinted), "printed over many lines");
    has(refusal(name, "[\n\"one reply\",\n\"another\"\n]\n"), "something else than rows");
  }
  has(refusal("cut.json", "[{\"id\": \"t:1\", \"text\": \"a\"},\n{\"id\": "), "is not closed");
  has(refusal("t.txt", "\"one\"\n\"two\"\n"), "each line is a JSON text");
  has(refusal("l.txt", "[\"one\"]\n[\"two\", \"words\"]\n"), "each line is a JSON text");
  has(refusal("c.txt", "id,hypothesis,reference\n1,a,b\n"), "this is a table");
  has(refusal("c.tsv", "a\tb\n"), "this is a table");
  has(refusal("s.txt", "id;text\n1;a\n"), "this is a table");
  has(refusal("prose.json", "one\ntwo\n"), "its name says JSON");
  const auto e = testing::error_of([&] {
    read_responses(file("broken.txt", std::string(kRows) + "{\"id\": \n"),
                   {file("r.jsonl", kRows)});
  });
  has(e->full(), "broken.txt:3: expected one JSON object a line");
  has(refusal("z.txt", "\x1F\x8B\x08 packed"), "gzip");
}

TEST_F(ResponseForms, ProseMayBeginAsJsonDoes) {
  const auto r = file("r.txt", "one\ntwo\n");
  const auto pairs = read_responses(file("h.txt", "[laughs] Well.\n{sic} \"id\" it is\n"), {r});
  EXPECT_EQ(pairs.at(0).hypothesis, "[laughs] Well.");
  EXPECT_EQ(read_responses(file("q.txt", "\"Quoted.\"\nNot so.\n"), {r}).at(0).hypothesis,
            "\"Quoted.\"");
  EXPECT_EQ(read_responses(file("mac.txt", "a\rb\r"), {r}).at(1).hypothesis, "b");
}

TEST_F(ResponseForms, IdsAreWholeNumbersHoweverTheyAreWritten) {
  const auto pairs =
      read_responses(file("h.jsonl", "{\"id\": 7.0, \"text\": \"a\"}\n"),
                     {file("r.jsonl", "{\"id\": 7, \"text\": \"b\", \"emotion\": null}\n")});
  EXPECT_EQ(pairs.at(0).id, "7");
  const auto e = testing::error_of([&] {
    read_responses(file("d.jsonl",
                        "{\"id\": \"1\", \"text\": \"a\", \"reference\": \"b\"}\n"
                        "{\"id\": \"2\", \"x\": " +
                            std::string(100000, '[') + "}\n"),
                   {});
  });
  EXPECT_NE(e->full().find("d.jsonl:2: expected one JSON object a line (lists"), std::string::npos)
      << e->full();
}

}  // namespace
}  // namespace straq::metrics
