// Llama models in GGUF files: the weights that went in come out, in Hugging Face's layout; what
// this decoder would compute in another way is refused by name.
#include "model/weights/gguf.h"

#include <cmath>
#include <cstring>
#include <numbers>

#include "core/files/files.h"
#include "core/hash.h"
#include "model/weights/convert_io.h"
#include "model/weights/dequantize.h"
#include "model/weights/huggingface.h"
#include "model/weights/open_model.h"
#include "model_helpers.h"
#include "tests/gguf_writer.h"
#include "tests/testing.h"
#include "text/tokenizer.h"

namespace straq::model {
namespace {

using straq::testing::error_of;
using straq::testing::GgufWriter;
using straq::testing::TemporaryFolder;

// Each type's output on made-up blocks, as the Python package `gguf` 0.19 has it: the first digits
// of the SHA-256 of its fp32 bytes.
TEST(Dequantize, EveryTypeIsTheReferenceToTheBit) {
  struct Golden {
    GgufType type;
    int block, bytes;
    std::vector<int> halves;  // high bytes of fp16 numbers in a block, kept finite
    const char* sha256;
  };
  const std::vector<Golden> goldens = {{GgufType::f16, 1, 2, {1}, "344d6999e1523ce6"},
                                       {GgufType::bf16, 1, 2, {1}, "15945808114c62ee"},
                                       {GgufType::f32, 1, 4, {3}, "81258472edc73c16"},
                                       {GgufType::q4_0, 32, 18, {1}, "e7f9072ca8c3c7ff"},
                                       {GgufType::q4_1, 32, 20, {1, 3}, "00ea8277e64cf06d"},
                                       {GgufType::q5_0, 32, 22, {1}, "95a36ddd16bf8ecd"},
                                       {GgufType::q5_1, 32, 24, {1, 3}, "6e630620f963640a"},
                                       {GgufType::q8_0, 32, 34, {1}, "66f24f24de4f2d19"},
                                       {GgufType::q4_k, 256, 144, {1, 3}, "4692b957b507fa01"},
                                       {GgufType::q5_k, 256, 176, {1, 3}, "802ee002dbd0ebfc"},
                                       {GgufType::q6_k, 256, 210, {209}, "99e5fe042f4b1ee4"}};
  for (const auto& g : goldens) {
    ASSERT_TRUE(can_dequantize(g.type));
    const int blocks = g.block > 1 ? 8 : 256;
    std::string bytes;
    for (int i = 0; i < blocks * g.bytes; ++i) {
      bytes += static_cast<char>((i * i * 7 + i * 37 + 11 + (i >> 3)) & 255);
    }
    for (int b = 0; b < blocks; ++b) {
      for (const int at : g.halves) {
        char& high = bytes[static_cast<std::size_t>(b * g.bytes + at)];
        high = static_cast<char>(high & 0xBF);
      }
    }
    std::vector<float> out(static_cast<std::size_t>(blocks * g.block));
    dequantize(g.type, bytes.data(), blocks * g.block, out.data());
    const std::string_view view(reinterpret_cast<const char*>(out.data()), out.size() * 4);
    EXPECT_EQ(sha256_hex(view).substr(0, 16), g.sha256) << gguf_type_name(g.type);
  }
  EXPECT_FALSE(can_dequantize(static_cast<GgufType>(10)));
}

TEST(Dequantize, HalvesAtTheEdges) {
  const std::vector<std::pair<std::uint16_t, float>> cases = {
      {0x0000, 0.0f},        {0x8000, -0.0f},    {0x0001, 0x1p-24f},
      {0x83FF, -0x3FFp-24f}, {0x0400, 0x1p-14f}, {0x3C00, 1.0f},
      {0x7BFF, 65504.0f},    {0x7C00, INFINITY}, {0xFC00, -INFINITY}};
  for (const auto& [bits, value] : cases) {
    float out = 1;
    dequantize(GgufType::f16, reinterpret_cast<const char*>(&bits), 1, &out);
    EXPECT_EQ(out, value);
    EXPECT_EQ(std::signbit(out), std::signbit(value));
  }
}

class GgufModel : public ::testing::Test {
 protected:
  GgufModel() {
    shape = testing::small_shape();
    shape.norm_eps = 1e-5;
  }

  static std::vector<float> values_of(const at::Tensor& t) {
    const at::Tensor flat = t.contiguous().to(at::kFloat);
    const float* data = flat.data_ptr<float>();
    return {data, data + flat.numel()};
  }
  static std::vector<std::uint64_t> shape_of(const at::Tensor& t) {
    return {t.sizes().begin(), t.sizes().end()};
  }
  // From halves, (i, i + d / 2), to pairs side by side, as the converter lays rows.
  static at::Tensor to_pairs(const at::Tensor& w, std::int64_t heads) {
    return w.view({heads, 2, w.size(0) / heads / 2, w.size(1)}).transpose(1, 2).reshape(w.sizes());
  }

  void put_keys() {
    writer.put("general.architecture", "llama");
    writer.put("general.name", "A small one");
    const auto put = [&](const std::string& key, std::int64_t value) {
      if (value > 0) writer.put("llama." + key, static_cast<std::uint32_t>(value));
    };
    put("embedding_length", shape.hidden);
    put("feed_forward_length", shape.inner);
    put("block_count", shape.layers);
    put("attention.head_count", shape.heads);
    put("attention.head_count_kv", shape.kv_heads);
    put("attention.key_length", shape.head_dim);
    put("context_length", shape.max_positions);
    writer.put("llama.attention.layer_norm_rms_epsilon", static_cast<float>(shape.norm_eps));
    writer.put("llama.rope.freq_base", static_cast<float>(shape.rope_theta));
    writer.put("tokenizer.ggml.bos_token_id", 1);
    writer.put("tokenizer.ggml.eos_token_id", 2);
    writer.put("tokenizer.ggml.eot_token_id", 3);
  }

  void put_tensors(const Llama& model, const std::string& without = {}) {
    const auto put = [&](const std::string& name, const at::Tensor& t) {
      if (name != without) writer.floats(name, shape_of(t), values_of(t));
    };
    const auto& arena = model.parameters();
    put("token_embd.weight", arena["model.embed_tokens.weight"]);
    for (std::int64_t i = 0; i < shape.layers; ++i) {
      const std::string from = "model.layers." + std::to_string(i) + ".";
      const std::string to = "blk." + std::to_string(i) + ".";
      put(to + "attn_norm.weight", arena[from + "input_layernorm.weight"]);
      put(to + "attn_q.weight", to_pairs(arena[from + "self_attn.q_proj.weight"], shape.heads));
      put(to + "attn_k.weight", to_pairs(arena[from + "self_attn.k_proj.weight"], shape.kv_heads));
      put(to + "attn_v.weight", arena[from + "self_attn.v_proj.weight"]);
      put(to + "attn_output.weight", arena[from + "self_attn.o_proj.weight"]);
      put(to + "ffn_norm.weight", arena[from + "post_attention_layernorm.weight"]);
      put(to + "ffn_gate.weight", arena[from + "mlp.gate_proj.weight"]);
      put(to + "ffn_up.weight", arena[from + "mlp.up_proj.weight"]);
      put(to + "ffn_down.weight", arena[from + "mlp.down_proj.weight"]);
    }
    put("output_norm.weight", arena["model.norm.weight"]);
    if (!shape.tied) put("output.weight", arena["lm_head.weight"]);
  }

  Llama random_model() {
    Llama model(shape, at::kFloat, at::kCPU, false);
    model.initialise(3, 0.1);
    return model;
  }
  std::string write() {
    write_file_atomic(folder.path("m.gguf"), writer.bytes());
    return folder.path("m.gguf");
  }
  void refused(const std::vector<std::string>& words) {
    const auto error = error_of([&] { open_gguf(write()); });
    ASSERT_TRUE(error);
    EXPECT_EQ(error->kind(), ErrorKind::input);
    for (const auto& word : words) {
      EXPECT_NE(error->full().find(word), std::string::npos) << error->full();
    }
    EXPECT_FALSE(error->hint().empty());
  }

  LlamaShape shape;
  GgufWriter writer;
  TemporaryFolder folder;
};

TEST_F(GgufModel, WeightsComeOutAsTheyWentIn) {
  for (const bool tied : {true, false}) {
    for (const std::int64_t head_dim : {0, 12}) {
      shape.tied = tied;
      shape.head_dim = head_dim;
      writer = {};
      put_keys();
      const Llama model = random_model();
      put_tensors(model);
      const WeightsSource source = open_gguf(write());
      EXPECT_EQ(source.shape.tied, tied);
      EXPECT_EQ(source.shape.dim_per_head(), shape.dim_per_head());
      EXPECT_EQ(source.shape.norm_eps, 1e-5);
      EXPECT_EQ(source.shape.vocab, shape.vocab);
      EXPECT_EQ(source.bos_token_id, 1);
      EXPECT_EQ(source.eos_token_ids, (std::vector<std::int64_t>{2, 3}));
      EXPECT_EQ(source.metadata.at("general.name"), "A small one");
      for (const auto& spec : model.parameters().specs()) {
        EXPECT_TRUE(at::equal(source.tensor(spec), model.parameters()[spec.name])) << spec.name;
      }
    }
  }
}

TEST_F(GgufModel, IsFoundByItsFirstBytesAndImportedAsAFolder) {
  put_keys();
  const Llama model = random_model();
  put_tensors(model);
  const std::string path = write();
  EXPECT_EQ(read_model_head(path).shape.hidden, shape.hidden);
  EXPECT_EQ(open_model(path).files, std::vector<std::string>{path});
  const auto tables = inspect_weights(path, false);
  EXPECT_EQ(tables[1].rows[1][0].text, "blk.*.attn_norm.weight");
  convert_weights(path, folder.path("out"), {});
  const Llama again = load_huggingface(folder.path("out"), at::kFloat, at::kCPU);
  EXPECT_TRUE(at::equal(again.parameters().flat(), model.parameters().flat()));
  ConvertOptions half;
  half.dtype = at::kBFloat16;
  convert_weights(path, folder.path("half"), half);
  EXPECT_EQ(read_huggingface_config(folder.path("half")).dtype, at::kBFloat16);
}

std::vector<float> divisors(const LlamaShape& shape, double factor, double original) {
  std::vector<float> out;
  for (std::int64_t i = 0; i < shape.dim_per_head() / 2; ++i) {
    const double frequency =
        std::pow(shape.rope_theta,
                 -2.0 * static_cast<double>(i) / static_cast<double>(shape.dim_per_head()));
    const double wavelength = 2 * std::numbers::pi / frequency, s = (original / wavelength - 1) / 3;
    out.push_back(static_cast<float>(wavelength < original / 4 ? 1
                                     : wavelength > original   ? factor
                                                               : 1 / ((1 - s) / factor + s)));
  }
  return out;
}

TEST_F(GgufModel, RotaryDivisorsAreLlama3Scaling) {
  shape.head_dim = 64;
  shape.rope_theta = 500000;
  for (const double factor : {8.0, 32.0, 1.0}) {
    writer = {};
    put_keys();
    put_tensors(random_model());
    writer.floats("rope_freqs.weight", {32}, divisors(shape, factor, 8192));
    const auto scaling = open_gguf(write()).shape.rope_scaling;
    ASSERT_EQ(scaling.has_value(), factor > 1);
    if (!scaling) continue;
    EXPECT_EQ(scaling->factor, factor);
    EXPECT_EQ(scaling->original_max_positions, 8192);
    // What the divisors mean: each frequency of the unscaled shape divided by its own.
    LlamaShape scaled = shape;
    scaled.rope_scaling = scaling;
    const at::Tensor expected = rope_frequencies(shape) / at::tensor(divisors(shape, factor, 8192));
    EXPECT_TRUE(at::allclose(rope_frequencies(scaled), expected, 1e-5, 0));
  }
  writer = {};
  put_keys();
  put_tensors(random_model());
  writer.floats("rope_freqs.weight", {32}, divisors(shape, 8, 4096));
  refused({"rope_freqs.weight", "other divisors", "8192"});
}

TEST_F(GgufModel, OtherArchitecturesAndOptionsAreRefusedByName) {
  writer.put("general.architecture", "qwen2");
  refused({"qwen2", "biases"});
  writer = {};
  refused({"general.architecture", "missing"});
  const auto with = [&](const std::string& key, const auto& value,
                        const std::vector<std::string>& words) {
    writer = {};
    put_keys();
    writer.put("llama." + key, value);
    put_tensors(random_model());
    refused(words);
  };
  with("expert_count", 8, {"expert_count", "mixtures of experts"});
  with("attention.sliding_window", 4096, {"sliding_window"});
  with("rope.scaling.type", "yarn", {"rope.scaling.type", "yarn"});
  with("rope.dimension_count", 4, {"rope.dimension_count"});
  with("vocab_size", 60, {"token_embd.weight", "[60, 32]"});
}

TEST_F(GgufModel, TensorsThatDoNotFitAreRefusedByName) {
  put_keys();
  put_tensors(random_model(), "blk.1.ffn_up.weight");
  refused({"blk.1.ffn_up.weight", "missing"});
  writer = {};
  put_keys();
  put_tensors(random_model());
  writer.floats("blk.0.attn_q.bias", {32}, std::vector<float>(32));
  refused({"blk.0.attn_q.bias", "not part of"});
  writer = {};
  put_keys();
  put_tensors(random_model(), "output_norm.weight");
  writer.tensor("output_norm.weight", {32}, 20, std::string(18, '\0'));
  refused({"output_norm.weight", "IQ4_NL", "Q4_K_M"});
  writer = {};
  put_keys();
  put_tensors(random_model(), "output_norm.weight");
  writer.floats("output_norm.weight", {16, 2}, std::vector<float>(32));
  refused({"output_norm.weight", "[16, 2]"});
}

TEST_F(GgufModel, SizesBeyondEveryModelAreRefused) {
  for (const std::string key : {"embedding_length", "feed_forward_length", "block_count",
                                "attention.head_count", "context_length"}) {
    for (const std::int64_t value : {std::int64_t{0}, std::int64_t{1} << 40, std::int64_t{-1}}) {
      writer = {};
      writer.put("general.architecture", "llama");
      // Keys are looked at in order: the others are right.
      for (const auto& [name, right] :
           std::vector<std::pair<std::string, int>>{{"embedding_length", 32},
                                                    {"feed_forward_length", 48},
                                                    {"block_count", 3},
                                                    {"attention.head_count", 4},
                                                    {"context_length", 64}}) {
        if (name == key) {
          writer.key("llama." + name, 11, GgufWriter::raw(value));
        } else {
          writer.put("llama." + name, right);
        }
      }
      refused({"llama." + key});
    }
  }
}

}  // namespace
}  // namespace straq::model
