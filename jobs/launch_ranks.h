// `--ranks N`: the program starts itself under mpirun, with what Open MPI needs for so many ranks
// on this machine, as torchrun does for its scripts.
#pragma once

#include <CLI/CLI.hpp>
#include <string>
#include <utility>
#include <vector>

namespace straq::jobs {

// Adds --ranks to a command that runs under MPI.
void add_ranks_to(CLI::App& app, int& ranks);

// The arguments of the program without --ranks.
std::vector<std::string> without_ranks(const std::vector<std::string>& arguments);

// Variables that Open MPI needs and the user has not set, with their values: leave to start more
// ranks than `cores`, without binding them to one core, and to run as root.
std::vector<std::pair<std::string, std::string>> launcher_environment(int ranks, int cores,
                                                                      bool root);

// Replaces this process by mpirun and so many ranks of this program with the same arguments but
// --ranks. Returns for a number below 2, which is one process. Throws Error(input) where it is one
// of several ranks already, and Error(failure) where mpirun cannot be started.
void launch_ranks(int ranks, int argc, char** argv);

}  // namespace straq::jobs
