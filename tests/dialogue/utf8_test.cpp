#include "dialogue/utf8.h"

#include <gtest/gtest.h>

namespace straq::dialogue {
namespace {

TEST(Utf8, NormalisesWhiteSpaceAsPythonSplits) {
  EXPECT_EQ(normalise_space("  a \t\r\n b\xC2\xA0\xE3\x80\x80"
                            "c\n"),
            "a b c");
  EXPECT_EQ(normalise_space(" \n\t "), "");
  EXPECT_EQ(normalise_space("a\xE2\x80\x8B"
                            "b"),
            "a\xE2\x80\x8B"
            "b")
      << "zero width is no space";
}

TEST(Utf8, LowersBeyondAscii) {
  EXPECT_EQ(to_lower("\xC3\x89T\xC3\x89 \xC3\x97 \xC5\xB8 \xC5\xA0 \xCE\xA9 \xD0\x96 \xD0\x81"),
            "\xC3\xA9t\xC3\xA9 \xC3\x97 \xC3\xBF \xC5\xA1 \xCF\x89 \xD0\xB6 \xD1\x91");
}

// Each as Python's str.lower() gives it.
TEST(Utf8, LowersEveryScriptThatHasCapitals) {
  EXPECT_EQ(to_lower("Ổn Ỗi Ợ"), "ổn ỗi ợ") << "Vietnamese";
  EXPECT_EQ(to_lower("Ήλιος Ώρα ἈΡΧΉ"), "ήλιος ώρα ἀρχή") << "accented and ancient Greek";
  EXPECT_EQ(to_lower("Ґава Ӱ Ӊ Һ"), "ґава ӱ ӊ һ") << "Cyrillic beyond Russian";
  EXPECT_EQ(to_lower("Țară Ȝ Ǆ ǅ"), "țară ȝ ǆ ǆ");
  EXPECT_EQ(to_lower("Բարեւ Ⴀ Ა Ꭰ"), "բարեւ ⴀ ა ꭰ")
      << "Armenian, Georgian, Cherokee";
  EXPECT_EQ(to_lower("ＸＹＺ Ⅻ Ⓠ 𐐀 𞤀"), "ｘｙｚ ⅻ ⓠ 𐐨 𞤢")
      << "full width, numerals, beyond the BMP";
  EXPECT_EQ(to_lower("K Å Ω ẞ"), "k å ω ß") << "signs that are letters";
  EXPECT_EQ(to_lower("日本 × ß ŉ"), "日本 × ß ŉ") << "what has no lower case stays";
}

TEST(Utf8, LowersTheDottedIAndTheSigmaAtAWordsEnd) {
  EXPECT_EQ(to_lower("İZMİR"), "i̇zmi̇r");
  EXPECT_EQ(to_lower("ΟΔΟΣ ΣΟΦΟΣ"), "οδος σοφος");
  EXPECT_EQ(to_lower("ΟΔΟΣ. ΜΕΣΑ Σ"), "οδος. μεσα σ") << "alone it ends nothing";
  EXPECT_EQ(to_lower("ΑΣ'Α ΑΣ\u0301 ΑΣ1"), "ασ'α ας\u0301 ας1")
      << "marks and apostrophes are passed over";
}

TEST(Utf8, FoldingTakesAwayWhatCaseChanges) {
  EXPECT_EQ(fold_case("Straße"), fold_case("STRASSE"));
  EXPECT_EQ(fold_case("ΟΔΟΣ"), fold_case("οδος"));
  EXPECT_EQ(fold_case("ﬁne"), "fine");
  EXPECT_EQ(fold_case("Question"), "question");
  EXPECT_NE(fold_case("Frage"), fold_case("Fräge"));
}

}  // namespace
}  // namespace straq::dialogue
