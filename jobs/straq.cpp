// The program: parse, choose the command, run it, turn errors into one clear message and an exit
// code.
#include <malloc.h>

#include <filesystem>
#include <iostream>

#include "comm/stop.h"
#include "command.h"
#include "core/error.h"
#include "core/json/json.h"
#include "core/log.h"
#include "experiment/provenance.h"
#include "launch_ranks.h"
#include "output.h"
#include "passive_waiting.h"
#include "results/run_folder.h"

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

namespace {

// A recorded run, given as its folder or its config.yaml, as the config that makes it again.
config::Value load_recorded(const std::string& from) {
  namespace fs = std::filesystem;
  std::error_code ec;
  const bool folder = fs::is_directory(from, ec);
  config::Value root = config::load_yaml(folder ? results::RunFolder(from).config() : from);
  if (root.kind != config::Value::Kind::map) {
    fail_input(from + ": this is no recorded config", "name a run's folder or its config.yaml");
  }
  if (root.find("base") != nullptr) {
    fail_input(from + ": a recorded config says everything itself, and this one has a `base:`",
               "name it without --from");
  }
  const config::Value* results = root.find("results");
  const fs::path base = results ? results->scalar : "results";
  root.set("results", config::Value::make_scalar((base / results::kReproducedFolder).string()));
  // A sweep's points differ by their folders; made again one by one they need names that do.
  const auto place = fs::absolute(from, ec).lexically_normal();
  const auto recorded = folder ? place : place.parent_path();
  const std::string point = (recorded / ".").parent_path().filename().string();
  const config::Value* name = root.find("name");
  const bool one_of_many = point.rfind("seed-", 0) != 0 && point.find('_') != std::string::npos;
  if (name != nullptr && one_of_many && fs::exists(recorded / results::kProvenanceFile, ec)) {
    root.set("name", config::Value::make_scalar(name->scalar + "_" + point));
  }
  return root;
}

}  // namespace

config::Value ConfigArgument::load() const {
  if (from.empty() && !path.empty()) return config::load_config(path, sets);
  if (from.empty() && one_is_needed) {
    fail_input("there is no config", "name a config file, or a recorded run with --from");
  }
  config::Value root = from.empty() ? config::Value::make_map() : load_recorded(from);
  for (const auto& s : sets) config::apply_set(root, s);
  return root;
}

void print_json(const nlohmann::ordered_json& json) {
  std::cout << dump_json(json, 2) << "\n";
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

namespace {

// Commands that save when they are asked to stop, and then end with exit code 75.
bool saves_when_stopped(const std::string& command) {
  return command == "preprocess" || command == "train" || command == "sweep" || command == "run" ||
         command == "respond" || command == "judge";
}

}  // namespace
}  // namespace straq::jobs

// Setting up libtorch and MPI takes seconds in which a signal would end the process as if it could
// not be stopped: the handlers are there before the libraries' own initialisation. (A sanitizer has
// to come first.)
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
// The first of them, because it may start the program again.
[[gnu::section(".preinit_array"),
  gnu::used]] static void (*const straq_first)(int, char**, char**) = straq::jobs::wait_passively;
[[gnu::section(".preinit_array"),
  gnu::used]] static void (*const straq_early)() = straq::comm::watch_for_stop_early;
#endif

namespace straq::jobs {
namespace {

// Runs `work` and gives the exit code of whatever it throws, after saying what it was.
int reported(const std::function<int()>& work) {
  const auto failed = static_cast<int>(ErrorKind::failure);
  try {
    return work();
  } catch (const Error& e) {
    log::error("straq", "{}", e.full());
    return e.exit_code();
  } catch (const std::bad_alloc&) {
    log::error("straq", "out of memory");
    return failed;
  } catch (const std::filesystem::filesystem_error& e) {
    log::error("straq", "{}: {}", e.path1().string(), e.code().message());
    return failed;
  } catch (const std::exception& e) {
    log::error("straq", "unexpected failure: {}", e.what());
    return failed;
  }
}

int run_program(int argc, char** argv) {
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
  experiment::remember_command_line(argc, argv);
  Common common;
  app.add_flag("--quiet", common.quiet, "log errors only");
  app.add_flag("--verbose", common.verbose, "log debugging detail");
  app.add_option("--log-format", common.log_format, "text or json, on standard error")
      ->check(CLI::IsMember({"text", "json"}));
  app.add_option("--format", common.format, "text or json, for the result on standard output")
      ->check(CLI::IsMember({"text", "json"}));

  std::vector<Command> commands = {
      // one line a command
      make_tokenizer(app, common),  make_dataset(app, common),  make_simulate(app, common),
      make_preprocess(app, common), make_train(app, common),    make_sweep(app, common),
      make_run(app, common),        make_evaluate(app, common), make_report(app, common),
      make_score(app, common),      make_model(app, common),    make_estimate(app, common),
      make_doctor(app, common),     make_submit(app, common),   make_annotate(app, common),
      make_ask(app, common),        make_chat(app, common),     make_generate(app, common),
      make_respond(app, common),    make_judge(app, common),
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
  for (auto& command : commands) {
    if (!command.app->parsed()) continue;
    launch_ranks(common.ranks, argc, argv);
    if (saves_when_stopped(command.app->get_name())) {
      comm::watch_for_stop();
    } else {
      comm::leave_stop_to_the_system();
    }
    return command.run();
  }
  return 0;
}

}  // namespace
}  // namespace straq::jobs

int main(int argc, char** argv) {
  straq::comm::watch_for_stop_early();
  straq::jobs::keep_standard_streams();
  const int code = straq::jobs::reported([&] { return straq::jobs::run_program(argc, argv); });
  return straq::jobs::finish_output(code);
}
