#include "learn/checkpoint.h"

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <set>
#include <stdexcept>
#include <system_error>

#include "core/error.h"
#include "core/files/files.h"
#include "core/files/temporary_name.h"
#include "core/hash.h"
#include "core/json/json.h"
#include "core/json/json_number.h"
#include "core/log.h"
#include "model/weights/safetensors.h"
#include "results/layout.h"

namespace straq::learn {
namespace fs = std::filesystem;
namespace {

constexpr const char* kFormat = "straq-checkpoint";
using results::kStepPrefix;

// The step of a folder name "<prefix><digits>"; -1 for any other name.
std::int64_t step_of(const std::string& name, const std::string& prefix) {
  if (name.rfind(prefix, 0) != 0 || name.size() == prefix.size()) return -1;
  const std::string digits = name.substr(prefix.size());
  if (digits.size() > 18 || digits.find_first_not_of("0123456789") != std::string::npos) return -1;
  return std::stoll(digits);
}

// Folders of `folder` whose name is `prefix` and a step, newest first.
std::vector<std::pair<std::int64_t, std::string>> step_folders(const std::string& folder,
                                                               const std::string& prefix) {
  std::vector<std::pair<std::int64_t, std::string>> out;
  std::error_code ec;
  for (const auto& entry : fs::directory_iterator(folder, ec)) {
    const std::int64_t step = step_of(entry.path().filename().string(), prefix);
    if (step >= 0) out.emplace_back(step, entry.path().string());
  }
  std::sort(out.rbegin(), out.rend());
  return out;
}

[[noreturn]] void refuse(const std::string& folder, const std::string& reason) {
  fail_input("checkpoint " + folder + " is refused: " + reason,
             "remove that folder; the checkpoint before it is used");
}

struct BadNumber : std::runtime_error {
  using std::runtime_error::runtime_error;
};
// A number of checkpoint.json that counts or places something; sums of two do not overflow.
std::int64_t number_in(const nlohmann::json& j, const char* key, std::int64_t least) {
  const auto n = whole_number(j.at(key), least, std::int64_t{1} << 53);
  if (!n) throw BadNumber{std::string(key) + " is no whole number from " + std::to_string(least)};
  return *n;
}

// The files' ranges must make up the buffers, each element once: with one twice and another never,
// the number of elements would still be right.
void require_whole(const Checkpoint& c) {
  std::vector<const CheckpointFile*> files;
  for (const auto& f : c.files) files.push_back(&f);
  std::sort(files.begin(), files.end(), [](const auto* a, const auto* b) {
    return std::pair(a->begin, a->end) < std::pair(b->begin, b->end);
  });
  std::int64_t next = 0;
  for (const auto* f : files) {
    // Only names inside the folder.
    if (f->name.empty() || f->name == ".." || f->name == "." ||
        f->name.find_first_of(std::string_view("/\0", 2)) != std::string::npos) {
      refuse(c.folder, "corrupted: checkpoint.json names a file outside of the folder");
    }
    if (f->begin != next || f->end < f->begin) {
      refuse(c.folder, "corrupted: the range of " + f->name + ", " + std::to_string(f->begin) +
                           " to " + std::to_string(f->end) + ", does not follow on element " +
                           std::to_string(next));
    }
    next = f->end;
  }
  if (next != c.total) {
    refuse(c.folder, "corrupted: its files hold " + std::to_string(next) + " of " +
                         std::to_string(c.total) + " elements");
  }
}

// Removes a folder that may be half written; never throws: what is left costs space only.
void remove_quietly(const std::string& folder) {
  std::error_code ec;
  fs::remove_all(folder, ec);
  if (ec) log::warn("checkpoint", "cannot remove {}: {}", folder, ec.message());
}

// Removes `folder` unless it was published.
class PartialFolder {
 public:
  explicit PartialFolder(std::string folder) : folder_(std::move(folder)) {
    make_folders(fs::path(folder_).parent_path().string());
    // Nobody else may have made it, as a link to another place least of all.
    std::error_code ec;
    if (!fs::create_directory(folder_, ec)) {
      fail_runtime("cannot make folder " + folder_ + ": " +
                   (ec ? ec.message() : std::string("it is there already")));
    }
  }
  ~PartialFolder() {
    if (!published_) remove_quietly(folder_);
  }
  const std::string& path() const { return folder_; }
  void publish(const std::string& target) {
    sync_to_disk(folder_);
    // A folder cannot be replaced by a rename in one go. Only a run that was set back to an older
    // checkpoint meets one of the same step; if it dies between the renames, it starts there again.
    const fs::path t(target);
    const std::string old = (t.parent_path() / (".old-" + t.filename().string())).string();
    const bool replaces = fs::exists(target);
    if (replaces) {
      remove_quietly(old);
      rename_durably(target, old);
    }
    rename_durably(folder_, target);
    published_ = true;
    if (replaces) remove_quietly(old);
  }

 private:
  std::string folder_;
  bool published_ = false;
};

std::string words(double x, int decimals) {
  return fmt::format("{:.{}f}", x, decimals);
}

}  // namespace

nlohmann::ordered_json Progress::to_json() const {
  nlohmann::ordered_json j = {{"step", step},
                              {"stage", stage},
                              {"stage_step", stage_step},
                              {"optimizer_steps", optimizer_steps},
                              {"bad_steps", bad_steps},
                              {"evaluated_step", evaluated_step},
                              {"without_gain", without_gain}};
  j["best"] = nullptr;
  if (best_step >= 0) j["best"] = {{"step", best_step}, {"value", best_value}};
  return j;
}

Progress Progress::from_json(const nlohmann::json& j) {
  Progress p;
  p.step = number_in(j, "step", 0);
  p.stage = number_in(j, "stage", 0);
  p.stage_step = number_in(j, "stage_step", 0);
  p.optimizer_steps = number_in(j, "optimizer_steps", 0);
  p.bad_steps = number_in(j, "bad_steps", 0);
  p.evaluated_step = number_in(j, "evaluated_step", -1);
  p.without_gain = number_in(j, "without_gain", 0);
  if (!j.at("best").is_null()) {
    p.best_step = number_in(j.at("best"), "step", -1);
    j.at("best").at("value").get_to(p.best_value);
  }
  return p;
}

std::string parameters_fingerprint(const std::vector<model::ParameterSpec>& specs) {
  Sha256 hash;
  for (const auto& spec : specs) hash.update(spec.name + model::shape_words(spec.shape) + "\n");
  return hash.hex();
}

std::string checkpoint_name(std::int64_t step) {
  return fmt::format("{}{:08d}", kStepPrefix, step);
}

Checkpoint open_checkpoint(const std::string& folder, bool verify) {
  const std::string path = folder + "/checkpoint.json";
  if (!fs::exists(path)) refuse(folder, "incomplete: it has no checkpoint.json");
  Checkpoint out;
  out.folder = folder;
  try {
    nlohmann::json j;
    if (const std::string reason = try_parse_json(read_file(path), j); !reason.empty()) {
      refuse(folder, "corrupted: checkpoint.json cannot be read (" + reason + ")");
    }
    if (j.at("format") != kFormat) refuse(folder, "corrupted: checkpoint.json is of another kind");
    const auto& version = j.at("format_version");
    // The first version did not write down its inputs; for the rest it is as this one.
    if (version != 1 && version != kCheckpointVersion) {
      refuse(folder, "wrong version: it has version " + dump_json(version).substr(0, 40) +
                         ", this program reads 1 and " + std::to_string(kCheckpointVersion));
    }
    out.progress = Progress::from_json(j.at("progress"));
    if (version != 1) out.identity.inputs = RunInputs::from_json(j.at("inputs"));
    j.at("parameters_sha256").get_to(out.identity.parameters);
    out.total = number_in(j, "elements", 0);
    out.learners = number_in(j, "learners", 1);
    if (j.contains("micro_tokens")) out.micro_tokens = number_in(j, "micro_tokens", 0);
    out.continued_anyway = j.value("continued_anyway", nlohmann::ordered_json::array());
    for (const auto& f : j.at("files")) {
      out.files.push_back({.name = f.at("name").get<std::string>(),
                           .begin = number_in(f, "begin", 0),
                           .end = number_in(f, "end", 0),
                           .bytes = static_cast<std::uint64_t>(number_in(f, "bytes", 0)),
                           .sha256 = f.at("sha256").get<std::string>()});
    }
  } catch (const BadNumber& e) {
    refuse(folder, std::string("corrupted: checkpoint.json cannot be read (") + e.what() + ")");
  } catch (const nlohmann::json::exception& e) {
    refuse(folder, std::string("corrupted: checkpoint.json cannot be read (") + e.what() + ")");
  }
  require_whole(out);
  for (const auto& file : out.files) {
    const std::string name = folder + "/" + file.name;
    std::error_code ec;
    const auto bytes = fs::file_size(name, ec);
    if (ec) refuse(folder, "truncated: " + file.name + " is missing");
    if (bytes < file.bytes) {
      refuse(folder, "truncated: " + file.name + " has " + std::to_string(bytes) + " of " +
                         std::to_string(file.bytes) + " bytes");
    }
    if (bytes > file.bytes || (verify && sha256_file(name) != file.sha256)) {
      refuse(folder, "corrupted: the SHA-256 of " + file.name + " is not the recorded one");
    }
  }
  return out;
}

std::vector<std::string> changes_since(const Checkpoint& checkpoint,
                                       const CheckpointIdentity& wanted) {
  if (checkpoint.identity.inputs.empty()) {
    return {"an older version wrote it, which did not note what it was made from"};
  }
  return wanted.inputs.changes_since(checkpoint.identity.inputs);
}

void require_identity(const Checkpoint& checkpoint, const CheckpointIdentity& wanted, bool anyway) {
  if (!anyway) {
    const auto changes = changes_since(checkpoint, wanted);
    if (!changes.empty()) refuse(checkpoint.folder, "foreign: " + join_changes(changes));
  }
  if (checkpoint.identity.parameters != wanted.parameters) {
    refuse(checkpoint.folder, "foreign: its model has other parameters");
  }
}

FoundCheckpoint find_checkpoint(const std::string& folder, const CheckpointIdentity& wanted,
                                bool anyway) {
  FoundCheckpoint found;
  for (const auto& [step, path] : step_folders(folder, kStepPrefix)) {
    bool foreign = false;
    try {
      // Identity first: hashing gigabytes of another run's weights would tell nothing more.
      Checkpoint c = open_checkpoint(path, /*verify=*/false);
      foreign = true;
      require_identity(c, wanted, anyway);
      foreign = false;
      c = open_checkpoint(path, /*verify=*/true);
      if (c.progress.step != step) refuse(path, "corrupted: its name tells another step");
      found.checkpoint = std::move(c);
      break;
    } catch (const Error& e) {
      found.refused.push_back({path, e.what(), foreign});
    }
  }
  return found;
}

void set_aside(const std::string& folder, const FoundCheckpoint& found) {
  for (const auto& r : found.refused) {
    const fs::path from(r.folder);
    const std::string to = (from.parent_path() / ("refused-" + from.filename().string())).string();
    remove_quietly(to);
    rename_durably(r.folder, to);
  }
  const std::int64_t step = found.checkpoint ? found.checkpoint->progress.step : -1;
  for (const auto& [best, path] : step_folders(folder, "best-")) {
    if (best > step) remove_quietly(path);
  }
}

bool has_buffer(const Checkpoint& checkpoint, const std::string& buffer) {
  return !checkpoint.files.empty() &&
         model::SafetensorsFile(checkpoint.folder + "/" + checkpoint.files.front().name)
                 .find(buffer) != nullptr;
}

void read_buffer(const Checkpoint& checkpoint, const std::string& buffer, std::int64_t begin,
                 const at::Tensor& out) {
  at::NoGradGuard no_grad;
  const std::int64_t end = begin + out.numel();
  std::int64_t done = 0;
  for (const auto& f : checkpoint.files) {
    const std::int64_t from = std::max(begin, f.begin), to = std::min(end, f.end);
    if (from >= to) continue;
    const model::SafetensorsFile file(checkpoint.folder + "/" + f.name);
    const at::Tensor part = file.tensor(buffer);
    if (part.dim() != 1 || !at::isFloatingType(part.scalar_type())) {
      refuse(checkpoint.folder,
             "corrupted: " + buffer + " in " + f.name + " is no list of floating-point numbers");
    }
    if (part.numel() != f.end - f.begin) {
      refuse(checkpoint.folder, "corrupted: " + buffer + " in " + f.name + " has " +
                                    std::to_string(part.numel()) + " elements for a range of " +
                                    std::to_string(f.end - f.begin));
    }
    out.narrow(0, from - begin, to - from).copy_(part.narrow(0, from - f.begin, to - from));
    done += to - from;
  }
  if (done != out.numel()) {
    refuse(checkpoint.folder, "corrupted: its files hold " + std::to_string(done) + " of " +
                                  std::to_string(out.numel()) + " elements of " + buffer);
  }
}

std::uint64_t write_checkpoint(const std::string& folder, const CheckpointRecord& record,
                               const StateSlice& state) {
  const fs::path target(folder);
  PartialFolder partial(
      (target.parent_path() / (".tmp-" + target.filename().string() + "-" + temporary_mark()))
          .string());
  CheckpointFile file{"state-0-of-1.safetensors", state.begin, state.end, 0, {}};
  const std::string path = partial.path() + "/" + file.name;
  model::write_safetensors(path, state.buffers,
                           {{"format", kFormat},
                            {"begin", std::to_string(state.begin)},
                            {"end", std::to_string(state.end)},
                            {"total", std::to_string(state.total)}});
  file.bytes = fs::file_size(path);
  // Of the file, not of the tensors: what is recorded is what a reader will find.
  file.sha256 = sha256_file(path);

  nlohmann::ordered_json j;
  j["format"] = kFormat;
  j["format_version"] = kCheckpointVersion;
  j["progress"] = record.progress.to_json();
  j["inputs"] = record.identity.inputs.to_json();
  j["parameters_sha256"] = record.identity.parameters;
  j["elements"] = state.total;
  j["learners"] = record.learners;
  j["micro_tokens"] = record.micro_tokens;
  j["buffers"] = nlohmann::ordered_json::array();
  for (const auto& [name, tensor] : state.buffers) j["buffers"].push_back(name);
  j["files"] = {{{"name", file.name},
                 {"begin", file.begin},
                 {"end", file.end},
                 {"bytes", file.bytes},
                 {"sha256", file.sha256}}};
  if (!record.continued_anyway.empty()) j["continued_anyway"] = record.continued_anyway;
  j["environment"] = record.environment;
  write_file_atomic(partial.path() + "/checkpoint.json", dump_json(j, 2) + "\n");
  partial.publish(folder);
  return file.bytes;
}

void prune_checkpoints(const std::string& folder, const CheckpointConfig& config,
                       std::int64_t best_step) {
  std::set<std::int64_t> best = {best_step};
  std::int64_t newer = 0;
  for (const auto& [step, path] : step_folders(folder, kStepPrefix)) {
    const bool keep =
        newer++ < config.keep_last || (config.keep_every > 0 && step % config.keep_every == 0);
    if (!keep) {
      remove_quietly(path);
      continue;
    }
    try {
      best.insert(open_checkpoint(path, /*verify=*/false).progress.best_step);
    } catch (const Error&) {
      // It names no best one that could be used.
    }
  }
  for (const auto& [step, path] : step_folders(folder, "best-")) {
    // Later ones than this checkpoint knows of were written while it was.
    if (step < best_step && !best.contains(step)) remove_quietly(path);
  }
}

void clear_partial_checkpoints(const std::string& folder) {
  std::error_code ec;
  std::vector<std::string> old;
  for (const auto& entry : fs::directory_iterator(folder, ec)) {
    const std::string name = entry.path().filename().string();
    if (name.rfind(".tmp-", 0) == 0 || name.rfind(".old-", 0) == 0) {
      old.push_back(entry.path().string());
    }
  }
  for (const auto& path : old) remove_quietly(path);
}

CheckpointWriter::CheckpointWriter(std::string folder, const CheckpointConfig& config,
                                   std::function<void()> before)
    : folder_(std::move(folder)), config_(config), before_(std::move(before)) {}

CheckpointWriter::~CheckpointWriter() {
  join();
  try {
    if (failure_) std::rethrow_exception(failure_);
  } catch (const std::exception& e) {
    log::error("checkpoint", "{}", e.what());
  }
}

void CheckpointWriter::join() {
  if (thread_.joinable()) thread_.join();
}

void CheckpointWriter::wait() {
  join();
  if (auto failure = std::exchange(failure_, nullptr)) std::rethrow_exception(failure);
}

bool CheckpointWriter::failed() {
  const std::lock_guard lock(mutex_);
  return failure_ != nullptr;
}

std::int64_t CheckpointWriter::completed() {
  const std::lock_guard lock(mutex_);
  return completed_;
}

void CheckpointWriter::save(const CheckpointRecord& record, const StateSlice& state) {
  wait();
  if (!config_.async) {
    write(record, state);
    wait();
    return;
  }
  at::NoGradGuard no_grad;
  copy_.begin = state.begin, copy_.end = state.end, copy_.total = state.total;
  copy_.buffers.resize(state.buffers.size());
  for (std::size_t i = 0; i < state.buffers.size(); ++i) {
    const auto& [name, tensor] = state.buffers[i];
    auto& [copy_name, copy] = copy_.buffers[i];
    copy_name = name;
    if (!copy.defined() || copy.numel() != tensor.numel() || copy.dtype() != tensor.dtype()) {
      copy = at::empty({tensor.numel()}, tensor.options().device(at::kCPU));
    }
    copy.copy_(tensor);
  }
  thread_ = std::thread([this, record] { write(record, copy_); });
}

void CheckpointWriter::write(const CheckpointRecord& record, const StateSlice& state) {
  const auto start = std::chrono::steady_clock::now();
  const std::int64_t step = record.progress.step;
  try {
    if (before_) before_();
    const auto bytes = write_checkpoint(folder_ + "/" + checkpoint_name(step), record, state);
    const double seconds =
        std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    const double mb = static_cast<double>(bytes) / 1e6;
    log::info("checkpoint", "checkpoint complete: step {}, {} s, {} MB, {} MB/s", step,
              words(seconds, 2), words(mb, 1), words(mb / std::max(seconds, 1e-9), 0));
    prune_checkpoints(folder_, config_, record.progress.best_step);
    const std::lock_guard lock(mutex_);
    completed_ = step;
  } catch (...) {
    const std::lock_guard lock(mutex_);
    failure_ = std::current_exception();
  }
}

}  // namespace straq::learn
