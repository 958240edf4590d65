// Weights in and out: what goes in is what comes out, in every precision and from every form, and
// what can't be converted is refused before anything is written.
#include <cstring>
#include <filesystem>
#include <limits>

#include "core/files/files.h"
#include "core/hash.h"
#include "model/weights/convert_io.h"
#include "model/weights/huggingface.h"
#include "model/weights/llama2c.h"
#include "model/weights/safetensors.h"
#include "model_helpers.h"
#include "tests/testing.h"

namespace straq::model {
namespace {

namespace fs = std::filesystem;
using straq::testing::error_of;
using straq::testing::source_path;
using straq::testing::TemporaryFolder;

Llama random_model(at::ScalarType dtype = at::kFloat, double std = 0.1) {
  auto shape = testing::small_shape();
  shape.tied = false;
  Llama model(shape, dtype, at::kCPU, false);
  model.initialise(5, std);
  return model;
}

void expect_refused(const std::optional<Error>& error, const std::vector<std::string>& words) {
  ASSERT_TRUE(error);
  EXPECT_EQ(error->kind(), ErrorKind::input);
  for (const auto& w : words) {
    EXPECT_NE(std::string(error->what()).find(w), std::string::npos) << error->what();
  }
  EXPECT_FALSE(error->hint().empty());
}

std::string value_of(const Table& table, const std::string& what) {
  for (const auto& row : table.rows) {
    if (row[0].text == what) return row[1].text;
  }
  ADD_FAILURE() << "no row " << what;
  return {};
}

TEST(Convert, EveryPrecisionIsReadAndWrittenAsOneRoundingWouldDo) {
  for (const auto stored : {at::kFloat, at::kBFloat16, at::kHalf}) {
    TemporaryFolder folder;
    const auto model = random_model(stored);
    save_huggingface(model, folder.path("in"));
    convert_weights(folder.path("in"), folder.path("same"), {});
    EXPECT_EQ(sha256_file(folder.path("in/model.safetensors")),
              sha256_file(folder.path("same/model.safetensors")));
    for (const auto dtype : {at::kFloat, at::kBFloat16, at::kHalf}) {
      ConvertOptions options;
      options.dtype = dtype;
      const auto out = folder.path(word_of_dtype(dtype));
      const auto tables = convert_weights(folder.path("in"), out, options);
      EXPECT_EQ(value_of(tables[0], "precision"), word_of_dtype(dtype));
      EXPECT_EQ(read_huggingface_config(out).dtype, dtype);
      const SafetensorsFile file(out + "/model.safetensors");
      for (const auto& spec : model.parameters().specs()) {
        const auto values = file.tensor(spec.name);
        EXPECT_EQ(values.scalar_type(), dtype);
        EXPECT_TRUE(at::equal(values, model.parameters()[spec.name].to(dtype))) << spec.name;
      }
    }
  }
}

TEST(Convert, CutIntoFilesAndBackIsTheSameFile) {
  TemporaryFolder folder;
  save_huggingface(random_model(), folder.path("in"));
  ConvertOptions options;
  options.max_file_bytes = 20000;
  const auto tables = convert_weights(folder.path("in"), folder.path("cut"), options);
  EXPECT_GT(std::stoi(value_of(tables[0], "files")), 1);
  convert_weights(folder.path("cut"), folder.path("back"), {});
  for (const char* name : {"model.safetensors", "config.json"}) {
    EXPECT_EQ(read_file(folder.path("in/") + name), read_file(folder.path("back/") + name)) << name;
  }
}

TEST(Convert, LargeMatricesAreConvertedPieceByPieceWithoutASeam) {
  TemporaryFolder folder;
  at::manual_seed(3);
  const at::Tensor big = at::randn({4200, 4100});  // more than one piece, and no multiple of it
  const auto path = folder.path("big.safetensors");
  write_safetensors(path, {{"big", at::kBFloat16, big.sizes().vec()}},
                    [&](const std::string&) { return big; });
  EXPECT_TRUE(at::equal(SafetensorsFile(path).tensor("big"), big.to(at::kBFloat16)));
}

TEST(Convert, ValuesThatThePrecisionLacksAreRefusedAndNothingIsWritten) {
  TemporaryFolder folder;
  const auto refused = [&](double value, std::vector<std::string> words) {
    auto model = random_model();
    model.parameters().flat()[model.parameters().size() - 1] = value;
    save_huggingface(model, folder.path("in"));
    ConvertOptions options;
    options.dtype = at::kHalf;
    words.push_back("lm_head.weight");
    expect_refused(error_of([&] { convert_weights(folder.path("in"), folder.path("o"), options); }),
                   words);
    EXPECT_FALSE(fs::exists(folder.path("o")));
  };
  refused(-70000.0, {"70000", "fp16"});
  refused(std::numeric_limits<double>::quiet_NaN(), {"not finite"});
  refused(std::numeric_limits<double>::infinity(), {"not finite"});
}

TEST(Convert, AModelInTheFolderIsKeptUnlessItMayBeReplaced) {
  TemporaryFolder folder;
  save_huggingface(random_model(), folder.path("in"));
  const auto other = random_model(at::kFloat, 0.2);
  save_huggingface(other, folder.path("out"));
  const auto before = sha256_file(folder.path("out/model.safetensors"));
  ConvertOptions options;
  expect_refused(error_of([&] { convert_weights(folder.path("in"), folder.path("out"), options); }),
                 {"out", "already"});
  EXPECT_EQ(sha256_file(folder.path("out/model.safetensors")), before);
  options.overwrite = true;
  convert_weights(folder.path("in"), folder.path("out"), options);
  EXPECT_EQ(sha256_file(folder.path("out/model.safetensors")),
            sha256_file(folder.path("in/model.safetensors")));
  // Onto itself, in another precision: the old file is read while the new one is written.
  options.dtype = at::kBFloat16;
  convert_weights(folder.path("in"), folder.path("in"), options);
  EXPECT_TRUE(
      at::equal(load_huggingface(folder.path("in"), at::kFloat, at::kCPU).parameters().flat(),
                random_model().parameters().flat().to(at::kBFloat16).to(at::kFloat)));
}

TEST(Convert, ARunIsItsPlannerAndWhatBelongsToTheModelComesAlong) {
  TemporaryFolder folder;
  const auto planner = folder.path("run/planner");
  save_huggingface(random_model(), planner);
  write_file_atomic(planner + "/planner.json", R"({"format": 1, "gamma": 0.9})");
  write_file_atomic(planner + "/generation_config.json", "{}");
  write_file_atomic(planner + "/tokenizer_config.json", R"({"x": 1})");
  write_file_atomic(planner + "/optimizer.pt", "not for others");
  convert_weights(folder.path("run"), folder.path("out"), {});
  for (const char* name : {"/planner.json", "/generation_config.json", "/tokenizer_config.json"}) {
    EXPECT_EQ(read_file(folder.path("out") + name), read_file(planner + name)) << name;
  }
  EXPECT_FALSE(fs::exists(folder.path("out/optimizer.pt")));
  fs::create_directories(folder.path("empty"));
  expect_refused(error_of([&] { convert_weights(folder.path("empty"), folder.path("o"), {}); }),
                 {"empty", "config.json"});
}

TEST(Convert, ATokenizerThatDoesNotFitTheModelIsRefused) {
  STRAQ_REQUIRE_DATA(model, "models/stories260K_hf");
  STRAQ_REQUIRE_DATA(llama2, "tokenizers/llama2/tokenizer.model");
  TemporaryFolder folder;
  ConvertOptions options;
  options.tokenizer = llama2;
  expect_refused(error_of([&] { convert_weights(model, folder.path("out"), options); }),
                 {"32000", "512"});
  EXPECT_FALSE(fs::exists(folder.path("out")));
  // Another tokenizer than the planner's shards were made with, although its size fits.
  convert_weights(model, folder.path("planner"), {});
  EXPECT_EQ(sha256_file(folder.path("planner/tokenizer.model")),
            sha256_file(model + "/tokenizer.model"));
  write_file_atomic(folder.path("planner/planner.json"),
                    R"({"tokenizer_fingerprint": "sentencepiece:0123"})");
  options.tokenizer = model + "/tokenizer.model";
  expect_refused(
      error_of([&] { convert_weights(folder.path("planner"), folder.path("out"), options); }),
      {"planner.json", "sentencepiece:0123"});
}

TEST(Llama2c, TheRealFileIsTheSameModelAsItsHuggingFaceForm) {
  STRAQ_REQUIRE_DATA(bin, "models/stories260K/stories260K.bin");
  STRAQ_REQUIRE_DATA(reference, "models/stories260K_hf");
  TemporaryFolder folder;
  convert_weights(bin, folder.path("out"), {});
  const auto a = load_huggingface(folder.path("out"), at::kFloat, at::kCPU);
  const auto b = load_huggingface(reference, at::kFloat, at::kCPU);
  EXPECT_EQ(config::to_yaml(config::dump(a.shape())), config::to_yaml(config::dump(b.shape())));
  for (const auto& spec : b.parameters().specs()) {
    EXPECT_TRUE(at::equal(a.parameters()[spec.name], b.parameters()[spec.name])) << spec.name;
  }
}

// The bytes of a llama2.c file with these seven numbers and as many floats as asked for; float i
// has the value i.
std::string llama2c_file(const TemporaryFolder& folder, std::vector<std::int32_t> header,
                         std::int64_t floats) {
  std::string bytes(28 + 4 * static_cast<std::size_t>(floats), '\0');
  std::memcpy(bytes.data(), header.data(), 28);
  for (std::int64_t i = 0; i < floats; ++i) {
    const auto x = static_cast<float>(i);
    std::memcpy(bytes.data() + 28 + 4 * i, &x, 4);
  }
  const auto path = folder.path("model.bin");
  write_file_atomic(path, bytes);
  return path;
}

TEST(Llama2c, ANegativeVocabularyMeansAnOutputMatrixAfterTheRotaryTables) {
  TemporaryFolder folder;
  // hidden 4, inner 6, 1 layer, 1 head, 1 kv head, vocabulary 3, 5 positions
  const std::int64_t before_tables = 12 + 4 + 4 * 16 + 4 + 3 * 24 + 4, tables = 2 * 5 * 2;
  const auto path = llama2c_file(folder, {4, 6, 1, 1, 1, -3, 5}, before_tables + tables + 12);
  const auto source = open_llama2c(path);
  EXPECT_FALSE(source.shape.tied);
  EXPECT_EQ(source.shape.vocab, 3);
  const auto model = load_weights(source, at::kFloat, at::kCPU);
  EXPECT_EQ(model.parameters()["lm_head.weight"][0][0].item<float>(), before_tables + tables);
  EXPECT_EQ(model.parameters()["model.norm.weight"][0].item<float>(), before_tables - 4);
  // Rows 0 1 2 3 of the queries are two pairs side by side: 0 and 2 begin them.
  const auto q = model.parameters()["model.layers.0.self_attn.q_proj.weight"];
  EXPECT_TRUE(at::equal(q.select(1, 0), at::tensor({16.f, 24.f, 20.f, 28.f})));
}

TEST(Llama2c, OtherFilesAreRefusedByName) {
  TemporaryFolder folder;
  const auto refused = [&](std::vector<std::int32_t> header, std::int64_t floats,
                           std::vector<std::string> words) {
    const auto path = llama2c_file(folder, header, floats);
    words.push_back("model.bin");
    expect_refused(error_of([&] { open_llama2c(path); }), words);
  };
  refused({0x616b3432, 2, 1, 1, 1, 3, 5}, 100, {"version 2"});
  refused({4, 6, 1, 1, 1, 3, 5}, 100, {"bytes", "428"});
  refused({4, 6, -1, 1, 1, 3, 5}, 100, {"number 3"});
  refused({2147483647, 6, 1, 1, 1, 3, 5}, 100, {"number 1"});
  refused({4, 6, 1, 4, 3, 3, 5}, 100, {"kv_heads"});
  write_file_atomic(folder.path("model.bin"), "short");
  expect_refused(error_of([&] { open_llama2c(folder.path("model.bin")); }), {"too short"});
}

TEST(Initialise, TheSameSeedGivesTheSameBytesAndAnotherSeedOthers) {
  TemporaryFolder folder;
  const auto shape = source_path("configs/shapes/tiny.yaml");
  InitialiseOptions options;
  options.seed = 3;
  options.vocab = 100;
  const auto hash_of = [&](const char* name) {
    initialise_weights(shape, folder.path(name), options);
    return sha256_file(folder.path(name) + "/model.safetensors");
  };
  const auto first = hash_of("a");
  EXPECT_EQ(hash_of("b"), first);
  options.seed = 4;
  EXPECT_NE(hash_of("c"), first);
  options.seed = 3;
  options.std = 0.05;
  EXPECT_NE(hash_of("d"), first);

  const auto model = load_huggingface(folder.path("d"), at::kFloat, at::kCPU);
  EXPECT_EQ(model.shape().vocab, 100);
  EXPECT_NEAR(model.parameters()["model.embed_tokens.weight"].std().item<double>(), 0.05, 0.002);
  // In a lower precision the same draws, rounded: a bf16 start is the fp32 start.
  options.dtype = at::kBFloat16;
  initialise_weights(shape, folder.path("e"), options);
  EXPECT_EQ(read_huggingface_config(folder.path("e")).dtype, at::kBFloat16);
  EXPECT_TRUE(
      at::equal(load_huggingface(folder.path("e"), at::kBFloat16, at::kCPU).parameters().flat(),
                model.parameters().flat().to(at::kBFloat16)));
}

TEST(Initialise, SomethingMustSayTheVocabulary) {
  TemporaryFolder folder;
  const auto shape = source_path("configs/shapes/tiny.yaml");
  expect_refused(error_of([&] { initialise_weights(shape, folder.path("a"), {}); }), {"vocab"});
  EXPECT_FALSE(fs::exists(folder.path("a")));
  STRAQ_REQUIRE_DATA(tokenizer, "models/stories260K_hf/tokenizer.model");
  InitialiseOptions options;
  options.tokenizer = tokenizer;
  initialise_weights(shape, folder.path("a"), options);
  const auto config = read_huggingface_config(folder.path("a"));
  EXPECT_EQ(config.shape.vocab, 512);
  EXPECT_EQ(config.bos_token_id, 1);
  EXPECT_EQ(config.eos_token_ids, std::vector<std::int64_t>{2});
  EXPECT_TRUE(fs::exists(folder.path("a/tokenizer.model")));
  options.vocab = 300;
  expect_refused(error_of([&] { initialise_weights(shape, folder.path("b"), options); }),
                 {"512", "300"});
}

TEST(Shapes, ThePublishedOnesHaveThePublishedNumberOfParameters) {
  const std::vector<std::pair<const char*, std::int64_t>> published = {{"llama-2-7b", 6738415616},
                                                                       {"llama-3.1-8b", 8030261248},
                                                                       {"llama-3.2-1b", 1235814400},
                                                                       {"llama-3.2-3b", 3212749824},
                                                                       {"stories260k", 260032}};
  for (const auto& [name, count] : published) {
    const auto path = source_path(std::string("configs/shapes/") + name + ".yaml");
    const auto shape = config::read<LlamaShape>(config::load_config(path));
    EXPECT_NO_THROW(shape.check());
    EXPECT_EQ(shape.parameter_count(), count) << name;
  }
}

TEST(Inspect, SaysWhatAModelIs) {
  TemporaryFolder folder;
  const auto model = random_model(at::kBFloat16);
  SaveOptions save;
  save.metadata["step"] = "12";
  save_huggingface(model, folder.path("m"), save);
  auto tables = inspect_weights(folder.path("m"), false);
  ASSERT_EQ(tables.size(), 2u);
  EXPECT_EQ(value_of(tables[0], "parameters"), std::to_string(model.parameters().size()));
  EXPECT_EQ(value_of(tables[0], "precision"), "bf16");
  EXPECT_EQ(value_of(tables[0], "metadata: step"), "12");
  // embedding, nine of each layer, final norm, output projection
  EXPECT_EQ(tables[1].rows.size(), 12u);
  std::int64_t bytes = 0;
  for (const auto& row : tables[1].rows) bytes += row.back().value.get<std::int64_t>();
  EXPECT_EQ(bytes, 2 * model.parameters().size());
  tables = inspect_weights(folder.path("m"), true);
  EXPECT_EQ(tables[1].rows.size(), model.parameters().specs().size());

  // One file by itself, whatever is in it.
  tables = inspect_weights(folder.path("m/model.safetensors"), true);
  EXPECT_EQ(value_of(tables[0], "values"), std::to_string(model.parameters().size()));
  EXPECT_EQ(tables[1].rows.size(), model.parameters().specs().size());
}

TEST(Inspect, DamagedOrForeignFilesAreRefusedWithTheirName) {
  TemporaryFolder folder;
  save_huggingface(random_model(), folder.path("m"));
  const auto file = folder.path("m/model.safetensors");
  const auto whole = read_file(file);
  write_file_atomic(file, whole.substr(0, whole.size() - 10));
  for (const auto& path : {file, folder.path("m")}) {
    expect_refused(error_of([&] { inspect_weights(path, false); }), {"model.safetensors"});
  }
  write_file_atomic(folder.path("notes.txt"), "hello");
  expect_refused(error_of([&] { inspect_weights(folder.path("notes.txt"), false); }),
                 {"notes.txt", "known kind"});
  expect_refused(error_of([&] { inspect_weights(folder.path("absent"), false); }),
                 {"absent", "does not exist"});
}

TEST(ParseBytes, UnitsOfTenAndOfTwo) {
  EXPECT_EQ(parse_bytes("1000"), 1000u);
  EXPECT_EQ(parse_bytes("2GB"), 2000000000u);
  EXPECT_EQ(parse_bytes("1.5kb"), 1500u);
  EXPECT_EQ(parse_bytes("64MiB"), 64u << 20);
  for (const char* bad : {"", "GB", "-1", "0", "0.1", "2XB", "2 GB", "nan", "1e300", "inf"}) {
    EXPECT_TRUE(error_of([&] { parse_bytes(bad); })) << bad;
  }
}

}  // namespace
}  // namespace straq::model
