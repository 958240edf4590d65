#include <algorithm>
#include <filesystem>

#include "coordinate/coordinator.h"
#include "core/error.h"
#include "core/files.h"
#include "core/log.h"

namespace straq::coordinate {

Ledger::Ledger(const JobPlan& plan) : learn_(plan.learn) {
  const ExperimentConfig whole = read_experiment(plan.config);
  folder_ = (std::filesystem::path(whole.results) / whole.name).string();
  if (plan.learn) require_writable_folder(folder_);
  require_writable_folder(whole.shards.folder);

  std::map<std::string, std::size_t> known;
  for (Point& point : expand_points(plan.config)) {
    PointJob job;
    job.config = read_experiment(point.config);
    // From here on the point's config is the resolved one, with every default written out.
    job.point = std::move(point);
    job.point.config = config::dump(job.config);
    std::erase_if(job.point.config.map, [](const auto& kv) { return kv.first == "sweep"; });
    const std::string signature = dataset_signature(job.config);
    const auto [at, fresh] = known.emplace(signature, datasets_.size());
    if (fresh) {
      DatasetProgress progress;
      progress.config = job.point.config;
      progress.job = std::make_unique<DatasetJob>(job.config);
      const auto missing = progress.job->survey();
      for (const auto& m : missing) {
        log::debug("coordinate", "{} to be made: {}", m.item.file(), m.reason);
        progress.pending.push_back(m.item);
      }
      const auto total = progress.job->manifest().shards.size();
      log::info("coordinate", "data set {} in {}: {} of {} shards to be made",
                progress.job->manifest().corpus, progress.job->folder(), missing.size(), total);
      if (!missing.empty() && !plan.preprocess) {
        fail_input(progress.job->folder() + "/" + missing.front().item.file() + ": " +
                       missing.front().reason + " (" + std::to_string(missing.size()) + " of " +
                       std::to_string(total) + " shards are missing or invalid)",
                   "run `straq preprocess` with this config first, or `straq run`");
      }
      datasets_.push_back(std::move(progress));
    }
    job.dataset = at->second;
    points_.push_back(std::move(job));
  }
  if (!plan.learn) return;
  for (PointJob& job : points_) {
    const RunFolder run(folder_ + "/" + job.point.name);
    if (run.done_with(job.point.config)) {
      job.state = PointState::done;
      job.result.ok = true;
      log::info("coordinate", "{} is done already", job.point.name);
    }
  }
  update_index();
}

PointTask Ledger::task(const PointJob& job) const {
  PointTask t;
  t.name = job.point.name;
  t.config = job.point.config;
  t.run_folder = folder_ + "/" + job.point.name;
  t.shard_folder = datasets_[job.dataset].job->folder();
  t.key = datasets_[job.dataset].job->key();
  return t;
}

void Ledger::update_index() const {
  std::vector<Point> points;
  std::vector<std::string> running;
  for (const auto& job : points_) {
    points.push_back(job.point);
    if (job.state == PointState::running) running.push_back(job.point.name);
  }
  write_index(folder_, points, running);
}

void Ledger::stop() {
  stopping_ = true;
  for (auto& d : datasets_) {
    shards_left_ = shards_left_ || !d.pending.empty();
    d.pending.clear();
  }
}

int Ledger::exit_code() const {
  const bool points_left =
      learn_ && std::any_of(points_.begin(), points_.end(), [](const auto& job) {
        return job.state != PointState::done && job.state != PointState::failed;
      });
  if (stopping_ && (shards_left_ || points_left)) return static_cast<int>(ErrorKind::stopped);
  for (const auto& d : datasets_) {
    if (!d.failure.empty()) return static_cast<int>(ErrorKind::input);
  }
  if (!learn_) return 0;
  for (const auto& job : points_) {
    if (!job.result.ok) return static_cast<int>(job.result.kind);
  }
  return 0;
}

void Ledger::log_summary() const {
  for (const auto& d : datasets_) {
    std::int64_t decisions = 0, tokens = 0;
    for (const auto& s : d.job->manifest().shards) {
      if (!s.record) continue;
      decisions += s.record->decisions;
      tokens += s.record->trunk_tokens + s.record->probe_tokens;
    }
    log::info("coordinate", "data set {}: {} decisions, {} tokens", d.job->folder(), decisions,
              tokens);
  }
  if (!learn_) return;
  if (exit_code() == static_cast<int>(ErrorKind::stopped)) {
    log::warn("coordinate", "stopped on request; run the same command again to go on");
  }
  int done = 0, failed = 0;
  for (const auto& job : points_) {
    done += job.state == PointState::done;
    failed += job.state == PointState::failed;
  }
  log::info("coordinate", "{}: {} of {} points done, {} failed", folder_, done, points_.size(),
            failed);
}

}  // namespace straq::coordinate
