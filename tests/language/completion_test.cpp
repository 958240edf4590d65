// Bodies of OpenAI's API: what is sent, and what is made of every reply that a server, a proxy or a
// broken line can give.
#include "language/completion.h"

#include <gtest/gtest.h>

#include "core/json/json.h"
#include "core/utf8.h"
#include "tests/language/fault_server.h"
#include "tests/language/requests.h"

namespace straq::language {
namespace {

using straq::testing::chat_reply;
using straq::testing::text_reply;

TEST(CompletionBody, HoldsWhatIsAskedAndNothingThatDoesNothing) {
  Request r = chat("Hi");
  EXPECT_EQ(dump_json(completion_body("m", r)),
            R"({"model":"m","messages":[{"role":"system","content":"You listen."},)"
            R"({"role":"user","content":"Hi"}],"max_tokens":256,"temperature":0.0})");
  r.sampling.temperature = 0.5;
  r.sampling.top_k = 4;
  r.sampling.top_p = 0.9;
  r.sampling.min_p = 0.1;
  r.sampling.repetition_penalty = 1.2;
  r.sampling.stop = {"\n"};
  const auto body = completion_body("m", r, "max_completion_tokens");
  EXPECT_EQ(body["max_completion_tokens"], 256);
  EXPECT_FALSE(body.contains("max_tokens"));
  EXPECT_EQ(body["top_k"], 4);
  EXPECT_EQ(body["top_p"], 0.9);
  EXPECT_EQ(body["min_p"], 0.1);
  EXPECT_EQ(body["repetition_penalty"], 1.2);
  EXPECT_EQ(body["stop"], nlohmann::json::array({"\n"}));
  EXPECT_EQ(body["seed"], seed_of(r));
  r.sample = 1;
  EXPECT_NE(completion_body("m", r)["seed"], body["seed"]);
  EXPECT_EQ(completion_body("m", text_request("a"))["prompt"], "a");
}

TEST(CompletionRead, TakesWhatServersSend) {
  const auto chat = parse_completion(chat_reply("Tell me more.", "length"), true);
  EXPECT_EQ(chat.reason, "");
  EXPECT_EQ(chat.reply.text, "Tell me more.");
  EXPECT_EQ(chat.reply.finish, Finish::length);
  EXPECT_EQ(chat.reply.model, "served-model");
  EXPECT_EQ(chat.reply.prompt_tokens, 11);
  EXPECT_EQ(chat.reply.reply_tokens, 7);
  EXPECT_EQ(parse_completion(chat_reply("a"), true).reply.finish, Finish::stop);
  EXPECT_EQ(parse_completion(text_reply(" b"), false).reply.text, " b");
  // Without counts, with content in parts, with keys that nobody knows.
  const auto parts = parse_completion(
      R"({"choices":[{"message":{"content":[{"type":"text","text":"a"},{"type":"text","text":"b"}],)"
      R"("reasoning_content":"…"},"finish_reason":"stop"}],"new":1})",
      true);
  EXPECT_EQ(parts.reason, "");
  EXPECT_EQ(parts.reply.text, "ab");
  EXPECT_EQ(parts.reply.prompt_tokens, 0);
}

struct BadBody {
  const char* name;
  const char* text;
  const char* reason;
  bool again;
};

class CompletionFaults : public ::testing::TestWithParam<BadBody> {};

TEST_P(CompletionFaults, AreSaidInWords) {
  const auto read = parse_completion(GetParam().text, true);
  EXPECT_NE(read.reason.find(GetParam().reason), std::string::npos) << read.reason;
  EXPECT_EQ(read.again, GetParam().again);
}

INSTANTIATE_TEST_SUITE_P(
    All, CompletionFaults,
    ::testing::Values(
        BadBody{"Nothing", "", "no JSON", true},
        BadBody{"Page", "<html><body>Bad gateway</body></html>", "no JSON", true},
        BadBody{"Cut", R"({"choices":[{"mess)", "no JSON", true},
        BadBody{"List", "[]", "no JSON object", true},
        BadBody{"NoChoices", R"({"id":"a"})", "no list of choices", true},
        BadBody{"ChoicesAsObject", R"({"choices":{}})", "no list of choices", true},
        BadBody{"EmptyChoices", R"({"choices":[]})", "is empty", true},
        BadBody{"ChoiceAsText", R"({"choices":["a"]})", "no object", true},
        BadBody{"NoMessage", R"({"choices":[{"text":"a","finish_reason":"stop"}]})", "no message",
                true},
        BadBody{"NullContent",
                R"({"choices":[{"message":{"content":null},"finish_reason":"stop"}]})", "no text",
                true},
        BadBody{"ContentAsNumber",
                R"({"choices":[{"message":{"content":5},"finish_reason":"stop"}]})",
                "neither a text", true},
        BadBody{"NoFinish", R"({"choices":[{"message":{"content":"a"}}]})", "no finish_reason",
                true},
        BadBody{"Error", R"({"error":{"message":"overloaded","code":5}})", "overloaded", true},
        BadBody{"ErrorText", R"({"error":"overloaded"})", "overloaded", true},
        BadBody{"Filter",
                R"({"choices":[{"message":{"content":null},"finish_reason":"content_filter"}]})",
                "content_filter", false},
        BadBody{"Refusal",
                R"({"choices":[{"message":{"content":null,"refusal":"I won't"},)"
                R"("finish_reason":"stop"}]})",
                "I won't", false}),
    [](const auto& info) { return std::string(info.param.name); });

TEST(Excerpt, IsOneLineOfValidText) {
  EXPECT_EQ(excerpt("a\nb\tc\x1b[31m\x7f"), "a b c [31m ");
  EXPECT_EQ(excerpt("ab\xff"), "ab\xEF\xBF\xBD");
  EXPECT_EQ(excerpt("\xE2\x80\xAEx"), " x") << "nothing turns the line around";
  std::string letters;
  for (int i = 0; i < 300; ++i) letters += "ü";
  const std::string cut = excerpt(letters);
  EXPECT_EQ(decode_utf8(cut).size(), 201u);
  EXPECT_EQ(excerpt(std::string(200, 'a')), std::string(200, 'a'));
}

}  // namespace
}  // namespace straq::language
