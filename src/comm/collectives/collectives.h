// The data plane: tensors between the learners of a group. One interface and three backends: NCCL
// for tensors on GPUs, MPI for tensors on CPUs (and, through host copies, on GPUs: for telling an
// NCCL problem from one of ours), and one that does nothing for a group of one, so that a single
// process runs the same code at no cost.
//
// Every call is collective: all ranks of the group make the same calls in the same order with
// tensors of the same size and type. Calls come from one thread at a time. Numbers and texts
// always travel over MPI, and so do CPU tensors under NCCL.
#pragma once

#include <ATen/ATen.h>
#include <mpi.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "config/fields.h"

namespace straq::comm {

// A sum that is on its way. Destroying one that is not done waits for it.
class PendingSum {
 public:
  virtual ~PendingSum() = default;
  // Moves this and the other open sums on without waiting; true once the tensor holds the sum.
  virtual bool advance() = 0;
  // Returns when the tensor holds the sum. Throws Error(failure) naming the rank where the backend
  // notices that another rank is gone or does not answer in time.
  virtual void wait() = 0;
};

class Collectives {
 public:
  virtual ~Collectives() = default;
  virtual int rank() const = 0;
  virtual int size() const = 0;

  // Sums a contiguous tensor over the group, in place; every rank gets the same bits. Types: fp32,
  // fp64, int64, and bf16 and fp16, which MPI sums in fp32 and rounds once and NCCL rounds at each
  // addition. Over MPI each element is the sum over the ranks from 0 upwards, however the buffer
  // was cut into calls.
  virtual void allreduce_sum(at::Tensor tensor) = 0;
  // The same without waiting; the tensor must not be touched until the sum is done. Sums are
  // finished in the order in which they were started, and no other collective on tensors may come
  // before they are.
  virtual std::unique_ptr<PendingSum> start_sum(at::Tensor tensor) = 0;
  // Whether start_sum returns early for such a tensor and may be called from autograd's threads.
  virtual bool overlaps(const at::Tensor& tensor) const = 0;
  // The root's values to everybody, in place.
  virtual void broadcast(at::Tensor tensor, int root) = 0;

  // ZeRO's pair. `flat` is [size * n], contiguous; rank r's shard is flat[r * n, (r + 1) * n), so
  // the caller pads a buffer to a multiple of size().
  // Sums [begin, end) of `flat`, each element where its shard is: this rank's part of the range
  // becomes the sum of all ranks' (the bits that allreduce_sum gives over MPI), the rest of `flat`
  // keeps its values. Without waiting, on the terms of start_sum. Throws std::invalid_argument for
  // a buffer that cannot be divided and for a range outside it.
  virtual std::unique_ptr<PendingSum> start_shard_sum(at::Tensor flat, std::int64_t begin,
                                                      std::int64_t end) = 0;
  // `shard` is [n], contiguous, of the type and device of `flat`, and may be this rank's part of
  // it. Throws std::invalid_argument for other shapes.
  // flat := all ranks' shards, in rank order.
  virtual void all_gather(at::Tensor shard, at::Tensor flat) = 0;

  // Sums and maxima of a few numbers for metrics and decisions.
  virtual std::vector<double> allreduce_sum(std::vector<double> values) = 0;
  virtual double allreduce_max(double value) = 0;
  // True when every rank of the group passed the same text (a checksum).
  virtual bool all_equal(const std::string& text) = 0;
  virtual const char* backend() const = 0;
};

enum class Backend { automatic, local, mpi, nccl };

#ifdef STRAQ_NCCL
inline constexpr bool kNcclBuilt = true;
#else
inline constexpr bool kNcclBuilt = false;
#endif

struct CollectivesConfig {
  Backend backend = Backend::automatic;  // nccl on GPUs, mpi on CPUs, nothing for a group of one
  double bucket_mb = 8;                  // gradients are reduced in parts of about this size
  double timeout_seconds = 600;          // NCCL: how long a rank may be late before the job fails
  // NCCL adds in one fixed order, the same bits from run to run, for speed; MPI always does.
  bool deterministic = false;
  bool operator==(const CollectivesConfig&) const = default;
  void fields(config::Fields& f) {
    f.choice("backend", backend,
             {{"auto", Backend::automatic},
              {"local", Backend::local},
              {"mpi", Backend::mpi},
              {"nccl", Backend::nccl, kNcclBuilt}});
    f("bucket_mb", bucket_mb, config::above_to(0, 1e6));
    f("timeout_seconds", timeout_seconds, config::above_to(0, 1e9));
    f("deterministic", deterministic);
  }
};

// What `automatic` stands for; a choice that cannot work throws Error(input) that says why: nccl in
// a build without it or on a CPU, local for more than one rank.
Backend choose_backend(Backend asked, at::Device device, int group_size);

// The collectives of a group whose learners hold their tensors on `device`. Collective over `comm`,
// which stays the caller's and outlives the result; MPI_COMM_NULL is a group of one. Throws as
// choose_backend does, and what make_nccl_collectives throws, on every rank alike.
std::unique_ptr<Collectives> make_collectives(const CollectivesConfig& config, at::Device device,
                                              MPI_Comm comm);

// A group of one.
std::unique_ptr<Collectives> make_local_collectives();
// Over MPI; collective over `comm`, which stays the caller's. Tensors travel in pieces of `piece`
// elements, which bounds the memory for other ranks' parts (and MPI's counts are int); at most
// 2^27.
std::unique_ptr<Collectives> make_mpi_collectives(MPI_Comm comm, std::int64_t piece = 1 << 24);

// How the learner hands over gradients: `add` parts as backward produces them, `finish` when the
// last part is in; after it every learner holds the sum. With several micro-batches only the last
// one's backward may add, because a part that was added takes no more gradient; parts that were
// never added (the whole buffer, on a learner without samples) are reduced by finish().
class GradientReducer {
 public:
  virtual ~GradientReducer() = default;
  // [begin, end) of the flat gradient is final on this rank until finish(). Throws
  // std::invalid_argument for a range outside the buffer or one that overlaps an earlier one.
  virtual void add(std::int64_t begin, std::int64_t end) = 0;
  // The whole buffer is final, whatever was added: what is not on its way yet starts. For a caller
  // with something else to do before finish(), who calls advance() now and then meanwhile: over MPI
  // sums move on inside calls only.
  virtual void start_all() {}
  virtual void advance() {}
  virtual void finish() = 0;
};

// Waits for `finish` and reduces the one buffer.
std::unique_ptr<GradientReducer> make_flat_reducer(Collectives& collectives, at::Tensor flat_grad);

// Reduces while backward still runs. The buffer [n] is cut into buckets of about `bucket_bytes`
// from its end to its beginning, which is the order in which a decoder's backward fills it; a
// bucket starts once it is final and all later ones have started, so that every rank starts them in
// the same order whatever it added. A group of one gets a reducer that does nothing.
std::unique_ptr<GradientReducer> make_bucketed_reducer(Collectives& collectives,
                                                       at::Tensor flat_grad,
                                                       std::int64_t bucket_bytes);

// The same for ZeRO: after finish() this rank's shard of `padded_grad` [size() * n] holds the sum,
// the rest what it held. Only [0, elements) is ever added and reduced; what lies beyond is padding.
std::unique_ptr<GradientReducer> make_sharded_reducer(Collectives& collectives,
                                                      at::Tensor padded_grad, std::int64_t elements,
                                                      std::int64_t bucket_bytes);

}  // namespace straq::comm
