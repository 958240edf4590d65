#include "results/results_files.h"

#include <map>

#include "core/files/text_file.h"
#include "core/json/json.h"
#include "core/json/json_number.h"

namespace straq::results {
namespace fs = std::filesystem;
namespace {

std::optional<double> number(const nlohmann::json& object, const char* key) {
  const auto it = object.find(key);
  if (it == object.end() || !it->is_number()) return std::nullopt;
  return it->get<double>();
}

// The whole number that says which step a line is of.
std::optional<std::int64_t> step_of(const nlohmann::json& object) {
  if (!object.is_object()) return std::nullopt;
  const auto it = object.find("step");
  return it == object.end() ? std::nullopt : whole_number(*it);
}

}  // namespace

bool present(const fs::path& path) {
  std::error_code ec;
  return fs::exists(path, ec);
}

// Text of an optional file; a file that is there and cannot be read is a problem.
std::optional<std::string> text_of(const fs::path& path, std::vector<std::string>& problems) {
  if (!present(path)) return std::nullopt;
  try {
    return read_text_file(path.string());
  } catch (const std::exception& e) {
    problems.push_back(failure_words(path.string(), e));
    return std::nullopt;
  }
}

std::string failure_words(const std::string& path, const std::exception& failure) {
  const std::string what = failure.what();
  return dynamic_cast<const Error*>(&failure) != nullptr ? what : path + ": " + what;
}

std::vector<Step> read_steps(const std::string& path, std::string_view text,
                             std::vector<std::string>& problems) {
  std::vector<Step> steps;
  long bad = 0;
  for (const TextLine& line : lines_of(text)) {
    if (is_blank_line(line.text)) continue;
    nlohmann::json object;
    const bool read = try_parse_json(line.text, object).empty();
    const auto step = read ? step_of(object) : std::nullopt;
    if (!step) {
      if (!line.ended && !read) {
        problems.push_back(
            at_line(path, line.number, "the last line is half-written and left out"));
      } else if (++bad == 1) {
        problems.push_back(at_line(path, line.number, "no JSON object with a \"step\"; left out"));
      }
      continue;
    }
    Step s;
    s.step = static_cast<long>(*step);
    if (const auto it = object.find("stage"); it != object.end() && it->is_string()) {
      s.stage = it->get<std::string>();
    }
    s.loss = number(object, "loss");
    s.td_loss = number(object, "td_loss");
    s.td_abs = number(object, "td_abs");
    s.target_mean = number(object, "target_mean");
    s.grad_norm = number(object, "grad_norm");
    s.max_q = number(object, "max_q");
    s.q_mean = number(object, "q_mean");
    s.tokens = number(object, "tokens");
    s.decisions = number(object, "decisions");
    steps.push_back(std::move(s));
  }
  if (bad > 1) {
    problems.push_back(path + ": " + std::to_string(bad) + " lines in all are no such objects");
  }
  return steps;
}

// Seconds a step; a line that is none is left out without a word, for only a figure misses it.
void read_timings(const fs::path& path, std::vector<Step>& steps,
                  std::vector<std::string>& problems) {
  const auto text = text_of(path, problems);
  if (!text) return;
  std::map<long, double> seconds;
  for (const TextLine& line : lines_of(*text)) {
    nlohmann::json object;
    if (!try_parse_json(line.text, object).empty()) continue;
    const auto step = step_of(object);
    const auto s = object.is_object() ? number(object, "seconds") : std::nullopt;
    if (step && s) seconds[static_cast<long>(*step)] = *s;
  }
  // Steps count through the stages, so a number names one line of metrics.jsonl.
  for (Step& s : steps) {
    if (const auto it = seconds.find(s.step); it != seconds.end()) s.seconds = it->second;
  }
}

// What Table::to_json wrote, which is a list of tables.
void read_dataset(const fs::path& path, Results& results) {
  const auto text = text_of(path, results.problems);
  if (!text) return;
  nlohmann::ordered_json json;
  const std::string reason = try_parse_json(*text, json);
  DatasetFile file;
  file.path = path.string();
  try {
    for (const auto& j : json) {
      Table t;
      t.id = j.at("id").get<std::string>();
      t.title = j.at("title").get<std::string>();
      t.columns = j.at("columns").get<std::vector<std::string>>();
      if (j.contains("notes")) t.notes = j.at("notes").get<std::vector<std::string>>();
      for (const auto& row : j.at("rows")) {
        std::vector<Cell> cells;
        for (const auto& column : t.columns) {
          const auto& v = row.at(column);
          if (v.is_null()) {
            cells.push_back(Cell::missing());
          } else if (v.is_number_float()) {
            cells.push_back(Cell::real(v.get<double>(), 2));
          } else if (const auto n = whole_number(v)) {
            cells.push_back(Cell(static_cast<long long>(*n)));
          } else {
            cells.push_back(Cell(v.get<std::string>()));
          }
        }
        t.add(std::move(cells));
      }
      file.tables.push_back(std::move(t));
    }
  } catch (const nlohmann::json::exception&) {
    file.tables.clear();
  }
  if (file.tables.empty()) {
    results.problems.push_back(path.string() +
                               ": no list of tables; write it with `straq dataset stats "
                               "--format json`" +
                               (reason.empty() ? "" : " (" + reason + ")"));
    return;
  }
  results.datasets.push_back(std::move(file));
}

}  // namespace straq::results
