#include "coordinate/order_line.h"

#include "comm/stop.h"

namespace straq::coordinate {

bool asked_to_stop() {
  return comm::stop_requested() && !comm::abort_announced();
}

comm::Message OrderLine::next() {
  while (true) {
    auto message = control_.receive_unless([this] { return to_pass_on(); }, 0);
    if (message) return std::move(*message);
    pass_on_stop();
  }
}

void OrderLine::pass_on_stop() {
  if (!to_pass_on()) return;
  told_ = true;
  tell(StopWord{});
}

}  // namespace straq::coordinate
