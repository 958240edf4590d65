#include "comm/roles.h"

#include <gtest/gtest.h>

#include "comm/world.h"
#include "tests/testing.h"

namespace straq::comm {
namespace {

TEST(Roles, FourRanksAreACoordinatorAPreprocessorAndTwoLearners) {
  const Layout l = plan_roles(4, {}, {});
  EXPECT_EQ(l.role_of(0), Role::coordinator);
  EXPECT_EQ(l.role_of(1), Role::preprocessor);
  EXPECT_EQ(l.role_of(2), Role::learner);
  EXPECT_EQ(l.role_of(3), Role::learner);
  EXPECT_EQ(l.groups(), 1);
  EXPECT_EQ(l.leader_of(0), 2);
}

TEST(Roles, OneRankWearsAllHats) {
  const Layout l = plan_roles(1, {}, {});
  EXPECT_TRUE(l.single());
  EXPECT_EQ(l.learners, 1);
}

TEST(Roles, PreprocessingAloneTakesEveryRank) {
  const Layout l = plan_roles(5, {}, {true, false});
  EXPECT_EQ(l.preprocessors, 4);
  EXPECT_EQ(l.learners, 0);
}

TEST(Roles, TrainingAloneHasNoPreprocessors) {
  RoleConfig config;
  config.learners_per_group = 2;
  const Layout l = plan_roles(7, config, {false, true});
  EXPECT_EQ(l.preprocessors, 0);
  EXPECT_EQ(l.groups(), 3);
  EXPECT_EQ(l.group_of(1), 0);
  EXPECT_EQ(l.group_of(6), 2);
  EXPECT_EQ(l.leader_of(2), 5);
}

TEST(Roles, ImpossibleCountsSayWhatWouldFit) {
  struct Case {
    int world;
    RoleConfig config;
    const char* hint;
  };
  const Case cases[] = {{2, {1, 0, 0}, "at least 3 ranks"},
                        {4, {1, 3, 0}, "start 5 ranks"},
                        {6, {1, 0, 3}, "divisor of 4"}};
  for (const auto& c : cases) {
    const auto e = straq::testing::error_of([&] { plan_roles(c.world, c.config, {}); });
    ASSERT_TRUE(e);
    EXPECT_EQ(e->kind(), ErrorKind::input);
    EXPECT_NE(e->hint().find(c.hint), std::string::npos) << e->full();
  }
}

// srun without PMI starts N worlds of one: the size that Slurm promised gives it away.
TEST(World, SilentWorldsOfOneAreRefusedWithTheFix) {
  EXPECT_NO_THROW(check_world_size(4, 4));
  EXPECT_NO_THROW(check_world_size(4, 0));
  const auto e = straq::testing::error_of([] { check_world_size(1, 4); });
  ASSERT_TRUE(e);
  EXPECT_NE(e->full().find("--mpi=pmix"), std::string::npos);
}

TEST(World, PromiseIsTheLaunchersOrTheSlurmSteps) {
  auto with = [](std::initializer_list<std::pair<const char*, const char*>> env) {
    for (const char* name :
         {"SLURM_NTASKS", "SLURM_STEP_ID", "OMPI_COMM_WORLD_SIZE", "PMIX_ID", "PMI_RANK"}) {
      unsetenv(name);
    }
    for (const auto& [k, v] : env) setenv(k, v, 1);
    const int n = promised_ranks();
    for (const auto& [k, v] : env) unsetenv(k);
    return n;
  };
  EXPECT_EQ(with({}), 0);
  EXPECT_EQ(with({{"SLURM_NTASKS", "8"}, {"SLURM_STEP_ID", "0"}}), 8);
  EXPECT_EQ(with({{"SLURM_NTASKS", "8"}, {"SLURM_STEP_ID", "4294967291"}}), 0);  // the batch script
  // Neither are the shell of salloc, an adopted ssh session and what has no number yet.
  for (const char* special :
       {"4294967290", "4294967292", "4294967293", "batch", "interactive", "extern", "", "1x"}) {
    EXPECT_EQ(with({{"SLURM_NTASKS", "8"}, {"SLURM_STEP_ID", special}}), 0) << special;
  }
  EXPECT_EQ(with({{"SLURM_NTASKS", "8"}, {"SLURM_STEP_ID", "4000000000"}}), 8);
  EXPECT_EQ(with({{"SLURM_NTASKS", "8"}}), 0);
  // mpirun inside a job: its daemon is a step of one task, the world has three ranks.
  EXPECT_EQ(with({{"SLURM_NTASKS", "1"},
                  {"SLURM_STEP_ID", "0"},
                  {"OMPI_COMM_WORLD_SIZE", "3"},
                  {"PMIX_ID", "1.0"}}),
            3);
}

}  // namespace
}  // namespace straq::comm
