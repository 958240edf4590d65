// The coordinator's rank and its one loop: it carries messages to the desks, notices requests to
// stop, and tells everybody when all is over. It never computes; it sleeps between messages.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "comm/control.h"
#include "comm/roles.h"
#include "coordinate/desk.h"
#include "coordinate/job_progress.h"
#include "coordinate/order_line.h"

namespace straq::coordinate {

class Coordinator {
 public:
  // `asked_to_stop` is asked while it waits: whether a signal has reached this rank.
  Coordinator(const comm::Control& control, const comm::Layout& layout, JobProgress& progress,
              std::function<bool()> asked_to_stop = coordinate::asked_to_stop)
      : control_(control),
        layout_(layout),
        progress_(progress),
        asked_to_stop_(std::move(asked_to_stop)) {}
  // Before run(). Desks are fed in the order in which they were added.
  void add(std::unique_ptr<Desk> desk) { desks_.push_back(std::move(desk)); }
  // Until everybody was told to finish; returns the job's exit code, which all ranks get. Throws
  // Error(failure) for a message that no desk takes.
  int run();

 private:
  bool over() const;
  void handle(const comm::Message& message);
  void stop(const std::string& who);

  const comm::Control& control_;
  const comm::Layout& layout_;
  JobProgress& progress_;
  std::function<bool()> asked_to_stop_;
  std::vector<std::unique_ptr<Desk>> desks_;
};

// Tells everybody else that the job is over.
void finish_all(const comm::Control& control, const comm::Layout& layout, int code);

}  // namespace straq::coordinate
