// Config trees: YAML with places, inheritance, overrides, and writing back without loss.
#include "config/value.h"

#include <gtest/gtest.h>

#include "core/files.h"
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
