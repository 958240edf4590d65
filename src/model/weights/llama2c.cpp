#include "model/weights/llama2c.h"

#include <ATen/ops/from_blob.h>

#include <array>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <unordered_map>

#include "core/error.h"
#include "core/files/mapped_file.h"
#include "model/weights/near_miss.h"

namespace straq::model {
namespace {

constexpr const char* hint =
    "name a checkpoint of llama2.c in its first form (stories260K.bin, stories15M.bin)";
constexpr std::uint32_t later_versions_magic = 0x616b3432;  // "ak42"
constexpr std::int64_t header_bytes = 7 * sizeof(std::int32_t);
// A header of random bytes must not make the sizes overflow.
constexpr std::int64_t largest_size = 1 << 20;

struct Header {
  LlamaShape shape;
  bool separate_output = false;
};

Header read_header(const MappedFile& map, const std::string& path) {
  std::array<std::int32_t, 7> n{};
  if (map.size() < header_bytes) {
    fail_input(path + ": " + std::to_string(map.size()) + " bytes, too short for a header", hint);
  }
  std::memcpy(n.data(), map.data(), header_bytes);
  if (static_cast<std::uint32_t>(n[0]) == later_versions_magic) {
    fail_input(
        path + ": version " + std::to_string(n[1]) + " of llama2.c's format is not supported",
        "export the model again with --version 0, or as a Hugging Face folder");
  }
  Header h;
  // A negative vocabulary says that the output projection is not the embedding.
  h.separate_output = n[5] < 0;
  for (std::size_t i = 0; i < n.size(); ++i) {
    const std::int64_t size = i == 5 ? std::llabs(n[i]) : n[i];
    if (size < 1 || size > largest_size) {
      fail_input(path + ": the header's number " + std::to_string(i + 1) + " is " +
                     std::to_string(n[i]) + ": no llama2.c checkpoint",
                 hint);
    }
  }
  LlamaShape& s = h.shape;
  s.hidden = n[0];
  s.inner = n[1];
  s.layers = n[2];
  s.heads = n[3];
  s.kv_heads = n[4];
  s.vocab = std::llabs(n[5]);
  s.max_positions = n[6];
  s.rope_theta = 10000.0;
  s.norm_eps = 1e-5;
  s.tied = !h.separate_output;
  try {
    s.check();
  } catch (const Error& e) {
    fail_input(path + ": " + e.what(), hint);
  }
  return h;
}

// Rows of a projection from pairs side by side, (2i, 2i + 1), to halves, (i, i + d / 2).
at::Tensor pairs_to_halves(const at::Tensor& w, std::int64_t heads) {
  const auto rows = w.size(0), columns = w.size(1);
  return w.view({heads, rows / heads / 2, 2, columns}).transpose(1, 2).reshape({rows, columns});
}

}  // namespace

WeightsSource open_llama2c(const std::string& path) {
  const auto map = std::make_shared<const MappedFile>(path, hint);
  refuse_foreign_content(path);
  const Header header = read_header(*map, path);
  const LlamaShape& s = header.shape;
  const auto d = s.dim_per_head();

  // Floats before each array; those of the layers lie together, layer by layer.
  struct Place {
    std::int64_t offset = 0, per_layer = 0;
  };
  std::unordered_map<std::string, Place> places;
  std::int64_t next = 0;
  const auto whole = [&](const char* name, std::int64_t count) {
    places[name] = {next, 0};
    next += count;
  };
  const auto layers = [&](const char* name, std::int64_t count) {
    places[name] = {next, count};
    next += s.layers * count;
  };
  whole("model.embed_tokens.weight", s.vocab * s.hidden);
  layers("input_layernorm.weight", s.hidden);
  layers("self_attn.q_proj.weight", s.heads * d * s.hidden);
  layers("self_attn.k_proj.weight", s.kv_heads * d * s.hidden);
  layers("self_attn.v_proj.weight", s.kv_heads * d * s.hidden);
  layers("self_attn.o_proj.weight", s.hidden * s.heads * d);
  layers("post_attention_layernorm.weight", s.hidden);
  layers("mlp.gate_proj.weight", s.inner * s.hidden);
  layers("mlp.down_proj.weight", s.hidden * s.inner);
  layers("mlp.up_proj.weight", s.inner * s.hidden);
  whole("model.norm.weight", s.hidden);
  next += 2 * s.max_positions * (d / 2);  // cosines and sines
  if (header.separate_output) whole("lm_head.weight", s.vocab * s.hidden);

  const auto expected = static_cast<std::uint64_t>(header_bytes + next * 4);
  if (map->size() != expected) {
    fail_input(path + ": the header asks for " + std::to_string(expected) +
                   " bytes but the file has " + std::to_string(map->size()),
               std::string("the file is truncated or no llama2.c checkpoint; ") + hint);
  }

  WeightsSource source;
  source.path = path;
  source.shape = s;
  source.dtype = at::kFloat;
  source.bos_token_id = 1;
  source.eos_token_ids = {2};
  source.bytes = map->size();
  source.files = {path};
  source.tensor = [map, places, s](const ParameterSpec& spec) {
    constexpr std::string_view prefix = "model.layers.";
    std::string name = spec.name;
    std::int64_t layer = 0;
    if (name.starts_with(prefix)) {
      const auto dot = name.find('.', prefix.size());
      layer = std::stoll(name.substr(prefix.size(), dot - prefix.size()));
      name = name.substr(dot + 1);
    }
    const Place& place = places.at(name);
    char* data = map->data() + header_bytes + 4 * (place.offset + layer * place.per_layer);
    const at::Tensor values = at::from_blob(
        data, spec.shape, [map](void*) {}, at::kFloat);
    if (name == "self_attn.q_proj.weight") return pairs_to_halves(values, s.heads);
    if (name == "self_attn.k_proj.weight") return pairs_to_halves(values, s.kv_heads);
    return values;
  };
  return source;
}

}  // namespace straq::model
