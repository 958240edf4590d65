// Environment variables in configs: everywhere, once, with the place of what is wrong.
#include "config/variables.h"

#include <gtest/gtest.h>

#include <cstdlib>

#include "config/fields.h"
#include "core/files/files.h"
#include "tests/testing.h"

namespace straq::config {
namespace {

using straq::testing::error_of;
using straq::testing::TemporaryFolder;

class Environment {
 public:
  Environment(const char* name, const char* value) : name_(name) { setenv(name, value, 1); }
  ~Environment() { unsetenv(name_); }

 private:
  const char* name_;
};

TEST(Variables, AreReplacedWithTheirDefaults) {
  const Environment a("STRAQ_TEST_A", "/data");
  const Environment empty("STRAQ_TEST_EMPTY", "");
  EXPECT_EQ(expand_variables("${STRAQ_TEST_A}/${STRAQ_TEST_A}", "k"), "/data//data");
  EXPECT_EQ(expand_variables("${STRAQ_TEST_EMPTY:-d}", "k"), "d");
  EXPECT_EQ(expand_variables("${STRAQ_TEST_B:-}", "k"), "");
  EXPECT_EQ(expand_variables("${STRAQ_TEST_B:-${STRAQ_TEST_C:-${STRAQ_TEST_A}/x}}/y", "k"),
            "/data/x/y");
  EXPECT_EQ(expand_variables("$5 $ $$ {x} $x $${A} $${", "k"), "$5 $ $$ {x} $x ${A} ${");
}

TEST(Variables, WhatTheyHoldIsNotLookedIntoAgain) {
  const Environment a("STRAQ_TEST_A", "${STRAQ_TEST_B}");
  EXPECT_EQ(expand_variables("${STRAQ_TEST_A}", "k"), "${STRAQ_TEST_B}");
}

TEST(Variables, MistakesNameTheirPlace) {
  for (const char* bad : {"${STRAQ_TEST_B}", "${STRAQ_TEST_B:-x", "${}", "${a b}", "${1}", "${:-x}",
                          "${STRAQ_TEST_B:-${STRAQ_TEST_C}}"}) {
    const auto e = error_of([&] { expand_variables(bad, "a.yaml:3: learn.lr"); });
    ASSERT_TRUE(e) << bad;
    EXPECT_EQ(e->kind(), ErrorKind::input);
    EXPECT_EQ(std::string(e->what()).rfind("a.yaml:3: learn.lr: ", 0), 0u) << e->what();
    EXPECT_FALSE(e->hint().empty());
  }
  std::string deep;
  for (int i = 0; i < 10000; ++i) deep += "${STRAQ_TEST_B:-";
  EXPECT_TRUE(error_of([&] { expand_variables(deep + std::string(10000, '}'), "k"); }));
}

struct Sample {
  std::string text;
  double rate = 0;
  std::vector<std::string> list;
  Value grid;
  void fields(Fields& f) {
    f("text", text);
    f("rate", rate);
    f("list", list);
    f.raw("grid", grid);
  }
};

TEST(Variables, WorkInEveryValueAndInBases) {
  const TemporaryFolder folder;
  const Environment where("STRAQ_TEST_A", "below");
  const Environment rate("STRAQ_TEST_RATE", "0.5");
  write_file_atomic(folder.path("below/b.yaml"), "text: '${STRAQ_TEST_A}/x'\n");
  write_file_atomic(folder.path("c.yaml"),
                    "base: ${STRAQ_TEST_A}/b.yaml\nrate: ${STRAQ_TEST_RATE}\n"
                    "list: [a, \"${STRAQ_TEST_A}\"]\ngrid: {k: ['$${x}', '${STRAQ_TEST_B:-1}']}\n");
  const Value v = load_config(folder.path("c.yaml"));
  const Sample s = read<Sample>(v);
  EXPECT_EQ(s.text, "below/x");
  EXPECT_EQ(s.rate, 0.5);
  EXPECT_EQ(s.list[1], "below");
  EXPECT_EQ(s.grid.find("k")->list[0].scalar, "${x}");
  EXPECT_EQ(s.grid.find("k")->list[1].scalar, "1");
}

TEST(Variables, WhatIsOverriddenNeedNotBeSet) {
  const TemporaryFolder folder;
  write_file_atomic(folder.path("b.yaml"), "text: ${STRAQ_TEST_B}\n");
  write_file_atomic(folder.path("c.yaml"), "base: b.yaml\ntext: mine\n");
  EXPECT_EQ(load_config(folder.path("c.yaml")).find("text")->scalar, "mine");
  EXPECT_EQ(load_config(folder.path("b.yaml"), {"text=x"}).find("text")->scalar, "x");
  const auto e = error_of([&] { load_config(folder.path("b.yaml")); });
  ASSERT_TRUE(e);
  EXPECT_EQ(std::string(e->what()),
            folder.path("b.yaml") + ":1: text: the environment variable STRAQ_TEST_B is not set");
}

TEST(Variables, WorkInSettingsOfTheCommandLine) {
  const TemporaryFolder folder;
  const Environment a("STRAQ_TEST_A", "/data");
  write_file_atomic(folder.path("c.yaml"), "text: x\n");
  EXPECT_EQ(load_config(folder.path("c.yaml"), {"text=${STRAQ_TEST_A}/$${y}"}).find("text")->scalar,
            "/data/${y}");
  Value v = parse_yaml("text: $${STRAQ_TEST_A}\n", "c.yaml");
  apply_set(v, "more=${STRAQ_TEST_A}");
  EXPECT_EQ(v.find("more")->scalar, "/data");
  EXPECT_EQ(v.find("text")->scalar, "$${STRAQ_TEST_A}") << "a tree that was read is left alone";
}

}  // namespace
}  // namespace straq::config
