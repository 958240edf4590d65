// The record of replies: what was written is read, whoever was interrupted while writing.
#include "language/record.h"

#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>
#include <limits>

#include "core/files/files.h"
#include "tests/language/requests.h"
#include "tests/testing.h"

namespace straq::language {
namespace {

using straq::testing::error_of;
using straq::testing::TemporaryFolder;

Reply good(const std::string& text) {
  Reply r;
  r.text = text;
  r.model = "served";
  return r;
}

Reply failed(const std::string& why) {
  Reply r;
  r.finish = Finish::failed;
  r.error = why;
  return r;
}

std::vector<std::string> files_in(const std::string& folder) {
  std::vector<std::string> out;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    out.push_back(entry.path().string());
  }
  return out;
}

TEST(Record, ReadsBackWhatWasWritten) {
  TemporaryFolder folder;
  Reply reply = good("line\nand \"quotes\", ü, \t and \xF0\x9F\x98\x80");
  reply.finish = Finish::length;
  reply.choice_log_probabilities = {-0.1, -std::numeric_limits<double>::infinity(), -1.0 / 3};
  reply.prompt_tokens = 12;
  reply.reply_tokens = 3;
  reply.attempts = 4;
  reply.seconds = 0.1;
  {
    Record record(folder.path("deep/er"));
    EXPECT_EQ(record.size(), 0u);
    record.append({"k", chat("a", "id"), reply});
    ASSERT_NE(record.find("k"), nullptr) << "known at once";
  }
  Record again(folder.path("deep/er"));
  const Reply* found = again.find("k");
  ASSERT_NE(found, nullptr);
  EXPECT_EQ(found->text, reply.text);
  EXPECT_EQ(found->finish, Finish::length);
  EXPECT_EQ(found->choice_log_probabilities, reply.choice_log_probabilities);
  EXPECT_EQ(found->model, "served");
  EXPECT_EQ(found->prompt_tokens, 12);
  EXPECT_EQ(found->reply_tokens, 3);
  EXPECT_EQ(found->attempts, 4);
  EXPECT_EQ(found->seconds, 0.1);
  EXPECT_EQ(again.find("other"), nullptr);
}

TEST(Record, WhoOnlyReadsLeavesNothing) {
  TemporaryFolder folder;
  { Record record(folder.path("none")); }
  EXPECT_FALSE(std::filesystem::exists(folder.path("none")));
}

TEST(Record, ALineThatWasCutOffIsDroppedAndTheOthersStay) {
  TemporaryFolder folder;
  {
    Record record(folder.path());
    record.append({"first", chat("a"), good("1")});
    record.append({"second", chat("b"), good("2")});
  }
  const std::string path = files_in(folder.path()).at(0);
  const std::string whole = read_file(path);
  const std::size_t second = whole.find('\n') + 1;
  // At every place where a write can have ended.
  for (std::size_t size = second + 1; size + 1 < whole.size(); size += 17) {
    std::filesystem::resize_file(path, 0);
    write_file_atomic(path, whole.substr(0, size));
    ::testing::internal::CaptureStderr();
    Record record(folder.path());
    const std::string log = ::testing::internal::GetCapturedStderr();
    EXPECT_NE(log.find(path + ":2"), std::string::npos) << log;
    EXPECT_NE(record.find("first"), nullptr);
    EXPECT_EQ(record.find("second"), nullptr);
  }
  // Only the line end is missing: the reply is whole.
  write_file_atomic(path, whole.substr(0, whole.size() - 1));
  EXPECT_NE(Record(folder.path()).find("second"), nullptr);
}

TEST(Record, AnotherMalformedLineIsAnErrorWithItsPlace) {
  TemporaryFolder folder;
  const std::string line = R"({"key":"k","text":"t","finish":"stop","model":"m","prompt_tokens":1,)"
                           R"("reply_tokens":1,"attempts":1,"seconds":0})";
  struct Case {
    const char* text;
    const char* message;
  };
  for (const Case& c : {Case{"{\"key\":\"k\",", "malformed JSON"}, Case{"[1]", "JSON object"},
                        Case{"{\"key\":7}", "\"key\" must be text"},
                        Case{"{\"key\":\"k\"}", "\"text\" is missing"}}) {
    write_file_atomic(folder.path("a.jsonl"), line + "\n" + c.text + "\n" + line + "\n");
    const auto e = error_of([&] { Record record(folder.path()); });
    ASSERT_TRUE(e);
    EXPECT_EQ(e->kind(), ErrorKind::input);
    EXPECT_NE(std::string(e->what()).find("a.jsonl:2"), std::string::npos) << e->what();
    EXPECT_NE(std::string(e->what()).find(c.message), std::string::npos) << e->what();
    EXPECT_FALSE(e->hint().empty());
  }
  write_file_atomic(folder.path("a.jsonl"), line + "\n\n" + line + "\n");
  EXPECT_EQ(Record(folder.path()).size(), 1u) << "blank lines say nothing";
}

TEST(Record, TwoWritersHaveAFileEachAndOneReaderBoth) {
  TemporaryFolder folder;
  {
    Record one(folder.path()), two(folder.path());
    for (int i = 0; i < 50; ++i) {
      one.append({"one" + std::to_string(i), chat("a"), good("1")});
      two.append({"two" + std::to_string(i), chat("a"), good("2")});
    }
  }
  EXPECT_EQ(files_in(folder.path()).size(), 2u);
  EXPECT_EQ(Record(folder.path()).size(), 100u);
}

TEST(Record, TheFirstGoodReplyCountsAndAFailureOnlyWithoutOne) {
  TemporaryFolder folder;
  {
    Record record(folder.path());
    record.append({"k", chat("a"), failed("busy")});
    EXPECT_EQ(record.failure("k"), "busy");
    EXPECT_EQ(record.find("k"), nullptr);
    record.append({"k", chat("a"), good("first")});
    record.append({"k", chat("a"), good("second")});
    record.append({"k", chat("a"), failed("late")});
  }
  Record record(folder.path());
  ASSERT_NE(record.find("k"), nullptr);
  EXPECT_EQ(record.find("k")->text, "first");
  EXPECT_EQ(record.failure("k"), "");
}

TEST(Record, WhatCannotBeAFolderIsSaid) {
  TemporaryFolder folder;
  write_file_atomic(folder.path("file"), "x");
  EXPECT_EQ(error_of([&] { Record record(folder.path("file")); })->kind(), ErrorKind::input);
  Record below(folder.path("file/below"));
  const auto e = error_of([&] { below.append({"k", chat("a"), good("1")}); });
  EXPECT_EQ(e->kind(), ErrorKind::failure);
  EXPECT_NE(std::string(e->what()).find("file/below"), std::string::npos) << e->what();
}

}  // namespace
}  // namespace straq::language
