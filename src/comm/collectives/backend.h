// What the backends of Collectives share: the demands that start_shard_sum and all_gather make
// of their tensors, and the sum that needs no waiting.
#pragma once

#include <ATen/ATen.h>

#include <algorithm>
#include <cstdint>

#include "comm/collectives/collectives.h"

namespace straq::comm {

// Throws std::invalid_argument unless `flat` is contiguous with `size` times the elements of
// `shard`, which has its type and device.
void check_shards(const at::Tensor& flat, const at::Tensor& shard, int size);

// Throws std::invalid_argument unless `flat` is contiguous and divides into `size` shards, and
// [begin, end) lies in it.
void check_range(const at::Tensor& flat, std::int64_t begin, std::int64_t end, int size);

// What [begin, end) of `flat`, which is divided among `size` ranks, has of rank q's shard.
struct ShardRange {
  std::int64_t begin, count;
};
inline ShardRange shard_range(const at::Tensor& flat, std::int64_t begin, std::int64_t end, int q,
                              int size) {
  const std::int64_t n = flat.numel() / size;
  const std::int64_t from = std::clamp(begin, q * n, (q + 1) * n);
  return {from, std::clamp(end, q * n, (q + 1) * n) - from};
}

// This rank's part of `flat`.
inline at::Tensor own_part(const at::Tensor& flat, const at::Tensor& shard, int rank) {
  return flat.view({-1}).narrow(0, rank * shard.numel(), shard.numel());
}

class DoneSum : public PendingSum {
 public:
  bool advance() override { return true; }
  void wait() override {}
};

}  // namespace straq::comm
