// What the backends of Collectives share: the demands that reduce_scatter_sum and all_gather make
// of their tensors, and the sum that needs no waiting.
#pragma once

#include <ATen/ATen.h>

#include "comm/collectives.h"

namespace straq::comm {

// Throws std::invalid_argument unless `flat` is contiguous with `size` times the elements of
// `shard`, which has its type and device.
void check_shards(const at::Tensor& flat, const at::Tensor& shard, int size);

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
