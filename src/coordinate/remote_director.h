// How the coordinator leads a learner group: its leader reports, everybody hears.
#pragma once

#include "comm/directive.h"
#include "coordinate/order_line.h"
#include "train/director.h"

namespace straq::coordinate {

// A learner's end. A learner that a signal has reached tells the coordinator itself.
class RemoteDirector : public train::Director {
 public:
  // Both outlive it; `directives` joins the coordinator and this learner's group.
  RemoteDirector(OrderLine& orders, comm::DirectiveLine& directives, bool leader)
      : orders_(orders), directives_(directives), leader_(leader) {}
  comm::Directive boundary(const comm::Status& status) override;
  void await_dataset() override;

 private:
  OrderLine& orders_;
  comm::DirectiveLine& directives_;
  bool leader_;
};

}  // namespace straq::coordinate
