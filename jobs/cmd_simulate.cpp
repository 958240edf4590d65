// straq simulate: a seeded corpus of support dialogues from the seeker simulator, and what policies
// are worth in its world.
#include <memory>
#include <thread>

#include "command.h"
#include "config/fields.h"
#include "core/log.h"
#include "simulate/corpus.h"
#include "simulate/value_report.h"

namespace straq::jobs {

Command make_simulate(CLI::App& app, Common& common) {
  struct Options {
    ConfigArgument config;
    std::string out;
    bool values = false;
    int threads = 0;
    simulate::ValueOptions value;
  };
  auto o = std::make_shared<Options>();
  auto* c = app.add_subcommand("simulate",
                               "Generate a corpus of support dialogues from the seeker simulator");
  o->config.add_to(*c);
  c->add_option("--out", o->out, "folder for train.txt, valid.txt, test.txt and manifest.json")
      ->required();
  auto* values = c->add_flag("--values", o->values,
                             "also write values.json and values/: exact values, optimal strategies "
                             "and what policies are worth");
  c->add_option("--return-gamma", o->value.gamma, "discount by which returns are counted")
      ->check(CLI::Range(0.0, 1.0))
      ->capture_default_str()
      ->needs(values);
  c->add_option("--gammas", o->value.gammas, "discounts whose V* and Q* are written; default 1")
      ->check(CLI::Range(0.0, 1.0))
      ->needs(values);
  c->add_option("--play", o->value.play.dialogues,
                "dialogues in which policies that read the words are played")
      ->check(CLI::Range(2, 1000000))
      ->capture_default_str()
      ->needs(values);
  c->add_option("--threads", o->threads, "that write and play; 0: one a core")
      ->check(CLI::Range(0, 1024))
      ->capture_default_str();
  c->footer(
      "Example:\n"
      "  straq simulate configs/simulate/quickstart.yaml --out results/simulated/corpus\n"
      "  straq simulate configs/simulate/quickstart.yaml --out big --set dialogues.train=10000\n"
      "  straq simulate configs/simulate/planning.yaml --out corpora/planning --values");
  return {c, [o, &common] {
            const auto config = config::read<simulate::SimulateConfig>(o->config.load());
            const int threads =
                o->threads > 0 ? o->threads
                               : std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
            const auto report = simulate::write_corpus(config, o->out, threads);
            auto json = report.manifest;
            const auto strategies = dialogue::StrategySet::load(config.strategies);
            auto tables = simulate::tables(report, strategies);
            if (o->values) {
              const simulate::Simulator simulator(config);
              o->value.play.seed = config.seed;
              o->value.play.threads = threads;
              const auto worth = simulate::value_report(simulator, o->value);
              simulate::write_values(simulator, worth, o->out);
              json["values"] = simulate::to_json(worth);
              tables.push_back(simulate::table(worth));
            }
            if (common.json()) {
              print_json(json);
            } else {
              print_tables(common, tables);
            }
            log::info("simulate", "wrote {}", o->out);
            return 0;
          }};
}

}  // namespace straq::jobs
