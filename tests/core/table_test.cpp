// One table, four forms.
#include "core/tables/table.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <stdexcept>

namespace straq {
namespace {

Table sample() {
  Table t;
  t.id = "t";
  t.title = "Title";
  t.columns = {"Name", "n", "Acc"};
  t.add({"a|b, \"c\"", 12, Cell::real(1.0 / 3, 2)});
  t.add({"naïve", 5, Cell::missing()});
  t.notes = {"a note"};
  return t;
}

TEST(Table, TextAlignsByCharactersNotBytes) {
  EXPECT_EQ(sample().to_text(),
            "Title\n"
            "Name       n   Acc\n"
            "------------------\n"
            "a|b, \"c\"  12  0.33\n"
            "naïve      5     –\n"
            "  a note\n");
}

TEST(Table, MarkdownEscapesBarsAndAlignsNumbers) {
  EXPECT_EQ(sample().to_markdown(),
            "### Title\n\n"
            "| Name | n | Acc |\n"
            "|---|---:|---:|\n"
            "| a\\|b, \"c\" | 12 | 0.33 |\n"
            "| naïve | 5 | – |\n"
            "\n*a note*\n\n");
}

TEST(Table, CsvQuotesAndKeepsFullPrecision) {
  const std::string csv = sample().to_csv();
  EXPECT_EQ(csv.rfind("Name,n,Acc\n\"a|b, \"\"c\"\"\",12,0.333333333333333", 0), 0u) << csv;
  EXPECT_NE(csv.find("\nnaïve,5,\n"), std::string::npos) << "what is missing is an empty field";
}

TEST(Table, JsonKeepsTypesAndNull) {
  const auto j = sample().to_json();
  EXPECT_EQ(j["columns"], (nlohmann::ordered_json{"Name", "n", "Acc"}));
  EXPECT_EQ(j["rows"][0]["n"], 12);
  EXPECT_EQ(j["rows"][0]["Acc"], 1.0 / 3);
  EXPECT_TRUE(j["rows"][1]["Acc"].is_null());
  EXPECT_EQ(j["notes"][0], "a note");
}

TEST(Table, ARowOfAnotherWidthIsAProgrammingError) {
  Table t = sample();
  EXPECT_THROW(t.add({"only one"}), std::logic_error);
}

TEST(Cell, RealNumbersRoundForPeopleOnly) {
  EXPECT_EQ(Cell::real(2.345, 1).text, "2.3");
  EXPECT_EQ(Cell::real(2.345, 1).value, 2.345);
  EXPECT_EQ(Cell::real(-0.0001, 2).text, "0.00") << "no minus before a zero";
  EXPECT_EQ(Cell::real(std::nan(""), 2).text, "n/a");
  EXPECT_TRUE(Cell::real(std::nan(""), 2).value.is_null());
  EXPECT_EQ(Cell::real(-std::numeric_limits<double>::infinity(), 2).text, "-inf");
}

TEST(Table, EmptyTableStillHasItsHead) {
  Table t;
  t.columns = {"A", "B"};
  EXPECT_EQ(t.to_text(), "A  B\n----\n");
  EXPECT_EQ(t.to_csv(), "A,B\n");
  EXPECT_EQ(t.to_json()["rows"].size(), 0u);
}

}  // namespace
}  // namespace straq
