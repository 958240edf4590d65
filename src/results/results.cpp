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
#include "core/tables/csv.h"
#include "results/report_manifest.h"
#include "results/results_files.h"

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
  if (present(folder / "index.csv")) return false;
  for (const char* name : {"config.yaml", "provenance.json", "metrics.jsonl", "evaluation.json",
                           "responses", "judge", "human", "DONE", "FAILED"}) {
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
  const bool done = present(folder / "DONE");
  const auto failure = text_of(folder / "FAILED", run.problems);
  run.state = done ? State::done : present(folder / "FAILED") ? State::failed : State::unfinished;
  if (failure) {
    run.reason = first_lines(*failure);
    if (done) run.problems.push_back(run.path + ": both DONE and FAILED are there");
  }

  const auto need = [&](const char* name) {
    if (!present(folder / name)) run.missing.push_back(name);
  };
  need("config.yaml");
  need("provenance.json");
  // A run that only wrote, judged or rated replies trained nothing.
  const bool trains =
      !present(folder / "responses") && !present(folder / "judge") && !present(folder / "human");
  if (trains || present(folder / "metrics.jsonl")) {
    for (const char* name : {"metrics.jsonl", "predictions", "evaluation.json"}) need(name);
  }

  if (const auto text = text_of(file("config.yaml"), run.problems)) {
    run.config = *text;
    try {
      flatten(config::parse_yaml(*text, file("config.yaml")), "", run.settings);
    } catch (const std::exception& e) {
      run.problems.push_back(failure_words(file("config.yaml"), e));
    }
  }
  if (const auto text = text_of(file("provenance.json"), run.problems)) {
    nlohmann::ordered_json json;
    const std::string reason = try_parse_json(*text, json);
    if (!reason.empty()) {
      run.problems.push_back(file("provenance.json") + ": this is not valid JSON: " + reason);
      run.provenance = first_lines(*text, 20000);
    } else {
      run.provenance = dump_json(json, 2);
    }
  }
  if (const auto text = text_of(file("metrics.jsonl"), run.problems)) {
    run.steps = read_steps(file("metrics.jsonl"), *text, run.problems);
    read_timings(folder / "timings.jsonl", run.steps, run.problems);
  }
  run.replies = read_folder(folder / "responses", &read_replies, run.problems);
  run.judged = read_folder(folder / "judge", &read_judgements, run.problems);
  run.rated = read_folder(folder / "human", &read_judgements, run.problems);
  if (present(folder / "evaluation.json")) {
    try {
      run.evaluation = metrics::read_evaluation(file("evaluation.json"));
    } catch (const std::exception& e) {
      run.problems.push_back(failure_words(file("evaluation.json"), e));
    }
  }
}

// Points and parameters that index.csv plans.
std::vector<Run> read_index(const fs::path& path, std::vector<std::string>& problems) {
  std::vector<Run> runs;
  const auto text = text_of(path, problems);
  if (!text) return runs;
  CsvFile csv = read_csv(*text);
  auto& rows = csv.rows;
  for (auto& row : rows) {
    for (auto& field : row.fields) field = csv_text_read(field);
  }
  if (!csv.reason.empty()) {
    problems.push_back(at_line(path.string(), csv.line, csv.reason + "; the rest is left out"));
  }
  if (rows.empty() || rows[0].fields.empty() || rows[0].fields[0] != "point") {
    problems.push_back(at_line(path.string(), 1, "the first line must start with \"point\""));
    return runs;
  }
  const auto& head = rows[0].fields;
  std::set<std::string> seen;
  for (std::size_t r = 1; r < rows.size(); ++r) {
    const auto& fields = rows[r].fields;
    const auto complain = [&](const std::string& message) {
      problems.push_back(at_line(path.string(), rows[r].line, message));
    };
    if (fields.size() != head.size()) {
      complain(std::to_string(fields.size()) + " fields, expected " + std::to_string(head.size()) +
               "; the line is left out");
      continue;
    }
    // A point is a folder's name; anything else would read outside the experiment.
    if (fields[0].empty() || fields[0] == "." || fields[0] == ".." ||
        fields[0].find('/') != std::string::npos) {
      complain("\"" + fields[0] + "\" is no point's name; the line is left out");
      continue;
    }
    if (!seen.insert(fields[0]).second) {
      complain("the point " + fields[0] + " comes twice");
      continue;
    }
    Run run;
    run.point = fields[0];
    for (std::size_t c = 1; c < head.size(); ++c) {
      // Where it stands is read from the point's own folder, which is never behind the index.
      if (head[c] == "state" || head[c] == "kind" || head[c] == "reason") continue;
      run.parameters.emplace_back(head[c], fields[c]);
    }
    runs.push_back(std::move(run));
  }
  return runs;
}

void read_experiment(const fs::path& folder, const std::string& name, Results& results) {
  Experiment e;
  e.name = name;
  e.runs = read_index(folder / "index.csv", e.problems);
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
    read_dataset(fs::path(run.path) / "dataset.json", results);
  }
  if (!e.runs.empty() || !e.problems.empty()) results.experiments.push_back(std::move(e));
}

void visit(const fs::path& folder, const std::string& name, int depth, Results& results) {
  read_dataset(folder / "dataset.json", results);
  const auto children = child_folders(folder);
  const bool has_runs = std::any_of(children.begin(), children.end(), is_run);
  const bool indexed = present(folder / "index.csv");
  if (indexed || has_runs) {
    read_experiment(folder, name.empty() ? folder.filename().string() : name, results);
  }
  if (depth == 0 || indexed) return;
  for (const fs::path& child : children) {
    const std::string below = child.filename().string();
    if (!is_run(child)) visit(child, name.empty() ? below : name + "/" + below, depth - 1, results);
  }
}

}  // namespace

std::string to_word(State state) {
  switch (state) {
    case State::done:
      return "done";
    case State::failed:
      return "failed";
    case State::unfinished:
      return "unfinished";
    case State::not_started:
      return "not started";
  }
  return {};
}

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

Results read_results(const std::string& path) {
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
    read_dataset(root / "dataset.json", results);
    e.runs.push_back(std::move(run));
    results.experiments.push_back(std::move(e));
  } else {
    visit(root, "", kDepth, results);
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
  for (auto& d : results.datasets) d.path = results.shortened(std::move(d.path));
  for (auto& e : results.experiments) {
    shorten(e.problems);
    for (auto& run : e.runs) shorten(run.problems);
  }
  return results;
}

std::optional<std::vector<metrics::Prediction>> read_predictions_of(const Run& run,
                                                                    const std::string& split) {
  const fs::path path = fs::path(run.path) / "predictions" / (split + ".jsonl");
  const bool known = run.evaluation && !run.evaluation->strategies.empty();
  if (run.path.empty() || !known || !present(path)) return std::nullopt;
  return metrics::read_predictions(path.string(),
                                   static_cast<int>(run.evaluation->strategies.size()));
}

}  // namespace straq::results
