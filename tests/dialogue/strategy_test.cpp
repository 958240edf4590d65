#include "dialogue/strategy.h"

#include "core/files/files.h"
#include "tests/dialogue/fixtures.h"

namespace straq::dialogue {
namespace {

TEST(Strategies, EsconvHasTheEightInTheOrderThatMetricsUse) {
  const StrategySet set = esconv_strategies();
  const std::vector<std::string> names = {"Question",
                                          "Restatement or Paraphrasing",
                                          "Reflection of feelings",
                                          "Self-disclosure",
                                          "Affirmation and Reassurance",
                                          "Providing Suggestions",
                                          "Information",
                                          "Others"};
  const std::vector<std::string> abbreviations = {"Que.",       "Res.& Par.", "Ref.", "Self-Dis.",
                                                  "Aff.& Rea.", "Pro.",       "Inf.", "Others"};
  ASSERT_EQ(set.size(), 8);
  for (int i = 0; i < 8; ++i) {
    EXPECT_EQ(set[i].name, names[static_cast<std::size_t>(i)]);
    EXPECT_EQ(set[i].abbreviation, abbreviations[static_cast<std::size_t>(i)]);
    EXPECT_FALSE(set[i].definition.empty());
  }
}

TEST(Strategies, OtherSpellingsResolve) {
  const StrategySet set = esconv_strategies();
  EXPECT_EQ(set.find("Reflection of Feelings"), 2) << "the paper's capital";
  EXPECT_EQ(set.find("  providing   suggestions\n"), 5);
  // The labels of FailedESConv.
  EXPECT_EQ(set.find("Questions"), 0);
  EXPECT_EQ(set.find("Restatement"), 1);
  EXPECT_EQ(set.find("Approval and Reassurance"), 4);
  EXPECT_EQ(set.find("Direct Guidance"), 5);
  EXPECT_EQ(set.find("Other"), 7);
  EXPECT_EQ(set.find("Aff.& Rea."), 4);
  EXPECT_EQ(set.find("Interpretation"), std::nullopt);
  EXPECT_EQ(set.find(""), std::nullopt);
}

TEST(Strategies, NearestNamesTheStrategyThatWasMeant) {
  const StrategySet set = esconv_strategies();
  EXPECT_EQ(set.nearest("Providing Sugestions"), "Providing Suggestions");
  EXPECT_EQ(set.nearest("other"), "Others");
  EXPECT_EQ(set.nearest("zzzzzzzzzzzzzzzz"), "");
}

TEST(Strategies, RefusesAFileThatIsAmbiguousOrTooSmall) {
  const testing::TemporaryFolder folder;
  const std::string path = folder.path("s.yaml");
  write_file_atomic(path,
                    "strategies:\n"
                    "  - {name: Ask, abbreviation: A.}\n"
                    "  - {name: Tell, abbreviation: T., aliases: [\" ask \"]}\n");
  auto e = testing::error_of([&] { StrategySet::load(path); });
  ASSERT_TRUE(e);
  EXPECT_EQ(e->exit_code(), 2);
  EXPECT_NE(std::string(e->what()).find("s.yaml:3"), std::string::npos) << e->what();
  EXPECT_NE(std::string(e->what()).find("already stands for \"Ask\""), std::string::npos);

  write_file_atomic(path, "strategies:\n  - {name: Ask, abbreviation: A.}\n");
  e = testing::error_of([&] { StrategySet::load(path); });
  ASSERT_TRUE(e);
  EXPECT_NE(std::string(e->what()).find("at least two"), std::string::npos);

  write_file_atomic(path, "strategies:\n  - {name: Ask, abbreviation: A., alias: [x]}\n");
  e = testing::error_of([&] { StrategySet::load(path); });
  ASSERT_TRUE(e);
  EXPECT_NE(std::string(e->what()).find("did you mean"), std::string::npos) << e->what();
}

TEST(Strategies, LabelsOfEveryScriptAreComparedWithoutCase) {
  const testing::TemporaryFolder folder;
  write_file_atomic(folder.path("s.yaml"),
                    "strategies:\n  - {name: Ερώτησης, abbreviation: Ερ.}\n"
                    "  - {name: Größe, abbreviation: Gr.}\n");
  const auto set = StrategySet::load(folder.path("s.yaml"));
  EXPECT_EQ(set.find("ΕΡΏΤΗΣΗΣ"), 0);
  EXPECT_EQ(set.find("GRÖSSE"), 1);
  EXPECT_EQ(set.find("Grosse"), std::nullopt);
}

TEST(Strategies, ANameIsEnough) {
  const testing::TemporaryFolder folder;
  write_file_atomic(folder.path("s.yaml"),
                    "strategies:\n  - {name: Ask}\n  - {name: Tell, abbreviation: T.}\n");
  const auto set = StrategySet::load(folder.path("s.yaml"));
  EXPECT_EQ(set[0].abbreviation, "Ask");
  EXPECT_EQ(set[1].abbreviation, "T.");
}

}  // namespace
}  // namespace straq::dialogue
