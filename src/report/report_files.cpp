#include "report/report_files.h"

#include <algorithm>
#include <array>
#include <string_view>

#include "core/json/json.h"
#include "report/figures/figures.h"
#include "results/rows/report_manifest.h"

namespace straq::report {
namespace fs = std::filesystem;
namespace {

constexpr const char* kProgram = "straq report";
constexpr std::array<std::string_view, 3> kTableEndings = {".csv", ".md", ".tex"};
constexpr std::array<std::string_view, 5> kFigureEndings = {".dat", ".gp", ".svg", ".png", ".pdf"};

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

std::string report_manifest(const std::set<std::string>& files, const std::string& version,
                            const results::ReadFiles& read) {
  nlohmann::ordered_json j;
  j["format"] = 1;
  j["program"] = kProgram;
  j["version"] = version;
  j["read"] = {{"files", read.names.size()}, {"sha256", read.sha256}};
  j["files"] = files;
  return dump_json(j, 1) + "\n";
}

std::set<std::string> earlier_report(const std::string& folder) {
  std::set<std::string> out;
  const auto json = results::report_manifest_of(folder);
  if (!json || !json->contains("program") || (*json)["program"] != kProgram) return out;
  for (const auto& file : (*json)["files"]) {
    if (!file.is_string()) continue;
    const auto& name = file.get_ref<const std::string&>();
    if (name == "report.md" || name == "report.html" || name == kStyleFile ||
        is_own(name, "tables/", kTableEndings) || is_own(name, "figures/", kFigureEndings)) {
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

}  // namespace straq::report
