// One command of the program: a name, a line of help, its options and what it does. Each command
// lives in jobs/cmd_<name>.cpp and is listed in jobs/straq.cpp.
#pragma once

#include <CLI/CLI.hpp>
#include <functional>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "config/value.h"
#include "core/tables/table.h"
#include "report/report.h"

namespace straq::jobs {

// Options that every command has.
struct Common {
  bool quiet = false;
  bool verbose = false;
  std::string log_format = "text";
  std::string format = "text";  // of what the command prints as its result: text | json
  int ranks = 1;                // --ranks of commands that run under MPI
  bool json() const { return format == "json"; }
};

// A config file argument with --set.
struct ConfigArgument {
  std::string path;
  std::vector<std::string> sets;
  std::string from;  // a run folder or its config.yaml, to make that run again
  void add_to(CLI::App& app, bool required = true);
  // The config file or --from, one of them.
  void add_with_from_to(CLI::App& app);
  bool one_is_needed = false;
  // With `base:`, --set and variables applied; a recorded config is taken as it stands, for its
  // variables were replaced when the run was made.
  config::Value load() const;
  bool recorded() const { return !from.empty(); }
};

// Adds a command to `app`. The callback runs after the command line was parsed and returns the
// exit code; it may throw Error.
using Run = std::function<int()>;
struct Command {
  CLI::App* app;
  Run run;
};

// Prints tables to standard output in the chosen format.
void print_tables(const Common& common, const std::vector<Table>& tables);
void print_json(const nlohmann::ordered_json& json);

// Builds the report of a results folder, prints the result tables and the path of the
// HTML report. Returns the exit code.
int report_and_print(const Common& common, const std::string& results,
                     const report::ReportOptions& options);

// Each defined in its own file.
Command make_dataset(CLI::App& app, Common& common);
Command make_simulate(CLI::App& app, Common& common);
Command make_tokenizer(CLI::App& app, Common& common);
Command make_preprocess(CLI::App& app, Common& common);
Command make_train(CLI::App& app, Common& common);
Command make_sweep(CLI::App& app, Common& common);
Command make_run(CLI::App& app, Common& common);
Command make_evaluate(CLI::App& app, Common& common);
Command make_ask(CLI::App& app, Common& common);
Command make_chat(CLI::App& app, Common& common);
Command make_generate(CLI::App& app, Common& common);
Command make_respond(CLI::App& app, Common& common);
Command make_judge(CLI::App& app, Common& common);
Command make_report(CLI::App& app, Common& common);
Command make_score(CLI::App& app, Common& common);
Command make_model(CLI::App& app, Common& common);
Command make_estimate(CLI::App& app, Common& common);
Command make_doctor(CLI::App& app, Common& common);
Command make_submit(CLI::App& app, Common& common);
Command make_annotate(CLI::App& app, Common& common);

}  // namespace straq::jobs
