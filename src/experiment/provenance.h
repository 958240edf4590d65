// What provenance.json (results/rows/provenance.h) says of the process that makes a run.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "comm/roles.h"

namespace straq::experiment {

// Version, build, libraries, host, command line and Slurm's job of this process.
nlohmann::ordered_json environment_provenance(const comm::Layout& layout);
// "0.1.0 (3f2c1ab)": version and revision.
std::string program_version();
// The command that makes the run of `folder` again, with as many ranks.
std::string reproduce_command(const comm::Layout& layout, const std::string& folder);
// Remembers the command line for provenance; called once by main.
void remember_command_line(int argc, char** argv);

}  // namespace straq::experiment
