// The desk of the learner groups: points of the sweep, and what a group asks while it has one.
#pragma once

#include <vector>

#include "comm/directive.h"
#include "comm/roles.h"
#include "coordinate/desk.h"
#include "coordinate/job_progress.h"
#include "coordinate/protocol.h"
#include "train/director.h"

namespace straq::coordinate {

class PointDesk : public Desk {
 public:
  // `directives`: the way to each group of the layout.
  PointDesk(const comm::Control& control, const comm::Layout& layout,
            std::vector<comm::DirectiveLine*> directives, JobProgress& progress);
  bool takes(const std::string& type) const override;
  void handle(const comm::Message& message) override;
  void feed() override;
  bool over() const override;

 private:
  struct Group {
    bool waiting = false;   // for a point
    bool awaiting = false;  // for the rest of its data set
    bool finished = false;
    std::size_t point = 0;
    bool busy = false;
    bool begun = false;  // its leader holds the point's folder
    train::Pacer pacer;
  };
  void answer_status(std::size_t group, const comm::Status& status);
  void take_back(Group& group, train::PointResult result);
  void answer_await(std::size_t group);
  void assign_point(std::size_t group);
  // The next point that can begin now; nothing where none can. `later`: some will be able to.
  PointJob* next_point(bool& later);
  template <class M>
  void to_group(std::size_t group, const M& message) const;

  const comm::Control& control_;
  const comm::Layout& layout_;
  std::vector<comm::DirectiveLine*> directives_;
  JobProgress& progress_;
  std::vector<Group> groups_;
};

}  // namespace straq::coordinate
