// The log goes to standard error with rank and subsystem, in the chosen form and from the chosen
// level on.
#include "core/log.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <sstream>

namespace straq::log {
namespace {

template <class F>
std::string stderr_of(F&& f) {
  ::testing::internal::CaptureStderr();
  ::testing::internal::CaptureStdout();
  f();
  EXPECT_EQ(::testing::internal::GetCapturedStdout(), "") << "standard output is for results";
  return ::testing::internal::GetCapturedStderr();
}

class LogTest : public ::testing::Test {
  void TearDown() override { setup(Level::info, Format::text); }
};

TEST_F(LogTest, TextCarriesRankSubsystemAndMessage) {
  setup(Level::info, Format::text, 3, 16);
  const std::string out = stderr_of([] {
    info("learn", "step {} loss {:.2f}", 7, 0.5);
    debug("learn", "hidden");
  });
  EXPECT_NE(out.find(" I [ 3] [learn] step 7 loss 0.50\n"), std::string::npos) << out;
  EXPECT_EQ(out.find("hidden"), std::string::npos);
}

TEST_F(LogTest, JsonIsOneObjectALineWhateverTheMessageHolds) {
  setup(Level::debug, Format::json, 1, 2);
  const std::string message = "a \"quoted\"\nline, bad byte \xff, {} and %v %n";
  const std::string out = stderr_of([&] {
    write(Level::warn, "shard", message);
    debug("x", "second");
  });
  std::istringstream lines(out);
  std::string line;
  ASSERT_TRUE(std::getline(lines, line));
  const auto j = nlohmann::json::parse(line);
  EXPECT_EQ(j["level"], "warn");
  EXPECT_EQ(j["rank"], 1);
  EXPECT_EQ(j["subsystem"], "shard");
  EXPECT_EQ(j["message"].get<std::string>().rfind("a \"quoted\"\nline, bad byte ", 0), 0u);
  ASSERT_TRUE(std::getline(lines, line));
  EXPECT_EQ(nlohmann::json::parse(line)["message"], "second");
  EXPECT_FALSE(std::getline(lines, line));
}

TEST_F(LogTest, TextComesBackAfterJson) {
  setup(Level::info, Format::json);
  setup(Level::info, Format::text);
  const std::string out = stderr_of([] { info("core", "hello"); });
  EXPECT_NE(out.find(" I [0] [core] hello\n"), std::string::npos) << out;
  EXPECT_EQ(out.rfind("20", 0), 0u) << "a text line begins with its time: " << out;
}

TEST_F(LogTest, QuietSaysNothing) {
  setup(Level::quiet, Format::text);
  EXPECT_EQ(stderr_of([] { error("core", "boom"); }), "");
}

}  // namespace
}  // namespace straq::log
