#include "operate/doctor.h"

#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <map>
#include <set>
#include <thread>

#include "comm/collectives/nccl_collectives.h"
#include "core/environment.h"
#include "core/error.h"
#include "core/files/files.h"
#include "core/files/temporary_name.h"
#include "core/process.h"
#include "core/tables/table.h"
#include "experiment/provenance.h"
#include "shard/lock_probe.h"

namespace straq::operate {
namespace fs = std::filesystem;
namespace {

#ifdef STRAQ_CUDA
constexpr bool kCudaBuilt = true;
#else
constexpr bool kCudaBuilt = false;
#endif

// A check that fails by throwing.
template <class F>
Check attempt(const std::string& what, F&& f) {
  try {
    return f();
  } catch (const Error& e) {
    return {what, Verdict::failed, e.what(), e.hint()};
  } catch (const std::exception& e) {
    return {what, Verdict::failed, e.what(), {}};
  }
}

std::map<std::string, std::vector<const comm::RankPlace*>> by_host(
    const std::vector<comm::RankPlace>& places) {
  std::map<std::string, std::vector<const comm::RankPlace*>> hosts;
  for (const auto& p : places) hosts[p.host].push_back(&p);
  return hosts;
}

// How the ranks were started; of rank 0.
Check check_launcher(int size) {
  Check check{"launcher", Verdict::note, {}, {}};
  const bool pmix = !environment_variable("PMIX_RANK").empty();
  if (size == 1) {
    check.detail = "one rank alone";
  } else {
    check.detail =
        pmix ? "ranks found each other over PMIx" : "ranks found each other without PMIx";
  }
  if (environment_variable("SLURM_JOB_ID").empty()) return check;
  check.verdict = Verdict::ok;
  check.detail += run_shell("srun --mpi=list").text.find("pmix") != std::string::npos
                      ? "; this Slurm offers srun --mpi=pmix"
                      : "; this Slurm offers no srun --mpi=pmix: slurm/launch.sh takes mpirun";
  return check;
}

Check judge_sums(const std::string& what, const comm::SumTiming& t, int ranks) {
  Check check{what, Verdict::ok, {}, {}};
  check.detail = fmt::format("{} ranks: 8 bytes in {:.1f} us, {} MB in {:.1f} ms: {:.2f} GB/s",
                             ranks, t.small_seconds * 1e6, t.large_bytes >> 20,
                             t.large_seconds * 1e3, t.gigabytes_per_second());
  if (!t.right) {
    check.verdict = Verdict::failed;
    check.detail += "; the sums are wrong";
    check.hint = "try --mca pml ob1 --mca btl tcp,self,vader; report it to the site";
  } else if (t.gigabytes_per_second() < 0.05) {
    check.verdict = Verdict::warning;
    check.hint =
        "the network or the cores are overloaded: is a slow interface used "
        "(OMPI_MCA_btl_tcp_if_include, NCCL_SOCKET_IFNAME)?";
  }
  return check;
}

// Over NCCL, with one rank for each GPU of each host.
std::vector<Check> check_nccl(const comm::World& world, const comm::RankPlace& own, int index) {
  const std::string what = "NCCL all-reduce";
  if (!comm::kNcclBuilt) return {{what, Verdict::note, "not built (preset cuda has it)", {}}};
  const bool member = index < static_cast<int>(own.gpus.size());
  MPI_Comm comm = MPI_COMM_NULL;
  MPI_Comm_split(world.comm(), member ? 1 : MPI_UNDEFINED, world.rank(), &comm);
  int members = member ? 1 : 0;
  MPI_Allreduce(MPI_IN_PLACE, &members, 1, MPI_INT, MPI_SUM, world.comm());
  std::vector<Check> out;
  if (members == 0) {
    out.push_back({what, Verdict::note, "no GPU is present", {}});
  } else if (members == 1) {
    out.push_back({what, Verdict::note, "one GPU: nothing to reduce", {}});
  } else if (member) {
    out.push_back(attempt(what, [&] {
      const at::Device device(at::kCUDA, static_cast<at::DeviceIndex>(index));
      const auto group = comm::make_nccl_collectives(comm, device, {60, false});
      return judge_sums(what, comm::time_sums(*group, device), members);
    }));
  }
  if (comm != MPI_COMM_NULL) MPI_Comm_free(&comm);
  return out;
}

// A file that rank 0 writes must be seen by every host, soon.
Check check_shared(const comm::World& world, const std::string& folder) {
  Check check{"shared folder", Verdict::ok, {}, {}};
  // Another doctor may look at the same folder now.
  const std::string name =
      comm::gather_texts(world.comm(),
                         world.rank() == 0
                             ? temporary_name((fs::path(folder) / ".straq-doctor-shared").string())
                             : std::string())
          .front();
  std::string trouble;
  if (world.rank() == 0) {
    try {
      write_file_atomic(name, "straq doctor\n");
    } catch (const Error& e) {
      trouble = e.what();  // the others wait below
    }
  }
  trouble = comm::gather_texts(world.comm(), trouble).front();
  if (!trouble.empty()) {
    check.verdict = Verdict::failed;
    check.detail = trouble;
    return check;
  }
  std::error_code ec;
  bool seen = fs::exists(name, ec);
  for (int i = 0; i < 50 && !seen; ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
    seen = fs::exists(name, ec);
  }
  std::set<std::string> blind;
  for (const auto& host : comm::gather_texts(world.comm(), seen ? "" : comm::World::host())) {
    if (!host.empty()) blind.insert(host);
  }
  if (world.rank() == 0) fs::remove(name, ec);
  if (blind.empty()) {
    check.detail = "a file written by rank 0 is seen by every rank";
    return check;
  }
  check.verdict = Verdict::failed;
  check.detail = folder + " is not the same folder on";
  for (const auto& host : blind) check.detail += " " + host;
  check.hint =
      "put results on a filesystem that all nodes share, with --set results=… or in the "
      "config";
  return check;
}

std::vector<Check> check_filesystem(const DoctorOptions& options) {
  const std::string& folder = options.results;
  std::vector<Check> out;
  out.push_back(attempt("results folder", [&]() -> Check {
    require_writable_folder(folder);
    return {"results folder", Verdict::ok, fs::absolute(folder).string() + " is writable", {}};
  }));
  if (out.front().verdict == Verdict::failed) return out;
  out.push_back(attempt("disk space", [&] {
    return judge_disk(folder, disk_space(folder), options.need_gigabytes);
  }));
  out.push_back(attempt("write, rename, read", [&]() -> Check {
    constexpr std::size_t kBytes = 64 << 20;
    const auto probe = probe_write_rename_read(folder, kBytes);
    const double mb = static_cast<double>(kBytes) / 1e6;
    Check check{"write, rename, read", Verdict::ok, {}, {}};
    check.detail = fmt::format("64 MiB flushed at {:.0f} MB/s, read at {:.0f} MB/s, equal",
                               mb / probe.write_seconds, mb / probe.read_seconds);
    if (mb / probe.write_seconds < 10) {
      check.verdict = Verdict::warning;
      check.hint = "checkpoints will be slow: keep results on the site's parallel filesystem";
    }
    return check;
  }));
  out.push_back(attempt("hard links", [&]() -> Check {
    probe_hard_links(folder);
    return {
        "hard links", Verdict::ok, "made, and not over one that is there (locks need both)", {}};
  }));
  out.push_back(attempt("HDF5 file locking", [&]() -> Check {
    const auto probe = shard::probe_hdf5_locking(folder);
    Check check{"HDF5 file locking", Verdict::ok, "works", {}};
    switch (probe.locking) {
      case shard::Hdf5Locking::works:
        break;
      case shard::Hdf5Locking::off:
        check.detail = "off (" + probe.detail + "); straq does not need it";
        break;
      case shard::Hdf5Locking::broken:
        check.verdict = Verdict::warning;
        check.detail = "fails (" + probe.detail + "); straq does not need it, h5dump and h5py do";
        check.hint = "export HDF5_USE_FILE_LOCKING=FALSE before looking into shards with them";
        break;
      case shard::Hdf5Locking::unusable:
        check.verdict = Verdict::failed;
        check.detail = "HDF5 cannot make a file here: " + probe.detail;
        check.hint = "put results and shards on another filesystem";
        break;
    }
    return check;
  }));
  return out;
}

}  // namespace

const char* name(Verdict verdict) {
  switch (verdict) {
    case Verdict::ok:
      return "ok";
    case Verdict::note:
      return "note";
    case Verdict::warning:
      return "warning";
    case Verdict::failed:
      break;
  }
  return "FAILED";
}

Check judge_world(int size, int promised, int hosts) {
  Check check{"world", Verdict::ok, {}, {}};
  check.detail = fmt::format("{} rank{} on {} host{}", size, size == 1 ? "" : "s", hosts,
                             hosts == 1 ? "" : "s");
  if (promised <= 0) {
    check.detail += "; no Slurm here";
  } else if (promised == size) {
    check.detail += ", as many as Slurm's tasks";
  } else {
    check.detail += fmt::format(", but Slurm has {} tasks", promised);
    check.verdict = size == 1 ? Verdict::warning : Verdict::failed;
    check.hint = size == 1 ? "this process started alone: sbatch slurm/doctor.sbatch starts all "
                             "tasks"
                           : "start as many ranks as tasks: srun --mpi=pmix, or mpirun -n "
                             "$SLURM_NTASKS";
  }
  return check;
}

std::vector<Check> judge_bindings(const std::vector<comm::RankPlace>& places, bool cuda_built,
                                  bool job_has_gpus) {
  Check cpu{"CPU binding", Verdict::ok, {}, {}}, gpu{"GPU binding", Verdict::note, {}, {}};
  std::size_t least = places.front().gpus.size(), most = least;
  std::string crowded;
  bool bound = false;
  for (const auto& [host, ranks] : by_host(places)) {
    std::set<int> cores;
    int threads = 0;
    std::map<std::vector<int>, int> same;  // threads on one set of cores
    for (const auto* p : ranks) {
      cores.insert(p->cores.begin(), p->cores.end());
      threads += std::max(1, p->threads);
      same[p->cores] += std::max(1, p->threads);
      least = std::min(least, p->gpus.size());
      most = std::max(most, p->gpus.size());
    }
    bound = bound || same.size() > 1;
    for (const auto& [set, wanted] : same) {
      if (crowded.empty() && wanted > static_cast<int>(set.size())) {
        crowded = fmt::format("{}: {} threads share {} core{} ({})", host, wanted, set.size(),
                              set.size() == 1 ? "" : "s", comm::ranges(set));
      }
    }
    if (!cpu.detail.empty()) cpu.detail += "; ";
    cpu.detail += fmt::format("{}: {} threads of {} ranks on {} cores", host, threads, ranks.size(),
                              cores.size());
  }
  // Many hosts are in the table; here one line must do.
  if (by_host(places).size() > 3) cpu.detail = fmt::format("{} hosts", by_host(places).size());
  cpu.detail += bound ? ", ranks bound" : ", ranks not bound to cores of their own";
  if (!crowded.empty()) {
    cpu.verdict = Verdict::warning;
    cpu.detail = crowded;
    cpu.hint =
        "the coordinator sleeps, so one more rank than cores does no harm; else ask for more "
        "--cpus-per-task, or mpirun --bind-to none where all ranks share one core";
  }
  if (!cuda_built) {
    gpu.detail = "this build knows no GPUs (preset cpu)";
    if (job_has_gpus) {
      gpu.verdict = Verdict::warning;
      gpu.detail = "the job has GPUs, but this build does not use them";
      gpu.hint = "bash jobs/build.sh --preset cuda, and STRAQ_PRESET=cuda";
    }
  } else if (most == 0) {
    gpu.detail = "no rank sees a GPU";
    if (job_has_gpus) {
      gpu.verdict = Verdict::failed;
      gpu.detail = "the job has GPUs, but no rank sees one";
      gpu.hint = "is the driver newer than CUDA 13 asks for (nvidia-smi)? In a container, --nv";
    }
  } else {
    gpu.verdict = Verdict::ok;
    gpu.detail = fmt::format("ranks see {} GPU{}", most, most == 1 ? "" : "s");
    if (least != most) {
      gpu.verdict = Verdict::warning;
      gpu.detail = fmt::format("ranks see between {} and {} GPUs", least, most);
      gpu.hint =
          "nodes of one kind, and no --gpus-per-task or --gpu-bind: each learner takes the "
          "GPU of its place on the node";
    }
  }
  return {cpu, gpu};
}

Check judge_clocks(const std::vector<comm::RankPlace>& places) {
  const auto [low, high] = std::minmax_element(
      places.begin(), places.end(), [](const auto& a, const auto& b) { return a.clock < b.clock; });
  Check check{"clocks", Verdict::ok, {}, {}};
  const double spread = high->clock - low->clock;
  check.detail = fmt::format("agree within {:.1f} s", spread);
  if (spread > 30) {
    check.verdict = Verdict::warning;
    check.detail = fmt::format("{} is {:.0f} s ahead of {}", high->host, spread, low->host);
    check.hint = "locks of run folders judge by age: ask the site to run a time service";
  }
  return check;
}

Check judge_disk(const std::string& folder, const DiskSpace& space, double need_gigabytes) {
  Check check{"disk space", Verdict::ok, {}, {}};
  const double gb = static_cast<double>(space.free_bytes) / 1e9;
  check.detail = fmt::format("{}: {:.1f} GB free of {:.1f} GB", space.type, gb,
                             static_cast<double>(space.total_bytes) / 1e9);
  const bool few_files = space.total_files > 0 && space.free_files < 10000;
  if (few_files) check.detail += fmt::format(", {} files left", space.free_files);
  if (gb < need_gigabytes / 10) {
    check.verdict = Verdict::failed;
  } else if (gb < need_gigabytes || few_files || space.type == "tmpfs") {
    check.verdict = Verdict::warning;
  }
  if (check.verdict != Verdict::ok) {
    check.hint = space.type == "tmpfs" ? folder + " lies in one node's memory: it ends with the job"
                                       : fmt::format(
                                             "{:.1f} GB are wanted (--need-gb); a quota may "
                                             "leave less than what is shown",
                                             need_gigabytes);
  }
  return check;
}

Verdict DoctorReport::verdict() const {
  Verdict worst = Verdict::ok;
  for (const auto& c : checks) {
    if (c.verdict != Verdict::note) worst = std::max(worst, c.verdict);
  }
  return worst;
}

nlohmann::ordered_json DoctorReport::to_json() const {
  nlohmann::ordered_json j;
  j["verdict"] = name(verdict());
  j["checks"] = nlohmann::ordered_json::array();
  for (const auto& c : checks) {
    j["checks"].push_back(
        {{"check", c.what}, {"verdict", name(c.verdict)}, {"detail", c.detail}, {"hint", c.hint}});
  }
  j["ranks"] = nlohmann::ordered_json::array();
  for (const auto& p : places) j["ranks"].push_back(p.to_json());
  j["libraries"] = libraries;
  return j;
}

std::string DoctorReport::to_text() const {
  Table hosts;
  hosts.id = "hosts";
  hosts.title = "Hosts and ranks";
  hosts.columns = {"Host", "Ranks", "Cores", "Threads a rank", "GPUs"};
  for (const auto& [host, ranks] : by_host(places)) {
    std::vector<int> numbers;
    std::set<int> cores;
    for (const auto* p : ranks) {
      numbers.push_back(p->rank);
      cores.insert(p->cores.begin(), p->cores.end());
    }
    const auto& first = *ranks.front();
    const std::vector<int> all(cores.begin(), cores.end());
    std::string gpus = "none";
    if (!first.gpus.empty()) gpus = fmt::format("{} x {}", first.gpus.size(), first.gpus.front());
    hosts.add(
        {host, comm::ranges(numbers), comm::ranges(all), std::to_string(first.threads), gpus});
  }
  std::string out = hosts.to_text() + "\n";
  std::size_t width = 0;
  for (const auto& c : checks) width = std::max(width, c.what.size());
  int warnings = 0, failures = 0;
  for (const auto& c : checks) {
    out += fmt::format("{:<8} {:<{}}  {}\n", name(c.verdict), c.what, width, c.detail);
    const bool told = c.verdict == Verdict::warning || c.verdict == Verdict::failed;
    if (told && !c.hint.empty()) out += fmt::format("{:<8} hint: {}\n", "", c.hint);
    warnings += c.verdict == Verdict::warning ? 1 : 0;
    failures += c.verdict == Verdict::failed ? 1 : 0;
  }
  out += fmt::format("\n{}: {} checks, {} warning{}, {} FAILED\n", name(verdict()), checks.size(),
                     warnings, warnings == 1 ? "" : "s", failures);
  return out;
}

DoctorReport run_doctor(const comm::World& world, const DoctorOptions& options) {
  DoctorReport report;
  report.places = comm::gather_places(world.comm());
  const auto hosts = by_host(report.places);
  const auto& own = report.places.at(static_cast<std::size_t>(world.rank()));
  int index = 0;  // of this rank on its host
  for (const auto* p : hosts.at(own.host)) index += p->rank < world.rank() ? 1 : 0;

  // What Slurm gave the job, also where mpirun started the ranks.
  int promised = std::atoi(environment_variable("SLURM_NTASKS").c_str());
  if (!environment_variable("OMPI_COMM_WORLD_SIZE").empty() &&
      !environment_variable("SLURM_STEP_ID").empty()) {
    promised = std::max(promised, comm::promised_ranks());
  }
  report.checks.push_back(judge_world(world.size(), promised, static_cast<int>(hosts.size())));
  report.checks.push_back(world.rank() == 0
                              ? attempt("launcher", [&] { return check_launcher(world.size()); })
                              : Check{});
  const bool job_has_gpus = !environment_variable("SLURM_JOB_GPUS").empty() ||
                            !environment_variable("SLURM_GPUS_ON_NODE").empty() ||
                            !environment_variable("SLURM_STEP_GPUS").empty();
  for (auto& c : judge_bindings(report.places, kCudaBuilt, job_has_gpus)) {
    report.checks.push_back(std::move(c));
  }
  report.checks.push_back(judge_clocks(report.places));
  if (world.size() == 1) {
    report.checks.push_back({"MPI all-reduce", Verdict::note, "one rank: nothing to reduce", {}});
  } else {
    const auto group = comm::make_mpi_collectives(world.comm());
    report.checks.push_back(
        judge_sums("MPI all-reduce", comm::time_sums(*group, at::kCPU), world.size()));
  }
  for (auto& c : check_nccl(world, own, index)) report.checks.push_back(std::move(c));

  int usable = 1;
  if (world.rank() == 0) {
    auto checks = check_filesystem(options);
    usable = checks.front().verdict == Verdict::failed ? 0 : 1;
    for (auto& c : checks) report.checks.push_back(std::move(c));
  }
  MPI_Bcast(&usable, 1, MPI_INT, 0, world.comm());
  if (usable) report.checks.push_back(check_shared(world, options.results));

  if (world.rank() == 0) {
    comm::Layout layout;
    layout.world = world.size();
    const auto provenance = experiment::environment_provenance(layout);
    for (const char* key : {"version", "revision", "build", "libraries", "cpu", "slurm"}) {
      if (provenance.contains(key)) report.libraries[key] = provenance[key];
    }
    report.libraries["nccl"] = comm::kNcclBuilt ? "built" : "not built";
    std::string detail = "straq " + provenance["version"].get<std::string>() + " (" +
                         provenance["revision"].get<std::string>() + ")";
    for (const auto& [library, version] : provenance["libraries"].items()) {
      detail += ", " + library + " " + version.get<std::string>();
    }
    detail += std::string(", NCCL ") + (comm::kNcclBuilt ? "built in" : "not built");
    report.checks.push_back({"libraries", Verdict::note, detail, {}});
  }
  return report;
}

}  // namespace straq::operate
