#include "results/layout.h"

#include <array>
#include <optional>
#include <string_view>
#include <vector>

#include "core/json/json_fields.h"

namespace straq::results {
namespace fs = std::filesystem;
namespace {

using K = FileKind;
using L = FileLevel;

constexpr const char* kRun = "straq run";
constexpr const char* kEvaluate = "straq evaluate";
constexpr const char* kReplies = "results/rows/replies.h";
constexpr const char* kRespond = "straq respond";
constexpr const char* kJudge = "straq judge";

// In the order of FileKind.
constexpr std::array kLayout = {
    LayoutEntry{K::dataset, L::any, "", kDatasetFile, "Table", "core/tables/table.h",
                "straq dataset stats --format json"},
    LayoutEntry{K::report, L::any, "", kReportFile, "report_manifest_of",
                "results/rows/report_manifest.h", "straq report"},
    LayoutEntry{K::index, L::experiment, "", kIndexFile, "IndexRow", "results/rows/index_rows.h",
                "straq sweep"},
    LayoutEntry{K::index_points, L::experiment, kIndexFolder, ".json", "IndexPoints",
                "results/rows/index_rows.h", "straq sweep"},
    LayoutEntry{K::config, L::run, "", kConfigFile, "Value", "config/value.h", kRun},
    LayoutEntry{K::provenance, L::run, "", kProvenanceFile, "Provenance",
                "results/rows/provenance.h", kRun},
    LayoutEntry{K::metrics, L::run, "", kMetricsFile, "MetricsRow", "results/rows/steps.h", kRun},
    LayoutEntry{K::timings, L::run, "", kTimingsFile, "TimingsRow", "results/rows/steps.h", kRun},
    LayoutEntry{K::evaluations, L::run, "", kEvaluationsFile, "ValidationRow",
                "results/rows/steps.h", kRun},
    LayoutEntry{K::evaluation, L::run, "", kEvaluationFile, "Evaluation",
                "results/rows/evaluation.h", kEvaluate},
    LayoutEntry{K::reply_loss, L::run, "", kReplyLossFile, "ReplyLosses",
                "results/rows/reply_loss.h", kEvaluate},
    LayoutEntry{K::simulation, L::run, "", kSimulationFile, "Simulation",
                "results/rows/simulation.h", "straq evaluate --simulator"},
    LayoutEntry{K::predictions, L::run, kPredictionsFolder, kRows, "Prediction",
                "results/rows/predictions.h", kEvaluate},
    LayoutEntry{K::replies, L::run, kRepliesFolder, kRows, "Reply", kReplies, kRespond},
    LayoutEntry{K::reply_scores, L::run, kRepliesFolder, kScore, "ResponseReport", kReplies,
                "straq score --format json"},
    LayoutEntry{K::replies_about, L::run, kRepliesFolder, kAbout, "MethodInfo", kReplies, kRespond},
    LayoutEntry{K::judgements, L::run, kJudgeFolder, kRows, "Judgement", kReplies, kJudge},
    LayoutEntry{K::judgements_about, L::run, kJudgeFolder, kAbout, "MethodInfo", kReplies, kJudge},
    LayoutEntry{K::ratings, L::run, kHumanFolder, kRows, "Judgement", kReplies,
                "straq annotate import"},
    LayoutEntry{K::ratings_about, L::run, kHumanFolder, kAbout, "MethodInfo", kReplies,
                "straq annotate import"},
    LayoutEntry{K::planner, L::run, kPlannerFolder, "", "planner.json", "planner/card.h", kRun},
    LayoutEntry{K::responder, L::run, kResponderFolder, "", "responder.json",
                "train/responder_files.h", kRun},
    LayoutEntry{K::checkpoint, L::run, kCheckpointsFolder, "", "checkpoint.json",
                "learn/checkpoint.h", kRun},
    LayoutEntry{K::lock, L::run, kLockFolder, ".json", "LockHolder", "results/run_lock.h", kRun},
    LayoutEntry{K::done, L::run, "", kDoneFile, "RunFolder", "results/run_folder.h", kRun},
    LayoutEntry{K::failed, L::run, "", kFailedFile, "FailureNote", "results/rows/failure.h", kRun},
};
static_assert(kLayout.size() == static_cast<std::size_t>(K::unknown));

// What `name` leaves of an entry's pattern; nothing where it is another's.
std::optional<std::string> match(const LayoutEntry& entry, const std::string& name) {
  const std::string_view pattern = entry.name;
  if (*entry.folder == '\0') return name == pattern ? std::optional(std::string()) : std::nullopt;
  if (name.size() <= pattern.size() || !name.ends_with(pattern)) return std::nullopt;
  return name.substr(0, name.size() - pattern.size());
}

std::string joined(const std::vector<std::string>& parts, std::size_t first, std::size_t end) {
  std::string out;
  for (std::size_t i = first; i < end; ++i) out += (i > first ? "/" : "") + parts[i];
  return out;
}

FilePlace placed(const LayoutEntry& entry, const std::vector<std::string>& parts, std::size_t above,
                 std::string name) {
  FilePlace place{entry.kind, {}, {}, std::move(name)};
  const std::size_t points = entry.level == L::run && above > 0 ? 1 : 0;
  if (points > 0) place.point = parts[above - 1];
  // Of what may lie at any level nobody can say whose it is.
  if (entry.level != L::any) place.experiment = joined(parts, 0, above - points);
  return place;
}

}  // namespace

std::span<const LayoutEntry> layout() {
  return kLayout;
}

const LayoutEntry& entry_of(FileKind kind) {
  return kLayout.at(static_cast<std::size_t>(kind));
}

std::string hint_of(FileKind kind) {
  return written_by(kind == FileKind::unknown ? "" : entry_of(kind).command);
}

FilePlace classify(const fs::path& path) {
  std::vector<std::string> parts;
  for (const auto& part : path.lexically_normal()) {
    if (!part.empty() && part != ".") parts.push_back(part.string());
  }
  if (parts.empty() || parts.front() == ".." || path.is_absolute()) return {};
  const std::size_t last = parts.size() - 1;
  for (const LayoutEntry& entry : kLayout) {
    if (*entry.folder == '\0' && match(entry, parts[last])) return placed(entry, parts, last, "");
  }
  if (last == 0) return {};
  for (const LayoutEntry& entry : kLayout) {
    if (*entry.name == '\0' || parts[last - 1] != entry.folder) continue;
    if (auto name = match(entry, parts[last])) {
      return placed(entry, parts, last - 1, std::move(*name));
    }
  }
  // Somewhere below a folder of a format of its own.
  for (std::size_t at = last; at-- > 0;) {
    for (const LayoutEntry& entry : kLayout) {
      if (*entry.name != '\0' || parts[at] != entry.folder) continue;
      return placed(entry, parts, at, joined(parts, at + 1, parts.size()));
    }
  }
  return {};
}

}  // namespace straq::results
