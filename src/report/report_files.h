// report.json: which files of a folder a report has written. The next report there removes those
// that it does not write again, so what the file says is believed only as far as it can be true: it
// must be of this program, and name files such as this program writes.
#pragma once

#include <filesystem>
#include <set>
#include <string>

#include "results/read_files.h"

namespace straq::report {

// The copy of a user's style file (--style).
inline constexpr const char* kStyleFile = "figures/style.gp";

// The text of a report.json.
// `version`: of the program; `read`: what the report is made of.
std::string report_manifest(const std::set<std::string>& files, const std::string& version,
                            const results::ReadFiles& read);

// The names that the folder's report.json holds and that this program writes: report.md,
// report.html, kStyleFile, tables/<id>.csv|md|tex, figures/<id>.dat|gp|svg|png|pdf, with an id as
// report/figures/figures.h's slug makes it. Empty where there is none, or where it is not this
// program's.
std::set<std::string> earlier_report(const std::string& folder);

// Removes one of those names: a file, never a folder, and never through a link.
void remove_own(const std::filesystem::path& folder, const std::string& name);

}  // namespace straq::report
