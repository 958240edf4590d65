// A rank's line to the coordinator: what it tells, what it is told, and the word that a signal has
// reached it.
#pragma once

#include <functional>
#include <utility>

#include "comm/control.h"
#include "coordinate/protocol.h"

namespace straq::coordinate {

// A signal has reached this process, and its job is not being aborted: then the launcher's signals
// are no request, and nothing will be saved.
bool asked_to_stop();

class OrderLine {
 public:
  explicit OrderLine(const comm::Control& control,
                     std::function<bool()> asked_to_stop = coordinate::asked_to_stop)
      : control_(control), asked_to_stop_(std::move(asked_to_stop)) {}

  template <class M>
  void tell(const M& message) const {
    control_.send(0, encode(message));
  }
  // Waits for the coordinator's next message and passes on a signal that arrives meanwhile.
  comm::Message next();
  // Tells the coordinator, once, that a signal has arrived.
  void pass_on_stop();

 private:
  bool to_pass_on() const { return !told_ && asked_to_stop_(); }

  const comm::Control& control_;
  std::function<bool()> asked_to_stop_;
  bool told_ = false;  // the coordinator knows
};

}  // namespace straq::coordinate
