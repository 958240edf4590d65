#include "model/weights/near_miss.h"

#include <algorithm>
#include <cctype>
#include <filesystem>
#include <fstream>
#include <set>
#include <vector>

#include "core/error.h"
#include "core/files/files.h"
#include "core/files/lfs_pointer.h"
#include "core/json/json.h"
#include "results/layout.h"

namespace straq::model {
namespace fs = std::filesystem;
namespace {

constexpr const char* kToSafetensors =
    "convert it with transformers: AutoModelForCausalLM.from_pretrained(\"<folder>\")"
    ".save_pretrained(\"<new folder>\"), which writes safetensors";
constexpr const char* kOriginal =
    "use the Hugging Face folder (config.json, .safetensors) that it was made from";
constexpr const char* kNameFolder = "name its folder";
constexpr const char* kNameGguf =
    "name the GGUF file by itself where a model is asked for; straq model import makes a Hugging "
    "Face folder of it";

std::string first_bytes(const std::string& path, std::size_t count) {
  std::error_code ec;
  if (!fs::is_regular_file(path, ec)) return {};  // a pipe would wait for its writer
  std::ifstream in(path, std::ios::binary);
  std::string bytes(count, '\0');
  in.read(bytes.data(), static_cast<std::streamsize>(count));
  bytes.resize(static_cast<std::size_t>(in.gcount()));
  return bytes;
}

std::string lower(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return text;
}

NearMiss torch_file() {
  return {"it is a file of torch.save (pickled Python objects), not safetensors", kToSafetensors};
}

std::optional<NearMiss> by_bytes(const std::string& bytes, const std::string& extension) {
  const auto begins = [&](std::string_view magic) { return bytes.starts_with(magic); };
  if (is_lfs_pointer(bytes)) return NearMiss{lfs_pointer_words(bytes), kLfsHint};
  if (begins("GGUF")) return NearMiss{"it is a GGUF file under another name", kNameGguf};
  if (begins("tjgg") || begins("fmgg") || begins("lmgg")) {
    return NearMiss{"it is a GGML file of llama.cpp, older than GGUF", kOriginal};
  }
  if (begins("PK\x03\x04")) {
    if (extension == ".npz") {
      return NearMiss{"it holds NumPy arrays (.npz), as older MLX models do", kOriginal};
    }
    if (extension == ".keras") return NearMiss{"it holds weights of Keras", kOriginal};
    if (extension != ".zip") return torch_file();
  }
  if (bytes.size() > 2 && bytes[0] == '\x80' && bytes[1] >= 2 && bytes[1] <= 5) {
    return torch_file();
  }
  if (begins("\x89HDF\r\n\x1a\n")) {
    return NearMiss{"it is an HDF5 file (weights of Keras, or a shard), not safetensors",
                    kOriginal};
  }
  const std::string text = lower(bytes.substr(0, bytes.find_first_of(" \t\r\n>")));
  if (text == "<!doctype" || text == "<html") {
    return NearMiss{"it is a web page: what a download gave in place of the file",
                    "download it again, signed in where the model asks for that"};
  }
  const bool tar = bytes.size() > 262 && bytes.compare(257, 5, "ustar") == 0;
  if (tar || begins("PK\x03\x04") || begins("\x1f\x8b") || begins("7z\xbc\xaf") ||
      begins("\x28\xb5\x2f\xfd") || begins("BZh") ||
      begins(std::string_view("\xfd"
                              "7zXZ"))) {
    return NearMiss{"it is an archive", "unpack it and name what was in it"};
  }
  return {};
}

std::optional<NearMiss> by_name(const fs::path& path) {
  const std::string name = path.filename().string(), extension = lower(path.extension().string());
  if (extension == ".gguf" || extension == ".ggml") {
    return NearMiss{"it is named as a GGUF file of llama.cpp, but does not begin as one",
                    kOriginal};
  }
  if (extension == ".onnx") return NearMiss{"it is an ONNX graph", kOriginal};
  if (extension == ".msgpack") return NearMiss{"it holds weights of Flax (JAX)", kOriginal};
  if (extension == ".pt" || extension == ".pth" || extension == ".ckpt" || extension == ".pkl") {
    return torch_file();
  }
  if (name == "config.json" || name == "model.safetensors.index.json") {
    return NearMiss{"it is one file of a model's folder", kNameFolder};
  }
  if (extension == ".safetensors") {
    return NearMiss{"a .safetensors file by itself does not say what model it is", kNameFolder};
  }
  if (name.starts_with("tokenizer") || name == "vocab.json" || name == "merges.txt" ||
      extension == ".tiktoken") {
    return NearMiss{"it is a file of a tokenizer, without weights",
                    "name the folder or file with the model's weights"};
  }
  if (extension == ".yaml" || extension == ".yml") {
    return NearMiss{"it is a YAML file; a shape has no weights",
                    "straq model init makes random weights in a shape"};
  }
  return {};
}

// The names in a folder, at most 4096 of them; nothing for a folder that cannot be read.
std::set<std::string> names_in(const fs::path& folder) {
  std::set<std::string> names;
  std::error_code ec;
  for (fs::directory_iterator it(folder, ec), end; !ec && it != end && names.size() < 4096;
       it.increment(ec)) {
    names.insert(it->path().filename().string());
  }
  return names;
}

template <class Test>
std::string first_name(const std::set<std::string>& names, Test&& test) {
  const auto it = std::find_if(names.begin(), names.end(), test);
  return it == names.end() ? std::string() : *it;
}

// A weight file or index of a model's own format.
bool is_weights_name(const std::string& name) {
  return name == "model.safetensors.index.json" ||
         (name.ends_with(".safetensors") && name != "adapter_model.safetensors");
}

bool is_tokenizer_name(const std::string& name) {
  return name == "tokenizer.model" || name == "tokenizer.json" || name == "tokenizer_config.json" ||
         name == "vocab.json" || name == "merges.txt" || name.ends_with(".tiktoken");
}

// Folders below `folder`, three levels deep, that hold a config.json: "planner", or
// "snapshots/0e9e39f" of a download cache. At most three.
std::vector<std::string> models_below(const fs::path& folder) {
  std::vector<std::string> found;
  std::vector<fs::path> level{fs::path()};
  int looked_at = 0;
  for (int depth = 0; depth < 3 && found.size() < 3; ++depth) {
    std::vector<fs::path> next;
    for (const auto& parent : level) {
      for (const auto& name : names_in(folder / parent)) {
        std::error_code ec;
        const fs::path inner = parent / name;
        if (++looked_at > 4096 || found.size() >= 3) return found;
        if (!fs::is_directory(folder / inner, ec)) continue;
        if (fs::exists(folder / inner / "config.json", ec)) found.push_back(inner.string());
        next.push_back(inner);
      }
    }
    level = std::move(next);
  }
  return found;
}

// The base model that an adapter_config.json names; empty when it cannot be told.
std::string base_of_adapter(const fs::path& file) {
  try {
    nlohmann::json json;
    if (!try_parse_json(read_file(file.string()), json).empty() || !json.is_object()) return {};
    const auto base = json.find("base_model_name_or_path");
    return base != json.end() && base->is_string() ? base->get<std::string>() : std::string();
  } catch (const Error&) {
    return {};
  }
}

void refuse_adapter(const std::string& folder, const std::set<std::string>& names) {
  if (!names.contains("adapter_config.json") && !names.contains("adapter_model.safetensors") &&
      !names.contains("adapter_model.bin")) {
    return;
  }
  const std::string base = base_of_adapter(fs::path(folder) / "adapter_config.json");
  fail_input(folder + ": holds an adapter (PEFT, LoRA), not a model" +
                 (base.empty() ? std::string() : "; its base model is " + base),
             "merge it into its base model first: PeftModel.from_pretrained(base, \"" + folder +
                 "\").merge_and_unload().save_pretrained(\"<new folder>\")");
}

// What both kinds of folder may hold in place of safetensors.
void refuse_other_weights(const std::string& folder, const std::set<std::string>& names) {
  const auto refuse = [&](const std::string& name, const std::string& what,
                          const std::string& hint) {
    if (!name.empty()) fail_input(folder + ": holds " + name + ", " + what, hint);
  };
  if (names.contains("params.json") || names.contains("consolidated.00.pth")) {
    fail_input(folder + ": holds a model in Meta's original form (params.json, consolidated.*.pth)",
               "use the model's Hugging Face form (config.json, .safetensors), or convert it with "
               "transformers' convert_llama_weights_to_hf.py");
  }
  refuse(first_name(names,
                    [](const auto& n) {
                      return n.starts_with("pytorch_model") &&
                             (n.ends_with(".bin") || n.ends_with(".bin.index.json"));
                    }),
         "pickled weights of torch, and no safetensors", kToSafetensors);
  const auto by_extension = [&](const char* extension) {
    return first_name(names, [&](const auto& n) { return lower(n).ends_with(extension); });
  };
  if (const auto name = by_extension(".gguf"); !name.empty()) {
    fail_input(folder + ": holds " + name + ", a GGUF file of llama.cpp, and no safetensors",
               "name the file: " + (fs::path(folder) / name).string());
  }
  refuse(by_extension(".onnx"), "an ONNX graph, and no safetensors", kOriginal);
  refuse(by_extension(".msgpack"), "weights of Flax (JAX), and no safetensors", kToSafetensors);
  refuse(by_extension(".npz"), "NumPy arrays as older MLX models have, and no safetensors",
         kOriginal);
  for (const char* extension : {".h5", ".keras"}) {
    refuse(by_extension(extension), "weights of Keras (or a shard), and no safetensors", kOriginal);
  }
  for (const char* extension : {".pth", ".pt", ".ckpt"}) {
    refuse(by_extension(extension), "a file of torch.save, and no safetensors", kToSafetensors);
  }
}

void refuse_missing_target(const std::string& folder, const std::set<std::string>& names) {
  for (const auto& name : names) {
    std::error_code ec;
    const fs::path path = fs::path(folder) / name;
    if ((name == "config.json" || is_weights_name(name)) && fs::is_symlink(path, ec) &&
        !fs::exists(path, ec)) {
      fail_input(path.string() + ": is a symbolic link to " + fs::read_symlink(path, ec).string() +
                     ", which does not exist",
                 "the download cache was moved or emptied; download the model again");
    }
  }
}

void refuse_model_below(const std::string& folder) {
  const auto below = models_below(folder);
  if (below.empty()) return;
  std::string list;
  for (const auto& b : below) list += (list.empty() ? "" : ", ") + b;
  fail_input(folder + ": no model lies here, but " +
                 (below.size() == 1 ? "one in the folder below it, "
                                    : "several in the folders below it, ") +
                 list,
             "name " + (fs::path(folder) / below.front()).string());
}

struct Difference {
  const char* type;
  const char* words;
};
// The longest type that a name begins with speaks for it.
constexpr Difference kDifferences[] = {
    {"mistral", "attention may be limited to a sliding window"},
    {"ministral", "attention is limited to a sliding window in some layers"},
    {"mixtral", "the feed-forward layers are mixtures of experts"},
    {"qwen", "its blocks are laid out in another way"},
    {"qwen2", "queries, keys and values have biases"},
    {"qwen2_moe", "the feed-forward layers are mixtures of experts"},
    {"qwen2moe", "the feed-forward layers are mixtures of experts"},
    {"qwen3", "queries and keys are normalised in each head"},
    {"qwen3_moe", "the feed-forward layers are mixtures of experts"},
    {"qwen3moe", "the feed-forward layers are mixtures of experts"},
    {"gemma", "embeddings are scaled, norms add one to their weight, the activation is GELU"},
    {"phi", "layer norms with biases and a partial rotary embedding"},
    {"phi3", "queries, keys and values are one matrix, and so are gate and up"},
    {"gpt2", "positions are learned, norms and maps have biases"},
    {"gpt_neox", "layer norms with biases, a partial rotary embedding"},
    {"gptneox", "layer norms with biases, a partial rotary embedding"},
    {"gpt_oss", "the feed-forward layers are mixtures of experts"},
    {"gptoss", "the feed-forward layers are mixtures of experts"},
    {"llama4",
     "the feed-forward layers are mixtures of experts, some layers have no rotary "
     "embedding"},
    {"mllama", "images are seen through layers of cross-attention"},
    {"llava", "it is a language model with a vision model before it"},
    {"deepseek", "the feed-forward layers are mixtures of experts"},
    {"smollm3", "every fourth layer has no rotary embedding"},
    {"olmo", "norms have no weights or stand elsewhere"},
    {"granite", "embeddings, attention, residuals and logits have multipliers"},
    {"cohere", "layer norms, and attention beside the feed-forward layer"},
    {"falcon", "layer norms, and attention beside the feed-forward layer"},
    {"opt", "positions are learned, norms and maps have biases"},
    {"bloom", "positions are biases of attention"},
    {"mpt", "positions are biases of attention"},
    {"internlm2", "queries, keys and values are one matrix"},
    {"chatglm", "queries, keys and values are one matrix with a bias"},
    {"baichuan", "queries, keys and values are one matrix"},
    {"stablelm", "layer norms with biases, a partial rotary embedding"},
    {"mamba", "it has state-space layers in place of attention"},
    {"bert", "it is an encoder, which sees the text after a word too"},
    {"roberta", "it is an encoder, which sees the text after a word too"},
    {"distilbert", "it is an encoder, which sees the text after a word too"},
    {"t5", "it is an encoder with a decoder"},
    {"bart", "it is an encoder with a decoder"},
    {"blenderbot", "it is an encoder with a decoder"},
};

}  // namespace

std::optional<NearMiss> foreign_content(const std::string& path) {
  std::error_code ec;
  if (!fs::is_regular_file(path, ec)) return {};
  if (fs::file_size(path, ec) == 0 && !ec) {
    return NearMiss{"it is empty", "copy or download the file again"};
  }
  return by_bytes(first_bytes(path, 512), lower(fs::path(path).extension().string()));
}

void refuse_foreign_content(const std::string& path) {
  if (const auto miss = foreign_content(path)) fail_input(path + ": " + miss->what, miss->hint);
}

void refuse_foreign_weights(const std::string& path) {
  refuse_foreign_content(path);
  if (const auto miss = by_name(path)) fail_input(path + ": " + miss->what, miss->hint);
}

void refuse_folder_without_config(const std::string& folder) {
  std::error_code ec;
  if (!fs::exists(folder, ec)) {
    fail_input("\"" + folder + "\" does not exist",
               "name a Hugging Face folder (config.json, .safetensors)");
  }
  if (!fs::is_directory(folder, ec)) {
    refuse_foreign_weights(folder);
    fail_input(folder + ": is a file",
               "name a Hugging Face folder (config.json, .safetensors); straq model import makes "
               "one of a llama2.c checkpoint (.bin)");
  }
  const auto names = names_in(folder);
  refuse_missing_target(folder, names);
  refuse_adapter(folder, names);
  refuse_other_weights(folder, names);
  if (const auto name = first_name(names, is_weights_name); !name.empty()) {
    fail_input(folder + ": holds " + name + ", but no config.json",
               "copy the config.json that the model was published with beside it");
  }
  refuse_model_below(folder);
  if (names.contains(results::kConfigFile) &&
      (names.contains(results::kMetricsFile) || names.contains(results::kCheckpointsFolder))) {
    fail_input(folder + ": is a run that has no planner yet",
               "the same straq command goes on with it; the planner is written at its end");
  }
  if (const auto name = first_name(names, is_tokenizer_name); !name.empty()) {
    fail_input(folder + ": holds a tokenizer (" + name + "), but no model",
               "name the folder with the model's config.json and .safetensors");
  }
  fail_input(folder + (names.empty() ? ": is empty, and so" : ":") +
                 " holds neither a config.json nor a run's planner folder",
             "name a Hugging Face folder (config.json, .safetensors), a run's folder, or a "
             "llama2.c checkpoint (.bin)");
}

void refuse_folder_without_weights(const std::string& folder) {
  const auto names = names_in(folder);
  const std::string has_not =
      folder + ": has neither model.safetensors nor model.safetensors.index.json";
  refuse_missing_target(folder, names);
  refuse_adapter(folder, names);
  if (const auto name = first_name(names, is_weights_name); !name.empty()) {
    fail_input(has_not + ", only " + name,
               name.find("-of-") != std::string::npos
                   ? "download model.safetensors.index.json too: it says which files belong "
                     "together"
                   : "rename it to model.safetensors if it is the whole model in Hugging Face's "
                     "names");
  }
  refuse_other_weights(folder, names);
  refuse_model_below(folder);
  fail_input(has_not, "download the weights too; config.json alone is only the model's shape");
}

std::string difference_from_llama(std::string_view type) {
  const std::string name = lower(std::string(type));
  const Difference* best = nullptr;
  for (const auto& d : kDifferences) {
    const std::string_view known = d.type;
    if (name.starts_with(known) &&
        (best == nullptr || known.size() > std::string_view(best->type).size())) {
      best = &d;
    }
  }
  return best == nullptr ? std::string() : best->words;
}

}  // namespace straq::model
