// Choices scored by what a server says of tokens. The replies are shaped as vLLM and OpenAI shape
// them; sums are by hand.
#include "language/scoring.h"

#include <gtest/gtest.h>

#include "tests/language/fault_server.h"
#include "tests/language/requests.h"

namespace straq::language {
namespace {

using Json = nlohmann::ordered_json;
using straq::testing::chat_reply;
using straq::testing::text_reply;

CompletionRead top_reply(const Json& top) {
  Json body = Json::parse(chat_reply("A", "length"));
  body["choices"][0]["logprobs"]["content"] =
      Json::array({{{"token", "A"}, {"logprob", -0.25}, {"top_logprobs", top}}});
  return read_completion(body, true);
}

Request question(std::vector<std::string> choices) {
  Request r = chat("Which one?");
  r.choices = std::move(choices);
  return r;
}

TEST(TopLogprobs, AreMatchedByTheTokensText) {
  const auto read = top_reply({{{"token", "A"}, {"logprob", -0.25}},
                               {{"token", "B"}, {"logprob", -1.5}},
                               {{"token", " C"}, {"logprob", -3.0}}});
  std::vector<double> out;
  EXPECT_EQ(read_scores(Scores::top_logprobs, question({"B", "A"}), 0, read, out), "");
  EXPECT_EQ(out, (std::vector<double>{-1.5, -0.25}));
  const std::string why = read_scores(Scores::top_logprobs, question({"A", "C"}), 0, read, out);
  EXPECT_NE(why.find("\"C\" is not among the 3"), std::string::npos) << why;
}

TEST(TopLogprobs, OfATextAreAMap) {
  const auto read = parse_completion(
      text_reply("Yes", {{"tokens", {"Yes"}}, {"top_logprobs", {{{"Yes", -0.5}, {"No", -1.0}}}}}),
      false);
  Request r = text_request("Is it?");
  r.choices = {"No", "Yes"};
  std::vector<double> out;
  EXPECT_EQ(read_scores(Scores::top_logprobs, r, 0, read, out), "");
  EXPECT_EQ(out, (std::vector<double>{-1.0, -0.5}));
  const auto body = scoring_body(Scores::top_logprobs, "m", r, 0, "max_tokens");
  EXPECT_EQ(body["max_tokens"], 1);
  EXPECT_EQ(body["logprobs"], 5);
}

TEST(TopLogprobs, ThatAreNotThereAreSaid) {
  std::vector<double> out;
  for (const Json& logprobs :
       {Json(), Json(5), Json{{"content", Json::array()}}, Json{{"content", {1}}},
        Json{{"content", {{{"token", "A"}}}}}, Json{{"content", {{{"top_logprobs", {1}}}}}}}) {
    Json body = Json::parse(chat_reply("A"));
    body["choices"][0]["logprobs"] = logprobs;
    const auto read = read_completion(body, true);
    ASSERT_EQ(read.reason, "");
    EXPECT_NE(read_scores(Scores::top_logprobs, question({"A"}), 0, read, out), "") << logprobs;
  }
  const auto read = top_reply({{{"token", "A"}, {"logprob", nullptr}}});
  EXPECT_NE(read_scores(Scores::top_logprobs, question({"A"}), 0, read, out), "");
}

// The prompt "Q: why? A:" and a choice " because", with a token that begins the text and one
// written behind, as vLLM gives them.
Json echoed(std::vector<std::string> tokens, const Json& values, const Json& usage) {
  Json body = Json::parse(text_reply("…"));
  body["choices"][0]["logprobs"]["tokens"] = tokens;
  body["choices"][0]["logprobs"]["token_logprobs"] = values;
  body["usage"] = usage;
  return body;
}

TEST(Echo, SumsTheTokensOfTheChoice) {
  Request r = text_request("Q: why? A:");
  r.choices = {" because", " no"};
  EXPECT_EQ(scoring_parts(Scores::echo, r), 2u);
  EXPECT_EQ(scoring_parts(Scores::top_logprobs, r), 1u);
  const auto body = scoring_body(Scores::echo, "m", r, 1, "max_tokens");
  EXPECT_EQ(body["prompt"], "Q: why? A: no");
  EXPECT_EQ(body["echo"], true);
  EXPECT_EQ(body["max_tokens"], 1);

  std::vector<double> out;
  const std::vector<std::string> tokens = {"<s>", "Q", ":",   " why",  "?",
                                           " A",  ":", " be", "cause", " it"};
  const Json values = {nullptr, -9, -9, -9, -9, -9, -9, -0.5, -0.125, -4};
  const auto one = [](std::int64_t n) { return Json{{"completion_tokens", n}}; };
  EXPECT_EQ(
      read_scores(Scores::echo, r, 0, read_completion(echoed(tokens, values, one(1)), false), out),
      "");
  EXPECT_EQ(out[0], -0.625);
  // A server that does not count, and one that writes nothing.
  out.clear();
  EXPECT_EQ(
      read_scores(Scores::echo, r, 0, read_completion(echoed(tokens, values, Json()), false), out),
      "");
  EXPECT_EQ(out[0], -0.625);
  const std::vector<std::string> fewer(tokens.begin(), tokens.end() - 1);
  Json fewer_values = values;
  fewer_values.erase(9);
  EXPECT_EQ(read_scores(Scores::echo, r, 0,
                        read_completion(echoed(fewer, fewer_values, one(0)), false), out),
            "");
  EXPECT_EQ(out[0], -0.625);
}

TEST(Echo, IsRefusedWhereTokensAndTextsDoNotMeet) {
  Request r = text_request("Q");
  r.choices = {"bc"};
  std::vector<double> out;
  const Json one{{"completion_tokens", 1}};
  const auto why = [&](const Json& body) {
    return read_scores(Scores::echo, r, 0, read_completion(body, false), out);
  };
  EXPECT_NE(why(echoed({"Qb", "c", "x"}, {-1, -1, -1}, one)).find("reaches over"),
            std::string::npos);
  EXPECT_NE(why(echoed({"Q",
                        "\xE2\x96\x81"
                        "bc",
                        "x"},
                       {-1, -1, -1}, one)),
            "");
  EXPECT_NE(why(echoed({"Q", "bc", "x"}, {-1, nullptr, -1}, one)).find("no probability"),
            std::string::npos);
  EXPECT_NE(why(echoed({"x"}, {-1}, one)), "");
  EXPECT_NE(why(echoed({"Q", "bc", "x"}, {-1, -1}, one)), "");
  EXPECT_NE(why(echoed({"Q", "bc", "x"}, {-1, -1, -1}, {{"completion_tokens", 9}})), "");
  EXPECT_NE(why(Json::parse(text_reply("…"))).find("no logprobs"), std::string::npos);
}

}  // namespace
}  // namespace straq::language
