// The dialogues of a split, one after the other, wherever they are: in memory, or read from shards
// as they are visited. For what counts or checks all of them and keeps none.
#pragma once

#include <functional>
#include <utility>
#include <vector>

#include "prompt/comb.h"

namespace straq::prompt {

class EachComb {
 public:
  using Visit = std::function<void(const Comb&)>;

  EachComb() = default;  // none
  EachComb(const std::vector<Comb>& combs)
      : walk_([&combs](const Visit& visit) {
          for (const Comb& comb : combs) visit(comb);
        }) {}
  explicit EachComb(std::function<void(const Visit&)> walk) : walk_(std::move(walk)) {}

  // In the order of the split; throws what reading them throws.
  void operator()(const Visit& visit) const {
    if (walk_) walk_(visit);
  }

 private:
  std::function<void(const Visit&)> walk_;
};

}  // namespace straq::prompt
