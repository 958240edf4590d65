#include "core/json/json.h"

#include <gtest/gtest.h>

#include "core/error.h"

namespace straq {
namespace {

// A file of 400 KB must not overflow the stack, whatever nests in it (nlohmann's dump() recurses).
TEST(Json, DepthIsRefusedBeforeAnythingRecurses) {
  const std::size_t n = 200000;
  const std::string lists = std::string(n, '[') + std::string(n, ']');
  std::string objects;
  for (std::size_t i = 0; i < n; ++i) objects += "{\"a\":";
  objects += "1" + std::string(n, '}');
  for (const auto& text : {lists, objects}) {
    nlohmann::json out;
    EXPECT_NE(try_parse_json(text, out).find("nested"), std::string::npos);
  }
  const std::string deepest = std::string(kJsonDepth, '[') + std::string(kJsonDepth, ']');
  nlohmann::json out;
  EXPECT_EQ(try_parse_json(deepest, out), "");
  // Brackets inside of texts are text.
  EXPECT_EQ(try_parse_json("[\"" + std::string(n, '[') + "\\\"[\"]", out), "");
}

TEST(Json, EveryKindOfBadTextHasAReason) {
  nlohmann::json out;
  EXPECT_NE(try_parse_json("{\"clock\": 1e400}", out).find("double"), std::string::npos);
  EXPECT_NE(try_parse_json("{\"a\": 1", out), "");
  EXPECT_NE(try_parse_json("", out), "");
  EXPECT_NE(try_parse_json("1 2", out), "");
  EXPECT_NE(try_parse_json("\"caf\xe9\"", out), "");
  EXPECT_NE(try_parse_json("NaN", out), "");
  EXPECT_NE(try_parse_json(std::string_view("{}\0{\"a\": 1}", 11), out), "");
  EXPECT_EQ(try_parse_json("{\"a\": [1, 2.5, null]}", out), "");
  EXPECT_EQ(out["a"][1], 2.5);
}

TEST(Json, AnErrorNamesTheFileAndTheHint) {
  try {
    parse_json("{\"a\": 1e999}", "c.txt:3", "mend the number");
    FAIL() << "accepted";
  } catch (const Error& e) {
    EXPECT_EQ(e.kind(), ErrorKind::input);
    EXPECT_EQ(std::string(e.what()).rfind("c.txt:3: ", 0), 0u) << e.what();
    EXPECT_EQ(e.hint(), "mend the number");
  }
}

TEST(Json, TextsThatAreNotUtf8AreWritten) {
  nlohmann::ordered_json j = {{"path", "caf\xe9.yaml"}};
  EXPECT_EQ(dump_json(j), "{\"path\":\"caf\xef\xbf\xbd.yaml\"}");
  EXPECT_EQ(nlohmann::json::parse(dump_json(j))["path"], "caf\xef\xbf\xbd.yaml");
}

}  // namespace
}  // namespace straq
