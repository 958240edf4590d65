#include "results/sweep_state.h"

#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <array>
#include <filesystem>

#include "results/rows/provenance.h"
#include "results/rows/steps.h"
#include "results/run_folder.h"

namespace straq::results {
namespace fs = std::filesystem;
namespace {

constexpr std::array kStates{PointState::done, PointState::running, PointState::stopped,
                             PointState::failed, PointState::missing};
constexpr int kStepsOfTheMean = 20;

std::string duration(double seconds) {
  const auto s = static_cast<std::int64_t>(seconds + 0.5);
  if (s < 120) return fmt::format("{} s", s);
  if (s < 7200) return fmt::format("{} min", (s + 30) / 60);
  return fmt::format("{}:{:02d} h", s / 3600, s % 3600 / 60);
}

}  // namespace

PointState state_of(const std::string& experiment_folder, const Point& point,
                    std::optional<double> now) {
  const std::string folder = (fs::path(experiment_folder) / point.name).string();
  const RunFolder run(folder);
  if (run.done()) return PointState::done;
  const bool held = live_holder(folder, {}, now).has_value();
  // It may have finished while we looked for who works on it.
  const PointState marked = marked_state(folder);
  if (marked == PointState::done) return marked;
  if (held) return PointState::running;
  if (marked == PointState::failed) return marked;
  std::error_code ec;
  for (fs::directory_iterator it(run.checkpoints(), ec), end; !ec && it != end; it.increment(ec)) {
    if (it->path().filename().string().starts_with(kStepPrefix)) return PointState::stopped;
  }
  return PointState::missing;
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
    if (s.state == PointState::failed) s.failure = RunFolder(folder).failure();
    const RunFolder run(folder);
    const auto metrics = last_metrics(run.metrics(), 1);
    if (!metrics.empty()) s.step = metrics.back().step;
    s.total = planned_steps(run.provenance()).value_or(0);
    const auto timings = last_timings(run.timings(), kStepsOfTheMean);
    for (const TimingsRow& row : timings) s.step_seconds += row.seconds.value_or(0);
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
