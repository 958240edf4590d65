// Checkpoints: everything that a training run needs to go on as if it had never stopped. A node may
// fail and a job may be preempted at any moment, also while a checkpoint is being written, so one
// is written aside, hashed, flushed and renamed into place: a folder `step-00000120` is whole by
// construction, and whether it still is says its own list of hashes.
//
//   checkpoints/step-00000120/state-0-of-1.safetensors   ranges of the flat buffers
//                             checkpoint.json            written last: progress, hashes,
//                             environment
//
// Buffers are flat, in the arena's order. A file holds the range [begin, end) of each, so any
// number of learners can write one file each and any other number can read the ranges that it
// wants.
#pragma once

#include <ATen/ATen.h>

#include <cstdint>
#include <exception>
#include <functional>
#include <mutex>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "config/fields.h"
#include "core/run_inputs.h"
#include "model/arena.h"

namespace straq::learn {

// When to write and what to keep. Both intervals 0: only a stop request writes one.
struct CheckpointConfig {
  std::int64_t every_steps = 0;  // optimizer steps of the run
  double every_minutes = 10;     // by the coordinator's clock
  std::int64_t keep_last = 2;    // newest ones
  std::int64_t keep_every = 0;   // and those whose step is a multiple of this
  bool async = true;             // training goes on while a copy is written
  void fields(config::Fields& f) {
    f("every_steps", every_steps, config::between(0, 1e12));
    f("every_minutes", every_minutes, config::between(0, 1e7));
    f("keep_last", keep_last, config::between(1, 1e9));
    f("keep_every", keep_every, config::between(0, 1e12));
    f("async", async);
  }
  bool periodic() const { return every_steps > 0 || every_minutes > 0; }
};

// Where a run stands: all that is not a tensor. Batches need no cursor: the sampler is a pure
// function of (seed, epoch), so the step in the stage names the next batch.
struct Progress {
  std::int64_t step = 0;             // optimizer steps of the whole run
  std::int64_t stage = 0;            // index of the stage
  std::int64_t stage_step = 0;       // steps done in it
  std::int64_t optimizer_steps = 0;  // updates done in it: skipped steps are none
  std::int64_t bad_steps = 0;        // non-finite gradients in a row, up to now
  std::int64_t evaluated_step = -1;  // step of the last evaluation during training
  std::int64_t best_step = -1;       // step of the best evaluation so far; -1: none yet
  double best_value = 0;             // its metric
  std::int64_t without_gain = 0;     // evaluations since then

  nlohmann::ordered_json to_json() const;
  static Progress from_json(const nlohmann::json& json);
  bool operator==(const Progress&) const = default;
};

// What must be the same for a checkpoint to continue a run.
struct CheckpointIdentity {
  RunInputs inputs;        // empty in a checkpoint whose version did not write them down
  std::string parameters;  // parameters_fingerprint()
};
// SHA-256 over the parameters' names and shapes, in order.
std::string parameters_fingerprint(const std::vector<model::ParameterSpec>& specs);

// The range [begin, end) of flat buffers of `total` elements each.
struct StateSlice {
  std::int64_t begin = 0, end = 0, total = 0;
  std::vector<std::pair<std::string, at::Tensor>> buffers;  // each of end - begin elements
};
inline constexpr const char* kWeights = "weights";
inline constexpr const char* kTarget = "target";
inline constexpr const char* kBase = "base";
inline constexpr const char* kFirstMoment = "first_moment";
inline constexpr const char* kSecondMoment = "second_moment";

struct CheckpointFile {
  std::string name;  // in the checkpoint's folder
  std::int64_t begin = 0, end = 0;
  std::uint64_t bytes = 0;
  std::string sha256;
};

// A checkpoint on disk, as its checkpoint.json describes it.
struct Checkpoint {
  std::string folder;
  Progress progress;
  CheckpointIdentity identity;
  std::int64_t total = 0;                   // elements of a flat buffer
  std::int64_t learners = 1;                // that wrote it
  std::int64_t micro_tokens = 0;            // of their forward passes; 0: not written down
  nlohmann::ordered_json continued_anyway;  // CheckpointRecord's
  std::vector<CheckpointFile> files;
};

inline constexpr int kCheckpointVersion = 2;
std::string checkpoint_name(std::int64_t step);  // "step-00000120"

// Reads checkpoint.json and, when `verify`, hashes every file. Throws Error(input) that names the
// folder and begins its reason with one word: "incomplete" (no checkpoint.json), "wrong version",
// "truncated" (a file is missing or shorter), "corrupted" (a hash differs, or no JSON).
Checkpoint open_checkpoint(const std::string& folder, bool verify);
// What has changed since the checkpoint was written, in words; empty: it continues the run. The
// model's parameters are not looked at.
std::vector<std::string> changes_since(const Checkpoint& checkpoint,
                                       const CheckpointIdentity& wanted);
// Throws Error(input), "foreign", naming what differs, when the checkpoint belongs to a run of
// other inputs or another model. `anyway`: other inputs are no matter, another model is.
void require_identity(const Checkpoint& checkpoint, const CheckpointIdentity& wanted,
                      bool anyway = false);

struct RefusedCheckpoint {
  std::string folder, reason;
  bool foreign = false;  // whole, but of another run
};
struct FoundCheckpoint {
  std::optional<Checkpoint> checkpoint;    // the newest good one
  std::vector<RefusedCheckpoint> refused;  // newer ones that cannot be used
};
// The newest good checkpoint in `folder` (`…/checkpoints`). Looks at older ones only while the
// newer ones are refused.
FoundCheckpoint find_checkpoint(const std::string& folder, const CheckpointIdentity& wanted,
                                bool anyway = false);
// Renames what was refused to `refused-…`, out of the way of the run that makes these steps again,
// and removes best weights of later steps than the checkpoint's.
void set_aside(const std::string& folder, const FoundCheckpoint& found);

// Whether the checkpoint's files hold a buffer of that name.
bool has_buffer(const Checkpoint& checkpoint, const std::string& buffer);
// Fills `out` (contiguous) with elements [begin, begin + out.numel()) of a buffer, from whatever
// files hold them. Throws Error(input) when the checkpoint lacks the buffer or a part of it.
void read_buffer(const Checkpoint& checkpoint, const std::string& buffer, std::int64_t begin,
                 const at::Tensor& out);

// What goes into one checkpoint beside the tensors.
struct CheckpointRecord {
  Progress progress;
  CheckpointIdentity identity;
  std::int64_t learners = 1;
  std::int64_t micro_tokens = 0;
  nlohmann::ordered_json environment;  // for people: host, versions, command
  // What the run went on from although its inputs had changed: a list of {step, changes}.
  nlohmann::ordered_json continued_anyway = nlohmann::ordered_json::array();
};

// Writes a whole checkpoint folder `folder` now: aside, flushed, renamed. Returns its bytes. Throws
// Error(failure) naming path and reason; what was there before stays.
std::uint64_t write_checkpoint(const std::string& folder, const CheckpointRecord& record,
                               const StateSlice& state);

// Removes step folders that the config does not keep, and temporary ones. Best folders
// (`best-<step>`) stay while the newest or a kept checkpoint speaks of their step.
void prune_checkpoints(const std::string& folder, const CheckpointConfig& config,
                       std::int64_t best_step);
// Removes what writers that died left behind (`.tmp-…`, `.old-…`).
void clear_partial_checkpoints(const std::string& folder);

// Writes checkpoints one after the other, by a thread of its own when the config says so. `save`
// copies the state to host buffers and returns; at most one write is under way, a second `save`
// waits for it. Not for several threads at once.
class CheckpointWriter {
 public:
  // `folder` is `…/checkpoints`. `before` runs at the start of each write, in its thread (flushing
  // of files that a checkpoint relies on).
  CheckpointWriter(std::string folder, const CheckpointConfig& config,
                   std::function<void()> before = {});
  ~CheckpointWriter();  // waits; a failure that nobody asked for is logged
  CheckpointWriter(const CheckpointWriter&) = delete;
  CheckpointWriter& operator=(const CheckpointWriter&) = delete;

  // Throws Error(failure) of this write or of the one before.
  void save(const CheckpointRecord& record, const StateSlice& state);
  // Returns when nothing is under way; throws the failure of the last write, once.
  void wait();
  // A write has failed and nobody was told yet.
  bool failed();
  // Step of the newest checkpoint that this writer completed; -1: none.
  std::int64_t completed();

 private:
  void write(const CheckpointRecord& record, const StateSlice& state);
  void join();

  std::string folder_;
  CheckpointConfig config_;
  std::function<void()> before_;
  StateSlice copy_;  // host buffers, kept from one checkpoint to the next
  std::thread thread_;
  std::mutex mutex_;  // guards failure_ and completed_
  std::exception_ptr failure_;
  std::int64_t completed_ = -1;
};

}  // namespace straq::learn
