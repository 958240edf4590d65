#include "core/utf8.h"

#include <gtest/gtest.h>

#include <vector>

namespace straq {
namespace {

TEST(Utf8, FindsTheFirstIllFormedByte) {
  EXPECT_EQ(find_invalid_utf8("plain, caf\xC3\xA9, \xF0\x9F\x98\x80"), std::nullopt);
  EXPECT_EQ(find_invalid_utf8("ab\xFFxy"), 2u);
  EXPECT_EQ(find_invalid_utf8("caf\xE9 latin1"), 3u);
  EXPECT_EQ(find_invalid_utf8("\xC0\xAF"), 0u) << "overlong";
  EXPECT_EQ(find_invalid_utf8("\xED\xA0\x80"), 0u) << "surrogate";
  EXPECT_EQ(find_invalid_utf8("\xF4\x90\x80\x80"), 0u) << "above U+10FFFF";
  EXPECT_EQ(find_invalid_utf8("ok\xE2\x82"), 2u) << "cut short";
}

TEST(Utf8, DecodesAndEncodesBack) {
  const std::string text = "a\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80";
  EXPECT_EQ(decode_utf8(text), U"a\u00E9\u20AC\U0001F600");
  EXPECT_EQ(encode_utf8(decode_utf8(text)), text);
  EXPECT_EQ(decode_utf8("a\xFF"), U"a\uFFFD");
}

TEST(Utf8, FindsEveryIllForm) {
  EXPECT_FALSE(find_invalid_utf8("plain \xC3\xA9 \xF0\x9F\x98\x80 \xED\x9F\xBF \xF4\x8F\xBF\xBF"));
  const std::vector<std::string> bad = {"\xFF",         "\x80",
                                        "\xC3",         "\xC3(",
                                        "\xC0\xAF",     "\xE0\x9F\xBF",
                                        "\xE2\x82",     "\xED\xA0\x80",
                                        "\xF0\x9F\x98", "\xF4\x90\x80\x80",
                                        "\xF8\x88",     "\xF0\x8F\xBF\xBF"};
  for (const auto& bytes : bad) {
    EXPECT_EQ(find_invalid_utf8("0123456789" + bytes), std::optional<std::size_t>(10));
    EXPECT_EQ(find_invalid_utf8(bytes + " after it"), std::optional<std::size_t>(0));
  }
}

TEST(Utf8, ReadsOneCharacter) {
  const std::string text = "a\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80";
  std::u32string codes;
  for (std::size_t i = 0; i < text.size();) {
    const Character c = utf8_character(text.data() + i);
    codes += c.code;
    i += c.bytes;
  }
  EXPECT_EQ(codes, decode_utf8(text));
}

}  // namespace
}  // namespace straq
