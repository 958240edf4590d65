// Writes GGUF files field by field for tests, right ones and wrong ones.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace straq::testing {

class GgufWriter {
 public:
  std::uint32_t version = 3;
  std::uint64_t alignment = 32;
  std::string magic = "GGUF";
  // Added to what the header, the next offset and so on would be.
  std::int64_t more_keys = 0, more_tensors = 0;

  template <class T>
  static std::string raw(T value) {
    return {reinterpret_cast<const char*>(&value), sizeof value};
  }
  static std::string text(std::string_view value) {
    return raw<std::uint64_t>(value.size()) + std::string(value);
  }

  void key(const std::string& name, std::uint32_t type, const std::string& bytes) {
    keys_ += text(name) + raw(type) + bytes;
    ++key_count_;
  }
  void put(const std::string& name, std::string_view value) { key(name, 8, text(value)); }
  void put(const std::string& name, const char* value) { put(name, std::string_view(value)); }
  void put(const std::string& name, std::uint32_t value) { key(name, 4, raw(value)); }
  void put(const std::string& name, int value) { put(name, static_cast<std::uint32_t>(value)); }
  void put(const std::string& name, float value) { key(name, 6, raw(value)); }
  void put(const std::string& name, bool value) { key(name, 7, raw(value)); }
  void put(const std::string& name, const std::vector<std::string>& values) {
    std::string bytes = raw<std::uint32_t>(8) + raw<std::uint64_t>(values.size());
    for (const auto& value : values) bytes += text(value);
    key(name, 9, bytes);
  }
  void put(const std::string& name, const std::vector<std::int32_t>& values) {
    list(name, 5, values);
  }
  void put(const std::string& name, const std::vector<float>& values) { list(name, 6, values); }

  // `shape` slowest axis first.
  void tensor(const std::string& name, const std::vector<std::uint64_t>& shape, std::uint32_t type,
              const std::string& bytes) {
    std::string info = text(name) + raw(static_cast<std::uint32_t>(shape.size()));
    for (auto it = shape.rbegin(); it != shape.rend(); ++it) info += raw(*it);
    pad(data_, alignment);
    tensors_ += info + raw(type) + raw<std::uint64_t>(data_.size());
    data_ += bytes;
    ++tensor_count_;
  }
  void floats(const std::string& name, const std::vector<std::uint64_t>& shape,
              const std::vector<float>& values) {
    tensor(name, shape, 0,
           {reinterpret_cast<const char*>(values.data()), values.size() * sizeof(float)});
  }

  // All but the tensors' bytes; ends where these begin.
  std::string head() const {
    std::string out = magic + raw(version) + raw<std::uint64_t>(tensor_count_ + more_tensors) +
                      raw<std::uint64_t>(key_count_ + more_keys) + keys_ + tensors_;
    pad(out, alignment);
    return out;
  }
  std::string bytes() const { return head() + data_; }

 private:
  template <class T>
  void list(const std::string& name, std::uint32_t type, const std::vector<T>& values) {
    std::string bytes = raw(type) + raw<std::uint64_t>(values.size());
    for (const T value : values) bytes += raw(value);
    key(name, 9, bytes);
  }
  static void pad(std::string& bytes, std::uint64_t alignment) {
    bytes.resize((bytes.size() + alignment - 1) / alignment * alignment, '\0');
  }

  std::string keys_, tensors_, data_;
  std::int64_t key_count_ = 0, tensor_count_ = 0;
};

}  // namespace straq::testing
