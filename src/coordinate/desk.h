// A desk is the coordinator's side of one kind of work: it knows who does it, what they say and
// what they get. The coordinator's loop only carries messages to the desks.
#pragma once

#include <string>

#include "comm/control.h"

namespace straq::coordinate {

class Desk {
 public:
  virtual ~Desk() = default;
  // Whether messages with this word are for this desk; no two desks take the same.
  virtual bool takes(const std::string& type) const = 0;
  virtual void handle(const comm::Message& message) = 0;
  // Hands out what there is to whoever waits for it. Called after every message, whoever's it was,
  // and after a request to stop.
  virtual void feed() = 0;
  // All work is done, or will not be, and its ranks wait for the last message.
  virtual bool over() const = 0;
};

}  // namespace straq::coordinate
