// The names of everything that lies in a results folder, each once, with what it holds, who reads
// and writes it and which command makes it. docs/formats.md describes the content.
//
//   results/<experiment>/                 index.csv, .index/<hash>.json
//   results/<experiment>/<point>/         the run folder (results/run_folder.h)
//     config.yaml provenance.json metrics.jsonl timings.jsonl evaluations.jsonl evaluation.json
//     reply_loss.json simulation.json predictions/<split>.jsonl planner/ responder/ checkpoints/
//     lock/<generation>.json DONE | FAILED responses/<name>.jsonl judge/<name>.jsonl
//     human/<name>.jsonl, <name>.json beside them
//   at any level                          dataset.json, report.json
//
// An experiment's name may have several parts: results/<group>/<experiment>.
#pragma once

#include <filesystem>
#include <span>
#include <string>

namespace straq::results {

// At any level.
inline constexpr const char* kDatasetFile = "dataset.json";
inline constexpr const char* kReportFile = "report.json";
// In the results folder: what `straq run --from` makes again.
inline constexpr const char* kReproducedFolder = "reproduced";
// In an experiment's folder.
inline constexpr const char* kIndexFile = "index.csv";
inline constexpr const char* kIndexFolder = ".index";
// In a run's folder.
inline constexpr const char* kConfigFile = "config.yaml";
inline constexpr const char* kProvenanceFile = "provenance.json";
inline constexpr const char* kMetricsFile = "metrics.jsonl";
inline constexpr const char* kTimingsFile = "timings.jsonl";
inline constexpr const char* kEvaluationsFile = "evaluations.jsonl";
inline constexpr const char* kEvaluationFile = "evaluation.json";
inline constexpr const char* kReplyLossFile = "reply_loss.json";
inline constexpr const char* kSimulationFile = "simulation.json";
inline constexpr const char* kPredictionsFolder = "predictions";
inline constexpr const char* kRepliesFolder = "responses";
inline constexpr const char* kJudgeFolder = "judge";
inline constexpr const char* kHumanFolder = "human";
inline constexpr const char* kPlannerFolder = "planner";
inline constexpr const char* kResponderFolder = "responder";
inline constexpr const char* kCheckpointsFolder = "checkpoints";
inline constexpr const char* kLockFolder = "lock";
inline constexpr const char* kDoneFile = "DONE";
inline constexpr const char* kFailedFile = "FAILED";
// Endings, and the beginning of a checkpoint's name.
inline constexpr const char* kRows = ".jsonl";
inline constexpr const char* kAbout = ".json";
inline constexpr const char* kScore = ".score.json";
inline constexpr const char* kStepPrefix = "step-";

enum class FileKind {
  dataset,
  report,
  index,
  index_points,
  config,
  provenance,
  metrics,
  timings,
  evaluations,
  evaluation,
  reply_loss,
  simulation,
  predictions,
  replies,
  reply_scores,
  replies_about,
  judgements,
  judgements_about,
  ratings,
  ratings_about,
  planner,
  responder,
  checkpoint,
  lock,
  done,
  failed,
  unknown,  // nothing of the layout, or a folder that only its content tells
};

enum class FileLevel { any, experiment, run };

struct LayoutEntry {
  FileKind kind;
  FileLevel level;
  const char* folder;   // below the level's; "": in it
  const char* name;     // a file's name, or the ending that parts its name from this; "": all below
  const char* row;      // the type that it holds, a file or a line
  const char* header;   // where that type, its reader and its writer are
  const char* command;  // that writes it; "": another program does
};

// Every entry, but `unknown`.
std::span<const LayoutEntry> layout();
const LayoutEntry& entry_of(FileKind kind);
// What to do about a file that is damaged: names the command that writes it.
std::string hint_of(FileKind kind);

// What a path is, by its names alone; nothing is looked at.
struct FilePlace {
  FileKind kind = FileKind::unknown;
  std::string experiment;  // "" where the results folder itself holds the points
  std::string point;       // of files of a run
  std::string name;  // <split>, <name> of replies, <hash>, <generation>, step-<step>; of a planner
                     // and of checkpoints the path inside
};
// `path` is relative to the results folder. The innermost folder that may be a run's is one.
FilePlace classify(const std::filesystem::path& path);

}  // namespace straq::results
