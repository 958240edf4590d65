// straq ask: what a planner would do in dialogues that are given to it.
#include <ATen/Parallel.h>

#include <iostream>
#include <iterator>
#include <memory>
#include <span>

#include "command.h"
#include "core/error.h"
#include "core/files/files.h"
#include "core/json/json.h"
#include "core/processors.h"
#include "dialogue/readers/readers.h"
#include "dialogue/turns.h"
#include "planner/planner.h"
#include "train/learner_group.h"

namespace straq::jobs {
namespace {

struct Options {
  std::string planner, dialogues = "-", device = "auto";
  int threads = 0;
  bool next = false;
};

at::Device device_named(const std::string& name) {
  experiment::ModelConfig config;
  if (name == "cpu") config.device = experiment::DeviceKind::cpu;
  if (name == "cuda") config.device = experiment::DeviceKind::cuda;
  return train::device_of(config, {});
}

// The file's bytes, or standard input's.
std::string read_bytes(const std::string& path) {
  if (path != "-") return read_file(path);
  return {std::istreambuf_iterator<char>(std::cin), {}};
}

// Dialogues in the forms that corpora have; one dialogue may also be an object over many lines.
std::vector<dialogue::Dialogue> read_dialogues(const std::string& path,
                                               const dialogue::StrategySet& strategies) {
  std::string bytes = read_bytes(path);
  if (nlohmann::ordered_json one; try_parse_json(bytes, one).empty() && one.is_object()) {
    bytes = dump_json(one);
  }
  return dialogue::parse_corpus(bytes, path == "-" ? "stdin" : path, dialogue::Format::automatic,
                                strategies)
      .dialogues;
}

// What is asked of a dialogue: every supporter turn in it, unless `next` asks for the coming one
// alone, and the coming one where the seeker has spoken last.
dialogue::Episode asked_of(const dialogue::Dialogue& dialogue, const planner::Planner& planner,
                           bool next) {
  auto episode = dialogue::build_episode(dialogue, planner.card().merge_label, /*unlabelled=*/true);
  if (next) episode.decisions.clear();
  if (!next && !planner::awaits_answer(episode)) return episode;
  return planner::with_next(std::move(episode));
}

struct Answer {
  const std::string& dialogue;
  dialogue::Decision decision;
  std::span<const float> q;
};

std::vector<Answer> answers_of(const std::vector<dialogue::Episode>& episodes,
                               const at::Tensor& q) {
  std::vector<Answer> out;
  const auto count = static_cast<std::size_t>(q.size(1));
  const float* row = q.const_data_ptr<float>();
  for (const auto& episode : episodes) {
    for (const auto& decision : episode.decisions) {
      out.push_back({episode.id, decision, {row, count}});
      row += count;
    }
  }
  return out;
}

Table answers_table(const dialogue::StrategySet& strategies, const std::vector<Answer>& answers) {
  const auto name = [&](int s) { return s < 0 ? Cell::missing() : Cell(strategies[s].name); };
  Table table{"answers", "Q of each strategy", {"dialogue", "turn", "chosen", "said"}, {}, {}};
  for (const auto& s : strategies.items()) table.columns.push_back("Q " + s.abbreviation);
  for (const auto& a : answers) {
    std::vector<Cell> cells = {Cell(a.dialogue), Cell(a.decision.turn), name(planner::choice(a.q)),
                               name(a.decision.gold)};
    for (const float value : a.q) cells.push_back(Cell::real(value, 4));
    table.add(std::move(cells));
  }
  table.notes.emplace_back(
      "turn: of the supporter, counted from 0 as turns are merged; said: the strategy that the "
      "dialogue gives, if any");
  return table;
}

nlohmann::ordered_json answers_json(const dialogue::StrategySet& strategies,
                                    const std::vector<Answer>& answers) {
  nlohmann::ordered_json out;
  out["strategies"] = nlohmann::ordered_json::array();
  for (const auto& s : strategies.items()) out["strategies"].push_back(s.name);
  out["answers"] = nlohmann::ordered_json::array();
  for (const auto& a : answers) {
    out["answers"].push_back({{"dialogue", a.dialogue},
                              {"turn", a.decision.turn},
                              {"chosen", planner::choice(a.q)},
                              {"said", a.decision.gold},
                              {"q", std::vector<double>(a.q.begin(), a.q.end())}});
  }
  return out;
}

int ask(const Options& o, const Common& common) {
  planner::OpenOptions options;
  options.device = device_named(o.device);
  at::set_num_threads(compute_threads(o.threads));
  const auto planner = planner::Planner::open(o.planner, options);
  std::vector<dialogue::Episode> episodes;
  for (const auto& dialogue : read_dialogues(o.dialogues, planner.strategies())) {
    episodes.push_back(asked_of(dialogue, planner, o.next));
  }
  const at::Tensor q = planner.q(episodes);
  if (q.size(0) == 0) {
    fail_input(o.dialogues + ": there is no supporter turn to ask about",
               "give dialogues in which a supporter answers, or that end with the seeker");
  }
  if (common.json()) {
    print_json(answers_json(planner.strategies(), answers_of(episodes, q)));
  } else {
    print_tables(common, {answers_table(planner.strategies(), answers_of(episodes, q))});
  }
  return 0;
}

}  // namespace

Command make_ask(CLI::App& app, Common& common) {
  auto o = std::make_shared<Options>();
  auto* c = app.add_subcommand("ask", "Q of each strategy in dialogues, from a planner's folder");
  c->add_option("planner", o->planner, "a planner's folder, or a run's")->required();
  c->add_option("dialogues", o->dialogues,
                "a file of dialogues as corpora have them, or - for standard input (the default)");
  c->add_flag("--next", o->next,
              "only the supporter turn that comes next, after the seeker's last");
  c->add_option("--device", o->device, "auto: a GPU where build and machine have one")
      ->check(CLI::IsMember({"auto", "cpu", "cuda"}));
  c->add_option("--threads", o->threads, "of the tensor kernels; 0: a core each")
      ->check(CLI::NonNegativeNumber);
  c->footer(
      "A dialogue is {\"dialog\": [{\"speaker\": \"seeker\", \"text\": \"…\"}, …], \"situation\": "
      "\"…\"}, as ESConv has them;\nsupporter turns may name their \"strategy\".\n"
      "Example: straq ask results/quickstart/seed-1 dialogue.json --next --format json");
  return {c, [=, &common] { return ask(*o, common); }};
}

}  // namespace straq::jobs
