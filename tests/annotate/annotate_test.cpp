// Sheets out and in again: what makes ratings worth something (blind, balanced, complete) holds.
#include "annotate/annotate.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <set>

#include "core/files/files.h"
#include "core/tables/csv.h"
#include "report/tables/paper_tables.h"
#include "results/scales.h"
#include "tests/testing.h"

namespace straq::annotate {
namespace {

namespace fs = std::filesystem;
using straq::testing::error_of;
using straq::testing::source_path;
using straq::testing::TemporaryFolder;

// A copy of the golden folder's replies, so that ratings can be written into it.
std::string results_in(const TemporaryFolder& root) {
  const fs::path from = source_path("tests/report/golden/folder/replies");
  const fs::path to = root.path("results/replies");
  for (const char* run : {"base", "sft"}) {
    fs::create_directories(to / run);
    fs::copy(from / run / "responses", to / run / "responses", fs::copy_options::recursive);
    fs::copy(from / run / "config.yaml", to / run / "config.yaml");
  }
  return root.path("results");
}

ExportOptions options_for(const std::string& results, const std::string& out) {
  ExportOptions o;
  o.results = results;
  o.out = out;
  o.raters = {"ada", "ben", "cy"};
  o.methods = {"sft/straq_imit", "sft/direct", "base/fsm"};
  o.decisions = 12;
  return o;
}

struct Exported {
  std::string results, out;
  RatingPlan plan;
  std::vector<std::string> sheets;  // filled

  // Fills the sheets by a rule: a score for a rater and an item.
  template <class Score>
  void fill(Score score) {
    for (const auto& [rater, codes] : plan.assigned) {
      auto rows = read_csv(read_file(out + "/sheets/" + rater + ".csv")).rows;
      std::string text;
      for (std::size_t i = 0; i < rows.size(); ++i) {
        for (std::size_t c = 0; c < rows[i].fields.size(); ++c) {
          std::string f = rows[i].fields[c];
          const auto* scale = results::find_scale(rows[0].fields[c]);
          if (i > 0 && scale != nullptr) f = std::to_string(score(rater, rows[i].fields[1]));
          text += (c ? "," : "") + ("\"" + f + "\"");
        }
        text += "\r\n";
      }
      sheets.push_back(out + "/" + rater + "-filled.csv");
      write_file_atomic(sheets.back(), text);
    }
  }
  ImportOptions import() const { return {out + "/key.json", sheets, results, false}; }
};

Exported exported(const TemporaryFolder& root) {
  Exported e;
  e.results = results_in(root);
  e.out = root.path("rating");
  const auto o = options_for(e.results, e.out);
  e.plan = plan_ratings(results::read_results(e.results), o);
  write_rating_files(e.plan, e.out);
  return e;
}

TEST(Annotate, EveryMethodIsRatedEquallyOftenByEverybodyAtEveryPosition) {
  TemporaryFolder root;
  const auto results = results_in(root);
  const auto plan = plan_ratings(results::read_results(results), options_for(results, ""));
  ASSERT_EQ(plan.sources.size(), 4u) << "three methods and the corpus's own";
  EXPECT_EQ(plan.items.size(), 12u * 4u);
  std::map<std::string, std::set<std::string>> raters_of;  // decision -> raters
  for (const auto& [rater, codes] : plan.assigned) {
    ASSERT_EQ(codes.size(), 8u * 4u) << rater << ": 12 decisions by 2 of 3 raters";
    EXPECT_EQ(std::set<std::string>(codes.begin(), codes.end()).size(), codes.size());
    std::map<std::pair<std::string, std::size_t>, int> at;
    for (std::size_t i = 0; i < codes.size(); ++i) {
      const auto& item = plan.items.at(codes[i]);
      ++at[{item.source, i % 4}];
      raters_of[item.id].insert(rater);
      EXPECT_EQ(item.id, plan.items.at(codes[i - i % 4]).id) << "a decision's replies together";
    }
    ASSERT_EQ(at.size(), 16u);
    for (const auto& [where, n] : at) EXPECT_EQ(n, 2) << where.first << " at " << where.second;
  }
  for (const auto& [id, raters] : raters_of) EXPECT_EQ(raters.size(), 2u) << id;
}

// A sweep beside the plain runs, as the golden folder has it: its replies of straQ*-imit are of two
// discounts and two seeds.
std::string with_sweep(const TemporaryFolder& root) {
  const std::string results = results_in(root);
  const fs::path from = source_path("tests/report/golden/folder/gamma");
  const fs::path to = root.path("results/gamma");
  fs::create_directories(to);
  fs::copy(from / "index.csv", to / "index.csv");
  for (const char* point : {"g0.5-1", "g0.5-2", "g0.85-1", "g0.85-2"}) {
    fs::create_directories(to / point);
    fs::copy(from / point / "responses", to / point / "responses", fs::copy_options::recursive);
    fs::copy(from / point / "config.yaml", to / point / "config.yaml");
  }
  return results;
}

TEST(Annotate, OfSeveralRunsTheOneWithoutASweepsSettingIsRated) {
  TemporaryFolder root;
  const auto results = with_sweep(root);
  const auto plan = plan_ratings(results::read_results(results), options_for(results, ""));
  std::map<std::string, std::string> from;
  for (const auto& s : plan.sources) from[s.responder + "/" + s.method] = s.replies;
  // "gamma" comes first by name, and its first point is gamma = 0.5.
  EXPECT_EQ(from["sft/straq_imit"], "replies/sft/responses/straq_imit.jsonl");
  EXPECT_EQ(from["base/fsm"], "replies/base/responses/fsm.jsonl");
  EXPECT_EQ(from["/human"], plan.sources[1].replies) << "whose references they are";
  write_rating_files(plan, root.path("rating"));
  const auto key = nlohmann::json::parse(read_file(root.path("rating/key.json")));
  EXPECT_EQ(key["sources"][1]["replies"], plan.sources[1].replies);
}

TEST(Annotate, WhereSeveralRunsAreLeftTheyAreListedAndOneMustBeNamed) {
  TemporaryFolder root;
  const auto results = with_sweep(root);
  fs::remove(root.path("results/replies/sft/responses/straq_imit.jsonl"));
  const auto all = results::read_results(results);
  auto o = options_for(results, "");
  auto e = error_of([&] { plan_ratings(all, o); });
  ASSERT_TRUE(e);
  EXPECT_EQ(e->kind(), ErrorKind::input);
  for (const char* part :
       {"sft/straq_imit are there 4 times", "gamma/g0.5-1/responses/straq_imit.jsonl (",
        "gamma=0.5", "seed 1)", "gamma/g0.85-2/responses/straq_imit.jsonl (", "--run"}) {
    EXPECT_NE(e->full().find(part), std::string::npos) << part << " in " << e->full();
  }
  const auto chosen = [&](const std::string& run) {
    o.runs = {run};
    return plan_ratings(all, o).sources.at(1).replies;
  };
  const std::string file = "gamma/g0.85-1/responses/straq_imit.jsonl";
  EXPECT_EQ(chosen("gamma/g0.85-1"), file);
  EXPECT_EQ(chosen(file), file) << "a file can be named too";
  o.runs = {"gamma/g0.85-1", "gamma/g0.85-2"};
  e = error_of([&] { plan_ratings(all, o); });
  EXPECT_NE(e->full().find("there 2 times"), std::string::npos);
  o.runs = {"gamma/nowhere"};
  e = error_of([&] { plan_ratings(all, o); });
  EXPECT_NE(e->full().find("the run \"gamma/nowhere\" has no replies"), std::string::npos);
}

TEST(Annotate, ANamedRunWinsOverTheOneWithoutASetting) {
  TemporaryFolder root;
  const auto results = with_sweep(root);
  auto o = options_for(results, "");
  o.runs = {"gamma/g0.85-2"};
  const auto plan = plan_ratings(results::read_results(results), o);
  std::map<std::string, std::string> from;
  for (const auto& s : plan.sources) from[s.responder + "/" + s.method] = s.run;
  EXPECT_EQ(from["sft/straq_imit"], "gamma/g0.85-2");
  EXPECT_EQ(from["sft/direct"], "replies/sft") << "methods that it has not come from elsewhere";
}

TEST(Annotate, DialoguesAreUsedOnceBeforeAnyIsUsedTwice) {
  TemporaryFolder root;
  const auto results = results_in(root);
  auto o = options_for(results, "");
  o.decisions = 8;
  std::set<std::string> dialogues;
  for (const auto& [code, item] : plan_ratings(results::read_results(results), o).items) {
    dialogues.insert(item.dialogue);
  }
  EXPECT_EQ(dialogues.size(), 8u);
}

TEST(Annotate, TheSameSeedGivesTheSameSheetsAndAnotherOneOthers) {
  TemporaryFolder root;
  const auto results = results_in(root);
  auto o = options_for(results, "");
  const auto all = results::read_results(results);
  const auto one = plan_ratings(all, o), two = plan_ratings(all, o);
  EXPECT_EQ(rating_sheet(one, "ada"), rating_sheet(two, "ada"));
  EXPECT_EQ(rating_form(one), rating_form(two));
  o.seed = 2;
  EXPECT_NE(rating_sheet(one, "ada"), rating_sheet(plan_ratings(all, o), "ada"));
}

TEST(Annotate, NothingThatARaterSeesNamesAMethod) {
  TemporaryFolder root;
  const auto e = exported(root);
  std::string seen = read_file(e.out + "/form.html") + read_file(e.out + "/guide.md");
  for (const char* rater : {"ada", "ben", "cy"}) {
    seen += read_file(e.out + "/sheets/" + rater + ".csv");
  }
  for (const char* name : {"straq_", "straQ*", "fsm", "FSM", "direct", "sft", "responses/",
                           "\"source\"", "\"method\"", "original"}) {
    EXPECT_EQ(seen.find(name), std::string::npos) << name;
  }
  // No decision's name either: it would lead to the reply in the corpus.
  for (const auto& [code, item] : e.plan.items) {
    EXPECT_EQ(seen.find("\"" + item.id + "\""), std::string::npos);
  }
  EXPECT_EQ(results::rating_scales().size(), 8u);
  for (const auto& s : results::rating_scales()) {
    EXPECT_NE(seen.find("## " + std::string(s.title)), std::string::npos);
  }
}

TEST(Annotate, TheFormHoldsForeignTextAsText) {
  RatingPlan plan;
  RatingItem item;
  item.code = "bbbbb";
  item.source = "0";
  item.reply = "</script><script>alert(1)</script>";
  item.context = "=1+1";
  plan.items["bbbbb"] = item;
  plan.assigned["ada"] = {"bbbbb"};
  const std::string form = rating_form(plan);
  EXPECT_EQ(form.find("<script>alert"), std::string::npos);
  EXPECT_EQ(form.find("http://"), std::string::npos);
  EXPECT_EQ(form.find("https://"), std::string::npos);
  EXPECT_NE(rating_sheet(plan, "ada").find(",'=1+1,"), std::string::npos) << "no formula";
}

TEST(Annotate, FilledSheetsComeBackAsRatingsThatTheReportShows) {
  TemporaryFolder root;
  auto e = exported(root);
  // straq_imit gets 4, the others 3; cy is stricter by one on everything.
  e.fill([&](const std::string& rater, const std::string& code) {
    const auto& source = e.plan.sources[std::stoul(e.plan.items.at(code).source)];
    return (source.method == "straq_imit" ? 4 : 3) - (rater == "cy");
  });
  const auto r = import_ratings(e.import());
  EXPECT_EQ(r.ratings, 3 * 8 * 4);
  EXPECT_TRUE(r.absent.empty());
  EXPECT_EQ(r.files.size(), 4u);
  const auto tables = report::human_tables(results::read_results(e.results), {});
  ASSERT_EQ(tables.size(), 2u);
  // Two raters of three, a third of the ratings is cy's: 4 - 1/3.
  bool found = false;
  for (const auto& row : tables[0].rows) {
    if (row[0].text != "straQ*-imit") continue;
    found = true;
    EXPECT_NEAR(row[2].value["value"].get<double>(), 4 - 1.0 / 3, 1e-12);
    EXPECT_EQ(row[row.size() - 1].text, "3") << "raters";
  }
  EXPECT_TRUE(found);
  // Against every other method it wins all 24 pairs, by exactly one point.
  ASSERT_EQ(tables[1].rows.size(), 3u * 8u);
  for (const auto& row : tables[1].rows) {
    EXPECT_EQ(row[0].text, "straQ*-imit (SFT)");
    EXPECT_EQ(row[3].text + "/" + row[4].text + "/" + row[5].text, "24/0/0");
    EXPECT_EQ(row[9].text, "1.00");
  }
}

TEST(Annotate, ASheetThatIsMissingIsReportedAndTheOthersCount) {
  TemporaryFolder root;
  auto e = exported(root);
  e.fill([](const auto&, const auto&) { return 3; });
  e.sheets.pop_back();
  const auto r = import_ratings(e.import());
  EXPECT_EQ(r.absent, std::vector<std::string>{"cy"});
  EXPECT_EQ(r.ratings, 2 * 8 * 4);
}

// What import says of ada's sheet after `change` was made to its rows.
template <class Change>
std::string said_of(Change change) {
  TemporaryFolder root;
  auto e = exported(root);
  e.fill([](const auto&, const auto&) { return 3; });
  auto rows = read_csv(read_file(e.sheets[0])).rows;
  change(rows, e);
  std::string text;
  for (const auto& row : rows) {
    for (std::size_t c = 0; c < row.fields.size(); ++c) {
      text += (c ? ",\"" : "\"") + row.fields[c] + "\"";
    }
    text += "\n";
  }
  write_file_atomic(e.sheets[0], text);
  const auto error = error_of([&] { import_ratings(e.import()); });
  EXPECT_FALSE(fs::exists(e.results + "/replies/sft/human")) << "nothing half-written";
  if (!error) return {};
  EXPECT_EQ(error->kind(), ErrorKind::input);
  return error->what();
}

using Rows = std::vector<CsvRow>;

TEST(Annotate, BadSheetsAreRefusedWithRowAndReason) {
  const auto contains = [](const std::string& text, const std::string& part) {
    EXPECT_NE(text.find(part), std::string::npos) << part << " in " << text;
  };
  // Column 5 is fluency. A row of the sheet has two lines: the context has two.
  std::string code;
  contains(said_of([&](Rows& rows, auto&) {
             code = rows[2].fields[1];
             rows[2].fields[5].clear();
             rows[2].fields[7].clear();
           }),
           "is unfinished, no score for: fluency, acceptance");
  contains(said_of([](Rows& rows, auto&) { rows[1].fields[5] = "6"; }),
           "ada-filled.csv:2: the item ");
  contains(said_of([](Rows& rows, auto&) { rows[1].fields[5] = "6"; }),
           "fluency is \"6\", expected a whole number from 1 to 5");
  for (const char* bad : {"0", "-1", "3.5", "good", "33"}) {
    contains(said_of([&](Rows& rows, auto&) { rows[1].fields[5] = bad; }),
             "expected a whole number from 1 to 5");
  }
  contains(said_of([](Rows& rows, auto&) { rows[3].fields[1] = rows[2].fields[1]; }),
           " comes twice");
  contains(said_of([](Rows& rows, auto&) { rows[2].fields[1] = "zzzzz"; }),
           "there is no item \"zzzzz\"");
  contains(said_of([](Rows& rows, auto& e) {
             for (const auto& foreign : e.plan.assigned.at("ben")) {
               const auto& mine = e.plan.assigned.at("ada");
               if (std::find(mine.begin(), mine.end(), foreign) == mine.end()) {
                 rows[2].fields[1] = foreign;
               }
             }
           }),
           " is not ada's to rate");
  contains(said_of([](Rows& rows, auto&) { rows[2].fields[0] = "mallory"; }),
           "there is no rater \"mallory\"");
  contains(said_of([](Rows& rows, auto&) { rows[2].fields[0] = "ben"; }),
           "the sheet is ada's, this row is ben's");
  contains(said_of([](Rows& rows, auto&) { rows.pop_back(); }),
           "the sheet ends without 1 of ada's items");
  contains(said_of([](Rows& rows, auto&) { rows[0].fields[5] = "flow"; }),
           "ada-filled.csv:1: the column \"fluency\" is missing");
  contains(said_of([](Rows& rows, auto& e) {
             rows[1].fields[5] = "9";
             e.sheets.push_back(e.sheets[1]);
           }),
           "2 problems in the sheets");
}

TEST(Annotate, ASecondSheetOfTheSameRaterIsRefused) {
  TemporaryFolder root;
  auto e = exported(root);
  e.fill([](const auto&, const auto&) { return 3; });
  const std::string copy = root.path("again.csv");
  fs::copy(e.sheets[1], copy);
  e.sheets.push_back(copy);
  const auto error = error_of([&] { import_ratings(e.import()); });
  EXPECT_NE(std::string(error->what()).find("again.csv:2: a second sheet of ben"),
            std::string::npos)
      << error->what();
}

TEST(Annotate, RatingsThatAreThereAreNotOverwrittenBySlip) {
  TemporaryFolder root;
  auto e = exported(root);
  e.fill([](const auto&, const auto&) { return 3; });
  import_ratings(e.import());
  const auto error = error_of([&] { import_ratings(e.import()); });
  EXPECT_NE(error->full().find("--replace"), std::string::npos);
  auto again = e.import();
  again.replace = true;
  EXPECT_EQ(import_ratings(again).ratings, 3 * 8 * 4);
  const auto second = error_of([&] { write_rating_files(e.plan, e.out); });
  EXPECT_NE(std::string(second->what()).find("already holds an export"), std::string::npos);
}

TEST(Annotate, AKeyCannotReachOutsideTheResultsFolder) {
  TemporaryFolder root;
  auto e = exported(root);
  e.fill([](const auto&, const auto&) { return 3; });
  auto key = nlohmann::json::parse(read_file(e.out + "/key.json"));
  key["sources"][0]["run"] = "../elsewhere";
  fs::create_directories(root.path("elsewhere"));
  write_file_atomic(e.out + "/key.json", key.dump());
  const auto error = error_of([&] { import_ratings(e.import()); });
  EXPECT_NE(std::string(error->what()).find("name no file of a results folder"), std::string::npos);
  EXPECT_FALSE(fs::exists(root.path("elsewhere/human")));
}

TEST(Annotate, WhatCannotBeDrawnIsRefused) {
  TemporaryFolder root;
  const auto results = results_in(root);
  const auto all = results::read_results(results);
  const auto fails = [&](auto change, const std::string& part) {
    auto o = options_for(results, "");
    change(o);
    const auto e = error_of([&] { plan_ratings(all, o); });
    ASSERT_TRUE(e);
    EXPECT_EQ(e->kind(), ErrorKind::input);
    EXPECT_NE(e->full().find(part), std::string::npos) << e->full();
  };
  fails([](auto& o) { o.methods = {"nobody"}; }, "has replies of the method \"nobody\"");
  fails([](auto& o) { o.raters = {"ada"}; }, "2 raters a decision are asked for, 1 are named");
  fails([](auto& o) { o.raters = {"ada", "ada"}; }, "named twice");
  fails([](auto& o) { o.raters = {"a/b", "c"}; }, "cannot be a rater's name");
  fails([](auto& o) { o.corpus = "elsewhere"; }, "to elsewhere");
  auto o = options_for(results, "");
  o.decisions = 1000;
  const auto plan = plan_ratings(all, o);
  ASSERT_EQ(plan.left_out.size(), 1u);
  EXPECT_NE(plan.left_out[0].find("only 32 of 1000"), std::string::npos);
}

TEST(Csv, SemicolonsAndAByteOrderMarkOfSpreadsheetsAreRead) {
  const auto rows = read_csv("\xEF\xBB\xBFrater;item\r\nada;\"a;b\"\r\n\r\n", ';').rows;
  ASSERT_EQ(rows.size(), 2u);
  EXPECT_EQ(rows[0].fields[0], "rater");
  EXPECT_EQ(rows[1].fields[1], "a;b");
  EXPECT_EQ(rows[1].line, 2);
}

}  // namespace
}  // namespace straq::annotate
