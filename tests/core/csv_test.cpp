// Tables as other programs write them, and cells that no spreadsheet may take for formulas.
#include "core/tables/csv.h"

#include <gtest/gtest.h>

#include "core/tables/table.h"

namespace straq {
namespace {

using Fields = std::vector<std::string>;

TEST(Csv, QuotedFieldsHoldSeparatorsLineEndsAndDoubledQuotes) {
  const CsvFile f = read_csv("a,b,c\r\n\"x,y\",\"say \"\"hi\"\"\nto us\",\r\n1,,\n");
  ASSERT_TRUE(f.reason.empty()) << f.reason;
  ASSERT_EQ(f.rows.size(), 3u);
  EXPECT_EQ(f.rows[1].fields, (Fields{"x,y", "say \"hi\"\nto us", ""}));
  EXPECT_EQ(f.rows[2].fields, (Fields{"1", "", ""}));
  EXPECT_EQ(f.rows[2].line, 4) << "the quoted line end is a line";
}

TEST(Csv, LineEndsOfOldMacsAndQuotesInsideOfFields) {
  const CsvFile f = read_csv("a,b\rhe said \"no\",2\r\r3,4");
  ASSERT_EQ(f.rows.size(), 3u);
  EXPECT_EQ(f.rows[1].fields, (Fields{"he said \"no\"", "2"}));
  EXPECT_EQ(f.rows[2].line, 4);
}

TEST(Csv, BrokenQuotesAreNamedWithTheirLine) {
  const CsvFile open = read_csv("a,b\n1,\"two\n3,4\n");
  EXPECT_EQ(open.line, 2);
  EXPECT_NE(open.reason.find("not closed"), std::string::npos);
  const CsvFile text = read_csv("a,b\n1,2\n\"x\"y,2\n");
  EXPECT_EQ(text.line, 3);
  EXPECT_NE(text.reason.find("text follows a closing quote"), std::string::npos);
  EXPECT_EQ(text.rows.size(), 2u) << "what stands before is read";
}

TEST(Csv, TheSeparatorIsToldByTheFile) {
  EXPECT_EQ(read_csv("a;b;c,d\n", 0).rows[0].fields, (Fields{"a", "b", "c,d"}));
  EXPECT_EQ(read_csv("a\tb\n1\t2\n", 0).separator, '\t');
  EXPECT_EQ(read_csv("\"a,b,c\";d\n", 0).separator, ';') << "quoted commas part nothing";
  const CsvFile said = read_csv("sep=|\r\na|b,c,d\r\n", 0);
  ASSERT_EQ(said.rows.size(), 1u);
  EXPECT_EQ(said.rows[0].fields, (Fields{"a", "b,c,d"}));
  EXPECT_EQ(said.rows[0].line, 2);
}

TEST(Csv, FormulasAreDefusedHoweverTheyAreDressed) {
  for (const char* text :
       {"=1+1", "+1", "-x", "@SUM(1)", "\t=1", "\r=1", "\n=1", " =1", "\u00a0=1", "\"=1", "' +cmd",
        "\u201c@x", "\u200b=1", "\uff1d1+1", "\uff0bx", "\uff0dx", "\uff20x", "  \uff1dx", "'=1"}) {
    EXPECT_TRUE(looks_like_formula(text)) << text;
    const CsvFile back = read_csv(csv_text(text) + ",end\n");
    ASSERT_EQ(back.rows.size(), 1u) << text;
    EXPECT_EQ(back.rows[0].fields[0], std::string("'") + text);
    EXPECT_EQ(csv_text_read(back.rows[0].fields[0]), text);
  }
  for (const char* text : {"", "fine", "a=b", "1-2", "'tis", "\"so\" she said", "\u2013", "(-1)"}) {
    EXPECT_FALSE(looks_like_formula(text)) << text;
    EXPECT_EQ(csv_text_read(text), text);
  }
}

TEST(Csv, TablesDefuseTextAndKeepNumbers) {
  Table t;
  t.columns = {"=name", "n"};
  t.add({"=HYPERLINK(\"http://x\")", Cell::real(-0.5, 2)});
  t.add({"\t@x", -3});
  t.add({"-0.5", "-1e-3"});
  EXPECT_EQ(t.to_csv(), "'=name,n\n\"'=HYPERLINK(\"\"http://x\"\")\",-0.5\n'\t@x,-3\n-0.5,-1e-3\n");
}

TEST(Csv, OnlyNumbersAreNumbers) {
  for (const char* text : {"1", "-0.5", "+2", "1e-3", ".5", "4."}) {
    EXPECT_TRUE(is_plain_number(text)) << text;
  }
  for (const char* text : {"", "-", "1-2", "-1+cmd", "1e", "12 %", "0x1", "nan", "."}) {
    EXPECT_FALSE(is_plain_number(text)) << text;
  }
}

}  // namespace
}  // namespace straq
