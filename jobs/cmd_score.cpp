// straq score: response metrics of anyone's replies against references.
#include <iostream>
#include <memory>

#include "command.h"
#include "core/error.h"
#include "core/json/json.h"
#include "metrics/metric.h"
#include "metrics/response_report.h"

namespace straq::jobs {
namespace {

using namespace metrics;

struct ScoreOptions {
  std::string hypotheses;
  std::vector<std::string> references;
  std::string tokenize = "nltk", bleu = "method3";
  double beta = 1.2;
  BootstrapOptions bootstrap;
  bool pairs = false;
};

ResponseOptions response_options(const ScoreOptions& o) {
  ResponseOptions out;
  if (o.tokenize == "whitespace") out.tokenization = Tokenization::whitespace;
  if (o.bleu == "coco") out.bleu = BleuVariant::coco;
  out.rouge_beta = o.beta;
  return out;
}

Cell shown(const ReplyMetric& metric, double value) {
  return Cell::real(metric.scale() * value, metric.decimals);
}

Table overall_table(const ResponseReport& report, bool dialogues_known) {
  Table table;
  table.id = "response_metrics";
  const ResponseScores& all = report.overall;
  table.title = std::to_string(all.n) + " replies";
  if (dialogues_known) table.title += " of " + std::to_string(all.clusters) + " dialogues";
  table.columns = {"metric", "value"};
  if (all.intervals) table.columns.insert(table.columns.end(), {"low", "high"});
  for (const auto& m : reply_metrics()) {
    std::vector<Cell> row = {m.key, shown(m, all[m.which])};
    if (all.intervals) {
      row.push_back(shown(m, (*all.intervals)[m.which].low));
      row.push_back(shown(m, (*all.intervals)[m.which].high));
    }
    table.add(std::move(row));
  }
  table.notes.push_back("times 100, lengths in tokens; tokens " +
                        to_word(report.options.tokenization) + ", BLEU " +
                        to_word(report.options.bleu));
  if (all.intervals) {
    table.notes.push_back(
        std::string("low and high: 95 % interval over ") +
        (dialogues_known
             ? "dialogues"
             : "single replies, too narrow if several are of one dialogue: give \"dialogue\""));
  }
  if (report.bootstrap && !all.intervals) {
    table.notes.push_back("without intervals: all replies are of one dialogue");
  }
  if (all.empty > 0) table.notes.push_back(std::to_string(all.empty) + " replies are empty");
  return table;
}

Table subset_table(const std::string& by,
                   const std::vector<std::pair<std::string, ResponseScores>>& subsets) {
  Table table;
  table.id = "response_metrics_by_" + by;
  table.title = "by " + by;
  table.columns = {by, "n"};
  std::vector<const ReplyMetric*> columns;
  for (const auto& m : reply_metrics()) {
    if (m.shown.subsets) columns.push_back(&m);
  }
  for (const auto* m : columns) table.columns.push_back(m->key);
  for (const auto& [name, scores] : subsets) {
    std::vector<Cell> row = {name, Cell(static_cast<long>(scores.n))};
    for (const auto* m : columns) row.push_back(shown(*m, scores[m->which]));
    table.add(std::move(row));
  }
  table.notes.push_back("CIDEr's idf and Dist-n are the subset's own: compare equal sizes only");
  return table;
}

void print_pairs(const std::vector<ResponsePair>& pairs, const ResponseOptions& options) {
  const auto sums = sums_by_pair(pairs, options);
  for (std::size_t i = 0; i < pairs.size(); ++i) {
    const TokenPair tokens = tokenize(pairs[i], options.tokenization);
    nlohmann::ordered_json row;
    row["id"] = pairs[i].id;
    row["hypothesis"] = tokens.hypothesis;
    row["references"] = tokens.references;
    const auto scores = additive_scores(sums[i], options.bleu);
    for (const auto& m : reply_metrics()) {
      if (m.shown.pairs) row[m.key] = scores[m.which];
    }
    std::cout << dump_json(row) << "\n";
  }
}

int score(const ScoreOptions& o, const Common& common) {
  const auto pairs = read_responses(o.hypotheses, o.references);
  const ResponseOptions options = response_options(o);
  if (o.pairs) {
    print_pairs(pairs, options);
    return 0;
  }
  std::optional<BootstrapOptions> bootstrap;
  if (o.bootstrap.replicates > 0) bootstrap = o.bootstrap;
  const ResponseReport report = response_report(pairs, options, bootstrap);
  if (common.json()) {
    print_json(report.to_json());
    return 0;
  }
  std::vector<Table> tables = {overall_table(report, !pairs[0].dialogue.empty())};
  if (!report.by_strategy.empty()) tables.push_back(subset_table("strategy", report.by_strategy));
  if (!report.by_emotion.empty()) tables.push_back(subset_table("emotion", report.by_emotion));
  print_tables(common, tables);
  return 0;
}

}  // namespace

Command make_score(CLI::App& app, Common& common) {
  auto o = std::make_shared<ScoreOptions>();
  auto* c = app.add_subcommand("score", "BLEU, ROUGE-L, Dist-n, CIDEr and F1 of replies");
  c->add_option("--hyp", o->hypotheses,
                "replies: text, one a line, or JSON rows with ids, told by what the file holds")
      ->required();
  c->add_option("--ref", o->references,
                "references in the same form (repeatable: several references a reply); not needed "
                "where the JSON rows of --hyp have their own");
  c->add_option("--tokenize", o->tokenize, "nltk: lower case, sentences, NLTK's word rules")
      ->check(CLI::IsMember({"nltk", "whitespace"}));
  c->add_option("--bleu", o->bleu, "nltk's smoothing method 3, or pycocoevalcap's BLEU")
      ->check(CLI::IsMember({"method3", "coco"}));
  c->add_option("--beta", o->beta, "weight of recall in ROUGE-L; 1 is the balanced F")
      ->check(CLI::PositiveNumber);
  c->add_option("--bootstrap", o->bootstrap.replicates, "replicates of the intervals; 0 for none")
      ->check(CLI::Range(0, 1000000));
  c->add_option("--seed", o->bootstrap.seed, "of the bootstrap");
  c->add_flag("--pairs", o->pairs, "print each pair's tokens and scores instead, a JSON row each");
  c->footer(
      "Example: straq score --hyp replies.txt --ref humans.txt --tokenize nltk --format json");
  return {c, [=, &common] { return score(*o, common); }};
}

}  // namespace straq::jobs
