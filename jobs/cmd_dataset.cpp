// straq dataset stats | validate | convert | sample: what a corpus holds, what is wrong with it,
// and corpora written again.
#include <filesystem>
#include <memory>

#include "command.h"
#include "config/choices.h"
#include "core/error.h"
#include "core/log.h"
#include "dialogue/convert.h"
#include "dialogue/data_config.h"
#include "dialogue/plan/corpus_plan.h"
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
  std::string out, to = "auto";
  std::size_t count = 0;
  std::uint64_t seed = 1;

  std::vector<std::string> files() const { return Paths(paths).files("paths"); }
  Format read_format() const { return config::value_of(kFormats, format); }
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
std::vector<SplitStatistics> count_paths(const DatasetOptions& o, const StrategySet& strategies,
                                         MergeLabel merge) {
  std::vector<SplitStatistics> out;
  for (const auto& path : o.files()) {
    auto& split = out.emplace_back();
    split.split = content_stem(path);
    split.corpus =
        std::filesystem::absolute(path).lexically_normal().parent_path().filename().string();
    each_dialogue({path}, o.read_format(), strategies,
                  [&](Dialogue&& d) { split.add(d, build_episode(d, merge)); });
  }
  return out;
}

std::vector<SplitStatistics> count_config(const DataConfig& data, const StrategySet& strategies) {
  const CorpusPlan plan = plan_corpus(data, strategies);
  EpisodeReader reader(data, strategies);
  for (std::uint32_t f = 0; f < plan.files.size(); ++f) reader.know(f, plan.files[f]);
  std::vector<SplitStatistics> out;
  for (const PlannedSplit& planned : plan.splits) {
    auto& split = out.emplace_back();
    split.split = planned.name;
    split.corpus = data.name;
    for (std::size_t i = 0; i < planned.members.size(); ++i) {
      const PlannedDialogue& at = plan.dialogues[planned.members[i]];
      const Dialogue d = reader.dialogue(at.file, at.place);
      const Episode whole = make_episode(data, d);
      split.add(d, planned.owned.empty() ? whole : restrict_to(whole, planned.owned[i]));
    }
  }
  return out;
}

int stats(const DatasetOptions& o, const Common& common) {
  if (o.config.empty() == o.paths.empty()) {
    fail_input("name corpus files, or a config with --config", "straq dataset stats --help");
  }
  MergeLabel merge = config::value_of(kMergeLabels, o.merge);
  if (o.config.empty()) {
    const auto strategies = StrategySet::load(o.strategies);
    print_tables(common, corpus_tables(count_paths(o, strategies, merge), strategies, merge));
    return 0;
  }
  const DataConfig data = read_data_section(o);
  const auto strategies = load_strategies(data);
  print_tables(common, corpus_tables(count_config(data, strategies), strategies, data.merge()));
  return 0;
}

int validate(const DatasetOptions& o, const Common& common) {
  const auto files = o.files();
  ProblemList problems;
  find_problems(files, o.read_format(), StrategySet::load(o.strategies),
                [&](const Problem& p) { problems.add(p); });
  Table table;
  table.id = "validation";
  table.title = problems.count() == 0 ? std::to_string(files.size()) + " file(s): no problems"
                                      : std::to_string(problems.count()) + " problem(s)";
  table.columns = {"file", "line", "problem", "hint"};
  const auto line_of = [](const Problem& p) { return p.line > 0 ? Cell(p.line) : Cell::missing(); };
  for (const Problem& p : problems.first()) table.add({p.file, line_of(p), p.message, p.hint});
  const auto shown = static_cast<std::int64_t>(problems.first().size());
  if (problems.count() > shown) {
    table.notes.push_back("The first " + std::to_string(shown) + " of " +
                          std::to_string(problems.count()) + "; all of them are counted by kind.");
  }
  std::vector<Table> tables = {table};
  if (problems.count() > 1) {
    Table kinds;
    kinds.id = "validation_kinds";
    kinds.title = "Problems by kind";
    kinds.columns = {"count", "kind", "first in", "line"};
    for (const auto& k : problems.kinds()) {
      kinds.add({k.count, k.kind, k.first.file, line_of(k.first)});
    }
    tables.push_back(std::move(kinds));
  }
  print_tables(common, tables);
  return problems.count() == 0 ? 0 : static_cast<int>(ErrorKind::input);
}

Format written_form(const DatasetOptions& o) {
  const Format form = config::value_of(kFormats, o.to);
  return form == Format::automatic ? form_by_name(o.out) : form;
}

// All dialogues of the files, or a sample of `o.count`, as one file.
int write(const DatasetOptions& o, bool sampled) {
  const auto files = o.files();
  const auto strategies = StrategySet::load(o.strategies);
  CorpusWriter out(o.out, written_form(o), strategies, files.size() > 1);
  if (sampled) {
    for (const Dialogue& d :
         sample_dialogues(files, o.read_format(), strategies, o.count, o.seed)) {
      out.write(d);
    }
  } else {
    each_dialogue(files, o.read_format(), strategies, [&](Dialogue&& d) { out.write(d); });
  }
  out.publish();
  log::info("dataset", "{} dialogues in {}", out.written(), o.out);
  return 0;
}

void add_writing(CLI::App& app, DatasetOptions& o) {
  app.add_option(
         "--out", o.out,
         "the file to write: .json a list, .csv EmpatheticDialogues' table, else a dialogue "
         "a line; with .gz or .zst behind it packed")
      ->required();
  app.add_option("--format-out", o.to, "its form, whatever its name")
      ->check(CLI::IsMember(config::words_of(kFormats)));
}

}  // namespace

Command make_dataset(CLI::App& app, Common& common) {
  CLI::App* dataset = app.add_subcommand(
      "dataset", "statistics and checks of corpora; other forms and samples of them");
  dataset->require_subcommand(1);
  auto o = std::make_shared<DatasetOptions>();

  CLI::App* stats_app = dataset->add_subcommand(
      "stats", "strategies, emotions, problems, sizes and decisions of corpora");
  stats_app->add_option("paths", o->paths,
                        "corpus files, folders or patterns; each file is one split");
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
  validate_app->add_option("paths", o->paths, "corpus files, folders or patterns")->required();
  validate_app->footer("Example: straq dataset validate esconv/FailedESConv.json");

  CLI::App* convert_app =
      dataset->add_subcommand("convert", "writes corpus files as one file of another form");
  convert_app->add_option("paths", o->paths, "corpus files, folders or patterns")->required();
  add_writing(*convert_app, *o);
  convert_app->footer(
      "Example: straq dataset convert esconv/FailedESConv.json --out failed.jsonl.zst");

  CLI::App* sample_app =
      dataset->add_subcommand("sample", "writes some dialogues, drawn at random");
  sample_app->add_option("count", o->count, "how many")
      ->required()
      ->check(CLI::Range(std::size_t{1}, std::size_t{100'000'000}));
  sample_app->add_option("paths", o->paths, "corpus files, folders or patterns")->required();
  sample_app->add_option("--seed", o->seed, "of the draw")->capture_default_str();
  add_writing(*sample_app, *o);
  sample_app->footer("Example: straq dataset sample 100 esconv/train.txt --out some.jsonl");

  for (CLI::App* sub : {stats_app, validate_app, convert_app, sample_app}) {
    sub->add_option("--format-in", o->format, "how the files are written")
        ->check(CLI::IsMember(config::words_of(kFormats)));
    sub->add_option("--strategies", o->strategies, "the strategies file");
  }
  dataset->footer("Example: straq dataset stats --config configs/esconv_small.yaml --format json");
  return {dataset, [=, &common] {
            return stats_app->parsed()      ? stats(*o, common)
                   : validate_app->parsed() ? validate(*o, common)
                                            : write(*o, sample_app->parsed());
          }};
}

}  // namespace straq::jobs
