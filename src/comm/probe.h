// What a job's world is like: where its ranks sit, which cores and GPUs they may use, and how fast
// the collectives of the learners are there. For `straq doctor`.
#pragma once

#include <ATen/ATen.h>
#include <mpi.h>

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "comm/collectives/collectives.h"

namespace straq::comm {

// One rank's place. Texts and numbers only: it travels as JSON.
struct RankPlace {
  int rank = 0;
  std::string host;
  std::vector<int> cores;  // that the rank may run on
  // That training would use with every rank a learner (core/processors.h).
  int threads = 0;
  std::vector<std::string> gpus;  // that this build sees, by name
  std::string visible_gpus;       // CUDA_VISIBLE_DEVICES
  std::string slurm_task;         // SLURM_PROCID
  double clock = 0;               // seconds since 1970, right after a barrier
  nlohmann::ordered_json to_json() const;
  static RankPlace from_json(const nlohmann::json& json);
};
RankPlace own_place(int rank);
// Every rank's, in rank order, on every rank. Collective.
std::vector<RankPlace> gather_places(MPI_Comm comm);

// "0-3,8": consecutive numbers as ranges.
std::string ranges(const std::vector<int>& sorted);

// Times of sums over a group, as the learners make them.
struct SumTiming {
  double small_seconds = 0;  // of 8 bytes, median
  double large_seconds = 0;  // of large_bytes, the best of a few
  std::int64_t large_bytes = 0;
  bool right = false;  // the sums were what they should be, on every rank
  double gigabytes_per_second() const {
    return static_cast<double>(large_bytes) / large_seconds / 1e9;
  }
};
// Collective over the group; tensors lie on `device`.
SumTiming time_sums(Collectives& group, at::Device device, std::int64_t large_bytes = 64 << 20);

}  // namespace straq::comm
