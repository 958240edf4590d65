#include "comm/collectives/collectives.h"

#include <stdexcept>

#include "comm/collectives/backend.h"
#include "comm/collectives/nccl_collectives.h"
#include "core/error.h"

namespace straq::comm {
namespace {

class LocalCollectives : public Collectives {
 public:
  int rank() const override { return 0; }
  int size() const override { return 1; }
  void allreduce_sum(at::Tensor) override {}
  std::unique_ptr<PendingSum> start_sum(at::Tensor) override { return std::make_unique<DoneSum>(); }
  bool overlaps(const at::Tensor&) const override { return false; }
  void broadcast(at::Tensor, int) override {}
  std::unique_ptr<PendingSum> start_shard_sum(at::Tensor flat, std::int64_t begin,
                                              std::int64_t end) override {
    check_range(flat, begin, end, 1);
    return std::make_unique<DoneSum>();
  }
  void all_gather(at::Tensor shard, at::Tensor flat) override {
    check_shards(flat, shard, 1);
    if (flat.data_ptr() == shard.data_ptr()) return;
    at::NoGradGuard no_grad;
    flat.view({-1}).copy_(shard.view({-1}));
  }
  std::vector<double> allreduce_sum(std::vector<double> values) override { return values; }
  double allreduce_max(double value) override { return value; }
  bool all_equal(const std::string&) override { return true; }
  const char* backend() const override { return "none"; }
};

}  // namespace

void check_shards(const at::Tensor& flat, const at::Tensor& shard, int size) {
  const bool fits = flat.is_contiguous() && shard.is_contiguous() &&
                    flat.numel() == size * shard.numel() &&
                    flat.scalar_type() == shard.scalar_type() && flat.device() == shard.device();
  if (fits) return;
  throw std::invalid_argument(
      "a flat buffer of " + std::to_string(flat.numel()) + " elements (" +
      at::toString(flat.scalar_type()) + ", " + flat.device().str() + ") has no " +
      std::to_string(size) + " contiguous shards of " + std::to_string(shard.numel()) + " (" +
      at::toString(shard.scalar_type()) + ", " + shard.device().str() + ")");
}

void check_range(const at::Tensor& flat, std::int64_t begin, std::int64_t end, int size) {
  if (flat.is_contiguous() && flat.numel() % size == 0 && begin >= 0 && begin <= end &&
      end <= flat.numel()) {
    return;
  }
  throw std::invalid_argument("a buffer of " + std::to_string(flat.numel()) + " elements has no " +
                              std::to_string(size) + " contiguous shards with a range [" +
                              std::to_string(begin) + ", " + std::to_string(end) + ")");
}

Backend choose_backend(Backend asked, at::Device device, int group_size) {
  switch (asked) {
    case Backend::automatic:
      if (group_size == 1) return Backend::local;
      return device.is_cuda() && kNcclBuilt ? Backend::nccl : Backend::mpi;
    case Backend::local:
      if (group_size > 1) {
        fail_input(
            "backend local is for one learner, and this group has " + std::to_string(group_size),
            "use backend auto");
      }
      return asked;
    case Backend::mpi:
      return asked;
    case Backend::nccl:
      if (!kNcclBuilt) {
        fail_input("backend nccl: this build has no NCCL",
                   "use backend auto, or build the preset cuda (docs/setup.md)");
      }
      if (!device.is_cuda()) {
        fail_input("backend nccl needs the model on a GPU, and it is on " + device.str(),
                   "use backend auto, or model.device: cuda");
      }
      return asked;
  }
  throw std::logic_error("an unknown backend");
}

std::unique_ptr<Collectives> make_collectives(const CollectivesConfig& config, at::Device device,
                                              MPI_Comm comm) {
  int size = 1;
  if (comm != MPI_COMM_NULL) MPI_Comm_size(comm, &size);
  switch (choose_backend(config.backend, device, size)) {
    case Backend::nccl:
      return make_nccl_collectives(comm, device, {config.timeout_seconds, config.deterministic});
    case Backend::mpi:
      return comm == MPI_COMM_NULL ? make_local_collectives() : make_mpi_collectives(comm);
    default:
      return make_local_collectives();
  }
}

std::unique_ptr<Collectives> make_local_collectives() {
  return std::make_unique<LocalCollectives>();
}

}  // namespace straq::comm
