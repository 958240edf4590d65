#include "simulate/corpus.h"

#include <algorithm>
#include <filesystem>
#include <functional>
#include <future>
#include <unordered_set>

#include "core/error.h"
#include "core/files/atomic_file.h"
#include "core/files/files.h"
#include "core/hash.h"
#include "core/json/json.h"
#include "core/log.h"
#include "dialogue/readers/readers.h"
#include "simulate/value_report.h"

namespace straq::simulate {
namespace fs = std::filesystem;
using nlohmann::ordered_json;

std::string trace_to_jsonl(const SimulatedDialogue& d, const dialogue::StrategySet& strategies) {
  ordered_json j;
  j["dialogue"] = d.dialogue.id;
  j["decisions"] = ordered_json::array();
  for (const auto& t : d.trace) {
    ordered_json line;
    line["turn"] = t.turn;
    line["stage"] = name(t.state.stage);
    line["intensity"] = t.state.intensity;
    const int previous = t.state.previous;
    line["previous"] = previous < 0 ? ordered_json() : ordered_json(strategies[previous].name);
    line["action"] = strategies[t.action].name;
    line["reward"] = t.reward;
    j["decisions"].push_back(std::move(line));
  }
  j["outcome"] = name(d.trace.back().next.outcome);
  j["final_intensity"] = d.trace.back().next.intensity;
  return dump_json(j);
}

namespace {

// Dialogues that a thread makes before they are written: what is in memory at once.
constexpr int kBlock = 512;
// Distinct utterances are looked for among the seekers' of the first dialogues of a split: of a
// large one they would take more memory than all else.
constexpr int kDistinctDialogues = 100'000;

// Some dialogues of a split, as its two files have them.
struct Block {
  std::string text, states;
  SplitCounts counts;
  std::vector<Digest> said;  // by seekers
};

Block generate_block(const Simulator& simulator, const char* split, int first, int count) {
  const dialogue::StrategySet& strategies = simulator.strategies();
  Block out;
  SplitCounts& c = out.counts;
  c.by_strategy.assign(static_cast<std::size_t>(strategies.size()), 0);
  for (int i = first; i < first + count; ++i) {
    const SimulatedDialogue d = simulator.generate(split, i);
    out.text += dialogue::to_jsonl(d.dialogue, strategies) + "\n";
    out.states += trace_to_jsonl(d, strategies) + "\n";
    ++c.dialogues;
    c.utterances += static_cast<std::int64_t>(d.dialogue.utterances.size());
    for (const auto& u : d.dialogue.utterances) {
      if (u.speaker != dialogue::Speaker::seeker || i >= kDistinctDialogues) continue;
      ++c.seeker_utterances;
      out.said.push_back(Sha256().update(u.text).digest());
    }
    for (const auto& t : d.trace) {
      ++c.decisions;
      ++c.by_strategy[static_cast<std::size_t>(t.action)];
      const auto p = simulator.policy().probabilities(t.state);
      c.oracle_hits += std::max_element(p.begin(), p.end()) - p.begin() == t.action;
    }
  }
  return out;
}

void add(const SplitCounts& block, SplitCounts& all) {
  all.dialogues += block.dialogues;
  all.utterances += block.utterances;
  all.seeker_utterances += block.seeker_utterances;
  all.decisions += block.decisions;
  all.oracle_hits += block.oracle_hits;
  for (std::size_t a = 0; a < block.by_strategy.size(); ++a) {
    all.by_strategy[a] += block.by_strategy[a];
  }
}

// A file of a split and its hash, as they grow.
class GrowingFile {
 public:
  explicit GrowingFile(const fs::path& path) : file_(path.string()) {}
  void add(const std::string& bytes) {
    file_.write(bytes.data(), bytes.size());
    hash_.update(bytes);
  }
  std::string publish() {
    file_.publish();
    return hash_.hex();
  }

 private:
  AtomicFile file_;
  Sha256 hash_;
};

struct SplitFiles {
  SplitCounts counts;
  std::string text_sha256, states_sha256;
};

// The split's dialogues are functions of their numbers, so `threads` make blocks side by side, and
// these are written in order: the files do not depend on how many there are.
SplitFiles write_split(const Simulator& simulator, const char* split, int size, int threads,
                       const fs::path& text, const fs::path& states) {
  SplitFiles out;
  out.counts.split = split;
  out.counts.by_strategy.assign(static_cast<std::size_t>(simulator.strategies().size()), 0);
  GrowingFile text_file(text), states_file(states);
  std::unordered_set<Digest, DigestHash> distinct;
  for (int first = 0; first < size;) {
    std::vector<std::future<Block>> blocks;
    for (int t = 0; t < threads && first < size; ++t) {
      const int count = std::min(kBlock, size - first);
      blocks.push_back(std::async(threads > 1 ? std::launch::async : std::launch::deferred,
                                  generate_block, std::cref(simulator), split, first, count));
      first += count;
    }
    for (auto& made : blocks) {
      const Block block = made.get();
      text_file.add(block.text);
      states_file.add(block.states);
      add(block.counts, out.counts);
      distinct.insert(block.said.begin(), block.said.end());
    }
  }
  out.counts.distinct_seeker = static_cast<std::int64_t>(distinct.size());
  out.text_sha256 = text_file.publish();
  out.states_sha256 = states_file.publish();
  return out;
}

}  // namespace

CorpusReport write_corpus(const SimulateConfig& config, const std::string& folder, int threads) {
  const SizesConfig& n = config.dialogues;
  if (n.train + n.valid + n.test == 0) {
    fail_input("dialogues: every split has size 0", "set dialogues.train, for example to 300");
  }
  const Simulator simulator(config);
  const dialogue::StrategySet& strategies = simulator.strategies();
  require_writable_folder(folder);
  const fs::path root(folder);
  make_folders((root / "states").string());
  // An older manifest must not vouch for files that are about to change, nor values for them.
  std::error_code ec;
  fs::remove(root / "manifest.json", ec);
  remove_values(folder);

  CorpusReport report;
  report.folder = folder;
  report.exact = analyse(simulator.dynamics(), simulator.policy());
  ordered_json& m = report.manifest;
  m["format"] = "straq-simulated-corpus";
  m["version"] = 1;
  m["seed"] = config.seed;
  m["config"] = config::to_json(config::dump(config));
  for (const auto& file : config.phrases) m["inputs"][file] = sha256_file(file);
  m["inputs"][config.strategies] = sha256_file(config.strategies);

  const std::pair<const char*, int> sizes[] = {{"train", config.dialogues.train},
                                               {"valid", config.dialogues.valid},
                                               {"test", config.dialogues.test}};
  for (const auto& [split, size] : sizes) {
    const std::string text_name = std::string(split) + ".txt";
    const std::string states_name = std::string("states/") + split + ".jsonl";
    if (size == 0) {  // a split of an earlier, larger corpus would pass for a part of this one
      fs::remove(root / text_name, ec);
      fs::remove(root / states_name, ec);
      continue;
    }
    SplitFiles files =
        write_split(simulator, split, size, threads, root / text_name, root / states_name);
    const SplitCounts& c = files.counts;
    log::debug("simulate", "{}: {} dialogues, {} decisions", text_name, c.dialogues, c.decisions);

    ordered_json& s = m["splits"][split];
    s["file"] = text_name;
    s["sha256"] = files.text_sha256;
    s["states_file"] = states_name;
    s["states_sha256"] = files.states_sha256;
    s["dialogues"] = c.dialogues;
    s["utterances"] = c.utterances;
    s["decisions"] = c.decisions;
    for (int a = 0; a < strategies.size(); ++a) {
      s["decisions_by_strategy"][strategies[a].name] = c.by_strategy[static_cast<std::size_t>(a)];
    }
    report.splits.push_back(std::move(files.counts));
  }
  ordered_json& e = m["exact"];
  e["decisions_per_dialogue"] = report.exact.decisions;
  e["oracle_accuracy"] = report.exact.oracle_accuracy;
  e["mean_return"] = report.exact.mean_return;
  for (Outcome o : {Outcome::settled, Outcome::left, Outcome::out_of_turns}) {
    e["outcomes"][name(o)] = report.exact.outcomes[static_cast<std::size_t>(o)];
  }
  write_file_atomic((root / "manifest.json").string(), dump_json(m, 2) + "\n");
  return report;
}

std::vector<Table> tables(const CorpusReport& report, const dialogue::StrategySet& strategies) {
  Table sizes;
  sizes.id = "simulated_corpus";
  sizes.title = "Simulated corpus in " + report.folder;
  sizes.columns = {"Split",        "Dialogues",    "Utterances",
                   "Decisions",    "per dialogue", "Distinct seeker utterances %",
                   "Majority Acc", "Oracle Acc"};
  for (const auto& c : report.splits) {
    const auto n = static_cast<double>(c.decisions);
    const auto most = *std::max_element(c.by_strategy.begin(), c.by_strategy.end());
    sizes.add({c.split, c.dialogues, c.utterances, c.decisions,
               Cell::real(n / static_cast<double>(c.dialogues), 2),
               Cell::real(100.0 * static_cast<double>(c.distinct_seeker) /
                              static_cast<double>(c.seeker_utterances),
                          1),
               Cell::real(100.0 * static_cast<double>(most) / n, 2),
               Cell::real(100.0 * static_cast<double>(c.oracle_hits) / n, 2)});
  }
  const BehaviourAnalysis& e = report.exact;
  sizes.add({"exact", Cell::missing(), Cell::missing(), Cell::missing(), Cell::real(e.decisions, 2),
             Cell::missing(),
             Cell::real(100 * *std::max_element(e.shares.begin(), e.shares.end()), 2),
             Cell::real(100 * e.oracle_accuracy, 2)});
  sizes.notes = {"Majority Acc: always the split's most frequent strategy.",
                 "Oracle Acc: the supporter's likeliest strategy, the latent state being known.",
                 "exact: expected values, computed from the dynamics and the supporter's policy."};
  if (std::any_of(report.splits.begin(), report.splits.end(),
                  [](const auto& c) { return c.dialogues > kDistinctDialogues; })) {
    sizes.notes.push_back("Distinct seeker utterances: of the first 100,000 dialogues of a split.");
  }

  Table shares;
  shares.id = "simulated_strategies";
  shares.title = "Strategies (% of decisions)";
  shares.columns = {"Strategy"};
  for (const auto& c : report.splits) shares.columns.push_back(c.split);
  shares.columns.push_back("exact");
  for (int a = 0; a < strategies.size(); ++a) {
    std::vector<Cell> row = {strategies[a].name};
    for (const auto& c : report.splits) {
      const auto n = static_cast<double>(c.by_strategy[static_cast<std::size_t>(a)]);
      row.push_back(Cell::real(100 * n / static_cast<double>(c.decisions), 1));
    }
    row.push_back(Cell::real(100 * e.shares[static_cast<std::size_t>(a)], 1));
    shares.add(std::move(row));
  }
  return {sizes, shares};
}

}  // namespace straq::simulate
