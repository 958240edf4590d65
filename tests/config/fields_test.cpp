// Typed configs are strict: a value of the wrong type, out of its limits or under a wrong name is
// refused with its place and what was expected.
#include "config/fields.h"

#include <gtest/gtest.h>

#include <cstdint>

#include "tests/testing.h"

namespace straq::config {
namespace {

using straq::testing::error_of;

enum class Backup { max, twin, expected };

struct Target {
  int every = 10;
  double polyak = 1;
  void fields(Fields& f) {
    f("every", every, at_least(0));
    f("polyak", polyak, between(0, 1));
  }
};

struct Everything {
  bool flag = false;
  std::string text = "word";
  double real = 0.5;
  int small = 3;
  std::uint64_t seed = 1;
  std::int64_t wide = -1;
  std::uint8_t byte = 7;
  std::optional<double> maybe;
  std::vector<int> numbers = {1, 2};
  std::vector<Target> targets;
  std::vector<std::pair<std::string, double>> weights;
  Target target;
  Backup backup = Backup::max;
  Value grid;
  void fields(Fields& f) {
    f("flag", flag);
    f("text", text);
    f("real", real, above(0));
    f("small", small);
    f("seed", seed);
    f("wide", wide);
    f("byte", byte);
    f("maybe", maybe);
    f("numbers", numbers, at_least(0));
    f("targets", targets);
    f("weights", weights, between(0, 1));
    f("target", target);
    f.choice(
        "backup", backup,
        {{"max", Backup::max}, {"double", Backup::twin, false}, {"expected", Backup::expected}});
    f.raw("grid", grid);
  }
};

struct Strict {
  std::string path;
  Target target;
  void fields(Fields& f) {
    f.required("path", path);
    f("target", target);
  }
};

struct NeedsInner {
  Strict inner;
  void fields(Fields& f) { f("inner", inner); }
};

Everything parse(const std::string& yaml) {
  return read<Everything>(parse_yaml(yaml, "a.yaml"));
}

std::string refusal(const std::string& yaml) {
  const auto e = error_of([&] { parse(yaml); });
  if (!e) return {};
  EXPECT_EQ(e->kind(), ErrorKind::input);
  return e->full();
}

#define EXPECT_REFUSED(yaml, words) \
  EXPECT_NE(refusal(yaml).find(words), std::string::npos) << refusal(yaml)

TEST(Fields, EveryTypeIsRead) {
  const Everything x = parse(
      "flag: true\ntext: 12\nreal: 1e-3\nsmall: -4\nseed: 9223372036854775807\nwide: -5\nbyte: "
      "255\n"
      "maybe: 2\nnumbers: [3]\ntargets: [{every: 1}, {polyak: 0.5}]\nweights: {a b: 0.25, c: 1}\n"
      "target: {every: 3}\nbackup: expected\ngrid: {gamma: [0.8, 0.9]}\n");
  EXPECT_TRUE(x.flag);
  EXPECT_EQ(x.text, "12");
  EXPECT_EQ(x.real, 1e-3);
  EXPECT_EQ(x.small, -4);
  EXPECT_EQ(x.seed, 9223372036854775807ull);
  EXPECT_EQ(x.wide, -5);
  EXPECT_EQ(x.byte, 255);
  EXPECT_EQ(x.maybe, 2.0);
  EXPECT_EQ(x.numbers, std::vector<int>{3});
  ASSERT_EQ(x.targets.size(), 2u);
  EXPECT_EQ(x.targets[0].every, 1);
  EXPECT_EQ(x.targets[1].every, 10);
  EXPECT_EQ(x.weights[0], (std::pair<std::string, double>{"a b", 0.25}));
  EXPECT_EQ(x.target.every, 3);
  EXPECT_EQ(x.backup, Backup::expected);
  EXPECT_EQ(x.grid.find("gamma")->list.size(), 2u);
}

TEST(Fields, MissingKeysKeepTheirDefaults) {
  const Everything x = parse("");
  EXPECT_EQ(x.text, "word");
  EXPECT_EQ(x.target.every, 10);
  EXPECT_FALSE(x.maybe);
  EXPECT_FALSE(parse("maybe: null\n").maybe);
  EXPECT_EQ(parse("target:\n").target.every, 10);
}

TEST(Fields, UnknownKeysNameTheNearestOne) {
  EXPECT_REFUSED("target:\n  evry: 3\n",
                 "a.yaml:2: unknown key \"target.evry\"; did you mean \"target.every\"?");
  EXPECT_REFUSED("flagg: true\n", "did you mean \"flag\"?");
  const std::string far = refusal("zzzzzzzz: 1\n");
  EXPECT_EQ(far.find("did you mean"), std::string::npos);
  EXPECT_NE(far.find("known keys here: flag, text"), std::string::npos);
  EXPECT_REFUSED("targets: [{every: 1}, {x: 2}]\n", "targets[1].x");
}

TEST(Fields, WrongTypesAreRefusedWithTheirPlace) {
  EXPECT_REFUSED("x: 1\nflag: yes\n", "a.yaml:2: flag: expected true or false, got \"yes\"");
  EXPECT_REFUSED("real: fast\n", "a.yaml:1: real: expected a number, got \"fast\"");
  EXPECT_REFUSED("real: \"1\"\n", "real: expected a number");
  EXPECT_REFUSED("real: inf\n", "real: expected a number");
  EXPECT_REFUSED("real: [1]\n", "real: expected a number, got a list");
  EXPECT_REFUSED("small: 1.5\n", "small: expected a whole number");
  EXPECT_REFUSED("small: 3000000000\n", "small: expected a whole number in range");
  EXPECT_REFUSED("byte: 256\n", "byte: expected a whole number in range");
  EXPECT_REFUSED("byte: -1\n", "byte: expected a whole number in range");
  EXPECT_REFUSED("seed: -1\n", "seed: expected a whole number in range");
  EXPECT_REFUSED("wide: 9223372036854775808\n", "wide: expected a whole number in range");
  EXPECT_REFUSED("text: {a: 1}\n", "text: expected text, got a map");
  EXPECT_REFUSED("text:\n", "text: expected text, got nothing");
  EXPECT_REFUSED("numbers: 3\n", "numbers: expected a list");
  EXPECT_REFUSED("numbers: [1, x]\n", "numbers[1]: expected a whole number");
  EXPECT_REFUSED("weights: [1]\n", "weights: expected a map");
  EXPECT_REFUSED("target: 3\n", "target: expected a map of keys, got \"3\"");
}

TEST(Fields, NearMissesAreToldTheRightSpelling) {
  for (const auto& [yaml, hint] : {std::pair{"flag: yes", "write true, not yes"},
                                   {"flag: True", "write true, not True"},
                                   {"flag: off", "write false, not off"},
                                   {"flag: FALSE", "write false, not FALSE"},
                                   {"flag: 'true'", "write true without quotes"},
                                   {"flag: 1", "write true, not 1"},
                                   {"small: 0x10", "write 16, not 0x10"},
                                   {"small: 1_000", "write 1000, not 1_000"},
                                   {"small: 1e3", "write 1000, not 1e3"},
                                   {"small: 5.0", "write 5, not 5.0"},
                                   {"small: +5", "write 5, not +5"},
                                   {"small: '5'", "write 5 without quotes"},
                                   {"real: 1_000.5", "write 1000.5, not 1_000.5"},
                                   {"real: '0.5'", "write 0.5 without quotes"},
                                   {"real: .inf", "finite numbers"},
                                   {"real: +.5", "write 0.5, not +.5"},
                                   {"small: .nan", "finite numbers"},
                                   {"text: [x]", "put quotes around"},
                                   {"text:", "an empty text is \"\""}}) {
    EXPECT_NE(refusal(yaml).find(hint), std::string::npos) << yaml << "\n" << refusal(yaml);
  }
  for (const char* yaml : {"flag: maybe", "small: 1.5", "small: 1e300", "real: fast"}) {
    EXPECT_EQ(refusal(yaml).find("write "), std::string::npos) << refusal(yaml);
  }
}

struct Optional {
  std::optional<Target> target;
  Target section;
  void fields(Fields& f) {
    f("target", target);
    f("section", section);
  }
};

// An optional section is left out by saying so; a section of keys has no such state.
TEST(Fields, NullOverABasesSection) {
  const Value base = parse_yaml("target: {every: 3}\nsection: {every: 4}\n", "b.yaml");
  const auto over = [&](const char* yaml) {
    return read<Optional>(merge(base, parse_yaml(yaml, "c.yaml")));
  };
  EXPECT_FALSE(over("target: null\nsection: ~\n").target);
  EXPECT_EQ(over("target: null\nsection: ~\n").section.every, 4);
  EXPECT_EQ(over("target:\nsection:\n").target->every, 3);
  Value set = base;
  apply_set(set, "target=null");
  EXPECT_FALSE(read<Optional>(set).target);
  for (const char* bad : {"section=null", "section=~"}) {
    Value v = base;
    apply_set(v, bad);
    const auto e = error_of([&] { read<Optional>(v); });
    ASSERT_TRUE(e) << bad;
    EXPECT_NE(std::string(e->what()).find("section is a section of keys"), std::string::npos);
  }
  // A key of it brings it back.
  for (const char* yaml : {"target: ~\n", "{}"}) {
    Value back = merge(base, parse_yaml(yaml, "c.yaml"));
    apply_set(back, "target.polyak=0.5");
    EXPECT_EQ(read<Optional>(back).target.value_or(Target{}).polyak, 0.5) << yaml;
  }
  Value fresh = parse_yaml("target: ~\n", "c.yaml");
  apply_set(fresh, "target.polyak=0.5");
  EXPECT_TRUE(read<Optional>(fresh).target);
  Value none = Value::make_map();
  apply_set(none, "section=");
  EXPECT_TRUE(error_of([&] { read<Optional>(none); })) << "nor where the file has no such section";
}

TEST(Fields, LimitsAreRefusedInWords) {
  EXPECT_REFUSED("real: 0\n", "real: must be above 0, got 0");
  EXPECT_REFUSED("target: {polyak: 1.5}\n", "target.polyak: must be between 0 and 1, got 1.5");
  EXPECT_REFUSED("target: {every: -1}\n", "target.every: must be at least 0, got -1");
  EXPECT_REFUSED("numbers: [1, -1]\n", "numbers[1]: must be at least 0");
  EXPECT_REFUSED("weights: {a: 2}\n", "weights.a: must be between 0 and 1");
}

TEST(Fields, ChoicesTellTyposFromWhatIsNotBuilt) {
  const std::string unbuilt = refusal("backup: double\n");
  EXPECT_NE(unbuilt.find("does not build yet"), std::string::npos) << unbuilt;
  EXPECT_NE(unbuilt.find("choose one of: max, expected"), std::string::npos) << unbuilt;
  EXPECT_REFUSED("backup: expectd\n", "did you mean \"expected\"?");
  EXPECT_REFUSED("backup: [max]\n", "backup: expected one word, got a list");
}

TEST(Fields, RequiredKeysAreMissedByNameAlsoInAnEmptySection) {
  auto e = error_of([] { read<Strict>(parse_yaml("target: {every: 1}\n", "a.yaml")); });
  ASSERT_TRUE(e);
  EXPECT_NE(std::string(e->what()).find("the key \"path\" is missing"), std::string::npos);
  e = error_of([] { read<NeedsInner>(parse_yaml("inner:\n", "a.yaml")); });
  ASSERT_TRUE(e) << "a section left empty must not pass for a complete one";
  EXPECT_NE(std::string(e->what()).find("the key \"inner.path\" is missing"), std::string::npos);
  e = error_of([] { read<Strict>(parse_yaml("just text\n", "a.yaml")); });
  ASSERT_TRUE(e);
  EXPECT_NE(std::string(e->what()).find("expected a map of keys"), std::string::npos);
}

TEST(Fields, DumpReadsBackToTheSameConfig) {
  Everything x = parse(
      "flag: true\ntext: 'true'\nreal: 0.1\nseed: 12345678901234\nmaybe: 0.25\nnumbers: []\n"
      "targets: [{every: 7}]\nweights: {Reflection of feelings: 0.3}\nbackup: expected\n"
      "grid: {gamma: [0.8, 0.9]}\n");
  x.real = 0.1 + 0.2;  // needs all its digits
  const std::string yaml = to_yaml(dump(x));
  const Everything y = read<Everything>(parse_yaml(yaml, "dump.yaml"));
  EXPECT_EQ(to_yaml(dump(y)), yaml);
  EXPECT_EQ(y.real, x.real);
  EXPECT_EQ(y.text, "true");
  EXPECT_EQ(y.seed, x.seed);
  EXPECT_EQ(y.maybe, x.maybe);
  EXPECT_TRUE(y.numbers.empty());
  EXPECT_EQ(y.targets[0].every, 7);
  EXPECT_EQ(y.weights, x.weights);
  EXPECT_EQ(y.backup, Backup::expected);
  EXPECT_EQ(to_json(y.grid), to_json(x.grid));
  // Defaults are written too: a recorded config says everything.
  EXPECT_NE(yaml.find("polyak: 1"), std::string::npos) << yaml;
}

TEST(Fields, WherePointsAtTheKey) {
  const Value v = parse_yaml("a: 1\nb: 2\n", "a.yaml");
  const Fields f = Fields::reader(v, "learn.");
  EXPECT_EQ(f.where("b"), "a.yaml:2: learn.b");
  EXPECT_EQ(f.where("absent"), "learn.absent");
  const Value nested = parse_yaml("neg:\n  ratio: 1\nb: 2\n", "a.yaml");
  const Fields g = Fields::reader(nested, "learn.");
  EXPECT_EQ(g.where("neg.ratio"), "a.yaml:2: learn.neg.ratio");
  EXPECT_EQ(g.where("neg.absent"), "learn.neg.absent");
  EXPECT_EQ(g.where("b.inside"), "learn.b.inside") << "a number has no keys";
}

TEST(Nearest, NeedsToBeNear) {
  EXPECT_EQ(nearest("gama", {"gamma", "batch"}), "gamma");
  EXPECT_EQ(nearest("tset", {"test", "train"}), "test");
  EXPECT_EQ(nearest("xyzzy", {"gamma", "batch"}), "");
  EXPECT_EQ(nearest("a", {}), "");
}

struct Paths {
  std::string valid = "valid.txt";
  void fields(Fields& f) { f("valid", valid); }
};

TEST(Fields, NothingBehindSetsEqualsSignIsAnEmptyText) {
  Value root = parse_yaml("valid: other.txt\n", "a.yaml");
  apply_set(root, "valid=");
  EXPECT_EQ(read<Paths>(root).valid, "");
  // A key without a value in a file is more likely forgotten.
  EXPECT_TRUE(error_of([] { read<Paths>(parse_yaml("valid:\n", "a.yaml")); }));
}

}  // namespace
}  // namespace straq::config
