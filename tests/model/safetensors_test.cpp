#include "model/weights/safetensors.h"

#include <cstring>
#include <fstream>
#include <nlohmann/json.hpp>

#include "core/files/files.h"
#include "model/weights/huggingface.h"
#include "model_helpers.h"
#include "tests/testing.h"

namespace straq::model {
namespace {

using straq::testing::error_of;
using straq::testing::TemporaryFolder;

void expect_error(const std::optional<Error>& error, const std::vector<std::string>& words) {
  ASSERT_TRUE(error);
  for (const auto& w : words) {
    EXPECT_NE(std::string(error->what()).find(w), std::string::npos) << error->what();
  }
  EXPECT_FALSE(error->hint().empty());
}

// A file with the given header and so many zero bytes after it.
std::string raw_file(const TemporaryFolder& folder, const std::string& header, std::size_t data) {
  const std::uint64_t n = header.size();
  std::string bytes(sizeof n, '\0');
  std::memcpy(bytes.data(), &n, sizeof n);
  const auto path = folder.path("raw.safetensors");
  write_file_atomic(path, bytes + header + std::string(data, '\0'));
  return path;
}

TEST(Safetensors, EveryDtypeShapeAndTheMetadataComeBack) {
  TemporaryFolder folder;
  const auto path = folder.path("sub/a.safetensors");
  at::manual_seed(1);
  std::vector<std::pair<std::string, at::Tensor>> tensors;
  tensors.emplace_back("flag", at::tensor({1, 0, 1}, at::kLong).to(at::kBool));
  for (const auto dtype :
       {at::kByte, at::kBFloat16, at::kHalf, at::kFloat, at::kDouble, at::kLong, at::kInt}) {
    tensors.emplace_back(at::toString(dtype), at::randn({3, 5}).mul(50).abs().to(dtype));
  }
  tensors.emplace_back("transposed", at::randn({4, 3}).t());
  tensors.emplace_back("scalar", at::tensor(3.5));
  tensors.emplace_back("nothing", at::empty({0, 4}));
  write_safetensors(path, tensors, {{"step", "12"}, {"name", "é\n\""}});

  const SafetensorsFile file(path);
  EXPECT_EQ(file.entries().size(), tensors.size());
  EXPECT_EQ(file.metadata().at("step"), "12");
  EXPECT_EQ(file.metadata().at("name"), "é\n\"");
  for (const auto& [name, tensor] : tensors) {
    const auto back = file.tensor(name);
    EXPECT_EQ(back.scalar_type(), tensor.scalar_type()) << name;
    EXPECT_EQ(back.sizes(), tensor.sizes()) << name;
    EXPECT_TRUE(at::equal(back, tensor)) << name;
  }
}

TEST(Safetensors, DataIsAlignedForVectorLoads) {
  TemporaryFolder folder;
  const auto path = folder.path("a.safetensors");
  write_safetensors(path, {{"b", at::ones({3}, at::kByte)}, {"d", at::ones({3}, at::kDouble)}});
  const auto bytes = read_file(path);
  std::uint64_t length = 0;
  std::memcpy(&length, bytes.data(), sizeof length);
  EXPECT_EQ((length + 8) % 64, 0u);
  const SafetensorsFile file(path);
  EXPECT_EQ(file.entries()[0].name, "d");
  EXPECT_EQ(reinterpret_cast<std::uintptr_t>(file.tensor("d").const_data_ptr()) % 64, 0u);
}

TEST(Safetensors, ATensorOutlivesItsFileObjectAndTheFile) {
  TemporaryFolder folder;
  const auto path = folder.path("a.safetensors");
  write_safetensors(path, {{"x", at::arange(1000)}});
  at::Tensor x = SafetensorsFile(path).tensor("x");
  std::filesystem::remove(path);
  EXPECT_TRUE(at::equal(x, at::arange(1000)));
}

TEST(Safetensors, UnalignedTensorsOfOtherWritersAreRead) {
  TemporaryFolder folder;
  // Two bytes before an F32: its data are not at a multiple of four whatever the header's length.
  const auto path = raw_file(folder,
                             R"({"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},)"
                             R"("b":{"dtype":"F32","shape":[2],"data_offsets":[1,9]},)"
                             R"("c":{"dtype":"F32","shape":[1],"data_offsets":[9,13]}})",
                             13);
  EXPECT_TRUE(at::equal(SafetensorsFile(path).tensor("b"), at::zeros({2})));
}

TEST(Safetensors, DamagedFilesAreRefusedWithTheirNameAndReason) {
  TemporaryFolder folder;
  const auto refuses = [&](const std::string& header, std::size_t data,
                           std::vector<std::string> words) {
    SCOPED_TRACE(header);
    const auto path = raw_file(folder, header, data);
    words.push_back("raw.safetensors");
    expect_error(error_of([&] { SafetensorsFile f(path); }), words);
  };
  refuses("{oops", 0, {"no JSON object"});
  refuses("[1]", 0, {"no JSON object"});
  refuses(R"({"x":{"dtype":"F32","shape":[2]}})", 8, {"tensor x", "data_offsets"});
  refuses(R"({"x":{"dtype":"F32","shape":[2],"data_offsets":[-8,0]}})", 8, {"tensor x"});
  refuses(R"({"x":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}})", 7, {"tensor x", "7 bytes"});
  refuses(R"({"x":{"dtype":"F32","shape":[2],"data_offsets":[8,0]}})", 8, {"tensor x"});
  refuses(R"({"x":{"dtype":"F32","shape":[3],"data_offsets":[0,8]}})", 8,
          {"tensor x", "[3] needs 12 bytes"});
  refuses(R"({"x":{"dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,8]}})", 8,
          {"tensor x", "overflows"});
  refuses(R"({"x":{"dtype":"F8_E4M3","shape":[8],"data_offsets":[0,8]}})", 8,
          {"tensor x", "F8_E4M3"});
  refuses(R"({"x":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},)"
          R"("y":{"dtype":"F32","shape":[2],"data_offsets":[4,12]}})",
          12, {"tensor y", "overlaps tensor x"});
  refuses(R"({"x":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},)"
          R"("y":{"dtype":"F32","shape":[1],"data_offsets":[8,12]}})",
          12, {"tensor y", "no tensor"});
  refuses(R"({"x":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}})", 12, {"8 bytes at the end"});
  refuses(R"({"__metadata__":{"n":3}})", 0, {"__metadata__ n"});
}

TEST(Safetensors, TruncatedFilesAreRefused) {
  TemporaryFolder folder;
  const auto path = folder.path("a.safetensors");
  write_safetensors(path, {{"x", at::ones({100})}});
  const auto whole = read_file(path);
  for (const std::size_t keep :
       {std::size_t{0}, std::size_t{5}, std::size_t{8}, std::size_t{40}, whole.size() - 1}) {
    SCOPED_TRACE(keep);
    write_file_atomic(path, whole.substr(0, keep));
    expect_error(error_of([&] { SafetensorsFile f(path); }), {"a.safetensors"});
  }
  expect_error(error_of([&] { SafetensorsFile f(folder.path("none.safetensors")); }),
               {"none.safetensors"});
  expect_error(error_of([&] { SafetensorsFile f(folder.path()); }), {"no regular file"});
}

TEST(Safetensors, AFailedWriteLeavesNothingBehind) {
  TemporaryFolder folder;
  const auto path = folder.path("a.safetensors");
  expect_error(error_of([&] {
                 write_safetensors(path, {{"x", at::ones({2})}, {"x", at::ones({3})}});
               }),
               {"tensor x"});
  expect_error(error_of([&] {
                 write_safetensors(path, {{"z", at::ones({2}, at::kComplexFloat)}});
               }),
               {"tensor z", "dtype"});
  EXPECT_TRUE(std::filesystem::is_empty(folder.path()));
  // A folder in the file's place: the rename is refused after the bytes were written.
  std::filesystem::create_directories(folder.path("taken.safetensors/inside"));
  EXPECT_TRUE(error_of([&] {
    write_safetensors(folder.path("taken.safetensors"), {{"x", at::ones({2})}});
  }));
  int files = 0;
  for (const auto& e : std::filesystem::directory_iterator(folder.path())) files += e.exists();
  EXPECT_EQ(files, 1);
}

}  // namespace
}  // namespace straq::model
