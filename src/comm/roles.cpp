#include "comm/roles.h"

#include <algorithm>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "core/error.h"
#include "core/processors.h"

namespace straq::comm {
namespace {

std::string count(int n, const char* what) {
  return std::to_string(n) + " " + what + (n == 1 ? "" : "s");
}

}  // namespace

Role Layout::role_of(int rank) const {
  if (rank == 0) return Role::coordinator;
  return rank <= preprocessors ? Role::preprocessor : Role::learner;
}

std::string Layout::describe() const {
  if (single()) return "one rank in all roles";
  std::string out = "1 coordinator, " + count(preprocessors, "preprocessor");
  if (learners > 0) out += ", " + count(learners, "learner") + " in " + count(groups(), "group");
  return out;
}

Layout plan_roles(int world_size, const RoleConfig& config, const RoleNeeds& needs) {
  Layout layout;
  layout.world = world_size;
  if (world_size == 1) {
    layout.learners = layout.group_size = needs.learn ? 1 : 0;
    return layout;
  }
  const int free_ranks = world_size - 1;
  const std::string have =
      "the job has " + count(world_size, "rank") + ", one of which coordinates";
  if (!needs.learn) {
    layout.preprocessors = free_ranks;
    return layout;
  }
  layout.preprocessors = needs.preprocess ? config.preprocessors : 0;
  if (needs.preprocess && layout.preprocessors >= free_ranks) {
    fail_input("roles: " + have + "; with roles.preprocessors = " +
                   std::to_string(config.preprocessors) + " no rank is left to learn",
               "start at least " + std::to_string(config.preprocessors + 2) +
                   " ranks, or one rank, which does everything in turn");
  }
  const int left = free_ranks - layout.preprocessors;
  layout.learners = config.learners > 0 ? config.learners : left;
  if (layout.learners != left) {
    fail_input("roles: " + have + "; " + count(layout.preprocessors, "preprocessor") + " and " +
                   count(layout.learners, "learner") + " do not add up to the other " +
                   std::to_string(free_ranks),
               "start " + std::to_string(1 + layout.preprocessors + layout.learners) +
                   " ranks, or set roles.learners to " + std::to_string(left) + " or 0");
  }
  layout.group_size = config.learners_per_group > 0 ? config.learners_per_group : layout.learners;
  if (layout.group_size > layout.learners || layout.learners % layout.group_size != 0) {
    fail_input("roles.learners_per_group = " + std::to_string(layout.group_size) +
                   " does not divide the " + count(layout.learners, "learner"),
               "choose a divisor of " + std::to_string(layout.learners) + ", or 0 for one group");
  }
  return layout;
}

NodePlace find_node_place(MPI_Comm comm, bool counts) {
  MPI_Comm node = MPI_COMM_NULL;
  MPI_Comm_split_type(comm, MPI_COMM_TYPE_SHARED, 0, MPI_INFO_NULL, &node);
  const int mine = counts ? 1 : 0;
  int up_to_here = 0, all = 0;
  MPI_Scan(&mine, &up_to_here, 1, MPI_INT, MPI_SUM, node);
  MPI_Allreduce(&mine, &all, 1, MPI_INT, MPI_SUM, node);
  // Masks by their hash: bound ranks have cores of their own, the others the same ones.
  std::string cores;
  for (const int core : usable_cores()) cores += std::to_string(core) + " ";
  const std::uint64_t mask = counts ? std::hash<std::string>()(cores) | 1 : 0;
  int size = 1;
  MPI_Comm_size(node, &size);
  std::vector<std::uint64_t> masks(static_cast<std::size_t>(size));
  MPI_Allgather(&mask, 1, MPI_UINT64_T, masks.data(), 1, MPI_UINT64_T, node);
  MPI_Comm_free(&node);
  const auto same = static_cast<int>(std::count(masks.begin(), masks.end(), mask));
  return {counts ? up_to_here - 1 : 0, all > 0 ? all : 1, counts ? same : 1};
}

Groups::Groups(const World& world, Layout& layout) {
  const bool learner = !layout.single() && layout.role_of(world.rank()) == Role::learner;
  const int group = learner ? layout.group_of(world.rank()) : MPI_UNDEFINED;
  MPI_Comm_split(world.comm(), group, world.rank(), &learners_);
  for (int g = 0; g < layout.groups() && !layout.single(); ++g) {
    const bool member = world.rank() == 0 || group == g;
    MPI_Comm comm = MPI_COMM_NULL;
    MPI_Comm_split(world.comm(), member ? 1 : MPI_UNDEFINED, world.rank(), &comm);
    directives_.push_back(comm);
  }
  layout.node = find_node_place(world.comm(), learner);
}

Groups::~Groups() {
  if (learners_ != MPI_COMM_NULL) MPI_Comm_free(&learners_);
  for (auto& comm : directives_) {
    if (comm != MPI_COMM_NULL) MPI_Comm_free(&comm);
  }
}

}  // namespace straq::comm
