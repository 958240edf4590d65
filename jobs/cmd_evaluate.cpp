// straq evaluate: a finished run's planner or responder on its splits, again; or a planner played
// in the simulator.
#include <filesystem>
#include <memory>

#include "core/error.h"
#include "launch_ranks.h"
#include "mpi_job.h"
#include "report/tables/tables.h"
#include "results/rows/reply_loss.h"
#include "results/run_folder.h"
#include "train/play_planner.h"
#include "train/point_runner.h"

namespace straq::jobs {
namespace {

Table played_table(const std::vector<std::pair<std::string, results::Simulation>>& rows) {
  Table t{"played",
          "Planners played in the simulator",
          {"run", "Return", "± s.e.", "% of optimum", "Reads the words best", "below it", "± s.e.",
           "rank of Q"},
          {},
          {}};
  for (const auto& [run, s] : rows) {
    Cell rank = Cell::missing();
    for (const auto& [set, q] : s.q) {
      if (set == "reachable" && q.spearman) rank = Cell::real(*q.spearman, 3);
    }
    t.add({run, Cell::real(s.value.mean, 3), Cell::real(s.value.standard_error, 3),
           s.share() ? Cell::real(100 * *s.share(), 1) : Cell::missing(),
           Cell::real(s.reference.mean, 3), Cell::real(s.below_reference.mean, 3),
           Cell::real(s.below_reference.standard_error, 3), rank});
  }
  t.notes = {
      "Return: expected sum of rewards, by advantages (docs/planning.md); rank of Q: "
      "Spearman's, learned Q against Q*, over all states that can be reached."};
  return t;
}

Table loss_table(const std::vector<std::pair<std::string, results::ReplyLosses>>& runs) {
  Table t{"reply_loss",
          "Responders: how well they predict the corpus's replies",
          {"run", "split", "decisions", "NLL of replies", "perplexity", "NLL of strategy lines"},
          {},
          {}};
  for (const auto& [run, losses] : runs) {
    for (const auto& [split, loss] : losses.splits) {
      t.add({run, split, Cell(loss.decisions), Cell::real(loss.reply.nll, 4),
             Cell::real(loss.reply.perplexity(), 2),
             loss.strategy ? Cell::real(loss.strategy->nll, 4) : Cell::missing()});
    }
  }
  t.notes = {"NLL: mean negative log-likelihood of a token, in nats (docs/replies.md)."};
  return t;
}

// Tables of what has been evaluated: of planners as the report has them.
std::vector<Table> tables_of(const std::vector<std::string>& runs) {
  std::vector<Table> tables;
  std::vector<std::pair<std::string, results::ReplyLosses>> responders;
  for (const auto& run : runs) {
    const std::string losses = results::RunFolder(run).reply_loss();
    if (std::filesystem::exists(losses)) {
      responders.emplace_back(run, results::read_reply_losses(losses));
      continue;
    }
    for (auto& t : report::results_tables(results::read_results(run))) {
      tables.push_back(std::move(t));
    }
  }
  if (!responders.empty()) tables.push_back(loss_table(responders));
  return tables;
}

}  // namespace

Command make_evaluate(CLI::App& app, Common& common) {
  struct Options {
    std::vector<std::string> runs, splits;
    std::vector<std::string> world;  // of --simulator, with nothing or one config
    std::int64_t dialogues = 0;
  };
  auto o = std::make_shared<Options>();
  auto* c = app.add_subcommand("evaluate", "Strategy metrics of finished runs on their splits");
  add_ranks_to(*c, common.ranks);
  c->add_option("runs", o->runs, "run folders, results/<experiment>/<point>")->required();
  c->add_option("--splits", o->splits, "splits to evaluate; default: those of the run's config");
  auto* simulator = c->add_option("--simulator", o->world,
                                  "play the planners in the simulated world of their corpus, or in "
                                  "that of a config, and write simulation.json");
  simulator->expected(0, 1)->excludes("--splits");
  c->add_option("--dialogues", o->dialogues, "to play; default: evaluate.play of the run, or 500")
      ->check(CLI::Range(2, 1000000))
      ->needs(simulator);
  c->footer(
      "Example:\n"
      "  straq evaluate results/quickstart/seed-1 --splits test\n"
      "  straq evaluate results/quickstart/seed-1 --simulator --dialogues 2000");
  return {c, [=, &common] {
            if (simulator->count() > 0) {
              std::vector<std::pair<std::string, results::Simulation>> rows;
              for (const auto& run : o->runs) {
                rows.emplace_back(
                    run, train::play_run(run, o->world.empty() ? "" : o->world[0], o->dialogues));
              }
              print_tables(common, {played_table(rows)});
              return 0;
            }
            return run_with_mpi({}, [&](const comm::World& world, const config::Value&) {
              train::LearnerGroup learners(world.comm(), comm::find_node_place(world.comm(), true));
              for (const auto& run : o->runs) train::evaluate_run(run, o->splits, learners);
              return on_rank_zero(world, [&] {
                print_tables(common, tables_of(o->runs));
                return 0;
              });
            });
          }};
}

}  // namespace straq::jobs
