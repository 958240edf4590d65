// The GGUF container: what it says is read with its types, and no file, however cut or changed,
// ends in anything but Error(input).
#include "core/files/gguf_file.h"

#include <cstring>
#include <fstream>
#include <functional>
#include <limits>

#include "tests/gguf_writer.h"
#include "tests/testing.h"

namespace straq {
namespace {

using testing::error_of;
using testing::GgufWriter;
using testing::TemporaryFolder;

class Gguf : public ::testing::Test {
 protected:
  GgufFile open(const std::string& bytes) {
    std::ofstream(path, std::ios::binary) << bytes;  // thousands of times: nothing waits for a disk
    return GgufFile(path);
  }
  GgufFile open(const GgufWriter& writer) { return open(writer.bytes()); }
  void refused(const std::string& bytes, const std::vector<std::string>& words) {
    const auto error = error_of([&] { open(bytes); });
    ASSERT_TRUE(error);
    EXPECT_EQ(error->kind(), ErrorKind::input);
    EXPECT_NE(std::string(error->what()).find("m.gguf"), std::string::npos) << error->what();
    for (const auto& word : words) {
      EXPECT_NE(error->full().find(word), std::string::npos) << error->full();
    }
    EXPECT_FALSE(error->hint().empty());
  }
  void refused(const GgufWriter& writer, const std::vector<std::string>& words) {
    refused(writer.bytes(), words);
  }

  TemporaryFolder folder;
  const std::string path = folder.path("m.gguf");
};

GgufWriter small() {
  GgufWriter w;
  w.put("general.architecture", "llama");
  w.put("some.words", std::vector<std::string>{"one", "", "drei"});
  w.put("some.kinds", std::vector<std::int32_t>{1, -3});
  w.put("some.scores", std::vector<float>{0.5f, -2});
  w.put("eps", 1e-5f);
  w.put("yes", true);
  w.floats("a", {2, 3}, {1, 2, 3, 4, 5, 6});
  w.tensor("b.weight", {2, 32}, 8, std::string(68, '\x07'));
  return w;
}

TEST_F(Gguf, KeysAndTensorsAreReadWithTheirTypes) {
  const GgufFile file = open(small());
  EXPECT_EQ(file.text("general.architecture"), "llama");
  EXPECT_EQ(file.texts("some.words"), (std::vector<std::string_view>{"one", "", "drei"}));
  EXPECT_EQ(file.integers("some.kinds"), (std::vector<std::int64_t>{1, -3}));
  EXPECT_EQ(file.reals("some.scores"), (std::vector<float>{0.5f, -2}));
  EXPECT_EQ(file.number("eps"), 1e-5);
  EXPECT_EQ(file.flag("yes"), true);
  EXPECT_FALSE(file.has("no"));
  EXPECT_FALSE(file.integer("no"));
  EXPECT_TRUE(file.texts("no").empty());
  ASSERT_EQ(file.tensors().size(), 2u);
  const GgufTensor* a = file.find("a");
  ASSERT_TRUE(a);
  EXPECT_EQ(a->shape, (std::vector<std::int64_t>{2, 3}));
  EXPECT_EQ(a->type, GgufType::f32);
  float last = 0;
  std::memcpy(&last, file.data(*a) + 5 * sizeof(float), sizeof last);
  EXPECT_EQ(last, 6);
  const GgufTensor* b = file.find("b.weight");
  ASSERT_TRUE(b);
  EXPECT_EQ(gguf_type_name(b->type), "Q8_0");
  EXPECT_EQ(b->bytes, 68u);
  EXPECT_EQ(*file.data(*b), 7);
  EXPECT_FALSE(file.find("c"));
}

TEST_F(Gguf, WholeNumbersOfEveryWidth) {
  GgufWriter w;
  w.key("u8", 0, GgufWriter::raw<std::uint8_t>(200));
  w.key("i8", 1, GgufWriter::raw<std::int8_t>(-7));
  w.key("u16", 2, GgufWriter::raw<std::uint16_t>(60000));
  w.key("i16", 3, GgufWriter::raw<std::int16_t>(-60));
  w.key("u32", 4, GgufWriter::raw<std::uint32_t>(4000000000u));
  w.key("i32", 5, GgufWriter::raw<std::int32_t>(-4));
  w.key("u64", 10, GgufWriter::raw<std::uint64_t>(1));
  w.key("i64", 11, GgufWriter::raw<std::int64_t>(-9));
  w.key("f64", 12, GgufWriter::raw<double>(0.25));
  w.key("huge", 10, GgufWriter::raw<std::uint64_t>(std::numeric_limits<std::uint64_t>::max()));
  const GgufFile file = open(w);
  const std::vector<std::pair<const char*, std::int64_t>> expected = {
      {"u8", 200},         {"i8", -7},  {"u16", 60000}, {"i16", -60},
      {"u32", 4000000000}, {"i32", -4}, {"u64", 1},     {"i64", -9}};
  for (const auto& [key, value] : expected) EXPECT_EQ(file.integer(key), value) << key;
  EXPECT_EQ(file.number("f64"), 0.25);
  EXPECT_EQ(file.number("i8"), -7.0);
  EXPECT_TRUE(error_of([&] { file.integer("huge"); }));
  EXPECT_TRUE(error_of([&] { file.integer("f64"); }));
}

TEST_F(Gguf, AKeyOfAnotherTypeIsRefusedByName) {
  const GgufFile file = open(small());
  for (const auto& ask : std::vector<std::function<void()>>{
           [&] { file.integer("general.architecture"); }, [&] { file.number("some.words"); },
           [&] { file.flag("eps"); }, [&] { file.text("yes"); },
           [&] { file.texts("general.architecture"); }, [&] { file.texts("some.kinds"); },
           [&] { file.integers("some.words"); }, [&] { file.integers("some.scores"); },
           [&] { file.reals("some.kinds"); }}) {
    const auto error = error_of(ask);
    ASSERT_TRUE(error);
    EXPECT_NE(std::string(error->what()).find("must "), std::string::npos) << error->what();
  }
}

TEST_F(Gguf, EveryTruncationIsRefused) {
  const std::string whole = small().bytes();
  for (std::size_t length = 0; length < whole.size(); ++length) {
    refused(whole.substr(0, length), {});
  }
}

// One byte changed at a time, each to several values: refused, or read without touching what is not
// the file's.
TEST_F(Gguf, EveryChangedByteIsReadOrRefused) {
  const std::string whole = small().bytes();
  for (std::size_t at = 0; at < whole.size(); ++at) {
    for (const int change : {0x01, 0x80, 0xFF}) {
      std::string bytes = whole;
      bytes[at] = static_cast<char>(bytes[at] ^ change);
      try {
        const GgufFile file = open(bytes);
        for (const auto& t : file.tensors()) {
          ASSERT_LE(t.begin + t.bytes, bytes.size());
        }
        if (file.has("some.words")) file.texts("some.words");
      } catch (const Error& e) {
        EXPECT_EQ(e.kind(), ErrorKind::input);
      }
    }
  }
}

TEST_F(Gguf, CountsBeyondTheFileAreRefusedAtOnce) {
  for (const std::int64_t more :
       {std::int64_t{1}, std::int64_t{1} << 40, std::numeric_limits<std::int64_t>::max() - 10}) {
    auto keys = small(), tensors = small();
    keys.more_keys = more;
    refused(keys, {});
    tensors.more_tensors = more;
    refused(tensors, {});
  }
  GgufWriter w;
  w.key("list", 9, GgufWriter::raw<std::uint32_t>(8) + GgufWriter::raw<std::uint64_t>(1ull << 61));
  refused(w, {"list", "more than"});
  GgufWriter n;
  n.key("list", 9, GgufWriter::raw<std::uint32_t>(10) + GgufWriter::raw<std::uint64_t>(1ull << 61));
  refused(n, {"list", "more than"});
}

TEST_F(Gguf, WhatIsNoSuchFileIsNamed) {
  refused("", {"ends within"});
  refused("GGML and more", {"no GGUF file"});
  auto w = small();
  w.version = 1;
  refused(w, {"version 1"});
  w.version = 0x03000000;
  refused(w, {"big-endian"});
  w.version = 2;
  EXPECT_EQ(open(w).tensors().size(), 2u);
  EXPECT_TRUE(is_gguf_file(path));
  EXPECT_FALSE(is_gguf_file(folder.path()));
  EXPECT_FALSE(is_gguf_file(folder.path("absent")));
}

TEST_F(Gguf, KeysThatMakeNoSense) {
  auto twice = small();
  twice.put("yes", false);
  refused(twice, {"\"yes\" comes twice"});
  GgufWriter unknown;
  unknown.key("strange", 13, "....");
  refused(unknown, {"strange", "type 13"});
  GgufWriter nested;
  nested.key("nested", 9, GgufWriter::raw<std::uint32_t>(9) + GgufWriter::raw<std::uint64_t>(1));
  refused(nested, {"nested", "in a list"});
  GgufWriter half;
  half.key("half", 7, "\x02");
  refused(half, {"half", "neither true nor false"});
  GgufWriter nameless;
  nameless.put("", 1);
  refused(nameless, {"key 0"});
  GgufWriter part;
  part.put("split.count", 3);
  refused(part, {"one part", "llama-gguf-split"});
  for (const int alignment : {0, 24}) {
    GgufWriter odd;
    odd.put("general.alignment", alignment);
    refused(odd, {"general.alignment"});
  }
}

TEST_F(Gguf, TheAlignmentIsTheFilesOwn) {
  GgufWriter w;
  w.alignment = 64;
  w.put("general.alignment", 64);
  w.floats("a", {1}, {1});
  w.floats("b", {1}, {2});
  const GgufFile file = open(w);
  EXPECT_EQ(file.find("b")->begin - file.find("a")->begin, 64u);
}

TEST_F(Gguf, TensorsThatMakeNoSense) {
  const auto with = [&](const std::string& name, const std::vector<std::uint64_t>& shape,
                        std::uint32_t type, const std::vector<std::string>& words) {
    auto w = small();
    w.tensor(name, shape, type, std::string(128, '\0'));
    refused(w, words);
  };
  with("a", {4}, 0, {"\"a\" comes twice"});
  with("", {4}, 0, {"name of 0 bytes"});
  with(std::string(64, 'x'), {4}, 0, {"name of 64 bytes"});
  with("c", {1, 1, 1, 1, 1}, 0, {"5 axes"});
  with("c", {}, 0, {"0 axes"});
  with("c", {4, 0}, 0, {"impossible shape"});
  with("c", {1ull << 40, 1ull << 40}, 0, {"impossible"});
  with("c", {1ull << 62}, 0, {"impossible"});
  with("c", {1ull << 50}, 0, {"beyond the end"});
  with("c", {4}, 99, {"type 99"});
  with("c", {4}, 5, {"type 5"});
  with("c", {33}, 8, {"rows of 33", "Q8_0"});
  with("c", {1000}, 0, {"beyond the end"});
  GgufWriter w;
  w.floats("a", {4}, {1, 2, 3, 4});
  w.alignment = 64;  // the second is laid at 64, where 32 was expected
  w.floats("b", {4}, {1, 2, 3, 4});
  refused(w, {"\"b\" begins at byte 64"});
}

}  // namespace
}  // namespace straq
