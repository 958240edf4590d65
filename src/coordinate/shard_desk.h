// The desk of the preprocessors: shards of the job's data sets.
#pragma once

#include <deque>

#include "coordinate/desk.h"
#include "coordinate/job_progress.h"

namespace straq::coordinate {

// Items that a preprocessor holds: one in work, and the next, so that it never waits for an answer.
inline constexpr int kItemsAhead = 2;

class ShardDesk : public Desk {
 public:
  ShardDesk(const comm::Control& control, JobProgress& progress, int preprocessors)
      : control_(control), progress_(progress), preprocessors_(preprocessors) {}
  bool takes(const std::string& type) const override;
  void handle(const comm::Message& message) override;
  void feed() override;
  // Preprocessors are released last, so that none is missed.
  bool over() const override;

 private:
  void note_outcome(const comm::Message& message);

  const comm::Control& control_;
  JobProgress& progress_;
  int preprocessors_;
  std::deque<int> idle_;  // a rank stands here once for every item it could take
};

}  // namespace straq::coordinate
