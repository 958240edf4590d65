#include "annotate/annotate_sources.h"

#include <algorithm>
#include <filesystem>

#include "core/error.h"
#include "report/rows/method_rows.h"
#include "results/layout.h"

namespace straq::annotate {
namespace fs = std::filesystem;
namespace {

constexpr std::size_t kMostListed = 12;

struct Candidate {
  const results::Run* run = nullptr;
  const results::ReplyFile* file = nullptr;
  std::string folder;   // of the run, below the results folder
  std::string path;     // of the file, below the results folder
  std::string setting;  // what a sweep varied beside the seed; empty: nothing

  bool is(const std::string& name) const {
    return name == path || name == folder || name == run->name();
  }
};

std::string key_of(const results::MethodInfo& info) {
  return info.responder.empty() ? info.method : info.responder + "/" + info.method;
}

// The parameters that take several values in the run's experiment, but for seeds and for those that
// the method's name already says.
std::string varied(const results::Experiment& experiment, const results::Run& run) {
  std::string out;
  for (const auto& [key, value] : run.parameters) {
    if (results::is_seed(key) || report::in_method_name(key)) continue;
    const bool varies = std::any_of(
        experiment.runs.begin(), experiment.runs.end(),
        [&](const results::Run& other) { return other.parameter(key).value_or("") != value; });
    if (varies) out += (out.empty() ? "" : ", ") + key + "=" + value;
  }
  return out;
}

// By method and responder, in order of appearance.
using Candidates = std::vector<std::pair<std::string, std::vector<Candidate>>>;

Candidates candidates_of(const results::Results& results, const std::string& root,
                         const ExportOptions& options) {
  Candidates out;
  for (const auto& experiment : results.experiments) {
    for (const results::Run& run : experiment.runs) {
      for (const auto& f : run.replies) {
        const std::string corpus = report::corpus_of(
            f.info.corpus.empty() ? run.parameter("data.name").value_or("") : f.info.corpus);
        if (corpus != options.corpus || f.info.method == "human" || f.rows.empty()) continue;
        const std::string key = key_of(f.info);
        const auto wanted = [&](const std::string& m) { return m == key || m == f.info.method; };
        if (!options.methods.empty() &&
            std::none_of(options.methods.begin(), options.methods.end(), wanted)) {
          continue;
        }
        auto at =
            std::find_if(out.begin(), out.end(), [&](const auto& c) { return c.first == key; });
        if (at == out.end()) at = out.insert(out.end(), {key, {}});
        const std::string folder = fs::relative(run.path, root).generic_string();
        at->second.push_back(
            {&run, &f, folder,
             (fs::path(folder) / results::kRepliesFolder / (f.name + results::kRows))
                 .lexically_normal()
                 .generic_string(),
             varied(experiment, run)});
      }
    }
  }
  return out;
}

const Candidate& only(const std::string& key, std::vector<Candidate>& list,
                      const std::vector<std::string>& runs) {
  const auto keep = [&](auto&& good) {
    if (std::any_of(list.begin(), list.end(), good)) {
      std::erase_if(list, [&](const Candidate& c) { return !good(c); });
    }
  };
  keep([&](const Candidate& c) {
    return std::any_of(runs.begin(), runs.end(), [&](const auto& name) { return c.is(name); });
  });
  keep([](const Candidate& c) { return c.setting.empty(); });
  if (list.size() == 1) return list.front();
  std::string message = "the replies of " + key + " are there " + std::to_string(list.size()) +
                        " times, and people's ratings should go to one of them that is meant:";
  for (std::size_t i = 0; i < std::min(list.size(), kMostListed); ++i) {
    const Candidate& c = list[i];
    const auto seed = c.run->seed();
    message += "\n  " + c.path + " (" + (c.setting.empty() ? "" : c.setting + ", ") +
               (seed ? "seed " + *seed : "seed unknown") + ")";
  }
  if (list.size() > kMostListed) {
    message += "\n  and " + std::to_string(list.size() - kMostListed) + " more";
  }
  fail_input(message, "name the run with --run, as " +
                          (list[0].run == list[1].run ? list[0].path : list[0].run->name()) +
                          " (separated by commas for several methods)");
}

}  // namespace

std::vector<ReplySource> choose_sources(const results::Results& results,
                                        const ExportOptions& options) {
  const std::string root = fs::weakly_canonical(options.results).string();
  Candidates candidates = candidates_of(results, root, options);
  for (const auto& m : options.methods) {
    const bool found = std::any_of(candidates.begin(), candidates.end(), [&](const auto& c) {
      return c.first == m || c.second.front().file->info.method == m;
    });
    if (!found) {
      fail_input("no run in " + options.results + " has replies of the method \"" + m + "\" to " +
                     options.corpus,
                 "`straq report` lists the methods that are there; --corpus names another corpus");
    }
  }
  if (candidates.empty()) {
    fail_input("there are no replies to " + options.corpus + " in " + options.results,
               "sheets need responses/<method>.jsonl; docs/formats.md describes them");
  }
  for (const auto& name : options.runs) {
    const bool found = std::any_of(candidates.begin(), candidates.end(), [&](const auto& c) {
      return std::any_of(c.second.begin(), c.second.end(),
                         [&](const Candidate& candidate) { return candidate.is(name); });
    });
    if (!found) {
      fail_input("the run \"" + name + "\" has no replies of the methods to " + options.corpus,
                 "name it as the report does, for example " +
                     candidates.front().second.front().run->name());
    }
  }
  std::vector<ReplySource> out;
  for (auto& [key, list] : candidates) {
    const Candidate& c = only(key, list, options.runs);
    ReplySource s;
    s.about = {.run = c.folder,
               .name = c.file->name,
               .method = c.file->info.method,
               .responder = c.file->info.responder,
               .corpus = options.corpus,
               .replies = c.path};
    s.file = c.file;
    for (const auto& r : c.file->rows) s.by_id[r.id] = &r;
    out.push_back(std::move(s));
  }
  if (options.human) {
    ReplySource human = out.front();
    human.about.name = human.about.method = "human";
    human.about.responder.clear();
    human.human = true;
    out.insert(out.begin(), std::move(human));
  }
  return out;
}

}  // namespace straq::annotate
