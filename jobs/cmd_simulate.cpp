// straq simulate: a seeded corpus of support dialogues from the seeker simulator.
#include <memory>

#include "command.h"
#include "config/fields.h"
#include "core/log.h"
#include "simulate/corpus.h"

namespace straq::jobs {

Command make_simulate(CLI::App& app, Common& common) {
  struct Options {
    ConfigArgument config;
    std::string out;
  };
  auto o = std::make_shared<Options>();
  auto* c = app.add_subcommand("simulate",
                               "Generate a corpus of support dialogues from the seeker simulator");
  o->config.add_to(*c);
  c->add_option("--out", o->out, "folder for train.txt, valid.txt, test.txt and manifest.json")
      ->required();
  c->footer(
      "Example:\n"
      "  straq simulate configs/simulate/quickstart.yaml --out results/simulated/corpus\n"
      "  straq simulate configs/simulate/quickstart.yaml --out big --set dialogues.train=10000");
  return {c, [o, &common] {
            const auto config = config::read<simulate::SimulateConfig>(o->config.load());
            const auto report = simulate::write_corpus(config, o->out);
            if (common.json()) {
              print_json(report.manifest);
            } else {
              const auto strategies = dialogue::StrategySet::load(config.strategies);
              print_tables(common, simulate::tables(report, strategies));
            }
            log::info("simulate", "wrote {}", o->out);
            return 0;
          }};
}

}  // namespace straq::jobs
