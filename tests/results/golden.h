// A small results folder whose every number can be checked by hand: one indexed experiment with
// finished, failed, half-written, malformed and missing points.
#pragma once

#include <string>
#include <vector>

#include "core/files/files.h"
#include "metrics/evaluation.h"
#include "results/rows/evaluation.h"
#include "results/rows/predictions.h"
#include "tests/testing.h"

namespace straq::results::golden {

// Four decisions a strategy in a set of four, `right` of each strategy's right and the rest
// predicted as the next strategy: Acc = macro-F1 = right / 4 and, by symmetry, B = 0.
inline std::vector<metrics::Prediction> rows(int right) {
  std::vector<metrics::Prediction> out;
  for (int i = 0; i < 16; ++i) {
    metrics::Prediction p;
    p.dialogue = "d/" + std::to_string(i / 8);
    p.turn = 2 * (i % 8) + 1;
    p.index = i % 8;
    p.of = 8;
    p.gold = i % 4;
    p.previous = p.index == 0 ? -1 : (i - 1) % 4;
    p.chosen = i / 4 < right ? p.gold : (p.gold + 1) % 4;
    p.q.assign(4, 0.5);
    p.q[static_cast<std::size_t>(p.chosen)] = 2;
    p.mc_return = 1.0;
    out.push_back(p);
  }
  return out;
}

inline metrics::Evaluation evaluation(int right) {
  metrics::EvaluationOptions o;
  o.strategy.strategies = 4;
  o.bootstrap.replicates = 50;
  o.gamma = 0.85;
  metrics::Evaluation e;
  e.strategies = {{"Question", "Que."},
                  {"Reflection", "Ref."},
                  {"Information & <b>more</b>", "Inf.<b>"},
                  {"Others", "Oth."}};
  auto split = metrics::evaluate_predictions(rows(right), o);
  // Round intervals, so that the expected tables can be written down.
  const double acc = right / 4.0;
  split.intervals.acc = {acc - 0.1, acc + 0.1};
  split.intervals.macro_f1 = {acc - 0.2, acc + 0.05};
  split.intervals.bias = {0.25, 1.5};
  // Two ratings a dialogue; what Q says of them is as good as what it says of strategies.
  auto rated = rows(right);
  for (auto& p : rated) p.rating = p.index == 1 ? 5 : p.index == 4 ? 2 : 0;
  split.foresight = metrics::foresight_report(rated, rated, {}, o.bootstrap);
  e.splits.emplace_back("test", split);
  auto baselines = metrics::baseline_reports(rows(right), rows(right), o);
  for (auto& b : baselines) b.intervals = split.intervals;
  e.baselines.emplace_back("test", baselines);
  return e;
}

inline std::string metrics_lines(int steps) {
  std::string out;
  for (int s = 1; s <= steps; ++s) {
    out += R"({"step":)" + std::to_string(s) + R"(,"stage":"pretrain","loss":)" +
           std::to_string(10 - s) + R"(,"grad_norm":)" + std::to_string(s) + R"(,"tokens":100})" +
           "\n";
  }
  out += R"({"step":1,"stage":"q","loss":0.5,"td_loss":0.25,"max_q":1.5})"
         "\n";
  return out;
}

inline void finished_run(const std::string& folder, int right) {
  write_file_atomic(folder + "/config.yaml", "seed: 1\nlearn:\n  gamma: 0.85\n");
  write_file_atomic(folder + "/provenance.json", R"({"version":"0.1.0","note":"</pre><script>x"})");
  write_file_atomic(folder + "/metrics.jsonl", metrics_lines(6));
  results::write_predictions(folder + "/predictions/test.jsonl", rows(right));
  results::write_evaluation(folder + "/evaluation.json", evaluation(right));
  write_file_atomic(folder + "/DONE", "");
}

// Makes the folder; returns its path (…/results).
inline std::string make(const testing::TemporaryFolder& root) {
  const std::string e = root.path("results/gamma");
  write_file_atomic(e + "/index.csv",
                    "point,state,learn.gamma,seed,reason\n"
                    "g80,done,0.8,1,\n"
                    "g90-1,done,0.9,1,\n"
                    "g90-2,done,0.9,2,\n"
                    "g99,failed,0.99,1,diverged at step 7\n"
                    "half,running,0.95,1,\n"
                    "bad,done,0.97,1,\n"
                    "later,planned,1.0,1,\n");
  finished_run(e + "/g80", 2);
  finished_run(e + "/g90-1", 3);
  finished_run(e + "/g90-2", 1);
  write_file_atomic(e + "/g99/config.yaml", "seed: 1\n");
  write_file_atomic(e + "/g99/FAILED", "diverged at step 7 <script>alert(1)</script>\n");
  write_file_atomic(e + "/half/config.yaml", "seed: 1\n");
  write_file_atomic(e + "/half/metrics.jsonl", metrics_lines(2) + R"({"step":3,"sta)");
  finished_run(e + "/bad", 2);
  write_file_atomic(e + "/bad/evaluation.json", "{\"format\": 2,\n\"splits\": {\n");
  write_file_atomic(e + "/bad/metrics.jsonl", "{\"step\":1,\"loss\":2}\nnonsense\n");
  return root.path("results");
}

}  // namespace straq::results::golden
