// `straq doctor`: what a job would meet in this allocation, checked before hours are spent: the
// world, its nodes and bindings, the collectives, the results filesystem, the libraries. Each check
// ends in a verdict, and what is not ok says what to do.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "comm/probe.h"
#include "comm/world.h"
#include "core/files/filesystem_probe.h"

namespace straq::operate {

enum class Verdict { ok, note, warning, failed };  // note: nothing to judge
const char* name(Verdict verdict);                 // "ok", "note", "warning", "FAILED"

struct Check {
  std::string what;  // "world", "disk space", …
  Verdict verdict = Verdict::ok;
  std::string detail;
  std::string hint;  // for warning and failed
};

struct DoctorReport {
  std::vector<comm::RankPlace> places;
  std::vector<Check> checks;
  nlohmann::ordered_json libraries;
  Verdict verdict() const;  // the worst
  nlohmann::ordered_json to_json() const;
  std::string to_text() const;
};

struct DoctorOptions {
  std::string results = "results";  // the folder that results would go to; made when missing
  double need_gigabytes = 5;        // of free disk space
};

// The parts that judge what was found; pure, so that what no test machine has can be tested.
// `promised`: SLURM_NTASKS or the launcher's number, 0 without either.
Check judge_world(int size, int promised, int hosts);
std::vector<Check> judge_bindings(const std::vector<comm::RankPlace>& places, bool cuda_built,
                                  bool job_has_gpus);
Check judge_clocks(const std::vector<comm::RankPlace>& places);
Check judge_disk(const std::string& folder, const DiskSpace& space, double need_gigabytes);

// All checks. Collective over the world; the report is complete on rank 0.
DoctorReport run_doctor(const comm::World& world, const DoctorOptions& options);

}  // namespace straq::operate
