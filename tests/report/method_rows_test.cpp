// Rows of the paper's tables on small folders made for one question each: what happens to a file
// that does not fit, and whether the table says so.
#include "report/rows/method_rows.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include "core/files/files.h"
#include "report/tables/case_study.h"
#include "report/tables/estimate_cells.h"
#include "report/tables/paper_tables.h"
#include "report/tables/tables.h"
#include "results/rows/evaluation.h"
#include "results/rows/predictions.h"
#include "tests/testing.h"

namespace straq::report {
namespace {

using straq::testing::TemporaryFolder;

const char* const kNames[] = {"Question", "Reflection", "Information", "Others"};
const char* const kReferences[] = {"what happened then at work ?", "you seem tired of all this .",
                                   "many offices have a quiet room .",
                                   "good evening and welcome here ."};

// `dialogues` dialogues of four decisions; right at the first `skill` of each, else the strategy
// after the gold one; a skill below 0 names no strategy at the last decision.
std::vector<metrics::Prediction> predictions(int skill, int dialogues = 8,
                                             const std::string& prefix = "d") {
  std::vector<metrics::Prediction> out;
  for (int d = 0; d < dialogues; ++d) {
    for (int i = 0; i < 4; ++i) {
      metrics::Prediction p;
      p.dialogue = prefix + std::to_string(d);
      p.turn = 2 * i + 1;
      p.index = i;
      p.of = 4;
      p.gold = (d + i) % 4;
      p.previous = i == 0 ? -1 : (d + i - 1) % 4;
      p.chosen = i < std::abs(skill) ? p.gold : (p.gold + 1) % 4;
      if (skill < 0 && i == 3) p.chosen = -1;
      out.push_back(p);
    }
  }
  return out;
}

nlohmann::json labels() {
  auto list = nlohmann::json::array();
  for (const char* name : kNames) list.push_back({{"name", name}, {"abbreviation", ""}});
  return list;
}

// What is in responses/<name>.jsonl and .json; `about` overrides.
void write_replies(const std::string& run, const std::string& name,
                   const std::vector<metrics::Prediction>& rows, nlohmann::json about,
                   bool strategies = true) {
  std::string text;
  for (const auto& p : rows) {
    const bool right = p.chosen == p.gold;
    nlohmann::json row = {{"id", p.id()},
                          {"dialogue", p.dialogue},
                          {"hypothesis", right ? kReferences[p.gold] : "i see that"},
                          {"reference", kReferences[p.gold]}};
    if (strategies) {
      row["strategy"] = kNames[p.gold];
      row["chosen"] = p.chosen < 0 ? nlohmann::json() : nlohmann::json(kNames[p.chosen]);
    }
    text += row.dump() + "\n";
  }
  write_file_atomic(run + "/responses/" + name + ".jsonl", text);
  about["strategies"] = labels();
  if (!about.contains("method")) about["method"] = name;
  write_file_atomic(run + "/responses/" + name + ".json", about.dump());
}

void write_run(const std::string& run, const std::string& config = "",
               const std::string& version = "0.1.0") {
  write_file_atomic(run + "/config.yaml", "seed: 1\ndata:\n  name: esconv\n" + config);
  write_file_atomic(run + "/provenance.json", R"({"version":")" + version + "\"}");
  write_file_atomic(run + "/DONE", "");
}

// A trained planner: evaluation.json and predictions.
void write_planner(const std::string& run, const std::vector<metrics::Prediction>& rows,
                   const std::string& config = "") {
  write_run(run, config + "learn:\n  planner: q\n  reward:\n    kind: imitation\n");
  metrics::EvaluationOptions o;
  o.strategy.strategies = 4;
  o.bootstrap.replicates = 100;
  metrics::Evaluation e;
  for (const char* name : kNames) e.strategies.push_back({name, ""});
  e.splits.emplace_back("test", metrics::evaluate_predictions(rows, o));
  results::write_evaluation(run + "/evaluation.json", e);
  results::write_predictions(run + "/predictions/test.jsonl", rows);
}

struct Made {
  explicit Made(const TemporaryFolder& root, MethodOptions options = quick())
      : results(results::read_results(root.path("results"))),
        methods(gather_methods(results, options)),
        tables(tables_of(methods)) {}
  static std::vector<Table> tables_of(const Methods& methods) {
    std::vector<Table> out = table1(methods, {}, {});
    for (auto& t : table2(methods, {}, {})) out.push_back(std::move(t));
    out.push_back(table5(methods, {}));
    out.push_back(table9(methods, {}));
    return out;
  }
  static MethodOptions quick() {
    MethodOptions o;
    o.replicates = 50;
    o.fewer_replicates = 20;
    return o;
  }
  const Table& table(const std::string& id) const {
    for (const auto& t : tables) {
      if (t.id == id) return t;
    }
    throw std::runtime_error("no table " + id);
  }
  const Cell& cell(const std::string& id, const std::string& method, const std::string& column,
                   const std::string& responder = "") const {
    const Table& t = table(id);
    for (const auto& row : t.rows) {
      if (row[0].text != method || (!responder.empty() && row[1].text != responder)) continue;
      for (std::size_t c = 0; c < t.columns.size(); ++c) {
        if (t.columns[c] == column) return row[c];
      }
    }
    throw std::runtime_error("no cell " + method + ", " + column + " in " + id);
  }
  bool has(const std::string& id, const std::string& method) const {
    const auto& rows = table(id).rows;
    return std::any_of(rows.begin(), rows.end(), [&](auto& r) { return r[0].text == method; });
  }
  std::string notes(const std::string& id) const {
    std::string out;
    for (const auto& note : table(id).notes) out += note + "\n";
    return out;
  }
  std::string problems() const {
    std::string out;
    for (const auto& p : methods.problems) out += p + "\n";
    return out;
  }

  results::Results results;
  Methods methods;
  std::vector<Table> tables;
};

#define EXPECT_SAYS(text, part) EXPECT_NE((text).find(part), std::string::npos) << (text)

TEST(Methods, ARowThatCannotBeTestedIsNamedAndTheOthersAreTested) {
  TemporaryFolder root;
  const std::string run = root.path("results/x/replies");
  write_run(run);
  write_replies(run, "direct", predictions(1), {});
  write_replies(run, "fsm", predictions(2), {});
  write_replies(run, "straq_distill", predictions(4), {});
  write_replies(run, "cot", predictions(3, 8, "other"), {});
  // An evaluation without its predictions.
  write_planner(root.path("results/x/planner"), predictions(3));
  std::filesystem::remove_all(root.path("results/x/planner/predictions"));
  const Made made(root);
  EXPECT_EQ(emphasis_of(made.cell("table1", "straQ*-distill", "Acc ↑")), Emphasis::best);
  EXPECT_EQ(emphasis_of(made.cell("table1", "FSM", "Acc ↑")), Emphasis::second);
  EXPECT_EQ(emphasis_of(made.cell("table1", "CoT", "Acc ↑")), Emphasis::none);
  EXPECT_EQ(emphasis_of(made.cell("table1", "straQ*-distill", "R-L ↑")), Emphasis::best);
  const std::string notes = made.notes("table1");
  EXPECT_SAYS(notes, "Not tested in Acc, macro-F1 (no data by dialogue): straQ*-imit.");
  EXPECT_SAYS(notes,
              "Not tested in Acc, macro-F1, B-2, R-L (other dialogues than most rows): CoT.");
}

TEST(Methods, OfEquallyManyTheBestRowsDialoguesCount) {
  TemporaryFolder root;
  const std::string run = root.path("results/x/replies");
  write_run(run);
  write_replies(run, "direct", predictions(1), {});
  write_replies(run, "fsm", predictions(4), {});
  write_replies(run, "cot", predictions(3, 8, "other"), {});
  write_replies(run, "self_refine", predictions(2, 8, "other"), {});
  const Made made(root);
  EXPECT_EQ(emphasis_of(made.cell("table1", "FSM", "Acc ↑")), Emphasis::best);
  EXPECT_EQ(emphasis_of(made.cell("table1", "CoT", "Acc ↑")), Emphasis::none);
  EXPECT_SAYS(made.notes("table1"), "(other dialogues than most rows): CoT, Self-Refine.");
}

TEST(Methods, PredictionsOfMethodsAreReadBeforeThoseOfSweeps) {
  TemporaryFolder root;
  std::string index = "point,state,learn.gamma,seed,reason\n";
  for (const char* gamma : {"0.1", "0.2", "0.3"}) {
    for (const char* seed : {"1", "2"}) {
      const std::string point = std::string("g") + gamma + "-" + seed;
      index += point + ",done," + gamma + "," + seed + ",\n";
      write_planner(root.path("results/a/" + point), predictions(2));
    }
  }
  write_file_atomic(root.path("results/a/index.csv"), index);
  write_planner(root.path("results/z/plain"), predictions(3));
  MethodOptions o = Made::quick();
  o.most = 3;  // one setting of two seeds, not one and a half
  const Made made(root, o);
  ASSERT_EQ(made.methods.rows.size(), 4u);
  EXPECT_EQ(made.methods.rows[0].count_seeds, 2);
  EXPECT_EQ(made.methods.rows[1].count_seeds, 0);
  EXPECT_TRUE(made.methods.rows[1].unread);
  EXPECT_EQ(made.methods.rows[3].count_seeds, 1) << "a method does not wait behind a sweep";
  EXPECT_SAYS(made.problems(),
              "The predictions of 4 runs of sweeps are not read (at most 3 are), so that these "
              "rows are not tested: straQ*-imit, gamma=0.2, straQ*-imit, gamma=0.3.");
  EXPECT_SAYS(made.notes("table1"),
              "(their predictions were not read: too many runs): straQ*-imit, gamma=0.2, "
              "straQ*-imit, gamma=0.3.");
  EXPECT_EQ(emphasis_of(made.cell("table1", "straQ*-imit", "Acc ↑")), Emphasis::best);
  o.most_named = 0;
  EXPECT_SAYS(Made(root, o).problems(), "The predictions of 1 runs are not read (at most 0 are)");
}

TEST(Methods, ARowOfFewerSeedsThanItShowsSaysSo) {
  TemporaryFolder root;
  write_file_atomic(root.path("results/a/index.csv"),
                    "point,state,seed,reason\np1,done,1,\np2,done,2,\np3,done,3,\n");
  for (const char* point : {"p1", "p2", "p3"}) {
    write_planner(root.path("results/a/") + point, predictions(2));
  }
  std::filesystem::remove(root.path("results/a/p2/predictions/test.jsonl"));
  const Made made(root);
  EXPECT_SAYS(made.notes("table1"), "predictions of the others are missing: straQ*-imit 2 of 3.");
  EXPECT_SAYS(
      made.notes("table9"),
      "Without intervals of Acc, F1 and B, because predictions are missing or were not read "
      "(seeds that were read, of all): straQ*-imit 2 of 3.");
  EXPECT_EQ(made.cell("table9", "straQ*-imit", "Acc ↑").text.find("±"), std::string::npos);
}

MethodRow row_of(const std::string& method, const std::string& setting, int skill) {
  MethodRow r;
  r.method = method;
  r.setting = setting;
  r.metrics["acc"].add("1", skill / 4.0, std::nullopt, 32, 100);
  metrics::StrategyOptions o;
  o.strategies = 4;
  r.counts = metrics::counts_of(predictions(skill), o);
  r.count_seeds = 1;
  return r;
}

TEST(Ranking, SettingsOfASweepDoNotKeepMethodsFromBeingTested) {
  std::vector<MethodRow> rows = {row_of("direct", "", 1), row_of("fsm", "", 3)};
  for (std::size_t i = 0; i < kMostRanked; ++i) {
    rows.push_back(row_of("straq_imit", "learn.lr=" + std::to_string(i), 4));
  }
  std::vector<const MethodRow*> list;
  for (const auto& r : rows) list.push_back(&r);
  const Ranking ranking = rank(list, metrics::strategy_metric("acc"));
  EXPECT_TRUE(ranking.tested);
  EXPECT_EQ(ranking.emphasis[1], Emphasis::best);
  EXPECT_EQ(ranking.left_out[1], "");
  EXPECT_EQ(ranking.left_out[2], "settings of a sweep, in a block of more than 24 rows");
  // More methods than are compared: nothing is, and every row knows.
  for (auto& r : rows) r.setting.clear();
  const Ranking none = rank(list, metrics::strategy_metric("acc"));
  EXPECT_FALSE(none.tested);
  EXPECT_EQ(none.left_out[0], "more than 24 methods");
}

TEST(Methods, ASecondFileOfAMethodAndSeedIsRefused) {
  TemporaryFolder root;
  const std::string run = root.path("results/x/replies");
  write_run(run);
  write_replies(run, "first", predictions(4), {{"method", "fsm"}});
  write_replies(run, "second", predictions(1), {{"method", "fsm"}});
  write_replies(run, "third", predictions(1), {{"method", "fsm"}, {"seed", "2"}});
  const Made made(root);
  ASSERT_EQ(made.methods.rows.size(), 1u);
  const MethodRow& r = made.methods.rows[0];
  EXPECT_EQ(r.metrics.at("acc").by_seed.at("1"), 100);
  EXPECT_EQ(r.metrics.at("acc").by_seed.size(), 2u);
  EXPECT_EQ(r.metrics.at("acc").intervals.size(), 2u);
  EXPECT_EQ(r.count_seeds, 2);
  EXPECT_EQ(r.sum_seeds, 2);
  EXPECT_EQ(r.sums.at("d0").n, 8) << "two files of four replies, not three";
  ASSERT_EQ(made.methods.problems.size(), 1u) << made.problems();
  for (const char* part : {"responses/second.jsonl", "responses/first.jsonl", "FSM with seed 1",
                           "give them different \"method\" or \"seed\" in <name>.json"}) {
    EXPECT_SAYS(made.problems(), part);
  }
}

TEST(Methods, APlannerOfTheSameSeedAndSettingIsRefusedAndAnObjectivesWeightIsASetting) {
  TemporaryFolder root;
  write_file_atomic(root.path("results/a/index.csv"),
                    "point,state,learn.objective.bellman,seed,reason\n"
                    "p1,done,1,1,\np2,done,1,1,\np3,done,0.5,1,\n");
  for (const char* point : {"p1", "p2", "p3"}) {
    write_planner(root.path("results/a/") + point, predictions(point[1] - '0'));
  }
  const Made made(root);
  ASSERT_EQ(made.methods.rows.size(), 2u);
  EXPECT_EQ(made.methods.rows[0].runs, std::vector<std::string>{"a/p1"});
  EXPECT_EQ(made.methods.rows[0].count_seeds, 1);
  EXPECT_EQ(made.methods.rows[1].title(), "straQ*-imit, bellman=0.5");
  EXPECT_SAYS(made.problems(), "a/p2: evaluation.json: the choices of straQ*-imit with seed 1");
}

TEST(Methods, RowsOfOneTitleAreNamedByWhereTheyAreFrom) {
  TemporaryFolder root;
  for (const char* point : {"p1", "p2", "p3"}) {
    write_planner(root.path("results/") + point + "/run", predictions(2));
  }
  std::filesystem::remove_all(root.path("results/p2/run/predictions"));
  EXPECT_SAYS(Made(root).notes("table1"), "(no data by dialogue): straQ*-imit of p2.");
}

TEST(Methods, RepliesOfOtherSplitsAreLeftOutByName) {
  TemporaryFolder root;
  const std::string run = root.path("results/x/replies");
  write_run(run);
  write_replies(run, "direct", predictions(1), {{"split", "test"}});
  write_replies(run, "fsm", predictions(4), {{"split", "valid"}});
  write_replies(run, "cot", predictions(2), {});
  write_file_atomic(run + "/judge/self_refine.jsonl", R"({"id":"d0:1","dialogue":"d0","overall":4})"
                                                      "\n");
  write_file_atomic(run + "/judge/self_refine.json", R"({"split":"train"})");
  const Made made(root);
  EXPECT_EQ(made.methods.rows.size(), 2u);
  EXPECT_FALSE(made.has("table1", "FSM"));
  EXPECT_SAYS(made.problems(), "responses/fsm.jsonl: it is of the split \"valid\"");
  EXPECT_SAYS(made.problems(), "judge/self_refine.jsonl: it is of the split \"train\"");
}

void write_judged(const std::string& run, const std::string& name, const std::string& dialogue,
                  int decisions, const nlohmann::json& about) {
  std::string text;
  for (int i = 0; i < decisions; ++i) {
    text += nlohmann::json({{"id", dialogue + ":" + std::to_string(2 * i + 1)},
                            {"dialogue", dialogue},
                            {"strategy", kNames[i % 4]},
                            {"overall", 4}})
                .dump() +
            "\n";
  }
  write_file_atomic(run + "/judge/" + name + ".jsonl", text);
  write_file_atomic(run + "/judge/" + name + ".json", about.dump());
}

std::string notes_of(const Table& table) {
  std::string out;
  for (const auto& note : table.notes) out += note + "\n";
  return out;
}

TEST(CaseStudy, TakesTheTestSplitAndNamesWhatIsOfOthers) {
  TemporaryFolder root;
  const std::string run = root.path("results/x/replies");
  write_run(run);
  // Of train more methods replied, and all of them were judged: it would be the case to show.
  write_replies(run, "cot", predictions(2, 2, "train"), {{"split", "train"}});
  write_replies(run, "fsm", predictions(4, 2, "train"), {{"split", "train"}});
  write_judged(run, "cot", "train0", 4, {{"split", "train"}});
  write_judged(run, "human", "d0", 4, {{"split", "valid"}});
  EXPECT_TRUE(case_study(results::read_results(root.path("results")), "").empty());
  write_replies(run, "direct", predictions(1, 2), {});
  write_judged(run, "direct", "d0", 4, {{"split", "valid"}});
  const auto results = results::read_results(root.path("results"));
  const CaseStudy study = case_study(results, "");
  EXPECT_EQ(study.dialogue, "d0");
  const Table t = case_table(study, {});
  EXPECT_EQ(t.rows.size(), 8u) << "the corpus's own reply and Direct's at four decisions";
  for (const auto& row : t.rows) {
    EXPECT_TRUE(row[1].text == "Original dataset" || row[1].text == "Direct") << row[1].text;
    EXPECT_EQ(row[4].text, "–") << "scores of another split";
  }
  EXPECT_SAYS(notes_of(t),
              "Left out, because they are not of the test split alone: "
              "x/replies judge/cot.jsonl (train), x/replies judge/direct.jsonl (valid), "
              "x/replies judge/human.jsonl (valid), x/replies responses/cot.jsonl (train), "
              "x/replies responses/fsm.jsonl (train).");
  const auto error = straq::testing::error_of([&] { case_study(results, "train0"); });
  ASSERT_TRUE(error);
  EXPECT_SAYS(error->full(), "no reply to the dialogue \"train0\" of the test split");
}

TEST(JudgeScores, Table11IsOfOneFileAndSaysOfWhichSplit) {
  TemporaryFolder root;
  const auto table11 = [&] {
    const auto results = results::read_results(root.path("results"));
    return report::table11(results, {});
  };
  const auto total = [](const Table& t) { return t.rows.back().at(1).text; };
  for (const char* name : {"a", "b", "c", "d", "e"}) {
    write_run(root.path(std::string("results/x/") + name));
  }
  write_judged(root.path("results/x/a"), "human", "z0", 7, {{"corpus", "empathetic"}});
  Table t = table11();
  EXPECT_TRUE(t.rows.empty()) << "nothing to show";
  EXPECT_SAYS(notes_of(t),
              "Left out, because they are of another corpus: x/a judge/human.jsonl (test).");
  write_judged(root.path("results/x/b"), "human", "t0", 5, {{"split", "train"}});
  write_judged(root.path("results/x/c"), "human", "d0", 4, nlohmann::json::object());
  write_judged(root.path("results/x/d"), "human", "d0", 3, {{"split", "test"}});
  t = table11();
  EXPECT_EQ(total(t), "4") << "of test, the first";
  EXPECT_SAYS(notes_of(t), "From x/c judge/human.jsonl (test), 4 judged decisions");
  EXPECT_SAYS(notes_of(t), "of the split test alone and the paper's of all splits");
  EXPECT_SAYS(notes_of(t), "x/b judge/human.jsonl (train), x/d judge/human.jsonl (test).");
  // As the paper's: of all splits.
  write_judged(root.path("results/x/e"), "human", "t0", 9, {{"split", "all"}});
  t = table11();
  EXPECT_EQ(total(t), "9");
  EXPECT_EQ(notes_of(t).find("do not compare"), std::string::npos) << notes_of(t);
  EXPECT_SAYS(notes_of(t), "x/c judge/human.jsonl (test)");
}

TEST(Methods, Table9HasIntervalsOverDialogues) {
  TemporaryFolder root;
  // Eight dialogues with two decisions each of Question and of Reflection; every other dialogue is
  // all wrong, each strategy taken for the other one.
  std::vector<metrics::Prediction> rows = predictions(4);
  for (std::size_t i = 0; i < rows.size(); ++i) {
    rows[i].gold = rows[i].index % 2;
    rows[i].chosen = i / 4 % 2 == 0 ? rows[i].gold : 1 - rows[i].gold;
  }
  write_planner(root.path("results/x/planner"), rows);
  MethodOptions o;
  o.thorough = 0;
  const Made made(root, o);
  // Of eight drawn dialogues as many are right as a coin shows heads: at most one in 3.5 % of the
  // draws, none in 0.4 %; so from 1/8 to 7/8. Wilson's interval of 8 in 16 is 22 wide on each side.
  const auto& table = made.table("table9");
  const auto text = [&](std::size_t row, const std::string& column) {
    const auto at = std::find(table.columns.begin(), table.columns.end(), column);
    return table.rows.at(row).at(static_cast<std::size_t>(at - table.columns.begin())).text;
  };
  for (const std::size_t strategy : {0, 1}) {
    EXPECT_EQ(text(strategy, "Acc ↑"), "50.00 ±37.50");
    EXPECT_EQ(text(strategy, "F1 (Q) ↑"), "50.00 ±37.50");
    EXPECT_EQ(text(strategy, "B"), "1.000") << "two strategies never occur: a guard in every draw";
  }
  EXPECT_EQ(text(2, "Acc ↑"), "0.00") << "no decision of the strategy, no interval";
  EXPECT_EQ(text(2, "n"), "0");
  const std::string notes = made.notes("table9");
  EXPECT_SAYS(notes, "(mean over seeds; of Acc, F1 and B 2,000 replicates)");
  EXPECT_SAYS(notes, "more than one in twenty there is none");
  EXPECT_EQ(notes.find("without width"), std::string::npos) << notes;
}

TEST(Methods, UnreadableChoicesAndAGuardedBiasAreSaid) {
  TemporaryFolder root;
  const std::string run = root.path("results/x/replies");
  write_run(run);
  write_replies(run, "direct", predictions(-1), {});
  write_replies(run, "fsm", predictions(4), {});
  const Made made(root);
  EXPECT_SAYS(made.notes("table1"),
              "Choices that name no strategy, which count as Others (over all seeds): "
              "Direct 8 of 32 (25.00 %).");
  EXPECT_SAYS(made.notes("table1"), "the published script has no number there: FSM.");
}

TEST(Methods, ARunsRewardNamesItsRow) {
  TemporaryFolder root;
  const std::string run = root.path("results/x/planner");
  write_planner(run, predictions(3));
  write_file_atomic(run + "/provenance.json",
                    R"({"reward": {"kind": "rated", "method": "straq_rated",
                                   "title": "straQ*-rated", "imitation": false}})");
  write_replies(run, "straq_rated", predictions(3), {{"responder", "sft"}});
  const Made made(root);
  ASSERT_EQ(made.methods.rows.size(), 1u) << "the replies follow the planner";
  EXPECT_EQ(made.methods.rows[0].method, "straq_rated");
  EXPECT_FALSE(made.methods.rows[0].imitation);
  EXPECT_EQ(made.cell("table1", "straQ*-rated", "n").text, "32");
}

TEST(Methods, DecisionsAndRepliesAreCountedApart) {
  TemporaryFolder root;
  const std::string run = root.path("results/x/planner");
  write_planner(run, predictions(3));
  write_replies(run, "straq_imit", predictions(3, 4), {{"responder", "sft"}});
  write_replies(run, "direct", predictions(1), {{"responder", "base"}});
  const Made made(root);
  EXPECT_EQ(made.cell("table1", "straQ*-imit", "n").text, "32 / 16");
  EXPECT_EQ(made.cell("table1", "Direct", "n").text, "32");
  EXPECT_SAYS(made.notes("table1"), "\"decisions / replies\" where both are there and differ");
}

TEST(Methods, Table5ComparesAblationsWithTheMethodUnderTheSameResponder) {
  TemporaryFolder root;
  const std::string run = root.path("results/x/replies");
  write_run(run);
  for (const char* responder : {"sft", "base"}) {
    write_replies(run, std::string("imit_") + responder, predictions(4),
                  {{"method", "straq_imit"}, {"responder", responder}});
  }
  write_replies(run, "value_head", predictions(1), {{"responder", "sft"}});
  write_file_atomic(root.path("results/s/index.csv"),
                    "point,state,learn.gamma,seed,reason\np1,done,0.5,1,\n");
  write_planner(root.path("results/s/p1"), predictions(2));
  write_replies(root.path("results/s/p1"), "straq_imit", predictions(2), {{"responder", "sft"}});
  const Made made(root);
  EXPECT_FALSE(made.has("table5", "straQ*-imit, gamma=0.5")) << "a setting is no ablation";
  EXPECT_TRUE(made.has("table1", "straQ*-imit, gamma=0.5"));
  EXPECT_EQ(made.table("table5").rows.size(), 2u) << "and base has no ablation";
  EXPECT_EQ(emphasis_of(made.cell("table5", "straQ*-imit", "R-L ↑", "SFT")), Emphasis::best);
  // Where the method is there in settings of a sweep only, they are what there is.
  std::filesystem::remove_all(run + "/responses");
  write_replies(run, "value_head", predictions(1), {{"responder", "sft"}});
  EXPECT_TRUE(Made(root).has("table5", "straQ*-imit, gamma=0.5"));
}

TEST(Methods, Table2KeepsRespondersApartAndIsTested) {
  TemporaryFolder root;
  const std::string run = root.path("results/x/replies");
  write_run(run);
  const auto put = [&](const std::string& name, int skill, int dialogues, nlohmann::json about) {
    about["corpus"] = "empathetic";
    write_replies(run, name, predictions(skill, dialogues), about, /*strategies=*/false);
  };
  put("straq_imit", 4, 8, {{"responder", "sft"}});
  put("direct_sft", 1, 8, {{"method", "direct"}, {"responder", "sft"}});
  put("direct_base", 2, 8, {{"method", "direct"}, {"responder", "base"}});
  put("fsm", 3, 4, {{"responder", "sft"}});
  const Made made(root);
  EXPECT_EQ(made.table("table2").columns[1], "Responder");
  EXPECT_EQ(made.cell("table2", "Direct", "n", "base").text, "32");
  EXPECT_EQ(emphasis_of(made.cell("table2", "straQ*-imit", "R-L")), Emphasis::best);
  EXPECT_EQ(made.cell("table2", "FSM", "n").text, "16");
  EXPECT_EQ(emphasis_of(made.cell("table2", "FSM", "R-L")), Emphasis::none);
  EXPECT_SAYS(made.notes("table2"), "measured on different decisions");
  const Table& tests = made.table("table2_tests");
  ASSERT_EQ(tests.rows.size(), 3u) << "B-2, R-L and CIDEr against one row";
  EXPECT_EQ(tests.rows[2][3].text, "CIDEr");
  EXPECT_EQ(tests.rows[2][1].text, "Direct");
  EXPECT_DOUBLE_EQ(tests.rows[0][6].value.get<double>(), 2 / 256.0);
}

TEST(Methods, ACorpusOfOnesOwnHasItsTestsToo) {
  TemporaryFolder root;
  const std::string run = root.path("results/x/replies");
  write_run(run);
  for (const auto& [name, skill] : {std::pair{"cot", 4}, {"direct", 1}}) {
    write_replies(run, name, predictions(skill, 8), {{"corpus", "own"}});
  }
  const Made made(root);
  const auto tables = table1_elsewhere(made.methods, {}, {});
  const auto tests = std::find_if(tables.begin(), tables.end(),
                                  [](const Table& t) { return t.id == "table1_own_tests"; });
  ASSERT_NE(tests, tables.end());
  EXPECT_EQ(tests->title, "Tests behind Table 1 on own");
  EXPECT_FALSE(tests->rows.empty());
}

TEST(Tables, TheImitationRewardIsExplainedForAsManyStrategiesAsThereAre) {
  EXPECT_SAYS(imitation_return_note({8}), "is (8p − 1) / (6p + 1), below 1.");
  EXPECT_SAYS(imitation_return_note({5}), "is (5p − 1) / (3p + 1), below 1.");
  EXPECT_SAYS(imitation_return_note({2}), "is (2p − 1) / (1), below 1.");
  EXPECT_SAYS(imitation_return_note({5, 8}),
              "is (5p − 1) / (3p + 1) with 5 strategies or (8p − 1) / (6p + 1) with 8 strategies");
  EXPECT_SAYS(imitation_return_note({}), "is (Kp − 1) / ((K − 2)p + 1) with K strategies");
}

TEST(Methods, IntervalsSayHowManyReplicatesTheyHave) {
  TemporaryFolder root;
  const std::string run = root.path("results/x/replies");
  write_run(run);
  for (const char* name : {"cot", "direct", "fsm"}) write_replies(run, name, predictions(2), {});
  MethodOptions o;
  o.thorough = 2;
  const Made made(root, o);
  EXPECT_SAYS(made.notes("table1"), "over seeds, 10,000 replicates; 2,000 for FSM)");
  const auto& rows = made.methods.rows;
  EXPECT_EQ(rows[0].replicates, std::set<int>{10000});
  EXPECT_EQ(rows[2].replicates, std::set<int>{2000});
}

TEST(Methods, RowsThatWereNotMadeAlikeAreNamed) {
  TemporaryFolder root;
  write_run(root.path("results/x/a"), "  split: official\n", "0.1.0");
  write_replies(root.path("results/x/a"), "direct", predictions(1), {});
  write_run(root.path("results/x/b"), "  split: sample_level\n", "0.2.0");
  write_replies(root.path("results/x/b"), "fsm", predictions(2), {});
  const std::string notes = Made(root).notes("table1");
  EXPECT_SAYS(notes, "Made by different versions of the program. 0.1.0: Direct; 0.2.0: FSM.");
  EXPECT_SAYS(notes, "which do not compare. official: Direct; sample_level: FSM.");
  EXPECT_EQ(notes.find("merge_label"), std::string::npos) << "nothing is known of it";
}

TEST(Replies, AStoredScoreMustBeOfTheseRows) {
  TemporaryFolder root;
  const std::string run = root.path("results/x/replies");
  write_run(run);
  write_replies(run, "fsm", predictions(2), {});
  const std::string rows = run + "/responses/fsm.jsonl";
  metrics::BootstrapOptions b;
  b.replicates = 30;
  write_file_atomic(
      run + "/responses/fsm.score.json",
      metrics::response_report(results::read_replies(rows).pairs(), {}, b).to_json().dump());
  ASSERT_TRUE(results::read_replies(rows).score);
  // As many replies, one of them written anew since.
  std::string text = read_file(rows);
  text.replace(text.find("i see that"), 10, "i saw that");
  write_file_atomic(rows, text);
  const auto e = straq::testing::error_of([&] { results::read_replies(rows); });
  ASSERT_TRUE(e);
  EXPECT_SAYS(e->full(), "fsm.score.json: it is not the score of these rows");
  EXPECT_SAYS(e->full(), "straq score");
  EXPECT_TRUE(Made(root).methods.rows.empty());
}

TEST(Methods, ValuesHaveIntervalsOverDialogues) {
  TemporaryFolder root;
  auto rows = predictions(3);
  // Values that differ by dialogue, with ties, and rows that the means leave out.
  for (std::size_t i = 0; i < rows.size(); ++i) {
    rows[i].q = {0.25 * static_cast<double>(i % 5), 1.5, 0.5 * static_cast<double>(i / 8), -1};
    rows[i].mc_return = static_cast<double>((i * 7) % 6);
  }
  rows[3].q.clear();
  rows[9].mc_return.reset();
  write_planner(root.path("results/x/planner"), rows);
  MethodOptions o;
  o.replicates = 2000;
  const Made made(root, o);
  const auto& m = made.methods.rows.at(0).metrics;
  // The same by repeating the rows of every drawn dialogue.
  metrics::BootstrapOptions b;
  b.replicates = 2000;
  std::vector<double> chosen, correlations;
  metrics::cluster_bootstrap(8, b, [&](std::span<const std::uint32_t> drawn) {
    double sum = 0, n = 0;
    std::vector<double> x, y;
    for (const auto d : drawn) {
      for (const auto& r : rows) {
        if (r.dialogue != "d" + std::to_string(d) || r.q.empty()) continue;
        const double q = r.q[static_cast<std::size_t>(r.chosen)];
        sum += q;
        ++n;
        if (!r.mc_return) continue;
        x.push_back(q);
        y.push_back(*r.mc_return);
      }
    }
    chosen.push_back(sum / n);
    correlations.push_back(metrics::spearman(x, y));
    return 0.0;
  });
  const auto same = [&](const char* key, std::vector<double> replicates) {
    const auto want = metrics::percentile_interval(std::move(replicates));
    const auto got = m.at(key).intervals.at("1");
    EXPECT_NEAR(got.low, want.low, 1e-12) << key;
    EXPECT_NEAR(got.high, want.high, 1e-12) << key;
    EXPECT_LE(got.low, m.at(key).by_seed.at("1")) << key;
    EXPECT_GE(got.high, m.at(key).by_seed.at("1")) << key;
  };
  same("mean_chosen_q", chosen);
  same("spearman_chosen", correlations);
  EXPECT_EQ(m.at("mean_max_q").intervals.size(), 1u);
  EXPECT_EQ(m.at("mean_return").intervals.size(), 1u);
}

// People rated two methods on the same dialogues and a third one on others.
TEST(HumanRatings, AMethodRatedElsewhereIsNamedAndTheOthersAreTested) {
  const TemporaryFolder root;
  const std::string run = root.path("results/e/p");
  write_run(run);
  const auto rate = [&](const std::string& method, const std::string& prefix, int score) {
    std::string text;
    for (int d = 0; d < 8; ++d) {
      const std::string dialogue = prefix + std::to_string(d);
      text += nlohmann::json({{"id", dialogue + ":1"},
                              {"dialogue", dialogue},
                              {"rater", "r1"},
                              {"scores", {{"fluency", score}}}})
                  .dump() +
              "\n";
    }
    write_file_atomic(run + "/human/" + method + ".jsonl", text);
  };
  rate("straq_imit", "d", 5);
  rate("direct", "d", 2);
  rate("cot", "elsewhere", 4);
  const auto tables = human_tables(results::read_results(root.path("results")), {});
  const auto table3 =
      std::find_if(tables.begin(), tables.end(), [](const Table& t) { return t.id == "table3"; });
  ASSERT_NE(table3, tables.end());
  std::string notes;
  for (const auto& note : table3->notes) notes += note + "\n";
  EXPECT_NE(notes.find("Not tested in Fluency"), std::string::npos) << notes;
  EXPECT_NE(notes.find("CoT"), std::string::npos) << notes;
  EXPECT_NE(notes.find("Bold: the best of the scale"), std::string::npos) << notes;
}

}  // namespace
}  // namespace straq::report
