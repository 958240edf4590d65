#include "results/rows/simulation.h"

#include "core/files/files.h"
#include "core/json/json.h"
#include "core/json/json_fields.h"
#include "results/layout.h"

namespace straq::results {

namespace {
constexpr int kSimulationFormat = 1;
}

void PlayedMean::fields(JsonFields& f) {
  f("mean", mean);
  f("standard_error", standard_error);
}

void QError::fields(JsonFields& f) {
  f("states", states);
  f("mean_absolute", mean_absolute);
  f("spearman", spearman);
  f("within", within);
  f("best", best);
}

void QPoint::fields(JsonFields& f) {
  f("stage", stage);
  f("intensity", intensity);
  f("strategy", strategy);
  f("asked", asked);
  f("exact", exact);
  f("learned", learned);
}

void Simulation::fields(JsonFields& f) {
  f.format(kSimulationFormat, "write it anew with `straq evaluate --simulator`");
  f("return_gamma", return_gamma);
  f.within("dialogues", dialogues, std::int64_t{1}, std::int64_t{1} << 40);
  f("seed", seed);
  f("return", discounted_return);
  f("value", value);
  f("reference", reference);
  f("below_reference", below_reference);
  f("exact", exact);
  f("outcomes", outcomes);
  f("decisions", decisions);
  f("q_gamma", q_gamma);
  f("same_units", same_units);
  f("q", q);
  f("points", points);
}

std::optional<double> Simulation::exact_return(const std::string& policy) const {
  for (const auto& [name, value] : exact) {
    if (name == policy) return value;
  }
  return std::nullopt;
}

std::optional<double> Simulation::share() const {
  const auto optimum = exact_return("optimum");
  if (!optimum || *optimum <= 0) return std::nullopt;
  return value.mean / *optimum;
}

Simulation read_simulation(const std::string& path) {
  const std::string hint = hint_of(FileKind::simulation);
  return read_json<Simulation>(read_json_of(path, hint), {path, hint});
}

void write_simulation(const std::string& path, const Simulation& simulation) {
  write_file_atomic(path, dump_json(write_json(simulation), 2) + "\n");
}

}  // namespace straq::results
