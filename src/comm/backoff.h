// Pauses between polls: a wait that is short costs no sleep, and a long one no core.
#pragma once

#include <algorithm>
#include <chrono>
#include <thread>

namespace straq::comm {

// Sleeps longer the longer nothing happened; bounded so that a boundary costs at most a
// millisecond.
class Backoff {
 public:
  void pause() {
    if (++polls_ < 64) return;
    std::this_thread::sleep_for(std::chrono::microseconds(sleep_));
    sleep_ = std::min(sleep_ * 2, 1000);
  }

 private:
  int polls_ = 0;
  int sleep_ = 20;
};

}  // namespace straq::comm
