#include "model/weights/gguf.h"

#include <ATen/Parallel.h>
#include <ATen/ops/empty.h>

#include <algorithm>
#include <cmath>
#include <memory>
#include <numbers>
#include <set>
#include <vector>

#include "core/error.h"
#include "model/weights/dequantize.h"
#include "model/weights/near_miss.h"
#include "model/weights/safetensors.h"
#include "model/weights/shape_limits.h"

namespace straq::model {
namespace {

constexpr const char* kPlainLlama =
    "use a file of the plain Llama architecture (Llama 2, Llama 3.x, SmolLM2, TinyLlama), or the "
    "model's Hugging Face folder";
constexpr const char* kTypes =
    "use a file whose tensors are F32, F16, BF16, Q8_0, Q4_0, Q4_1, Q5_0, Q5_1, Q4_K, Q5_K or Q6_K "
    "(Q4_K_M, Q5_K_M, Q6_K and Q8_0 files are), or the model's Hugging Face folder";
constexpr const char* kFrequencies = "rope_freqs.weight";
// A divisor in fp32 and one computed here agree to this relative difference.
constexpr double kDivisorTolerance = 1e-4;

// The keys of one architecture, "llama.<name>", as sizes and numbers.
class GgufKeys {
 public:
  GgufKeys(const GgufFile& file, std::string prefix) : file_(file), prefix_(std::move(prefix)) {}

  std::string name(const char* key) const { return prefix_ + "." + key; }
  bool has(const char* key) const { return file_.has(name(key)); }
  std::int64_t size(const char* key, std::int64_t most,
                    std::optional<std::int64_t> fallback = {}) const {
    auto value = file_.integer(name(key));
    if (!value) value = fallback;
    if (!value) file_.fail("key \"" + name(key) + "\" is missing", kPlainLlama);
    if (*value < 1 || *value > most) {
      file_.fail("key \"" + name(key) + "\" is " + std::to_string(*value) +
                 ", but must be from 1 to " + std::to_string(most));
    }
    return *value;
  }
  double positive(const char* key, std::optional<double> fallback = {}) const {
    auto value = file_.number(name(key));
    if (!value) value = fallback;
    if (!value) file_.fail("key \"" + name(key) + "\" is missing", kPlainLlama);
    if (!(*value > 0) || !std::isfinite(*value)) {
      file_.fail("key \"" + name(key) + "\" must be a positive number");
    }
    return *value;
  }
  [[noreturn]] void refuse(const char* key, const std::string& why) const {
    file_.fail("key \"" + name(key) + "\" " + why, kPlainLlama);
  }

 private:
  const GgufFile& file_;
  std::string prefix_;
};

std::string architecture_of(const GgufFile& file) {
  const auto text = file.text("general.architecture");
  if (!text) file.fail("key \"general.architecture\" is missing", kPlainLlama);
  const std::string name(text->substr(0, 60));
  if (name == "llama") return name;
  const std::string other = difference_from_llama(name);
  file.fail("architecture \"" + name + "\" is not supported: " +
                (other.empty() ? "it is another architecture" : "unlike Llama's, " + other),
            kPlainLlama);
}

// Numbers that change the arithmetic where they are there and not 0.
void refuse_other_llamas(const GgufFile& file, const GgufKeys& keys) {
  constexpr std::pair<const char*, const char*> kOthers[] = {
      {"expert_count", "asks for mixtures of experts"},
      {"attention.sliding_window", "limits attention to a sliding window"},
      {"attention.clamp_kqv", "clamps queries, keys and values"},
      {"attention.scale", "scales attention in another way"},
      {"logit_scale", "scales the logits"},
      {"embedding_scale", "scales the embeddings"},
      {"residual_scale", "scales the residuals"}};
  for (const auto& [key, why] : kOthers) {
    if (file.number(keys.name(key)).value_or(0) != 0) keys.refuse(key, why);
  }
  const auto scaling = file.text(keys.name("rope.scaling.type")).value_or("none");
  if (scaling != "none") {
    keys.refuse("rope.scaling.type", "is \"" + std::string(scaling.substr(0, 60)) +
                                         "\": rotary frequencies are read as plain or llama3");
  }
  if (file.number(keys.name("rope.scale_linear")).value_or(1) != 1) {
    keys.refuse("rope.scale_linear", "stretches the positions");
  }
}

// The divisors that llama3 scaling makes of a shape's frequencies.
std::vector<double> llama3_divisors(const LlamaShape& shape, const Llama3RopeScaling& s) {
  std::vector<double> out;
  const auto d = static_cast<double>(shape.dim_per_head());
  const auto original = static_cast<double>(s.original_max_positions);
  for (std::int64_t i = 0; i < shape.dim_per_head() / 2; ++i) {
    const double frequency = std::pow(shape.rope_theta, -2.0 * static_cast<double>(i) / d);
    const double wavelength = 2 * std::numbers::pi / frequency;
    if (wavelength < original / s.high_freq_factor) {
      out.push_back(1);
    } else if (wavelength > original / s.low_freq_factor) {
      out.push_back(s.factor);
    } else {
      const double smooth =
          (original / wavelength - s.low_freq_factor) / (s.high_freq_factor - s.low_freq_factor);
      out.push_back(1 / ((1 - smooth) / s.factor + smooth));
    }
  }
  return out;
}

// The file holds what the scaling makes, not its settings: those of Llama 3.1 and 3.2, with the
// factor that the largest divisor is, must make the same.
std::optional<Llama3RopeScaling> read_divisors(const GgufFile& file, const LlamaShape& shape) {
  const GgufTensor* tensor = file.find(kFrequencies);
  if (tensor == nullptr) return {};
  const auto refuse = [&](const std::string& what) {
    file.fail("tensor rope_freqs.weight " + what,
              "only the rope scaling of Llama 3.1 and later (llama3) is read from it; use the "
              "model's Hugging Face folder");
  };
  if (tensor->type != GgufType::f32 ||
      tensor->shape != std::vector<std::int64_t>{shape.dim_per_head() / 2}) {
    refuse("is not one F32 number for each rotary pair");
  }
  std::vector<float> divisors(static_cast<std::size_t>(tensor->shape[0]));
  dequantize(tensor->type, file.data(*tensor), tensor->shape[0], divisors.data());
  Llama3RopeScaling scaling;
  scaling.factor = *std::max_element(divisors.begin(), divisors.end());
  if (std::all_of(divisors.begin(), divisors.end(), [](float d) { return d == 1; })) return {};
  if (!(scaling.factor > 1) || !std::isfinite(scaling.factor)) refuse("holds no divisors");
  const auto expected = llama3_divisors(shape, scaling);
  for (std::size_t i = 0; i < expected.size(); ++i) {
    if (!(std::abs(divisors[i] - expected[i]) <= kDivisorTolerance * expected[i])) {
      refuse("holds other divisors than llama3 scaling by " + std::to_string(scaling.factor) +
             " from 8192 positions would (pair " + std::to_string(i) + ": " +
             std::to_string(divisors[i]) + ", not " + std::to_string(expected[i]) + ")");
    }
  }
  return scaling;
}

// "model.layers.3.mlp.up_proj.weight" as the file names it: "blk.3.ffn_up.weight".
std::string gguf_name(const std::string& name) {
  static const std::map<std::string, std::string> kNames = {
      {"model.embed_tokens.weight", "token_embd.weight"},
      {"model.norm.weight", "output_norm.weight"},
      {"lm_head.weight", "output.weight"},
      {"input_layernorm.weight", "attn_norm.weight"},
      {"self_attn.q_proj.weight", "attn_q.weight"},
      {"self_attn.k_proj.weight", "attn_k.weight"},
      {"self_attn.v_proj.weight", "attn_v.weight"},
      {"self_attn.o_proj.weight", "attn_output.weight"},
      {"post_attention_layernorm.weight", "ffn_norm.weight"},
      {"mlp.gate_proj.weight", "ffn_gate.weight"},
      {"mlp.up_proj.weight", "ffn_up.weight"},
      {"mlp.down_proj.weight", "ffn_down.weight"}};
  constexpr std::string_view layers = "model.layers.";
  if (!name.starts_with(layers)) return kNames.at(name);
  const auto dot = name.find('.', layers.size());
  return "blk." + name.substr(layers.size(), dot - layers.size()) + "." +
         kNames.at(name.substr(dot + 1));
}

// Rows that a tensor's rows become: those of queries and keys lie with the rotary pairs side by
// side, (2i, 2i + 1), in each head; Hugging Face has them half a head apart, (i, i + d / 2).
std::int64_t target_row(std::int64_t row, std::int64_t head_dim) {
  if (head_dim == 0) return row;
  const std::int64_t in_head = row % head_dim;
  return row - in_head + in_head % 2 * (head_dim / 2) + in_head / 2;
}

at::Tensor read_rows(const GgufFile& file, const GgufTensor& tensor, std::int64_t head_dim) {
  at::Tensor out = at::empty(tensor.shape, at::kFloat);
  float* values = out.data_ptr<float>();
  const char* bytes = file.data(tensor);
  const std::int64_t columns = tensor.columns();
  const auto row_bytes = tensor.bytes / static_cast<std::uint64_t>(tensor.rows());
  // Whole rows to each thread, some tens of thousands of values at least.
  const std::int64_t grain = std::max<std::int64_t>(1, (1 << 15) / columns);
  at::parallel_for(0, tensor.rows(), grain, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t row = begin; row < end; ++row) {
      dequantize(tensor.type, bytes + static_cast<std::uint64_t>(row) * row_bytes, columns,
                 values + target_row(row, head_dim) * columns);
    }
  });
  return out;
}

// "blk.0.attn_q.bias and 59 more".
std::string first_of(const std::vector<std::string>& names) {
  return names.front() +
         (names.size() > 1 ? " and " + std::to_string(names.size() - 1) + " more" : "");
}

void check_tensors(const GgufFile& file, const LlamaShape& shape) {
  std::set<std::string> extra;
  for (const auto& tensor : file.tensors()) extra.insert(tensor.name);
  std::vector<std::string> missing;
  for (const auto& spec : parameter_specs(shape)) {
    const std::string name = gguf_name(spec.name);
    const GgufTensor* tensor = file.find(name);
    if (tensor == nullptr) {
      missing.push_back(name);
      continue;
    }
    extra.erase(name);
    if (tensor->shape != spec.shape) {
      file.fail("tensor " + name + " has shape " + shape_words(tensor->shape) +
                " where the keys ask for " + shape_words(spec.shape));
    }
    if (!can_dequantize(tensor->type)) {
      file.fail("tensor " + name + " is stored as " + gguf_type_name(tensor->type) +
                    ", which is not read",
                kTypes);
    }
  }
  if (!missing.empty()) {
    file.fail("tensor " + first_of(missing) + (missing.size() == 1 ? " is" : " are") + " missing");
  }
  extra.erase(kFrequencies);
  if (!extra.empty()) {
    file.fail("tensor " + first_of({extra.begin(), extra.end()}) +
                  (extra.size() == 1 ? " is" : " are") + " not part of a Llama model",
              kPlainLlama);
  }
}

void read_specials(const GgufFile& file, WeightsSource& source) {
  const auto id = [&](const char* key) {
    const auto value = file.integer(std::string("tokenizer.ggml.") + key);
    if (value && (*value < 0 || *value >= source.shape.vocab)) {
      file.fail("key \"tokenizer.ggml." + std::string(key) + "\" is " + std::to_string(*value) +
                ", which is outside the vocabulary");
    }
    return value;
  };
  source.bos_token_id = id("bos_token_id");
  for (const char* key : {"eos_token_id", "eot_token_id"}) {
    const auto end = id(key);
    auto& ids = source.eos_token_ids;
    if (end && std::find(ids.begin(), ids.end(), *end) == ids.end()) ids.push_back(*end);
  }
}

}  // namespace

LlamaShape read_gguf_shape(const GgufFile& file) {
  const GgufKeys keys(file, architecture_of(file));
  refuse_other_llamas(file, keys);
  LlamaShape s;
  s.hidden = keys.size("embedding_length", limits::hidden);
  s.inner = keys.size("feed_forward_length", limits::inner);
  s.layers = keys.size("block_count", limits::layers);
  s.heads = keys.size("attention.head_count", limits::heads);
  s.kv_heads = keys.size("attention.head_count_kv", limits::heads, s.heads);
  s.max_positions = keys.size("context_length", limits::positions);
  s.norm_eps = keys.positive("attention.layer_norm_rms_epsilon");
  s.rope_theta = keys.positive("rope.freq_base", 10000.0);
  const GgufTensor* embedding = file.find("token_embd.weight");
  if (embedding == nullptr) file.fail("tensor token_embd.weight is missing");
  s.vocab = keys.size("vocab_size", limits::vocab, embedding->rows());
  s.tied = file.find("output.weight") == nullptr;
  if (keys.has("attention.key_length")) {
    s.head_dim = keys.size("attention.key_length", limits::head_dim);
    if (keys.size("attention.value_length", limits::head_dim, s.head_dim) != s.head_dim) {
      keys.refuse("attention.value_length", "differs from that of the keys");
    }
    if (s.heads * s.head_dim == s.hidden) s.head_dim = 0;  // as a file without the key says it
  }
  try {
    s.check();
  } catch (const Error& e) {
    file.fail(e.what(), e.hint());
  }
  if (keys.size("rope.dimension_count", limits::head_dim, s.dim_per_head()) != s.dim_per_head()) {
    keys.refuse("rope.dimension_count", "asks for a rotary embedding of a part of each head");
  }
  s.rope_scaling = read_divisors(file, s);
  return s;
}

WeightsSource open_gguf(const std::string& path) {
  const auto file = std::make_shared<const GgufFile>(path);
  WeightsSource source;
  source.path = path;
  source.shape = read_gguf_shape(*file);
  check_tensors(*file, source.shape);
  read_specials(*file, source);
  source.bytes = file->size();
  source.files = {path};
  for (const char* key : {"general.name", "general.organization", "general.license"}) {
    if (const auto text = file->text(key)) source.metadata[key] = std::string(text->substr(0, 200));
  }
  source.metadata["gguf"] = gguf_types(*file);
  source.tensor = [file, d = source.shape.dim_per_head()](const ParameterSpec& spec) {
    const bool rotary =
        spec.name.ends_with("q_proj.weight") || spec.name.ends_with("k_proj.weight");
    return read_rows(*file, *file->find(gguf_name(spec.name)), rotary ? d : 0);
  };
  return source;
}

std::string gguf_types(const GgufFile& file) {
  std::map<std::string, int> counts;
  for (const auto& tensor : file.tensors()) ++counts[gguf_type_name(tensor.type)];
  std::vector<std::pair<int, std::string>> order;
  for (const auto& [name, count] : counts) order.emplace_back(-count, name);
  std::sort(order.begin(), order.end());
  std::string out;
  for (const auto& [count, name] : order) {
    out += (out.empty() ? "" : ", ") + std::to_string(-count) + " " + name;
  }
  return out;
}

}  // namespace straq::model
