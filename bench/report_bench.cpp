// Writes a results folder as a large sweep leaves it, for report_bench.sh to time: every point with
// 500 steps, the predictions of a whole test split and their evaluation, and a reply to every
// decision at each tenth point. Choices and words are drawn at random; their numbers are those of
// ESConv's test split.
#include <CLI/CLI.hpp>
#include <cmath>
#include <cstdio>
#include <iostream>
#include <string>
#include <vector>

#include "core/error.h"
#include "core/files/files.h"
#include "core/rng.h"
#include "metrics/evaluation.h"
#include "results/rows/evaluation.h"
#include "results/rows/predictions.h"

namespace {

using namespace straq;

constexpr int kDialogues = 195, kDecisions = 2295, kStrategies = 8, kSteps = 500;
constexpr int kGammas = 10, kSeeds = 5, kRepliesEvery = 10;
constexpr double kGamma = 0.85;

std::vector<metrics::StrategyLabel> labels() {
  return {{"Question", "Que."},
          {"Restatement or Paraphrasing", "Res.& Par."},
          {"Reflection of feelings", "Ref."},
          {"Self-disclosure", "Self-Dis."},
          {"Affirmation and Reassurance", "Aff.& Rea."},
          {"Providing Suggestions", "Pro."},
          {"Information", "Inf."},
          {"Others", "Others"}};
}

int strategy(CounterRng& rng) {
  return static_cast<int>(rng.below(kStrategies));
}

// The corpus's side is the same for every point, the planner's is drawn by `point`.
std::vector<metrics::Prediction> predictions(std::uint64_t point) {
  CounterRng corpus(1, "report_bench_corpus"), planner(point, "report_bench_planner");
  std::vector<metrics::Prediction> out;
  for (int d = 0; d < kDialogues; ++d) {
    const int of = kDecisions / kDialogues + (d < kDecisions % kDialogues);
    int previous = -1;
    for (int i = 0; i < of; ++i) {
      metrics::Prediction p;
      p.dialogue = "test/" + std::to_string(d);
      p.turn = 2 * i + 1;
      p.index = i;
      p.of = of;
      p.gold = strategy(corpus);
      p.previous = previous;
      p.chosen = planner.below(10) < 3 ? p.gold : strategy(planner);
      for (int s = 0; s < kStrategies; ++s) {
        p.q.push_back(1e-6 * static_cast<double>(planner.below(1000000)));
      }
      p.q[static_cast<std::size_t>(p.chosen)] += 1;
      p.mc_return = (1 - std::pow(kGamma, of - i)) / (1 - kGamma);
      previous = p.gold;
      out.push_back(std::move(p));
    }
  }
  return out;
}

std::string sentence(CounterRng& rng) {
  std::string out;
  for (int w = 0; w < 17; ++w) out += (w ? " w" : "w") + std::to_string(rng.below(3000));
  return out + " .";
}

std::string replies(const std::vector<metrics::Prediction>& rows, std::uint64_t point) {
  CounterRng corpus(1, "report_bench_references"), planner(point, "report_bench_replies");
  const auto names = labels();
  std::string out;
  for (const auto& p : rows) {
    const std::string reference = sentence(corpus);
    nlohmann::ordered_json row;
    row["id"] = p.id();
    row["dialogue"] = p.dialogue;
    row["query"] = sentence(corpus);
    row["strategy"] = names[static_cast<std::size_t>(p.gold)].name;
    row["chosen"] = names[static_cast<std::size_t>(p.chosen)].name;
    row["hypothesis"] = planner.below(4) == 0 ? reference : sentence(planner);
    row["reference"] = reference;
    out += row.dump() + "\n";
  }
  return out;
}

std::string steps() {
  std::string out;
  char line[200];
  for (int s = 1; s <= kSteps; ++s) {
    const double loss = 1.5 + 2 * std::exp(-s / 60.0);
    std::snprintf(line, sizeof line,
                  R"({"step":%d,"stage":"q","loss":%.9f,"td_loss":1.2,"td_abs":0.512345678,)"
                  R"("max_q":2.123456789,"grad_norm":3.5,"decisions":64,"tokens":6745})"
                  "\n",
                  s, loss);
    out += line;
  }
  return out;
}

void write_point(const std::string& folder, std::uint64_t point, const std::string& step_lines) {
  const auto rows = predictions(point);
  metrics::EvaluationOptions options;
  options.bootstrap.replicates = 100;
  options.gamma = kGamma;
  metrics::Evaluation e;
  e.strategies = labels();
  e.splits.emplace_back("test", metrics::evaluate_predictions(rows, options));
  e.baselines.emplace_back("test", metrics::baseline_reports(rows, rows, options));
  results::write_evaluation(folder + "/evaluation.json", e);
  results::write_predictions(folder + "/predictions/test.jsonl", rows);
  write_file_atomic(folder + "/metrics.jsonl", step_lines);
  write_file_atomic(folder + "/config.yaml",
                    "data: {name: esconv, split: official}\nlearn:\n  planner: q\n  reward: {kind: "
                    "imitation}\n");
  write_file_atomic(folder + "/provenance.json", "{\"version\": \"bench\"}\n");
  if (point % kRepliesEvery == 0) {
    write_file_atomic(folder + "/responses/straq_imit.jsonl", replies(rows, point));
  }
  write_file_atomic(folder + "/DONE", "");
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app{"Writes a results folder of many points with the sizes of real ones."};
  std::string out;
  std::uint64_t points = 500;
  app.add_option("out", out, "folder of the experiment")->required();
  app.add_option("points", points, "how many")->check(CLI::PositiveNumber);
  CLI11_PARSE(app, argc, argv);
  try {
    const std::string step_lines = steps();
    std::string index = "point,state,learn.gamma,learn.lr,seed,reason\n";
    for (std::uint64_t p = 0; p < points; ++p) {
      const std::string name = "p" + std::to_string(p);
      const auto setting = p / kSeeds;
      index += name + ",done,0." + std::to_string(setting % kGammas) + "," +
               std::to_string(setting / kGammas + 1) + "e-4," + std::to_string(p % kSeeds) + ",\n";
      write_point(out + "/" + name, p, step_lines);
    }
    write_file_atomic(out + "/index.csv", index);
  } catch (const Error& e) {
    std::cerr << e.what() << "\n";
    return 1;
  }
  return 0;
}
