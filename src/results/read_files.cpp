#include "results/read_files.h"

#include <filesystem>
#include <set>

#include "core/error.h"
#include "core/hash.h"
#include "results/layout.h"

namespace straq::results {
namespace fs = std::filesystem;
namespace {

void add_file(const fs::path& path, std::set<std::string>& out) {
  std::error_code ec;
  if (fs::is_regular_file(path, ec)) out.insert(path.string());
}

void add_run(const Run& run, std::set<std::string>& out) {
  const fs::path folder(run.path);
  for (const char* name :
       {kConfigFile, kProvenanceFile, kMetricsFile, kTimingsFile, kEvaluationsFile, kEvaluationFile,
        kSimulationFile, kDatasetFile, kDoneFile, kFailedFile}) {
    add_file(folder / name, out);
  }
  for (const char* name : {kPredictionsFolder, kRepliesFolder, kJudgeFolder, kHumanFolder}) {
    std::error_code ec;
    for (fs::directory_iterator it(folder / name, ec), end; !ec && it != end; it.increment(ec)) {
      const std::string ending = it->path().extension().string();
      if (ending == kRows || ending == kAbout) add_file(it->path(), out);
    }
  }
  for (const char* name : {kIndexFile, kDatasetFile}) add_file(folder.parent_path() / name, out);
}

}  // namespace

ReadFiles files_read(const Results& results) {
  std::set<std::string> paths;
  for (const Run* run : results.runs()) {
    if (!run->path.empty()) add_run(*run, paths);
  }
  ReadFiles out;
  Sha256 hash;
  for (const auto& path : paths) {
    out.names.push_back(results.shortened(path));
    std::string content;
    try {
      content = sha256_file(path);
    } catch (const Error&) {
      // Its name counts; what could not be read is a problem of its run.
    }
    hash.update(out.names.back() + "\n" + content + "\n");
  }
  out.sha256 = hash.hex();
  return out;
}

}  // namespace straq::results
