// Tasks of different lengths, dealt to threads as they become free.
#pragma once

#include <ATen/Parallel.h>

#include <algorithm>
#include <atomic>
#include <cstdint>

#ifndef INTRA_OP_PARALLEL
#error "compile with OpenMP, or at::parallel_for runs on one thread"
#endif

namespace straq::model {

// f(task) for each of [0, count), in parallel; whoever is free takes the next one, because tasks
// differ in length. They must write apart from each other, so that the order does not show.
template <class F>
void for_tasks(std::int64_t count, F&& f) {
  std::atomic<std::int64_t> next{0};
  const auto workers = std::min<std::int64_t>(count, at::get_num_threads());
  at::parallel_for(0, workers, 1, [&](std::int64_t, std::int64_t) {
    for (std::int64_t task = 0; (task = next++) < count;) f(task);
  });
}

}  // namespace straq::model
