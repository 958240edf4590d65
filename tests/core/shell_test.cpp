// Printed commands can be run: a shell reads every word back as it was.
#include "core/shell.h"

#include <gtest/gtest.h>

#include <array>
#include <cstdio>

namespace straq {
namespace {

// What a shell makes of the words, each on a line between brackets.
std::string echoed(const std::string& command) {
  FILE* pipe = popen(("printf '<%s>' " + command).c_str(), "r");
  std::string out;
  std::array<char, 256> buffer;
  while (pipe != nullptr && fgets(buffer.data(), buffer.size(), pipe) != nullptr) {
    out += buffer.data();
  }
  if (pipe != nullptr) pclose(pipe);
  return out;
}

TEST(Shell, WordsComeBackWhole) {
  const std::vector<std::string> words = {"plain/path-1.yaml",
                                          "",
                                          "a b",
                                          "it's",
                                          "$(touch x)",
                                          "${HOME}",
                                          "`id`",
                                          "a\"b",
                                          "#x",
                                          "~",
                                          "*",
                                          "a;b",
                                          "a&&b",
                                          "a|b>c",
                                          "two\nlines",
                                          "tab\there",
                                          "@ID@",
                                          "caf\xe9",
                                          "\\back",
                                          "!1",
                                          "(x)",
                                          "{a,b}"};
  std::string expected;
  for (const auto& w : words) expected += "<" + w + ">";
  EXPECT_EQ(echoed(shell_join(words)), expected);
}

TEST(Shell, PlainWordsStayPlain) {
  EXPECT_EQ(shell_join({"straq", "run", "configs/a.yaml", "--set", "learn.lr=1e-3"}),
            "straq run configs/a.yaml --set learn.lr=1e-3");
}

}  // namespace
}  // namespace straq
