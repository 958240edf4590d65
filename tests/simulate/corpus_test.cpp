// The generated corpus: same bytes for the same seed, dialogues that do not depend on how many
// there are, files that the corpus reader takes, labels that follow the exact shares and can be
// learned from the words.
#include "simulate/corpus.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <map>
#include <set>
#include <sstream>

#include "core/files/files.h"
#include "core/hash.h"
#include "dialogue/readers/readers.h"
#include "dialogue/turns.h"
#include "tests/simulate/support.h"

namespace straq::simulate {
namespace {

using straq::testing::error_of;
using straq::testing::TemporaryFolder;
namespace fs = std::filesystem;

SimulateConfig small(int train = 40, int valid = 5, int test = 5) {
  SimulateConfig c = testing::shipped_config();
  c.dialogues = {train, valid, test};
  return c;
}

TEST(Corpus, SameSeedSameBytesOtherSeedOtherBytes) {
  TemporaryFolder a, b, c;
  write_corpus(small(), a.path());
  write_corpus(small(), b.path());
  SimulateConfig other = small();
  other.seed += 1;
  write_corpus(other, c.path());
  for (const char* name :
       {"train.txt", "valid.txt", "test.txt", "states/train.jsonl", "manifest.json"}) {
    EXPECT_EQ(read_file(a.path(name)), read_file(b.path(name))) << name;
    EXPECT_NE(read_file(a.path(name)), read_file(c.path(name))) << name;
  }
}

TEST(Corpus, ADialogueDoesNotDependOnHowManyThereAre) {
  TemporaryFolder a, b;
  write_corpus(small(10), a.path());
  write_corpus(small(40), b.path());
  const std::string few = read_file(a.path("train.txt")), many = read_file(b.path("train.txt"));
  EXPECT_EQ(many.substr(0, few.size()), few);
  EXPECT_NE(read_file(a.path("valid.txt")).substr(0, 400), few.substr(0, 400));
}

TEST(Corpus, TheReaderSeesWhatTheSimulatorDid) {
  TemporaryFolder folder;
  const CorpusReport report = write_corpus(small(), folder.path());
  const auto strategies = testing::esconv_strategies();
  const auto corpus =
      dialogue::read_corpus(folder.path("train.txt"), dialogue::Format::automatic, strategies);
  const Simulator simulator(small());
  ASSERT_EQ(corpus.dialogues.size(), 40u);
  std::int64_t decisions = 0, supporter_opened = 0, supporter_ends = 0;
  for (int i = 0; i < 40; ++i) {
    const auto& d = corpus.dialogues[static_cast<std::size_t>(i)];
    const SimulatedDialogue want = simulator.generate("train", i);
    EXPECT_EQ(d.id, want.dialogue.id);
    EXPECT_EQ(d.emotion, want.dialogue.emotion);
    EXPECT_EQ(d.problem, want.dialogue.problem);
    EXPECT_EQ(d.situation, want.dialogue.situation);
    EXPECT_EQ(d.initial_intensity, want.trace.front().state.intensity);
    EXPECT_EQ(d.final_intensity, want.trace.back().next.intensity);
    ASSERT_EQ(d.utterances.size(), want.dialogue.utterances.size());
    for (std::size_t u = 0; u < d.utterances.size(); ++u) {
      EXPECT_EQ(d.utterances[u].text, want.dialogue.utterances[u].text);
      EXPECT_EQ(d.utterances[u].strategy, want.dialogue.utterances[u].strategy);
    }
    const auto episode = dialogue::build_episode(d, dialogue::MergeLabel::first);
    ASSERT_EQ(episode.decisions.size(), want.trace.size()) << "one decision a step";
    for (std::size_t k = 0; k < want.trace.size(); ++k) {
      EXPECT_EQ(episode.decisions[k].gold, want.trace[k].action);
      EXPECT_EQ(episode.decisions[k].previous, want.trace[k].state.previous);
      EXPECT_EQ(episode.decisions[k].turn, want.trace[k].turn);
      EXPECT_EQ(episode.decisions[k].terminal, k + 1 == want.trace.size());
      EXPECT_EQ(episode.decisions[k].reward, want.trace[k].reward) << "to the last bit";
      if (k > 0) {
        EXPECT_EQ(want.trace[k].state, want.trace[k - 1].next);
      }
    }
    EXPECT_TRUE(want.trace.back().next.terminal());
    decisions += static_cast<std::int64_t>(want.trace.size());
    supporter_opened += d.utterances.front().speaker == dialogue::Speaker::supporter;
    supporter_ends += d.utterances.back().speaker == dialogue::Speaker::supporter;
  }
  EXPECT_EQ(report.splits[0].decisions, decisions);
  EXPECT_GT(supporter_opened, 5);
  EXPECT_LT(supporter_opened, 35);
  EXPECT_GT(supporter_ends, 20);
  EXPECT_LT(supporter_ends, 40);
}

TEST(Corpus, ManifestHashesAndCountsAreThoseOfTheFiles) {
  TemporaryFolder folder;
  write_corpus(small(), folder.path());
  const auto m = nlohmann::json::parse(read_file(folder.path("manifest.json")));
  EXPECT_EQ(m["format"], "straq-simulated-corpus");
  EXPECT_EQ(m["seed"], small().seed);
  for (const char* split : {"train", "valid", "test"}) {
    const auto& s = m["splits"][split];
    EXPECT_EQ(s["sha256"], sha256_file(folder.path(s["file"])));
    EXPECT_EQ(s["states_sha256"], sha256_file(folder.path(s["states_file"])));
    std::int64_t lines = 0, utterances = 0, decisions = 0;
    std::ifstream in(folder.path(s["file"]));
    for (std::string line; std::getline(in, line); ++lines) {
      utterances += static_cast<std::int64_t>(nlohmann::json::parse(line)["dialog"].size());
    }
    std::ifstream states(folder.path(s["states_file"]));
    for (std::string line; std::getline(states, line);) {
      decisions += static_cast<std::int64_t>(nlohmann::json::parse(line)["decisions"].size());
    }
    EXPECT_EQ(s["dialogues"], lines);
    EXPECT_EQ(s["utterances"], utterances);
    EXPECT_EQ(s["decisions"], decisions);
    std::int64_t by_strategy = 0;
    for (const auto& [key, n] : s["decisions_by_strategy"].items()) by_strategy += n.get<int>();
    EXPECT_EQ(by_strategy, decisions);
  }
  // The recorded config generates the same corpus again.
  const auto again = config::read<SimulateConfig>(
      config::from_json(nlohmann::ordered_json::parse(m["config"].dump())));
  TemporaryFolder copy;
  write_corpus(again, copy.path());
  EXPECT_EQ(read_file(copy.path("train.txt")), read_file(folder.path("train.txt")));
}

TEST(Corpus, ASplitOfSizeZeroLeavesNoOldFileBehind) {
  TemporaryFolder folder;
  write_corpus(small(3, 3, 3), folder.path());
  const auto report = write_corpus(small(3, 0, 3), folder.path());
  EXPECT_FALSE(fs::exists(folder.path("valid.txt")));
  EXPECT_FALSE(fs::exists(folder.path("states/valid.jsonl")));
  EXPECT_TRUE(fs::exists(folder.path("test.txt")));
  EXPECT_EQ(report.splits.size(), 2u);
}

TEST(Corpus, LabelsFollowTheExactShares) {
  const Simulator simulator(small());
  const auto exact = analyse(simulator.dynamics(), simulator.policy());
  std::vector<double> counts(8, 0);
  double decisions = 0, hits = 0, returns = 0;
  std::map<Outcome, int> outcomes;
  const int n = 4000;
  for (int i = 0; i < n; ++i) {
    const auto d = simulator.generate("train", i);
    for (const auto& t : d.trace) {
      ++counts[static_cast<std::size_t>(t.action)];
      ++decisions;
      returns += t.reward;
      const auto p = simulator.policy().probabilities(t.state);
      hits += std::max_element(p.begin(), p.end()) - p.begin() == t.action;
    }
    ++outcomes[d.trace.back().next.outcome];
  }
  for (std::size_t a = 0; a < counts.size(); ++a) {
    EXPECT_NEAR(counts[a] / decisions, exact.shares[a], 0.01);
    EXPECT_GT(counts[a] / decisions, 0.03) << "every strategy occurs";
  }
  EXPECT_NEAR(hits / decisions, exact.oracle_accuracy, 0.01);
  EXPECT_NEAR(decisions / n, exact.decisions, 0.1);
  EXPECT_NEAR(returns / n, exact.mean_return, 0.2);
  EXPECT_NEAR(outcomes[Outcome::settled] / double(n), exact.outcomes[1], 0.03);
}

TEST(Corpus, WordingIsVariedAndDoesNotRepeatInADialogue) {
  const Simulator simulator(small());
  std::set<std::string> distinct;
  std::size_t seeker = 0, repeats = 0, two_in_a_row = 0;
  for (int i = 0; i < 500; ++i) {
    const auto d = simulator.generate("train", i).dialogue;
    std::set<std::string> here;
    for (std::size_t k = 0; k < d.utterances.size(); ++k) {
      const auto& u = d.utterances[k];
      EXPECT_FALSE(u.text.empty());
      EXPECT_EQ(u.text.find_first_of("{|}"), std::string::npos) << u.text;
      EXPECT_EQ(u.strategy >= 0, u.speaker == dialogue::Speaker::supporter);
      repeats += !here.insert(u.text).second;
      two_in_a_row += k > 0 && u.speaker == d.utterances[k - 1].speaker;
      if (u.speaker == dialogue::Speaker::seeker) {
        ++seeker;
        distinct.insert(u.text);
      }
    }
  }
  EXPECT_GT(distinct.size(), 3000u);
  EXPECT_GT(static_cast<double>(distinct.size()), 0.9 * static_cast<double>(seeker));
  EXPECT_LT(repeats, 20u);
  EXPECT_GT(two_in_a_row, 200u);
}

// A multinomial naive Bayes over the words of the seeker's last turn, with the previous strategy:
// the least that a language model should find.
TEST(Corpus, AStrategyCanBeLearnedFromTheWords) {
  const Simulator simulator(small());
  auto features = [](const dialogue::Episode& e, const dialogue::Decision& d) {
    std::vector<std::string> out = {"previous " + std::to_string(d.previous)};
    std::istringstream words(e.turns[static_cast<std::size_t>(d.turn - 1)].text);
    for (std::string w; words >> w;) out.push_back(w);
    return out;
  };
  std::vector<double> prior(8, 1);
  std::map<std::string, std::vector<double>> seen;
  std::vector<double> words(8, 0);
  const int train = 1500, test = 300;
  for (int i = 0; i < train; ++i) {
    const auto e = dialogue::build_episode(simulator.generate("train", i).dialogue,
                                           dialogue::MergeLabel::first);
    for (const auto& d : e.decisions) {
      const auto c = static_cast<std::size_t>(d.gold);
      ++prior[c];
      for (const auto& f : features(e, d)) {
        auto& counts = seen[f];
        counts.resize(8, 0.0);
        ++counts[c];
        ++words[c];
      }
    }
  }
  double n = 0, right = 0, majority = 0, repeat_last = 0;
  const auto most = std::max_element(prior.begin(), prior.end()) - prior.begin();
  for (int i = 0; i < test; ++i) {
    const auto e = dialogue::build_episode(simulator.generate("test", i).dialogue,
                                           dialogue::MergeLabel::first);
    for (const auto& d : e.decisions) {
      std::vector<double> score(8);
      for (std::size_t c = 0; c < 8; ++c) score[c] = std::log(prior[c]);
      for (const auto& f : features(e, d)) {
        const auto it = seen.find(f);
        if (it == seen.end()) continue;
        for (std::size_t c = 0; c < 8; ++c) {
          score[c] +=
              std::log((it->second[c] + 0.5) / (words[c] + 0.5 * static_cast<double>(seen.size())));
        }
      }
      ++n;
      right += std::max_element(score.begin(), score.end()) - score.begin() == d.gold;
      majority += most == d.gold;
      repeat_last += d.previous == d.gold;
    }
  }
  EXPECT_LT(majority / n, 0.25);
  EXPECT_LT(repeat_last / n, 0.20);
  EXPECT_GT(right / n, 0.35);
  EXPECT_LT(right / n, 0.60) << "no reader of the words beats one who knows the state";
}

TEST(Corpus, BadConfigsAreRefusedBeforeAnythingIsWritten) {
  TemporaryFolder folder;
  auto refused = [&](SimulateConfig c, const std::string& words) {
    const auto e = error_of([&] { write_corpus(c, folder.path("out")); });
    ASSERT_TRUE(e);
    EXPECT_EQ(e->kind(), ErrorKind::input) << e->full();
    EXPECT_NE(e->full().find(words), std::string::npos) << e->full();
    EXPECT_FALSE(fs::exists(folder.path("out")));
  };
  SimulateConfig c = small();
  c.phrases = {};
  refused(c, "phrases: no file is named");
  c = small();
  c.phrases[0] = folder.path("absent.yaml");
  refused(c, "absent.yaml");
  c = small(0, 0, 0);
  refused(c, "every split has size 0");
  c = small();
  c.dynamics.effects.action.clear();
  refused(c, "no row for the strategy \"Question\"");
}

TEST(Corpus, ConfigFilesAreReadStrictly) {
  auto root = config::load_config(straq::testing::source_path("configs/simulate/quickstart.yaml"));
  auto refused = [&](const std::string& set, const std::string& words) {
    config::Value changed = root;
    config::apply_set(changed, set);
    const auto e = error_of([&] { config::read<SimulateConfig>(changed); });
    ASSERT_TRUE(e) << set;
    EXPECT_NE(e->full().find(words), std::string::npos) << e->full();
  };
  refused("dynamics.max_turn=3", "did you mean \"dynamics.max_turns\"");
  refused("dynamics.effects.action.Others.relief=1.5", "must be between 0 and 1");
  refused("wording.noise=often", "expected a number");
  refused("dialogues.train=-1", "must be between 0 and 100000000");
  config::Value bare = config::Value::make_map();
  const auto e = error_of([&] { config::read<SimulateConfig>(bare); });
  ASSERT_TRUE(e);
  EXPECT_NE(e->full().find("\"phrases\" is missing"), std::string::npos) << e->full();
}

TEST(Corpus, AnUnwritableFolderIsAnErrorThatNamesIt) {
  TemporaryFolder folder;
  write_file_atomic(folder.path("file"), "x");
  const auto e = error_of([&] { write_corpus(small(), folder.path("file/out")); });
  ASSERT_TRUE(e);
  EXPECT_EQ(e->kind(), ErrorKind::failure);
  EXPECT_NE(e->full().find("file/out"), std::string::npos);
}

}  // namespace
}  // namespace straq::simulate
