#include "comm/world.h"

#include <atomic>
#include <cstdlib>

#include "core/environment.h"
#include "core/error.h"
#include "core/log.h"

namespace straq::comm {
namespace {

std::atomic<void (*)()> abort_hook = nullptr;

}  // namespace

int promised_ranks() {
  // Under mpirun the launcher's own promise counts: inside a Slurm job its daemons are a step of
  // srun, whose SLURM_NTASKS is the number of daemons and not of ranks.
  if (const char* launched = std::getenv("OMPI_COMM_WORLD_SIZE")) return std::atoi(launched);
  const char* tasks = std::getenv("SLURM_NTASKS");
  const char* step = std::getenv("SLURM_STEP_ID");
  if (tasks == nullptr || step == nullptr) return 0;
  // The batch script and the shell of salloc are steps of their own, with numbers from the top of
  // the range or words; a program that they run without srun is a deliberate world of one.
  constexpr unsigned long kMostSteps = 0xfffffff0;
  char* end = nullptr;
  const unsigned long number = std::strtoul(step, &end, 10);
  if (end == step || *end != '\0' || number >= kMostSteps) return 0;
  return std::atoi(tasks);
}

void check_world_size(int actual, int promised) {
  if (promised <= 0 || actual == promised) return;
  fail_runtime("Slurm started " + std::to_string(promised) + " tasks, but MPI sees a world of " +
                   std::to_string(actual) +
                   (actual == 1 ? " (each task is a world of its own)" : ""),
               "start with `srun --mpi=pmix`, or with `mpirun` inside the batch script; "
               "`srun --mpi=list` shows what this Slurm offers");
}

World::World(int* argc, char*** argv) {
  int provided = 0;
  if (MPI_Init_thread(argc, argv, MPI_THREAD_FUNNELED, &provided) != MPI_SUCCESS) {
    fail_runtime("MPI could not start",
                 "check the Open MPI installation with `mpirun -n 1 hostname`");
  }
  MPI_Comm_rank(MPI_COMM_WORLD, &rank_);
  MPI_Comm_size(MPI_COMM_WORLD, &size_);
  log::set_rank(rank_, size_);
  try {
    check_world_size(size_, promised_ranks());
  } catch (...) {
    MPI_Finalize();
    throw;
  }
}

World::~World() {
  int finalized = 0;
  MPI_Finalized(&finalized);
  if (!finalized) MPI_Finalize();
}

std::string World::host() {
  int initialised = 0;
  MPI_Initialized(&initialised);
  if (!initialised) return host_name();
  char name[MPI_MAX_PROCESSOR_NAME];
  int length = 0;
  MPI_Get_processor_name(name, &length);
  return std::string(name, static_cast<std::size_t>(length));
}

void World::before_abort(void (*hook)()) {
  abort_hook = hook;
}

void World::abort(int code) {
  if (const auto hook = abort_hook.load()) hook();
  MPI_Abort(MPI_COMM_WORLD, code);
  std::abort();  // not reached; MPI_Abort is not declared noreturn
}

}  // namespace straq::comm
