#include "results/rows/report_manifest.h"

#include "core/error.h"
#include "core/files/files.h"
#include "core/json/json.h"
#include "core/json/json_number.h"

namespace straq::results {
namespace fs = std::filesystem;

std::optional<nlohmann::json> report_manifest_of(const fs::path& folder) {
  const fs::path path = folder / kReportFile;
  std::error_code ec;
  if (!fs::is_regular_file(fs::symlink_status(path, ec))) return std::nullopt;
  try {
    nlohmann::json json;
    const bool read = try_parse_json(read_file(path.string()), json).empty();
    const bool shaped = read && json.is_object() && json.contains("format") &&
                        whole_number(json["format"]) == 1 && json.contains("files") &&
                        json["files"].is_array();
    return shaped ? std::optional(std::move(json)) : std::nullopt;
  } catch (const Error&) {
    return std::nullopt;  // not to be read: then nothing is known of it
  }
}

bool is_report_folder(const fs::path& folder) {
  return report_manifest_of(folder).has_value();
}

}  // namespace straq::results
