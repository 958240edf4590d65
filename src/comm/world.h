// The MPI world of this process: started once, ended once, and the same interface for one process
// that no launcher started.
//
// A job that silently becomes N separate worlds of one rank each (a launcher without the PMI that
// this MPI was built for) would train N times the same thing and overwrite its own files; World
// compares its size with what Slurm or the launcher promised and refuses to start.
#pragma once

#include <mpi.h>

#include <string>

namespace straq::comm {

class World {
 public:
  // Initialises MPI (MPI_THREAD_FUNNELED: one thread of a process talks to MPI). Throws
  // Error(failure) when SLURM_NTASKS or OMPI_COMM_WORLD_SIZE promises another number of ranks.
  World(int* argc, char*** argv);
  ~World();
  World(const World&) = delete;
  World& operator=(const World&) = delete;

  int rank() const { return rank_; }
  int size() const { return size_; }
  MPI_Comm comm() const { return MPI_COMM_WORLD; }
  static std::string host();  // name of this node; also without MPI

  // Ends the whole job with `code`, for a failure that the other ranks cannot learn of otherwise.
  [[noreturn]] static void abort(int code);
  // Runs in front of every abort, from whatever thread; it may not talk to MPI.
  static void before_abort(void (*hook)());

 private:
  int rank_ = 0;
  int size_ = 1;
};

// The number of ranks that the environment promises: OMPI_COMM_WORLD_SIZE under mpirun,
// SLURM_NTASKS in a step of srun (but not in the batch script itself), else 0.
int promised_ranks();
// Throws Error(failure) with the fix when `actual` is 1 and more were promised, or they differ.
void check_world_size(int actual, int promised);

}  // namespace straq::comm
