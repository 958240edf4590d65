#include "coordinate/learner_group.h"

#include "core/error.h"

namespace straq::coordinate {

LearnerGroup::LearnerGroup(MPI_Comm comm, comm::NodePlace node)
    : comm_(comm),
      node_(node),
      control_(comm == MPI_COMM_NULL ? comm::make_local_collectives()
                                     : comm::make_mpi_collectives(comm)) {}

LearnerGroup::~LearnerGroup() = default;

comm::Collectives& LearnerGroup::tensors(const comm::CollectivesConfig& config, at::Device device) {
  if (!control_->all_equal(device.is_cuda() ? "cuda" : "cpu")) {
    fail_input("some learners of a group found a GPU and others did not",
               "set model.device to cpu, or start the job on nodes of one kind");
  }
  const bool same = tensors_ && made_with_ == config && made_for_ == device;
  if (!same) {
    tensors_.reset();  // a GPU takes part in one communicator at a time
    tensors_ = comm::make_collectives(config, device, comm_);
    made_with_ = config;
    made_for_ = device;
  }
  return *tensors_;
}

at::Device device_of(const ModelConfig& config, const comm::NodePlace& node) {
#ifdef STRAQ_CUDA
  if (config.device != DeviceKind::cpu && at::hasCUDA()) {
    const int count = at::detail::getCUDAHooks().deviceCount();
    return at::Device(at::kCUDA, static_cast<at::DeviceIndex>(node.index % count));
  }
#endif
  (void)node;
  if (config.device == DeviceKind::cuda) {
    fail_runtime("model.device: cuda, but this node shows no GPU",
                 "set model.device to auto or cpu");
  }
  return at::kCPU;
}

}  // namespace straq::coordinate
