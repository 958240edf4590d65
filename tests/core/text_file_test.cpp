// Bytes of other programs as text, lines and records.
#include "core/files/text_file.h"

#include <gtest/gtest.h>

#include "core/files/files.h"
#include "core/json/json_number.h"
#include "core/json/json_records.h"
#include "tests/testing.h"

namespace straq {
namespace {

using namespace std::string_literals;

std::string utf16(const std::u16string& text, bool big_endian) {
  std::string out = big_endian ? "\xFE\xFF"s : "\xFF\xFE"s;
  for (const char16_t c : text) {
    const char low = static_cast<char>(c & 0xFF), high = static_cast<char>(c >> 8);
    out += big_endian ? std::string{high, low} : std::string{low, high};
  }
  return out;
}

TEST(TextFile, Utf16WithItsMarkIsRead) {
  for (const bool big_endian : {false, true}) {
    const DecodedText d = decode_text(utf16(u"né \U0001F600\n", big_endian));
    EXPECT_EQ(d.reason, "");
    EXPECT_EQ(d.text, "né 😀\n");
  }
  EXPECT_EQ(decode_text("\xEF\xBB\xBFx").text, "x");
  EXPECT_EQ(decode_text("").text, "");
}

TEST(TextFile, OtherEncodingsAreNamed) {
  const auto reason = [](const std::string& bytes) { return decode_text(bytes).reason; };
  EXPECT_NE(reason("a\0b\0c\0d\0"s).find("UTF-16 without a byte order mark"), std::string::npos);
  EXPECT_NE(reason("\xFF\xFE\0\0a\0\0\0"s).find("UTF-32"), std::string::npos);
  EXPECT_NE(reason(utf16(u"ab", false).substr(0, 5)).find("cut off"), std::string::npos);
  EXPECT_NE(reason("\xFF\xFE\x00\xD8\x41\x00"s).find("half a character"), std::string::npos);
  EXPECT_NE(reason("\x1F\x8B\x08").find("gzip"), std::string::npos);
  EXPECT_NE(reason("PK\x03\x04").find("zip"), std::string::npos);
  const DecodedText nul = decode_text("first line of the text\nsecond\0line"s);
  EXPECT_NE(nul.reason.find("NUL"), std::string::npos);
  EXPECT_EQ(nul.line, 2);
  const testing::TemporaryFolder folder;
  write_file_atomic(folder.path("x.txt"), "some words before\nand\0more of them"s);
  const auto e = testing::error_of([&] { read_text_file(folder.path("x.txt")); });
  EXPECT_EQ(e->exit_code(), 2);
  EXPECT_NE(e->full().find("x.txt:2: the text holds a NUL byte"), std::string::npos) << e->full();
}

TEST(TextFile, LinesEndAsTheirFileHasIt) {
  const auto texts = [](std::string_view text) {
    std::vector<std::string> out;
    for (const auto& line : lines_of(text)) out.emplace_back(line.text);
    return out;
  };
  EXPECT_EQ(texts("a\r\nb\n\nc"), (std::vector<std::string>{"a", "b", "", "c"}));
  EXPECT_EQ(texts("a\rb\r"), (std::vector<std::string>{"a", "b"}));
  EXPECT_EQ(texts("a\rb\n"), (std::vector<std::string>{"a\rb"})) << "LF ends its lines";
  EXPECT_FALSE(lines_of("a\nb").back().ended);
}

TEST(TextFile, MessagesNeverHoldHalfACharacter) {
  EXPECT_EQ(shortened_text("ab\u00e9", 3), "ab …");
  EXPECT_EQ(shortened_text("abc", 3), "abc");
}

TEST(JsonNumbers, AFourIsAFourHoweverItIsWritten) {
  using nlohmann::json;
  EXPECT_EQ(whole_number(json(4)), 4);
  EXPECT_EQ(whole_number(json::parse("4.0")), 4);
  EXPECT_EQ(whole_number(json::parse("-2e2")), -200);
  for (const char* text :
       {"4.5", "1e300", "true", "null", "\"4\"", "[4]", "18446744073709551615"}) {
    EXPECT_EQ(whole_number(json::parse(text)), std::nullopt) << text;
  }
}

TEST(JsonRecords, TheFormIsToldByTheContent) {
  EXPECT_EQ(json_form(" \n[{}]"), JsonForm::list);
  EXPECT_EQ(json_form("{\"a\": 1}\n{\"a\": 2}\n"), JsonForm::lines);
  EXPECT_EQ(json_form("{\"a\": {}}"), JsonForm::lines);
  EXPECT_EQ(json_form("{\n  \"a\": 1\n}\n"), JsonForm::object);
  EXPECT_EQ(json_form("{\n  \"a\": 1\n}\n{\n  \"a\": 2\n}\n"), JsonForm::object) << "several";
  EXPECT_EQ(json_form("{\"a\": [\n{\"b\": 1},\n{\"b\": 2}\n]}\n"), JsonForm::object)
      << "lines that are objects, inside of one";
  EXPECT_EQ(json_form("{\n  \"a\": [\n    1,\n"), JsonForm::object) << "cut off";
  EXPECT_EQ(json_form("{\"a\": [}\n{\"a\": 2}\n"), JsonForm::lines) << "its first line is broken";
  EXPECT_EQ(json_form("words"), JsonForm::none);
}

TEST(JsonRecords, ListsAreCutAtTheirTopLevel) {
  const JsonRecords r = cut_json_list("[\n {\"a\": [1, \"],\"]},\n\n {}]\n");
  EXPECT_EQ(r.reason, "");
  ASSERT_EQ(r.records.size(), 2u);
  EXPECT_EQ(r.records[0].text, "{\"a\": [1, \"],\"]}");
  EXPECT_EQ(r.records[1].line, 4);
  EXPECT_NE(cut_json_list("[{}] x").reason.find("text follows"), std::string::npos);
  EXPECT_NE(cut_json_list("[{}, {").reason.find("inside record 1"), std::string::npos);
}

}  // namespace
}  // namespace straq
