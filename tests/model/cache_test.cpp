#include "model/inference/cache.h"

#include <gtest/gtest.h>

#include <stdexcept>

#include "device_way.h"

namespace straq::model {
namespace {

constexpr auto kPage = Cache::kPage;

TEST(Cache, ForksShareTheirPages) {
  Cache cache({1, 1, 16}, 10);
  const auto trunk = cache.create();
  cache.append(trunk, 3 * kPage);
  EXPECT_EQ(cache.free_pages(), 7);
  const auto a = cache.fork(trunk, 3 * kPage), b = cache.fork(trunk, 2 * kPage);
  EXPECT_EQ(cache.free_pages(), 7);
  EXPECT_EQ(cache.table(b)[1], cache.table(trunk)[1]);
  cache.append(a, 1);
  cache.append(b, 1);
  EXPECT_EQ(cache.free_pages(), 5);
  EXPECT_NE(cache.table(b)[2], cache.table(trunk)[2]);
  cache.finish_pass();
  cache.drop(trunk);
  EXPECT_EQ(cache.free_pages(), 5) << "a holds the trunk's pages";
  cache.drop(a);
  EXPECT_EQ(cache.free_pages(), 7);
  cache.drop(b);
  EXPECT_EQ(cache.free_pages(), 10);
}

TEST(Cache, ASharedPageIsCopiedWhenAnotherHasWrittenBehindIt) {
  Cache cache({1, 1, 16}, 10);
  const auto trunk = cache.create();
  cache.append(trunk, 5);
  cache.finish_pass();
  const auto a = cache.fork(trunk, 5), b = cache.fork(trunk, 5), c = cache.fork(trunk, 3);
  // The first that goes on writes behind the five; the others may not.
  EXPECT_EQ(cache.pages_for(a, 1), 0);
  cache.append(a, 1);
  EXPECT_EQ(cache.table(a)[0], cache.table(trunk)[0]);
  EXPECT_EQ(cache.pages_for(b, 1), 1);
  cache.append(b, 1);
  EXPECT_NE(cache.table(b)[0], cache.table(trunk)[0]);
  cache.append(c, 1);
  EXPECT_NE(cache.table(c)[0], cache.table(trunk)[0]);
  EXPECT_NE(cache.table(c)[0], cache.table(b)[0]);
  cache.finish_pass();
  EXPECT_EQ(cache.free_pages(), 7);
}

TEST(Cache, NobodyGetsAPageThatACopyIsStillToBeWrittenTo) {
  Cache cache({1, 1, 16}, 10);
  const auto trunk = cache.create();
  cache.append(trunk, 5);
  const auto other = cache.fork(trunk, 3);
  cache.append(other, 1);
  const auto copied = cache.table(other)[0];
  cache.drop(other);
  const auto next = cache.create();
  cache.append(next, 1);
  EXPECT_NE(cache.table(next)[0], copied);
  cache.finish_pass();
  EXPECT_EQ(cache.free_pages(), 8);
}

TEST(Cache, KeepsAndRefuses) {
  Cache cache({1, 1, 16}, 2);
  const auto s = cache.create();
  cache.append(s, 2 * kPage);
  EXPECT_THROW(cache.append(s, 1), std::length_error);
  EXPECT_EQ(cache.length(s), 2 * kPage);
  EXPECT_THROW(cache.keep(s, 2 * kPage + 1), std::out_of_range);
  EXPECT_THROW(cache.fork(s, 2 * kPage + 1), std::out_of_range);
  cache.keep(s, 1);
  EXPECT_EQ(cache.free_pages(), 1);
  cache.append(s, 1);
  EXPECT_EQ(cache.length(s), 2);
  cache.drop(s);
  EXPECT_THROW(static_cast<void>(cache.length(s)), std::out_of_range);
}

}  // namespace
}  // namespace straq::model
