#include "dialogue/validate.h"

#include "core/files/files.h"
#include "tests/dialogue/fixtures.h"

namespace straq::dialogue {
namespace {

std::vector<Problem> find_problems(const std::vector<std::string>& paths, Format format,
                                   const StrategySet& strategies) {
  std::vector<Problem> out;
  dialogue::find_problems(paths, format, strategies, [&](const Problem& p) { out.push_back(p); });
  return out;
}

TEST(Validate, ListsProblemsOfAllFiles) {
  const testing::TemporaryFolder folder;
  write_file_atomic(folder.path("a.txt"), std::string(kLine) + "\n{\"dialog\": []}\n");
  write_file_atomic(folder.path("b.txt"), "\n" + std::string(kLine) + "\n");
  write_file_atomic(folder.path("c.txt"), "what is this\n");
  const auto problems = find_problems(
      {folder.path("a.txt"), folder.path("b.txt"), folder.path("c.txt"), folder.path("none.txt")},
      Format::automatic, esconv_strategies());
  ASSERT_EQ(problems.size(), 4u);
  EXPECT_EQ(problems[0].file, folder.path("a.txt"));
  EXPECT_EQ(problems[0].line, 2);
  EXPECT_EQ(problems[1].file, folder.path("b.txt"));
  EXPECT_EQ(problems[1].line, 2);
  EXPECT_NE(problems[1].message.find(folder.path("a.txt") + ":1"), std::string::npos)
      << "the same dialogue in two files: " << problems[1].message;
  EXPECT_EQ(problems[2].file, folder.path("c.txt"));
  EXPECT_EQ(problems[3].file, folder.path("none.txt"));
}

TEST(Validate, ManyProblemsAreCountedByKindAndTheFirstOnesKept) {
  ProblemList list(3);
  for (int i = 0; i < 50; ++i) {
    const std::string at = "dialogue " + std::to_string(i) + ", utterance 2: ";
    list.add({"a.txt", i + 1, at + "unknown strategy \"S" + std::to_string(i) + "\"", ""});
    if (i % 2) list.add({"a.txt", i + 1, at + "the utterance has no text", ""});
  }
  EXPECT_EQ(list.count(), 75);
  ASSERT_EQ(list.first().size(), 3u);
  EXPECT_HAS(list.first()[0].message, "\"S0\"");
  const auto kinds = list.kinds();
  ASSERT_EQ(kinds.size(), 2u);
  EXPECT_EQ(kinds[0].count, 50);
  EXPECT_EQ(kinds[0].kind, "dialogue N, utterance N: unknown strategy \"…\"");
  EXPECT_EQ(kinds[0].first.line, 1);
  EXPECT_EQ(kinds[1].count, 25);
  EXPECT_EQ(kinds[1].first.line, 2);
}

TEST(RealData, TheCorporaHaveNoProblems) {
  std::vector<std::string> paths;
  for (const char* name :
       {"esconv/train.txt", "esconv/valid.txt", "esconv/test.txt", "esconv/FailedESConv.json",
        "empathetic_dialogues/test.csv", "empathetic_dialogues/valid.csv"}) {
    STRAQ_REQUIRE_DATA(path, name);
    paths.push_back(path);
  }
  for (const Problem& p : find_problems(paths, Format::automatic, esconv_strategies())) {
    ADD_FAILURE() << p.file << ":" << p.line << ": " << p.message;
  }
}

}  // namespace
}  // namespace straq::dialogue
