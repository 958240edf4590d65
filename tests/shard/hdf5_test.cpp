// Files in memory are told apart by their bytes, not by where they are read.
#include "shard/hdf5.h"

#include <gtest/gtest.h>

namespace straq::shard {
namespace {

std::string image_of(const std::string& text, const std::vector<std::int32_t>& values) {
  H5Writer out("x.h5", Storage());
  out.attribute("text", text);
  out.array<std::int32_t>("values", values);
  return out.image();
}

// As two learners that are threads of one process read their shards.
TEST(Hdf5, TwoFilesMayBeOpenAtOnce) {
  const std::string a = image_of("a", {1, 2}), b = image_of("b", {3});
  const H5Reader first(a), second(b);
  EXPECT_EQ(first.text("text"), "a");
  EXPECT_EQ(second.text("text"), "b");
  EXPECT_EQ(first.array<std::int32_t>("values"), (std::vector<std::int32_t>{1, 2}));
  EXPECT_EQ(second.array<std::int32_t>("values"), std::vector<std::int32_t>{3});
}

}  // namespace
}  // namespace straq::shard
