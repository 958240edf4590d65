// Rating sheets through spreadsheets: out without formulas, back in whatever form they are saved.
#include <gtest/gtest.h>

#include <algorithm>
#include <functional>

#include "annotate/annotate.h"
#include "core/files/files.h"
#include "core/json/json.h"
#include "core/tables/csv.h"
#include "results/scales.h"
#include "tests/testing.h"

namespace straq::annotate {
namespace {

using straq::testing::error_of;
using straq::testing::TemporaryFolder;

const char* const kReplies[] = {"=1+1", "\t=cmd", "\r=1", "+1", "-1", " @x", "\uff0b1", "fine"};

class Sheets : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string rows;
    for (std::size_t i = 0; i < std::size(kReplies); ++i) {
      const std::string dialogue = "t/" + std::to_string(i);
      nlohmann::json j = {{"id", dialogue + ":1"},       {"dialogue", dialogue},
                          {"hypothesis", kReplies[i]},   {"reference", "=ok"},
                          {"query", "-says the seeker"}, {"strategy", "Question"},
                          {"chosen", "=Others"}};
      rows += j.dump() + "\n";
    }
    write_file_atomic(root_.path("results/x/a/responses/fsm.jsonl"), rows);
    write_file_atomic(root_.path("results/x/a/config.yaml"), "data: {name: esconv}\n");
    ExportOptions o;
    o.results = root_.path("results");
    o.out = root_.path("sheets");
    o.raters = {"-ada", "ben"};
    o.decisions = 8;
    plan_ = plan_ratings(results::read_results(o.results), o);
    write_rating_files(plan_, o.out);
  }

  std::vector<CsvRow> sheet() const {
    return read_csv(read_file(root_.path("sheets/sheets/-ada.csv"))).rows;
  }

  // The sheet of -ada, every score `score`, as `write` makes it of the rows.
  template <class Write>
  std::string filled(const std::string& score, Write write) {
    auto rows = sheet();
    for (std::size_t r = 1; r < rows.size(); ++r) {
      for (std::size_t c = 0; c < rows[r].fields.size(); ++c) {
        if (results::find_scale(rows[0].fields[c]) != nullptr) rows[r].fields[c] = score;
      }
    }
    write_file_atomic(root_.path("back.csv"), write(rows));
    return root_.path("back.csv");
  }
  ImportResult import(const std::string& path) const {
    return import_ratings({root_.path("sheets/key.json"), {path}, root_.path("results"), true});
  }

  static std::string text(const std::vector<CsvRow>& rows, const std::string& separator,
                          const std::string& end) {
    std::string out;
    for (const auto& row : rows) {
      for (std::size_t c = 0; c < row.fields.size(); ++c) {
        out += (c ? separator : "") + "\"";
        for (const char x : row.fields[c])
          out += x == '"' ? std::string("\"\"") : std::string(1, x);
        out += "\"";
      }
      out += end;
    }
    return out;
  }

  TemporaryFolder root_;
  RatingPlan plan_;
};

TEST_F(Sheets, NoCellIsAFormulaAndTheImportTakesThemBack) {
  std::size_t defused = 0;
  for (const auto& row : sheet()) {
    for (const auto& field : row.fields) {
      EXPECT_TRUE(!looks_like_formula(field) || field[0] == '\'') << field;
      defused += field[0] == '\'';
    }
  }
  EXPECT_GT(defused, 8u);
  const auto r = import(filled("3", [](const auto& rows) { return text(rows, ",", "\n"); }));
  EXPECT_EQ(r.ratings, 16) << "also of a rater whose name begins with a sign";
  // Sheets that an earlier version defused with a blank.
  const auto old = filled("3", [](auto rows) {
    for (auto& row : rows) row.fields[0] = row.fields[0] == "rater" ? "rater" : " -ada";
    return text(rows, ",", "\n");
  });
  EXPECT_EQ(import(old).ratings, 16);
}

TEST_F(Sheets, EveryFormThatSpreadsheetsSaveIsRead) {
  const auto all = [](auto f) { return f; };
  const std::pair<const char*, std::function<std::string(const std::vector<CsvRow>&)>> forms[] = {
      {"sep", all([](const auto& rows) { return "sep=;\r\n" + text(rows, ";", "\r\n"); })},
      {"tabs", all([](const auto& rows) { return text(rows, "\t", "\r\n"); })},
      {"mac", all([](const auto& rows) { return text(rows, ",", "\r"); })},
      {"mark", all([](const auto& rows) { return "\xEF\xBB\xBF" + text(rows, ";", "\r\n"); })},
      {"no end", all([](const auto& rows) {
         std::string t = text(rows, ",", "\n");
         t.pop_back();
         return t;
       })},
      {"wider", all([](const auto& rows) { return text(rows, ",", ",,\n"); })},
      {"UTF-16", all([](const auto& rows) {
         std::string out = "\xFF\xFE";
         for (const char c : text(rows, "\t", "\r\n")) {
           if (static_cast<unsigned char>(c) < 0x80) out += std::string{c, '\0'};
         }
         return out;
       })},
      {"another order", all([](auto rows) {
         for (auto& row : rows) std::reverse(row.fields.begin(), row.fields.end());
         rows[0].fields[0] = " Comment ";
         return text(rows, ",", "\n");
       })},
  };
  for (const auto& [name, write] : forms) {
    for (const char* score : {"4", "4.0", "4,0"}) {
      const std::string path = filled(score, write);
      EXPECT_NO_THROW(EXPECT_EQ(import(path).ratings, 16) << name) << name << " " << score;
    }
  }
}

TEST_F(Sheets, WhatIsNoSheetIsNamed) {
  const auto said = [&](const std::string& score,
                        std::function<std::string(const std::vector<CsvRow>&)> write) {
    const auto e = error_of([&] { import(filled(score, write)); });
    return e ? e->full() : std::string();
  };
  const auto plain = [](const auto& rows) { return text(rows, ",", "\n"); };
  EXPECT_NE(said("4.5", plain).find("\"4.5\", expected a whole number"), std::string::npos);
  EXPECT_NE(said("3", [](const auto&) { return std::string("PK\x03\x04"); }).find("spreadsheet"),
            std::string::npos);
  EXPECT_NE(said("3", [](const auto&) { return std::string("rater: ada\n"); }).find("one column"),
            std::string::npos);
  EXPECT_NE(said("3", [](const auto& rows) { return text(rows, ",", "\n") + "\"open,1\n"; })
                .find("not closed"),
            std::string::npos);
  EXPECT_NE(said("3", [](const auto& rows) { return text(rows, ",", "\n") + "caf\xE9\n"; })
                .find("encoding"),
            std::string::npos);
}

TEST_F(Sheets, AKeyOfAnotherShapeIsRefused) {
  for (const std::string& bad :
       {std::string("{\"format\": 1"), std::string(200000, '['), std::string("{\"format\": 1.5}"),
        std::string("{\"format\": 1, \"seed\": 1, \"sources\": 7}"),
        std::string("{\"format\": 1, \"seed\": 1, \"sources\": [], "
                    "\"items\": [], \"raters\": {}}")}) {
    write_file_atomic(root_.path("sheets/key.json"), bad);
    const auto e = error_of([&] { import(root_.path("sheets/sheets/ben.csv")); });
    ASSERT_TRUE(e) << bad.substr(0, 40);
    EXPECT_NE(e->full().find("key.json"), std::string::npos) << e->full();
  }
}

}  // namespace
}  // namespace straq::annotate
