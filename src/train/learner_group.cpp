#include "train/learner_group.h"

#include <cstdlib>

#include "core/error.h"
#include "core/log.h"
#include "core/memory.h"
#include "experiment/estimate.h"
#include "train/shared_outcome.h"

#ifdef STRAQ_CUDA
#include <ATen/Context.h>
#include <c10/cuda/CUDAException.h>
#include <c10/cuda/CUDAGuard.h>
#include <cuda_runtime_api.h>
#endif

namespace straq::train {

namespace {

// The part of `deterministic` that is not NCCL's: on a GPU, attention's backward and sums by index
// add with atomics, in whatever order comes, unless libtorch is told otherwise, and cuBLAS chooses
// its algorithms by the workspace that it gets. An operator that knows no fixed order throws.
void fix_order_on_device() {
#ifdef STRAQ_CUDA
  setenv("CUBLAS_WORKSPACE_CONFIG", ":4096:8", /*overwrite=*/0);
  at::globalContext().setDeterministicAlgorithms(true, /*warn_only=*/false);
#endif
}

}  // namespace

LearnerGroup::LearnerGroup(MPI_Comm comm, comm::NodePlace node)
    : comm_(comm),
      node_(node),
      control_(comm == MPI_COMM_NULL ? comm::make_local_collectives()
                                     : comm::make_mpi_collectives(comm)) {}

LearnerGroup::LearnerGroup(std::unique_ptr<comm::Collectives> collectives, comm::NodePlace node)
    : node_(node), one_backend_(true), control_(std::move(collectives)) {}

LearnerGroup::~LearnerGroup() = default;

comm::Collectives& LearnerGroup::tensors(const comm::CollectivesConfig& config, at::Device device) {
  if (!control_->all_equal(device.is_cuda() ? "cuda" : "cpu")) {
    fail_input("some learners of a group found a GPU and others did not",
               "set model.device to cpu, or start the job on nodes of one kind");
  }
  if (config.deterministic && device.is_cuda()) fix_order_on_device();
  if (one_backend_) return *control_;
  const bool same = tensors_ && made_with_ == config && made_for_ == device;
  if (!same) {
    tensors_.reset();  // a GPU takes part in one communicator at a time
    tensors_ = comm::make_collectives(config, device, comm_);
    made_with_ = config;
    made_for_ = device;
  }
  return *tensors_;
}

at::Device device_of(const experiment::ModelConfig& config, const comm::NodePlace& node) {
#ifdef STRAQ_CUDA
  if (config.device != experiment::DeviceKind::cpu && at::hasCUDA()) {
    const int count = at::detail::getCUDAHooks().deviceCount();
    return at::Device(at::kCUDA, static_cast<at::DeviceIndex>(node.index % count));
  }
#endif
  (void)node;
  if (config.device == experiment::DeviceKind::cuda) {
    fail_runtime("model.device: cuda, but this node shows no GPU",
                 "set model.device to auto or cpu");
  }
  return at::kCPU;
}

double free_memory(at::Device device, const comm::NodePlace& node) {
#ifdef STRAQ_CUDA
  if (device.is_cuda()) {
    const c10::cuda::CUDAGuard guard(device);
    std::size_t free = 0, total = 0;
    C10_CUDA_CHECK(cudaMemGetInfo(&free, &total));
    const int gpus = at::detail::getCUDAHooks().deviceCount();
    return static_cast<double>(free) / ((node.count + gpus - 1) / gpus);
  }
#endif
  (void)device;
  return static_cast<double>(available_memory()) / std::max(1, node.count);
}

void settle_micro_tokens(experiment::ExperimentConfig& config, std::int64_t vocab,
                         const prompt::EachComb& combs, LearnerGroup& learners, at::Device device) {
  if (config.learn.micro_tokens != 0) return;
  auto& group = learners.control();
  std::int64_t chosen = 0;
  together(group, [&] {
    experiment::EstimateInput input = experiment::estimate_input(config, group.size(), vocab);
    experiment::measure_data(input, combs);
    chosen = experiment::choose_micro_tokens(input, free_memory(device, learners.node()));
  });
  chosen = -static_cast<std::int64_t>(group.allreduce_max(-static_cast<double>(chosen)));
  config.learn.micro_tokens = chosen;
  if (group.rank() == 0) {
    log::info("learn", "learn.micro_tokens: {} tokens a forward pass, by free memory", chosen);
  }
}

}  // namespace straq::train
