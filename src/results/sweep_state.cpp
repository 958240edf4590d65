#include "results/sweep_state.h"

#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "core/error.h"
#include "core/files/files.h"

namespace straq::results {
namespace fs = std::filesystem;
namespace {

constexpr std::array kStates{PointState::done, PointState::running, PointState::stopped,
                             PointState::failed, PointState::missing};
constexpr int kStepsOfTheMean = 20;

// The last lines of a JSON lines file that may be growing: whole ones only, newest last.
std::vector<nlohmann::json> last_lines(const std::string& path, std::size_t count) {
  std::ifstream in(path, std::ios::binary | std::ios::ate);
  if (!in) return {};
  const auto size = static_cast<std::int64_t>(in.tellg());
  const std::int64_t from = std::max<std::int64_t>(0, size - 64 * 1024);
  in.seekg(from);
  std::string text(static_cast<std::size_t>(size - from), '\0');
  in.read(text.data(), static_cast<std::streamsize>(text.size()));
  text.resize(static_cast<std::size_t>(in.gcount()));
  text.resize(text.rfind('\n') == std::string::npos ? 0 : text.rfind('\n') + 1);
  std::vector<nlohmann::json> lines;
  std::istringstream stream(text);
  for (std::string line; std::getline(stream, line);) {
    auto json = nlohmann::json::parse(line, nullptr, /*allow_exceptions=*/false);
    if (json.is_object()) lines.push_back(std::move(json));  // the first one may be cut
  }
  if (lines.size() > count) {
    lines.erase(lines.begin(), lines.end() - static_cast<std::ptrdiff_t>(count));
  }
  return lines;
}

std::int64_t total_steps(const fs::path& folder) {
  std::ifstream in(folder / "provenance.json");
  const auto json = nlohmann::json::parse(in, nullptr, /*allow_exceptions=*/false);
  if (!json.is_object() || !json.contains("steps") || !json["steps"].is_number_integer()) return 0;
  return json["steps"].get<std::int64_t>();
}

std::string duration(double seconds) {
  const auto s = static_cast<std::int64_t>(seconds + 0.5);
  if (s < 120) return fmt::format("{} s", s);
  if (s < 7200) return fmt::format("{} min", (s + 30) / 60);
  return fmt::format("{}:{:02d} h", s / 3600, s % 3600 / 60);
}

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

PointState state_of(const std::string& experiment_folder, const Point& point,
                    std::optional<double> now) {
  const fs::path folder = fs::path(experiment_folder) / point.name;
  std::error_code ec;
  if (fs::exists(folder / "DONE", ec)) return PointState::done;
  if (live_holder(folder.string(), {}, now)) {
    // It may have finished while we looked for who works on it.
    return fs::exists(folder / "DONE", ec) ? PointState::done : PointState::running;
  }
  if (fs::exists(folder / "DONE", ec)) return PointState::done;
  if (fs::exists(folder / "FAILED", ec)) return PointState::failed;
  for (fs::directory_iterator it(folder / "checkpoints", ec), end; !ec && it != end;
       it.increment(ec)) {
    if (it->path().filename().string().rfind("step-", 0) == 0) return PointState::stopped;
  }
  return PointState::missing;
}

std::optional<FailureNote> failure_of(const std::string& run_folder) {
  std::ifstream in(run_folder + "/FAILED");
  if (!in) return std::nullopt;
  std::ostringstream text;
  text << in.rdbuf();
  return FailureNote::parse(text.str());
}

std::optional<double> PointStatus::seconds_left() const {
  if (state == PointState::done || total == 0 || step_seconds <= 0) return std::nullopt;
  return static_cast<double>(std::max<std::int64_t>(0, total - step)) * step_seconds;
}

nlohmann::ordered_json PointStatus::to_json() const {
  nlohmann::ordered_json j = {{"index", index}, {"point", point.name}, {"state", name(state)}};
  for (const auto& [key, value] : point.parameters) j["settings"][key] = value;
  if (total > 0 || step > 0) j["step"] = step;
  if (total > 0) j["steps"] = total;
  if (step_seconds > 0) j["step_seconds"] = step_seconds;
  if (const auto left = seconds_left()) j["seconds_left"] = *left;
  if (holder) {
    j["host"] = holder->host;
    j["pid"] = holder->pid;
    j["since"] = holder->since;
    if (!holder->slurm_job.empty()) j["slurm_job"] = holder->slurm_job;
  }
  if (failure) {
    j["kind"] = name(failure->kind);
    j["reason"] = failure->reason;
  }
  return j;
}

std::vector<PointStatus> sweep_status(const std::string& experiment_folder,
                                      const std::vector<Point>& points) {
  std::vector<PointStatus> out;
  for (std::size_t i = 0; i < points.size(); ++i) {
    PointStatus s;
    s.index = i;
    s.point = points[i];
    s.state = state_of(experiment_folder, points[i]);
    const std::string folder = (fs::path(experiment_folder) / points[i].name).string();
    if (s.state == PointState::running) s.holder = live_holder(folder);
    if (s.state == PointState::failed) s.failure = failure_of(folder);
    const auto metrics = last_lines(folder + "/metrics.jsonl", 1);
    if (!metrics.empty()) s.step = metrics.back().value("step", std::int64_t{0});
    s.total = total_steps(folder);
    const auto timings = last_lines(folder + "/timings.jsonl", kStepsOfTheMean);
    for (const auto& line : timings) s.step_seconds += line.value("seconds", 0.0);
    if (!timings.empty()) s.step_seconds /= static_cast<double>(timings.size());
    out.push_back(std::move(s));
  }
  return out;
}

namespace {

std::string count_states(const std::vector<PointStatus>& points) {
  std::string text;
  for (const PointState state : kStates) {
    const auto n = std::count_if(points.begin(), points.end(),
                                 [&](const auto& p) { return p.state == state; });
    text += fmt::format("{}{} {}", text.empty() ? "" : ", ", n, name(state));
  }
  return text;
}

}  // namespace

Table status_table(const std::vector<PointStatus>& points) {
  Table t;
  t.id = "status";
  t.title = "Points";
  t.columns = {"#", "Point", "State", "Step", "Of", "Left", "Where", "Since", "Why"};
  for (const auto& p : points) {
    std::string where, why;
    if (p.holder) {
      where = fmt::format("{}, process {}", p.holder->host, p.holder->pid);
      if (!p.holder->slurm_job.empty()) where += ", job " + p.holder->slurm_job;
    }
    if (p.failure) why = fmt::format("{}: {}", name(p.failure->kind), p.failure->first_line());
    if (p.state == PointState::stopped) why = "has a checkpoint to go on from";
    const auto left = p.seconds_left();
    const auto number = [](std::int64_t n) {
      return n > 0 ? Cell(static_cast<long>(n)) : Cell::missing();
    };
    t.add({p.index, p.point.name, name(p.state), number(p.step), number(p.total),
           left ? Cell(duration(*left)) : Cell::missing(), where,
           p.holder ? p.holder->since : std::string(), why});
  }
  t.notes.push_back(count_states(points) + ".");
  return t;
}

nlohmann::ordered_json status_json(const std::string& experiment_folder,
                                   const std::vector<PointStatus>& points) {
  nlohmann::ordered_json counts = nlohmann::ordered_json::object();
  for (const PointState state : kStates) {
    counts[name(state)] = std::count_if(points.begin(), points.end(),
                                        [&](const auto& p) { return p.state == state; });
  }
  nlohmann::ordered_json list = nlohmann::ordered_json::array();
  for (const auto& p : points) list.push_back(p.to_json());
  return {{"folder", experiment_folder}, {"counts", counts}, {"points", list}};
}

}  // namespace straq::results
