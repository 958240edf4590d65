#include "results/rows/provenance.h"

#include <algorithm>
#include <filesystem>

#include "core/error.h"
#include "core/files/files.h"
#include "core/json/json.h"
#include "core/json/json_fields.h"
#include "results/layout.h"

namespace straq::results {
namespace fs = std::filesystem;
using nlohmann::ordered_json;

void ShardsOfRun::fields(JsonFields& f) {
  f("key", key);
  f("content_sha256", content_sha256);
}

void RewardFacts::fields(JsonFields& f) {
  f("kind", kind);
  f("method", method);
  f("title", title);
  f("imitation", imitation);
}

void Provenance::fields(JsonFields& f) {
  if (f.writing()) {
    f.put_all(environment);
  } else {
    f("version", version);
  }
  f("reproduce", reproduce);
  f("config_sha256", config_sha256);
  std::optional<ordered_json> map;
  if (inputs) map = inputs->to_json();
  f("inputs", map);
  if (f.reading() && map) {
    try {
      inputs = RunInputs::from_json(*map);
    } catch (const nlohmann::json::exception&) {
      // Damaged: nobody can say what the run depended on.
    }
  }
  f("inputs_sha256", inputs_sha256);
  f("continued_anyway", continued_anyway);
  f("started", started);
  f("finished", finished);
  f("reward", reward);
  f("point", point);
  f("seed", seed);
  f("steps", steps);
  f("parameters", parameters);
  f("learners", learners);
  f("threads", threads);
  f("micro_tokens", micro_tokens);
  f("backend", backend);
  f("shards", shards);
  f("weights_sha256", weights_sha256);
}

Provenance known_provenance(const ordered_json& json) {
  Provenance known;
  JsonFields fields = JsonFields::skimmer(json);
  known.fields(fields);
  return known;
}

void write_provenance(const std::string& path, const Provenance& provenance) {
  write_file_atomic(path, dump_json(write_json(provenance), 2) + "\n");
}

std::optional<ProvenanceFile> ProvenanceFile::read(const std::string& path) {
  std::error_code ec;
  if (!fs::exists(path, ec)) return std::nullopt;
  ProvenanceFile file;
  file.json = read_ordered_json_file(path, hint_of(FileKind::provenance));
  file.known = known_provenance(file.json);
  file.notes_inputs = file.json.is_object() && file.json.contains("inputs");
  return file;
}

void ProvenanceFile::note(const std::string& path, const ordered_json& note) {
  if (!json.is_object()) json = ordered_json::object();
  auto& notes = json["continued_anyway"];
  if (!notes.is_array()) notes = ordered_json::array();
  if (std::find(notes.begin(), notes.end(), note) != notes.end()) return;
  notes.push_back(note);
  write_file_atomic(path, dump_json(json, 2) + "\n");
}

std::optional<std::int64_t> planned_steps(const std::string& path) {
  try {
    const auto file = ProvenanceFile::read(path);
    return file ? file->known.steps : std::nullopt;
  } catch (const Error&) {
    return std::nullopt;
  }
}

}  // namespace straq::results
