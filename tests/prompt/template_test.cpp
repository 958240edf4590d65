#include "prompt/template.h"

#include <gtest/gtest.h>

#include <fstream>

#include "core/files/files.h"
#include "tests/testing.h"

namespace straq::prompt {
namespace {

// Both templates that come with the program.
constexpr const char* kShipped[] = {"planner", "compact"};

Template planner() {
  return Template::load(testing::source_path("configs/prompts/planner.yaml"));
}

TEST(Fill, ReplacesEveryPlaceholderOnce) {
  EXPECT_EQ(fill("{a}-{b}-{a}", {{"a", "x"}, {"b", "y"}}), "x-y-x");
  EXPECT_EQ(fill("no placeholder }", {}), "no placeholder }");
  EXPECT_EQ(fill("{{a}", {{"a", "x"}}), "{a}");
}

TEST(Fill, DoesNotReadPlaceholdersInsideValues) {
  // A seeker may type braces; they must come through as typed.
  EXPECT_EQ(fill("S: {text}|{b}", {{"text", "{b} {text} {"}, {"b", "!"}}), "S: {b} {text} {|!");
}

TEST(Fill, RefusesUnknownAndOpenPlaceholders) {
  EXPECT_EQ(testing::error_of([] { fill("{b}", {{"a", "x"}}); })->kind(), ErrorKind::input);
  EXPECT_EQ(testing::error_of([] { fill("x {a", {{"a", "x"}}); })->kind(), ErrorKind::input);
}

TEST(ShippedTemplates, AreSoundAndNeverEndAPieceWithABlankLine) {
  // GPT-2 joins two newlines into one token when a piece ends with them and not in running text.
  for (const char* name : kShipped) {
    const Template t =
        Template::load(testing::source_path("configs/prompts/" + std::string(name) + ".yaml"));
    EXPECT_EQ(t.name, name);
    EXPECT_TRUE(t.answer.bracket.ends_with("("));
    for (const auto& piece :
         {t.instruction, t.options.heading, t.options.line, t.options.defined, t.situation.heading,
          t.situation.description, t.history.heading, t.history.seeker, t.history.supporter,
          t.history.tagged, t.question}) {
      EXPECT_FALSE(piece.ends_with("\n\n")) << piece;
    }
  }
}

struct Bad {
  const char* what;
  void (*spoil)(Template&);
  const char* says;
};

class BadTemplate : public ::testing::TestWithParam<Bad> {};

TEST_P(BadTemplate, IsRefusedByPiece) {
  Template t = planner();
  GetParam().spoil(t);
  const auto e = testing::error_of([&] { t.check("my.yaml"); });
  ASSERT_TRUE(e);
  EXPECT_EQ(e->kind(), ErrorKind::input);
  EXPECT_NE(std::string(e->what()).find("my.yaml"), std::string::npos) << e->what();
  EXPECT_NE(e->full().find(GetParam().says), std::string::npos) << e->full();
  EXPECT_FALSE(e->hint().empty());
}

INSTANTIATE_TEST_SUITE_P(
    Cases, BadTemplate,
    ::testing::Values(
        Bad{"typo", [](Template& t) { t.history.seeker = "Seeker: {txt}\n"; },
            "did you mean {text}"},
        Bad{"lost", [](Template& t) { t.history.seeker = "Seeker:\n"; }, "lacks the placeholder"},
        Bad{"no newline", [](Template& t) { t.question = "Which?"; }, "question does not end with"},
        Bad{"newline first", [](Template& t) { t.question = "\nWhich?\n"; }, "begins with white"},
        Bad{"blank last", [](Template& t) { t.answer.bracket = "Answer: "; }, "ends with white"},
        Bad{"empty", [](Template& t) { t.instruction.clear(); }, "instruction is empty"},
        Bad{"open", [](Template& t) { t.instruction = "a {count\n"; }, "never closed"}),
    [](const auto& info) {
      std::string name = info.param.what;
      std::replace(name.begin(), name.end(), ' ', '_');
      return name;
    });

TEST(TemplateFile, UnknownAndMissingKeysAreNamed) {
  testing::TemporaryFolder folder;
  std::string yaml = read_file(testing::source_path("configs/prompts/planner.yaml"));
  write_file_atomic(folder.path("a.yaml"), yaml + "\nextra: x\n");
  auto e = testing::error_of([&] { Template::load(folder.path("a.yaml")); });
  EXPECT_NE(std::string(e->what()).find("extra"), std::string::npos) << e->what();
  yaml.replace(yaml.find("\nquestion: |"), 12, "\nquestions: |");
  write_file_atomic(folder.path("b.yaml"), yaml);
  e = testing::error_of([&] { Template::load(folder.path("b.yaml")); });
  EXPECT_NE(std::string(e->what()).find("question"), std::string::npos) << e->what();
}

}  // namespace
}  // namespace straq::prompt
