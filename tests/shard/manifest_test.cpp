#include "shard/manifest.h"

#include <gtest/gtest.h>

#include <filesystem>

#include "core/files/files.h"
#include "prompt/builder.h"
#include "shard/dataset.h"
#include "tests/shard/shards.h"

namespace straq::shard {
namespace {

namespace fs = std::filesystem;
using dialogue::Episode;
using dialogue::Speaker;

Episode episode(int number) {
  Episode e;
  e.id = "made-up/" + std::to_string(number);
  e.emotion = number % 2 ? "anger" : "sadness";
  e.situation = "situation " + std::to_string(number);
  for (int i = 0; i < 4 + number % 5; ++i) {
    dialogue::Turn t;
    t.speaker = i % 2 ? Speaker::supporter : Speaker::seeker;
    t.text = "words " + std::to_string(number * i);
    if (i % 2) {
      t.strategy = (number + i) % 8;
      e.decisions.push_back({i, t.strategy, -1, false});
    }
    e.turns.push_back(std::move(t));
  }
  e.decisions.back().terminal = true;
  return e;
}

class Folder : public ::testing::Test {
 protected:
  Folder() {
    for (int i = 0; i < 23; ++i) train.push_back(episode(i));
    for (int i = 0; i < 5; ++i) valid.push_back(episode(100 + i));
  }
  static prompt::PromptConfig prompt_config() {
    prompt::PromptConfig c;
    c.template_path = testing::source_path("configs/prompts/planner.yaml");
    c.window = 4000;
    return c;
  }
  Manifest plan() const {
    ShardKey key{"source-hash", tokenizer.fingerprint(), prompts.fingerprint(), 4000, "{}", 4};
    const SplitSizes sizes = {{"train", 23}, {"valid", 5}};
    return plan_manifest("made-up", key, prompts, strategies, tokenizer.vocab_size(),
                         {4, 0, sizes, plan_items(sizes, 4)});
  }
  ShardRecord make(const Manifest& m, const WorkItem& item, const std::string& where) const {
    const std::vector<Episode>& split = item.split == "train" ? train : valid;
    return preprocess_item(
        m, item, [&](std::int64_t i) { return split.at(static_cast<std::size_t>(item.first + i)); },
        prompts, where);
  }
  void make_all(Manifest& m, const std::string& where) const {
    for (const auto& entry : plan().shards) m.add(make(m, entry.item, where));
    m.write(where);
  }
  DatasetNeeds needs() const {
    return {plan().key, tokenizer.fingerprint(), prompts.fingerprint()};
  }

  dialogue::StrategySet strategies =
      dialogue::StrategySet::load(testing::source_path("configs/strategies/esconv.yaml"));
  testing::ByteTokenizer tokenizer;
  prompt::PromptBuilder prompts{prompt_config(), strategies, tokenizer};
  std::vector<Episode> train, valid;
  testing::TemporaryFolder root;
  std::string folder = root.path("set");
};

TEST(PlanItems, CoverEveryDialogueOnce) {
  const auto items = plan_items({{"train", 10}, {"valid", 4}, {"test", 0}}, 4);
  const std::vector<WorkItem> expected = {
      {"train", 0, 0, 4}, {"train", 1, 4, 4}, {"train", 2, 8, 2}, {"valid", 0, 0, 4}};
  EXPECT_EQ(items, expected);
  EXPECT_EQ(items[2].file(), "train-00002.h5");
  EXPECT_EQ((WorkItem{"test", 123456, 0, 1}).file(), "test-123456.h5");
}

std::vector<std::int64_t> counts(const ShardCut& cut, const std::string& split) {
  std::vector<std::int64_t> out;
  for (const auto& item : cut.items) {
    if (item.split == split) out.push_back(item.count);
  }
  return out;
}

TEST(PlanCut, LargeSplitsAreCutByBytesAndSmallOnesFewDialoguesAtATime) {
  ShardConfig config;
  config.megabytes = 1;  // 4 MB of text
  const auto texts = [](std::size_t dialogues, std::uint32_t bytes) {
    return SplitTexts{{"train", std::vector<std::uint32_t>(dialogues, bytes)}};
  };
  // 100,000 dialogues of 2 kB: 2,098 of them make 4 MB.
  const ShardCut large = plan_cut(texts(100'000, 2'000), config);
  EXPECT_EQ(counts(large, "train").front(), 2'098);
  EXPECT_EQ(counts(large, "train").size(), 48u);
  EXPECT_EQ(large.text_per_shard, 4 << 20);
  // Of 3,200 such dialogues 16 shards; of few, and of short ones, 64 each, as it always was.
  EXPECT_EQ(counts(plan_cut(texts(3'200, 2'000), config), "train"),
            std::vector<std::int64_t>(16, 200));
  const ShardCut small = plan_cut(texts(910, 3'000), config);
  EXPECT_EQ(small.items, plan_items({{"train", 910}}, 64));
  EXPECT_EQ(small.text_per_shard, 0);
  // Dialogues of a megabyte: 64 go into a shard in any case.
  EXPECT_EQ(counts(plan_cut(texts(130, 1 << 20), config), "train"),
            (std::vector<std::int64_t>{64, 64, 2}));
  config.dialogues_per_shard = 30;
  EXPECT_EQ(counts(plan_cut(texts(100, 2'000), config), "train"),
            (std::vector<std::int64_t>{30, 30, 30, 10}));
}

TEST(ShardKeys, DifferInEveryPart) {
  const ShardKey base{"s", "t", "p", 512, "d", 64};
  std::vector<std::string> keys = {base.hex()};
  const auto with = [&](auto change) {
    ShardKey k = base;
    change(k);
    keys.push_back(k.hex());
  };
  with([](auto& k) { k.source = "x"; });
  with([](auto& k) { k.tokenizer = "x"; });
  with([](auto& k) { k.prompt = "x"; });
  with([](auto& k) { k.window = 513; });
  with([](auto& k) { k.data = "x"; });
  with([](auto& k) { k.dialogues_per_shard = 65; });
  with([](auto& k) { k.splits = {{"train", "x", "train"}}; });
  with([](auto& k) { k.splits = {{"train", "x", "holdout"}}; });  // ids begin with it
  with([](auto& k) { k.outcomes = {{"ratings", "x"}}; });
  with([](auto& k) { k.outcomes = {{"judgements", "x"}}; });
  with([](auto& k) { k.text_per_shard = 1; });
  with([](auto& k) { k.shuffle = 0; });
  with([](auto& k) { k.shuffle = 1; });
  std::sort(keys.begin(), keys.end());
  EXPECT_EQ(std::adjacent_find(keys.begin(), keys.end()), keys.end());
  EXPECT_EQ(base.hex(), (ShardKey{"s", "t", "p", 512, "d", 64}.hex()));
}

TEST_F(Folder, KeyIsTheDatasNotThePathsNames) {
  dialogue::DataConfig data;
  DataSources sources{{{"train", "abc", ""}}, {}};
  const auto key = [&] {
    return make_key(data, strategies, sources, prompts, tokenizer, {64}).hex();
  };
  const std::string base = key();
  data.train = "/elsewhere/train.txt";
  data.name = "other";
  EXPECT_EQ(key(), base);
  data.merge_label = dialogue::MergeLabel::last;
  EXPECT_NE(key(), base);
  data.merge_label = dialogue::MergeLabel::first;
  data.limit = 10;
  EXPECT_NE(key(), base);
  data.limit = 0;
  data.unit = dialogue::DecisionUnit::utterance;
  EXPECT_NE(key(), base);
  data.unit = dialogue::DecisionUnit::turn;
  // Of files of outcomes the bytes count and not the path.
  data.ratings = "/elsewhere/ratings.jsonl";
  EXPECT_EQ(key(), base);
  sources.outcomes = {{"ratings", "abc"}};
  EXPECT_NE(key(), base);
  sources.outcomes.clear();
  sources.splits[0].sha256 = "abd";
  EXPECT_NE(key(), base);
  sources.splits[0].sha256 = "abc";
  // Ids begin with the file's stem: shards of another one would not join with replies and ratings.
  sources.splits[0].ids = "train";
  const std::string named = key();
  sources.splits[0].ids = "holdout";
  EXPECT_NE(key(), named);
}

TEST_F(Folder, WhatOfficialSplitsDoNotUseIsNoPartOfTheirKey) {
  dialogue::DataConfig data;
  const auto key = [&] { return make_key(data, strategies, {}, prompts, tokenizer, {64}).hex(); };
  const std::string base = key();
  data.split_seed = 99;
  EXPECT_EQ(key(), base);
  data.split = dialogue::SplitMode::ratio;
  const std::string drawn = key();
  data.split_seed = 98;
  EXPECT_NE(key(), drawn);
}

TEST_F(Folder, OpensWithAllDialoguesInOrder) {
  Manifest m = plan();
  EXPECT_FALSE(m.complete());
  make_all(m, folder);
  EXPECT_TRUE(m.complete());
  const DatasetView view = open_dataset(folder, needs());
  std::vector<prompt::Comb> expected;
  for (const auto& e : train) expected.push_back(prompts.build_comb(e));
  testing::expect_same(view.split("train"), expected);
  EXPECT_EQ(view.split("valid").size(), 5u);
  EXPECT_EQ(view.option_ids(), prompts.option_ids());
  EXPECT_EQ(view.vocab_size(), tokenizer.vocab_size());
  EXPECT_EQ(view.manifest.strategies.at(7), "Others");
  std::int64_t decisions = 0;
  for (const auto& e : train) decisions += static_cast<std::int64_t>(e.decisions.size());
  EXPECT_EQ(view.decision_count("train"), decisions);
  testing::error_of([&] { view.split("test"); });
  EXPECT_EQ(open_dataset(folder, needs(), {"valid"}).splits.size(), 1u);
  const auto e = testing::error_of([&] { open_dataset(folder, needs(), {"test"}); });
  EXPECT_NE(e->hint().find("train, valid"), std::string::npos) << e->full();
}

TEST_F(Folder, IsTheSameWhoeverMadeItInWhateverOrder) {
  Manifest one = plan(), other = plan();
  make_all(one, folder);
  auto items = plan().shards;
  std::reverse(items.begin(), items.end());
  const std::string second = root.path("second");
  for (const auto& entry : items) other.add(make(other, entry.item, second));
  EXPECT_EQ(one.to_json(), other.to_json());
  for (const auto& entry : items) {
    EXPECT_EQ(read_file(folder + "/" + entry.item.file()),
              read_file(second + "/" + entry.item.file()));
  }
}

TEST_F(Folder, ManifestSurvivesItsFile) {
  Manifest m = plan();
  m.add(make(m, m.shards[2].item, folder));
  m.write(folder);
  const Manifest read = Manifest::read(folder);
  EXPECT_EQ(read.to_json(), m.to_json());
  EXPECT_FALSE(read.complete("train"));
  EXPECT_TRUE(read.shards[2].record);
}

TEST_F(Folder, RedoesOnlyWhatIsMissingOrInvalid) {
  Manifest m = plan();
  EXPECT_EQ(missing_items(m, folder).size(), 8u);
  make_all(m, folder);
  EXPECT_TRUE(missing_items(m, folder).empty());
  fs::remove(folder + "/train-00001.h5");
  std::string bytes = read_file(folder + "/valid-00000.h5");
  bytes[bytes.size() / 2] = static_cast<char>(bytes[bytes.size() / 2] ^ 4);
  write_file_atomic(folder + "/valid-00000.h5", bytes);
  Manifest again = resume_manifest(plan(), folder);
  const auto missing = missing_items(again, folder);
  ASSERT_EQ(missing.size(), 2u);
  EXPECT_EQ(missing[0].item.file(), "train-00001.h5");
  EXPECT_EQ(missing[0].reason, "it is missing");
  EXPECT_EQ(missing[1].item.file(), "valid-00000.h5");
  EXPECT_FALSE(again.complete());
  EXPECT_FALSE(again.complete("train"));
  for (const auto& x : missing) again.add(make(again, x.item, folder));
  EXPECT_EQ(again.to_json(), m.to_json());
}

TEST_F(Folder, AdoptsShardsWhoseRecordWasNeverWritten) {
  // The coordinator ended between a preprocessor's rename and its own write of the manifest.
  Manifest m = plan();
  for (int i = 0; i < 3; ++i) make(m, m.shards[static_cast<std::size_t>(i)].item, folder);
  Manifest after = resume_manifest(plan(), folder);
  EXPECT_EQ(missing_items(after, folder).size(), 5u);
  EXPECT_TRUE(after.shards[0].record);
}

TEST_F(Folder, AManifestThatCannotBeReadCostsNothingOnRestart) {
  Manifest m = plan();
  make_all(m, folder);
  write_file_atomic(folder + "/manifest.json", "{\"format\": \"straq-mani");
  Manifest after = resume_manifest(plan(), folder);
  EXPECT_TRUE(missing_items(after, folder).empty());
  EXPECT_EQ(after.to_json(), m.to_json());
}

TEST_F(Folder, OpeningNamesEveryBadShardBeforeAnyIsUsed) {
  Manifest m = plan();
  make_all(m, folder);
  fs::remove(folder + "/train-00004.h5");
  const std::string bytes = read_file(folder + "/train-00002.h5");
  write_file_atomic(folder + "/train-00002.h5", bytes.substr(0, bytes.size() / 2));
  fs::copy_file(folder + "/train-00000.h5", folder + "/valid-00001.h5",
                fs::copy_options::overwrite_existing);
  const auto e = testing::error_of([&] { open_dataset(folder, needs()); });
  ASSERT_TRUE(e);
  EXPECT_EQ(e->kind(), ErrorKind::input);
  const std::string what = e->what();
  EXPECT_NE(what.find("train-00004.h5 is refused: it is missing"), std::string::npos) << what;
  EXPECT_NE(what.find("train-00002.h5 is refused: it is truncated"), std::string::npos) << what;
  EXPECT_NE(what.find("valid-00001.h5 is refused: it holds dialogues train 0..3"),
            std::string::npos)
      << what;
}

TEST_F(Folder, OpeningRefusesWhatWasMadeForAnotherRun) {
  Manifest m = plan();
  make_all(m, folder);
  const auto with = [&](const char* words, auto change) {
    DatasetNeeds n = needs();
    change(n);
    const auto e = testing::error_of([&] { open_dataset(folder, n); });
    ASSERT_TRUE(e);
    EXPECT_NE(std::string(e->what()).find(words), std::string::npos) << e->what();
    EXPECT_NE(std::string(e->what()).find(folder), std::string::npos) << e->what();
  };
  with("another tokenizer", [](auto& n) { n.tokenizer = "test:else"; });
  with("another prompt template", [](auto& n) { n.prompt = "else"; });
  with("another preprocessing key", [](auto& n) { n.key = "else"; });
}

TEST_F(Folder, OpeningAnUnfinishedFolderSaysWhatIsNotThere) {
  Manifest m = plan();
  for (int i = 0; i < 7; ++i) {
    m.add(make(m, m.shards[static_cast<std::size_t>(i)].item, folder));
  }
  m.write(folder);
  EXPECT_EQ(open_dataset(folder, needs(), {"train"}).split("train").size(), 23u);
  const auto e = testing::error_of([&] { open_dataset(folder, needs()); });
  EXPECT_NE(std::string(e->what()).find("valid-00001.h5 is refused: it has no record"),
            std::string::npos)
      << e->what();
}

TEST_F(Folder, BadManifestsAreNamed) {
  const auto refused = [&](const std::string& words) {
    const auto e = testing::error_of([&] { Manifest::read(folder); });
    ASSERT_TRUE(e);
    EXPECT_EQ(e->kind(), ErrorKind::input);
    EXPECT_NE(std::string(e->what()).find(folder + "/manifest.json"), std::string::npos);
    EXPECT_NE(std::string(e->what()).find(words), std::string::npos) << e->what();
    EXPECT_FALSE(e->hint().empty());
  };
  refused("is missing");
  const auto put = [&](const std::string& text) {
    write_file_atomic(folder + "/manifest.json", text);
  };
  put("{");
  refused("malformed");
  put("{\"a\": 1}");
  refused("not a manifest");
  put("[1]");
  refused("not a manifest");
  Manifest m = plan();
  make_all(m, folder);
  auto j = m.to_json();
  j["format_version"] = 0;
  put(j.dump());
  refused("format version 0");
  j = m.to_json();
  j.erase("vocab_size");
  put(j.dump());
  refused("malformed");
  j = m.to_json();
  j["shards"].erase(3);
  put(j.dump());
  refused("contradict");
  j = m.to_json();
  j["shards"][0]["split"] = "../../elsewhere";
  put(j.dump());
  refused("contradict");
  j = m.to_json();
  j["key_parts"]["window"] = 1;
  put(j.dump());
  refused("contradict");
}

TEST_F(Folder, RanksThatDisagreeDoNotGoOn) {
  Manifest m = plan();
  ShardRecord r = make(m, m.shards[0].item, folder);
  r.key = "0123456789abcdef0123";
  EXPECT_EQ(testing::error_of([&] { m.add(r); })->kind(), ErrorKind::failure);
  r.key = m.key;
  r.item.count = 3;
  testing::error_of([&] { m.add(r); });
}

TEST(ShardsSection, ReadsAndRefuses) {
  const auto c =
      config::read<ShardConfig>(config::parse_yaml("{dialogues_per_shard: 8}", "c.yaml"));
  EXPECT_EQ(c.dialogues_per_shard, 8);
  testing::error_of(
      [] { config::read<ShardConfig>(config::parse_yaml("{dialogues_per_shard: 0}", "c.yaml")); });
  testing::error_of(
      [] { config::read<ShardConfig>(config::parse_yaml("{deflate: 10}", "c.yaml")); });
}

}  // namespace
}  // namespace straq::shard
