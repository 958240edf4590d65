#include "experiment/estimate.h"

#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <utility>

#include "core/error.h"
#include "core/memory.h"
#include "experiment/initial_model.h"
#include "learn/sampler.h"
#include "model/weights/open_model.h"

namespace straq::experiment {
namespace {

constexpr double kGiB = 1024.0 * 1024 * 1024;
constexpr double kProgram = 0.25 * kGiB;  // a learner's libraries and shards, on a CPU
constexpr std::int64_t kFewestRows = 512, kMostRows = 65536;

double element_bytes(Precision precision) {
  switch (precision) {
    case Precision::bf16:
      return 2;
    case Precision::fp64:
      return 8;
    case Precision::fp32:
      break;
  }
  return 4;
}

// Statistics, sums and gradients (model::wide_type).
double wide_bytes(Precision precision) {
  return precision == Precision::fp64 ? 8 : 4;
}

const std::array<DeviceSpec, 5>& devices() {
  static const std::array<DeviceSpec, 5> all{{{"a100-40", 39.4 * kGiB, 312e12},
                                              {"a100-80", 79.2 * kGiB, 312e12},
                                              {"h100", 79.1 * kGiB, 989e12},
                                              {"h200", 139.7 * kGiB, 989e12},
                                              {"l40s", 44.4 * kGiB, 362e12}}};
  return all;
}

const char* fit_word(Fit fit) {
  switch (fit) {
    case Fit::yes:
      return "yes";
    case Fit::tight:
      return "tight";
    case Fit::no:
      break;
  }
  return "no";
}

// Of a batch, on one learner.
double rows_of_share(const EstimateInput& in) {
  return static_cast<double>(in.batch) * in.rows_per_decision / static_cast<double>(in.learners);
}

Cell gib(double bytes) {
  return Cell::real(bytes / kGiB, 2);
}

}  // namespace

DeviceSpec device_spec(const std::string& name) {
  std::string known;
  for (const auto& d : devices()) {
    if (d.name == name) return d;
    known += (known.empty() ? "" : ", ") + d.name;
  }
  fail_input("no kind of GPU is named \"" + name + "\"", "known are " + known);
}

EstimateInput estimate_input(const ExperimentConfig& config, std::int64_t learners,
                             std::int64_t vocab) {
  EstimateInput in;
  in.shape = config.model.from.empty()
                 ? config::read<model::LlamaShape>(config::load_config(config.model.shape))
                 : model::read_model_head(config.model.from).shape;
  if (in.shape.vocab == 0) in.shape.vocab = vocab;
  if (in.shape.vocab == 0 && config.tokenizer.train) {
    in.shape.vocab = config.tokenizer.train->vocab_size;
  }
  if (!config.model.from.empty() && config.model.keep_layers > 0) {
    in.shape.layers = std::min(in.shape.layers, config.model.keep_layers);
  }
  if (in.shape.vocab > 0) in.part = trained_part(config, in.shape);
  in.precision = config.model.precision;
  in.recompute = config.model.recompute;
  in.zero1 = config.learn.zero1;
  in.based = config.learn.needs_base();
  in.bootstraps = config.learn.objective.bellman > 0 && config.learn.target.separate();
  in.pretrains =
      config.learn.objective.lm > 0 || (config.pretrain.objective.lm > 0 &&
                                        (config.pretrain.epochs > 0 || config.pretrain.steps > 0));
  in.texts = learn::texts_of(config.learn.objective);
  if (in.pretrains && in.texts == learn::Texts::none) {
    in.texts = learn::texts_of(config.pretrain.objective);
  }
  in.learners = std::max<std::int64_t>(1, learners);
  in.micro_tokens = config.learn.micro_tokens;
  in.batch = config.learn.batch;
  return in;
}

MemoryEstimate estimate_memory(const EstimateInput& in) {
  const auto& s = in.shape;
  const double e = element_bytes(in.precision), wide = wide_bytes(in.precision);
  const double n = static_cast<double>(s.parameter_count());
  const double shards = in.zero1 ? static_cast<double>(in.learners) : 1;
  MemoryEstimate m;
  m.parameters = s.parameter_count();
  m.trained = model::trained_count(s, in.part);
  const double trained = static_cast<double>(m.trained);
  m.weights = n * e + (in.part.lora.rank > 0 ? trained * e : 0);
  // The target network and the one that a KL term holds to share what is frozen.
  m.target = (in.bootstraps ? trained * e : 0) + (in.based ? trained * e : 0);
  m.gradients = trained * wide;
  m.master = in.precision == Precision::bf16 ? trained * 4 / shards : 0;
  m.moments = 2 * trained * wide / shards;

  // Rows of a pass: a learner's share of the batch, cut into micro-batches.
  const double share = rows_of_share(in);
  const double rows =
      in.micro_tokens > 0 ? std::min(static_cast<double>(in.micro_tokens), share) : share;
  const double h = static_cast<double>(s.hidden), d = static_cast<double>(s.dim_per_head());
  const double q = static_cast<double>(s.heads) * d, kv = static_cast<double>(s.kv_heads) * d;
  const double inner = static_cast<double>(s.inner), layers = static_cast<double>(s.layers);
  // model::LayerTape: input, q k v, attended, middle, gate and up; norms' scales and log-sums.
  const double layer =
      rows * ((2 * h + 2 * q + 2 * kv + 2 * inner) * e + (2 + static_cast<double>(s.heads)) * wide);
  // In the last layer only the rows that are read have more than keys and values.
  const double last = in.pretrains ? layer : rows * (h + 2 * kv) * e;
  const double inputs = rows * h * e;
  // Of layers below all that is trained nothing is kept.
  const double taped = layers - static_cast<double>(in.part.lowest());
  m.activations = taped == 0     ? 0
                  : in.recompute ? (taped - 1) * inputs + layer
                                 : (taped - 1) * layer + last;
  // A layer's backward: its gradient, those of q k v and of the attention's output, two products.
  m.workspace = rows * (3 * h + 2 * q + 2 * kv) * e;
  if (in.pretrains) {
    // Logits of one piece and their logarithms (model/heads.cpp).
    const double logits = std::min(4.0 * 1024 * 1024, rows * static_cast<double>(s.vocab));
    const double output = in.part.everything() || !s.tied ? static_cast<double>(s.vocab) * h : 0;
    m.workspace += rows * 2 * h * e + output * wide + 2 * logits * wide;
  }
  return m;
}

std::int64_t choose_micro_tokens(const EstimateInput& input, double available) {
  EstimateInput in = input;
  in.micro_tokens = kMostRows;
  // A pass over more than the learner's part of a batch saves nothing in training and would take
  // more memory in an evaluation than is counted here.
  const double share = rows_of_share(in);
  const auto too_many = [&] {
    return static_cast<double>(in.micro_tokens) >= 2 * share ||
           estimate_memory(in).total() + kProgram > 0.9 * available;
  };
  while (in.micro_tokens > kFewestRows && too_many()) in.micro_tokens /= 2;
  return in.micro_tokens;
}

void measure_data(EstimateInput& input, const prompt::EachComb& combs) {
  double rows = 0, decisions = 0, trunk = 0, dialogues = 0;
  // Dialogues without decisions are rows of a batch beside its decisions where text is learned; in
  // a stage of text alone they count as decisions, and a batch holds no more rows for them.
  learn::CombSizes sizes;
  combs([&](const prompt::Comb& comb) { sizes.add(comb); });
  const auto weights = learn::batch_weights(sizes, input.texts);
  std::size_t at = 0;
  combs([&](const prompt::Comb& comb) {
    const std::size_t c = at++;
    const auto n = static_cast<std::int32_t>(comb.decisions.size());
    if (weights[c] < 0) return;
    if (n == 0) {
      rows += static_cast<double>(comb.trunks.front().tokens.size());
      decisions += static_cast<double>(weights[c]);
      return;
    }
    rows += static_cast<double>(learn::item_tokens(comb, {0, 0, n}));
    decisions += n;
    trunk += static_cast<double>(comb.trunks.front().tokens.size());
    dialogues += 1;
  });
  if (decisions == 0) return;
  input.rows_per_decision = rows / decisions;
  if (dialogues > 0) input.trunk_tokens = trunk / dialogues;
}

Fit fits(const MemoryEstimate& memory, const DeviceSpec& device) {
  if (memory.total() < 0.9 * device.memory_bytes) return Fit::yes;
  // The driver and the libraries' kernels take about a gigabyte, the communicator another; the big
  // buffers live as long as the run, so that little is lost between them.
  return memory.total() < 0.97 * device.memory_bytes - 2 * kGiB ? Fit::tight : Fit::no;
}

double step_flops(const EstimateInput& in) {
  const auto& s = in.shape;
  const double q = static_cast<double>(s.heads * s.dim_per_head());
  const double rows = static_cast<double>(in.batch) * in.rows_per_decision;
  // A row sees half of its trunk on average: scores and weighted values.
  const double pass =
      rows * static_cast<double>(s.layers) * (2 * s.row_products() + 4 * q * in.trunk_tokens / 2);
  // Frozen layers are run once each by the online and the target network, and never backward; an
  // adapter's weights have no gradients of their own.
  const double taped = 1 - static_cast<double>(in.part.lowest()) / static_cast<double>(s.layers);
  const double backward = in.part.lora.rank > 0 ? 1 : 2;
  return pass * (2 + taped * (backward + (in.recompute ? 1 : 0)));
}

double step_seconds(const EstimateInput& in, const DeviceSpec& device, double utilisation) {
  return step_flops(in) / (device.peak_flops * utilisation * static_cast<double>(in.learners));
}

EpochSize measure_epoch(const std::vector<dialogue::Episode>& episodes) {
  constexpr double kCharactersOfAToken = 4;
  const auto characters = [](const dialogue::Episode& e) {
    std::size_t n = e.situation.size();
    for (const auto& turn : e.turns) n += turn.text.size();
    return static_cast<double>(n);
  };
  double decisions = 0, text = 0;
  for (const auto& e : episodes) {
    if (e.decisions.empty()) continue;
    decisions += static_cast<double>(e.decisions.size());
    text += characters(e);
  }
  EpochSize epoch;
  epoch.decisions = static_cast<std::int64_t>(decisions);
  if (decisions == 0 || text == 0) {
    decisions = 1;
    text = kCharactersOfAToken * learn::kTextOfADecision;
  }
  for (const auto& e : episodes) {
    if (e.decisions.empty()) {
      epoch.text += std::max<std::int64_t>(1, std::llround(characters(e) * decisions / text));
    }
  }
  return epoch;
}

std::int64_t run_steps(const ExperimentConfig& config, const EpochSize& epoch) {
  const auto steps = [&](const learn::StageConfig& stage) {
    const bool text = learn::texts_of(stage.objective) == learn::Texts::alone;
    const double batches =
        std::ceil(static_cast<double>(epoch.decisions + (text ? epoch.text : 0)) /
                  static_cast<double>(config.learn.batch));
    return stage.steps > 0 ? stage.steps
                           : static_cast<std::int64_t>(std::ceil(stage.epochs * batches));
  };
  return steps(config.pretrain) + steps(config.learn);
}

double run_flops(const ExperimentConfig& config, const EpochSize& epoch) {
  return step_flops(estimate_input(config, 1, 0)) * static_cast<double>(run_steps(config, epoch));
}

std::vector<Table> estimate_tables(const EstimateInput& input,
                                   const std::optional<DeviceSpec>& device, double utilisation) {
  Table t;
  t.id = "estimate";
  t.title = "Memory of one learner in GiB, of " + std::to_string(input.learners);
  t.columns = {"Options", "Weights", "Target",    "Gradients", "Master",
               "Moments", "Tape",    "Workspace", "Total"};
  if (device) {
    t.columns.push_back("Fits " + device->name);
    t.columns.push_back("Step s");
  }
  const auto add = [&](const std::string& name, const EstimateInput& in) {
    const auto m = estimate_memory(in);
    std::vector<Cell> row{name,          gib(m.weights), gib(m.target),      gib(m.gradients),
                          gib(m.master), gib(m.moments), gib(m.activations), gib(m.workspace),
                          gib(m.total())};
    if (device) {
      row.emplace_back(fit_word(fits(m, *device)));
      row.push_back(Cell::real(step_seconds(in, *device, utilisation), 3));
    }
    t.add(std::move(row));
  };
  auto in = input;
  if (in.micro_tokens == 0) {
    in.micro_tokens = choose_micro_tokens(
        in, device ? device->memory_bytes : static_cast<double>(available_memory()));
    t.notes.push_back(
        fmt::format("learn.micro_tokens 0: {} rows a forward pass, by the memory of {}.",
                    in.micro_tokens, device ? device->name : "this machine"));
  }
  add("as configured", in);
  const auto vary = [&](bool changed, const std::string& name) {
    if (changed) add(name, in);
  };
  vary(!std::exchange(in.recompute, true), "+ model.recompute");
  vary(in.learners > 1 && !std::exchange(in.zero1, true), "+ learn.zero1");
  vary(std::exchange(in.micro_tokens, std::min<std::int64_t>(in.micro_tokens, 2048)) > 2048,
       "+ learn.micro_tokens 2048");
  vary(std::exchange(in.precision, Precision::bf16) != Precision::bf16, "+ model.precision bf16");
  std::string count = std::to_string(input.shape.parameter_count());
  count += " parameters";
  if (!input.part.everything()) {
    count += ", " + std::to_string(model::trained_count(input.shape, input.part)) + " trained";
  }
  count += ". Every line has the options of the lines above it.";
  t.notes.push_back(std::move(count));
  t.notes.emplace_back(
      "Counted from what the learner allocates; the program and its libraries come "
      "on top (about 0.2 GiB on a CPU, one on a GPU).");
  if (device) {
    std::string assumed = "Step time: operations of a straightforward comb at ";
    assumed += std::to_string(static_cast<int>(100 * utilisation));
    assumed += " % of the stated peak; an assumption, not a measurement.";
    t.notes.push_back(std::move(assumed));
  }
  return {t};
}

}  // namespace straq::experiment
