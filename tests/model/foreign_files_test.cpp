// What a user's folder of weights may hold that no model has: numbers that would become sizes,
// names that lead elsewhere, files of other kinds. Each is refused at once and by name; nothing is
// allocated for a number that was only claimed.
#include <cstring>
#include <ctime>
#include <fstream>
#include <functional>

#include "core/files/files.h"
#include "model/weights/convert_io.h"
#include "model/weights/huggingface.h"
#include "model/weights/llama2c.h"
#include "model/weights/near_miss.h"
#include "model/weights/safetensors.h"
#include "model_helpers.h"
#include "tests/testing.h"

namespace straq::model {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;
using straq::testing::error_of;
using straq::testing::TemporaryFolder;

constexpr const char* kPointer =
    "version https://git-lfs.github.com/spec/v1\noid sha256:12\nsize 4976698672\n";

void expect_words(const std::optional<Error>& error, const std::vector<std::string>& words) {
  ASSERT_TRUE(error);
  EXPECT_EQ(error->kind(), ErrorKind::input);
  const std::string text = error->full();
  for (const auto& w : words) EXPECT_NE(text.find(w), std::string::npos) << w << "\n" << text;
  EXPECT_FALSE(error->hint().empty()) << text;
  EXPECT_LT(text.size(), 2000u);  // a message, not the file
}

// A sound folder whose files a test changes.
class Folder : public ::testing::Test {
 protected:
  Folder() {
    auto shape = testing::small_shape();
    Llama model(shape, at::kFloat, at::kCPU, false);
    model.initialise(3, 0.1);
    save_huggingface(model, folder.path());
    good = Json::parse(read_file(folder.path("config.json")));
  }
  // Opening, inspecting and whatever asks for the shape alone refuse alike, within a second.
  void refused(const std::vector<std::string>& words) {
    const std::clock_t begin = std::clock();  // of this process: a loaded machine is no fault
    expect_words(error_of([&] { inspect_weights(folder.path(), false); }), words);
    EXPECT_LT(std::clock() - begin, CLOCKS_PER_SEC);
  }
  void with_config(const std::function<void(Json&)>& change, std::vector<std::string> words) {
    Json config = good;
    change(config);
    SCOPED_TRACE(config.dump());
    put("config.json", config.dump());
    words.emplace_back("config.json");
    refused(words);
    expect_words(error_of([&] { read_huggingface_config(folder.path()); }), words);
  }
  // Without fsync: there are hundreds.
  void put(const std::string& name, const std::string& bytes) {
    std::ofstream(folder.path(name), std::ios::binary) << bytes;
  }
  void remove(const std::string& name) { fs::remove(folder.path(name)); }

  TemporaryFolder folder;
  Json good;
};

using ForeignConfig = Folder;

TEST_F(ForeignConfig, NumbersThatNoModelHasAreRefusedBeforeTheyAreSizes) {
  for (const char* key :
       {"vocab_size", "hidden_size", "intermediate_size", "num_hidden_layers",
        "num_attention_heads", "num_key_value_heads", "head_dim", "max_position_embeddings"}) {
    for (const auto& value : {Json(1000000000000), Json(-4), Json(0), Json(2.5), Json("4"),
                              Json(true), Json(1e30), Json(18446744073709551615u), Json::array({4}),
                              Json::object(), Json(-9223372036854775807)}) {
      with_config([&](Json& c) { c[key] = value; }, {key, "positive integer"});
    }
  }
}

TEST_F(ForeignConfig, ProductsThatOverflowAreRefusedThoughEachNumberIsPossible) {
  const auto all = [](Json& c) {
    c["hidden_size"] = 1 << 20;
    c["intermediate_size"] = 1 << 24;
    c["num_hidden_layers"] = 10000;
  };
  with_config(all, {"trillion parameters"});
  with_config(
      [](Json& c) {
        c["vocab_size"] = 2147483647;
        c["hidden_size"] = 1 << 20;
        c["num_attention_heads"] = 1 << 16;
        c["num_key_value_heads"] = 1 << 16;
        c["head_dim"] = 1 << 16;
      },
      {"trillion parameters"});
  with_config(
      [](Json& c) {
        c["hidden_size"] = 33;
        c["head_dim"] = nullptr;
      },
      {"multiple of heads"});
  with_config([](Json& c) { c["num_key_value_heads"] = 3; }, {"kv_heads"});
}

TEST_F(ForeignConfig, ManyLayersThatTheWeightsDoNotHaveAreNamed) {
  Json config = good;
  config["num_hidden_layers"] = 9999;
  put("config.json", config.dump());
  refused({"model.layers.3.input_layernorm.weight", "89960 more", "are missing"});
  config["num_hidden_layers"] = 2;
  put("config.json", config.dump());
  refused({"model.layers.2.", "5 more", "not part of"});
}

TEST_F(ForeignConfig, AWholeNumberWrittenWithAPointIsTheNumber) {
  Json config = good;
  config["vocab_size"] = 50.0;
  config["max_position_embeddings"] = 256.0;
  put("config.json", config.dump());
  EXPECT_EQ(read_huggingface_config(folder.path()).shape.vocab, 50);
}

TEST_F(ForeignConfig, OtherKeysOfTheWrongKind) {
  for (const char* key : {"rms_norm_eps", "rope_theta"}) {
    for (const auto& value : {Json("1e-5"), Json(-1), Json(0), Json(nullptr), Json::array()}) {
      if (value.is_null()) continue;  // means that the key is absent
      with_config([&](Json& c) { c[key] = value; }, {key, "positive number"});
    }
  }
  with_config([](Json& c) { c["tie_word_embeddings"] = "yes"; }, {"tie_word_embeddings"});
  with_config([](Json& c) { c["model_type"] = 7; }, {"model_type"});
  with_config([](Json& c) { c["architectures"] = "LlamaForCausalLM"; }, {"architectures", "list"});
  with_config([](Json& c) { c["rope_scaling"] = 2; }, {"rope_scaling", "object"});
  with_config([](Json& c) { c["eos_token_id"] = {1, "</s>"}; }, {"eos_token_id"});
  with_config([](Json& c) { c["bos_token_id"] = -1; }, {"bos_token_id"});
  with_config([](Json& c) { c["bos_token_id"] = 18446744073709551615u; }, {"bos_token_id"});
}

TEST_F(ForeignConfig, NoJsonOrNestedWithoutEnd) {
  const std::string deep(400000, '[');
  for (const auto& text : {deep, std::string("{\"a\": 1e999}"), std::string("{\"a\": \"\xe9\"}"),
                           std::string("[]"), std::string("\xff\xfe{"), std::string()}) {
    put("config.json", text);
    refused({"config.json", "no JSON object"});
  }
  put("config.json", "{\"architectures\": " + std::string(120, '[') + std::string(120, ']') + "}");
  refused({"config.json", "architectures"});
}

TEST_F(ForeignConfig, AnotherArchitectureIsNamedWithWhatDiffers) {
  with_config([](Json& c) { c["model_type"] = "mistral"; }, {"\"mistral\"", "sliding window"});
  with_config([](Json& c) { c["model_type"] = "qwen2"; }, {"\"qwen2\"", "biases"});
  with_config([](Json& c) { c["model_type"] = "qwen2_moe"; }, {"qwen2_moe", "mixtures of experts"});
  with_config([](Json& c) { c["architectures"] = {"Gemma2ForCausalLM"}; }, {"Gemma2", "GELU"});
  with_config([](Json& c) { c["model_type"] = "never_heard_of"; },
              {"never_heard_of", "another architecture"});
  with_config([](Json& c) { c["model_type"] = std::string(400000, 'x'); }, {"model_type"});
}

TEST_F(ForeignConfig, QuantisedWeightsAreNamedByTheirMethod) {
  with_config(
      [](Json& c) {
        c["quantization_config"] = {{"quant_method", "gptq"}, {"bits", 4}};
      },
      {"quantization_config", "gptq", "4 bits"});
  with_config(
      [](Json& c) {
        c["quantization"] = {{"group_size", 64}, {"bits", 8}};
      },
      {"quantization", "8 bits"});
  with_config(
      [](Json& c) {
        c["compression_config"] = {{"quant_method", "compressed-tensors"}};
      },
      {"compression_config", "compressed-tensors"});
}

using ForeignIndex = Folder;

TEST_F(ForeignIndex, NamesThatLeadElsewhereOrNowhere) {
  fs::rename(folder.path("model.safetensors"), folder.path("a.safetensors"));
  const auto index = [&](const Json& file) {
    put("model.safetensors.index.json", Json{{"weight_map", {{"model.norm.weight", file}}}}.dump());
  };
  for (const auto& name :
       {Json("../a.safetensors"), Json("/etc/passwd"), Json(".."), Json("."), Json(""), Json(3),
        Json("x/a.safetensors"), Json(std::string("a.safetensors\0.x", 16)), Json(nullptr)}) {
    SCOPED_TRACE(name.dump());
    index(name);
    refused({"index.json", "model.norm.weight", "no file of the folder"});
  }
  index("b.safetensors");
  refused({"index.json", "b.safetensors", "model.norm.weight", "not in the folder"});
  put("model.safetensors.index.json", "{\"weight_map\": {}}");
  refused({"index.json", "weight_map"});
  put("model.safetensors.index.json", "{\"weight_map\": [1]}");
  refused({"index.json", "weight_map"});
  put("model.safetensors.index.json", std::string(400000, '['));
  refused({"index.json", "no JSON object"});
  put("model.safetensors.index.json", kPointer);
  refused({"index.json", "Git LFS pointer", "git lfs pull"});
  index("a.safetensors");
  EXPECT_NO_THROW(inspect_weights(folder.path(), false));
}

TEST_F(ForeignIndex, AnIndexOfVeryManyTensorsIsReadInTime) {
  fs::rename(folder.path("model.safetensors"), folder.path("a.safetensors"));
  std::string map;
  for (int i = 0; i < 40000; ++i) {
    map += (i ? ",\"t" : "\"t") + std::to_string(i) + "\":\"f" + std::to_string(i) + "\"";
  }
  put("model.safetensors.index.json", "{\"weight_map\": {" + map + "}}");
  refused({"index.json", "not in the folder"});
}

// A file with the given header and so many zero bytes after it.
std::string with_header(const std::string& header, std::size_t data) {
  const std::uint64_t n = header.size();
  std::string bytes(sizeof n, '\0');
  std::memcpy(bytes.data(), &n, sizeof n);
  return bytes + header + std::string(data, '\0');
}

TEST(ForeignSafetensors, HeadersThatContradictTheFileOrThemselves) {
  TemporaryFolder folder;
  const auto path = folder.path("a.safetensors");
  const auto refused = [&](const std::string& bytes, std::vector<std::string> words) {
    SCOPED_TRACE(bytes.substr(0, 200));
    write_file_atomic(path, bytes);
    words.emplace_back("a.safetensors");
    const std::clock_t begin = std::clock();  // of this process: a loaded machine is no fault
    expect_words(error_of([&] { SafetensorsFile file(path); }), words);
    EXPECT_LT(std::clock() - begin, CLOCKS_PER_SEC);
  };
  // Lengths: beyond the file, beyond any header, the largest number there is.
  for (const std::uint64_t n :
       {std::uint64_t{100}, std::uint64_t{200'000'000}, ~std::uint64_t{0}}) {
    std::string bytes(8, '\0');
    std::memcpy(bytes.data(), &n, sizeof n);
    refused(bytes + "{}", {"header should have"});
  }
  // Twice the same name: with the same bytes nothing else would tell.
  const std::string x = R"("x":{"dtype":"F32","shape":[2],"data_offsets":[0,8]})";
  refused(with_header("{" + x + "," + x + "}", 8), {"name x twice"});
  refused(with_header(R"({"e":{"dtype":"F32","shape":[0],"data_offsets":[0,0]},)"
                      R"("e":{"dtype":"F32","shape":[0],"data_offsets":[0,0]}})",
                      0),
          {"name e twice"});
  refused(with_header(R"({"x":{"dtype":"F32","shape":[3],"shape":[2],"data_offsets":[0,8]}})", 8),
          {"name shape twice"});
  // Shapes whose product overflows, though a 0 hides it.
  const auto shape = [&](const std::string& sizes, const char* word) {
    refused(
        with_header(R"({"x":{"dtype":"F32","shape":[)" + sizes + R"(],"data_offsets":[0,0]}})", 0),
        {"tensor x", word});
  };
  shape("0,9223372036854775808", "overflows");
  shape("0,4611686018427387904,4611686018427387904", "overflows");
  shape("4611686018427387904,0", "overflows");
  shape("0,-1", "no list of sizes");
  shape("0,1.5", "no list of sizes");
  shape("0,\"a\"", "no list of sizes");
  std::string ones = "0";
  for (int i = 0; i < 100000; ++i) ones += ",1";
  shape(ones, "100001 dimensions");
  // Offsets that are no counts.
  for (const char* offsets :
       {"[0,1e30]", "[0]", "[0,8,9]", "[-1,7]", "[0,8.5]", "null", "[\"0\",8]",
        "[0,18446744073709551615]", "[0,18446744073709551616]"}) {
    refused(
        with_header(
            std::string(R"({"x":{"dtype":"F32","shape":[2],"data_offsets":)") + offsets + "}}", 8),
        {"tensor x"});
  }
  refused(with_header("{\"x\":" + std::string(400000, '['), 0), {"no JSON object", "nested"});
  refused(with_header("{\"\xff\":1}", 0), {"no JSON object"});
  refused(with_header("", 8), {"no JSON object"});
}

TEST(ForeignSafetensors, AHeaderOfVeryManyTensorsIsReadInTime) {
  TemporaryFolder folder;
  std::string header;
  for (int i = 0; i < 20000; ++i) {
    header += (i ? ",\"t" : "\"t") + std::to_string(i) + R"(":{"dtype":"U8","shape":[1],)" +
              R"("data_offsets":[)" + std::to_string(i) + "," + std::to_string(i + 1) + "]}";
  }
  write_file_atomic(folder.path("a.safetensors"), with_header("{" + header + "}", 20000));
  const std::clock_t begin = std::clock();  // of this process: a loaded machine is no fault
  EXPECT_EQ(SafetensorsFile(folder.path("a.safetensors")).entries().size(), 20000u);
  EXPECT_LT(std::clock() - begin, CLOCKS_PER_SEC);
}

TEST(ForeignLlama2c, SizesWhoseProductsOverflowAreRefused) {
  TemporaryFolder folder;
  const auto header = [&](std::vector<std::int32_t> n) {
    std::string bytes(28 + 64, '\0');
    std::memcpy(bytes.data(), n.data(), 28);
    write_file_atomic(folder.path("m.bin"), bytes);
    return error_of([&] { open_llama2c(folder.path("m.bin")); });
  };
  constexpr std::int32_t big = 1 << 20;
  expect_words(header({big, big, big, 2, 2, big, big}), {"m.bin", "layers"});
  expect_words(header({big, big, 10000, 2, 2, big, big}), {"m.bin", "trillion"});
  expect_words(header({4, 6, 1, 1, 1, std::numeric_limits<std::int32_t>::min(), 5}),
               {"m.bin", "number 6"});
  expect_words(header({0, 0, 0, 0, 0, 0, 0}), {"m.bin", "number 1"});
}

TEST(ForeignShape, AYamlShapeThatNoMachineHoldsIsRefusedAtOnce) {
  TemporaryFolder folder;
  const auto refused = [&](const std::string& yaml, const std::vector<std::string>& words) {
    SCOPED_TRACE(yaml);
    write_file_atomic(folder.path("shape.yaml"), yaml);
    InitialiseOptions options;
    options.vocab = 100;
    expect_words(
        error_of([&] { initialise_weights(folder.path("shape.yaml"), folder.path("m"), options); }),
        words);
    EXPECT_FALSE(fs::exists(folder.path("m")));
  };
  refused("layers: 1000000000000", {"shape.yaml", "layers"});
  refused("hidden: 1000000000000", {"shape.yaml", "hidden"});
  refused("{hidden: 1048576, inner: 65536, heads: 8, kv_heads: 8, layers: 1}",
          {"shape.yaml", "memory"});
  refused("{hidden: 1048576, inner: 16777216, heads: 8, kv_heads: 8, layers: 10000}",
          {"shape.yaml", "trillion"});
  refused("heads: 3", {"shape.yaml", "multiple"});
  // Whoever asks a shape for its parameters or their number, without asking check() first.
  LlamaShape shape = testing::small_shape();
  shape.layers = 1000000000000;
  expect_words(error_of([&] { parameter_specs(shape); }), {"layers"});
  expect_words(error_of([&] { shape.parameter_count(); }), {"layers"});
}

TEST(Shapes, TheNumberOfParametersIsThatOfTheirList) {
  for (const bool tied : {true, false}) {
    LlamaShape shape = testing::small_shape();
    shape.tied = tied;
    shape.head_dim = 6;
    std::int64_t n = 0;
    for (const auto& spec : parameter_specs(shape)) {
      std::int64_t m = 1;
      for (const auto d : spec.shape) m *= d;
      n += m;
    }
    EXPECT_EQ(shape.parameter_count(), n);
  }
}

// ---- files and folders that are something else

using NearMisses = Folder;

TEST_F(NearMisses, PointersOfGitLfsInPlaceOfEachFile) {
  put("model.safetensors", kPointer);
  refused({"model.safetensors", "Git LFS pointer", "4976698672", "git lfs pull"});
  put("config.json", kPointer);
  refused({"config.json", "Git LFS pointer", "git lfs pull"});
  put("stories.bin", kPointer);
  expect_words(error_of([&] { inspect_weights(folder.path("stories.bin"), false); }),
               {"stories.bin", "Git LFS pointer"});
}

TEST_F(NearMisses, FilesOfOtherFormatsUnderTheRightName) {
  const std::string rest(600, '\x01');
  const std::vector<std::pair<std::string, const char*>> files = {
      {"GGUF" + rest, "GGUF"},
      {"PK\x03\x04" + rest, "torch.save"},
      {"\x80\x02}q" + rest, "torch.save"},
      {"\x89HDF\r\n\x1a\n" + rest, "HDF5"},
      {"<!DOCTYPE html>\n<html>", "web page"},
      {"<html lang=\"en\">", "web page"},
      {"\x1f\x8b\x08" + rest, "archive"},
      {"model.safetensors" + std::string(240, '\0') + "ustar" + rest, "archive"},
      {"", "empty"},
  };
  for (const auto& [bytes, word] : files) {
    put("model.safetensors", bytes);
    refused({"model.safetensors", word});
    put("m.bin", bytes);
    expect_words(error_of([&] { inspect_weights(folder.path("m.bin"), false); }), {"m.bin", word});
  }
}

TEST_F(NearMisses, AFileNamedInPlaceOfWeights) {
  const auto named = [&](const std::string& name, const std::vector<std::string>& words) {
    put(name, "some bytes");
    expect_words(error_of([&] { open_weights(folder.path(name)); }), words);
  };
  named("m.gguf", {"m.gguf", "does not begin as one", "Hugging Face folder"});
  named("m.onnx", {"m.onnx", "ONNX"});
  named("m.pt", {"m.pt", "torch.save", "save_pretrained"});
  named("consolidated.00.pth", {"torch.save"});
  named("tokenizer.json", {"tokenizer"});
  named("shape.yaml", {"straq model init"});
  expect_words(error_of([&] { open_weights(folder.path("model.safetensors")); }),
               {"model.safetensors", "name its folder"});
  expect_words(error_of([&] { open_weights(folder.path("config.json")); }), {"name its folder"});
}

TEST_F(NearMisses, AFolderWithWeightsOfAnotherKindOnly) {
  remove("model.safetensors");
  const auto with = [&](const std::string& name, const std::vector<std::string>& words) {
    put(name, "some bytes");
    refused(words);
    remove(name);
  };
  with("pytorch_model.bin", {"pytorch_model.bin", "no safetensors", "save_pretrained"});
  with("pytorch_model.bin.index.json", {"pytorch_model.bin.index.json", "no safetensors"});
  with("llama-q4.gguf", {"llama-q4.gguf", "GGUF", "name the file"});
  with("flax_model.msgpack", {"flax_model.msgpack", "Flax"});
  with("tf_model.h5", {"tf_model.h5", "Keras"});
  with("model-00001-of-00002.safetensors", {"model-00001-of-00002", "index.json"});
  with("consolidated.safetensors", {"consolidated.safetensors"});
  with("notes.txt", {"neither model.safetensors", "download the weights"});
  fs::create_symlink("/absent/blob", folder.path("model.safetensors"));
  refused({"model.safetensors", "symbolic link", "/absent/blob"});
}

TEST_F(NearMisses, AnAdapterIsToldWithItsBaseModel) {
  TemporaryFolder adapter;
  write_file_atomic(adapter.path("adapter_config.json"),
                    R"({"peft_type": "LORA", "base_model_name_or_path": "someone/Llama-1B"})");
  write_file_atomic(adapter.path("adapter_model.safetensors"), "bytes");
  write_file_atomic(adapter.path("tokenizer.json"), "{}");
  for (const auto& open : std::vector<std::function<void()>>{
           [&] { inspect_weights(adapter.path(), false); },
           [&] { load_huggingface(adapter.path(), at::kFloat, at::kCPU); }}) {
    expect_words(error_of(open), {"adapter", "someone/Llama-1B", "merge"});
  }
  // What the adapter's file says is not believed further than it goes.
  for (const auto& text : {std::string("{"), std::string(400000, '['), std::string("[1]"),
                           std::string(R"({"base_model_name_or_path": 7})")}) {
    write_file_atomic(adapter.path("adapter_config.json"), text);
    expect_words(error_of([&] { inspect_weights(adapter.path(), false); }), {"adapter", "merge"});
  }
}

TEST_F(NearMisses, FoldersThatAreNoModel) {
  TemporaryFolder other;
  const auto refused_folder = [&](const std::vector<std::string>& words) {
    expect_words(error_of([&] { inspect_weights(other.path("f"), false); }), words);
    expect_words(error_of([&] { open_huggingface(other.path("f")); }), words);
    fs::remove_all(other.path("f"));
  };
  fs::create_directories(other.path("f"));
  refused_folder({"is empty"});
  write_file_atomic(other.path("f/tokenizer.model"), "x");
  refused_folder({"tokenizer.model", "no model"});
  write_file_atomic(other.path("f/params.json"), "{\"dim\": 4096}");
  write_file_atomic(other.path("f/consolidated.00.pth"), "PK");
  refused_folder({"Meta's original form", "convert_llama_weights_to_hf.py"});
  write_file_atomic(other.path("f/model.safetensors"), "x");
  refused_folder({"model.safetensors", "no config.json"});
  write_file_atomic(other.path("f/config.yaml"), "x");
  write_file_atomic(other.path("f/metrics.jsonl"), "");
  refused_folder({"no planner yet", "goes on"});
  // One level, and a download cache's two, too high.
  fs::create_directories(other.path("f/inner"));
  fs::copy_file(folder.path("config.json"), other.path("f/inner/config.json"));
  write_file_atomic(other.path("f/tokenizer.model"), "x");
  refused_folder({"below it", "inner", "name " + other.path("f/inner")});
  fs::create_directories(other.path("f/snapshots/0e9e39f"));
  fs::create_directories(other.path("f/refs"));
  fs::copy_file(folder.path("config.json"), other.path("f/snapshots/0e9e39f/config.json"));
  refused_folder({"snapshots/0e9e39f"});
}

TEST_F(NearMisses, WeightsUnderAnotherPrefixAreTold) {
  const SafetensorsFile file(folder.path("model.safetensors"));
  std::vector<std::pair<std::string, at::Tensor>> tensors;
  for (const auto& e : file.entries()) {
    tensors.emplace_back("base_model.model." + e.name, file.tensor(e.name).clone());
  }
  write_safetensors(folder.path("model.safetensors"), tensors);
  refused({"model.embed_tokens.weight", "are missing", "base_model.model.model."});
}

}  // namespace
}  // namespace straq::model
