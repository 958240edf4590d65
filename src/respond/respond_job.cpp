#include "respond/respond_job.h"

#include <algorithm>
#include <numeric>
#include <set>

#include "core/error.h"
#include "dialogue/turns.h"
#include "results/layout.h"
#include "results/run_folder.h"

namespace straq::respond {
namespace {

constexpr const char* kAllSplits = "all";

// What a dialogue costs: every decision reads what was said before it and writes a reply.
double weight_of(const dialogue::Episode& episode) {
  double read = 0, weight = 0;
  std::size_t next = 0;
  for (std::size_t i = 0; i < episode.turns.size(); ++i) {
    if (next < episode.decisions.size() && episode.decisions[next].turn == static_cast<int>(i)) {
      weight += 400 + read / 8;
      ++next;
    }
    read += static_cast<double>(episode.turns[i].text.size());
  }
  return weight + read;
}

std::vector<dialogue::Episode> episodes_of(const dialogue::Split& split,
                                           const dialogue::DataConfig& data, bool labelled) {
  if (labelled) return split.episodes;
  return dialogue::build_episodes(split.corpus.dialogues, data.merge_label, /*unlabelled=*/true);
}

results::Reply row_of(const dialogue::StrategySet& strategies, const Task& task,
                      const dialogue::Decision& decision, const Outcome& outcome) {
  const auto& episode = *task.episode;
  const auto turn = static_cast<std::size_t>(task.turn);
  results::Reply row;
  row.id = episode.id + ":" + std::to_string(task.turn);
  row.dialogue = episode.id;
  if (decision.gold >= 0) row.strategy = strategies[decision.gold].name;
  row.emotion = episode.emotion;
  row.chosen = outcome.strategy < 0 ? "" : strategies[outcome.strategy].name;
  row.hypothesis = outcome.reply;
  row.reference = episode.turns[turn].text;
  if (turn > 0) row.query = episode.turns[turn - 1].text;
  row.finish = outcome.finish == language::Finish::stop     ? "stop"
               : outcome.finish == language::Finish::length ? "length"
                                                            : "failed";
  row.error = outcome.error;
  row.unread = outcome.unread;
  row.requests = outcome.usage.requests;
  row.prompt_tokens = outcome.usage.prompt_tokens;
  row.reply_tokens = outcome.usage.reply_tokens;
  row.notes = outcome.notes;
  return row;
}

}  // namespace

void RespondConfig::fields(config::Fields& f) {
  f.required("name", name);
  f("results", results);
  f.required("corpora", corpora);
  f.required("methods", methods);
  f("planners", planners);
  f("wordings", wordings);
  f("reply", reply);
  f("dialogues_at_once", dialogues_at_once, config::between(1, 1e9));
}

Corpora load_corpora(const std::vector<CorpusConfig>& configs) {
  if (configs.empty()) fail_input("corpora: none is named", "list at least one");
  Corpora out;
  out.strategies = dialogue::load_strategies(configs.front().data);
  out.merge_label = configs.front().data.merge_label;
  std::set<std::string> names;
  for (const auto& c : configs) {
    if (c.data.strategies != configs.front().data.strategies ||
        c.data.merge_label != out.merge_label) {
      fail_input("corpora: " + c.data.name + " has other strategies or merges turns otherwise",
                 "use one strategies file and merge_label for all of them");
    }
    const auto splits = dialogue::load_splits(c.data, out.strategies);
    for (const auto& name : c.splits) {
      if (!names.insert(c.data.name + " " + name).second) {
        fail_input("corpora: " + c.data.name + " " + name + " comes twice",
                   "give each corpus a name of its own");
      }
      SplitOfCorpus of{c.data.name, name, false, {}};
      for (const auto& split : splits.splits) {
        if (split.name != name && name != kAllSplits) continue;
        const bool labelled = std::any_of(split.episodes.begin(), split.episodes.end(),
                                          [](const auto& e) { return !e.decisions.empty(); });
        of.has_strategies = of.has_strategies || labelled;
        auto episodes = episodes_of(split, c.data, labelled);
        std::move(episodes.begin(), episodes.end(), std::back_inserter(of.episodes));
      }
      if (of.episodes.empty()) {
        fail_input("corpora: " + c.data.name + " has no split \"" + name + "\"",
                   "name its file (test: …), or take it out of splits");
      }
      out.splits.push_back(std::move(of));
    }
  }
  return out;
}

std::vector<std::size_t> deal(const std::vector<double>& weights, int rank, int size) {
  std::vector<std::size_t> order(weights.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](auto a, auto b) { return weights[a] > weights[b]; });
  std::vector<double> load(static_cast<std::size_t>(size));
  std::vector<std::size_t> mine;
  for (const std::size_t i : order) {
    const auto least = std::min_element(load.begin(), load.end());
    *least += weights[i];
    if (least - load.begin() == rank) mine.push_back(i);
  }
  std::sort(mine.begin(), mine.end());
  return mine;
}

struct RespondJob::Way {
  std::size_t method = 0;
  std::optional<std::size_t> planner;
};

RespondJob::RespondJob(const RespondConfig& config, std::vector<PlannerToFollow> planners)
    : config_(config), planners_(std::move(planners)) {
  const std::string folder = config.wordings + "/";
  wording_ = ContextWording::load(folder + "context.yaml");
  if (config.methods.empty()) fail_input("methods: none is named", "list at least one");
  corpora_ = load_corpora(config.corpora);
  for (const auto& name : config.methods) {
    const MethodEntry& entry = method_entry(name);
    if (std::find(names_.begin(), names_.end(), name) != names_.end()) {
      fail_input("methods: " + name + " comes twice", "name it once");
    }
    if (entry.planned && planners_.empty()) {
      fail_input("methods: " + name + " follows a planner, and none is named",
                 "name folders of runs under planners, or leave the method out");
    }
    names_.push_back(name);
    methods_.push_back(entry.open(folder + entry.wording, corpora_.strategies));
  }
}

std::vector<RespondJob::Way> RespondJob::ways() const {
  std::vector<Way> out;
  for (std::size_t m = 0; m < methods_.size(); ++m) {
    if (!method_entry(names_[m]).planned) {
      out.push_back({m, std::nullopt});
      continue;
    }
    for (std::size_t p = 0; p < planners_.size(); ++p) out.push_back({m, p});
  }
  return out;
}

std::int64_t RespondJob::decisions() const {
  std::int64_t n = 0;
  for (const auto& s : corpora_.splits) {
    for (const auto& e : s.episodes) n += static_cast<std::int64_t>(e.decisions.size());
  }
  return n;
}

std::int64_t RespondJob::scenes() const {
  return decisions() * static_cast<std::int64_t>(ways().size());
}

void RespondJob::plan() {
  const auto all = ways();
  const bool any = std::any_of(all.begin(), all.end(), [](const Way& w) { return w.planner; });
  if (!any || !plans_.empty()) return;
  for (const auto& planner : planners_) {
    plans_.push_back(planner.choose(corpora_.splits));
    for (std::size_t s = 0; s < corpora_.splits.size(); ++s) {
      const auto& split = corpora_.splits[s];
      const auto& chosen = plans_.back().at(s);
      if (std::any_of(chosen.begin(), chosen.end(), [](int c) { return c < 0; })) {
        fail_runtime(planner.point + ": the planner gives no finite Q for " + split.corpus,
                     "its weights are damaged");
      }
    }
  }
}

std::vector<std::vector<Task>> RespondJob::tasks_of_ways(
    const std::vector<Way>& ways, std::size_t split,
    const std::vector<std::size_t>& episodes) const {
  std::vector<std::vector<Task>> out(ways.size());
  const auto& all = corpora_.splits[split].episodes;
  std::vector<std::size_t> first(all.size() + 1);
  for (std::size_t e = 0; e < all.size(); ++e) first[e + 1] = first[e] + all[e].decisions.size();
  for (std::size_t w = 0; w < ways.size(); ++w) {
    for (const std::size_t e : episodes) {
      for (std::size_t d = 0; d < all[e].decisions.size(); ++d) {
        Task task{&all[e], all[e].decisions[d].turn, std::nullopt};
        if (ways[w].planner) {
          task.plan = plans_.at(*ways[w].planner).at(split).at(first[e] + d);
        }
        out[w].push_back(task);
      }
    }
  }
  return out;
}

bool RespondJob::ask(language::Source& source, int rank, int size, const Progress& said,
                     const std::function<bool()>& stop) {
  const auto all_ways = ways();
  std::vector<Method> methods;
  for (const Way& w : all_ways) methods.push_back(methods_[w.method]);
  const Stage stage{corpora_.strategies, wording_, config_.reply};
  // What is mine, split by split.
  std::vector<std::vector<std::size_t>> mine;
  std::int64_t all = 0, over = 0;
  const auto count = static_cast<std::int64_t>(all_ways.size());
  for (const auto& split : corpora_.splits) {
    std::vector<double> weights;
    for (const auto& e : split.episodes) weights.push_back(weight_of(e));
    mine.push_back(deal(weights, rank, size));
    for (const std::size_t e : mine.back()) {
      all += count * static_cast<std::int64_t>(split.episodes[e].decisions.size());
    }
  }
  bool stopped = false;
  for (std::size_t s = 0; s < corpora_.splits.size(); ++s) {
    const auto lot = static_cast<std::size_t>(config_.dialogues_at_once);
    for (std::size_t at = 0; at < mine[s].size(); at += lot) {
      const auto begin = mine[s].begin() + static_cast<std::ptrdiff_t>(at);
      const std::vector<std::size_t> some(
          begin, begin + static_cast<std::ptrdiff_t>(std::min(lot, mine[s].size() - at)));
      const auto tasks = tasks_of_ways(all_ways, s, some);
      std::int64_t here = 0;
      for (const auto& t : tasks) here += static_cast<std::int64_t>(t.size());
      RespondCalls calls;
      calls.answered = [&](std::size_t open) {
        if (said) said(over + here - static_cast<std::int64_t>(open), all);
      };
      calls.stop = [&] { return stopped = stopped || (stop && stop()); };
      static_cast<void>(respond_to(source, stage, methods, tasks, calls));
      over += here;
      if (stopped) return false;
    }
  }
  if (said) said(all, all);
  return true;
}

std::vector<RespondJob::Written> RespondJob::write(language::Source& record,
                                                   const ResponderName& responder,
                                                   const nlohmann::ordered_json& about,
                                                   bool complete_only) {
  const auto all_ways = ways();
  std::vector<Method> methods;
  for (const Way& w : all_ways) methods.push_back(methods_[w.method]);
  const Stage stage{corpora_.strategies, wording_, config_.reply};
  std::vector<Written> out;
  for (std::size_t s = 0; s < corpora_.splits.size(); ++s) {
    std::vector<std::size_t> episodes(corpora_.splits[s].episodes.size());
    std::iota(episodes.begin(), episodes.end(), std::size_t{0});
    const auto outcomes = respond_to(record, stage, methods, tasks_of_ways(all_ways, s, episodes));
    for (std::size_t w = 0; w < all_ways.size(); ++w) {
      out.push_back(write_way(all_ways[w], s, outcomes[w], responder, about, complete_only));
    }
  }
  return out;
}

RespondJob::Written RespondJob::write_way(const Way& way, std::size_t split,
                                          const std::vector<std::optional<Outcome>>& outcomes,
                                          const ResponderName& responder,
                                          const nlohmann::ordered_json& about, bool complete_only) {
  const SplitOfCorpus& corpus = corpora_.splits[split];
  Written written;
  results::MethodInfo info;
  info.method = way.planner ? planners_[*way.planner].method : names_[way.method];
  info.responder = responder.name;
  info.corpus = corpus.corpus;
  info.split = corpus.split;
  info.about = about;
  for (const auto& s : corpora_.strategies.items()) {
    info.strategies.push_back({s.name, s.abbreviation});
  }
  std::string folder = responder.folder, name = corpus.corpus + "-" + corpus.split;
  if (way.planner) {
    const PlannerToFollow& planner = planners_[*way.planner];
    info.seed = planner.seed;
    info.about["planner"] = planner.point;
    if (planner.run.empty()) {
      name += "-" + planner.point;
    } else {
      folder = planner.run;
      name = responder.name + "-" + name;
    }
  } else {
    name += "-" + info.method;
  }
  std::vector<results::Reply> rows;
  std::map<std::string, std::int64_t> unread;
  std::size_t at = 0;
  for (const auto& episode : corpus.episodes) {
    for (const auto& decision : episode.decisions) {
      const Outcome& outcome = outcomes.at(at++).value();
      const bool failed = !outcome.error.empty();
      if (failed && complete_only) continue;
      written.failed += failed;
      if (failed && written.first_error.empty()) written.first_error = outcome.error;
      written.unread += !outcome.unread.empty();
      for (const auto& part : outcome.unread) ++unread[part];
      rows.push_back(
          row_of(corpora_.strategies, {&episode, decision.turn, std::nullopt}, decision, outcome));
    }
  }
  written.rows = static_cast<std::int64_t>(rows.size());
  info.about["failed"] = written.failed;
  info.about["unread"] = unread;
  written.path =
      results::RunFolder(folder).file(results::kRepliesFolder + std::string("/") + name) +
      results::kRows;
  results::write_replies(written.path, info, rows);
  return written;
}

}  // namespace straq::respond
