#include "results/results_files.h"

#include "core/files/text_file.h"
#include "core/json/json.h"
#include "core/json/json_number.h"

namespace straq::results {
namespace fs = std::filesystem;
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
    results.problems.push_back(path.string() + ": no list of tables; write it with `" +
                               entry_of(FileKind::dataset).command + "`" +
                               (reason.empty() ? "" : " (" + reason + ")"));
    return;
  }
  results.datasets.push_back(std::move(file));
}

}  // namespace straq::results
