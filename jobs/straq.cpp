// The program: parse, choose the command, run it, turn errors into one clear message and an exit
// code.
#include <malloc.h>

#include <filesystem>
#include <iostream>

#include "command.h"
#include "coordinate/provenance.h"
#include "core/error.h"
#include "core/log.h"

namespace straq::jobs {

void ConfigArgument::add_to(CLI::App& app, bool required) {
  auto* option = app.add_option("config", path, "YAML config file");
  if (required) option->required();
  app.add_option("--set", sets, "override a key, as in --set learn.gamma=0.9 (repeatable)");
}

void ConfigArgument::add_with_from_to(CLI::App& app) {
  add_to(app, false);
  app.add_option("--from", from,
                 "make a recorded run again: its folder or config.yaml; lands in "
                 "<results>/reproduced")
      ->excludes(app.get_option("config"));
  one_is_needed = true;
}

config::Value ConfigArgument::load() const {
  config::Value root = config::Value::make_map();
  if (!from.empty()) {
    const bool folder = std::filesystem::is_directory(from);
    root = config::load_config(folder ? from + "/config.yaml" : from);
    const config::Value* results = root.find("results");
    const std::filesystem::path base = results ? results->scalar : "results";
    root.set("results", config::Value::make_scalar((base / "reproduced").string()));
    // A sweep's points differ by their folders; made again one by one they need names that do.
    const auto place = std::filesystem::absolute(from).lexically_normal();
    const auto recorded = folder ? place : place.parent_path();
    const std::string point = (recorded / ".").parent_path().filename().string();
    const config::Value* name = root.find("name");
    const bool one_of_many = point.rfind("seed-", 0) != 0 && point.find('_') != std::string::npos;
    if (name != nullptr && one_of_many && std::filesystem::exists(recorded / "provenance.json")) {
      root.set("name", config::Value::make_scalar(name->scalar + "_" + point));
    }
  } else if (!path.empty()) {
    root = config::load_config(path);
  } else if (one_is_needed) {
    fail_input("there is no config", "name a config file, or a recorded run with --from");
  }
  for (const auto& s : sets) config::apply_set(root, s);
  return root;
}

void print_json(const nlohmann::ordered_json& json) {
  std::cout << json.dump(2, ' ', false, nlohmann::json::error_handler_t::replace) << "\n";
}

void print_tables(const Common& common, const std::vector<Table>& tables) {
  if (common.json()) {
    nlohmann::ordered_json out = nlohmann::ordered_json::array();
    for (const auto& t : tables) out.push_back(t.to_json());
    print_json(out);
    return;
  }
  for (std::size_t i = 0; i < tables.size(); ++i)
    std::cout << (i ? "\n" : "") << tables[i].to_text();
}

}  // namespace straq::jobs

int main(int argc, char** argv) {
  using namespace straq;
  // A step frees and takes the same large blocks again: giving them back to the kernel each time
  // costs a page fault for every 4 KiB that comes back.
  mallopt(M_MMAP_THRESHOLD, 1 << 30);
  mallopt(M_TRIM_THRESHOLD, 1 << 30);
  mallopt(M_TOP_PAD, 64 << 20);
  CLI::App app{
      "straq: a value-based strategic planner for emotional support conversation.\n"
      "Corpora become HDF5 shards, shards train planners, results folders become reports.",
      "straq"};
  app.set_version_flag("--version", STRAQ_VERSION);
  app.require_subcommand(1);
  app.fallthrough();
  coordinate::remember_command_line(argc, argv);
  jobs::Common common;
  app.add_flag("--quiet", common.quiet, "log errors only");
  app.add_flag("--verbose", common.verbose, "log debugging detail");
  app.add_option("--log-format", common.log_format, "text or json, on standard error")
      ->check(CLI::IsMember({"text", "json"}));
  app.add_option("--format", common.format, "text or json, for the result on standard output")
      ->check(CLI::IsMember({"text", "json"}));

  std::vector<jobs::Command> commands = {
      // one line a command
      jobs::make_tokenizer(app, common), jobs::make_dataset(app, common),
      jobs::make_simulate(app, common),  jobs::make_preprocess(app, common),
      jobs::make_train(app, common),     jobs::make_sweep(app, common),
      jobs::make_run(app, common),       jobs::make_evaluate(app, common),
      jobs::make_report(app, common),    jobs::make_score(app, common),
      jobs::make_model(app, common),     jobs::make_estimate(app, common),
      jobs::make_doctor(app, common),    jobs::make_submit(app, common),
      jobs::make_annotate(app, common),
  };

  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& e) {
    return app.exit(e) == 0 ? 0 : static_cast<int>(ErrorKind::input);
  }
  log::setup(common.quiet     ? log::Level::error
             : common.verbose ? log::Level::debug
                              : log::Level::info,
             common.log_format == "json" ? log::Format::json : log::Format::text);
  try {
    for (auto& command : commands) {
      if (command.app->parsed()) return command.run();
    }
  } catch (const Error& e) {
    log::error("straq", "{}", e.full());
    return e.exit_code();
  } catch (const std::exception& e) {
    log::error("straq", "unexpected failure: {}", e.what());
    return static_cast<int>(ErrorKind::failure);
  }
  return 0;
}
