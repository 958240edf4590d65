#include "report/rows/reply_scores.h"

#include <algorithm>
#include <atomic>
#include <system_error>
#include <thread>

namespace straq::report {
namespace {

void score(const results::ReplyFile& file, ReplyScores& out) {
  const auto pairs = file.pairs();
  metrics::DialogueSums by_dialogue;
  if (file.score) {
    out.report = *file.score;
    by_dialogue = metrics::sums_by_dialogue(pairs, out.report.options);
  } else {
    // No table of methods is by emotion: subsets that nobody reads are not scored.
    auto scored = pairs;
    for (auto& p : scored) p.emotion.clear();
    metrics::BootstrapOptions b;
    b.replicates = out.replicates;
    out.report = metrics::response_report(scored, {}, b, &by_dialogue);
  }
  for (std::size_t i = 0; i < by_dialogue.dialogues.size(); ++i) {
    out.sums.emplace(by_dialogue.dialogues[i], by_dialogue.sums[i]);
  }
}

}  // namespace

const ReplyScores& ReplyScores::checked() const {
  if (failure) std::rethrow_exception(failure);
  return *this;
}

std::string split_of(const results::MethodInfo& info) {
  return info.split.empty() ? "test" : info.split;
}

bool of_test_split(const results::MethodInfo& info) {
  return split_of(info) == "test";
}

ScoredReplies score_replies(const results::Results& results, const MethodOptions& options) {
  std::vector<const results::ReplyFile*> files;
  for (const results::Run* run : results.runs()) {
    for (const results::ReplyFile& file : run->replies) {
      if (!file.rows.empty() && of_test_split(file.info)) files.push_back(&file);
    }
  }
  ScoredReplies out;
  std::size_t own = 0;
  for (const results::ReplyFile* file : files) {
    const bool fewer = !file->score && ++own > options.thorough;
    out[file].replicates =
        fewer ? std::min(options.replicates, options.fewer_replicates) : options.replicates;
  }
  std::atomic<std::size_t> next{0};
  const auto work = [&] {
    for (std::size_t i = 0; (i = next++) < files.size();) {
      ReplyScores& scores = out.at(files[i]);
      try {
        score(*files[i], scores);
      } catch (...) {
        scores.failure = std::current_exception();
      }
    }
  };
  const std::size_t workers =
      std::min<std::size_t>(files.size(), std::max(1u, std::thread::hardware_concurrency()));
  std::vector<std::jthread> threads;
  try {
    for (std::size_t t = 1; t < workers; ++t) threads.emplace_back(work);
  } catch (const std::system_error&) {
    // No more threads here: those that there are do all of it.
  }
  work();
  threads.clear();  // joins
  return out;
}

}  // namespace straq::report
