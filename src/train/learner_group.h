// The learners that train one point together, and what they talk over. Agreement on outcomes goes
// over MPI, which is there before any device is; tensors go over the backend that fits the point's
// device, made when a point first asks for it and kept for the next one.
#pragma once

#include <mpi.h>

#include <memory>

#include "comm/collectives/collectives.h"
#include "comm/roles.h"
#include "experiment/experiment.h"

namespace straq::train {

class LearnerGroup {
 public:
  // Collective over `comm`, which stays the caller's and outlives this object; MPI_COMM_NULL is a
  // group of one. `node` is this rank's place among the learners of its node, in all groups.
  LearnerGroup(MPI_Comm comm, comm::NodePlace node);
  // A group that talks over these collectives alone, about tensors too: learners that are threads.
  LearnerGroup(std::unique_ptr<comm::Collectives> collectives, comm::NodePlace node);
  ~LearnerGroup();

  int rank() const { return control_->rank(); }
  int size() const { return control_->size(); }
  const comm::NodePlace& node() const { return node_; }
  // For numbers and outcomes, and for tensors on the CPU.
  comm::Collectives& control() { return *control_; }
  // For tensors on `device`. Collective; throws on every learner alike: Error(input) for a backend
  // that cannot work and for learners on different kinds of device, and what make_collectives
  // throws.
  comm::Collectives& tensors(const comm::CollectivesConfig& config, at::Device device);

 private:
  MPI_Comm comm_ = MPI_COMM_NULL;
  comm::NodePlace node_;
  bool one_backend_ = false;  // the control's is the tensors' as well
  std::unique_ptr<comm::Collectives> control_;
  std::unique_ptr<comm::Collectives> tensors_;
  comm::CollectivesConfig made_with_;
  at::Device made_for_ = at::kCPU;
};

// The device of a learner: its own GPU where the build and the node have one and the config wants
// it, by its place on the node. Throws Error(failure) for `device: cuda` without a GPU.
at::Device device_of(const experiment::ModelConfig& config, const comm::NodePlace& node);

// Bytes that one learner can have on its device: its part of what is free there now, shared among
// the learners of its node. Throws what available_memory throws.
double free_memory(at::Device device, const comm::NodePlace& node);

// Puts a number in the place of `learn.micro_tokens: 0`: what fits the learner of the group that
// has the least memory (choose_micro_tokens). `combs` tell the lengths of the data; without any,
// ESConv's are assumed. To be called before the learner is made. Collective; throws on every
// learner alike.
void settle_micro_tokens(experiment::ExperimentConfig& config, std::int64_t vocab,
                         const prompt::EachComb& combs, LearnerGroup& learners, at::Device device);

}  // namespace straq::train
