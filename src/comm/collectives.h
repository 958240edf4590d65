// The data plane: tensors between the learners of a group. One interface; MPI on CPU tensors, and
// an implementation that does nothing for a group of one, so that one process runs the same code.
// NCCL on GPU tensors implements the same interface.
#pragma once

#include <ATen/ATen.h>
#include <mpi.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace straq::comm {

class Collectives {
 public:
  virtual ~Collectives() = default;
  virtual int rank() const = 0;
  virtual int size() const = 0;
  // Sums a contiguous tensor over the group, in place; every rank gets the same bits.
  virtual void allreduce_sum(at::Tensor tensor) = 0;
  // The root's values to everybody, in place.
  virtual void broadcast(at::Tensor tensor, int root) = 0;
  // Sums and maxima of a few numbers for metrics and decisions.
  virtual std::vector<double> allreduce_sum(std::vector<double> values) = 0;
  virtual double allreduce_max(double value) = 0;
  // True when every rank of the group passed the same text (a checksum).
  virtual bool all_equal(const std::string& text) = 0;
  virtual const char* backend() const = 0;
};

// A group of one.
std::unique_ptr<Collectives> make_local_collectives();
// CPU tensors over MPI. `comm` stays the caller's.
std::unique_ptr<Collectives> make_mpi_collectives(MPI_Comm comm);

// How the learner hands over gradients: `add` parts as backward produces them, `finish` when the
// last part is in; after it every learner holds the sum. The flat reducer waits for `finish` and
// reduces the arena's one buffer; bucketed reducers can start earlier behind the same interface.
class GradientReducer {
 public:
  virtual ~GradientReducer() = default;
  // [begin, end) of the flat gradient is final on this rank.
  virtual void add(std::int64_t begin, std::int64_t end) = 0;
  virtual void finish() = 0;
};

std::unique_ptr<GradientReducer> make_flat_reducer(Collectives& collectives, at::Tensor flat_grad);

}  // namespace straq::comm
