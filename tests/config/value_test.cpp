// Config trees: YAML with places, inheritance, overrides, and writing back without loss.
#include "config/value.h"

#include <gtest/gtest.h>

#include "core/files/files.h"
#include "tests/testing.h"

namespace straq::config {
namespace {

using straq::testing::error_of;
using straq::testing::TemporaryFolder;

std::string scalar(const Value& root, std::initializer_list<const char*> path) {
  const Value* v = &root;
  for (const char* key : path) {
    v = v->find(key);
    if (v == nullptr) return "(no such key)";
  }
  return v->scalar;
}

std::string refusal(const std::string& yaml) {
  const auto e = error_of([&] { parse_yaml(yaml, "a.yaml"); });
  if (!e) return {};
  EXPECT_EQ(e->kind(), ErrorKind::input);
  return e->what();
}

bool same(const Value& a, const Value& b) {
  if (a.kind != b.kind || a.list.size() != b.list.size() || a.map.size() != b.map.size()) {
    return false;
  }
  if (a.kind == Value::Kind::scalar) return to_json(a) == to_json(b) && a.scalar == b.scalar;
  for (std::size_t i = 0; i < a.list.size(); ++i) {
    if (!same(a.list[i], b.list[i])) return false;
  }
  for (std::size_t i = 0; i < a.map.size(); ++i) {
    if (a.map[i].first != b.map[i].first || !same(a.map[i].second, b.map[i].second)) return false;
  }
  return true;
}

TEST(Yaml, NodesKnowTheirFileAndLine) {
  const Value v = parse_yaml("a: 1\nb:\n  c: [x, y]\n  d:\n    - 5\n", "a.yaml");
  EXPECT_EQ(v.find("a")->where(), "a.yaml:1");
  EXPECT_EQ(v.find("b")->where(), "a.yaml:2");
  EXPECT_EQ(v.find("b")->find("c")->where(), "a.yaml:3");
  EXPECT_EQ(v.find("b")->find("d")->list[0].where(), "a.yaml:5");
  EXPECT_EQ(v.find("absent"), nullptr);
}

TEST(Yaml, BadTextIsRefusedWithItsLine) {
  EXPECT_EQ(refusal("a: 1\nb: [1, 2\nc: 3\n").rfind("a.yaml:", 0), 0u);
  EXPECT_EQ(refusal("a: 1\n  b: 2\n").rfind("a.yaml:2: not valid YAML", 0), 0u);
  EXPECT_EQ(refusal("a: 1\nb: 2\na: 3\n"), "a.yaml:3: the key \"a\" appears twice");
  EXPECT_EQ(refusal("x:\n  a: 1\n  a: 1\n"), "a.yaml:3: the key \"a\" appears twice");
  EXPECT_NE(refusal("? [a, b]\n: 1\n").find("a key must be one word"), std::string::npos);
  EXPECT_NE(refusal("a: 1\n---\nb: 2\n").find("second document"), std::string::npos);
  EXPECT_NE(refusal("a: &x [1, *x]\n").find("a.yaml:"), std::string::npos);
}

TEST(Yaml, EmptyTextIsNull) {
  EXPECT_EQ(parse_yaml("", "a").kind, Value::Kind::null);
  EXPECT_EQ(parse_yaml("# only a comment\n", "a").kind, Value::Kind::null);
}

TEST(Yaml, AnchorsCanBeUsedTwice) {
  const Value v = parse_yaml("a: &x {k: 1}\nb: *x\n", "a.yaml");
  EXPECT_EQ(scalar(v, {"b", "k"}), "1");
}

TEST(Base, IsMergedUnderneathKeyByKeyAndListsAreReplaced) {
  TemporaryFolder folder;
  write_file_atomic(folder.path("base/a.yaml"), "x: {p: 1, q: 2}\nlist: [1, 2, 3]\nkeep: base\n");
  write_file_atomic(folder.path("base/b.yaml"), "base: a.yaml\nx: {q: 20}\n");
  write_file_atomic(folder.path("c.yaml"), "base: base/b.yaml\nx: {r: 3}\nlist: [9]\n");
  const Value v = load_config(folder.path("c.yaml"));
  EXPECT_EQ(scalar(v, {"x", "p"}), "1");
  EXPECT_EQ(scalar(v, {"x", "q"}), "20");
  EXPECT_EQ(scalar(v, {"x", "r"}), "3");
  EXPECT_EQ(scalar(v, {"keep"}), "base");
  EXPECT_EQ(v.find("list")->list.size(), 1u);
  EXPECT_EQ(v.find("base"), nullptr) << "base is an instruction, not a key of the result";
  EXPECT_EQ(v.find("x")->find("q")->where(), (folder.path("base/b.yaml")) + ":2");
}

TEST(Base, ListsApplyInOrderAndOneBaseMayServeTwice) {
  TemporaryFolder folder;
  write_file_atomic(folder.path("root.yaml"), "r: 1\nk: root\n");
  write_file_atomic(folder.path("a.yaml"), "base: root.yaml\nk: a\n");
  write_file_atomic(folder.path("b.yaml"), "base: root.yaml\nk: b\n");
  write_file_atomic(folder.path("c.yaml"), "base: [a.yaml, b.yaml]\n");
  const Value v = load_config(folder.path("c.yaml"));
  EXPECT_EQ(scalar(v, {"k"}), "b");
  EXPECT_EQ(scalar(v, {"r"}), "1");
}

TEST(Base, CyclesMissingFilesAndWrongKindsAreRefused) {
  TemporaryFolder folder;
  write_file_atomic(folder.path("a.yaml"), "base: b.yaml\n");
  write_file_atomic(folder.path("b.yaml"), "base: a.yaml\n");
  auto e = error_of([&] { load_config(folder.path("a.yaml")); });
  ASSERT_TRUE(e);
  EXPECT_NE(std::string(e->what()).find("inherits from itself"), std::string::npos);
  write_file_atomic(folder.path("a.yaml"), "x: 1\nbase: absent.yaml\n");
  e = error_of([&] { load_config(folder.path("a.yaml")); });
  ASSERT_TRUE(e);
  EXPECT_NE(std::string(e->what()).find("a.yaml:2: base: there is no file"), std::string::npos);
  write_file_atomic(folder.path("a.yaml"), "base: {x: 1}\n");
  e = error_of([&] { load_config(folder.path("a.yaml")); });
  ASSERT_TRUE(e);
  EXPECT_NE(std::string(e->what()).find("expected a path or a list"), std::string::npos);
  write_file_atomic(folder.path("a.yaml"), "- 1\n- 2\n");
  e = error_of([&] { load_config(folder.path("a.yaml")); });
  ASSERT_TRUE(e);
  EXPECT_NE(std::string(e->what()).find("must be a map"), std::string::npos);
}

TEST(Set, ReplacesAddsAndReadsValuesAsYaml) {
  Value v = parse_yaml("learn: {gamma: 0.85}\nempty:\n", "a.yaml");
  apply_set(v, "learn.gamma=0.9");
  apply_set(v, "learn.target.every=[1, 2]");
  apply_set(v, "name=\"0.5\"");
  apply_set(v, "empty.x=true");
  apply_set(v, "url=http://host/a=b");
  apply_set(v, "nothing=");
  EXPECT_EQ(to_json(*v.find("learn")->find("gamma")), 0.9);
  EXPECT_EQ(to_json(*v.find("learn")->find("target")->find("every")),
            (nlohmann::ordered_json{1, 2}));
  EXPECT_EQ(to_json(*v.find("name")), "0.5");
  EXPECT_EQ(to_json(*v.find("empty")->find("x")), true);
  EXPECT_EQ(scalar(v, {"url"}), "http://host/a=b");
  EXPECT_EQ(v.find("nothing")->kind, Value::Kind::null);
  EXPECT_NE(v.find("learn")->find("gamma")->where().find("--set learn.gamma=0.9"),
            std::string::npos);
}

TEST(Set, MalformedAssignmentsAreRefused) {
  Value v = parse_yaml("a: 1\n", "a.yaml");
  for (const char* bad : {"a", "=1", "a..b=1", ".a=1", "a.=1", "a.b=1", "c=[1"}) {
    const auto e = error_of([&] { apply_set(v, bad); });
    ASSERT_TRUE(e) << bad;
    EXPECT_EQ(e->kind(), ErrorKind::input);
    EXPECT_NE(std::string(e->what()).find(bad), std::string::npos) << e->what();
  }
  EXPECT_EQ(scalar(v, {"a"}), "1");
}

// What follows the first "=" is the value, whatever a YAML reader or a shell would make of it.
TEST(Set, AValueCountsAsItStands) {
  for (const char* text : {"/path/exp #2", "#1",         "a: b",  "a:",       "key: value # more",
                           "- dash",       "? q",        "*star", "&amp",     "!tag",
                           "| bar",        "> gt",       "@at",   "`tick",    "%d",
                           "it's",         "say \"hi\"", "a=b=c", " padded ", "tab\there",
                           "two\nlines",   "x, y",       "a]",    "}",        "caf\xe9",
                           "..",           "C:\\x"}) {
    Value v = parse_yaml("results: before\n", "a.yaml");
    apply_set(v, std::string("results=") + text);
    EXPECT_EQ(scalar(v, {"results"}), text);
  }
  Value v = Value::make_map();
  apply_set(v, "a='it''s # one'");
  EXPECT_EQ(scalar(v, {"a"}), "it's # one");
  EXPECT_TRUE(v.find("a")->quoted);
  apply_set(v, "a=[\"x # y\", 'z']");
  EXPECT_EQ(scalar(v.find("a")->list[0], {}), "x # y");
}

TEST(Set, AValueThatWouldBeCutIsRefused) {
  for (const char* bad : {"a=[1, 2] # two", "a={x: 1} #y", "a=[1 #, 2]", "a=\"x\" y", "a='x",
                          "a='x' # y", "a=[x]/y", "a=\"\"\"", "a=!replace 3"}) {
    Value v = parse_yaml("a: 1\n", "a.yaml");
    const auto e = error_of([&] { apply_set(v, bad); });
    ASSERT_TRUE(e) << bad;
    EXPECT_EQ(e->kind(), ErrorKind::input);
    EXPECT_FALSE(e->hint().empty()) << bad;
    EXPECT_EQ(scalar(v, {"a"}), "1") << bad;
  }
}

TEST(Set, NothingTakesNoSectionAndNoListAway) {
  Value v = parse_yaml("learn: {batch: 8}\nsplits: [a, b]\nname: x\n", "a.yaml");
  for (const char* bad : {"learn=", "splits="}) {
    const auto e = error_of([&] { apply_set(v, bad); });
    ASSERT_TRUE(e) << bad;
    EXPECT_NE(std::string(e->what()).find(bad), std::string::npos);
  }
  EXPECT_EQ(scalar(v, {"learn", "batch"}), "8");
  apply_set(v, "splits=[]");
  EXPECT_TRUE(v.find("splits")->list.empty());
}

TEST(Set, AMapMergesIntoItsSectionAndASweepIsReplaced) {
  const std::string text = "learn: {batch: 8, lr: 1}\nsweep: {grid: {a: [1]}}\n";
  Value v = parse_yaml(text, "a.yaml");
  apply_set(v, "learn={lr: 2}");
  EXPECT_EQ(scalar(v, {"learn", "batch"}), "8");
  EXPECT_EQ(scalar(v, {"learn", "lr"}), "2");
  apply_set(v, "learn=!replace {lr: 3}");
  EXPECT_EQ(v.find("learn")->find("batch"), nullptr);
  apply_set(v, "sweep.grid={b: [2]}");
  EXPECT_EQ(v.find("sweep")->find("grid")->find("a"), nullptr);
}

// A section whose lines are all comments must not become all defaults.
TEST(Base, WhatIsLeftEmptySaysNothing) {
  TemporaryFolder folder;
  write_file_atomic(folder.path("a.yaml"),
                    "learn: {batch: 8, target: {every: 3}}\nsplits: [test]\ntrain: {size: 5}\n");
  const auto over = [&](const std::string& text) {
    write_file_atomic(folder.path("c.yaml"), "base: a.yaml\n" + text);
    return load_config(folder.path("c.yaml"));
  };
  for (const char* text : {"learn:\n  # batch: 4\n", "learn: {}\n", "learn: ~\n", "learn: null\n",
                           "learn:\n  target:\n", "learn:\nnull_thing: 1\n"}) {
    const Value v = over(text);
    EXPECT_EQ(scalar(v, {"learn", "batch"}), "8") << text;
    EXPECT_EQ(scalar(v, {"learn", "target", "every"}), "3") << text;
    EXPECT_EQ(v.find("learn")->nulled.empty(),
              std::string(text).find("~") == std::string::npos &&
                  std::string(text).find("learn: null") == std::string::npos)
        << text;
  }
  EXPECT_EQ(over("splits:\n").find("splits")->list.size(), 1u);
  EXPECT_TRUE(over("splits: []\n").find("splits")->list.empty());
  // Out loud a base's section can be left behind.
  EXPECT_EQ(over("learn: !replace {lr: 1}\n").find("learn")->map.size(), 1u);
  EXPECT_TRUE(over("learn: !replace\n").find("learn")->map.empty());
  EXPECT_EQ(scalar(over("learn:\n  target: !replace {x: 1}\n"), {"learn", "batch"}), "8");
  EXPECT_EQ(over("train: null # none\n").find("train")->nulled, folder.path("c.yaml") + ":2");
}

TEST(Base, ABaseReplacesTheBasesBeforeIt) {
  TemporaryFolder folder;
  write_file_atomic(folder.path("a.yaml"), "x: {p: 1}\n");
  write_file_atomic(folder.path("b.yaml"), "x: !replace {q: 2}\n");
  write_file_atomic(folder.path("c.yaml"), "base: [a.yaml, b.yaml]\nx: {r: 3}\n");
  const Value v = load_config(folder.path("c.yaml"));
  EXPECT_EQ(v.find("x")->map.size(), 2u);
  EXPECT_EQ(v.find("x")->find("p"), nullptr);
}

// Each of these took all memory or ended the program, from a file of a few hundred bytes.
TEST(Yaml, AnchorsThatMultiplyAreRefused) {
  std::string text = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n";
  for (int i = 1; i < 10; ++i) {
    const std::string before = "*a" + std::to_string(i - 1);
    text.append("a").append(std::to_string(i)).append(": &a").append(std::to_string(i));
    text += " [";
    for (int k = 0; k < 10; ++k) text += (k ? ", " : "") + before;
    text += "]\n";
  }
  EXPECT_NE(refusal(text).find("too many"), std::string::npos) << refusal(text);
  // Few values, but of a long text.
  std::string longer = "t: &t " + std::string(1 << 20, 'x') + "\nl: [";
  for (int k = 0; k < 40; ++k) longer += "*t, ";
  EXPECT_NE(refusal(longer + "1]\n").find("too long"), std::string::npos);
}

TEST(Yaml, DeepNestingIsRefused) {
  for (const std::size_t depth : {150u, 5000u, 200000u}) {
    EXPECT_EQ(refusal("a: " + std::string(depth, '[')).rfind("a.yaml:", 0), 0u) << depth;
    EXPECT_EQ(
        refusal("a: " + std::string(depth, '[') + std::string(depth, ']')).rfind("a.yaml:", 0), 0u)
        << depth;
    EXPECT_EQ(refusal("a: " + std::string(depth, '{')).rfind("a.yaml:", 0), 0u) << depth;
    std::string dashes;
    for (std::size_t i = 0; i < std::min<std::size_t>(depth, 20000); ++i) dashes += "- ";
    EXPECT_EQ(refusal(dashes + "x").rfind("a.yaml:", 0), 0u) << depth;
  }
}

TEST(Yaml, WhatIsNoConfigIsNamed) {
  EXPECT_NE(refusal("version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n")
                .find("Git LFS pointer"),
            std::string::npos);
  EXPECT_NE(refusal(std::string("\xff\xfe"
                                "a\0:\0",
                                6))
                .find("UTF-16"),
            std::string::npos);
  EXPECT_NE(refusal(std::string("a: 1\nb: \0\n", 10)).find("a.yaml:2: a zero byte"),
            std::string::npos);
  EXPECT_NE(refusal("a: !include b.yaml\n").find("the tag !include"), std::string::npos);
  EXPECT_NE(refusal("a: &x {k: 1}\nb: {<<: *x}\n").find("<< merges nothing"), std::string::npos);
  const Value marked = parse_yaml(
      "\xef\xbb\xbf"
      "a: 1\r\nb: ~\r\nc:\r\n",
      "a.yaml");
  EXPECT_EQ(scalar(marked, {"a"}), "1");
  EXPECT_EQ(marked.find("b")->nulled, "~");
  EXPECT_EQ(marked.find("c")->nulled, "");
  const auto tab = error_of([] { parse_yaml("learn:\n\tbatch: 8\n", "a.yaml"); });
  ASSERT_TRUE(tab);
  EXPECT_NE(tab->hint().find("line 2 is indented with a tab"), std::string::npos) << tab->full();
  TemporaryFolder folder;
  for (const std::string& path :
       {folder.path(), folder.path("absent.yaml"), folder.path(std::string(5000, 'x')),
        std::string("/dev/null/x")}) {
    const auto e = error_of([&] { load_config(path); });
    ASSERT_TRUE(e) << path;
    EXPECT_EQ(e->kind(), ErrorKind::input);
  }
}

TEST(Yaml, CoreTagsMeanWhatTheyMean) {
  const Value v = parse_yaml("a: !!str 12\nb: !!int 3\nc: !!map {d: 1}\ne: !!seq [1]\n", "a");
  EXPECT_EQ(to_json(v).dump(), R"({"a":"12","b":3,"c":{"d":1},"e":[1]})");
}

// Paths may hold any bytes; a run's recorded config must lead to the same places.
TEST(RoundTrip, BytesThatAreNoUtf8ComeBack) {
  Value v = Value::make_map();
  v.set("path", Value::make_scalar("caf\xe9/\xff\xfe # x: \"q\" \\ \x01\n'"));
  v.set("bytes_0_", Value::make_scalar("bytes_1_"));
  v.set("both", from_json(nlohmann::ordered_json{"naïve", "\xe9", "0.5"}));
  const Value back = parse_yaml(to_yaml(v), "back.yaml");
  EXPECT_EQ(scalar(back, {"path"}), scalar(v, {"path"})) << to_yaml(v);
  EXPECT_EQ(scalar(back, {"bytes_0_"}), "bytes_1_");
  EXPECT_EQ(back.find("both")->list[1].scalar, "\xe9");
  EXPECT_EQ(to_yaml(back), to_yaml(v));
}

TEST(RoundTrip, YamlReadsBackToTheSameTree) {
  Value v = Value::make_map();
  const char* texts[] = {"plain",
                         "",
                         " padded ",
                         "true",
                         "null",
                         "~",
                         "0.5",
                         "-3",
                         "1e5",
                         "a: b",
                         "# no comment",
                         "- dash",
                         "two\nlines",
                         "tab\there",
                         "quote\"s and 'them'",
                         "{a|b}",
                         "[x]",
                         "*star",
                         "&amp",
                         "%",
                         "@at",
                         "naïve – ünï",
                         "yes",
                         "no",
                         "inf",
                         "nan",
                         "Infinity",
                         ".nan",
                         ".inf",
                         "0x10",
                         "1_000",
                         "2024-01-01",
                         "\\back\\slash",
                         "\x01 control",
                         "!tag",
                         "? q",
                         "| bar",
                         "> gt",
                         "`tick"};
  int i = 0;
  for (const char* t : texts) {
    v.set("text" + std::to_string(i), from_json(nlohmann::ordered_json(t)));
    v.set("nested" + std::to_string(i),
          from_json(nlohmann::ordered_json{{"key", {t, {{"deep", t}}}}}));
    ++i;
  }
  v.set("key: with colon", Value::make_scalar("1"));
  v.set("true", Value::make_scalar("2"));
  v.set("flag", Value::make_scalar("false"));
  v.set("number", Value::make_scalar("-0.25"));
  v.set("null", Value{});
  v.set("empty_list", Value::make_list());
  v.set("empty_map", Value::make_map());
  const std::string yaml = to_yaml(v);
  const Value back = parse_yaml(yaml, "back.yaml");
  ASSERT_EQ(back.map.size(), v.map.size()) << yaml;
  for (std::size_t k = 0; k < v.map.size(); ++k) {
    EXPECT_EQ(back.map[k].first, v.map[k].first);
    EXPECT_TRUE(same(back.map[k].second, v.map[k].second)) << v.map[k].first << "\n"
                                                           << to_yaml(v.map[k].second);
  }
  EXPECT_EQ(to_json(back), to_json(v));
  EXPECT_EQ(to_yaml(back), yaml);
}

TEST(RoundTrip, JsonComesBackAsItWent) {
  const auto j = nlohmann::ordered_json::parse(
      R"({"s": "x", "looks": ["true", "12", "null", "inf", "NaN", "-infinity", ""],
          "i": -7, "d": 0.1, "big": 12345678901, "b": false, "n": null, "m": {"z": 1, "a": []}})");
  EXPECT_EQ(to_json(from_json(j)), j);
  EXPECT_EQ(to_json(parse_yaml(to_yaml(from_json(j)), "x")), j);
}

TEST(Json, PlainWordsStayWords) {
  // Names that a lenient number parser would take for numbers that JSON does not have.
  const Value v = parse_yaml("[Inf, nan, infinity, Nano, 1x, 07.5.1]", "a");
  EXPECT_EQ(to_json(v), (nlohmann::ordered_json{"Inf", "nan", "infinity", "Nano", "1x", "07.5.1"}));
}

}  // namespace
}  // namespace straq::config
