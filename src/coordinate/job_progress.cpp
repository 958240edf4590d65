#include "coordinate/job_progress.h"

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <optional>
#include <thread>
#include <utility>

#include "comm/stop.h"
#include "coordinate/check_inputs.h"
#include "core/environment.h"
#include "core/error.h"
#include "core/files/files.h"
#include "core/files/temporary_name.h"
#include "core/log.h"
#include "experiment/estimate.h"
#include "experiment/finished_run.h"
#include "experiment/run_inputs.h"

namespace straq::coordinate {

namespace {

bool manifest_is_complete(const std::string& folder) {
  try {
    return shard::Manifest::read(folder).complete();
  } catch (const Error&) {
    return false;
  }
}

// The right to make shards in `folder`; waits for a job that is making them.
std::unique_ptr<results::RunLock> lock_dataset(const std::string& folder) {
  for (bool told = false;; told = true) {
    try {
      return std::make_unique<results::RunLock>(folder);
    } catch (const results::FolderBusy& e) {
      if (!told) log::info("coordinate", "waiting for the shards: {}", e.what());
    }
    if (comm::stop_requested()) {
      throw Error(ErrorKind::stopped, "stopped on request while another job made the shards",
                  "run the same command again to go on");
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(500));
  }
}

// In the order of their keys, whatever order a config names them in; of one key in several folders,
// by where these are.
std::vector<std::size_t> survey_order(const std::vector<DatasetProgress>& datasets) {
  const auto place = [&](std::size_t d) {
    std::error_code ec;
    const auto& job = *datasets[d].job;
    const auto path = std::filesystem::weakly_canonical(job.folder(), ec);
    return std::pair(job.key(), ec ? job.folder() : path.string());
  };
  std::vector<std::pair<std::pair<std::string, std::string>, std::size_t>> places;
  for (std::size_t d = 0; d < datasets.size(); ++d) places.emplace_back(place(d), d);
  std::sort(places.begin(), places.end());
  std::vector<std::size_t> order;
  for (const auto& p : places) order.push_back(p.second);
  return order;
}

std::int64_t train_decisions(const DatasetJob& job) {
  const auto* train = job.corpus().find("train");
  return train == nullptr ? 0 : train->decisions;
}

}  // namespace

void PointJob::note(train::PointResult ended) {
  result = std::move(ended);
  elsewhere = result.busy;
  if (result.busy && offered) {
    // Whoever judges that its holder is dead and whoever holds it disagree: trying again at once
    // would never end.
    not_before = monotonic_seconds() + std::min(60.0, static_cast<double>(1 << surprises));
    surprises = std::min(surprises + 1, 6);
  }
  state = result.ok                           ? results::PointState::done
          : result.busy                       ? results::PointState::missing
          : result.kind == ErrorKind::stopped ? results::PointState::stopped
                                              : results::PointState::failed;
}

void DatasetProgress::fail(const shard::WorkItem& item, const results::PointFailure& e) {
  log::error("coordinate", "{}: {}", item.file(), e.full());
  if (failure.empty()) {
    failure = item.file() + ": " + e.full();
    failure_kind = e.failure();
    failure_error = e.kind();
  }
}

void JobProgress::open_dataset(PointJob& job, const JobPlan& plan,
                               std::map<std::string, std::size_t>& known) {
  const auto [at, fresh] = known.emplace(dataset_signature(job.config), datasets_.size());
  job.dataset = at->second;
  if (!fresh) return;
  // Corpora are read and tokenizers trained with nothing in hand that a signal could harm.
  std::optional<comm::NothingToSave> nothing;
  if (plan.alone) nothing.emplace();
  comm::end_if_stopped();
  DatasetProgress progress;
  progress.config = job.point.config;
  progress.job = std::make_unique<DatasetJob>(job.config);
  datasets_.push_back(std::move(progress));
}

// What is left to make of it. A job keeps the locks of all that it makes, so every job has to take
// them in the same order (survey_order): else two of them could wait for each other for ever.
void JobProgress::survey_dataset(std::size_t dataset, const JobPlan& plan) {
  comm::end_if_stopped();
  DatasetProgress& progress = datasets_[dataset];
  const std::string folder = progress.job->folder();
  std::vector<shard::MissingItem> missing;
  bool looked = false;
  if (!plan.preprocess || manifest_is_complete(folder)) {
    missing = progress.job->survey(/*makes=*/false);
    looked = true;
  }
  if (plan.preprocess && (!looked || !missing.empty())) {
    require_writable_folder(folder);
    progress.lock = lock_dataset(folder);
    remove_left_temporaries(folder);
    missing = progress.job->survey(/*makes=*/true);
    release_if_over(dataset);
  }
  for (const auto& m : missing) {
    log::debug("coordinate", "{} to be made: {}", m.item.file(), m.reason);
    progress.dialogues_to_make += m.item.count;
    shards_.add(dataset, m.item);
  }
  progress.started = progress.said = monotonic_seconds();
  const auto total = progress.job->manifest().shards.size();
  log::info("coordinate", "data set {} in {}: {} of {} shards to be made",
            progress.job->manifest().corpus, folder, missing.size(), total);
  if (!missing.empty() && !plan.preprocess) {
    fail_input(folder + "/" + missing.front().item.file() + ": " + missing.front().reason + " (" +
                   std::to_string(missing.size()) + " of " + std::to_string(total) +
                   " shards are missing or invalid)",
               "run `straq preprocess` with this config first, or `straq run` with "
               "roles.preprocessors above 0");
  }
}

void DatasetProgress::tell(const shard::ShardRecord& made) {
  constexpr double kPause = 10;  // seconds
  const double now = monotonic_seconds();
  dialogues_made += made.item.count;
  tokens_made += made.trunk_tokens + made.probe_tokens;
  if (now - said < kPause) return;
  said = now;
  const double rate = static_cast<double>(dialogues_made) / (now - started);
  log::info("preprocess",
            "{}: {} dialogues of {} left, {:.0f} a second ({:.0f} tokens), {:.0f} s left",
            job->manifest().corpus, dialogues_to_make - dialogues_made, dialogues_to_make, rate,
            static_cast<double>(tokens_made) / (now - started),
            static_cast<double>(dialogues_to_make - dialogues_made) / rate);
}

void JobProgress::shard_made(int holder, const shard::ShardRecord& record) {
  const std::size_t dataset = shards_.oldest(holder).lot;
  datasets_[dataset].job->add(record);
  datasets_[dataset].tell(record);
  shards_.done(holder);
  release_if_over(dataset);
}

void JobProgress::shard_failed(int holder, const results::PointFailure& e) {
  const auto work = shards_.fail(holder);
  datasets_[work.lot].fail(work.item, e);
  release_if_over(work.lot);
}

void JobProgress::release_if_over(std::size_t dataset) {
  DatasetProgress& d = datasets_[dataset];
  const bool failed = !d.failure.empty() && shards_.held(dataset) == 0;
  if (d.lock && (failed || d.job->manifest().complete())) d.lock.reset();
}

// What was done or tried before this job.
void JobProgress::look_at_folder(PointJob& job) {
  const std::string folder = folder_ + "/" + job.point.name;
  if (experiment::done_with(results::RunFolder(folder), job.point.config, job.inputs,
                            continue_anyway_)) {
    job.state = results::PointState::done;
    job.result.ok = true;
    log::info("coordinate", "{} is done already", job.point.name);
    return;
  }
  if (retry_) return;
  // The server's clock costs a file: only points that have failed ask for it.
  const auto failure = results::RunFolder(folder).failure();
  if (!failure) return;
  if (results::state_of(folder_, job.point, results::server_clock(folder_)) !=
      results::PointState::failed)
    return;
  job.state = results::PointState::failed;
  job.result.kind = failure->error;
  job.result.failure = failure->kind;
  job.result.reason = failure->reason;
  log::warn("coordinate", "{} has failed before ({}) and is left alone; --retry-failed tries again",
            job.point.name, name(failure->kind));
}

JobProgress::JobProgress(const JobPlan& plan)
    : learn_(plan.learn),
      sweep_(plan.sweep),
      retry_(!plan.sweep || plan.retry_failed),
      continue_anyway_(plan.continue_anyway) {
  const experiment::ExperimentConfig whole = experiment::read_experiment(plan.config);
  folder_ = (std::filesystem::path(whole.results) / whole.name).string();
  comm::end_if_stopped();
  if (plan.learn) {
    require_writable_folder(folder_);
    remove_left_temporaries(folder_);
  }
  // Where there are shards already, they may be all that is needed, and another's.
  std::error_code ec;
  if (!std::filesystem::exists(whole.shards.folder, ec) && plan.preprocess) {
    require_writable_folder(whole.shards.folder);
  }

  for (results::Point& point : experiment::expand_points(plan.config)) {
    PointJob job;
    job.config = experiment::read_experiment(point.config);
    // From here on the point's config is the resolved one, with every default written out.
    job.point = std::move(point);
    job.point.config = config::dump(job.config);
    std::erase_if(job.point.config.map, [](const auto& kv) { return kv.first == "sweep"; });
    points_.push_back(std::move(job));
  }
  std::map<std::string, std::size_t> known;
  for (std::size_t i = 0; i < points_.size(); ++i) {
    PointJob& job = points_[i];
    job.selected = !plan.only || std::binary_search(plan.only->begin(), plan.only->end(), i);
    if (!job.selected) continue;
    order_.push_back(i);
    open_dataset(job, plan, known);
  }
  for (const std::size_t d : survey_order(datasets_)) survey_dataset(d, plan);
  if (!plan.learn) return;
  for (const std::size_t i : order_) {
    PointJob& job = points_[i];
    const DatasetJob& data = *datasets_[job.dataset].job;
    check_inputs(job.config, data);
    try {
      job.inputs =
          experiment::run_inputs(job.config, data.manifest().parts, data.manifest().vocab_size);
      job.flops = experiment::run_flops(job.config, train_decisions(data));
    } catch (const Error&) {
      // Its model cannot be read: the point itself will say so.
    }
    look_at_folder(job);
  }
  std::stable_sort(order_.begin(), order_.end(), [&](std::size_t a, std::size_t b) {
    return points_[a].flops > points_[b].flops;
  });
  update_index(/*all=*/true);
}

bool JobProgress::revisit() {
  bool free = false;
  std::optional<double> clock;  // the one by which a lock is taken
  for (const std::size_t i : order_) {
    PointJob& job = points_[i];
    if (!job.elsewhere || monotonic_seconds() < job.not_before) continue;
    if (!clock) clock = results::server_clock(folder_);
    const results::PointState now = results::state_of(folder_, job.point, clock);
    if (now == results::PointState::running) continue;
    job.elsewhere = false;
    job.offered = true;
    free = true;  // also where it is done or has failed: the learners find that under the lock
  }
  return free;
}

train::PointTask JobProgress::task(const PointJob& job) const {
  train::PointTask t;
  t.name = job.point.name;
  t.config = job.point.config;
  t.run_folder = folder_ + "/" + job.point.name;
  t.shard_folder = datasets_[job.dataset].job->folder();
  t.key = datasets_[job.dataset].job->key();
  t.tokenizer = datasets_[job.dataset].job->tokenizer_path();
  t.retry = retry_;
  t.inputs = job.inputs;
  t.continue_anyway = continue_anyway_;
  return t;
}

void JobProgress::fail_without_data(PointJob& job) {
  const DatasetProgress& data = datasets_[job.dataset];
  job.state = results::PointState::failed;
  job.result.ok = false;
  job.result.kind = data.failure_error;
  job.result.failure = data.failure_kind;
  job.result.reason = "its data set could not be made: " + data.failure;
  log::error("coordinate", "{}: {}", job.point.name, job.result.reason);
  try {
    results::RunFolder(task(job).run_folder)
        .fail({job.result.failure, job.result.kind, job.result.reason});
  } catch (const Error& e) {
    log::error("coordinate", "{}: {}", job.point.name, e.what());  // the same full disk
  }
  update_index();
}

void JobProgress::update_index(bool all) {
  if (!learn_) return;
  std::vector<std::string> running, changed;
  indexed_.resize(points_.size(), {results::PointState::missing, false});
  for (std::size_t i = 0; i < points_.size(); ++i) {
    const PointJob& job = points_[i];
    if (job.state == results::PointState::running) running.push_back(job.point.name);
    const std::pair state(job.state, job.elsewhere);
    if (std::exchange(indexed_[i], state) != state) changed.push_back(job.point.name);
  }
  try {
    if (!index_) {
      std::vector<results::Point> points;
      for (const auto& job : points_) points.push_back(job.point);
      index_ = std::make_unique<results::SweepIndex>(folder_, points);
    }
    index_->write(running, changed, all);
    if (!index_trouble_.empty()) log::info("coordinate", "index.csv is written again");
    index_trouble_.clear();
  } catch (const std::exception& e) {
    // The folders hold everything; it is made from them again at the next chance.
    if (index_trouble_.empty()) log::warn("coordinate", "index.csv is behind: {}", e.what());
    index_trouble_ = e.what();
  }
}

void JobProgress::stop() {
  stopping_ = true;
  shards_left_ = shards_.close() || shards_left_;
}

int JobProgress::exit_code() const {
  const bool points_left = learn_ && std::any_of(order_.begin(), order_.end(), [&](std::size_t i) {
                             const PointJob& job = points_[i];
                             return job.state != results::PointState::done &&
                                    job.state != results::PointState::failed && !job.elsewhere;
                           });
  if (stopping_ && (shards_left_ || points_left)) return static_cast<int>(ErrorKind::stopped);
  for (const auto& d : datasets_) {
    if (!d.failure.empty()) return static_cast<int>(d.failure_error);
  }
  if (!learn_) return 0;
  for (const auto& job : points_) {
    if (!job.selected || job.result.ok || (job.elsewhere && sweep_)) continue;
    return static_cast<int>(job.result.kind);
  }
  return 0;
}

void JobProgress::log_summary() const {
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
  int done = 0, failed = 0, elsewhere = 0;
  for (const std::size_t i : order_) {
    const PointJob& job = points_[i];
    done += job.state == results::PointState::done;
    failed += job.state == results::PointState::failed;
    elsewhere += job.elsewhere;
    if (job.elsewhere && !sweep_) log::error("coordinate", "{}", job.result.reason);
  }
  log::info("coordinate", "{}: {} of {} points done, {} failed{}", folder_, done, order_.size(),
            failed, elsewhere ? fmt::format(", {} left to other jobs", elsewhere) : "");
}

}  // namespace straq::coordinate
