// GGUF, the one-file form in which llama.cpp's tools pass models on: typed keys (shape, tokenizer,
// chat template), the list of tensors, then their bytes, whole or quantised. This is the container
// alone: what a model makes of it is in model/weights/gguf.h, what a tokenizer does in
// text/tokenizers/gguf_tokenizer.h.
//
//   const GgufFile file("model.gguf");
//   const auto layers = file.integer("llama.block_count");
//   const GgufTensor* embedding = file.find("token_embd.weight");
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "core/files/mapped_file.h"

namespace straq {

// How a tensor's values are stored, by the numbers that files have. Others are known by name and
// size only (gguf_type_name).
enum class GgufType : std::uint32_t {
  f32 = 0,
  f16 = 1,
  q4_0 = 2,
  q4_1 = 3,
  q5_0 = 6,
  q5_1 = 7,
  q8_0 = 8,
  q4_k = 12,
  q5_k = 13,
  q6_k = 14,
  bf16 = 30
};
// "Q4_K"; "type 99" for a number that no type has.
std::string gguf_type_name(GgufType type);

struct GgufTensor {
  std::string name;
  GgufType type = GgufType::f32;
  std::vector<std::int64_t> shape;  // slowest axis first, as Hugging Face has it: [out, in]
  std::uint64_t begin = 0;          // byte of the file
  std::uint64_t bytes = 0;

  std::int64_t columns() const { return shape.empty() ? 1 : shape.back(); }
  std::int64_t rows() const;
};

// An open file of version 2 or 3, mapped. Construction checks all but values; throws Error(input)
// naming the file and the key or tensor: no GGUF, another version or byte order, cut short, counts
// and lengths beyond the file, unknown types, keys or tensors twice, more than 4 axes, products
// that overflow, rows that are no whole blocks, tensors that do not lie one behind the other, and a
// file that is one part of several.
class GgufFile {
 public:
  explicit GgufFile(const std::string& path);

  const std::string& path() const { return path_; }
  std::uint64_t size() const { return map_->size(); }
  const std::vector<GgufTensor>& tensors() const { return tensors_; }  // in the order of bytes
  const GgufTensor* find(const std::string& name) const;
  // The tensor's bytes; valid as long as the file's object or a copy of it.
  const char* data(const GgufTensor& tensor) const { return map_->data() + tensor.begin; }

  bool has(const std::string& key) const { return keys_.contains(key); }
  // The value of a key, empty where there is none; throws Error(input) for one of another type.
  // Whole numbers of any width and sign are integers; an unsigned one beyond int64 is refused.
  std::optional<std::int64_t> integer(const std::string& key) const;
  // A whole number or a real one. Of a 32-bit real the shortest decimal number that it is read
  // from: 1e-5, not 9.99999975e-06.
  std::optional<double> number(const std::string& key) const;
  std::optional<bool> flag(const std::string& key) const;
  std::optional<std::string_view> text(const std::string& key) const;
  // Lists; empty where there is none. Texts look into the file.
  std::vector<std::string_view> texts(const std::string& key) const;
  std::vector<std::int64_t> integers(const std::string& key) const;
  std::vector<float> reals(const std::string& key) const;

  // Throws Error(input) "<path>: <key> <what>".
  [[noreturn]] void fail(const std::string& what, const std::string& hint = {}) const;

 private:
  enum class Value : std::uint32_t {
    u8 = 0,
    i8 = 1,
    u16 = 2,
    i16 = 3,
    u32 = 4,
    i32 = 5,
    f32 = 6,
    flag = 7,
    text = 8,
    list = 9,
    u64 = 10,
    i64 = 11,
    f64 = 12
  };
  struct Entry {
    Value type = Value::u8;
    bool is_list = false;
    std::uint64_t count = 1, begin = 0;  // begin: of the value, or of a list's first
  };
  class Reader;

  static std::uint64_t bytes_of(Value type);
  void read_keys(Reader& in, std::uint64_t count);
  void read_tensors(Reader& in, std::uint64_t count);
  void place_tensors(std::uint64_t data_begin, std::uint64_t alignment);
  const Entry* entry(const std::string& key, bool is_list, const char* wanted) const;
  std::int64_t integer_at(const std::string& key, Value type, std::uint64_t begin) const;

  std::string path_;
  std::shared_ptr<const MappedFile> map_;
  std::unordered_map<std::string, Entry> keys_;
  std::vector<GgufTensor> tensors_;
  std::unordered_map<std::string, std::size_t> index_;
};

// Whether a regular file of that name begins as GGUF does; false for what can't be read.
bool is_gguf_file(const std::string& path);

}  // namespace straq
