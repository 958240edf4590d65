#include "launch_ranks.h"

#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>

#include "core/environment.h"
#include "core/error.h"
#include "core/processors.h"

namespace straq::jobs {
namespace {

constexpr const char* kOption = "--ranks";

// Of which launchers tell a process that it is one of theirs.
constexpr const char* kLaunched[] = {"OMPI_COMM_WORLD_SIZE", "PMIX_RANK", "PMI_RANK"};

std::string own_path() {
  std::error_code ec;
  const auto path = std::filesystem::read_symlink("/proc/self/exe", ec);
  if (ec) fail_runtime("cannot tell the program's own path", "start it with mpirun -n N yourself");
  return path.string();
}

}  // namespace

void add_ranks_to(CLI::App& app, int& ranks) {
  app.add_option(kOption, ranks,
                 "so many MPI ranks on this machine, started by the program itself (default: this "
                 "process alone)")
      ->check(CLI::Range(1, 4096));
}

std::vector<std::string> without_ranks(const std::vector<std::string>& arguments) {
  std::vector<std::string> out;
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    if (arguments[i] == kOption) {
      ++i;  // and its value
    } else if (!arguments[i].starts_with(std::string(kOption) + "=")) {
      out.push_back(arguments[i]);
    }
  }
  return out;
}

std::vector<std::pair<std::string, std::string>> launcher_environment(int ranks, int cores,
                                                                      bool root) {
  std::vector<std::pair<std::string, std::string>> wanted;
  if (root) {
    wanted.emplace_back("OMPI_ALLOW_RUN_AS_ROOT", "1");
    wanted.emplace_back("OMPI_ALLOW_RUN_AS_ROOT_CONFIRM", "1");
  }
  if (ranks > cores) {
    wanted.emplace_back("OMPI_MCA_rmaps_base_oversubscribe", "1");
    wanted.emplace_back("OMPI_MCA_mpi_yield_when_idle", "1");
    // Open MPI 5 reads its launcher's settings from PRTE's names.
    wanted.emplace_back("PRTE_MCA_rmaps_default_mapping_policy", ":oversubscribe");
  }
  // Two ranks and fewer Open MPI binds to a core each, more to a socket: bound ranks would leave
  // cores idle, and the coordinator, which sleeps, would have one to itself.
  wanted.emplace_back("OMPI_MCA_hwloc_base_binding_policy", "none");
  wanted.emplace_back("PRTE_MCA_hwloc_default_binding_policy", "none");
  // Containers usually forbid one process to read another's memory.
  if (std::filesystem::exists("/.dockerenv") || std::filesystem::exists("/run/.containerenv")) {
    wanted.emplace_back("OMPI_MCA_btl_vader_single_copy_mechanism", "none");
  }
  std::erase_if(wanted, [](const auto& kv) { return std::getenv(kv.first.c_str()) != nullptr; });
  return wanted;
}

void launch_ranks(int ranks, int argc, char** argv) {
  if (ranks < 2) return;
  for (const char* name : kLaunched) {
    if (environment_variable(name).empty()) continue;
    fail_input(std::string("--ranks starts the ranks itself, but this process is one of a "
                           "launcher's already (") +
                   name + " is set)",
               "leave --ranks out under mpirun or srun");
  }
  const auto cores = static_cast<int>(usable_cores().size());
  for (const auto& [name, value] : launcher_environment(ranks, cores, geteuid() == 0)) {
    setenv(name.c_str(), value.c_str(), 0);
  }
  std::vector<std::string> words = {"mpirun", "-n", std::to_string(ranks), own_path()};
  for (auto& word : without_ranks({argv + 1, argv + argc})) words.push_back(std::move(word));
  std::vector<char*> pointers;
  for (auto& word : words) pointers.push_back(word.data());
  pointers.push_back(nullptr);
  execvp(pointers.front(), pointers.data());
  fail_runtime(std::string("cannot start mpirun: ") + std::strerror(errno),
               "install Open MPI's launcher (bash jobs/setup.sh), or put its folder into PATH");
}

}  // namespace straq::jobs
