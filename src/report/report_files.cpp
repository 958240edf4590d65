#include "report/report_files.h"

#include <algorithm>
#include <array>
#include <optional>
#include <string_view>

#include "core/error.h"
#include "core/files.h"
#include "core/json.h"
#include "core/json_number.h"
#include "report/figures.h"

namespace straq::report {
namespace fs = std::filesystem;
namespace {

constexpr const char* kProgram = "straq report";
constexpr std::array<std::string_view, 3> kTableEndings = {".csv", ".md", ".tex"};
constexpr std::array<std::string_view, 5> kFigureEndings = {".dat", ".gp", ".svg", ".png", ".pdf"};

std::optional<nlohmann::json> manifest_of(const fs::path& folder) {
  const fs::path path = folder / kReportManifest;
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

template <std::size_t n>
bool is_own(std::string_view name, std::string_view folder,
            const std::array<std::string_view, n>& endings) {
  if (name.substr(0, folder.size()) != folder) return false;
  name.remove_prefix(folder.size());
  return std::any_of(endings.begin(), endings.end(), [&](std::string_view ending) {
    if (name.size() <= ending.size() || !name.ends_with(ending)) return false;
    const std::string id(name.substr(0, name.size() - ending.size()));
    return id == slug(id);
  });
}

}  // namespace

std::string report_manifest(const std::set<std::string>& files) {
  nlohmann::ordered_json j;
  j["format"] = 1;
  j["program"] = kProgram;
  j["files"] = files;
  return dump_json(j, 1) + "\n";
}

std::set<std::string> earlier_report(const std::string& folder) {
  std::set<std::string> out;
  const auto json = manifest_of(folder);
  if (!json || !json->contains("program") || (*json)["program"] != kProgram) return out;
  for (const auto& file : (*json)["files"]) {
    if (!file.is_string()) continue;
    const auto& name = file.get_ref<const std::string&>();
    if (name == "report.md" || name == "report.html" || is_own(name, "tables/", kTableEndings) ||
        is_own(name, "figures/", kFigureEndings)) {
      out.insert(name);
    }
  }
  return out;
}

void remove_own(const fs::path& folder, const std::string& name) {
  const fs::path path = folder / name;
  std::error_code ec;
  const bool inside =
      path.parent_path() == folder || fs::is_directory(fs::symlink_status(path.parent_path(), ec));
  if (inside && fs::is_regular_file(fs::symlink_status(path, ec))) fs::remove(path, ec);
}

bool is_report_folder(const fs::path& folder) {
  return manifest_of(folder).has_value();
}

}  // namespace straq::report
