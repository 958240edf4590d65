// The control plane as those see it who talk over it: small messages between the coordinator and
// everybody else. Waiting never burns a core: a rank that waits for control sleeps between polls,
// so that on a laptop the learners have the cores to themselves. Over MPI it is a Communicator
// (comm/communicator.h); tests have one between threads.
#pragma once

#include <functional>
#include <nlohmann/json.hpp>
#include <optional>

namespace straq::comm {

using Json = nlohmann::json;

struct Message {
  int source = 0;
  Json body;
};

class Control {
 public:
  static constexpr int kAnybody = -1;
  virtual ~Control() = default;

  // Returns once the receiver has, or certainly will have, the message. Texts in a message may be
  // any bytes, and numbers any doubles: they arrive as they were sent.
  virtual void send(int to, const Json& body) const = 0;
  // The same without waiting for the receiver, who may be at work and have no time for a long
  // message yet. Messages to one rank arrive in the order of their sending, either way.
  virtual void post(int to, const Json& body) const = 0;
  // A message that has arrived, if any; from `source` or anybody.
  virtual std::optional<Message> poll(int source = kAnybody) const = 0;

  // Sleeps between polls until a message arrives.
  Message receive(int source = kAnybody) const;
  // The same, but nothing once `give_up`, asked between polls, says so.
  std::optional<Message> receive_unless(const std::function<bool()>& give_up,
                                        int source = kAnybody) const;
};

}  // namespace straq::comm
