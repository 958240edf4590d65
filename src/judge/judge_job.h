// `straq judge`: scores of the corpora's own decisions (a reward), of replies in results folders
// (Table 4) and of dialogues that people have rated (how far the judge can be trusted). As in
// respond/respond_job.h all answers go through a record, which everything is written from.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <string>
#include <vector>

#include "config/fields.h"
#include "judge/judge.h"
#include "judge/rated_dialogues.h"
#include "language/source.h"
#include "respond/respond_job.h"
#include "results/results.h"

namespace straq::judge {

struct JudgeJobConfig {
  std::string name;
  std::string results = "results";
  // Where the dialogues are that replies belong to; of those with `judge_corpora` also the corpus's
  // own replies are judged.
  std::vector<respond::CorpusConfig> corpora;
  bool judge_corpora = true;
  std::vector<std::string> replies;  // results folders, experiments or runs
  std::vector<std::string> ratings;  // files of rated dialogues
  std::string wording = "configs/judging/judge.yaml";
  std::string context = "configs/replies/context.yaml";
  JudgeConfig judging;
  std::int64_t dialogues_at_once = 64;
  void fields(config::Fields& f);
};

class JudgeJob {
 public:
  // Reads wordings, corpora, replies and ratings; `folder` is the judge's own run folder. Throws
  // Error(input) as the readers do, and for replies to a dialogue that no corpus has.
  JudgeJob(const JudgeJobConfig& config, const std::string& folder);

  std::int64_t items() const { return static_cast<std::int64_t>(items_.size()); }

  // As RespondJob::ask, in items.
  bool ask(language::Source& source, int rank, int size, const respond::RespondJob::Progress& said,
           const std::function<bool()>& stop);

  struct Written {
    std::string path;
    std::int64_t rows = 0, failed = 0, unread = 0;
    std::string first_error;
  };
  std::vector<Written> write(language::Source& record, const nlohmann::ordered_json& about);

 private:
  // A file to be written: its items are [first, first + count) of items_.
  struct Target {
    std::string path;
    results::MethodInfo info;
    std::size_t first = 0, count = 0;
    const std::vector<RatedDialogue>* rated = nullptr;
    std::string ratings_path;
  };
  void add_corpus(const respond::SplitOfCorpus& split, const std::string& folder);
  void add_replies(const results::Run& run, const results::ReplyFile& file);
  void add_ratings(const std::string& path, const std::string& folder);
  const dialogue::Episode* find(const std::string& corpus, const std::string& dialogue) const;
  static void write_ratings(const Target& target);

  JudgeJobConfig config_;
  JudgeWording wording_;
  respond::ContextWording context_;
  respond::Corpora corpora_;
  std::map<std::pair<std::string, std::string>, const dialogue::Episode*> episodes_;
  std::deque<std::vector<RatedDialogue>> rated_;  // stays where it is
  std::vector<Item> items_;
  std::vector<Target> targets_;
};

}  // namespace straq::judge
