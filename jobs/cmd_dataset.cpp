// straq dataset stats | validate: what a corpus holds, and what is wrong with it.
#include <filesystem>
#include <memory>

#include "command.h"
#include "config/choices.h"
#include "core/error.h"
#include "dialogue/data_config.h"
#include "dialogue/statistics.h"
#include "dialogue/turns.h"
#include "dialogue/validate.h"

namespace straq::jobs {
namespace {

using namespace dialogue;

struct DatasetOptions {
  std::vector<std::string> paths;
  std::string config;
  std::vector<std::string> sets;
  std::string format = "auto";
  std::string strategies = "configs/strategies/esconv.yaml";
  std::string merge = "first";
};

DataConfig read_data_section(const DatasetOptions& o) {
  config::Value root = config::load_config(o.config);
  for (const auto& s : o.sets) config::apply_set(root, s);
  const config::Value* section = root.find("data");
  if (section == nullptr) {
    fail_input(o.config + ": there is no `data:` section", "name the corpus files there");
  }
  DataConfig data;
  config::Fields f = config::Fields::reader(*section, "data.");
  data.fields(f);
  f.finish();
  return data;
}

// Every path is a split named by its stem, of a corpus named by its folder.
Splits load_paths(const DatasetOptions& o, MergeLabel merge) {
  Splits out{StrategySet::load(o.strategies), {}};
  for (const auto& path : o.paths) {
    Split split;
    split.corpus = read_corpus(path, config::value_of(kFormats, o.format), out.strategies);
    split.name = split.corpus.name;
    split.corpus.name =
        std::filesystem::absolute(path).lexically_normal().parent_path().filename().string();
    split.episodes = build_episodes(split.corpus.dialogues, merge);
    out.splits.push_back(std::move(split));
  }
  return out;
}

int stats(const DatasetOptions& o, const Common& common) {
  if (o.config.empty() == o.paths.empty()) {
    fail_input("name corpus files, or a config with --config", "straq dataset stats --help");
  }
  MergeLabel merge = config::value_of(kMergeLabels, o.merge);
  Splits loaded;
  if (o.config.empty()) {
    loaded = load_paths(o, merge);
  } else {
    const DataConfig data = read_data_section(o);
    merge = data.merge();
    loaded = load_splits(data);
  }
  std::vector<SplitView> views;
  for (const Split& s : loaded.splits) {
    views.push_back({s.corpus.name, s.name, &s.corpus.dialogues, &s.episodes});
  }
  print_tables(common, corpus_tables(views, loaded.strategies, merge));
  return 0;
}

int validate(const DatasetOptions& o, const Common& common) {
  const auto problems =
      find_problems(o.paths, config::value_of(kFormats, o.format), StrategySet::load(o.strategies));
  Table table;
  table.id = "validation";
  table.title = problems.empty() ? std::to_string(o.paths.size()) + " file(s): no problems"
                                 : std::to_string(problems.size()) + " problem(s)";
  table.columns = {"file", "line", "problem", "hint"};
  for (const Problem& p : problems) {
    table.add({p.file, p.line > 0 ? Cell(p.line) : Cell::missing(), p.message, p.hint});
  }
  print_tables(common, {table});
  return problems.empty() ? 0 : static_cast<int>(ErrorKind::input);
}

}  // namespace

Command make_dataset(CLI::App& app, Common& common) {
  CLI::App* dataset = app.add_subcommand("dataset", "statistics and checks of corpora");
  dataset->require_subcommand(1);
  auto o = std::make_shared<DatasetOptions>();

  CLI::App* stats_app = dataset->add_subcommand(
      "stats", "strategies, emotions, problems, sizes and decisions of corpora");
  stats_app->add_option("paths", o->paths, "corpus files; each is one split");
  auto* config = stats_app->add_option("--config", o->config,
                                       "take files and rules from a config's data section");
  stats_app->add_option("--set", o->sets, "override a key of the config (repeatable)")
      ->needs(config);
  stats_app->add_option("--merge-label", o->merge, "which label a run of one speaker gets")
      ->check(CLI::IsMember(config::words_of(kMergeLabels)))
      ->excludes(config);
  stats_app->footer(
      "Example: straq dataset stats esconv/train.txt esconv/valid.txt esconv/test.txt");

  CLI::App* validate_app = dataset->add_subcommand(
      "validate", "lists what is wrong in corpus files; exit code 2 when something is");
  validate_app->add_option("paths", o->paths, "corpus files")->required();
  validate_app->footer("Example: straq dataset validate esconv/FailedESConv.json");

  for (CLI::App* sub : {stats_app, validate_app}) {
    sub->add_option("--format-in", o->format, "how the files are written")
        ->check(CLI::IsMember(config::words_of(kFormats)));
    sub->add_option("--strategies", o->strategies, "the strategies file");
  }
  dataset->footer("Example: straq dataset stats --config configs/esconv_small.yaml --format json");
  return {dataset,
          [=, &common] { return stats_app->parsed() ? stats(*o, common) : validate(*o, common); }};
}

}  // namespace straq::jobs
