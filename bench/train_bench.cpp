// Our side of the training bench: a few optimizer steps of Q-learning on ESConv. It writes the
// weights that it starts from and the batches that it takes, so that a peer can take the same
// steps, and then its own losses and times. With --evaluate it is our side of the evaluation bench:
// no step, but Q of every decision of the test split.
//
//   train_bench --shape configs/shapes/S.yaml --steps 12 --threads 1 --json out.json
//               [--dump dump.jsonl] [--weights FOLDER] [--dtype fp32|bf16] [--layout comb|paper]
//               [--device cpu|cuda]
#include <ATen/Parallel.h>
#include <ATen/detail/CUDAHooksInterface.h>
#include <malloc.h>
#include <sys/resource.h>

#include <CLI/CLI.hpp>
#include <ctime>
#include <fstream>
#include <iostream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "bench_main.h"
#include "comm/collectives/collectives.h"
#include "config/value.h"
#include "coordinate/dataset_job.h"
#include "core/error.h"
#include "core/files/files.h"
#include "kernel/row_ops.h"
#include "learn/learner.h"
#include "model/row_kernels.h"
#include "model/weights/huggingface.h"
#include "shard/dataset.h"

#ifdef STRAQ_CUDA
#include <c10/cuda/CUDACachingAllocator.h>
#endif

namespace {

using namespace straq;
using Json = nlohmann::ordered_json;

double processor_seconds() {
  timespec t;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
  return static_cast<double>(t.tv_sec) + 1e-9 * static_cast<double>(t.tv_nsec);
}
double wall_seconds() {
  timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return static_cast<double>(t.tv_sec) + 1e-9 * static_cast<double>(t.tv_nsec);
}

// A line of /proc/self/status, in bytes.
std::int64_t memory_bytes(const std::string& key) {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with(key + ":")) return std::stoll(line.substr(key.size() + 1)) * 1024;
  }
  return 0;
}

// Work that a device was given is done when this returns.
void wait_for(at::Device device) {
  if (device.is_cuda()) at::detail::getCUDAHooks().deviceSynchronize(device.index());
}

// The most memory that tensors on the device have had at a time; 0 on a CPU.
std::int64_t device_peak_bytes(at::Device device) {
#ifdef STRAQ_CUDA
  if (device.is_cuda()) {
    return c10::cuda::CUDACachingAllocator::getDeviceStats(device.index()).allocated_bytes[0].peak;
  }
#endif
  (void)device;
  return 0;
}

// Floating-point operations a second of a large square product, the best of a few.
struct Gemm {
  double wall = 0, processor = 0;
};
Gemm gemm_flops(at::ScalarType dtype, at::Device device) {
  const std::int64_t n = device.is_cuda() ? 8192 : 1536;
  const auto a = at::randn({n, n}, device).to(dtype), b = at::randn({n, n}, device).to(dtype);
  Gemm best;
  for (int i = 0; i < 6; ++i) {
    wait_for(device);
    const double wall = wall_seconds(), processor = processor_seconds();
    const auto c = at::mm(a, b);
    wait_for(device);
    const double operations = 2.0 * static_cast<double>(n) * n * n;
    best.wall = std::max(best.wall, operations / (wall_seconds() - wall));
    best.processor = std::max(best.processor, operations / (processor_seconds() - processor));
  }
  return best;
}

shard::DatasetView dataset(const experiment::ExperimentConfig& config) {
  coordinate::DatasetJob job(config);
  for (const auto& missing : job.survey(/*makes=*/true)) job.add(job.process(missing.item));
  return shard::open_dataset(job.folder(), {job.key(), {}, {}}, {"train", "test"});
}

void write_dump(const std::string& path, const shard::DatasetView& data,
                const std::vector<prompt::Comb>& combs, const std::vector<learn::Batch>& batches,
                const learn::LearnConfig& config, const learn::TransitionSource& transitions) {
  std::ostringstream out;
  out << Json{{"type", "meta"},
              {"option_ids", data.option_ids()},
              {"gamma", config.gamma},
              {"batch", config.batch},
              {"steps", batches.size()},
              {"lr", config.lr},
              {"betas", {config.beta1, config.beta2}},
              {"eps", config.eps},
              {"clip", config.clip},
              {"target_every", config.target.every}}
             .dump()
      << "\n";
  std::vector<char> written(combs.size(), 0);
  for (const auto& batch : batches) {
    for (const auto& item : batch) {
      if (std::exchange(written[static_cast<std::size_t>(item.comb)], 1)) continue;
      const auto& comb = combs[static_cast<std::size_t>(item.comb)];
      Json line = {{"type", "dialogue"}, {"index", item.comb}};
      for (const auto& t : comb.trunks) line["trunks"].push_back(t.tokens);
      for (const auto& p : comb.probes) {
        line["probes"].push_back({{"trunk", p.trunk},
                                  {"attach", p.attach},
                                  {"tokens", p.tokens},
                                  {"position", p.attach}});
      }
      for (const auto& d : comb.decisions) line["gold"].push_back(d.gold);
      out << line.dump() << "\n";
    }
  }
  for (std::size_t s = 0; s < batches.size(); ++s) {
    Json line = {{"type", "batch"}, {"step", s}};
    for (const auto& item : batches[s]) {
      line["items"].push_back(
          {{"dialogue", item.comb}, {"first", item.first}, {"last", item.last}});
      for (auto d = item.first; d < item.last; ++d) {
        std::vector<learn::Transition> made;
        transitions(item.comb, d, 0, made);
        for (const auto& t : made) {
          line["transitions"].push_back({{"dialogue", item.comb},
                                         {"decision", d},
                                         {"action", t.action},
                                         {"reward", t.reward},
                                         {"continues", t.continues}});
        }
      }
    }
    out << line.dump() << "\n";
  }
  write_file_atomic(path, out.str());
}

// Q of every decision of `combs` in one call, after a part of them that warms up.
Json evaluate(learn::Learner& learner, const std::vector<prompt::Comb>& combs) {
  planner::ask(learner.reading(),
               {combs.begin(), combs.begin() + std::min<std::ptrdiff_t>(
                                                   4, static_cast<std::ptrdiff_t>(combs.size()))});
  const double wall = wall_seconds(), processor = processor_seconds();
  const at::Tensor q = planner::ask(learner.reading(), combs).to(at::kDouble).contiguous();
  Json out = {{"side", "straq"},
              {"seconds", wall_seconds() - wall},
              {"cpu_seconds", processor_seconds() - processor},
              {"decisions", q.size(0)}};
  std::int64_t row = 0;
  for (std::size_t c = 0; c < combs.size(); ++c) {
    for (std::size_t d = 0; d < combs[c].decisions.size(); ++d, ++row) {
      const double* values = q.const_data_ptr<double>() + row * q.size(1);
      out["q"].push_back({{"dialogue", c},
                          {"decision", d},
                          {"values", std::vector<double>(values, values + q.size(1))}});
    }
  }
  return out;
}

int run(int argc, char** argv) {
  CLI::App app{"our side of the training bench"};
  std::string config_path = "bench/train.yaml", shape_path, dump, weights, json, dtype = "fp32",
              layout = "comb", device_name = "cpu";
  int steps = 12, threads = 1;
  std::int64_t micro_tokens = 8192;
  bool recompute = false, only_evaluate = false, operators = false;
  app.add_option("--config", config_path, "data, tokenizer, prompts");
  app.add_option("--shape", shape_path, "a file of shape keys")->required();
  app.add_option("--dump", dump, "write dialogues and batches here");
  app.add_option("--weights", weights,
                 "write the weights of the start here, a Hugging Face folder");
  app.add_option("--steps", steps);
  app.add_option("--threads", threads);
  app.add_option("--dtype", dtype)->check(CLI::IsMember({"fp32", "bf16"}));
  app.add_option("--layout", layout)->check(CLI::IsMember({"comb", "paper"}));
  app.add_option("--device", device_name)->check(CLI::IsMember({"cpu", "cuda"}));
  app.add_option("--micro-tokens", micro_tokens, "tokens of one forward pass");
  app.add_flag("--recompute", recompute, "activation recomputation");
  app.add_flag("--operators", operators,
               "libtorch's operators and its attention in place of our kernels: what these bring");
  app.add_flag("--evaluate", only_evaluate, "Q of the test split instead of steps");
  app.add_option("--json", json, "write the result here");
  CLI11_PARSE(app, argc, argv);
  if (device_name == "cuda" && !at::hasCUDA()) {
    fail_input("--device cuda, but this machine or this build has no GPU",
               "build the preset cuda and run it where nvidia-smi lists one");
  }
  model::row_kernels_allowed = !operators;
  const at::Device device = device_name == "cuda" ? at::Device(at::kCUDA, 0) : at::Device(at::kCPU);
  mallopt(M_MMAP_THRESHOLD, 1 << 30);
  mallopt(M_TRIM_THRESHOLD, 1 << 30);
  mallopt(M_TOP_PAD, 64 << 20);
  at::set_num_threads(threads);

  auto root = config::load_config(config_path);
  config::apply_set(root, "prompt.layout=" + layout);
  auto config = experiment::read_experiment(root);
  config.learn.micro_tokens = micro_tokens;
  const auto data = dataset(config);
  const auto& combs = data.split(only_evaluate ? "test" : "train");
  auto shape = config::read<model::LlamaShape>(config::load_config(shape_path));
  if (shape.vocab == 0) shape.vocab = data.vocab_size();
  shape.max_positions = std::max<std::int64_t>(shape.max_positions, config.prompt.window);

  auto batches = learn::epoch_batches(combs, config.learn, config.learn.objective, 1, 0);
  batches.resize(std::min<std::size_t>(batches.size(), static_cast<std::size_t>(steps)));
  const auto transitions = learn::imitation_transitions(
      combs, config.learn, static_cast<int>(data.option_ids().size()), 1);
  if (!dump.empty()) write_dump(dump, data, combs, batches, config.learn, transitions);

  const Gemm before = gemm_flops(dtype == "bf16" ? at::kBFloat16 : at::kFloat, device);
  const std::int64_t start_bytes = memory_bytes("VmRSS");
  std::unique_ptr<model::Llama> online;
  at::Tensor master;
  {
    // Drawn on the host, where all of them have the same values.
    const bool stays = dtype == "fp32" && device.is_cpu();
    auto wide = std::make_unique<model::Llama>(shape, at::kFloat, at::kCPU, stays);
    wide->initialise(1);
    if (!weights.empty()) model::save_huggingface(*wide, weights);
    if (stays) {
      online = std::move(wide);
    } else {
      const auto type = dtype == "bf16" ? at::kBFloat16 : at::kFloat;
      online = std::make_unique<model::Llama>(shape, type, device, true);
      online->parameters().copy_from(wide->parameters());
      if (type == at::kBFloat16) master = wide->parameters().flat();
    }
  }
  online->set_recompute(recompute);
  const auto collectives = comm::make_local_collectives();
  learn::Learner learner(
      std::move(online), combs, {data.option_ids().begin(), data.option_ids().end()},
      planner::Readout::mean_logit, config.learn, *collectives, std::move(master));
  learner.share_start();
  if (only_evaluate) {
    Json out = evaluate(learner, combs);
    out["peak_rss_bytes"] = memory_bytes("VmHWM");
    out["start_rss_bytes"] = start_bytes;
    out["peak_device_bytes"] = device_peak_bytes(device);
    if (!json.empty()) write_file_atomic(json, out.dump() + "\n");
    return 0;
  }
  auto stage = static_cast<learn::StageConfig>(config.learn);
  stage.warmup = 0;
  stage.lr_min = 1;  // the peers' rate is constant
  learner.begin_stage(stage, steps);

  Json out = {{"side", "straq"},
              {"instruction_set", kernel::name_of(kernel::best_instruction_set())}};
  Json phases = Json::object();
  double decisions = 0, tokens = 0;
  for (std::size_t s = 0; s < batches.size(); ++s) {
    const double wall = wall_seconds(), processor = processor_seconds();
    const auto plan = learner.plan(batches[s], 0, transitions);
    const double planned = wall_seconds() - wall;
    const auto m = learner.step(plan);
    const double stepped = wall_seconds();
    if (config.learn.target.every > 0 &&
        (s + 1) % static_cast<std::size_t>(config.learn.target.every) == 0) {
      learner.sync_target();
    }
    wait_for(device);
    const double synced = wall_seconds() - stepped;
    out["seconds"].push_back(wall_seconds() - wall);
    out["cpu_seconds"].push_back(processor_seconds() - processor);
    out["loss"].push_back(m.loss);
    decisions += static_cast<double>(m.decisions);
    tokens += static_cast<double>(m.tokens);
    const auto& p = learner.seconds();
    const auto add = [&](const char* name, double x) {
      phases[name] = phases.value(name, 0.0) + x;
    };
    add("plan", planned);
    add("target", p.target);
    add("forward", p.forward);
    add("backward", p.backward);
    add("reduce", p.reduce);
    add("optimizer", p.optimizer);
    add("sync", synced);
    add("other", p.total - p.target - p.forward - p.backward - p.reduce - p.optimizer);
  }
  out["peak_device_bytes"] = device_peak_bytes(device);
  const Gemm after = gemm_flops(dtype == "bf16" ? at::kBFloat16 : at::kFloat, device);
  out["gemm_flops"] = {{"before", before.wall}, {"after", after.wall}};
  out["gemm_flops_cpu"] = {{"before", before.processor}, {"after", after.processor}};
  out["tokens_per_decision"] = {{"padded", tokens / decisions}, {"real", tokens / decisions}};
  out["peak_rss_bytes"] = memory_bytes("VmHWM");
  out["start_rss_bytes"] = start_bytes;
  out["phases"] = phases;
  if (!json.empty()) write_file_atomic(json, out.dump() + "\n");
  std::cout << out.dump() << "\n";
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  return straq::bench::bench_main("train_bench", run, argc, argv);
}
