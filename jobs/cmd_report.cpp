// straq report: tables, figures and one HTML page from a results folder.
#include <iostream>
#include <memory>

#include "command.h"
#include "core/log.h"
#include "experiment/provenance.h"
#include "report/compare/explain.h"
#include "report/report.h"

namespace straq::jobs {

int report_and_print(const Common& common, const std::string& results,
                     const report::ReportOptions& options) {
  report::ReportOptions with_program = options;
  with_program.program = "straq " + experiment::program_version();
  const auto result = report::write_report(results, with_program);
  for (const auto& w : result.warnings) log::warn("report", "{}", w);
  for (const auto& r : result.remarks) log::info("report", "{}", r);
  if (common.json()) {
    nlohmann::ordered_json j;
    j["report"] = result.html;
    j["runs"] = result.runs;
    j["figures"] = result.figures;
    j["warnings"] = result.warnings;
    j["remarks"] = result.remarks;
    j["missing_tables"] = result.missing_tables;
    j["missing_figures"] = result.missing_figures;
    j["tables"] = nlohmann::ordered_json::array();
    for (const auto& t : result.tables) j["tables"].push_back(t.to_json());
    print_json(j);
    return 0;
  }
  // Before anything is evaluated the overview says what there is instead.
  print_tables(common,
               result.results.empty() ? std::vector<Table>{result.tables.front()} : result.results);
  std::cout << "\nReport: " << result.html << "\n";
  return 0;
}

Command make_report(CLI::App& app, Common& common) {
  auto path = std::make_shared<std::string>();
  auto options = std::make_shared<report::ReportOptions>();
  CLI::App* sub = app.add_subcommand(
      "report", "tables, figures and one HTML page from a results folder, and from nothing else");
  sub->add_option("results", *path, "a results folder, one experiment or one run")->required();
  sub->add_option("--out", options->out, "where to write (default: RESULTS/report)");
  sub->add_option("--parameter", options->sensitivity,
                  "a parameter that is drawn beside those that index.csv says were swept; also "
                  "one of config.yaml alone");
  sub->add_option("--run-figures", options->most_run_figures,
                  "how many runs get figures of their own")
      ->capture_default_str()
      ->check(CLI::NonNegativeNumber);
  sub->add_option(
      "--paper", options->paper,
      "the paper's own numbers (default: configs/paper_reference.yaml where it is, else those "
      "that the program was built with); none: a report of one's own, without the paper's rows, "
      "findings and verdicts");
  sub->add_option(
      "--rank-by", options->rank_by,
      "sort Table 1 by acc, macro_f1, bleu2 or rouge_l instead of the paper's order; bias alone "
      "is refused");
  sub->add_option("--proposed", options->proposed,
                  "method, or name of a point, that the tests compare the others with (default: "
                  "straq_imit)");
  sub->add_option(
         "--compare", options->compare,
         "two settings or runs A B: differences with intervals and p for every metric, over "
         "dialogues and seeds (repeatable)")
      ->type_name("A B")
      ->allow_extra_args(false);
  sub->add_option("--columns", options->latex.columns,
                  "metrics of the .tex, in this order: acc,macro_f1,bias (also n, seeds)")
      ->delimiter(',')
      ->allow_extra_args(false);
  sub->add_option("--methods", options->methods,
                  "rows of the .tex, in this order: methods, names of points, titles, majority, "
                  "repeat_last, markov1")
      ->delimiter(',')
      ->allow_extra_args(false);
  sub->add_option_function<std::string>(
      "--interval",
      [options](const std::string& word) {
        options->latex.interval = report::latex_interval(word);
      },
      "intervals in the .tex: none, pm (±, the default) or range");
  sub->add_flag("--paper-numbers", options->latex.paper, "the paper's own numbers in the .tex too");
  sub->add_option("--style", options->style,
                  "a file of gnuplot that every figure loads (beside OUT/style.gp, which is loaded "
                  "last and never written)");
  sub->add_option("--case", options->case_dialogue,
                  "dialogue of the case study (default: the one that most methods replied to)");
  sub->add_flag("--reproduced", options->reproduced,
                "also show runs that `straq run --from` made again (reproduced/)");
  sub->add_option("--gnuplot", options->gnuplot, "the gnuplot program")->capture_default_str();
  auto explained = std::make_shared<std::vector<std::string>>();
  sub->add_option(
         "--explain", *explained,
         "print where a cell comes from, TABLE METHOD METRIC, and write nothing: --explain "
         "table1 straq_imit acc")
      ->expected(3)
      ->type_name("TABLE METHOD METRIC");
  sub->footer(
      "Examples:\n"
      "  straq report results/ --out report/\n"
      "  straq report results/mi --paper none --compare bellman imitation_ce\n"
      "  straq report results/mi --columns acc,macro_f1 --methods bellman,imitation_ce,markov1 "
      "--interval range\n"
      "  straq report results/mi --explain table1_mi bellman acc");
  return {sub, [path, options, explained, &common] {
            if (!explained->empty()) {
              const auto& words = *explained;
              print_tables(
                  common,
                  {report::explain(*path, {words[0], words[1], words[2], options->reproduced})});
              return 0;
            }
            return report_and_print(common, *path, *options);
          }};
}

}  // namespace straq::jobs
