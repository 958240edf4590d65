#include "dialogue/data_config.h"

#include <set>

#include "core/files/files.h"
#include "tests/dialogue/fixtures.h"

namespace straq::dialogue {
namespace {

DataConfig made_config(const std::string& yaml) {
  DataConfig c = config::read<DataConfig>(config::parse_yaml(yaml, "made.yaml"));
  c.strategies = testing::source_path("configs/strategies/esconv.yaml");
  return c;
}

TEST(DataConfig, ReadsItsKeysStrictly) {
  const DataConfig c = made_config(
      "name: mine\nsplit: ratio\nsource: [a.txt, b.txt]\nratios: {train: 0.5, valid: 0.25, test: "
      "0.25}\nsplit_seed: 7\nmerge_label: none\nlimit: 3\nformat: esconv_jsonl\n");
  EXPECT_EQ(c.name, "mine");
  EXPECT_EQ(c.split, SplitMode::ratio);
  EXPECT_EQ(c.source, (Paths{"a.txt", "b.txt"}));
  EXPECT_EQ(c.ratios.test, 0.25);
  EXPECT_EQ(c.split_seed, 7u);
  EXPECT_EQ(c.merge_label, MergeLabel::none);
  EXPECT_EQ(c.limit, 3);
  EXPECT_EQ(c.format, Format::esconv_jsonl);
  const auto e = testing::error_of([] { made_config("merge_lable: first\n"); });
  ASSERT_TRUE(e);
  EXPECT_NE(std::string(e->what()).find("merge_label"), std::string::npos);
  EXPECT_EQ(config::read<DataConfig>(config::dump(c)).limit, 3);
}

TEST(DataConfig, LoadsOfficialSplits) {
  const testing::TemporaryFolder folder;
  write_file_atomic(folder.path("train.txt"), std::string(kLine) + "\n" + kLine + "\n");
  write_file_atomic(folder.path("test.txt"), std::string(kLine) + "\n");
  DataConfig c = made_config("train: " + folder.path("train.txt") +
                             "\ntest: " + folder.path("test.txt") + "\n");
  Splits s = load_splits(c);
  ASSERT_EQ(s.splits.size(), 2u);
  EXPECT_EQ(s.splits[0].name, "train");
  EXPECT_EQ(s.splits[0].corpus.name, "esconv");
  EXPECT_EQ(s.splits[0].episodes.size(), 2u);
  EXPECT_EQ(s.find("test")->episodes.size(), 1u);
  EXPECT_EQ(s.find("valid"), nullptr);
  EXPECT_EQ(s.strategies.size(), 8);
  c.limit = 1;
  EXPECT_EQ(load_splits(c).find("train")->episodes.size(), 1u);
}

// Variables are the config reader's: a path that holds one by then names a file of that name.
TEST(DataConfig, PathsAreTakenAsTheyStand) {
  const testing::TemporaryFolder folder;
  write_file_atomic(folder.path("${HOME}.txt"), std::string(kLine) + "\n");
  DataConfig c = made_config("train: " + folder.path("${HOME}.txt") + "\n");
  EXPECT_EQ(load_splits(c).find("train")->episodes.size(), 1u);
}

TEST(DataConfig, FilesThatAModeNeedsMustBeNamed) {
  for (const char* yaml : {"split: official\n", "split: ratio\n", "split: sample_level\n"}) {
    const auto e = testing::error_of([&] { load_splits(made_config(yaml)); });
    ASSERT_TRUE(e);
    EXPECT_EQ(e->exit_code(), 2);
    EXPECT_FALSE(e->hint().empty());
  }
}

TEST(DataConfig, DrawnSplitsOfFiles) {
  const testing::TemporaryFolder folder;
  std::string lines;
  for (int i = 0; i < 40; ++i) lines += std::string(kLine) + "\n";
  write_file_atomic(folder.path("all.txt"), lines);
  DataConfig c = made_config("split: ratio\nsource: [" + folder.path("all.txt") + "]\n");
  const Splits ratio = load_splits(c);
  std::set<std::string> ids;
  for (const Split& s : ratio.splits) {
    EXPECT_EQ(s.corpus.dialogues.size(), s.episodes.size());
    for (std::size_t i = 0; i < s.episodes.size(); ++i) {
      EXPECT_EQ(s.corpus.dialogues[i].id, s.episodes[i].id);
      EXPECT_TRUE(ids.insert(s.episodes[i].id).second);
    }
  }
  EXPECT_EQ(ids.size(), 40u);
  EXPECT_EQ(ratio.find("test")->episodes.size(), 6u);

  c.split = SplitMode::sample_level;
  std::size_t decisions = 0;
  for (const Split& s : load_splits(c).splits) {
    ASSERT_EQ(s.owned.size(), s.episodes.size());
    for (const Episode& e : s.episodes) {
      EXPECT_FALSE(e.decisions.empty());
      decisions += e.decisions.size();
    }
  }
  EXPECT_EQ(decisions, 80u) << "two decisions a dialogue, each in one split";
}

TEST(DataConfig, ByUtteranceEverySupportersUtteranceIsADecision) {
  const testing::TemporaryFolder folder;
  write_file_atomic(folder.path("test.txt"), std::string(kLine) + "\n");
  const DataConfig c =
      made_config("unit: utterance\nmerge_label: last\ntest: " + folder.path("test.txt") + "\n");
  EXPECT_EQ(c.merge(), MergeLabel::none);
  const Splits s = load_splits(c);
  const auto& decisions = s.find("test")->episodes[0].decisions;
  ASSERT_EQ(decisions.size(), 4u);
  EXPECT_EQ(decisions[2].gold, 0);
}

TEST(RealData, UtterancesOfEsconvsTestSplit) {
  STRAQ_REQUIRE_DATA(folder, "esconv");
  for (const auto& [unit, count] : {std::pair("utterance", 2895u), std::pair("turn", 2295u)}) {
    const DataConfig c =
        made_config(std::string("unit: ") + unit + "\ntest: " + folder + "/test.txt\n");
    const Splits s = load_splits(c);
    std::size_t decisions = 0;
    for (const Episode& e : s.find("test")->episodes) decisions += e.decisions.size();
    EXPECT_EQ(decisions, count) << unit;
  }
}

TEST(RealData, AllSplitModesOfEsconv) {
  STRAQ_REQUIRE_DATA(folder, "esconv");
  DataConfig c = made_config("split: ratio\nsource: [" + folder + "/train.txt, " + folder +
                             "/valid.txt, " + folder + "/test.txt]\n");
  const Splits ratio = load_splits(c);
  EXPECT_EQ(ratio.find("train")->episodes.size(), 910u);
  EXPECT_EQ(ratio.find("valid")->episodes.size(), 195u);
  EXPECT_EQ(ratio.find("test")->episodes.size(), 195u);
  std::size_t decisions = 0;
  for (const Split& s : ratio.splits) {
    for (const Episode& e : s.episodes) decisions += e.decisions.size();
  }
  EXPECT_EQ(decisions, 14642u);

  c.split = SplitMode::sample_level;
  std::vector<std::size_t> counts;
  for (const Split& s : load_splits(c).splits) {
    counts.push_back(0);
    for (const Episode& e : s.episodes) counts.back() += e.decisions.size();
  }
  EXPECT_EQ(counts, (std::vector<std::size_t>{10250, 2196, 2196}));
}

}  // namespace
}  // namespace straq::dialogue
