#include "report/results_files.h"

#include <map>

#include "core/files.h"

namespace straq::report {
namespace fs = std::filesystem;
namespace {

std::optional<double> number(const nlohmann::json& object, const char* key) {
  const auto it = object.find(key);
  if (it == object.end() || !it->is_number()) return std::nullopt;
  return it->get<double>();
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
    return read_file(path.string());
  } catch (const Error& e) {
    problems.push_back(e.what());
    return std::nullopt;
  }
}

std::vector<Step> read_steps(const std::string& path, std::string_view text,
                             std::vector<std::string>& problems) {
  std::vector<Step> steps;
  long line = 0, bad = 0;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = text.find('\n', at);
    const bool newline = end != std::string_view::npos;
    const std::string_view row = text.substr(at, (newline ? end : text.size()) - at);
    at = newline ? end + 1 : text.size();
    ++line;
    if (row.find_first_not_of(" \t\r") == std::string_view::npos) continue;
    const auto object = nlohmann::json::parse(row, nullptr, false);
    const auto step = object.is_object() ? number(object, "step") : std::nullopt;
    if (!step) {
      if (!newline) {
        problems.push_back(at_line(path, line, "the last line is half-written and left out"));
      } else if (++bad == 1) {
        problems.push_back(at_line(path, line, "no JSON object with a \"step\"; left out"));
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
  for (std::size_t at = 0; at < text->size();) {
    const std::size_t end = std::min(text->find('\n', at), text->size());
    const auto object =
        nlohmann::json::parse(text->begin() + static_cast<std::ptrdiff_t>(at),
                              text->begin() + static_cast<std::ptrdiff_t>(end), nullptr, false);
    at = end + 1;
    if (!object.is_object()) continue;
    const auto step = number(object, "step"), s = number(object, "seconds");
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
  const auto json = nlohmann::ordered_json::parse(*text, nullptr, false);
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
          } else if (v.is_number()) {
            cells.push_back(Cell(v.get<long long>()));
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
                               "--format json`");
    return;
  }
  results.datasets.push_back(std::move(file));
}

}  // namespace straq::report
