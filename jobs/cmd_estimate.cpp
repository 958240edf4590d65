// straq estimate: memory and time of a config before it is submitted.
#include <memory>
#include <optional>

#include "command.h"
#include "experiment/estimate.h"
#include "experiment/settings.h"

namespace straq::jobs {

Command make_estimate(CLI::App& app, Common& common) {
  struct Options {
    ConfigArgument config;
    std::string gpu;
    std::int64_t learners = 1, vocab = 0;
    double utilisation = experiment::kUtilisation, rows = 0, trunk = 0;
  };
  auto o = std::make_shared<Options>();
  auto* c =
      app.add_subcommand("estimate", "Memory and step time of a config, before submitting it");
  o->config.add_to(*c);
  c->add_option("--learners", o->learners, "learners of a group, one GPU each")
      ->check(CLI::Range(1, 100000));
  c->add_option("--gpu", o->gpu, "kind of GPU: a100-40, a100-80, h100, h200, l40s");
  c->add_option("--vocab", o->vocab, "vocabulary, where the shape has none")
      ->check(CLI::Range(1, 100000000));
  c->add_option("--utilisation", o->utilisation, "assumed share of the GPU's peak")
      ->check(CLI::Range(0.01, 1.0));
  c->add_option("--rows-per-decision", o->rows, "comb tokens a decision (default: ESConv's, 85)")
      ->check(CLI::Range(1e-6, 1e9));
  c->add_option("--trunk-tokens", o->trunk, "tokens of a dialogue (default: ESConv's, 940)")
      ->check(CLI::Range(1e-6, 1e9));
  c->footer("Example: straq estimate configs/paper_imit.yaml --learners 8 --gpu h100");
  return {c, [=, &common] {
            const config::Value root = o->config.load();
            experiment::check_settings(root, {});
            const auto config = experiment::read_experiment(root);
            auto input = experiment::estimate_input(config, o->learners, o->vocab);
            if (o->rows > 0) input.rows_per_decision = o->rows;
            if (o->trunk > 0) input.trunk_tokens = o->trunk;
            std::optional<experiment::DeviceSpec> device;
            if (!o->gpu.empty()) device = experiment::device_spec(o->gpu);
            print_tables(common, experiment::estimate_tables(input, device, o->utilisation));
            return 0;
          }};
}

}  // namespace straq::jobs
