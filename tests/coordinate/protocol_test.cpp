// Every message arrives as it was sent, and the list in docs/architecture.md is the one of the
// code.
#include "coordinate/protocol.h"

#include <gtest/gtest.h>

#include <fstream>
#include <limits>
#include <set>

#include "tests/testing.h"

namespace straq::coordinate {
namespace {

using straq::testing::error_of;

// By way of bytes, as between ranks.
comm::Message sent(const comm::Json& body, int source = 3) {
  return {source, comm::Json::from_msgpack(comm::Json::to_msgpack(body))};
}
template <class M>
M arrived(const M& message) {
  return std::get<M>(decode<M>(sent(encode(message))));
}

TEST(Protocol, AWorkItemArrivesWithThePlacesOfItsDialogues) {
  ShardOrder order;
  order.dataset = 2;
  order.config = "name: x\n";
  order.key = "k", order.folder = "shards/caf\xe9", order.tokenizer = "t/tokenizer.json";
  order.item = {"train", 3, 12, 4};
  order.dialogues.files[3] = {
      {"data/caf\xe9.txt", "abc", 16}, dialogue::Format::esconv_jsonl, {123, 456}, true};
  order.dialogues.episodes.push_back({3, {77, 20, 12, 13}});
  order.dialogues.episodes.push_back({3, {97, 21, 13, 14}, {1, 0}, {{4, std::nullopt}, {0, 2.5}}});
  const ShardOrder got = arrived(order);
  EXPECT_EQ(got.dataset, 2u);
  EXPECT_EQ(got.config, order.config);
  EXPECT_EQ(got.key + got.folder + got.tokenizer, order.key + order.folder + order.tokenizer);
  EXPECT_EQ(got.item, order.item);
  const auto& file = got.dialogues.files.at(3);
  EXPECT_EQ(file.source.path, "data/caf\xe9.txt");
  EXPECT_EQ(file.format, dialogue::Format::esconv_jsonl);
  EXPECT_EQ(file.stamp, (FileStamp{123, 456}));
  EXPECT_TRUE(file.packed);
  ASSERT_EQ(got.dialogues.episodes.size(), 2u);
  const auto &first = got.dialogues.episodes[0], &second = got.dialogues.episodes[1];
  EXPECT_EQ(first.file, 3u);
  EXPECT_EQ(first.place.offset + first.place.bytes, 97u);
  EXPECT_EQ(first.place.number + first.place.line, 25);
  EXPECT_TRUE(first.owned.empty() && first.outcomes.empty());
  EXPECT_EQ(second.owned, (std::vector<std::uint8_t>{1, 0}));
  EXPECT_EQ(second.outcomes.at(0).rating, 4);
  EXPECT_FALSE(second.outcomes.at(0).judge);
  EXPECT_EQ(second.outcomes.at(1).judge, 2.5);
}

TEST(Protocol, ARecordNamesItsRankWhereItCannotBeRead) {
  shard::ShardRecord record;
  record.key = "k", record.content_sha256 = "c0", record.file_sha256 = "f0";
  record.item = {"valid", 1, 4, 4};
  record.decisions = 9, record.trunk_tokens = 100, record.probe_tokens = 20, record.bytes = 1234;
  EXPECT_EQ(arrived(ShardMade{record}).record, record);
  auto body = encode(ShardMade{record});
  body["record"].erase("decisions");
  const auto error = error_of([&] { decode<ShardMade>(sent(body, 5)); });
  EXPECT_NE(std::string(error->what()).find("rank 5"), std::string::npos) << error->what();
}

TEST(Protocol, AFailureKeepsItsWordsItsKindAndItsWord) {
  const results::PointFailure failure(results::FailureKind::out_of_memory,
                                      Error(ErrorKind::failure, "größer", "take more"));
  const auto got = arrived(ShardFailed{failure}).failure;
  EXPECT_EQ(got.what(), failure.full());
  EXPECT_EQ(got.exit_code(), 1);
  EXPECT_EQ(got.failure(), results::FailureKind::out_of_memory);
}

TEST(Protocol, APointAndItsResultArrive) {
  train::PointTask task;
  task.name = "seed-1";
  task.config = config::parse_yaml("learn: {gamma: 0.5}", "c.yaml");
  task.run_folder = "results/x/seed-1", task.shard_folder = "shards/0", task.key = "k";
  task.tokenizer = "t/tokenizer.json";
  task.retry = false, task.continue_anyway = true;
  task.inputs.add("seed", "1");
  const auto got = arrived(PointOrder{task}).task;
  EXPECT_EQ(got.name + got.run_folder + got.shard_folder + got.key,
            task.name + task.run_folder + task.shard_folder + task.key);
  EXPECT_EQ(got.tokenizer, task.tokenizer);
  EXPECT_EQ(config::to_yaml(got.config), config::to_yaml(task.config));
  EXPECT_FALSE(got.retry);
  EXPECT_TRUE(got.continue_anyway);
  EXPECT_EQ(got.inputs.hex(), task.inputs.hex());

  train::PointResult result;
  result.kind = ErrorKind::diverged, result.busy = true, result.reason = "why";
  result.failure = results::FailureKind::diverged;
  const auto back = arrived(Idle{result}).last;
  EXPECT_FALSE(back.ok);
  EXPECT_TRUE(back.busy);
  EXPECT_EQ(back.kind, ErrorKind::diverged);
  EXPECT_EQ(back.failure, results::FailureKind::diverged);
  EXPECT_EQ(back.reason, "why");
}

TEST(Protocol, AStatusArrivesAsItWasSentAndAnUnmeasuredStepIsNotKnown) {
  comm::Status s;
  s.step = 19, s.stage_begin = 7, s.stage_end = 30, s.run_end = 40, s.sync_every = 10;
  s.evaluate_every = 3, s.evaluated_step = 18, s.checkpoint_every = 4, s.checkpoint_step = 16;
  s.checkpoint_seconds = 1.5, s.step_seconds = 0.25;
  s.diverged = 1, s.failed = 1, s.satisfied = 1, s.stop_requested = 1;
  const auto got = arrived(StatusReport{s}).status;
  EXPECT_EQ(StatusReport{got}.to_json(), StatusReport{s}.to_json());
  EXPECT_EQ(got.step_seconds, 0.25);
  EXPECT_EQ(got.stop_requested, 1);
  s.step_seconds = std::numeric_limits<double>::quiet_NaN();
  EXPECT_EQ(arrived(StatusReport{s}).status.step_seconds, 0);
}

TEST(Protocol, TheShortOnesArrive) {
  EXPECT_EQ(arrived(Finish{75}).code, 75);
  EXPECT_EQ(arrived(ShardsIncomplete{"full"}).reason, "full");
  arrived(Ready{});
  arrived(Await{});
  arrived(ShardsComplete{});
  arrived(StopWord{});
}

TEST(Protocol, AMessageThatMayNotComeHereIsAFailureWithItsWordAndRank) {
  const auto error = error_of([&] { decode<Ready, Idle>(sent(encode(Await{}), 4)); });
  EXPECT_EQ(error->kind(), ErrorKind::failure);
  EXPECT_NE(std::string(error->what()).find("\"await\" of rank 4"), std::string::npos)
      << error->what();
  EXPECT_THROW(decode<Ready>(sent(comm::Json::object())), Error);
  EXPECT_THROW(decode<Ready>(sent({{"type", 3}})), Error);
  EXPECT_THROW(decode<Ready>(sent(comm::Json(3))), Error);
}

// Rows "| `word` | from → to | meaning |" of the document.
std::vector<MessageKind> documented() {
  std::ifstream file(straq::testing::source_path("docs/architecture.md"));
  std::vector<MessageKind> rows;
  bool inside = false;
  for (std::string line; std::getline(file, line);) {
    if (line.rfind("| message |", 0) == 0) inside = true;
    if (line.empty()) inside = false;
    if (!inside || line.rfind("| `", 0) != 0) continue;
    const std::string arrow = " → ";
    const auto type = line.find("` | "), to = line.find(arrow), meaning = line.find(" | ", to);
    rows.push_back({line.substr(3, type - 3), line.substr(type + 4, to - type - 4),
                    line.substr(to + arrow.size(), meaning - to - arrow.size()),
                    line.substr(meaning + 3, line.size() - meaning - 5)});
  }
  return rows;
}

TEST(Protocol, TheDocumentListsTheseMessages) {
  const auto rows = documented();
  const auto& kinds = message_kinds();
  for (std::size_t i = 0; i < std::max(rows.size(), kinds.size()); ++i) {
    const MessageKind row = i < rows.size() ? rows[i] : MessageKind{};
    const MessageKind kind = i < kinds.size() ? kinds[i] : MessageKind{};
    EXPECT_EQ(row.type, kind.type);
    EXPECT_EQ(row.from, kind.from) << kind.type;
    EXPECT_EQ(row.to, kind.to) << kind.type;
    EXPECT_EQ(row.meaning, kind.meaning) << kind.type;
  }
}

TEST(Protocol, EveryMessageIsListed) {
  std::set<std::string> listed;
  for (const auto& kind : message_kinds()) listed.insert(kind.type);
  EXPECT_EQ(listed,
            (std::set<std::string>{Ready::kType, ShardMade::kType, ShardFailed::kType,
                                   ShardOrder::kType, Idle::kType, StatusReport::kType,
                                   Await::kType, PointOrder::kType, ShardsComplete::kType,
                                   ShardsIncomplete::kType, StopWord::kType, Finish::kType}));
}

}  // namespace
}  // namespace straq::coordinate
