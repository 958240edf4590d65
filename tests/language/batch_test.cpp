// Batch files: what is written is what OpenAI documents and vLLM reads, what others wrote is read,
// and what cannot be answered as asked is refused by name.
#include "language/batch.h"

#include <gtest/gtest.h>

#include "core/files/text_file.h"
#include "core/json/json.h"
#include "tests/language/requests.h"
#include "tests/testing.h"

namespace straq::language {
namespace {

using straq::testing::error_of;
using straq::testing::TemporaryFolder;

std::string line_of(const std::string& body, const std::string& id = "a") {
  return R"({"custom_id":")" + id + R"(","method":"POST","url":"/v1/chat/completions","body":)" +
         body + "}";
}

const char* const kBody = R"({"model":"m","messages":[{"role":"user","content":"Hi"}])";

TEST(Batch, RequestsReadBackAsTheyWereWritten) {
  TemporaryFolder folder;
  Request one = chat("I feel \"lost\".\nü", "d1:3");
  one.sampling.max_tokens = 40;
  one.sampling.temperature = 0.7;
  one.sampling.top_p = 0.9;
  one.sampling.top_k = 5;
  one.sampling.min_p = 0.05;
  one.sampling.repetition_penalty = 1.1;
  one.sampling.stop = {"\n", "User:"};
  const Request two = text_request("Once", "t");
  write_batch_requests(folder.path("in.jsonl"), "m", {one, two});
  const auto read = read_batch_requests(folder.path("in.jsonl"));
  ASSERT_EQ(read.size(), 2u);
  EXPECT_EQ(read[0].model, "m");
  EXPECT_EQ(read[0].line, 1);
  const Request& r = read[0].request;
  EXPECT_EQ(r.id, "d1:3");
  ASSERT_EQ(r.messages.size(), 2u);
  EXPECT_EQ(r.messages[0].role, "system");
  EXPECT_EQ(r.messages[1].content, "I feel \"lost\".\nü");
  EXPECT_EQ(r.sampling.max_tokens, 40);
  EXPECT_EQ(r.sampling.temperature, 0.7);
  EXPECT_EQ(r.sampling.top_p, 0.9);
  EXPECT_EQ(r.sampling.top_k, 5);
  EXPECT_EQ(r.sampling.min_p, 0.05);
  EXPECT_EQ(r.sampling.repetition_penalty, 1.1);
  EXPECT_EQ(r.sampling.stop, one.sampling.stop);
  EXPECT_EQ(r.sampling.seed, static_cast<std::uint64_t>(seed_of(one)));
  EXPECT_EQ(read[1].request.prompt, "Once");
  EXPECT_EQ(read[1].request.sampling.temperature, 0.0);
  EXPECT_TRUE(read[1].request.messages.empty());
}

TEST(Batch, RequestsThatHaveNoPlaceInAFileAreRefused) {
  TemporaryFolder folder;
  Request scored = chat("a", "a");
  scored.choices = {"x"};
  for (const auto& requests :
       {std::vector<Request>{chat("a")}, {chat("a", "i"), chat("b", "i")}, {scored}}) {
    const auto e = error_of([&] { write_batch_requests(folder.path("in.jsonl"), "m", requests); });
    EXPECT_EQ(e->kind(), ErrorKind::input);
    EXPECT_FALSE(std::filesystem::exists(folder.path("in.jsonl")));
  }
}

// OpenAI's own example of a batch file, and forms that other writers use.
TEST(Batch, ForeignRequestsHaveTheApisDefaults) {
  TemporaryFolder folder;
  write_file_atomic(
      folder.path("in.jsonl"),
      "\xEF\xBB\xBF"
      R"({"custom_id": "request-1", "method": "POST", "url": "/v1/chat/completions", "body": {"model": "gpt-3.5-turbo-0125", "messages": [{"role": "system", "content": "You are a helpful assistant."},{"role": "user", "content": "Hello world!"}],"max_tokens": 1000}})"
      "\r\n\r\n"
      R"({"custom_id":"2","method":"POST","url":"/v1/chat/completions","body":{"model":"m","messages":[{"role":"developer","content":[{"type":"text","text":"a"},{"type":"text","text":"b"}],"name":null}],"max_completion_tokens":9.0,"temperature":0,"stop":"x","n":1,"stream":false,"tools":null,"user":"me","metadata":{"a":1},"top_k":-1,"frequency_penalty":0.0,"response_format":{"type":"text"},"seed":7}})"
      "\r\n"
      R"({"custom_id":"3","method":"POST","url":"/v1/completions","body":{"model":"m","prompt":["Once"]}})"
      "\r\n"
      R"({"custom_id":"4","method":"POST","url":"/v1/chat/completions","body":{"model":"m","messages":[{"role":"user","content":"Hi"}]}})");
  const auto read = read_batch_requests(folder.path("in.jsonl"), 99);
  ASSERT_EQ(read.size(), 4u);
  EXPECT_EQ(read[0].request.sampling.max_tokens, 1000);
  EXPECT_EQ(read[0].request.sampling.temperature, 1.0) << "the API's, not this program's";
  EXPECT_EQ(read[1].line, 3);
  EXPECT_EQ(read[1].request.messages[0].role, "system");
  EXPECT_EQ(read[1].request.messages[0].content, "ab");
  EXPECT_EQ(read[1].request.sampling.max_tokens, 9);
  EXPECT_EQ(read[1].request.sampling.temperature, 0.0);
  EXPECT_EQ(read[1].request.sampling.top_k, 0);
  EXPECT_EQ(read[1].request.sampling.seed, 7u);
  EXPECT_EQ(read[1].request.sampling.stop, std::vector<std::string>{"x"});
  EXPECT_EQ(read[2].request.prompt, "Once");
  EXPECT_EQ(read[2].request.sampling.max_tokens, 16);
  EXPECT_EQ(read[3].request.sampling.max_tokens, 99);
}

struct BadRequest {
  const char* name;
  const char* line;      // whole; or
  const char* addition;  // to the body of a good one
  const char* message;
};

class BatchRequestErrors : public ::testing::TestWithParam<BadRequest> {};

TEST_P(BatchRequestErrors, NameLineAndKey) {
  const BadRequest& c = GetParam();
  TemporaryFolder folder;
  const std::string good = line_of(std::string(kBody) + "}", "good");
  const std::string bad =
      c.line ? c.line : line_of(std::string(kBody) + "," + c.addition + "}", "bad");
  write_file_atomic(folder.path("in.jsonl"), good + "\n" + bad + "\n");
  const auto e = error_of([&] { read_batch_requests(folder.path("in.jsonl")); });
  ASSERT_TRUE(e);
  EXPECT_EQ(e->kind(), ErrorKind::input);
  EXPECT_NE(std::string(e->what()).find("in.jsonl:2: "), std::string::npos) << e->what();
  EXPECT_NE(std::string(e->what()).find(c.message), std::string::npos) << e->what();
  EXPECT_FALSE(e->hint().empty());
}

INSTANTIATE_TEST_SUITE_P(
    All, BatchRequestErrors,
    ::testing::Values(
        BadRequest{"NoJson", "{\"custom_id\":", nullptr, "malformed JSON"},
        BadRequest{"List", "[]", nullptr, "JSON object"},
        BadRequest{"NoId", R"({"method":"POST"})", nullptr, "\"custom_id\" is missing"},
        BadRequest{"EmptyId", R"({"custom_id":""})", nullptr, "\"custom_id\" is empty"},
        BadRequest{"Get", R"({"custom_id":"a","method":"GET"})", nullptr, "\"method\" is \"GET\""},
        BadRequest{"Embeddings", R"({"custom_id":"a","method":"POST","url":"/v1/embeddings"})",
                   nullptr, "/v1/embeddings"},
        BadRequest{"NoBody", R"({"custom_id":"a","method":"POST","url":"/v1/completions"})",
                   nullptr, "\"body\" is missing"},
        BadRequest{"Twice",
                   R"({"custom_id":"good","method":"POST","url":"/v1/completions",)"
                   R"("body":{"model":"m","prompt":"a"}})",
                   nullptr, "is that of line 1"},
        BadRequest{"TokenIds",
                   R"({"custom_id":"a","method":"POST","url":"/v1/completions",)"
                   R"("body":{"model":"m","prompt":[1,2]}})",
                   nullptr, "\"prompt\" must be one text"},
        BadRequest{"Many", nullptr, R"("n":3)", "\"n\" is 3"},
        BadRequest{"Tools", nullptr, R"("tools":[{"type":"function"}])", "\"tools\""},
        BadRequest{"Stream", nullptr, R"("stream":true)", "\"stream\" is true"},
        BadRequest{"Logprobs", nullptr, R"("logprobs":true)", "\"logprobs\""},
        BadRequest{"Penalty", nullptr, R"("presence_penalty":0.5)", "\"presence_penalty\""},
        BadRequest{"JsonMode", nullptr, R"("response_format":{"type":"json_object"})",
                   "\"response_format\""},
        BadRequest{"Unknown", nullptr, R"("reasoning_effort":"high")", "\"reasoning_effort\""},
        BadRequest{"Prompt", nullptr, R"("prompt":"x")", "\"prompt\" does not belong"},
        BadRequest{"NoTokens", nullptr, R"("max_tokens":0)", "\"max_tokens\" must be at least 1"},
        BadRequest{"TwoLimits", nullptr, R"("max_tokens":5,"max_completion_tokens":6)",
                   "another number than \"max_tokens\""},
        BadRequest{"HalfTokens", nullptr, R"("max_tokens":1.5)", "\"max_tokens\" must be a whole"},
        BadRequest{"Cold", nullptr, R"("temperature":-1)", "\"temperature\""},
        BadRequest{"TopP", nullptr, R"("top_p":0)", "\"top_p\""},
        BadRequest{"Stop", nullptr, R"("stop":[1])", "\"stop\""},
        BadRequest{"Image", nullptr,
                   R"("messages":[{"role":"user","content":[{"type":"image_url"}]}])", "image_url"},
        BadRequest{"Tool", nullptr, R"("messages":[{"role":"tool","content":"a"}])",
                   "\"role\" is \"tool\""},
        BadRequest{"Name", nullptr, R"("messages":[{"role":"user","content":"a","name":"b"}])",
                   "\"name\""},
        BadRequest{"NoMessages", nullptr, R"("messages":[])", "\"messages\""}),
    [](const auto& info) { return std::string(info.param.name); });

TEST(Batch, RepliesReadBackAsTheyWereWritten) {
  TemporaryFolder folder;
  const std::vector<Request> requests = {chat("a", "1"), text_request("b", "2"), chat("c", "3"),
                                         chat("d", "4")};
  {
    LineWriter file(folder.path("out.jsonl"), true);
    Reply reply;
    reply.model = "m";
    reply.text = "third";
    reply.prompt_tokens = 5;
    reply.reply_tokens = 2;
    write_batch_reply(file, requests[2], reply);
    reply.text = " second";
    reply.finish = Finish::length;
    write_batch_reply(file, requests[1], reply);
    reply.finish = Finish::failed;
    reply.error = "no way";
    write_batch_reply(file, requests[0], reply);
  }
  const auto read = read_batch_replies(folder.path("out.jsonl"), requests);
  EXPECT_EQ(read.missing, 1);
  EXPECT_EQ(read.unknown, 0);
  ASSERT_TRUE(read.replies[0] && read.replies[1] && read.replies[2]);
  EXPECT_EQ(read.replies[0]->finish, Finish::failed);
  EXPECT_EQ(read.replies[0]->error, "no way");
  EXPECT_EQ(read.replies[1]->text, " second");
  EXPECT_EQ(read.replies[1]->finish, Finish::length);
  EXPECT_EQ(read.replies[2]->text, "third");
  EXPECT_EQ(read.replies[2]->prompt_tokens, 5);
  EXPECT_EQ(read.replies[2]->reply_tokens, 2);
  EXPECT_EQ(read.replies[2]->model, "m");
  EXPECT_FALSE(read.replies[3]);
}

std::string good_reply(const std::string& id, const std::string& text) {
  return R"({"id":"x","custom_id":")" + id +
         R"(","response":{"status_code":200,"request_id":"r","body":{"model":"m","choices":[)" +
         R"({"index":0,"message":{"role":"assistant","content":")" + text +
         R"("},"finish_reason":"stop"}]}},"error":null})";
}

TEST(Batch, RepliesComeInAnyOrderAndTheLastGoodOneCounts) {
  TemporaryFolder folder;
  write_file_atomic(
      folder.path("out.jsonl"),
      good_reply("2", "old") + "\n" + good_reply("stranger", "?") + "\n" + good_reply("2", "new") +
          "\n" + R"({"custom_id":"2","response":null,"error":{"code":"batch_expired"}})" + "\n" +
          R"({"custom_id":"1","response":{"status_code":400,"body":{"error":{"message":"bad"}}}})" +
          "\n" + R"({"custom_id":"3","response":{"status_code":200,"body":{"choices":[]}}})" +
          "\n" + good_reply("4", "cut off").substr(0, 60));
  ::testing::internal::CaptureStderr();
  const auto read = read_batch_replies(
      folder.path("out.jsonl"), {chat("", "1"), chat("", "2"), chat("", "3"), chat("", "4")});
  const std::string log = ::testing::internal::GetCapturedStderr();
  EXPECT_EQ(read.replies[1]->text, "new");
  EXPECT_EQ(read.repeated, 2);
  EXPECT_EQ(read.unknown, 1);
  EXPECT_EQ(read.missing, 1);
  EXPECT_EQ(read.replies[0]->finish, Finish::failed);
  EXPECT_NE(read.replies[0]->error.find("400: bad"), std::string::npos) << read.replies[0]->error;
  EXPECT_NE(read.replies[2]->error.find("empty"), std::string::npos) << read.replies[2]->error;
  EXPECT_FALSE(read.replies[3]);
  EXPECT_NE(log.find("\"stranger\""), std::string::npos) << log;
  EXPECT_NE(log.find("out.jsonl:7"), std::string::npos) << log;
}

TEST(Batch, WhatIsNoFileOfRepliesIsSaid) {
  TemporaryFolder folder;
  const std::vector<Request> requests = {chat("", "a")};
  for (const std::string& line :
       {line_of(std::string(kBody) + "}"), std::string("{\"custom_id\":"), std::string("[]"),
        std::string("{}"), std::string(R"({"custom_id":"a","response":5})")}) {
    write_file_atomic(folder.path("out.jsonl"), line + "\n" + good_reply("a", "x") + "\n");
    const auto e = error_of([&] { read_batch_replies(folder.path("out.jsonl"), requests); });
    ASSERT_TRUE(e) << line;
    EXPECT_EQ(e->kind(), ErrorKind::input);
    EXPECT_NE(std::string(e->what()).find("out.jsonl:1"), std::string::npos) << e->what();
  }
  EXPECT_EQ(error_of([&] {
              read_batch_replies(folder.path("out.jsonl"), {chat("", "a"), chat("", "a")});
            })->kind(),
            ErrorKind::input);
}

}  // namespace
}  // namespace straq::language
