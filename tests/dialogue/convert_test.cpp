// A corpus that is written in another form is the same corpus, and a sample is some of it.
#include "dialogue/convert.h"

#include "core/files/files.h"
#include "tests/dialogue/fixtures.h"

namespace straq::dialogue {
namespace {

using testing::error_of;
using testing::TemporaryFolder;

std::vector<Dialogue> read(const std::string& path) {
  return read_corpus(path, Format::automatic, esconv_strategies()).dialogues;
}

void write(const std::vector<Dialogue>& dialogues, const std::string& path, bool several = false) {
  const StrategySet strategies = esconv_strategies();
  CorpusWriter out(path, form_by_name(path), strategies, several);
  for (const Dialogue& d : dialogues) out.write(d);
  EXPECT_FALSE(std::filesystem::exists(path)) << "it appears when it is whole";
  out.publish();
}

void expect_same(const std::vector<Dialogue>& a, const std::vector<Dialogue>& b) {
  ASSERT_EQ(a.size(), b.size());
  const StrategySet strategies = esconv_strategies();
  for (std::size_t i = 0; i < a.size(); ++i) {
    EXPECT_EQ(to_jsonl(a[i], strategies), to_jsonl(b[i], strategies));
    EXPECT_EQ(a[i].id.substr(a[i].id.find('/')), b[i].id.substr(b[i].id.find('/')));
  }
}

std::string named_line(const std::string& id) {
  std::string line = kLine;
  return line.insert(1, "\"id\": \"" + id + "\", ");
}

TEST(Convert, EveryFormHoldsTheSameDialogues) {
  const TemporaryFolder folder;
  write_file_atomic(folder.path("a.txt"),
                    std::string(kLine) + "\n" + named_line("mine") + "\n" + kLine + "\n");
  const auto from = read(folder.path("a.txt"));
  for (const char* name : {"b.jsonl", "b.json", "b.txt.gz", "b.json.zst"}) {
    write(from, folder.path(name));
    expect_same(read(folder.path(name)), from);
  }
}

TEST(Convert, ATableHoldsWhatItCan) {
  const TemporaryFolder folder;
  const char* plain =
      "{\"emotion_type\": \"sad\", \"situation\": \"Lost, again\", \"dialog\": [{\"speaker\": "
      "\"usr\", "
      "\"text\": \"No, \\\"it\\\" went\"}, {\"speaker\": \"sys\", \"text\": \"Oh\"}]}";
  write_file_atomic(folder.path("a.txt"), std::string(plain) + "\n" + plain + "\n");
  const auto from = read(folder.path("a.txt"));
  write(from, folder.path("b.csv"));
  expect_same(read(folder.path("b.csv")), from);
  write_file_atomic(folder.path("c.txt"), std::string(kLine) + "\n");
  const auto e = error_of([&] { write(read(folder.path("c.txt")), folder.path("d.csv")); });
  ASSERT_TRUE(e);
  EXPECT_HAS(e->full(), "c/00000");
  EXPECT_FALSE(std::filesystem::exists(folder.path("d.csv")));
}

TEST(Convert, DialoguesOfSeveralFilesKeepNamesApart) {
  const TemporaryFolder folder;
  write_file_atomic(folder.path("a.txt"), std::string(kLine) + "\n");
  write_file_atomic(folder.path("b.txt"), std::string(kLine) + "\n");
  auto both = read(folder.path("a.txt"));
  both.push_back(read(folder.path("b.txt"))[0]);
  write(both, folder.path("c.jsonl"), /*several=*/true);
  const auto got = read(folder.path("c.jsonl"));
  EXPECT_EQ(got.at(0).id, "c/a-00000");
  EXPECT_EQ(got.at(1).id, "c/b-00000");
}

TEST(Sample, IsADrawInTheFilesOrder) {
  const TemporaryFolder folder;
  std::string lines;
  for (int i = 0; i < 40; ++i) lines += named_line("d" + std::to_string(100 + i)) + "\n";
  write_file_atomic(folder.path("a.txt"), lines);
  const auto draw = [&](std::size_t count, std::uint64_t seed) {
    std::vector<std::string> ids;
    for (const auto& d : sample_dialogues({folder.path("a.txt")}, Format::automatic,
                                          esconv_strategies(), count, seed)) {
      ids.push_back(d.id);
    }
    return ids;
  };
  const auto ten = draw(10, 1);
  EXPECT_EQ(ten.size(), 10u);
  EXPECT_TRUE(std::is_sorted(ten.begin(), ten.end()));
  EXPECT_EQ(draw(10, 1), ten);
  EXPECT_NE(draw(10, 2), ten);
  EXPECT_EQ(draw(100, 1).size(), 40u);
  // Each has the same chance: of 400 draws of 10 every dialogue is in about 100.
  std::map<std::string, int> times;
  for (std::uint64_t seed = 0; seed < 400; ++seed) {
    for (const auto& id : draw(10, seed)) ++times[id];
  }
  EXPECT_EQ(times.size(), 40u);
  for (const auto& [id, n] : times) EXPECT_NEAR(n, 100, 45) << id;
}

}  // namespace
}  // namespace straq::dialogue
