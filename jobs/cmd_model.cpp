// straq model: weights in and out, random ones, and what a checkpoint is.
#include <memory>

#include "command.h"
#include "model/weights/convert_io.h"

namespace straq::jobs {
namespace {

struct ModelOptions {
  std::string path, out, dtype, max_file;
  model::ConvertOptions convert;
  model::InitialiseOptions init;
  bool all_tensors = false;
};

void add_output(CLI::App& cmd, ModelOptions& o, std::string& tokenizer, bool& overwrite,
                const char* as_default) {
  cmd.add_option("--out", o.out, "folder for the result")->required();
  cmd.add_option("--dtype", o.dtype,
                 std::string("fp32, bf16 or fp16 (default: ") + as_default + ")")
      ->check(CLI::IsMember({"fp32", "bf16", "fp16"}));
  cmd.add_option("--tokenizer", tokenizer,
                 "tokenizer file or folder to put beside the weights, checked against them");
  cmd.add_flag("--overwrite", overwrite, "replace a model that is in the folder");
}

}  // namespace

Command make_model(CLI::App& app, Common& common) {
  auto o = std::make_shared<ModelOptions>();
  CLI::App* cmd = app.add_subcommand("model", "import, export, initialise and inspect weights");
  cmd->require_subcommand(1);
  cmd->footer(
      "Examples:\n"
      "  straq model inspect Llama-3.2-1B --tensors\n"
      "  straq model import stories15M.bin --out models/stories15M\n"
      "  straq model import SmolLM2-135M-Instruct.Q4_1.gguf --out models/smollm2\n"
      "  straq model init configs/shapes/small_256x6.yaml --vocab 4096 --seed 1 --out "
      "models/random\n"
      "  straq model export results/run/seed=1 --out planner_hf --dtype bf16 --max-shard-size 2GB");

  CLI::App* inspect = cmd->add_subcommand(
      "inspect", "shape, parameters, precision, tensors and metadata of weights");
  inspect
      ->add_option("path", o->path,
                   "a Hugging Face folder, a run, a .gguf, .safetensors or .bin file")
      ->required();
  inspect->add_flag("--tensors", o->all_tensors, "every tensor by itself");
  inspect->footer("Example: straq model inspect results/run/seed=1 --format json");

  CLI::App* import = cmd->add_subcommand(
      "import", "check a Hugging Face folder, GGUF or llama2.c file and write it as one file");
  import
      ->add_option("from", o->path,
                   "a Hugging Face folder, a .gguf file, or a .bin checkpoint of llama2.c")
      ->required();
  add_output(*import, *o, o->convert.tokenizer, o->convert.overwrite, "as stored");
  import->add_option("--adapter", o->convert.adapter,
                     "the folder of a LoRA adapter (PEFT) that is merged into the weights");
  import->footer("Example: straq model import Llama-3.2-1B --out models/llama-1b --dtype bf16");

  CLI::App* out = cmd->add_subcommand(
      "export", "write a run's planner or a model as a folder that transformers loads");
  out->add_option("from", o->path, "a run's folder, or a folder with weights")->required();
  add_output(*out, *o, o->convert.tokenizer, o->convert.overwrite, "as stored");
  out->add_option(
      "--max-shard-size", o->max_file,
      "cut into files of at most so many bytes, as in 2GB or 500MiB (default: one file)");
  out->footer("Example: straq model export results/run/seed=1 --out planner_hf --dtype bf16");

  CLI::App* init = cmd->add_subcommand("init", "random weights in a shape");
  init->add_option("shape", o->path, "shape as YAML, as in configs/shapes")->required();
  init->add_option("--seed", o->init.seed, "seed of the random numbers")->capture_default_str();
  init->add_option("--std", o->init.std, "standard deviation of the matrices")
      ->capture_default_str()
      ->check(CLI::PositiveNumber);
  init->add_option("--vocab", o->init.vocab, "vocabulary (default: the shape's or the tokenizer's)")
      ->check(CLI::PositiveNumber);
  add_output(*init, *o, o->init.tokenizer, o->init.overwrite, "fp32");
  init->footer(
      "Example: straq model init configs/shapes/tiny.yaml --vocab 512 --seed 7 --out models/tiny");

  return {cmd, [=, &common] {
            if (!o->dtype.empty()) {
              o->init.dtype = model::dtype_of_word(o->dtype);
              o->convert.dtype = o->init.dtype;
            }
            if (!o->max_file.empty()) o->convert.max_file_bytes = model::parse_bytes(o->max_file);
            std::vector<Table> tables;
            if (inspect->parsed()) {
              tables = model::inspect_weights(o->path, o->all_tensors);
            } else if (init->parsed()) {
              tables = model::initialise_weights(o->path, o->out, o->init);
            } else {
              tables = model::convert_weights(o->path, o->out, o->convert);
            }
            print_tables(common, tables);
            return 0;
          }};
}

}  // namespace straq::jobs
