#include "coordinate/sweep.h"

#include <algorithm>
#include <filesystem>
#include <set>

#include "core/error.h"
#include "core/files.h"
#include "core/table.h"

namespace straq::coordinate {
namespace fs = std::filesystem;
namespace {

// A value as part of a folder name: the file's stem for a path, no odd characters.
std::string folder_word(const std::string& value) {
  std::string word = value;
  if (word.find('/') != std::string::npos) word = fs::path(word).stem().string();
  std::replace_if(
      word.begin(), word.end(),
      [](unsigned char c) { return !(std::isalnum(c) || c == '.' || c == '-'); }, '-');
  return word.empty() ? "none" : word;
}

struct Axis {
  std::string key;
  std::vector<config::Value> values;
};

}  // namespace

const char* name(PointState state) {
  switch (state) {
    case PointState::missing:
      return "missing";
    case PointState::running:
      return "running";
    case PointState::stopped:
      return "stopped";
    case PointState::done:
      return "done";
    case PointState::failed:
      return "failed";
  }
  return "?";
}

std::vector<Point> expand_points(const config::Value& root) {
  std::vector<Axis> axes;
  std::vector<std::string> seeds;
  config::Value base = root;
  std::erase_if(base.map, [](const auto& kv) { return kv.first == "sweep"; });
  if (const config::Value* sweep = root.find("sweep")) {
    if (const config::Value* grid = sweep->find("grid")) {
      for (const auto& [key, values] : grid->map) {
        if (values.kind != config::Value::Kind::list || values.list.empty()) {
          fail_input(values.where() + ": sweep.grid." + key + ": expected a list of values",
                     "for example " + key + ": [0.5, 0.85]");
        }
        for (const auto& v : values.list) {
          if (v.kind != config::Value::Kind::scalar) {
            fail_input(values.where() + ": sweep.grid." + key + ": a grid takes plain values");
          }
        }
        axes.push_back({key, values.list});
      }
    }
    if (const config::Value* list = sweep->find("seeds")) {
      for (const auto& v : list->list) seeds.push_back(v.scalar);
    }
  }
  if (seeds.empty()) {
    const config::Value* seed = root.find("seed");
    seeds.push_back(seed ? seed->scalar : "1");
  }

  std::vector<Point> points;
  std::set<std::string> names;
  std::vector<std::size_t> at(axes.size(), 0);
  while (true) {
    for (const auto& seed : seeds) {
      Point p;
      p.config = base;
      for (std::size_t i = 0; i < axes.size(); ++i) {
        const config::Value& v = axes[i].values[at[i]];
        const std::string& key = axes[i].key;
        p.parameters.emplace_back(key, v.scalar);
        if (!p.name.empty()) p.name += '_';
        p.name.append(key, key.rfind('.') + 1).append("-").append(folder_word(v.scalar));
        config::apply_set(p.config, key + "=" + config::to_yaml(v));
      }
      p.parameters.emplace_back("seed", seed);
      p.name.append(p.name.empty() ? "seed-" : "_seed-").append(folder_word(seed));
      config::apply_set(p.config, "seed=" + seed);
      if (!names.insert(p.name).second) {
        fail_input(root.where() + ": two points of the sweep would share the folder " + p.name,
                   "remove the value that appears twice");
      }
      points.push_back(std::move(p));
    }
    std::size_t i = axes.size();
    while (i > 0 && ++at[i - 1] == axes[i - 1].values.size()) at[--i] = 0;
    if (i == 0) return points;
  }
}

PointState state_of(const std::string& experiment_folder, const Point& point) {
  const fs::path folder = fs::path(experiment_folder) / point.name;
  if (fs::exists(folder / "DONE")) return PointState::done;
  if (fs::exists(folder / "FAILED")) return PointState::failed;
  std::error_code ec;
  for (const auto& entry : fs::directory_iterator(folder / "checkpoints", ec)) {
    if (entry.path().filename().string().rfind("step-", 0) == 0) return PointState::stopped;
  }
  return PointState::missing;
}

void write_index(const std::string& experiment_folder, const std::vector<Point>& points,
                 const std::vector<std::string>& running) {
  Table table;
  table.columns = {"point", "state"};
  for (const auto& [key, value] : points.front().parameters) table.columns.push_back(key);
  table.columns.push_back("reason");
  for (const auto& p : points) {
    PointState state = state_of(experiment_folder, p);
    const bool now = std::find(running.begin(), running.end(), p.name) != running.end();
    if (now) state = PointState::running;
    std::vector<Cell> row = {p.name, name(state)};
    for (const auto& [key, value] : p.parameters) row.emplace_back(value);
    std::string reason;
    if (state == PointState::failed) {
      reason = read_file((fs::path(experiment_folder) / p.name / "FAILED").string());
      reason = reason.substr(0, reason.find('\n'));
    }
    row.emplace_back(reason);
    table.add(std::move(row));
  }
  write_file_atomic((fs::path(experiment_folder) / "index.csv").string(), table.to_csv());
}

}  // namespace straq::coordinate
