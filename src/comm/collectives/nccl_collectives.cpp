#include "comm/collectives/nccl_collectives.h"

#include <map>

#include "core/error.h"

#ifdef STRAQ_NCCL
#include <ATen/cuda/CUDAEvent.h>
#include <c10/cuda/CUDAException.h>
#include <c10/cuda/CUDAGuard.h>
#include <c10/cuda/CUDAStream.h>
#include <cuda_runtime_api.h>
#include <nccl.h>

#include <chrono>
#include <cstdlib>
#include <exception>
#include <thread>

#include "comm/activity.h"
#include "comm/collectives/backend.h"
#include "comm/world.h"
#include "core/log.h"
#endif

namespace straq::comm {

std::optional<std::pair<int, int>> first_shared(const std::vector<std::string>& names) {
  std::map<std::string, int> seen;
  for (std::size_t i = 0; i < names.size(); ++i) {
    const auto [at, fresh] = seen.emplace(names[i], static_cast<int>(i));
    if (!fresh) return std::pair(at->second, static_cast<int>(i));
  }
  return std::nullopt;
}

std::vector<std::string> gather_texts(MPI_Comm comm, const std::string& own) {
  int size = 1;
  MPI_Comm_size(comm, &size);
  const auto n = static_cast<std::size_t>(size);
  const int length = static_cast<int>(own.size());
  std::vector<int> lengths(n), offsets(n);
  MPI_Allgather(&length, 1, MPI_INT, lengths.data(), 1, MPI_INT, comm);
  int total = 0;
  for (std::size_t i = 0; i < n; ++i) {
    offsets[i] = total;
    total += lengths[i];
  }
  std::string all(static_cast<std::size_t>(total), '\0');
  MPI_Allgatherv(own.data(), length, MPI_CHAR, all.data(), lengths.data(), offsets.data(), MPI_CHAR,
                 comm);
  std::vector<std::string> out;
  for (std::size_t i = 0; i < n; ++i) {
    out.push_back(
        all.substr(static_cast<std::size_t>(offsets[i]), static_cast<std::size_t>(lengths[i])));
  }
  return out;
}

#ifndef STRAQ_NCCL

std::unique_ptr<Collectives> make_nccl_collectives(MPI_Comm, at::Device, const NcclOptions&) {
  fail_input("backend nccl: this build has no NCCL",
             "use backend auto, or build the preset cuda (docs/setup.md)");
}

#else

namespace {

using Clock = std::chrono::steady_clock;

ncclDataType_t nccl_type(at::ScalarType type) {
  switch (type) {
    case at::kFloat:
      return ncclFloat32;
    case at::kDouble:
      return ncclFloat64;
    case at::kLong:
      return ncclInt64;
    case at::kBFloat16:
      return ncclBfloat16;
    case at::kHalf:
      return ncclFloat16;
    default:
      fail_runtime(std::string("NCCL cannot sum tensors of type ") + at::toString(type),
                   "reduce in fp32");
  }
}

// Polls without holding the core for long: most collectives end within microseconds of the first
// look, and a late rank may take minutes.
class Poll {
 public:
  explicit Poll(double seconds)
      : end_(Clock::now() +
             std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(seconds))) {}
  bool expired() const { return Clock::now() > end_; }
  void pause() {
    if (++polls_ < 200) {
      std::this_thread::yield();
    } else {
      std::this_thread::sleep_for(std::chrono::microseconds(polls_ < 2000 ? 20 : 200));
    }
  }

 private:
  Clock::time_point end_;
  int polls_ = 0;
};

// The NCCL communicator and the rules for using it: every call may leave it "in progress", and must
// then be followed by questions until it is not.
class Nccl {
 public:
  Nccl(const ncclUniqueId& id, int rank, int size, at::Device device, double timeout)
      : rank_(rank), size_(size), timeout_(timeout) {
    c10::cuda::CUDAGuard guard(device);
    ncclConfig_t config = NCCL_CONFIG_INITIALIZER;
    config.blocking = 0;  // a blocking start would wait for ever for a rank that has died
    check("start", ncclCommInitRankConfig(&comm_, size_, id, rank_, &config));
  }
  ~Nccl() {
    if (comm_ == nullptr) return;
    // A clean end needs the other ranks; when this one leaves because of an error they may be
    // anywhere, so it does not ask them.
    ncclResult_t state = ncclInternalError;
    if (std::uncaught_exceptions() == 0) {
      state = ncclCommFinalize(comm_);
      Poll poll(30);
      while (state == ncclInProgress && !poll.expired()) {
        poll.pause();
        if (ncclCommGetAsyncError(comm_, &state) != ncclSuccess) state = ncclInternalError;
      }
    }
    if (state == ncclSuccess) {
      ncclCommDestroy(comm_);
    } else {
      ncclCommAbort(comm_);
    }
  }
  Nccl(const Nccl&) = delete;
  Nccl& operator=(const Nccl&) = delete;

  // The communicator; throws where an earlier failure has ended it.
  ncclComm_t get() const {
    if (comm_ == nullptr) {
      fail_runtime(who() + " was ended after an earlier failure", "see the first error in the log");
    }
    return comm_;
  }
  // Follows every NCCL call with its result.
  void check(const char* what, ncclResult_t result) {
    Poll poll(timeout_);
    while (result == ncclInProgress) {
      if (poll.expired()) fail_late(what);
      poll.pause();
      if (const auto asked = ncclCommGetAsyncError(comm_, &result); asked != ncclSuccess) {
        fail(what, asked);
      }
    }
    if (result != ncclSuccess) fail(what, result);
  }
  // Returns when `event` has passed.
  void wait(const char* what, at::cuda::CUDAEvent& event) {
    const CollectiveNote note(what, 0);
    get();
    Poll poll(timeout_);
    while (!event.query()) {
      ncclResult_t state = ncclSuccess;
      const auto asked = ncclCommGetAsyncError(comm_, &state);
      if (asked != ncclSuccess) fail(what, asked);
      if (state != ncclSuccess && state != ncclInProgress) fail(what, state);
      if (poll.expired()) fail_late(what);
      poll.pause();
    }
  }

 private:
  std::string who() const {
    return "NCCL on rank " + std::to_string(rank_) + " of " + std::to_string(size_) + " (" +
           World::host() + ")";
  }
  void abort() {
    if (comm_ != nullptr) ncclCommAbort(comm_);
    comm_ = nullptr;
  }
  [[noreturn]] void fail(const char* what, ncclResult_t result) {
    const char* last = ncclGetLastError(nullptr);
    const std::string detail = last != nullptr && *last ? std::string(": ") + last : "";
    abort();
    fail_runtime(who() + ": " + what + ": " + ncclGetErrorString(result) + detail,
                 result == ncclRemoteError
                     ? "another rank has left; its own error is in the log"
                     : "NCCL_DEBUG=INFO says more; backend mpi tells NCCL from the rest");
  }
  [[noreturn]] void fail_late(const char* what) {
    abort();
    fail_runtime(who() + ": " + what + ": no answer for " +
                     std::to_string(static_cast<long>(timeout_)) + " s",
                 "another rank has died or is much slower: see its log; raise timeout_seconds if "
                 "it is only slow");
  }

  ncclComm_t comm_ = nullptr;
  int rank_, size_;
  double timeout_;
};

class NcclSum : public PendingSum {
 public:
  NcclSum(Nccl& nccl, at::Tensor tensor, at::cuda::CUDAEvent done)
      : nccl_(nccl), tensor_(std::move(tensor)), done_(std::move(done)) {}
  ~NcclSum() override {
    try {
      wait();
    } catch (...) {  // the communicator is ended, so nothing writes to the tensor any more
    }
  }
  bool advance() override { return !tensor_.defined() || done_.query(); }
  void wait() override {
    if (!tensor_.defined()) return;
    const at::Tensor tensor = std::move(tensor_);
    tensor_.reset();
    nccl_.wait("sum", done_);
  }

 private:
  Nccl& nccl_;
  at::Tensor tensor_;
  at::cuda::CUDAEvent done_;
};

class NcclCollectives : public Collectives {
 public:
  NcclCollectives(MPI_Comm comm, const ncclUniqueId& id, at::Device device, double timeout)
      : mpi_(make_mpi_collectives(comm)),
        device_(device),
        stream_(c10::cuda::getStreamFromPool(/*isHighPriority=*/true, device.index())),
        nccl_(id, mpi_->rank(), mpi_->size(), device, timeout) {}

  int rank() const override { return mpi_->rank(); }
  int size() const override { return mpi_->size(); }

  void allreduce_sum(at::Tensor tensor) override { start_sum(std::move(tensor))->wait(); }
  std::unique_ptr<PendingSum> start_sum(at::Tensor tensor) override {
    if (!ours(tensor)) return mpi_->start_sum(std::move(tensor));
    auto done = launch("sum", {tensor}, [&] {
      return ncclAllReduce(tensor.data_ptr(), tensor.data_ptr(), count(tensor),
                           nccl_type(tensor.scalar_type()), ncclSum, nccl_.get(), stream_.stream());
    });
    return std::make_unique<NcclSum>(nccl_, std::move(tensor), std::move(done));
  }
  bool overlaps(const at::Tensor& tensor) const override {
    return tensor.is_cuda() || mpi_->overlaps(tensor);
  }
  void broadcast(at::Tensor tensor, int root) override {
    if (!ours(tensor)) return mpi_->broadcast(std::move(tensor), root);
    auto done = launch("broadcast", {tensor}, [&] {
      return ncclBroadcast(tensor.data_ptr(), tensor.data_ptr(), count(tensor),
                           nccl_type(tensor.scalar_type()), root, nccl_.get(), stream_.stream());
    });
    nccl_.wait("broadcast", done);
  }
  std::unique_ptr<PendingSum> start_shard_sum(at::Tensor flat, std::int64_t begin,
                                              std::int64_t end) override {
    if (!ours(flat)) return mpi_->start_shard_sum(std::move(flat), begin, end);
    check_range(flat, begin, end, size());
    auto done = launch("sum for its owner", {flat}, [&] {
      ncclResult_t first = ncclGroupStart();
      for (int q = 0; q < size() && first == ncclSuccess; ++q) {
        const auto part = shard_range(flat, begin, end, q, size());
        if (part.count == 0) continue;
        const at::Tensor piece = flat.view({-1}).narrow(0, part.begin, part.count);
        first =
            ncclReduce(piece.data_ptr(), piece.data_ptr(), count(piece),
                       nccl_type(piece.scalar_type()), ncclSum, q, nccl_.get(), stream_.stream());
        if (first == ncclInProgress) first = ncclSuccess;  // the group's end says how it went
      }
      const ncclResult_t end_of_group = ncclGroupEnd();
      return first == ncclSuccess ? end_of_group : first;
    });
    return std::make_unique<NcclSum>(nccl_, std::move(flat), std::move(done));
  }
  void all_gather(at::Tensor shard, at::Tensor flat) override {
    check_shards(flat, shard, size());
    if (!ours(flat)) return mpi_->all_gather(std::move(shard), std::move(flat));
    auto done = launch("all-gather", {flat, shard}, [&] {
      return ncclAllGather(shard.data_ptr(), flat.data_ptr(), count(shard),
                           nccl_type(flat.scalar_type()), nccl_.get(), stream_.stream());
    });
    nccl_.wait("all-gather", done);
  }

  std::vector<double> allreduce_sum(std::vector<double> values) override {
    return mpi_->allreduce_sum(std::move(values));
  }
  double allreduce_max(double value) override { return mpi_->allreduce_max(value); }
  bool all_equal(const std::string& text) override { return mpi_->all_equal(text); }
  const char* backend() const override { return "nccl"; }

 private:
  static std::size_t count(const at::Tensor& t) { return static_cast<std::size_t>(t.numel()); }
  bool ours(const at::Tensor& tensor) const {
    TORCH_CHECK(tensor.is_contiguous(), "collectives take contiguous tensors");
    TORCH_CHECK(tensor.is_cpu() || tensor.device() == device_, "a tensor on ", tensor.device(),
                " in a group whose rank uses ", device_);
    return tensor.is_cuda();
  }
  // Runs a collective on our stream after all that the caller's stream has been given so far;
  // returns the event that follows it.
  template <class F>
  at::cuda::CUDAEvent launch(const char* what, std::initializer_list<at::Tensor> used, F&& call) {
    c10::cuda::CUDAGuard guard(device_);
    at::cuda::CUDAEvent ready, done;
    ready.record(c10::cuda::getCurrentCUDAStream(device_.index()));
    ready.block(stream_);
    // The allocator must not hand the memory to somebody else before our stream is done with it.
    for (const auto& t : used) t.record_stream(stream_);
    nccl_.check(what, call());
    done.record(stream_);
    return done;
  }

  std::unique_ptr<Collectives> mpi_;
  at::Device device_;
  c10::cuda::CUDAStream stream_;
  Nccl nccl_;
};

// NCCL reads these once, before its first communicator. A site's own setting wins.
void choose_fixed_order() {
  setenv("NCCL_ALGO", "Ring", 0);
  setenv("NCCL_PROTO", "Simple", 0);
  setenv("NCCL_NVLS_ENABLE", "0", 0);
}

// What went wrong before NCCL could be asked, told to everybody, so that no rank waits for others.
void agree(MPI_Comm comm, const std::string& problem, ErrorKind kind, const char* hint) {
  const auto problems = gather_texts(comm, problem);
  for (std::size_t i = 0; i < problems.size(); ++i) {
    if (problems[i].empty()) continue;
    throw Error(kind, "learner " + std::to_string(i) + ": " + problems[i], hint);
  }
}

}  // namespace

std::unique_ptr<Collectives> make_nccl_collectives(MPI_Comm comm, at::Device device,
                                                   const NcclOptions& options) {
  int rank = 0;
  MPI_Comm_rank(comm, &rank);
  std::string problem;
  char bus[64] = "none";
  if (!device.is_cuda()) {
    problem = "backend nccl needs the model on a GPU, and it is on " + device.str();
  } else if (const auto e = cudaDeviceGetPCIBusId(bus, sizeof bus, device.index());
             e != cudaSuccess) {
    problem = device.str() + " does not answer: " + cudaGetErrorString(e);
  }
  agree(comm, problem, ErrorKind::failure,
        "check nvidia-smi on the node, or use model.device: cpu");
  const auto names = gather_texts(comm, World::host() + "/" + bus);
  if (const auto shared = first_shared(names)) {
    fail_input("learners " + std::to_string(shared->first) + " and " +
                   std::to_string(shared->second) + " use the same GPU (" +
                   names[static_cast<std::size_t>(shared->first)] + "), and NCCL wants one each",
               "start no more learners on a node than it has GPUs, or use backend mpi");
  }

  if (options.deterministic) choose_fixed_order();
  ncclUniqueId id{};
  if (rank == 0) {
    if (const auto made = ncclGetUniqueId(&id); made != ncclSuccess) {
      problem = std::string("NCCL gave no id: ") + ncclGetErrorString(made);
    }
  }
  agree(comm, problem, ErrorKind::failure, "NCCL_DEBUG=INFO says more; check NCCL_SOCKET_IFNAME");
  MPI_Bcast(&id, sizeof id, MPI_BYTE, 0, comm);
  auto out = std::make_unique<NcclCollectives>(comm, id, device, options.timeout_seconds);
  int version = 0;
  ncclGetVersion(&version);
  log::info("comm", "NCCL {}.{}.{} on {} GPUs{}", version / 10000, version / 100 % 100,
            version % 100, out->size(), options.deterministic ? ", in a fixed order" : "");
  return out;
}

#endif

}  // namespace straq::comm
