// A whole job in one process, in a folder of its own: a simulated corpus of a dozen dialogues, and
// ranks that are threads.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "comm/roles.h"
#include "config/value.h"
#include "coordinate/coordinator.h"
#include "coordinate/point_desk.h"
#include "coordinate/shard_desk.h"
#include "core/files/files.h"
#include "simulate/corpus.h"
#include "tests/comm/thread_world.h"
#include "tests/simulate/support.h"
#include "tests/testing.h"

namespace straq::coordinate::testing {

inline bool never() {
  return false;
}

// The corpus is made once for all tests of a program.
inline const std::string& corpus_folder() {
  static const straq::testing::TemporaryFolder folder;
  static const std::string path = [] {
    auto config = simulate::testing::shipped_config();
    config.dialogues.train = 8, config.dialogues.valid = 2, config.dialogues.test = 2;
    simulate::write_corpus(config, folder.path("corpus"));
    return folder.path("corpus");
  }();
  return path;
}

// One config in a folder of its own: four shards (two of train, one of valid, one of test).
class TinyJob {
 public:
  // `more`: further sections, as YAML.
  explicit TinyJob(const std::string& more = {}) {
    using straq::testing::source_path;
    write_file_atomic(folder_.path("shape.yaml"),
                      "{vocab: 0, hidden: 16, layers: 1, heads: 2, kv_heads: 1, inner: 32, "
                      "max_positions: 2048, tied: true}\n");
    const std::string& corpus = corpus_folder();
    plan_.config = config::parse_yaml(
        "name: tiny\nresults: " + folder_.path("results") + "\ndata: {name: simulated, train: " +
            corpus + "/train.txt, valid: " + corpus + "/valid.txt, test: " + corpus +
            "/test.txt, strategies: " + source_path("configs/strategies/esconv.yaml") +
            "}\ntokenizer: {train: {kind: byte_bpe, vocab_size: 300}}\nprompt: {template: " +
            source_path("configs/prompts/compact.yaml") +
            ", window: 2048}\nshards: {folder: " + folder_.path("shards") +
            ", dialogues_per_shard: 4}\nmodel: {shape: " + folder_.path("shape.yaml") +
            ", device: cpu}\nthreads: 1\n" + more,
        "tiny.yaml");
  }
  JobPlan& plan() { return plan_; }
  std::string shape() const { return folder_.path("shape.yaml"); }
  std::string run_folder(const std::string& point = "seed-1") const {
    return folder_.path("results/tiny/" + point);
  }

 private:
  straq::testing::TemporaryFolder folder_;
  JobPlan plan_;
};

inline comm::Layout layout_of(int preprocessors, int groups, int group_size) {
  comm::Layout layout;
  layout.world = 1 + preprocessors + groups * group_size;
  layout.preprocessors = preprocessors;
  layout.learners = groups * group_size;
  layout.group_size = group_size;
  return layout;
}

// The ranks of a job, who are threads.
class JobWorld {
 public:
  explicit JobWorld(const comm::Layout& layout) : layout_(layout), world_(layout.world) {
    for (int g = 0; g < layout.groups(); ++g) {
      directives_.push_back(std::make_unique<comm::testing::ThreadDirectives>(world_));
    }
  }
  comm::testing::ThreadWorld& world() { return world_; }
  const comm::Layout& layout() const { return layout_; }
  std::unique_ptr<comm::Control> control(int rank) { return world_.control(rank); }
  std::unique_ptr<comm::DirectiveLine> directives(int learner) {
    return directives_.at(static_cast<std::size_t>(layout_.group_of(learner)))->learners();
  }
  bool leads(int learner) const { return learner == layout_.leader_of(layout_.group_of(learner)); }

  // The coordinator's part, as run_job has it, and `more` desks.
  int coordinate(JobProgress& progress, const std::function<bool()>& asked_to_stop = never,
                 std::vector<std::unique_ptr<Desk>> more = {}) {
    const auto control = world_.control(0);
    std::vector<std::unique_ptr<comm::DirectiveLine>> lines;
    std::vector<comm::DirectiveLine*> directives;
    for (auto& group : directives_) {
      lines.push_back(group->coordinators());
      directives.push_back(lines.back().get());
    }
    Coordinator coordinator(*control, layout_, progress, asked_to_stop);
    coordinator.add(std::make_unique<ShardDesk>(*control, progress, layout_.preprocessors));
    coordinator.add(std::make_unique<PointDesk>(*control, layout_, directives, progress));
    for (auto& desk : more) coordinator.add(std::move(desk));
    return coordinator.run();
  }

 private:
  const comm::Layout layout_;
  comm::testing::ThreadWorld world_;
  std::vector<std::unique_ptr<comm::testing::ThreadDirectives>> directives_;
};

}  // namespace straq::coordinate::testing
