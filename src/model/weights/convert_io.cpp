#include "model/weights/convert_io.h"

#include <algorithm>
#include <cctype>
#include <charconv>
#include <cmath>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "core/error.h"
#include "core/files/files.h"
#include "core/files/gguf_file.h"
#include "core/json/json.h"
#include "core/memory.h"
#include "model/weights/adapter.h"
#include "model/weights/gguf.h"
#include "model/weights/huggingface.h"
#include "model/weights/llama2c.h"
#include "model/weights/near_miss.h"
#include "model/weights/safetensors.h"
#include "results/layout.h"
#include "text/chat_template.h"
#include "text/tokenizer.h"
#include "text/tokenizers/gguf_tokenizer.h"

namespace straq::model {
namespace fs = std::filesystem;
namespace {

constexpr const char* kinds =
    "weights are a Hugging Face folder (config.json, model.safetensors), a run's folder, a GGUF "
    "file or a llama2.c checkpoint (.bin)";

const std::vector<std::string> tokenizer_files = {"tokenizer.model",
                                                  "tokenizer.json",
                                                  "tokenizer_config.json",
                                                  "special_tokens_map.json",
                                                  "added_tokens.json",
                                                  "vocab.json",
                                                  "merges.txt",
                                                  "chat_template.jinja"};

void require_free(const std::string& folder, bool overwrite) {
  if (overwrite || !fs::exists(folder)) return;
  if (!fs::is_directory(folder)) {
    fail_input("cannot write to " + folder + ": it is a file", "name a new folder");
  }
  for (const char* name : {"config.json", "model.safetensors", "model.safetensors.index.json"}) {
    if (fs::exists(fs::path(folder) / name)) {
      fail_input(folder + " holds a model already (" + name + ")",
                 "name another folder, or replace it with --overwrite");
    }
  }
}

void copy_beside(const fs::path& from, const fs::path& to_folder) {
  std::error_code ec;
  const fs::path to = to_folder / from.filename();
  if (fs::equivalent(from, to, ec)) return;
  write_file_atomic(to.string(), read_file(from.string()));
}

// A tokenizer on its way to weights: what is copied or, from a GGUF file, written, and the
// tokenizer opened to be checked.
struct Companion {
  std::vector<fs::path> files;
  std::vector<text::TokenizerFile> made;
  std::unique_ptr<text::Tokenizer> tokenizer;
};

void put_beside(const Companion& companion, const std::string& to) {
  for (const auto& file : companion.files) copy_beside(file, to);
  for (const auto& file : companion.made) {
    write_file_atomic((fs::path(to) / file.name).string(), file.bytes);
  }
}

Companion find_tokenizer(const std::string& path) {
  Companion found;
  found.tokenizer = text::open_tokenizer(path);
  if (is_gguf_file(path)) {
    found.made = text::tokenizer_files_of_gguf(GgufFile(path));
    return found;
  }
  if (!fs::is_directory(path)) {
    for (const auto& file : text::files_of_tokenizer(path)) {
      // The weights bring their own generation_config.json.
      if (fs::path(file).filename() != "generation_config.json") found.files.emplace_back(file);
    }
    return found;
  }
  for (const auto& name : tokenizer_files) {
    if (fs::exists(fs::path(path) / name)) found.files.push_back(fs::path(path) / name);
  }
  return found;
}

void require_fit(const Companion& companion, const std::string& path, std::int64_t vocab) {
  if (!companion.tokenizer || companion.tokenizer->vocab_size() <= vocab) return;
  fail_input(path + ": the tokenizer has " + std::to_string(companion.tokenizer->vocab_size()) +
                 " tokens, but the model knows " + std::to_string(vocab),
             "use the tokenizer that the model was made with");
}

// planner.json names the tokenizer of its shards; with another one every prompt would be noise.
void require_planners(const Companion& companion, const std::string& path,
                      const fs::path& planner) {
  if (!companion.tokenizer || !fs::exists(planner)) return;
  const auto json = read_json_file(planner.string(), "copy the run's planner folder again");
  if (!json.is_object() || !json.contains("tokenizer_fingerprint")) return;
  const auto& wanted = json["tokenizer_fingerprint"];
  if (wanted.is_string() && wanted.get<std::string>() != companion.tokenizer->fingerprint()) {
    fail_input(path + " is not the tokenizer that the planner was trained with (" +
                   planner.string() + ": " + wanted.get<std::string>() + ")",
               "name the tokenizer of the run's config.yaml");
  }
}

std::string millions(std::int64_t n) {
  return Cell::real(static_cast<double>(n) / 1e6, 3).text + " million";
}

std::string gigabytes(double bytes) {
  return Cell::real(bytes / 1e9, 1).text + " GB";
}

void add_rows(Table& table, const WeightsSource& source) {
  const LlamaShape& s = source.shape;
  table.add({"parameters", Cell(static_cast<long long>(s.parameter_count()))});
  table.add({"vocabulary", s.vocab});
  table.add({"hidden", s.hidden});
  table.add({"layers", s.layers});
  table.add({"heads", s.heads});
  table.add({"key-value heads", s.kv_heads});
  table.add({"head dimension", s.dim_per_head()});
  table.add({"inner", s.inner});
  table.add({"positions", s.max_positions});
  table.add({"rope theta", Cell::real(s.rope_theta, 0)});
  table.add({"rope scaling", s.rope_scaling
                                 ? "llama3, factor " + Cell::real(s.rope_scaling->factor, 1).text
                                 : std::string("none")});
  table.add({"output projection", s.tied ? "the embedding (tied)" : "its own"});
  table.notes.push_back(millions(s.parameter_count()) + " parameters");
}

// "model.layers.3.mlp.up_proj.weight" without its number.
std::string without_layer(const std::string& name) {
  for (const std::string_view prefix : {"model.layers.", "blk."}) {
    const auto dot = name.find('.', prefix.size());
    if (!name.starts_with(prefix) || dot == std::string::npos) continue;
    return std::string(prefix) + "*" + name.substr(dot);
  }
  return name;
}

struct Row {
  std::string name, shape, dtype;
  std::uint64_t bytes = 0;
  long count = 1;
};

Table tensor_table(std::vector<Row> rows, bool all) {
  Table table{"tensors", "Tensors", {"tensor", "shape", "precision", "bytes"}, {}, {}};
  if (!all) {
    table.columns.insert(table.columns.begin() + 1, "times");
    std::vector<Row> grouped;
    for (auto& row : rows) {
      row.name = without_layer(row.name);
      const auto same = std::find_if(grouped.begin(), grouped.end(), [&](const Row& g) {
        return g.name == row.name && g.shape == row.shape && g.dtype == row.dtype;
      });
      if (same == grouped.end()) {
        grouped.push_back(row);
        continue;
      }
      ++same->count;
      same->bytes += row.bytes;
    }
    rows = std::move(grouped);
  }
  for (const auto& row : rows) {
    std::vector<Cell> cells{row.name, row.shape, row.dtype, static_cast<std::size_t>(row.bytes)};
    if (!all) cells.insert(cells.begin() + 1, Cell(row.count));
    table.add(std::move(cells));
  }
  return table;
}

void add_metadata(Table& table, const std::map<std::string, std::string>& metadata) {
  for (const auto& [key, value] : metadata) table.add({"metadata: " + key, value});
}

std::vector<Table> inspect_file(const std::string& path, bool all_tensors) {
  const SafetensorsFile file(path);
  Table table{"weights", "Weights", {"what", "value"}, {}, {}};
  std::vector<Row> rows;
  std::int64_t values = 0;
  for (const auto& e : file.entries()) {
    rows.push_back({e.name, shape_words(e.shape), word_of_dtype(e.dtype), e.end - e.begin});
    values += static_cast<std::int64_t>((e.end - e.begin) / at::elementSize(e.dtype));
  }
  table.add({"path", path});
  table.add({"bytes", static_cast<std::size_t>(fs::file_size(path))});
  table.add({"tensors", rows.size()});
  table.add({"values", static_cast<long long>(values)});
  add_metadata(table, file.metadata());
  return {table, tensor_table(std::move(rows), all_tensors)};
}

// What a GGUF file says beside its weights: its tokenizer, and how it wants a chat written.
void add_text_rows(Table& table, const GgufFile& file) {
  const auto of = [&](const char* key) { return std::string(file.text(key).value_or("none")); };
  if (text::has_gguf_tokenizer(file)) {
    table.add({"tokenizer", of("tokenizer.ggml.model") + ", " + of("tokenizer.ggml.pre") + ", " +
                                std::to_string(file.texts("tokenizer.ggml.tokens").size()) +
                                " tokens"});
  }
  const auto chat = file.text("tokenizer.chat_template");
  if (!chat) return;
  try {
    table.add(
        {"chat template", text::words_of(text::recognise_chat_template(*chat, "", file.path()))});
  } catch (const Error&) {
    table.add({"chat template", "of no known format"});
  }
}

// The tensors as the file has them, by its own names.
std::vector<Row> stored_tensors(const GgufFile& file) {
  std::vector<Row> rows;
  for (const auto& tensor : file.tensors()) {
    rows.push_back(
        {tensor.name, shape_words(tensor.shape), gguf_type_name(tensor.type), tensor.bytes});
  }
  return rows;
}

}  // namespace

std::string find_weights(const std::string& path) {
  std::error_code ec;
  if (!fs::exists(path, ec)) fail_input("\"" + path + "\" does not exist", kinds);
  if (!fs::is_directory(path, ec)) return path;
  const fs::path place(path);
  for (const auto& folder :
       {place, place / results::kPlannerFolder, place / results::kResponderFolder}) {
    if (fs::exists(folder / "config.json", ec)) return folder.string();
  }
  refuse_folder_without_config(path);
}

WeightsSource open_weights(const std::string& path) {
  const std::string place = find_weights(path);
  if (fs::is_directory(place)) return open_huggingface(place);
  if (is_gguf_file(place)) return open_gguf(place);
  if (fs::path(place).extension() == ".bin") return open_llama2c(place);
  refuse_foreign_weights(place);
  fail_input(place + ": no weights of a known kind", kinds);
}

std::vector<Table> convert_weights(const std::string& from, const std::string& to,
                                   const ConvertOptions& options) {
  require_free(to, options.overwrite);
  WeightsSource source = open_weights(from);
  if (!options.adapter.empty()) source = with_adapter(std::move(source), options.adapter);
  const auto dtype = options.dtype.value_or(source.dtype);

  // Everything that can be refused is refused before the first byte is written.
  Companion companion;
  const std::string place = find_weights(from);
  const bool is_folder = fs::is_directory(place);
  const bool brings_own = is_gguf_file(place) && text::has_gguf_tokenizer(GgufFile(place));
  if (!options.tokenizer.empty() || brings_own) {
    const std::string& tokenizer = options.tokenizer.empty() ? place : options.tokenizer;
    companion = find_tokenizer(tokenizer);
    require_fit(companion, tokenizer, source.shape.vocab);
    if (is_folder) require_planners(companion, tokenizer, fs::path(place) / "planner.json");
  } else if (is_folder) {
    for (const auto& name : tokenizer_files) {
      if (fs::exists(fs::path(place) / name)) companion.files.push_back(fs::path(place) / name);
    }
  }
  for (const char* name : {"generation_config.json", "planner.json"}) {
    // With an adapter they are no planner's weights any more.
    if (!options.adapter.empty() && std::string(name) == "planner.json") continue;
    if (is_folder && fs::exists(fs::path(place) / name)) {
      companion.files.push_back(fs::path(place) / name);
    }
  }
  require_storable(source, dtype);

  SaveOptions save;
  save.dtype = dtype;
  save.max_file_bytes = options.max_file_bytes;
  save.metadata = source.metadata;
  write_huggingface(source, to, save);
  put_beside(companion, to);
  return inspect_weights(to, false);
}

std::vector<Table> initialise_weights(const std::string& shape_file, const std::string& to,
                                      const InitialiseOptions& options) {
  require_free(to, options.overwrite);
  auto shape = config::read<LlamaShape>(config::load_config(shape_file));
  Companion companion;
  if (!options.tokenizer.empty()) companion = find_tokenizer(options.tokenizer);
  if (options.vocab > 0) {
    shape.vocab = options.vocab;
  } else if (shape.vocab == 0 && companion.tokenizer) {
    shape.vocab = companion.tokenizer->vocab_size();
  }
  if (shape.vocab == 0) {
    fail_input(shape_file + ": vocab is 0, which leaves it to the tokenizer",
               "give --vocab N or --tokenizer PATH");
  }
  require_fit(companion, options.tokenizer, shape.vocab);
  try {
    shape.check();
  } catch (const Error& e) {
    fail_input(shape_file + ": " + e.what(), e.hint());
  }
  const auto bytes = static_cast<double>(shape.parameter_count()) *
                     static_cast<double>(at::elementSize(options.dtype));
  if (const auto free = static_cast<double>(available_memory()); bytes > free) {
    fail_input(shape_file + ": a model of this shape takes " + gigabytes(bytes) +
                   " of memory, and " + gigabytes(free) + " are free",
               "choose a smaller shape or --dtype bf16, or run it where there is more memory");
  }

  Llama model(shape, options.dtype, at::kCPU, /*with_gradients=*/false);
  model.initialise(options.seed, options.std);
  WeightsSource source = weights_of(model);
  if (companion.tokenizer) {
    source.bos_token_id = companion.tokenizer->bos();
    if (const auto eos = companion.tokenizer->eos()) source.eos_token_ids = {*eos};
  }
  SaveOptions save;
  save.metadata["initialised"] =
      "seed " + std::to_string(options.seed) + ", std " + dump_json(nlohmann::json(options.std));
  write_huggingface(source, to, save);
  put_beside(companion, to);
  return inspect_weights(to, false);
}

std::vector<Table> inspect_weights(const std::string& path, bool all_tensors) {
  const std::string place = find_weights(path);
  if (fs::path(place).extension() == ".safetensors" && !fs::is_directory(place)) {
    return inspect_file(place, all_tensors);
  }
  const WeightsSource source = open_weights(place);
  Table table{"weights", "Weights", {"what", "value"}, {}, {}};
  table.add({"path", place});
  table.add({"files", source.files.size()});
  table.add({"bytes", static_cast<std::size_t>(source.bytes)});
  table.add({"precision", word_of_dtype(source.dtype)});
  add_rows(table, source);
  if (source.bos_token_id) table.add({"beginning of text", *source.bos_token_id});
  if (!source.eos_token_ids.empty()) {
    table.add({"end of text", dump_json(nlohmann::json(source.eos_token_ids))});
  }
  add_metadata(table, source.metadata);
  std::vector<Row> rows;
  if (is_gguf_file(place)) {
    const GgufFile file(place);
    add_text_rows(table, file);
    return {table, tensor_table(stored_tensors(file), all_tensors)};
  }
  for (const auto& spec : parameter_specs(source.shape)) {
    const at::Tensor values = source.tensor(spec);
    rows.push_back(
        {spec.name, shape_words(spec.shape), word_of_dtype(values.scalar_type()), values.nbytes()});
  }
  return {table, tensor_table(std::move(rows), all_tensors)};
}

std::uint64_t parse_bytes(const std::string& text) {
  static const std::vector<std::pair<std::string, double>> units = {
      {"", 1},      {"B", 1},        {"KB", 1e3},     {"MB", 1e6},     {"GB", 1e9},
      {"TB", 1e12}, {"KIB", 0x1p10}, {"MIB", 0x1p20}, {"GIB", 0x1p30}, {"TIB", 0x1p40}};
  double number = 0;
  const char* end = text.data() + text.size();
  const auto [rest, ec] = std::from_chars(text.data(), end, number);
  std::string unit(rest, end);
  std::transform(unit.begin(), unit.end(), unit.begin(),
                 [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
  const auto found =
      std::find_if(units.begin(), units.end(), [&](const auto& u) { return u.first == unit; });
  const double bytes = found == units.end() ? 0 : number * found->second;
  if (ec != std::errc() || !(bytes >= 1) || bytes > 0x1p62) {
    fail_input("\"" + text + "\" is no number of bytes", "write it as 2GB, 500MB or 64MiB");
  }
  return static_cast<std::uint64_t>(bytes);
}

}  // namespace straq::model
