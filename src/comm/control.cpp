#include "comm/control.h"

#include <utility>

#include "comm/backoff.h"

namespace straq::comm {

Message Control::receive(int source) const {
  return std::move(*receive_unless([] { return false; }, source));
}

std::optional<Message> Control::receive_unless(const std::function<bool()>& give_up,
                                               int source) const {
  Backoff backoff;
  while (true) {
    if (auto message = poll(source)) return message;
    if (give_up()) return std::nullopt;
    backoff.pause();
  }
}

}  // namespace straq::comm
