#include "core/json/json_fields.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "core/files/files.h"
#include "core/json/json.h"
#include "tests/testing.h"

namespace straq {
namespace {

struct Inner {
  std::string name;
  std::vector<double> values;
  void fields(JsonFields& f) {
    f("name", name);
    f("values", values, 2);
  }
};

struct Record {
  std::int64_t step = 0;
  double loss = 0;
  bool best = false;
  std::optional<double> norm, gamma;
  std::optional<double> tokens;
  std::string note;
  std::vector<double> q;
  std::vector<Inner> list;
  std::vector<std::pair<std::string, Inner>> by_name;
  void fields(JsonFields& f) {
    f.format(1, "use the newer program");
    f("step", step);
    f("loss", loss);
    f("best", best);
    f("norm", norm);
    f.or_null("gamma", gamma);
    f.count("tokens", tokens);
    f.unless_default("note", note);
    f.numbers_or_null("q", q);
    f.maybe("list", list);
    f.maybe("by_name", by_name);
  }
};

const char* const kText =
    R"({"format":1,"step":3,"loss":0.5,"best":true,"gamma":null,"tokens":12,"q":[1.5,null],)"
    R"("list":[{"name":"a","values":[1.0,2.0]}],)"
    R"("by_name":{"z":{"name":"b","values":[3.0,4.0]},"y":{"name":"c","values":[5.0,6.0]}}})";

TEST(JsonFields, OneListWritesAndReads) {
  Record r;
  r.step = 3;
  r.loss = 0.5;
  r.best = true;
  r.tokens = 12.0;
  r.q = {1.5, std::numeric_limits<double>::infinity()};
  r.list = {{"a", {1, 2}}};
  r.by_name = {{"z", {"b", {3, 4}}}, {"y", {"c", {5, 6}}}};
  EXPECT_EQ(dump_json(write_json(r)), kText) << "in the order of the list";
  const auto back = read_json<Record>(nlohmann::ordered_json::parse(kText), "r.json");
  EXPECT_EQ(back.step, 3);
  EXPECT_FALSE(back.norm || back.gamma);
  EXPECT_EQ(back.tokens, 12.0);
  EXPECT_TRUE(std::isnan(back.q[1]));
  EXPECT_EQ(back.by_name[1].second.values[0], 5);
  EXPECT_EQ(dump_json(write_json(back)), kText);
}

std::string error_about(const char* from, const char* to) {
  std::string text = kText;
  text.replace(text.find(from), std::string(from).size(), to);
  const auto json = nlohmann::ordered_json::parse(text);
  const auto e = testing::error_of(
      [&] { read_json<Record>(json, JsonPlace("r.json:7", written_by("straq make"))); });
  return e ? e->full() : "";
}

TEST(JsonFields, ErrorsNameFileLineKeyAndTheCommandThatWritesTheFile) {
  const std::string hint = "\n  hint: write the file anew with `straq make`";
  EXPECT_EQ(error_about("\"step\":3,", ""), "r.json:7: \"step\" is missing" + hint);
  EXPECT_EQ(error_about("\"step\":3", "\"step\":\"3\""),
            "r.json:7: \"step\" must be a whole number" + hint);
  EXPECT_EQ(error_about("true", "1"), "r.json:7: \"best\" must be true or false" + hint);
  EXPECT_EQ(error_about("\"b\"", "4"), "r.json:7: by_name.z: \"name\" must be text" + hint);
  EXPECT_EQ(error_about("[1.0,2.0]", "[1.0]"),
            "r.json:7: list: \"values\" must have 2 items" + hint);
  EXPECT_EQ(error_about("\"format\":1", "\"format\":2"),
            "r.json:7: its format is 2, this program reads 1\n  hint: use the newer program");
  EXPECT_EQ(written_by(""), "docs/formats.md lists the fields; write the file anew");
}

struct Renamed {
  double size = 0;
  std::vector<Renamed> inside;
  void fields(JsonFields& f) {
    f(f.before(3) ? "length" : "size", size);
    f.maybe("inside", inside);
  }
};
struct Versioned {
  Renamed record;
  void fields(JsonFields& f) {
    f.format(4, "use the newer program", /*needed=*/true, /*oldest=*/2);
    f("record", record);
  }
};

TEST(JsonFields, OlderFormatsAreReadWhereAListSaysSo) {
  const auto read = [](const char* text) {
    return read_json<Versioned>(nlohmann::ordered_json::parse(text), "r.json").record;
  };
  const auto old = read(R"({"format":2,"record":{"length":5,"inside":[{"length":6}]}})");
  EXPECT_EQ(old.size, 5);
  EXPECT_EQ(old.inside.at(0).size, 6) << "a file's format holds for all of its records";
  EXPECT_EQ(read(R"({"format":3,"record":{"size":7}})").size, 7);
  EXPECT_EQ(dump_json(write_json(Versioned{old})),
            R"({"format":4,"record":{"size":5.0,"inside":[{"size":6.0,"inside":[]}]}})");
  for (const char* text : {R"({"format":1,"record":{}})", R"({"format":5,"record":{}})"}) {
    const auto e = testing::error_of([&] { read(text); });
    ASSERT_TRUE(e);
    EXPECT_NE(e->full().find("this program reads 2 to 4"), std::string::npos) << e->full();
  }
}

TEST(JsonFields, ASkimmerTakesWhatIsThere) {
  const auto json = nlohmann::ordered_json::parse(
      R"({"step":"x","loss":null,"tokens":1.5,"list":[{"name":1}],"best":true})");
  struct Loose {
    std::int64_t step = 7;
    double loss = 2;
    bool best = false;
    std::optional<double> tokens;
    void fields(JsonFields& f) {
      f("step", step);
      f("loss", loss);
      f("best", best);
      f.count("tokens", tokens);
    }
  } loose;
  JsonFields f = JsonFields::skimmer(json);
  loose.fields(f);
  EXPECT_EQ(loose.step, 7);
  EXPECT_EQ(loose.loss, 2);
  EXPECT_TRUE(loose.best);
  EXPECT_EQ(loose.tokens, 1.5);
}

TEST(JsonFields, WholeNumbersAreWholeAndFit) {
  const auto json = nlohmann::ordered_json::parse(
      R"({"a": 4.0, "b": 4.5, "c": true, "d": 1e300, "e": 5000000000, "f": -1,
          "g": [1, 2.0], "h": [1, 2.5], "i": 18446744073709551615, "j": "4"})");
  const JsonFields in(json, "file.json");
  int n = 0;
  in.get("a", n);
  EXPECT_EQ(n, 4);
  for (const char* key : {"b", "c", "d", "e", "j"}) {
    const auto e = testing::error_of([&] { in.get(key, n); });
    ASSERT_TRUE(e) << key;
    EXPECT_NE(e->full().find(std::string("file.json: \"") + key + "\""), std::string::npos);
  }
  std::uint64_t seed = 0;
  in.get("i", seed);
  EXPECT_EQ(seed, 18446744073709551615ull);
  EXPECT_TRUE(testing::error_of([&] { in.get("f", seed); }));
  std::vector<std::int64_t> list;
  in.get("g", list, 2);
  EXPECT_EQ(list[1], 2);
  EXPECT_TRUE(testing::error_of([&] { in.get("h", list); }));
}

}  // namespace
}  // namespace straq
