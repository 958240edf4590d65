#include "model/weights/safetensors.h"

#include <ATen/ops/from_blob.h>

#include <algorithm>
#include <bit>
#include <cstring>
#include <limits>
#include <nlohmann/json.hpp>
#include <optional>
#include <stdexcept>

#include "core/error.h"
#include "core/files/atomic_file.h"
#include "core/files/mapped_file.h"
#include "core/json/json.h"
#include "model/weights/near_miss.h"

namespace straq::model {
namespace {

static_assert(std::endian::native == std::endian::little, "the format is little-endian");

using OrderedJson = nlohmann::ordered_json;

// The reference implementation's limit: a header beyond it is a damaged length, not a header.
constexpr std::uint64_t max_header = 100'000'000;
// Data starts at a multiple of this, so that aligned vector loads work on the map.
constexpr std::uint64_t alignment = 64;

struct DtypeName {
  const char* name;
  at::ScalarType dtype;
};
constexpr DtypeName dtype_names[] = {
    {"F64", at::kDouble}, {"F32", at::kFloat}, {"F16", at::kHalf},  {"BF16", at::kBFloat16},
    {"I64", at::kLong},   {"I32", at::kInt},   {"I16", at::kShort}, {"I8", at::kChar},
    {"U8", at::kByte},    {"BOOL", at::kBool},
};

std::optional<at::ScalarType> dtype_of(const std::string& name) {
  for (const auto& d : dtype_names) {
    if (name == d.name) return d.dtype;
  }
  return {};
}

constexpr const char* damaged = "copy or download the file again";
// More than any tensor has, and as many as libtorch's own operators take.
constexpr std::size_t max_dimensions = 64;
constexpr std::uint64_t kLargestSize = std::numeric_limits<std::int64_t>::max();

bool is_count(const OrderedJson& j) {
  return j.is_number_unsigned();
}

// A name that an object of `text` (sound JSON) gives twice, as it is spelt there; empty: none does.
// A parser keeps one of the two and says nothing, and which one depends on the parser.
std::string repeated_name(std::string_view text) {
  std::vector<std::vector<std::string_view>> open;  // names of each object that is not closed yet
  std::string_view last;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (c == '"') {
      const std::size_t begin = ++i;
      while (text[i] != '"') i += text[i] == '\\' ? 2 : 1;
      last = text.substr(begin, i - begin);
    } else if (c == ':') {
      open.back().push_back(last);
    } else if (c == '{') {
      open.emplace_back();
    } else if (c == '}') {
      auto& names = open.back();
      std::sort(names.begin(), names.end());
      const auto twice = std::adjacent_find(names.begin(), names.end());
      if (twice != names.end()) return std::string(*twice);
      open.pop_back();
    }
  }
  return {};
}

// Elements that are converted at a time, so that writing a large matrix in another precision takes
// little memory beside it.
constexpr std::int64_t kWritePiece = 1 << 22;

}  // namespace

std::string shape_words(const std::vector<std::int64_t>& shape) {
  std::string s = "[";
  for (std::size_t i = 0; i < shape.size(); ++i) s += (i ? ", " : "") + std::to_string(shape[i]);
  return s + "]";
}

namespace {

std::map<std::string, std::string> read_metadata(const std::string& path,
                                                 const nlohmann::json& item) {
  if (!item.is_object()) fail_input(path + ": __metadata__ is no JSON object", damaged);
  std::map<std::string, std::string> out;
  for (const auto& [key, value] : item.items()) {
    if (!value.is_string()) fail_input(path + ": __metadata__ " + key + " is no string", damaged);
    out[key] = value.get<std::string>();
  }
  return out;
}

// One tensor of the header; its bytes lie within the file and are as many as its shape needs.
SafetensorsEntry read_entry(const std::string& path, const std::string& name,
                            const nlohmann::json& item, std::uint64_t data_bytes) {
  const auto fail = [&](const std::string& what) {
    fail_input(path + ": tensor " + name + ": " + what, damaged);
  };
  if (!item.is_object() || !item.contains("dtype") || !item["dtype"].is_string() ||
      !item.contains("shape") || !item["shape"].is_array() || !item.contains("data_offsets") ||
      !item["data_offsets"].is_array() || item["data_offsets"].size() != 2 ||
      !is_count(item["data_offsets"][0]) || !is_count(item["data_offsets"][1])) {
    fail("expected dtype, shape and data_offsets [begin, end]");
  }
  SafetensorsEntry entry;
  entry.name = name;
  const auto dtype = dtype_of(item["dtype"].get<std::string>());
  if (!dtype) {
    fail_input(path + ": tensor " + name + ": dtype " + item["dtype"].get<std::string>() +
                   " is not supported",
               "convert the file to F32, F16 or BF16 first");
  }
  entry.dtype = *dtype;
  entry.begin = item["data_offsets"][0].get<std::uint64_t>();
  entry.end = item["data_offsets"][1].get<std::uint64_t>();
  if (entry.begin > entry.end || entry.end > data_bytes) {
    fail("its bytes [" + std::to_string(entry.begin) + ", " + std::to_string(entry.end) +
         ") are not within the file's " + std::to_string(data_bytes) + " bytes of data");
  }
  if (item["shape"].size() > max_dimensions) {
    fail("its shape has " + std::to_string(item["shape"].size()) + " dimensions, more than " +
         std::to_string(max_dimensions));
  }
  std::uint64_t bytes = at::elementSize(entry.dtype), strides = bytes;
  for (const auto& d : item["shape"]) {
    if (!is_count(d)) fail("its shape is no list of sizes");
    const auto size = d.get<std::uint64_t>();
    // Strides grow with the other dimensions even where one is 0.
    if (size > kLargestSize || __builtin_mul_overflow(bytes, size, &bytes) ||
        __builtin_mul_overflow(strides, std::max<std::uint64_t>(size, 1), &strides) ||
        strides > kLargestSize) {
      fail("its shape overflows");
    }
    entry.shape.push_back(static_cast<std::int64_t>(size));
  }
  if (bytes != entry.end - entry.begin) {
    fail("shape " + shape_words(entry.shape) + " needs " + std::to_string(bytes) +
         " bytes but its offsets give " + std::to_string(entry.end - entry.begin));
  }
  return entry;
}

}  // namespace

SafetensorsFile::SafetensorsFile(const std::string& path)
    : path_(path), map_(std::make_shared<MappedFile>(path, "name a .safetensors file")) {
  std::uint64_t length = 0;
  if (map_->size() < sizeof length) {
    refuse_foreign_content(path);
    fail_input(path + ": truncated: " + std::to_string(map_->size()) +
                   " bytes, less than the 8 of the header's length",
               damaged);
  }
  std::memcpy(&length, map_->data(), sizeof length);
  if (length > max_header || length > map_->size() - sizeof length) {
    refuse_foreign_content(path);
    fail_input(path + ": the header should have " + std::to_string(length) +
                   " bytes but the file "
                   "has " +
                   std::to_string(map_->size()) +
                   (length > max_header ? "; a header has at most 100 MB" : ""),
               std::string("the file is truncated or not in safetensors format; ") + damaged);
  }
  data_begin_ = sizeof length + length;
  parse_header({map_->data() + sizeof length, length}, map_->size() - data_begin_);
}

void SafetensorsFile::parse_header(std::string_view text, std::uint64_t data_bytes) {
  const std::string hint =
      std::string("the file is damaged or not in safetensors format; ") + damaged;
  nlohmann::json header;
  const std::string reason = try_parse_json(text, header);
  if (!reason.empty() || !header.is_object()) {
    fail_input(
        path_ + ": the header is no JSON object" + (reason.empty() ? "" : " (" + reason + ")"),
        hint);
  }
  if (const auto name = repeated_name(text); !name.empty()) {
    fail_input(path_ + ": the header gives the name " + name + " twice", hint);
  }
  for (const auto& [name, item] : header.items()) {
    if (name == "__metadata__") {
      metadata_ = read_metadata(path_, item);
    } else {
      entries_.push_back(read_entry(path_, name, item, data_bytes));
    }
  }
  std::stable_sort(entries_.begin(), entries_.end(), [](const auto& a, const auto& b) {
    return std::pair(a.begin, a.end) < std::pair(b.begin, b.end);
  });
  std::uint64_t covered = 0;
  for (std::size_t i = 0; i < entries_.size(); ++i) {
    const auto& entry = entries_[i];
    if (entry.begin != covered) {
      fail_input(path_ + ": tensor " + entry.name +
                     (entry.begin < covered ? ": overlaps tensor " + entries_[i - 1].name
                                            : ": bytes before it belong to no tensor"),
                 damaged);
    }
    covered = entry.end;
    index_.emplace(entry.name, i);
  }
  if (covered != data_bytes) {
    fail_input(path_ + ": " + std::to_string(data_bytes - covered) +
                   " bytes at the end belong to no tensor",
               damaged);
  }
}

const SafetensorsEntry* SafetensorsFile::find(const std::string& name) const {
  const auto it = index_.find(name);
  return it == index_.end() ? nullptr : &entries_[it->second];
}

at::Tensor SafetensorsFile::tensor(const std::string& name) const {
  const SafetensorsEntry* entry = find(name);
  if (entry == nullptr) {
    fail_input(path_ + ": has no tensor " + name,
               "list its tensors with `straq model inspect " + path_ + " --tensors`");
  }
  const auto options = at::TensorOptions().dtype(entry->dtype);
  char* data = map_->data() + data_begin_ + entry->begin;
  const auto bytes = entry->end - entry->begin;
  if (bytes == 0 || reinterpret_cast<std::uintptr_t>(data) % at::elementSize(entry->dtype) != 0) {
    at::Tensor copy = at::empty(entry->shape, options);
    if (bytes > 0) std::memcpy(copy.data_ptr(), data, bytes);
    return copy;
  }
  return at::from_blob(
      data, entry->shape, [map = map_](void*) {}, options);
}

void write_safetensors(const std::string& path, const std::vector<SafetensorsEntry>& entries,
                       const std::function<at::Tensor(const std::string&)>& tensor,
                       const std::map<std::string, std::string>& metadata) {
  std::vector<const SafetensorsEntry*> order;
  for (const auto& e : entries) order.push_back(&e);
  std::stable_sort(order.begin(), order.end(), [](const auto* a, const auto* b) {
    return at::elementSize(a->dtype) > at::elementSize(b->dtype);
  });
  OrderedJson header = OrderedJson::object();
  if (!metadata.empty()) header["__metadata__"] = metadata;
  std::uint64_t offset = 0;
  for (const auto* e : order) {
    const char* dtype = nullptr;
    for (const auto& d : dtype_names) {
      if (d.dtype == e->dtype) dtype = d.name;
    }
    if (dtype == nullptr || e->name == "__metadata__" || header.contains(e->name)) {
      fail_input(path + ": tensor " + e->name + " cannot be written: " +
                     (dtype == nullptr ? "the format lacks its dtype" : "the name is taken"),
                 "give every tensor its own name and a plain dtype");
    }
    std::uint64_t bytes = at::elementSize(e->dtype);
    for (const auto d : e->shape) bytes *= static_cast<std::uint64_t>(d);
    header[e->name] = {
        {"dtype", dtype}, {"shape", e->shape}, {"data_offsets", {offset, offset + bytes}}};
    offset += bytes;
  }
  std::string text = dump_json(header);
  const auto padded = (sizeof(std::uint64_t) + text.size() + alignment - 1) / alignment * alignment;
  text.resize(padded - sizeof(std::uint64_t), ' ');

  AtomicFile file(path);
  const std::uint64_t length = text.size();
  file.write(&length, sizeof length);
  file.write(text.data(), text.size());
  for (const auto* e : order) {
    const at::Tensor values = tensor(e->name).detach();
    if (values.sizes() != at::IntArrayRef(e->shape)) {
      throw std::logic_error("tensor " + e->name + " has another shape than was announced");
    }
    const at::Tensor flat = values.reshape(-1);
    for (std::int64_t begin = 0; begin < flat.numel(); begin += kWritePiece) {
      const auto part = flat.narrow(0, begin, std::min(kWritePiece, flat.numel() - begin));
      const at::Tensor host = part.cpu().to(e->dtype);
      file.write(host.const_data_ptr(), host.nbytes());
    }
  }
  file.publish();
}

void write_safetensors(const std::string& path,
                       const std::vector<std::pair<std::string, at::Tensor>>& tensors,
                       const std::map<std::string, std::string>& metadata) {
  std::vector<SafetensorsEntry> entries;
  std::unordered_map<std::string, at::Tensor> by_name;
  for (const auto& [name, tensor] : tensors) {
    entries.push_back({name, tensor.scalar_type(), tensor.sizes().vec()});
    by_name.emplace(name, tensor);
  }
  write_safetensors(
      path, entries, [&](const std::string& name) { return by_name.at(name); }, metadata);
}

}  // namespace straq::model
