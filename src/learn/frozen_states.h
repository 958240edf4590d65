// What a model's frozen layers make of a data set, kept on disk. With learn.freeze the states that
// enter the first trained layer are a function of the frozen weights and of the shards alone: they
// are computed once, in pieces that the learners share, and read in every step after it, by the
// online and the target network alike, in every run that freezes the same weights.
//
//   <folder of the shards>/frozen/<identity>/train-00003.safetensors    states [rows, hidden]
//
// Rows of a piece: dialogue by dialogue, of each its trunks' tokens and then those of its probes
// that no trunk holds (Comb::repeated). Where every layer is frozen only the rows at which probes
// are read are kept, one for each decision.
#pragma once

#include <ATen/ATen.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "model/comb_batch.h"
#include "model/llama.h"
#include "prompt/comb.h"

namespace straq::learn {

// What stored states depend on; all of it by content.
struct StatesIdentity {
  std::string data;                    // the shards' key
  std::string weights;                 // checksum of the frozen ones
  std::int64_t layers = 0;             // frozen
  bool whole = false;                  // all layers are: only what is read is kept
  bool text = false;                   // text is learned: trunks to their ends, also of dialogues
                                       // without decisions
  at::ScalarType stored = at::kFloat;  // precision on disk
  std::string computed;                // and of the computation

  std::string hex() const;  // SHA-256
};

// Of the dialogues of one split, which outlive it: how they are cut into pieces, worked out once,
// and the pieces that have been opened.
class SplitStates {
 public:
  virtual ~SplitStates() = default;
  virtual std::int64_t pieces() const = 0;
  virtual double bytes() const = 0;  // on disk, of all pieces
  // Computes piece `i` and writes it, unless it is there already, whole and of these dialogues.
  // Returns whether it was computed. Throws Error(failure) where it cannot be written.
  virtual bool make(std::int64_t piece) = 0;
  // A batch of selections of the split's dialogues, all of whose pieces have been made, with their
  // states in the model's precision: a planner::Pack. Each piece is checked against its hash when
  // it is first read. Throws Error(input) naming a piece that is missing, damaged or of other
  // dialogues. May be called by one thread at a time.
  virtual model::CombBatch pack(const std::vector<model::CombSelection>& selections) = 0;
};

class FrozenStates {
 public:
  // `folder` is the data set's; `model` has frozen layers and outlives this. `text` as in
  // StatesIdentity. With `stored` of lower precision than the model's, states are rounded.
  FrozenStates(const std::string& folder, const std::string& data_key, const model::Llama& model,
               at::ScalarType stored, bool text, std::int64_t micro_tokens);

  // The states of a split; what it gives refers to the model and to `combs`.
  std::shared_ptr<SplitStates> of(const std::string& split,
                                  const std::vector<prompt::Comb>& combs) const;

  const std::string& folder() const { return folder_; }

 private:
  std::string folder_, identity_;
  const model::Llama& model_;
  at::ScalarType stored_;
  bool whole_, text_;
  std::int64_t micro_tokens_;
};

}  // namespace straq::learn
