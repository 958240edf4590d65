#include "results/rows/index_rows.h"

#include <algorithm>
#include <optional>
#include <set>

#include "core/error.h"
#include "core/json/json.h"
#include "core/json/json_fields.h"
#include "core/tables/csv.h"
#include "core/tables/table.h"
#include "results/layout.h"

namespace straq::results {
namespace {

constexpr const char* kPointsFormat = "straq-sweep-points";
constexpr const char* kPoint = "point";
constexpr const char* kState = "state";
constexpr const char* kKind = "kind";
constexpr const char* kReason = "reason";

// A point with the values of the keys, in their order.
struct PointValues {
  std::string point;
  std::vector<std::string> values;
  void fields(JsonFields& f) {
    f("point", point);
    f("values", values);
  }
};

IndexRow row_of(const std::vector<std::string>& head, const std::vector<std::string>& fields) {
  IndexRow row;
  row.point = fields[0];
  for (std::size_t c = 1; c < head.size(); ++c) {
    if (head[c] == kState) {
      row.state = fields[c];
    } else if (head[c] == kKind) {
      row.kind = fields[c];
    } else if (head[c] == kReason) {
      row.reason = fields[c];
    } else {
      row.parameters.emplace_back(head[c], fields[c]);
    }
  }
  return row;
}

}  // namespace

bool is_folder_name(const std::string& name) {
  return !name.empty() && name != "." && name != ".." && name.find('/') == std::string::npos;
}

std::string index_text(const IndexTable& table) {
  Table out;
  out.columns = {kPoint, kState};
  out.columns.insert(out.columns.end(), table.keys.begin(), table.keys.end());
  out.columns.emplace_back(kKind);
  out.columns.emplace_back(kReason);
  for (const IndexRow& row : table.rows) {
    std::vector<Cell> cells = {row.point, row.state};
    for (const auto& [key, value] : row.parameters) cells.emplace_back(value);
    cells.emplace_back(row.kind);
    cells.emplace_back(row.reason);
    out.add(std::move(cells));
  }
  return out.to_csv();
}

IndexTable parse_index(const std::string& path, const std::string& text,
                       std::vector<std::string>& problems) {
  IndexTable table;
  CsvFile csv = read_csv(text);
  auto& rows = csv.rows;
  for (auto& row : rows) {
    for (auto& field : row.fields) field = csv_text_read(field);
  }
  if (!csv.reason.empty()) {
    problems.push_back(at_line(path, csv.line, csv.reason + "; the rest is left out"));
  }
  if (rows.empty() || rows[0].fields.empty() || rows[0].fields[0] != kPoint) {
    problems.push_back(at_line(path, 1, "the first line must start with \"point\""));
    return table;
  }
  const auto& head = rows[0].fields;
  for (const auto& [key, value] : row_of(head, head).parameters) table.keys.push_back(key);
  std::set<std::string> seen;
  for (std::size_t r = 1; r < rows.size(); ++r) {
    const auto& fields = rows[r].fields;
    const auto complain = [&](const std::string& message) {
      problems.push_back(at_line(path, rows[r].line, message));
    };
    if (fields.size() != head.size()) {
      complain(std::to_string(fields.size()) + " fields, expected " + std::to_string(head.size()) +
               "; the line is left out");
    } else if (!is_folder_name(fields[0])) {
      // A point is a folder's name; anything else would read outside the experiment.
      complain("\"" + fields[0] + "\" is no point's name; the line is left out");
    } else if (!seen.insert(fields[0]).second) {
      complain("the point " + fields[0] + " comes twice");
    } else {
      table.rows.push_back(row_of(head, fields));
    }
  }
  return table;
}

void IndexPoints::fields(JsonFields& f) {
  std::string format = kPointsFormat;
  int version = 1;
  f("format", format);
  f("format_version", version);
  if (format != kPointsFormat || version != 1)
    f.fail("format", "is another program's or version's");
  f("keys", keys);
  std::vector<PointValues> list;
  for (const auto& [name, parameters] : points) {
    list.push_back({name, {}});
    for (const auto& [key, value] : parameters) list.back().values.push_back(value);
  }
  f("points", list);
  if (f.writing()) return;
  for (const PointValues& p : list) {
    Parameters parameters;
    for (std::size_t k = 0; k < std::min(p.values.size(), keys.size()); ++k) {
      parameters.emplace_back(keys[k], p.values[k]);
    }
    points.emplace_back(p.point, std::move(parameters));
  }
}

std::string IndexPoints::text() const {
  return dump_json(write_json(*this), 1) + "\n";
}

IndexPoints IndexPoints::read(const std::string& path) {
  const std::string hint = hint_of(FileKind::index_points);
  return read_json<IndexPoints>(read_json_of(path, hint), {path, hint});
}

}  // namespace straq::results
