// A request's key: all that decides on a reply is in it, nothing else, and it stays the same from
// version to version, because replies that cost something are found by it.
#include <gtest/gtest.h>

#include <map>
#include <set>

#include "config/fields.h"
#include "language/source.h"
#include "tests/language/requests.h"

namespace straq::language {
namespace {

TEST(Key, StaysAsItWasPublished) {
  // As Python's json and hashlib give them.
  Request r = chat("I feel lost.");
  r.sampling.temperature = 0.7;
  r.sampling.stop = {"\n"};
  r.sample = 2;
  EXPECT_EQ(key_of("gpt-4o", r),
            "8890a943e7fb00e7a958582fc715ef50642d5ec8d7635b4a4e3ed76abc6e4cbd");
  EXPECT_EQ(key_of("m", text_request("a")),
            "601175625fdef740b04533b16cf3538afc55a6c93440cf16e04b7cb8c88bb881");
}

TEST(Key, HoldsEveryFieldOfTheSampling) {
  const std::map<std::string, void (*)(Sampling&)> changes = {
      {"max_tokens", [](Sampling& s) { s.max_tokens = 7; }},
      {"repetition_penalty", [](Sampling& s) { s.repetition_penalty = 1.1; }},
      {"temperature", [](Sampling& s) { s.temperature = 0.5; }},
      {"top_k", [](Sampling& s) { s.top_k = 3; }},
      {"top_p", [](Sampling& s) { s.top_p = 0.9; }},
      {"min_p", [](Sampling& s) { s.min_p = 0.1; }},
      {"stop", [](Sampling& s) { s.stop = {"x"}; }},
      {"seed", [](Sampling& s) { s.seed = 1; }}};
  const Request plain = chat("a");
  for (const auto& [name, value] : config::dump(Sampling{}).map) {
    ASSERT_TRUE(changes.count(name)) << name << " is new: is it in key_of and in this test?";
    Request other = plain;
    changes.at(name)(other.sampling);
    EXPECT_NE(key_of("m", other), key_of("m", plain)) << name;
  }
}

TEST(Key, TellsApartWhatIsAskedAndNotWhoAsks) {
  std::vector<Request> different;
  different.push_back(chat("a"));
  different.push_back(chat("b"));
  different.push_back(text_request("a"));
  different.push_back(chat("a"));
  different.back().sample = 1;
  different.push_back(chat("a"));
  different.back().choices = {"x", "y"};
  different.push_back(chat("a"));
  different.back().choices = {"xy"};
  different.push_back(chat("a"));
  different.back().messages[0].role = "assistant";
  different.push_back(chat("a"));
  different.back().messages = {{"user", "You listen.a"}};
  different.push_back(chat("\xff"));
  different.push_back(chat("\xfe"));  // both would be written as U+FFFD
  different.push_back(chat("\xef\xbf\xbd"));
  std::set<std::string> keys;
  for (const auto& r : different) keys.insert(key_of("m", r));
  EXPECT_EQ(keys.size(), different.size());
  EXPECT_NE(key_of("m", chat("a")), key_of("n", chat("a")));
  EXPECT_EQ(key_of("m", chat("a", "one")), key_of("m", chat("a", "two")));
  EXPECT_EQ(key_of("m", chat("a")).size(), 64u);
}

TEST(Key, SeedsOfSamplesDifferAndFitEveryServer) {
  std::set<std::int64_t> seeds;
  for (std::uint64_t seed : {0, 1, 2}) {
    for (int sample = 0; sample < 50; ++sample) {
      Request r = chat("a");
      r.sampling.seed = seed;
      r.sample = sample;
      const std::int64_t mixed = seed_of(r);
      EXPECT_EQ(mixed, seed_of(r));
      EXPECT_GE(mixed, 0);
      EXPECT_LT(mixed, std::int64_t{1} << 31);
      seeds.insert(mixed);
    }
  }
  EXPECT_EQ(seeds.size(), 150u);
}

}  // namespace
}  // namespace straq::language
