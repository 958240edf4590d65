#include "model/weights/huggingface.h"

#include <algorithm>
#include <functional>
#include <nlohmann/json.hpp>
#include <set>

#include "core/files/files.h"
#include "model/weights/safetensors.h"
#include "model_helpers.h"
#include "tests/testing.h"

namespace straq::model {
namespace {

using Json = nlohmann::ordered_json;
using straq::testing::error_of;
using straq::testing::TemporaryFolder;

Llama random_model(bool tied, bool scaled = false, at::ScalarType dtype = at::kFloat) {
  auto shape = testing::small_shape();
  shape.tied = tied;
  shape.rope_theta = 5000;
  if (scaled) shape.rope_scaling = Llama3RopeScaling{8.0, 1.0, 4.0, 64};
  Llama model(shape, dtype, at::kCPU, false);
  model.initialise(11, 0.1);
  return model;
}

Json config_of(const TemporaryFolder& folder) {
  return Json::parse(read_file(folder.path("config.json")));
}

void put_config(const TemporaryFolder& folder, const Json& config) {
  write_file_atomic(folder.path("config.json"), config.dump());
}

using Tensors = std::vector<std::pair<std::string, at::Tensor>>;

Tensors tensors_of(const Llama& model) {
  Tensors tensors;
  for (const auto& spec : model.parameters().specs()) {
    tensors.emplace_back(spec.name, model.parameters()[spec.name]);
  }
  return tensors;
}

Llama load(const TemporaryFolder& folder) {
  return load_huggingface(folder.path(), at::kFloat, at::kCPU);
}

void expect_refused(const TemporaryFolder& folder, const std::vector<std::string>& words) {
  const auto error = error_of([&] { load(folder); });
  ASSERT_TRUE(error);
  EXPECT_EQ(error->kind(), ErrorKind::input);
  for (const auto& w : words) {
    EXPECT_NE(std::string(error->what()).find(w), std::string::npos) << error->what();
  }
  EXPECT_FALSE(error->hint().empty());
}

TEST(HuggingFace, WhatIsSavedIsLoadedTiedOrNotScaledOrNot) {
  for (const bool tied : {true, false}) {
    for (const bool scaled : {true, false}) {
      TemporaryFolder folder;
      const auto model = random_model(tied, scaled);
      auto source = weights_of(model);
      source.bos_token_id = 1;
      source.eos_token_ids = {2, 7};
      SaveOptions options;
      options.metadata["made_by"] = "a test";
      write_huggingface(source, folder.path(), options);
      const auto back = load(folder);
      EXPECT_EQ(config::to_yaml(config::dump(back.shape())), config::to_yaml(config::dump([&] {
                  auto s = model.shape();
                  s.head_dim = s.dim_per_head();  // the file spells it out
                  return s;
                }())));
      EXPECT_EQ(back.parameters().checksum(), model.parameters().checksum());
      const SafetensorsFile file(folder.path("model.safetensors"));
      EXPECT_EQ(file.find("lm_head.weight") == nullptr, tied);
      EXPECT_EQ(file.metadata().at("made_by"), "a test");
      EXPECT_EQ(file.metadata().at("format"), "pt");
      const auto config = read_huggingface_config(folder.path());
      EXPECT_EQ(config.dtype, at::kFloat);
      EXPECT_EQ(config.bos_token_id, 1);
      EXPECT_EQ(config.eos_token_ids, (std::vector<std::int64_t>{2, 7}));
    }
  }
}

TEST(HuggingFace, APrecisionIsKeptOnDiskAndWidenedWhenAskedFor) {
  TemporaryFolder folder;
  const auto model = random_model(true, false, at::kBFloat16);
  save_huggingface(model, folder.path());
  EXPECT_EQ(read_huggingface_config(folder.path()).dtype, at::kBFloat16);
  const auto wide = load(folder);
  EXPECT_TRUE(at::equal(wide.parameters().flat(), model.parameters().flat().to(at::kFloat)));
}

TEST(HuggingFace, KeysOfTransformers4And5MeanTheSame) {
  TemporaryFolder folder;
  save_huggingface(random_model(true, true), folder.path());
  const auto both = config_of(folder);
  auto v4 = both, v5 = both;
  for (const char* key : {"rope_parameters", "dtype"}) v4.erase(key);
  for (const char* key : {"rope_theta", "rope_scaling", "torch_dtype"}) v5.erase(key);
  for (const auto& config : {v4, v5}) {
    put_config(folder, config);
    const auto read = read_huggingface_config(folder.path());
    EXPECT_EQ(read.shape.rope_theta, 5000);
    ASSERT_TRUE(read.shape.rope_scaling);
    EXPECT_EQ(read.shape.rope_scaling->original_max_positions, 64);
    EXPECT_EQ(read.dtype, at::kFloat);
  }
  // Older files of version 4 say "type" and leave out what is default.
  v4["rope_scaling"].erase("rope_type");
  v4["rope_scaling"]["type"] = "llama3";
  for (const char* key : {"head_dim", "attention_bias", "mlp_bias", "hidden_act"}) v4.erase(key);
  put_config(folder, v4);
  EXPECT_EQ(read_huggingface_config(folder.path()).shape.rope_scaling->factor, 8);
}

TEST(HuggingFace, WhatWouldBeComputedDifferentlyIsRefusedByName) {
  TemporaryFolder folder;
  save_huggingface(random_model(true, true), folder.path());
  const auto good = config_of(folder);
  const auto refused = [&](std::function<void(Json&)> change, std::vector<std::string> words) {
    Json config = good;
    change(config);
    put_config(folder, config);
    SCOPED_TRACE(config.dump());
    words.push_back("config.json");
    expect_refused(folder, words);
  };
  refused([](Json& c) { c["attention_bias"] = true; }, {"attention_bias"});
  refused([](Json& c) { c["mlp_bias"] = true; }, {"mlp_bias"});
  refused([](Json& c) { c["model_type"] = "qwen2"; }, {"model_type", "qwen2"});
  refused([](Json& c) { c["architectures"] = {"MistralForCausalLM"}; }, {"MistralForCausalLM"});
  refused([](Json& c) { c["hidden_act"] = "gelu"; }, {"hidden_act", "gelu"});
  refused([](Json& c) { c["quantization_config"] = {{"bits", 4}}; }, {"quantization_config"});
  refused(
      [](Json& c) {
        c["rope_scaling"] = {{"type", "linear"}, {"factor", 2.0}};
      },
      {"rope_scaling.rope_type", "linear"});
  refused([](Json& c) { c["rope_parameters"]["rope_type"] = "yarn"; },
          {"rope_parameters.rope_type", "yarn"});
  refused([](Json& c) { c["rope_theta"] = 10000.0; }, {"rope_theta", "contradicts"});
  refused([](Json& c) { c["rope_scaling"]["factor"] = 32.0; }, {"rope_scaling", "contradicts"});
  refused([](Json& c) { c["rope_parameters"].erase("factor"); }, {"rope_parameters.factor"});
  refused([](Json& c) { c.erase("vocab_size"); }, {"vocab_size", "missing"});
  refused([](Json& c) { c["hidden_size"] = "32"; }, {"hidden_size"});
  refused([](Json& c) { c["num_key_value_heads"] = 3; }, {"kv_heads"});
  write_file_atomic(folder.path("config.json"), "{");
  expect_refused(folder, {"config.json", "no JSON"});
}

TEST(HuggingFace, AMissingExtraOrMisshapenTensorIsNamed) {
  TemporaryFolder folder;
  const auto model = random_model(false);
  save_huggingface(model, folder.path());
  const auto weights = folder.path("model.safetensors");
  const std::string name = "model.layers.1.mlp.up_proj.weight";

  auto tensors = tensors_of(model);
  std::erase_if(tensors, [&](const auto& t) { return t.first == name; });
  write_safetensors(weights, tensors);
  expect_refused(folder, {name, "missing"});

  tensors.emplace_back(name, at::zeros({48, 31}));
  write_safetensors(weights, tensors);
  expect_refused(folder, {"model.safetensors", name, "[48, 31]", "[48, 32]"});

  tensors = tensors_of(model);
  tensors.emplace_back("model.layers.0.self_attn.q_proj.bias", at::zeros({32}));
  write_safetensors(weights, tensors);
  expect_refused(folder, {"q_proj.bias", "not part of"});

  tensors.back() = {"model.layers.0.self_attn.rotary_emb.inv_freq", at::zeros({4})};
  write_safetensors(weights, tensors);
  EXPECT_EQ(load(folder).parameters().checksum(), model.parameters().checksum());

  std::filesystem::remove(weights);
  expect_refused(folder, {"neither model.safetensors"});
}

TEST(HuggingFace, ATiedCheckpointMayRepeatItsEmbeddingButNotContradictIt) {
  TemporaryFolder folder;
  const auto model = random_model(true);
  save_huggingface(model, folder.path());
  auto tensors = tensors_of(model);
  tensors.emplace_back("lm_head.weight", model.parameters()["model.embed_tokens.weight"].clone());
  write_safetensors(folder.path("model.safetensors"), tensors);
  EXPECT_EQ(load(folder).parameters().checksum(), model.parameters().checksum());
  tensors.back().second[3][3].add_(1);
  write_safetensors(folder.path("model.safetensors"), tensors);
  expect_refused(folder, {"lm_head.weight", "tie_word_embeddings"});
}

TEST(HuggingFace, AnUntiedCheckpointWithoutHeadIsRefused) {
  TemporaryFolder folder;
  save_huggingface(random_model(true), folder.path());
  auto config = config_of(folder);
  config["tie_word_embeddings"] = false;
  put_config(folder, config);
  expect_refused(folder, {"lm_head.weight", "missing"});
}

TEST(HuggingFace, QuantisedTensorsWithoutAWordInTheConfigAreRefused) {
  TemporaryFolder folder;
  const auto model = random_model(false);
  save_huggingface(model, folder.path());
  auto tensors = tensors_of(model);
  tensors[2].second = tensors[2].second.to(at::kChar);
  write_safetensors(folder.path("model.safetensors"), tensors);
  expect_refused(folder, {tensors[2].first, "whole numbers"});
}

TEST(HuggingFace, FilesOfMixedPrecisionAreReadWithoutLoss) {
  TemporaryFolder folder;
  const auto model = random_model(false, false, at::kBFloat16);
  save_huggingface(model, folder.path());
  auto tensors = tensors_of(model);
  for (auto& [name, t] : tensors) {
    if (name.ends_with("norm.weight")) t = t.to(at::kFloat).add(0.001);  // norms are kept in fp32
  }
  write_safetensors(folder.path("model.safetensors"), tensors);
  EXPECT_EQ(open_huggingface(folder.path()).dtype, at::kFloat);
  const auto back = load(folder);
  for (const auto& [name, t] : tensors) {
    EXPECT_TRUE(at::equal(back.parameters()[name], t.to(at::kFloat))) << name;
  }
}

std::vector<std::string> names_in(const TemporaryFolder& folder) {
  std::vector<std::string> names;
  for (const auto& e : std::filesystem::directory_iterator(folder.path())) {
    names.push_back(e.path().filename().string());
  }
  std::sort(names.begin(), names.end());
  return names;
}

TEST(HuggingFace, AModelLargerThanTheLimitIsCutIntoFilesWithAnIndex) {
  TemporaryFolder folder;
  const auto model = random_model(false);
  SaveOptions options;
  options.max_file_bytes = 16000;
  save_huggingface(model, folder.path(), options);
  const auto index = Json::parse(read_file(folder.path("model.safetensors.index.json")));
  EXPECT_EQ(index["metadata"]["total_size"], model.parameters().size() * 4);
  std::set<std::string> files;
  for (const auto& spec : model.parameters().specs()) {
    files.insert(index["weight_map"].at(spec.name).get<std::string>());
  }
  EXPECT_EQ(index["weight_map"].size(), model.parameters().specs().size());
  EXPECT_GT(files.size(), 2u);
  EXPECT_EQ(*files.begin(), "model-00001-of-0000" + std::to_string(files.size()) + ".safetensors");
  for (const auto& file : files) {
    const SafetensorsFile opened(folder.path(file));
    const auto& last = opened.entries().back();
    EXPECT_TRUE(last.end <= options.max_file_bytes || opened.entries().size() == 1) << file;
    EXPECT_EQ(opened.metadata().at("format"), "pt");
  }
  EXPECT_EQ(names_in(folder).size(), files.size() + 2);
  EXPECT_EQ(load(folder).parameters().checksum(), model.parameters().checksum());

  // A later model in the same folder: nothing of the first one is left to be read instead.
  const auto other = random_model(true);
  save_huggingface(other, folder.path());
  EXPECT_EQ(names_in(folder), (std::vector<std::string>{"config.json", "model.safetensors"}));
  save_huggingface(model, folder.path(), options);
  EXPECT_EQ(names_in(folder).size(), files.size() + 2);
  EXPECT_EQ(load(folder).parameters().checksum(), model.parameters().checksum());
}

TEST(HuggingFace, AnExportThatFailsHalfWayLeavesNoFiles) {
  TemporaryFolder folder;
  const auto model = random_model(false);
  auto source = weights_of(model);
  source.tensor = [&](const ParameterSpec& spec) -> at::Tensor {
    if (spec.name == "model.norm.weight") fail_runtime("the disk of the source is gone");
    return model.parameters()[spec.name];
  };
  SaveOptions options;
  options.max_file_bytes = 16000;
  const auto error = error_of([&] { write_huggingface(source, folder.path(), options); });
  ASSERT_TRUE(error);
  EXPECT_TRUE(names_in(folder).empty()) << names_in(folder).front();
}

TEST(HuggingFace, SeveralFilesWithAnIndexMakeOneModel) {
  TemporaryFolder folder;
  const auto model = random_model(false);
  save_huggingface(model, folder.path());
  std::filesystem::remove(folder.path("model.safetensors"));
  const auto tensors = tensors_of(model);
  const auto middle = tensors.begin() + static_cast<std::ptrdiff_t>(tensors.size() / 2);
  Json map;
  const auto put = [&](const std::string& file, Tensors part) {
    for (const auto& [name, t] : part) map[name] = file;
    write_safetensors(folder.path(file), part);
  };
  put("model-00001-of-00002.safetensors", {tensors.begin(), middle});
  put("model-00002-of-00002.safetensors", {middle, tensors.end()});
  const auto index = [&](const Json& m) {
    write_file_atomic(folder.path("model.safetensors.index.json"), Json{{"weight_map", m}}.dump());
  };
  index(map);
  EXPECT_EQ(load(folder).parameters().checksum(), model.parameters().checksum());

  write_safetensors(folder.path("model-00002-of-00002.safetensors"), tensors);
  expect_refused(folder, {"model-0000", "is also in"});
  std::filesystem::remove(folder.path("model-00002-of-00002.safetensors"));
  expect_refused(folder, {"model-00002-of-00002.safetensors"});
  map["model.norm.weight"] = "../elsewhere.safetensors";
  index(map);
  expect_refused(folder, {"index.json", "model.norm.weight"});
}

}  // namespace
}  // namespace straq::model
