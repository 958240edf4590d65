// `straq respond`: methods × corpora × splits, asked of one responder. All that is asked goes
// through a record (language/record.h), so a job that was stopped goes on where it was, any number
// of processes share the work, and what is written at the end is a function of config and record.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "config/fields.h"
#include "dialogue/data_config.h"
#include "language/source.h"
#include "respond/context.h"
#include "respond/responder.h"
#include "results/rows/replies.h"

namespace straq::respond {

// A corpus, and which of its splits: the keys of `data:`, and `splits`; "all" is all of them as
// one.
struct CorpusConfig {
  dialogue::DataConfig data;
  std::vector<std::string> splits = {"test"};
  void fields(config::Fields& f) {
    data.fields(f);
    f("splits", splits);
  }
};

struct RespondConfig {
  std::string name;
  std::string results = "results";
  std::vector<CorpusConfig> corpora;
  std::vector<std::string> methods;
  std::vector<std::string> planners;  // folders of runs, or of planners: straq follows each
  std::string wordings = "configs/replies";
  SceneConfig reply;
  std::int64_t dialogues_at_once = 16;  // of a round's requests; what is read in common is theirs
  void fields(config::Fields& f);
};

// One split of one corpus. Corpora without strategies have a decision at every supporter turn.
struct SplitOfCorpus {
  std::string corpus, split;
  bool has_strategies = false;
  std::vector<dialogue::Episode> episodes;
};
struct Corpora {
  dialogue::StrategySet strategies;
  dialogue::MergeLabel merge_label = dialogue::MergeLabel::first;
  std::vector<SplitOfCorpus> splits;
};
// Throws Error(input) for a split that is not there, corpora of different strategies or merge
// rules, one that comes twice, and what load_splits does.
Corpora load_corpora(const std::vector<CorpusConfig>& configs);

// Whose strategies straq follows.
struct PlannerToFollow {
  std::string method;  // "straq_imit": of its rows
  std::string run;     // the folder that its replies go to; empty: the responder's
  std::string seed;    // of its run; empty: unknown
  std::string point;   // a name that differs from those of the others
  // For each split the strategy of every decision of its episodes, in order.
  std::function<std::vector<std::vector<int>>(const std::vector<SplitOfCorpus>&)> choose;
};

struct ResponderName {
  std::string name;    // "base", "sft"
  std::string folder;  // its run folder
};

class RespondJob {
 public:
  // Reads wordings and corpora. `planners` are needed where the methods name straq. Throws
  // Error(input) as the readers do, and for methods that are none or planners that are missing.
  RespondJob(const RespondConfig& config, std::vector<PlannerToFollow> planners);

  // Asks the planners, if a method follows them; before the rest.
  void plan();
  const Corpora& corpora() const { return corpora_; }
  std::int64_t decisions() const;  // of all splits
  std::int64_t scenes() const;     // decisions × methods, with a straq for each planner

  // Asks what this one of `size` processes has to, its share of the dialogues, heaviest first to
  // who has least. False where `stop` said so first. `said` is called with scenes over and in all.
  using Progress = std::function<void(std::int64_t over, std::int64_t all)>;
  bool ask(language::Source& source, int rank, int size, const Progress& said,
           const std::function<bool()>& stop);

  struct Written {
    std::string path;
    std::int64_t rows = 0, failed = 0, unread = 0;  // `unread`: rows with anything unread
    std::string first_error;
  };
  // Writes the rows of every method from answers that are there: `record` has them all. With
  // `complete_only` decisions that it lacks something of are left out.
  std::vector<Written> write(language::Source& record, const ResponderName& responder,
                             const nlohmann::ordered_json& about, bool complete_only);

 private:
  struct Way;  // a method, of a planner where it follows one
  std::vector<Way> ways() const;
  std::vector<std::vector<Task>> tasks_of_ways(const std::vector<Way>& ways, std::size_t split,
                                               const std::vector<std::size_t>& episodes) const;
  Written write_way(const Way& way, std::size_t split,
                    const std::vector<std::optional<Outcome>>& outcomes,
                    const ResponderName& responder, const nlohmann::ordered_json& about,
                    bool complete_only);

  RespondConfig config_;
  ContextWording wording_;
  Corpora corpora_;
  std::vector<Method> methods_;
  std::vector<std::string> names_;  // of methods_
  std::vector<PlannerToFollow> planners_;
  std::vector<std::vector<std::vector<int>>> plans_;  // by planner and split
};

// The dialogues that process `rank` of `size` takes, in order: by weight, heaviest first to the one
// with least.
std::vector<std::size_t> deal(const std::vector<double>& weights, int rank, int size);

}  // namespace straq::respond
