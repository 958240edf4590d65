// Who does what in the world. Rank 0 is the coordinator, then come the preprocessors, then the
// learners, cut into groups of equal size that train one sweep point each. With one rank the
// process wears all hats in turn.
#pragma once

#include <mpi.h>

#include <string>
#include <vector>

#include "comm/world.h"
#include "config/fields.h"

namespace straq::comm {

enum class Role { coordinator, preprocessor, learner };

struct RoleConfig {
  int preprocessors = 1;
  int learners = 0;            // 0: all ranks that are left
  int learners_per_group = 0;  // 0: all learners form one group
  void fields(config::Fields& f) {
    f("preprocessors", preprocessors, config::between(0, 1e6));
    f("learners", learners, config::between(0, 1e6));
    f("learners_per_group", learners_per_group, config::between(0, 1e6));
  }
};

// What a job needs: preprocessing only, training only, or both.
struct RoleNeeds {
  bool preprocess = true;
  bool learn = true;
};

// A rank's place among those of its kind on its node.
struct NodePlace {
  int index = 0, count = 1;
  int sharers = 1;  // of those, with the same cores in their affinity masks as this one
};
// Of this rank among the ranks of `comm` that pass `counts`. Collective over `comm`.
NodePlace find_node_place(MPI_Comm comm, bool counts);

// The layout of a world; a pure function of its size and the config.
struct Layout {
  int world = 1;
  int preprocessors = 0;
  int learners = 0;
  int group_size = 0;
  NodePlace node;  // among the learners of this rank's node; known once Groups exists

  bool single() const { return world == 1; }
  int groups() const { return group_size ? learners / group_size : 0; }
  Role role_of(int rank) const;
  int first_learner() const { return 1 + preprocessors; }
  // Group of a learner rank, from 0.
  int group_of(int rank) const { return (rank - first_learner()) / group_size; }
  int leader_of(int group) const { return first_learner() + group * group_size; }
  std::string describe() const;  // "1 coordinator, 1 preprocessor, 2 learners in 1 group"
};

// Throws Error(input) for impossible counts, naming what would fit.
Layout plan_roles(int world_size, const RoleConfig& config, const RoleNeeds& needs);

// The communicators that this rank takes part in; freed by the destructor. Every rank of the world
// must construct it (the splits are collective).
class Groups {
 public:
  // Fills layout.node.
  Groups(const World& world, Layout& layout);
  ~Groups();
  Groups(const Groups&) = delete;
  Groups& operator=(const Groups&) = delete;

  // The learners of this rank's own group (rank 0 is the leader); MPI_COMM_NULL for other roles.
  MPI_Comm learners() const { return learners_; }
  // The coordinator (rank 0) and the learners of a group: for directives. A learner has its own
  // group's only, the coordinator has all of them, others have none.
  MPI_Comm directive(int group) const { return directives_.at(static_cast<std::size_t>(group)); }

 private:
  MPI_Comm learners_ = MPI_COMM_NULL;
  std::vector<MPI_Comm> directives_;
};

}  // namespace straq::comm
