#include "results/layout.h"

#include <gtest/gtest.h>

#include <set>

#include "results/run_folder.h"

namespace straq::results {
namespace {

using K = FileKind;

struct Case {
  const char* path;
  FileKind kind;
  const char *experiment, *point, *name;
};

TEST(Layout, EveryPathBelowAResultsFolderIsWhatItsNamesSay) {
  const std::vector<Case> cases = {
      {"demo/g0.9_seed-1/config.yaml", K::config, "demo", "g0.9_seed-1", ""},
      {"group/demo/p/metrics.jsonl", K::metrics, "group/demo", "p", ""},
      {"p/metrics.jsonl", K::metrics, "", "p", ""},
      {"metrics.jsonl", K::metrics, "", "", ""},
      {"demo/p/timings.jsonl", K::timings, "demo", "p", ""},
      {"demo/p/evaluations.jsonl", K::evaluations, "demo", "p", ""},
      {"demo/p/evaluation.json", K::evaluation, "demo", "p", ""},
      {"demo/p/reply_loss.json", K::reply_loss, "demo", "p", ""},
      {"demo/p/simulation.json", K::simulation, "demo", "p", ""},
      {"demo/p/provenance.json", K::provenance, "demo", "p", ""},
      {"demo/p/predictions/test.jsonl", K::predictions, "demo", "p", "test"},
      {"demo/p/responses/fsm.jsonl", K::replies, "demo", "p", "fsm"},
      {"demo/p/responses/fsm.json", K::replies_about, "demo", "p", "fsm"},
      {"demo/p/responses/fsm.score.json", K::reply_scores, "demo", "p", "fsm"},
      {"demo/p/judge/fsm.jsonl", K::judgements, "demo", "p", "fsm"},
      {"demo/p/judge/fsm.json", K::judgements_about, "demo", "p", "fsm"},
      {"demo/p/human/fsm.jsonl", K::ratings, "demo", "p", "fsm"},
      {"demo/p/human/fsm.json", K::ratings_about, "demo", "p", "fsm"},
      {"demo/p/planner/model.safetensors", K::planner, "demo", "p", "model.safetensors"},
      {"demo/p/responder/config.json", K::responder, "demo", "p", "config.json"},
      {"demo/p/checkpoints/step-00000012/state-0-of-1.safetensors", K::checkpoint, "demo", "p",
       "step-00000012/state-0-of-1.safetensors"},
      {"demo/p/lock/00000003.json", K::lock, "demo", "p", "00000003"},
      {"demo/p/DONE", K::done, "demo", "p", ""},
      {"demo/p/FAILED", K::failed, "demo", "p", ""},
      {"demo/index.csv", K::index, "demo", "", ""},
      {"demo/.index/0123456789abcdef.json", K::index_points, "demo", "", "0123456789abcdef"},
      {"demo/p/dataset.json", K::dataset, "", "", ""},
      {"report/report.json", K::report, "", "", ""},
      // A point may have any name.
      {"demo/planner/metrics.jsonl", K::metrics, "demo", "planner", ""},
      {"demo/predictions/DONE", K::done, "demo", "predictions", ""},
      {"./demo//p/../p/DONE", K::done, "demo", "p", ""},
      // Nothing of the layout.
      {"demo/p/notes.txt", K::unknown, "", "", ""},
      {"demo/p/predictions/test.csv", K::unknown, "", "", ""},
      {"demo/p/responses/.jsonl", K::unknown, "", "", ""},
      {"demo/p", K::unknown, "", "", ""},
      {"../demo/p/DONE", K::unknown, "", "", ""},
      {"/demo/p/DONE", K::unknown, "", "", ""},
      {"", K::unknown, "", "", ""},
  };
  std::set<FileKind> seen;
  for (const Case& c : cases) {
    const FilePlace place = classify(c.path);
    EXPECT_EQ(place.kind, c.kind) << c.path;
    EXPECT_EQ(place.experiment, c.experiment) << c.path;
    EXPECT_EQ(place.point, c.point) << c.path;
    EXPECT_EQ(place.name, c.name) << c.path;
    seen.insert(place.kind);
  }
  EXPECT_EQ(seen.size(), layout().size() + 1) << "every kind has a case here";
}

TEST(Layout, EveryEntryIsFoundByItsKind) {
  for (const LayoutEntry& entry : layout()) EXPECT_EQ(&entry_of(entry.kind), &entry);
}

TEST(Layout, HintsNameTheCommandThatWritesTheFile) {
  EXPECT_EQ(hint_of(K::evaluation), "write the file anew with `straq evaluate`");
  EXPECT_EQ(hint_of(K::ratings), "write the file anew with `straq annotate import`");
  EXPECT_EQ(hint_of(K::reply_scores), "write the file anew with `straq score --format json`");
  EXPECT_EQ(hint_of(K::replies), "write the file anew with `straq respond`");
  EXPECT_EQ(hint_of(K::judgements), "write the file anew with `straq judge`");
  EXPECT_EQ(hint_of(K::unknown).find('`'), std::string::npos) << "no command of this program";
}

TEST(Layout, ARunFoldersPathsAreTheLayouts) {
  const RunFolder run("demo/p");
  EXPECT_EQ(classify(run.config()).kind, K::config);
  EXPECT_EQ(classify(run.provenance()).kind, K::provenance);
  EXPECT_EQ(classify(run.metrics()).kind, K::metrics);
  EXPECT_EQ(classify(run.timings()).kind, K::timings);
  EXPECT_EQ(classify(run.evaluations()).kind, K::evaluations);
  EXPECT_EQ(classify(run.evaluation()).kind, K::evaluation);
  EXPECT_EQ(classify(run.reply_loss()).kind, K::reply_loss);
  EXPECT_EQ(classify(run.responder() + "/responder.json").kind, K::responder);
  EXPECT_EQ(classify(run.predictions("valid")).name, "valid");
  EXPECT_EQ(classify(run.checkpoints() + "/step-1").kind, K::checkpoint);
}

}  // namespace
}  // namespace straq::results
