// Collectives over NCCL for tensors on GPUs, one GPU a rank. NCCL works on a stream of its own,
// tied to libtorch's current stream by events, so a sum runs beside the rest of backward. MPI makes
// the group (it carries NCCL's id) and goes on carrying numbers, texts and CPU tensors.
//
// A rank that dies leaves the others' kernels waiting for ever, and a thread that waits for such a
// kernel with it. So this host never waits blindly: it asks the kernel's event and the
// communicator's state in turn, and on an error or after `timeout_seconds` it aborts the
// communicator, which ends the kernels, and throws.
#pragma once

#include <ATen/ATen.h>
#include <mpi.h>

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "comm/collectives/collectives.h"

namespace straq::comm {

struct NcclOptions {
  double timeout_seconds = 600;  // for a collective, and for making the communicator
  // Ring and the plain protocol, no sums in the switch: the same bits from run to run on the same
  // number of ranks and the same machine, for speed. Set before this process's first communicator.
  bool deterministic = false;
};

// Collective over `comm`, which stays the caller's; `device` is this rank's GPU. Throws, on every
// rank alike, Error(input) where two ranks were given the same GPU, and Error(failure) where NCCL
// cannot start; Error(input) in a build without NCCL.
std::unique_ptr<Collectives> make_nccl_collectives(MPI_Comm comm, at::Device device,
                                                   const NcclOptions& options);

// The first two ranks with equal names ("host/bus id" of their GPUs), if any.
std::optional<std::pair<int, int>> first_shared(const std::vector<std::string>& names);

// Every rank's text, in rank order. Collective over `comm`.
std::vector<std::string> gather_texts(MPI_Comm comm, const std::string& own);

}  // namespace straq::comm
