// How fast a server is asked, without a server.
#include "language/pace.h"

#include <gtest/gtest.h>

#include <set>

namespace straq::language {
namespace {

TEST(Pace, HalvesAtOnceAndGrowsByOneAfterARun) {
  Pace pace(8);
  EXPECT_EQ(pace.limit(), 8);
  const int round = pace.round();
  pace.throttled(round);
  pace.throttled(round);  // sent before the limit fell: the same news
  EXPECT_EQ(pace.limit(), 4);
  pace.throttled(pace.round());
  EXPECT_EQ(pace.limit(), 2);
  pace.success();
  EXPECT_EQ(pace.limit(), 2);
  pace.fault();  // the run begins anew
  pace.success();
  EXPECT_EQ(pace.limit(), 2);
  pace.success();
  EXPECT_EQ(pace.limit(), 3);
  for (int i = 0; i < 1000; ++i) pace.success();
  EXPECT_EQ(pace.limit(), 8) << "never above the most";
  for (int i = 0; i < 10; ++i) pace.throttled(pace.round());
  EXPECT_EQ(pace.limit(), 1) << "never none";
  EXPECT_EQ(pace.lowest(), 1);
}

TEST(Backoff, DoublesUpToALimitAndScatters) {
  using Row = std::pair<int, double>;
  for (const auto& [attempts, longest] : std::initializer_list<Row>{
           {1, 0.5}, {2, 1.0}, {3, 2.0}, {4, 4.0}, {5, 8.0}, {6, 8.0}, {1000, 8.0}}) {
    std::set<double> seen;
    for (std::uint64_t request = 0; request < 50; ++request) {
      const double s = backoff_seconds(attempts, request);
      EXPECT_GE(s, longest / 2);
      EXPECT_LE(s, longest);
      EXPECT_EQ(s, backoff_seconds(attempts, request));
      seen.insert(s);
    }
    EXPECT_GT(seen.size(), 45u);
  }
}

TEST(WaitAsked, ReadsEveryFormOfTheHeader) {
  const double now = 784111777;  // Sun, 06 Nov 1994 08:49:37 GMT, the date of RFC 9110's examples
  EXPECT_EQ(wait_asked("", "", now), std::nullopt);
  EXPECT_EQ(wait_asked("", "120", now), 120);
  EXPECT_EQ(wait_asked("", "1.5", now), 1.5);
  EXPECT_EQ(wait_asked("250", "120", now), 0.25) << "milliseconds are the finer word";
  EXPECT_EQ(wait_asked("nonsense", "2", now), 2);
  EXPECT_EQ(wait_asked("", "Sun, 06 Nov 1994 08:50:37 GMT", now), 60);
  EXPECT_EQ(wait_asked("", "Sunday, 06-Nov-94 08:50:37 GMT", now), 60);
  EXPECT_EQ(wait_asked("", "Sun Nov  6 08:50:37 1994", now), 60);
  EXPECT_EQ(wait_asked("", "Sun, 06 Nov 1994 08:00:00 GMT", now), 0);
  for (const char* nonsense : {"soon", "-5", "inf", "nan", "5 s", ""}) {
    EXPECT_EQ(wait_asked("", nonsense, now), std::nullopt) << nonsense;
  }
}

}  // namespace
}  // namespace straq::language
