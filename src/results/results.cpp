#include "results/results.h"

#include <algorithm>
#include <cctype>
#include <filesystem>
#include <map>
#include <set>

#include "config/value.h"
#include "core/error.h"
#include "core/files/files.h"
#include "core/json/json.h"
#include "results/layout.h"
#include "results/point_name.h"
#include "results/results_files.h"
#include "results/rows/evaluation.h"
#include "results/rows/index_rows.h"
#include "results/rows/predictions.h"
#include "results/rows/report_manifest.h"
#include "results/run_folder.h"

namespace straq::results {
namespace fs = std::filesystem;
namespace {

constexpr int kDepth = 4;  // results/<group>/<experiment>/<point> and a level to spare

bool is_folder(const fs::path& path) {
  std::error_code ec;
  return fs::is_directory(path, ec);
}

// A run has one of its files; a folder with an index is an experiment whatever else it holds.
bool is_run(const fs::path& folder) {
  if (present(folder / kIndexFile)) return false;
  for (const char* name : {kConfigFile, kProvenanceFile, kMetricsFile, kEvaluationFile,
                           kRepliesFolder, kJudgeFolder, kHumanFolder, kDoneFile, kFailedFile}) {
    if (present(folder / name)) return true;
  }
  return false;
}

std::vector<fs::path> child_folders(const fs::path& folder) {
  std::vector<fs::path> out;
  std::error_code ec;
  for (fs::directory_iterator it(folder, ec), end; !ec && it != end; it.increment(ec)) {
    const std::string name = it->path().filename().string();
    if (name.empty() || name[0] == '.' || !is_folder(it->path())) continue;
    if (is_report_folder(it->path())) continue;  // an earlier report inside the results
    out.push_back(it->path());
  }
  std::sort(out.begin(), out.end());
  return out;
}

void flatten(const config::Value& v, const std::string& prefix,
             std::vector<std::pair<std::string, std::string>>& out) {
  if (v.kind == config::Value::Kind::scalar) out.emplace_back(prefix, v.scalar);
  for (const auto& [key, child] : v.map) {
    flatten(child, prefix.empty() ? key : prefix + "." + key, out);
  }
}

std::string first_lines(std::string text, std::size_t most = 600) {
  while (!text.empty() && std::isspace(static_cast<unsigned char>(text.back()))) text.pop_back();
  if (text.size() <= most) return text;
  text.resize(most);
  while (!text.empty() && (static_cast<unsigned char>(text.back()) & 0xC0) == 0x80) text.pop_back();
  if (!text.empty() && static_cast<unsigned char>(text.back()) >= 0xC0) text.pop_back();
  return text + " …";
}

void read_run(Run& run) {
  const fs::path folder(run.path);
  const auto file = [&](const char* name) { return (folder / name).string(); };
  run.state = marked_state(run.path);
  const auto failure = text_of(folder / kFailedFile, run.problems);
  if (failure) {
    run.reason = first_lines(*failure);
    if (run.state == PointState::done)
      run.problems.push_back(run.path + ": both DONE and FAILED are there");
  }

  const auto need = [&](const char* name) {
    if (!present(folder / name)) run.missing.push_back(name);
  };
  need(kConfigFile);
  need(kProvenanceFile);
  // A run that only wrote, judged or rated replies trained nothing.
  const bool trains = !present(folder / kRepliesFolder) && !present(folder / kJudgeFolder) &&
                      !present(folder / kHumanFolder);
  if (trains || present(folder / kMetricsFile)) {
    need(kMetricsFile);
    if (present(folder / kResponderFolder)) {
      need(kReplyLossFile);
    } else {
      for (const char* name : {kPredictionsFolder, kEvaluationFile}) need(name);
    }
  }

  if (const auto text = text_of(file(kConfigFile), run.problems)) {
    run.config = *text;
    try {
      flatten(config::parse_yaml(*text, file(kConfigFile)), "", run.settings);
    } catch (const std::exception& e) {
      run.problems.push_back(failure_words(file(kConfigFile), e));
    }
  }
  if (const auto text = text_of(file(kProvenanceFile), run.problems)) {
    nlohmann::ordered_json json;
    const std::string reason = try_parse_json(*text, json);
    if (!reason.empty()) {
      run.problems.push_back(file(kProvenanceFile) + ": this is not valid JSON: " + reason);
      run.provenance = first_lines(*text, 20000);
    } else {
      run.provenance = dump_json(json, 2);
      run.known = known_provenance(json);
    }
  }
  if (const auto text = text_of(file(kMetricsFile), run.problems)) {
    run.steps = read_steps(file(kMetricsFile), *text, run.problems);
    const auto timings = text_of(folder / kTimingsFile, run.problems);
    if (timings) add_timings(*timings, run.steps);
  }
  if (const auto text = text_of(folder / kEvaluationsFile, run.problems)) {
    run.validations = read_validations(file(kEvaluationsFile), *text, run.problems);
  }
  run.replies = read_folder(folder / kRepliesFolder, &read_replies, run.problems);
  run.judged = read_folder(folder / kJudgeFolder, &read_judgements, run.problems);
  run.rated = read_folder(folder / kHumanFolder, &read_judgements, run.problems);
  if (present(folder / kEvaluationFile)) {
    try {
      run.evaluation = read_evaluation(file(kEvaluationFile));
    } catch (const std::exception& e) {
      run.problems.push_back(failure_words(file(kEvaluationFile), e));
    }
  }
  if (present(folder / kReplyLossFile)) {
    try {
      run.reply_losses = read_reply_losses(file(kReplyLossFile));
    } catch (const std::exception& e) {
      run.problems.push_back(failure_words(file(kReplyLossFile), e));
    }
  }
  if (present(folder / kSimulationFile)) {
    try {
      run.simulation = read_simulation(file(kSimulationFile));
    } catch (const std::exception& e) {
      run.problems.push_back(failure_words(file(kSimulationFile), e));
    }
  }
}

// Points and parameters that index.csv plans. Where a point stands is read from its own folder,
// which is never behind the index.
std::vector<Run> planned_runs(const fs::path& path, std::vector<std::string>& problems) {
  std::vector<Run> runs;
  const auto text = text_of(path, problems);
  if (!text) return runs;
  for (IndexRow& row : parse_index(path.string(), *text, problems).rows) {
    Run run;
    run.point = std::move(row.point);
    run.parameters = std::move(row.parameters);
    runs.push_back(std::move(run));
  }
  return runs;
}

void read_experiment(const fs::path& folder, const std::string& name, Results& results) {
  Experiment e;
  e.name = name;
  e.runs = planned_runs(folder / kIndexFile, e.problems);
  std::set<std::string> planned;
  for (Run& run : e.runs) {
    planned.insert(run.point);
    if (is_folder(folder / run.point)) run.path = (folder / run.point).string();
  }
  for (const fs::path& child : child_folders(folder)) {
    const std::string point = child.filename().string();
    if (planned.count(point) > 0 || !is_run(child)) continue;
    Run run;
    run.point = point;
    run.path = child.string();
    e.runs.push_back(std::move(run));
  }
  for (Run& run : e.runs) {
    run.experiment = e.name;
    if (run.path.empty()) continue;
    read_run(run);
    read_dataset(fs::path(run.path) / kDatasetFile, results);
  }
  if (!e.runs.empty() || !e.problems.empty()) results.experiments.push_back(std::move(e));
}

// What a results folder holds, experiment by experiment.
void visit(const fs::path& folder, const std::string& name, int depth, const ReadOptions& options,
           Results& results) {
  read_dataset(folder / kDatasetFile, results);
  auto children = child_folders(folder);
  std::erase_if(children, [&](const fs::path& child) {
    const bool again = !options.reproduced && child.filename() == kReproducedFolder;
    if (again) results.left_out.push_back(child.string());
    return again;
  });
  const bool has_runs = std::any_of(children.begin(), children.end(), is_run);
  const bool indexed = present(folder / kIndexFile);
  if (indexed || has_runs) {
    read_experiment(folder, name.empty() ? folder.filename().string() : name, results);
  }
  if (depth == 0 || indexed) return;
  for (const fs::path& child : children) {
    const std::string below = child.filename().string();
    if (!is_run(child)) {
      visit(child, name.empty() ? below : name + "/" + below, depth - 1, options, results);
    }
  }
}

}  // namespace

std::optional<std::string> Run::parameter(const std::string& key) const {
  for (const auto* list : {&parameters, &settings}) {
    for (const auto& [k, v] : *list) {
      if (k == key) return v;
    }
  }
  return std::nullopt;
}

bool is_seed(const std::string& key) {
  return std::find(kSeedKeys.begin(), kSeedKeys.end(), key) != kSeedKeys.end();
}

std::optional<std::string> Run::seed() const {
  for (const auto& key : kSeedKeys) {
    if (auto v = parameter(key)) return v;
  }
  return std::nullopt;
}

std::optional<std::string> Run::given_name() const {
  return results::given_name(point, parameters);
}

const metrics::SplitEvaluation* Run::split(const std::string& name) const {
  if (!evaluation) return nullptr;
  for (const auto& [split, e] : evaluation->splits) {
    if (split == name) return &e;
  }
  return nullptr;
}

std::string Results::shortened(std::string message) const {
  if (prefix.empty()) return message;
  for (std::size_t at; (at = message.find(prefix)) != std::string::npos;) {
    message.erase(at, prefix.size());
  }
  return message;
}

std::vector<const Run*> Results::runs() const {
  std::vector<const Run*> out;
  for (const auto& e : experiments) {
    for (const auto& run : e.runs) out.push_back(&run);
  }
  return out;
}

std::vector<std::string> Results::splits() const {
  std::vector<std::string> out;
  for (const Run* run : runs()) {
    if (!run->evaluation) continue;
    for (const auto& [split, e] : run->evaluation->splits) {
      if (std::find(out.begin(), out.end(), split) == out.end()) out.push_back(split);
    }
  }
  std::stable_sort(out.begin(), out.end(),
                   [](const auto& a, const auto& b) { return a == "test" && b != "test"; });
  return out;
}

Results read_results(const std::string& path, const ReadOptions& options) {
  std::error_code ec;
  const fs::path root = fs::weakly_canonical(path, ec);
  if (ec || !is_folder(root)) {
    fail_input("cannot report on " + path + ": it is no folder",
               "name a results folder, one experiment or one run");
  }
  Results results;
  results.name = root.filename().string();
  if (is_run(root)) {
    Experiment e;
    e.name = root.parent_path().filename().string();
    Run run;
    run.experiment = e.name;
    run.point = results.name;
    run.path = root.string();
    read_run(run);
    read_dataset(root / kDatasetFile, results);
    e.runs.push_back(std::move(run));
    results.experiments.push_back(std::move(e));
  } else {
    visit(root, "", kDepth, options, results);
  }
  if (results.runs().empty()) {
    std::string message = "there is no run in " + path;
    for (const auto& e : results.experiments) {
      for (const auto& problem : e.problems) message += "; " + problem;
    }
    fail_input(message,
               "a run is a folder with config.yaml, metrics.jsonl or evaluation.json; "
               "`straq run` makes one");
  }
  if (root.has_parent_path() && root.parent_path() != root.root_path()) {
    results.prefix = root.parent_path().string() + "/";
  }
  const auto shorten = [&](std::vector<std::string>& messages) {
    for (auto& m : messages) m = results.shortened(std::move(m));
  };
  shorten(results.problems);
  shorten(results.left_out);
  for (auto& d : results.datasets) d.path = results.shortened(std::move(d.path));
  for (auto& e : results.experiments) {
    shorten(e.problems);
    for (auto& run : e.runs) shorten(run.problems);
  }
  return results;
}

std::optional<std::vector<metrics::Prediction>> read_predictions_of(const Run& run,
                                                                    const std::string& split) {
  const std::string path = RunFolder(run.path).predictions(split);
  const bool known = run.evaluation && !run.evaluation->strategies.empty();
  if (run.path.empty() || !known || !present(path)) return std::nullopt;
  return read_predictions(path, static_cast<int>(run.evaluation->strategies.size()));
}

}  // namespace straq::results
