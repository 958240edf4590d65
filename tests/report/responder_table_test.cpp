// Responders that were trained: a row for each split that they were scored on.
#include <gtest/gtest.h>

#include "core/files/files.h"
#include "report/contents.h"
#include "report/tables/tables.h"
#include "results/rows/reply_loss.h"
#include "tests/testing.h"

namespace straq::report {
namespace {

using straq::testing::TemporaryFolder;

TEST(ResponderTable, SaysHowWellEachPredictsTheReplies) {
  const TemporaryFolder folder;
  const auto add = [&](const std::string& point, const std::string& config,
                       const results::ReplyLoss& loss) {
    const std::string run = folder.path("results/x/" + point);
    write_file_atomic(run + "/config.yaml", config);
    results::write_reply_losses(run + "/reply_loss.json", {{{"test", loss}, {"valid", loss}}});
  };
  add("direct_seed-1", "seed: 1\nresponder: {method: direct}\n",
      {10, {300, 2.0}, {300, 2.0}, std::nullopt});
  add("straq_seed-2", "seed: 2\nresponder: {method: straq}\n",
      {10, {350, 1.9}, {300, 2.1}, results::TokenLoss{50, 0.7}});
  const auto read = results::read_results(folder.path("results"));
  const Table t = responder_table(read);
  ASSERT_EQ(t.rows.size(), 4u);
  const auto texts = [&](std::size_t row) {
    std::vector<std::string> out;
    for (const Cell& c : t.rows[row]) out.push_back(c.text);
    return out;
  };
  using Row = std::vector<std::string>;
  EXPECT_EQ(texts(0), (Row{"x/direct_seed-1", "direct", "test", "10", "300", "2.0000", "7.39", "–",
                           "–", "1"}));
  EXPECT_EQ(texts(3), (Row{"x/straq_seed-2", "straq", "valid", "10", "300", "2.1000", "8.17",
                           "0.7000", "2.01", "2"}));
  EXPECT_TRUE(read.experiments.at(0).runs.at(0).problems.empty());

  // A file that cannot be read is named, and the rest stands.
  write_file_atomic(folder.path("results/x/straq_seed-2/reply_loss.json"), "{\"splits\": 3}\n");
  const auto broken = results::read_results(folder.path("results"));
  EXPECT_EQ(responder_table(broken).rows.size(), 2u);
  EXPECT_HAS(broken.experiments.at(0).runs.at(1).problems.at(0), "reply_loss.json");
}

TEST(ResponderTable, IsNotMissedWhereNobodyTrainedOne) {
  const TemporaryFolder folder;
  write_file_atomic(folder.path("results/x/seed-1/config.yaml"), "seed: 1\n");
  const Table t = responder_table(results::read_results(folder.path("results")));
  EXPECT_TRUE(t.rows.empty());
  EXPECT_TRUE(t.notes.empty());
}

}  // namespace
}  // namespace straq::report
