#include "experiment/provenance.h"

#include <ATen/ATen.h>
#include <H5public.h>
#include <mpi.h>

#include <cstdlib>
#include <ctime>

#include "comm/world.h"
#include "core/shell.h"
#include "results/run_folder.h"

#ifdef STRAQ_REVISION_HEADER
#include STRAQ_REVISION_HEADER  // defines STRAQ_REVISION
#endif
#ifndef STRAQ_VERSION
#define STRAQ_VERSION "unknown"
#endif
#ifndef STRAQ_REVISION
#define STRAQ_REVISION "unknown"
#endif
#ifndef STRAQ_BUILD_TYPE
#define STRAQ_BUILD_TYPE "unknown"
#endif
#ifndef STRAQ_TORCH_VERSION
#define STRAQ_TORCH_VERSION "unknown"
#endif

namespace straq::experiment {
namespace {

std::vector<std::string>& command_line() {
  static std::vector<std::string> words;
  return words;
}

}  // namespace

void remember_command_line(int argc, char** argv) {
  command_line().assign(argv, argv + argc);
}

std::string program_version() {
  return std::string(STRAQ_VERSION) + " (" + STRAQ_REVISION + ")";
}

std::string reproduce_command(const comm::Layout& layout, const std::string& folder) {
  const std::string launcher =
      layout.single() ? "" : "mpirun -n " + std::to_string(layout.world) + " ";
  return launcher + shell_join({"straq", "run", "--from", results::RunFolder(folder).config()});
}

nlohmann::ordered_json environment_provenance(const comm::Layout& layout) {
  nlohmann::ordered_json j;
  j["version"] = STRAQ_VERSION;
  j["revision"] = STRAQ_REVISION;
  j["build"] = {{"type", STRAQ_BUILD_TYPE}, {"compiler", "gcc-compatible " __VERSION__}};
  char mpi[MPI_MAX_LIBRARY_VERSION_STRING];
  int length = 0;
  MPI_Get_library_version(mpi, &length);
  std::string mpi_version(mpi, static_cast<std::size_t>(length));
  mpi_version = mpi_version.substr(0, mpi_version.find(','));
  j["libraries"] = {
      {"libtorch", STRAQ_TORCH_VERSION}, {"mpi", mpi_version}, {"hdf5", H5_VERS_INFO}};
  j["command"] = command_line();
  j["host"] = comm::World::host();
  j["roles"] = layout.describe();
  j["cpu"] = at::get_cpu_capability();
  nlohmann::ordered_json slurm = nlohmann::ordered_json::object();
  for (const char* name :
       {"SLURM_JOB_ID", "SLURM_ARRAY_JOB_ID", "SLURM_ARRAY_TASK_ID", "SLURM_JOB_NAME",
        "SLURM_JOB_PARTITION", "SLURM_JOB_NODELIST", "SLURM_NTASKS", "SLURM_RESTART_COUNT"}) {
    if (const char* value = std::getenv(name)) slurm[name] = value;
  }
  if (!slurm.empty()) j["slurm"] = slurm;
  return j;
}

}  // namespace straq::experiment
