#include "comm/probe.h"

#include <algorithm>
#include <chrono>
#include <cstdlib>
#ifdef STRAQ_CUDA
#include <ATen/cuda/CUDAContext.h>
#endif

#include "comm/collectives/nccl_collectives.h"
#include "comm/world.h"
#include "core/environment.h"
#include "core/json/json.h"
#include "core/processors.h"

namespace straq::comm {
nlohmann::ordered_json RankPlace::to_json() const {
  return {{"rank", rank},
          {"host", host},
          {"cores", cores},
          {"threads", threads},
          {"gpus", gpus},
          {"visible_gpus", visible_gpus},
          {"slurm_task", slurm_task},
          {"clock", clock}};
}

RankPlace RankPlace::from_json(const nlohmann::json& j) {
  RankPlace p;
  j.at("rank").get_to(p.rank);
  j.at("host").get_to(p.host);
  j.at("cores").get_to(p.cores);
  j.at("threads").get_to(p.threads);
  j.at("gpus").get_to(p.gpus);
  j.at("visible_gpus").get_to(p.visible_gpus);
  j.at("slurm_task").get_to(p.slurm_task);
  j.at("clock").get_to(p.clock);
  return p;
}

RankPlace own_place(int rank) {
  RankPlace p;
  p.rank = rank;
  p.host = World::host();
  p.cores = usable_cores();
  p.threads = std::atoi(environment_variable("OMP_NUM_THREADS").c_str());
  p.visible_gpus = environment_variable("CUDA_VISIBLE_DEVICES");
  p.slurm_task = environment_variable("SLURM_PROCID");
#ifdef STRAQ_CUDA
  if (at::hasCUDA()) {
    const int count = at::detail::getCUDAHooks().deviceCount();
    for (int i = 0; i < count; ++i) {
      p.gpus.emplace_back(at::cuda::getDeviceProperties(static_cast<c10::DeviceIndex>(i))->name);
    }
  }
#endif
  p.clock =
      std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
  return p;
}

std::vector<RankPlace> gather_places(MPI_Comm comm) {
  int rank = 0;
  MPI_Comm_rank(comm, &rank);
  MPI_Barrier(comm);
  std::vector<RankPlace> places;
  for (const auto& text : gather_texts(comm, dump_json(own_place(rank).to_json()))) {
    places.push_back(RankPlace::from_json(parse_json(text, "the place of a rank")));
  }
  for (auto& p : places) {
    const auto sharers = std::count_if(places.begin(), places.end(), [&](const RankPlace& other) {
      return other.host == p.host && other.cores == p.cores;
    });
    p.threads =
        compute_threads(p.threads, static_cast<int>(p.cores.size()), static_cast<int>(sharers));
  }
  return places;
}

std::string ranges(const std::vector<int>& sorted) {
  std::string out;
  for (std::size_t i = 0; i < sorted.size();) {
    std::size_t end = i;
    while (end + 1 < sorted.size() && sorted[end + 1] == sorted[end] + 1) ++end;
    if (!out.empty()) out += ',';
    out += std::to_string(sorted[i]);
    if (end > i) out.append("-").append(std::to_string(sorted[end]));
    i = end + 1;
  }
  return out;
}

SumTiming time_sums(Collectives& group, at::Device device, std::int64_t large_bytes) {
  SumTiming timing;
  timing.large_bytes = large_bytes;
  const auto options = at::TensorOptions().dtype(at::kFloat).device(device);
  const double expected = group.size() * (group.size() + 1) / 2.0;
  bool right = true;
  // One sum of `tensor`; reading a number back waits for the device.
  const auto once = [&](at::Tensor& tensor) {
    tensor.fill_(group.rank() + 1.0);
    group.allreduce_max(0);  // starts together
    const double begin = monotonic_seconds();
    group.allreduce_sum(tensor);
    const double last = tensor.view({-1})[-1].item<double>();
    const double seconds = monotonic_seconds() - begin;
    right = right && last == expected;
    return seconds;
  };
  at::Tensor small = at::empty({2}, options);
  std::vector<double> times;
  for (int i = 0; i < 30; ++i) times.push_back(once(small));
  std::nth_element(times.begin(), times.begin() + 15, times.end());
  timing.small_seconds = group.allreduce_max(times[15]);

  at::Tensor large = at::empty({large_bytes / 4}, options);
  once(large);  // the first one sets buffers up
  timing.large_seconds = 1e30;
  for (int i = 0; i < 3; ++i) timing.large_seconds = std::min(timing.large_seconds, once(large));
  right = right && (large == expected).all().item<bool>();
  timing.large_seconds = group.allreduce_max(timing.large_seconds);
  timing.right = group.allreduce_max(right ? 0 : 1) == 0;
  return timing;
}

}  // namespace straq::comm
