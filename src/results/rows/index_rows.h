// index.csv of an experiment's folder, and .index/<hash>.json, where each job leaves the points
// that it is about. SweepIndex (results/sweep_index.h) decides what stands in them.
#pragma once

#include <string>
#include <utility>
#include <vector>

namespace straq {
class JsonFields;
}

namespace straq::results {

using Parameters = std::vector<std::pair<std::string, std::string>>;  // dotted key → value

// A line of index.csv: point,state,<parameters…>,kind,reason.
struct IndexRow {
  std::string point;
  std::string state;         // name(PointState)
  Parameters parameters;     // in the order of the columns
  std::string kind, reason;  // of a failure
};

struct IndexTable {
  std::vector<std::string> keys;  // of the parameters, in the order of the columns
  std::vector<IndexRow> rows;     // each with all of them
};

std::string index_text(const IndexTable& table);
// What a text holds. Lines that are none are left out and become problems with their line: another
// number of fields, a point's name that leads out of the folder or comes twice.
IndexTable parse_index(const std::string& path, const std::string& text,
                       std::vector<std::string>& problems);

// A name that leads nowhere else: not empty, "." or "..", without "/".
bool is_folder_name(const std::string& name);

// The points of one job's config.
struct IndexPoints {
  std::vector<std::string> keys;
  std::vector<std::pair<std::string, Parameters>> points;
  void fields(JsonFields& f);
  std::string text() const;
  // Throws Error(input) for anything but such a file.
  static IndexPoints read(const std::string& path);
};

}  // namespace straq::results
