// report.json, which tells a folder that a report was written into from one that holds runs.
#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>

namespace straq::results {

// The report.json of a folder: {"format": 1, "program", "files": […]}. Nothing where there is none,
// where it is no regular file, and where it has another shape: its names may be acted upon.
std::optional<nlohmann::json> report_manifest_of(const std::filesystem::path& folder);

// Whether the folder holds a report of this program, of any version.
bool is_report_folder(const std::filesystem::path& folder);

}  // namespace straq::results
