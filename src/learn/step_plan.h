// What the host prepares for an optimizer step, apart from any weights: the transitions of its
// batch and the packed tensors of each forward pass. A pure function of the batch and the epoch, so
// that the next step's plan can be made on a thread of its own while this step's products run.
#pragma once

#include <ATen/ATen.h>

#include <cstdint>
#include <functional>
#include <future>
#include <memory>
#include <vector>

#include "learn/learn_config.h"
#include "learn/sampler.h"
#include "model/comb_batch.h"
#include "planner/pack.h"
#include "prompt/comb.h"

namespace straq::learn {

// One forward and backward pass: a micro-batch. Tensors lie on the host, pinned where the learner's
// device is a GPU.
struct PassPlan {
  model::CombBatch states;       // the probes of the micro-batch's decisions, in order
  model::CombBatch next_states;  // those that the target network is asked; no rows: none is
  std::int64_t probes = 0, next_probes = 0;
  // Where the online network values next states, too, its one pass asks both: the states' readouts
  // that are decisions of the micro-batch [probes], undefined where all are; and the readout of
  // each next state [next_probes], undefined where it is not asked. int64.
  at::Tensor own, next_online;
  // Which option each strategy is, at the readouts of `states` and of `next_states`, [rows, K]
  // int64; undefined where options are in the strategies' order.
  at::Tensor labels, next_labels;
  // Of each decision, [probes] int64.
  at::Tensor gold;
  // Of each transition, [transitions]: the probe of its state and of its next state (0 where it has
  // none), its action and the corpus's next one, int64; its reward and whether it continues, fp64.
  at::Tensor row, next_row, action, next_action, reward, continues;
  // Of each text token that the language model predicts: the row that predicts it, which stays on
  // the host, and its id. [tokens] int64.
  at::Tensor text_rows, text_next;

  std::int64_t transitions() const { return row.numel(); }
  // Tensors on `device`; copies from pinned memory do not wait.
  PassPlan to(at::Device device) const;
};

struct StepPlan {
  std::int64_t epoch = 0;
  // Of the global batch: every learner counts them from the same batch, so nothing is sent.
  double decisions = 0, transitions = 0, text_tokens = 0;
  std::vector<PassPlan> passes;  // of this learner's share; none where it has no item
};

struct PlanOptions {
  ObjectiveConfig objective;
  int rank = 0, size = 1;            // of the learner
  ItemCost cost;                     // by which the batch is divided
  std::int64_t micro_tokens = 8192;  // of a pass
  bool pinned = false;               // copies to a GPU overlap with its work
  // Whose values of next states are wanted: the target network's, the online one's, or both.
  bool target_next = true, online_next = false;
  planner::Pack pack = planner::pack_plainly;
  std::int64_t strategies = 0;
  bool final_states = false;  // Terminal::bootstrap_on_final_seeker
};
// Throws what options.pack throws.
StepPlan plan_step(const std::vector<prompt::Comb>& combs, const Batch& batch, std::int64_t epoch,
                   const TransitionSource& transitions, const PlanOptions& options);

// Plans for the next `steps` batches of `batches`, each made while its predecessor is in use.
class PlanStream {
 public:
  using Make = std::function<StepPlan(const Batch& batch, std::int64_t epoch)>;
  // `make` is called on another thread, never twice at a time; what it refers to outlives this.
  PlanStream(BatchStream batches, std::int64_t steps, Make make);
  // The same where the stream itself tells which dialogues are needed (learn/comb_feed.h): asked
  // with the stream that has just handed out the batch.
  using MakeFed = std::function<StepPlan(const BatchStream& at)>;
  static PlanStream fed(BatchStream batches, std::int64_t steps, MakeFed make);
  PlanStream(const PlanStream&) = delete;
  PlanStream& operator=(const PlanStream&) = delete;
  // Waits for the plan and starts on the one after it; the plan stays until the next call. Throws
  // what `make` threw. Not to be called more than `steps` times.
  const StepPlan& next();
  // The plan that next() will give; stays as long. Null after the last. Throws as next() does.
  const StepPlan* upcoming();

 private:
  struct Fed {};
  PlanStream(Fed, BatchStream batches, std::int64_t steps, MakeFed make);
  void start();
  std::unique_ptr<const StepPlan> made();

  BatchStream batches_;
  std::int64_t left_;  // not yet started
  MakeFed make_;
  std::unique_ptr<const StepPlan> current_, upcoming_;
  std::future<StepPlan> pending_;  // last: its end waits for the thread, which uses the others
};

}  // namespace straq::learn
