// A plan holds places, and what is read from them is what reading the whole corpus gives: for every
// form, packed or not, from one file or many.
#include "dialogue/plan/corpus_plan.h"

#include "core/files/files.h"
#include "dialogue/plan/order_json.h"
#include "tests/dialogue/fixtures.h"
#include "tests/packed.h"

namespace straq::dialogue {
namespace {

using testing::error_of;
using testing::gzipped;
using testing::TemporaryFolder;
using testing::zstd_packed;

class CorpusPlans : public ::testing::Test {
 protected:
  CorpusPlans() { config.strategies = testing::source_path("configs/strategies/esconv.yaml"); }
  std::string file(const std::string& name, const std::string& bytes) {
    write_file_atomic(folder.path(name), bytes);
    return folder.path(name);
  }
  // Some two megabytes, so that a piece ends within a dialogue.
  static std::string many(int count = 2000) {
    std::string out;
    for (int i = 0; i < count; ++i) {
      std::string line = kLine;
      line.replace(line.find("job crisis"), 3, "job" + std::to_string(i));
      out += line + "\n";
    }
    return out;
  }
  // What shards would be made of: every split through the orders for it.
  std::vector<Episode> read_by_orders(const std::string& split) {
    const StrategySet strategies = load_strategies(config);
    const CorpusPlan plan = plan_corpus(config, strategies);
    EpisodeOrders orders;
    const PlannedSplit& s = *plan.find(split);
    for (std::size_t i = 0; i < s.members.size(); ++i) {
      const auto& d = plan.dialogues[s.members[i]];
      orders.files.emplace(d.file, plan.files[d.file]);
      orders.episodes.push_back(
          {d.file, d.place, s.owned.empty() ? std::vector<std::uint8_t>{} : s.owned[i]});
    }
    const auto sent = nlohmann::json::from_msgpack(nlohmann::json::to_msgpack(to_json(orders)));
    const EpisodeOrders got = orders_from_json(sent);
    EpisodeReader reader(config, strategies);
    for (const auto& [number, f] : got.files) reader.know(number, f);
    std::vector<Episode> out;
    for (const auto& order : got.episodes) out.push_back(reader.read(order));
    reader.check();
    return out;
  }
  void expect_same_as_whole(const std::string& what) {
    const Splits whole = load_splits(config);
    for (const Split& split : whole.splits) {
      const auto got = read_by_orders(split.name);
      ASSERT_EQ(got.size(), split.episodes.size()) << what;
      for (std::size_t i = 0; i < got.size(); ++i) {
        const Episode &a = got[i], &b = split.episodes[i];
        ASSERT_EQ(a.id, b.id) << what;
        ASSERT_EQ(a.problem, b.problem) << what;
        ASSERT_EQ(a.turns.size(), b.turns.size()) << what;
        ASSERT_EQ(a.decisions.size(), b.decisions.size()) << what;
        for (std::size_t k = 0; k < a.decisions.size(); ++k) {
          ASSERT_EQ(a.decisions[k].gold, b.decisions[k].gold) << what;
          ASSERT_EQ(a.decisions[k].terminal, b.decisions[k].terminal) << what;
        }
      }
    }
  }

  TemporaryFolder folder;
  DataConfig config;
};

TEST_F(CorpusPlans, WhatLiesAtAPlaceIsTheDialogueForEveryForm) {
  const std::string lines = many();
  std::string list = lines;
  for (std::size_t at = 0; (at = list.find('\n', at)) + 1 < list.size(); at += 2) {
    list.replace(at, 1, ",\n");
  }
  const std::string table =
      "conv_id,utterance_idx,context,prompt,speaker_idx,utterance,selfeval,tags\n"
      "c1,1,sad,I lost it,1,Hello,,\nc1,2,sad,I lost it,2,Hi,,\nc2,1,glad,Won_comma_ yes,1,Hey,,\n";
  const struct {
    std::string name, bytes;
  } files[] = {{"lines.txt", lines},
               {"marked.txt", "\xEF\xBB\xBF" + lines},
               {"lines.jsonl.gz", gzipped(lines)},
               {"lines.zst", zstd_packed(lines)},
               {"list.json", "[\n" + list + "]\n"},
               {"list.json.gz", gzipped("[" + list + "]")},
               {"table.csv", table},
               {"table.csv.gz", gzipped(table)}};
  for (const auto& f : files) {
    config.train = file(f.name, f.bytes);
    expect_same_as_whole(f.name);
  }
}

// Rows of some megabytes, in each of the two ways in which tables are written: pieces end within
// rows, within quotes and within line ends.
TEST_F(CorpusPlans, TablesOfAnySizeAreReadByTheirConversations) {
  const auto table = [](bool quoted, const char* line_end) {
    std::string out =
        std::string("conv_id,utterance_idx,context,prompt,speaker_idx,utterance") + line_end;
    for (int c = 0; c < 9000; ++c) {
      for (int u = 1; u <= 3; ++u) {
        const std::string text = "turn " + std::to_string(c) + " of " + std::to_string(u);
        const std::string said = quoted ? "\"" + text + ", \"\"well\"\"\n it went on\""
                                        : text + "_comma_ \"well\" it went";
        out += "c" + std::to_string(c) + "," + std::to_string(u) + ",sad,Lost it," +
               std::to_string(u % 2) + "," + said + line_end;
      }
    }
    return out;
  };
  for (const bool quoted : {false, true}) {
    for (const char* line_end : {"\n", "\r\n"}) {
      const std::string bytes = table(quoted, line_end);
      ASSERT_GT(bytes.size(), std::size_t{1} << 20);
      config.train = file("table.csv", bytes);
      const Split train = *load_splits(config).find("train");
      ASSERT_EQ(train.episodes.size(), 9000u) << quoted;
      const std::string& said = train.corpus.dialogues[8999].utterances.at(1).text;
      EXPECT_EQ(said, quoted ? "turn 8999 of 2, \"well\" it went on"
                             : "turn 8999 of 2, \"well\" it went");
      EXPECT_EQ(train.corpus.sha256, sha256_hex(bytes));
      expect_same_as_whole("a large table");
    }
  }
}

TEST_F(CorpusPlans, AnArchiveIsTheCorpusThatItHolds) {
  config.train = file("a/train.txt", many(3));
  const CorpusPlan plain = plan_corpus(config, esconv_strategies());
  config.train = file("b/train.txt.gz", gzipped(many(3)));
  const CorpusPlan packed = plan_corpus(config, esconv_strategies());
  EXPECT_EQ(plain.splits[0].sha256, packed.splits[0].sha256);
  EXPECT_EQ(plain.splits[0].sha256, sha256_hex(many(3)));
  EXPECT_EQ(load_splits(config).find("train")->episodes[2].id, "train/00002");
  EXPECT_TRUE(packed.files[0].packed);
  EXPECT_FALSE(plain.files[0].packed);
}

TEST_F(CorpusPlans, SeveralFilesAFolderAndAPatternAreOneSplit) {
  const std::string one = many(2), two = many(3);
  file("parts/part-b.jsonl", two);
  file("parts/part-a.jsonl", one);
  file("parts/README.md", "no corpus");
  file("parts/.part-c.jsonl", one);
  const std::vector<Paths> same = {
      Paths({folder.path("parts/part-a.jsonl"), folder.path("parts/part-b.jsonl")}),
      folder.path("parts"), folder.path("parts/part-*.jsonl"),
      folder.path("parts/part-[ab].jsonl")};
  for (const Paths& paths : same) {
    config.train = paths;
    const Splits splits = load_splits(config);
    const Split& train = *splits.find("train");
    EXPECT_EQ(train.corpus.sha256, sha256_hex(one + two));
    ASSERT_EQ(train.episodes.size(), 5u);
    EXPECT_EQ(train.episodes[2].id, "part-b/00000");
    expect_same_as_whole("parts");
  }
  for (const auto& [paths, words] :
       {std::pair<Paths, const char*>(folder.path("parts/*.csv"), "no file matches"),
        {folder.path("none"), "none"},
        {Paths({folder.path("parts/part-a.jsonl"), file("c/part-a.txt", one)}), "the same name"}}) {
    config.train = paths;
    const auto e = error_of([&] { plan_corpus(config, esconv_strategies()); });
    ASSERT_TRUE(e);
    EXPECT_HAS(e->full(), words);
  }
  std::filesystem::create_directory(folder.path("empty"));
  config.train = folder.path("empty");
  EXPECT_HAS(error_of([&] { plan_corpus(config, esconv_strategies()); })->full(), "no corpus file");
}

TEST_F(CorpusPlans, ConfigsNameOneOrSeveral) {
  const auto read = [](const std::string& yaml) {
    return config::read<DataConfig>(config::parse_yaml(yaml, "c.yaml"));
  };
  EXPECT_EQ(read("train: a.txt").train, Paths("a.txt"));
  EXPECT_EQ(read("train: [a.txt, b]").train, (Paths{"a.txt", "b"}));
  EXPECT_EQ(read("source: a.txt").source, Paths("a.txt"));
  EXPECT_TRUE(read("name: x").train.empty());
  EXPECT_TRUE(read("train: \"\"").train.empty());
  auto unset = config::parse_yaml("train: a.txt\nvalid: b.txt", "c.yaml");
  config::apply_set(unset, "valid=");
  EXPECT_TRUE(config::read<DataConfig>(unset).valid.empty());
  for (const char* yaml : {"train: a.txt", "train: [a.txt, b]", "source: [a]", "name: x"}) {
    const DataConfig c = read(yaml);
    const DataConfig again = config::read<DataConfig>(config::dump(c));
    EXPECT_EQ(again.train, c.train);
    EXPECT_EQ(again.source, c.source);
  }
  // As they were written before there were lists.
  const auto dumped = config::to_yaml(config::dump(read("train: a.txt\nsource: [b]")));
  EXPECT_HAS(dumped, "train: a.txt\n");
  EXPECT_HAS(dumped, "source: [b]\n");
  const auto e = error_of([&] { read("train: {a: b}"); });
  ASSERT_TRUE(e);
  EXPECT_HAS(e->full(), "train");
}

TEST_F(CorpusPlans, DrawnSplitsHaveTheirDecisions) {
  config.source = file("all.txt", many(40));
  for (const SplitMode mode : {SplitMode::ratio, SplitMode::sample_level}) {
    config.split = mode;
    expect_same_as_whole(mode == SplitMode::ratio ? "ratio" : "sample_level");
    const CorpusPlan plan = plan_corpus(config, esconv_strategies());
    std::int64_t decisions = 0;
    for (const auto& s : plan.splits) decisions += s.decisions;
    EXPECT_EQ(decisions, 40 * 2);
    const Splits whole = load_splits(config);
    for (const auto& s : whole.splits) {
      std::int64_t n = 0;
      for (const auto& e : s.episodes) n += static_cast<std::int64_t>(e.decisions.size());
      EXPECT_EQ(plan.find(s.name)->decisions, n);
    }
  }
}

TEST_F(CorpusPlans, TheLimitCutsEverySplit) {
  config.train = file("train.txt", many(5));
  config.limit = 2;
  const CorpusPlan plan = plan_corpus(config, esconv_strategies());
  EXPECT_EQ(plan.find("train")->members.size(), 2u);
  EXPECT_EQ(plan.find("train")->decisions, 4);
  EXPECT_EQ(plan.files[0].source.dialogues, 5);
}

TEST_F(CorpusPlans, AnIndexStandsForFilesThatAreAsTheyWere) {
  config.train = {file("a.jsonl", many(3000)), file("b.jsonl.gz", gzipped(many(2500)))};
  const StrategySet strategies = load_strategies(config);
  const std::string indexes = folder.path("indexes");
  const CorpusPlan first = plan_corpus(config, strategies, indexes);
  const std::string kept = indexes + "/" + index_name(config.train.all, config, strategies);
  const auto index = load_index(kept, config.train.all);
  ASSERT_TRUE(index);
  EXPECT_EQ(index->sha256, first.splits[0].sha256);
  const CorpusPlan second = plan_corpus(config, strategies, indexes);
  ASSERT_EQ(second.dialogues.size(), 5500u);
  for (std::size_t i = 0; i < 5500; i += 7) {
    const auto &a = first.dialogues[i], &b = second.dialogues[i];
    EXPECT_EQ(a.place.offset, b.place.offset);
    EXPECT_EQ(a.place.bytes, b.place.bytes);
    EXPECT_EQ(a.place.line, b.place.line);
    EXPECT_EQ(a.place.number, b.place.number);
    EXPECT_EQ(a.file, b.file);
    EXPECT_EQ(a.decisions, b.decisions);
  }
  EXPECT_EQ(second.files[1].packed, true);
  EXPECT_EQ(second.files[0].format, Format::esconv_jsonl);

  // Another rule has another index, and a damaged one is none.
  DataConfig merged = config;
  merged.merge_label = MergeLabel::none;
  EXPECT_NE(index_name(config.train.all, merged, strategies),
            index_name(config.train.all, config, strategies));
  const std::string whole = read_file(kept);
  for (std::string bad : {whole.substr(0, whole.size() / 2), std::string("{}\n"), std::string()}) {
    write_file_atomic(kept, bad);
    EXPECT_FALSE(load_index(kept, config.train.all));
  }
  std::string flipped = whole;
  flipped.back() ^= 1;
  write_file_atomic(kept, flipped);
  EXPECT_FALSE(load_index(kept, config.train.all));
  EXPECT_EQ(plan_corpus(config, strategies, indexes).dialogues.size(), 5500u) << "and made again";
  EXPECT_TRUE(load_index(kept, config.train.all));

  // Written since, also where its size is the same: what it was is not believed.
  std::string other = many(3000);
  other[other.find("anxiety")] = 'A';
  file("a.jsonl", other);
  EXPECT_FALSE(load_index(kept, config.train.all));
  EXPECT_NE(plan_corpus(config, strategies, indexes).splits[0].sha256, first.splits[0].sha256);
}

TEST_F(CorpusPlans, AFileThatWasWrittenSinceIsRefused) {
  config.train = file("train.txt", many(5));
  const StrategySet strategies = load_strategies(config);
  const CorpusPlan plan = plan_corpus(config, strategies);
  EpisodeReader open(config, strategies), fresh(config, strategies);
  open.know(0, plan.files[0]), fresh.know(0, plan.files[0]);
  open.read({0, plan.dialogues[0].place});
  // The same content in its place is no other file, and one that is open stays what it was.
  file("train.txt", many(5));
  EpisodeReader again(config, strategies);
  again.know(0, plan.files[0]);
  EXPECT_EQ(again.read({0, plan.dialogues[4].place}).id, "train/00004");
  open.check();
  std::ofstream(folder.path("train.txt"), std::ios::app) << kLine << "\n";
  for (const auto& e : {error_of([&] { again.check(); }), error_of([&] {
                          fresh.read({0, plan.dialogues[0].place});
                        })}) {
    ASSERT_TRUE(e);
    EXPECT_HAS(e->full(), "train.txt: the file has changed");
  }
}

}  // namespace
}  // namespace straq::dialogue
