// provenance.json: with what, where and when a run was made, so that two runs that differ can be
// told apart long afterwards, and what later commands must know of it.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "core/run_inputs.h"

namespace straq {
class JsonFields;
}

namespace straq::results {

struct ShardsOfRun {
  std::string key;                        // of the data set
  nlohmann::ordered_json content_sha256;  // file -> hash, of the shards in the manifest
  void fields(JsonFields& f);
};

// What a run says of the reward that it was trained under, so that whoever reads results needs no
// list of rewards, and runs of rewards that this program does not know have their names.
struct RewardFacts {
  std::string kind;    // learn.reward.kind
  std::string method;  // "straq_imit": of rows, and of replies that follow such a planner
  std::string title;   // "straQ*-imit"
  // Every decision of the corpus earns the same, so that returns say nothing of quality.
  bool imitation = false;
  void fields(JsonFields& f);
};

// What a run writes, in the file's order, behind what is known of the process.
struct Provenance {
  nlohmann::ordered_json environment;  // version, build, libraries, host, command, Slurm's job
  std::optional<std::string> version;  // of the program, as it was read; written by `environment`
  std::optional<std::string> reproduce, config_sha256;
  std::optional<RunInputs> inputs;  // absent: versions before did not note them
  std::optional<std::string> inputs_sha256;
  std::optional<nlohmann::ordered_json> continued_anyway;  // a list: where inputs had changed
  std::optional<std::string> started, finished;            // UTC; unfinished runs have no second
  std::optional<RewardFacts> reward;
  std::optional<std::string> point;
  std::optional<std::int64_t> seed;
  std::optional<std::int64_t> steps;  // of the whole run
  std::optional<std::int64_t> parameters, learners, threads, micro_tokens;
  std::optional<std::string> backend;
  std::optional<ShardsOfRun> shards;
  std::optional<std::string> weights_sha256;
  void fields(JsonFields& f);
};

// The fields of a provenance.json that are there and have their types.
Provenance known_provenance(const nlohmann::ordered_json& json);

// Writes the file whole or not at all.
void write_provenance(const std::string& path, const Provenance& provenance);

// The file as it stands, with the fields of it that are there and have their types. Nothing of a
// file that is not there. Throws Error(input) for one that is no JSON.
struct ProvenanceFile {
  nlohmann::ordered_json json;
  Provenance known = {};
  bool notes_inputs = false;  // there are some, though `known` may lack them: they are damaged
  static std::optional<ProvenanceFile> read(const std::string& path);
  // Adds a note to continued_anyway and writes the file, unless it is there already.
  void note(const std::string& path, const nlohmann::ordered_json& note);
};

// `steps` alone, for a look at many runs; nothing where the file is absent, damaged or without.
std::optional<std::int64_t> planned_steps(const std::string& path);

}  // namespace straq::results
