#include "core/processors.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <string>

namespace straq {
namespace {

// OMP_NUM_THREADS while it lives; null: not set.
class Variable {
 public:
  explicit Variable(const char* value) {
    if (const char* now = std::getenv(kName)) before_ = now, was_set_ = true;
    value ? setenv(kName, value, 1) : unsetenv(kName);
  }
  ~Variable() { was_set_ ? setenv(kName, before_.c_str(), 1) : unsetenv(kName); }

 private:
  static constexpr const char* kName = "OMP_NUM_THREADS";
  std::string before_;
  bool was_set_ = false;
};

TEST(Processors, TheConfigGoesBeforeTheEnvironmentAndThatBeforeTheCores) {
  {
    const Variable none(nullptr);
    EXPECT_EQ(compute_threads(3, 8, 2), 3);
    EXPECT_EQ(compute_threads(0, 8, 2), 4);
    EXPECT_EQ(compute_threads(0, 8, 3), 2);
    EXPECT_EQ(compute_threads(0, 2, 4), 1);
  }
  const Variable five("5,2");
  EXPECT_EQ(compute_threads(3, 8, 2), 3);
  EXPECT_EQ(compute_threads(0, 8, 2), 5);
  for (const char* nothing : {"", "0", "-1", "many"}) {
    const Variable odd(nothing);
    EXPECT_EQ(compute_threads(0, 8, 2), 4) << nothing;
  }
}

TEST(Processors, SomeCoreMayBeUsed) {
  const auto cores = usable_cores();
  ASSERT_FALSE(cores.empty());
  EXPECT_TRUE(std::is_sorted(cores.begin(), cores.end()));
}

}  // namespace
}  // namespace straq
