#include "core/files/gguf_file.h"

#include <algorithm>
#include <bit>
#include <charconv>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <limits>

#include "core/error.h"

namespace straq {
namespace {

static_assert(std::endian::native == std::endian::little, "GGUF is read as it lies in the file");

constexpr const char* kDamagedGguf = "the file is damaged or half downloaded; fetch it again";
constexpr std::string_view kMagic = "GGUF";
constexpr std::uint64_t kMostAxes = 4, kMostName = 63, kMostKey = 65535;
constexpr std::uint64_t kDefaultAlignment = 32;
constexpr std::uint64_t kLeastKeyBytes = 8 + 4 + 1;             // empty name, type, one byte
constexpr std::uint64_t kLeastTensorBytes = 8 + 4 + 8 + 4 + 8;  // empty name, one axis

// Values of a block and its bytes.
struct TypeLayout {
  std::uint32_t type;
  const char* name;
  std::uint64_t values, bytes;
};
constexpr TypeLayout kLayouts[] = {
    {0, "F32", 1, 4},         {1, "F16", 1, 2},         {2, "Q4_0", 32, 18},
    {3, "Q4_1", 32, 20},      {6, "Q5_0", 32, 22},      {7, "Q5_1", 32, 24},
    {8, "Q8_0", 32, 34},      {9, "Q8_1", 32, 40},      {10, "Q2_K", 256, 84},
    {11, "Q3_K", 256, 110},   {12, "Q4_K", 256, 144},   {13, "Q5_K", 256, 176},
    {14, "Q6_K", 256, 210},   {15, "Q8_K", 256, 292},   {16, "IQ2_XXS", 256, 66},
    {17, "IQ2_XS", 256, 74},  {18, "IQ3_XXS", 256, 98}, {19, "IQ1_S", 256, 50},
    {20, "IQ4_NL", 32, 18},   {21, "IQ3_S", 256, 110},  {22, "IQ2_S", 256, 82},
    {23, "IQ4_XS", 256, 136}, {24, "I8", 1, 1},         {25, "I16", 1, 2},
    {26, "I32", 1, 4},        {27, "I64", 1, 8},        {28, "F64", 1, 8},
    {29, "IQ1_M", 256, 56},   {30, "BF16", 1, 2},       {34, "TQ1_0", 256, 54},
    {35, "TQ2_0", 256, 66},   {39, "MXFP4", 32, 17},    {40, "NVFP4", 64, 36},
    {41, "Q1_0", 128, 18},
};

const TypeLayout* layout_of(GgufType type) {
  const auto found =
      std::find_if(std::begin(kLayouts), std::end(kLayouts),
                   [&](const TypeLayout& l) { return l.type == static_cast<std::uint32_t>(type); });
  return found == std::end(kLayouts) ? nullptr : found;
}

// A foreign name for a message: short, and without bytes that a terminal obeys.
std::string printable(std::string_view name) {
  std::string out;
  for (const char c : name.substr(0, 80)) {
    out += static_cast<unsigned char>(c) < 0x20 || c == 0x7F ? '?' : c;
  }
  return "\"" + out + (name.size() > 80 ? "…\"" : "\"");
}

template <class T>
T load_value(const char* at) {
  T value;
  std::memcpy(&value, at, sizeof value);
  return value;
}

}  // namespace

std::string gguf_type_name(GgufType type) {
  const TypeLayout* layout = layout_of(type);
  return layout != nullptr ? layout->name
                           : "type " + std::to_string(static_cast<std::uint32_t>(type));
}

std::int64_t GgufTensor::rows() const {
  std::int64_t rows = 1;
  for (std::size_t i = 0; i + 1 < shape.size(); ++i) rows *= shape[i];
  return rows;
}

// Walks over the mapped bytes and never beyond them.
class GgufFile::Reader {
 public:
  explicit Reader(const GgufFile& file) : file_(file) {}

  std::uint64_t at() const { return at_; }
  std::uint64_t rest() const { return file_.size() - at_; }
  // The next n bytes; `what` is being read.
  const char* take(std::uint64_t n, const std::string& what) {
    if (n > rest()) {
      file_.fail("the file ends within " + what + ", at byte " + std::to_string(file_.size()));
    }
    const char* bytes = file_.map_->data() + at_;
    at_ += n;
    return bytes;
  }
  template <class T>
  T next(const std::string& what) {
    return load_value<T>(take(sizeof(T), what));
  }
  std::string_view text(const std::string& what) {
    const auto length = next<std::uint64_t>(what);
    return {take(length, what), length};
  }
  // A number of things that take at least `least` bytes each.
  std::uint64_t count(std::uint64_t n, std::uint64_t least, const std::string& what) const {
    if (n > rest() / least) {
      file_.fail("it claims " + std::to_string(n) + " " + what + ", more than its " +
                 std::to_string(file_.size()) + " bytes can hold");
    }
    return n;
  }

 private:
  const GgufFile& file_;
  std::uint64_t at_ = 0;
};

void GgufFile::fail(const std::string& what, const std::string& hint) const {
  fail_input(path_ + ": " + what, hint.empty() ? kDamagedGguf : hint);
}

// 0: no type, or one that has no fixed size.
std::uint64_t GgufFile::bytes_of(Value type) {
  switch (type) {
    case Value::u8:
    case Value::i8:
    case Value::flag:
      return 1;
    case Value::u16:
    case Value::i16:
      return 2;
    case Value::u32:
    case Value::i32:
    case Value::f32:
      return 4;
    case Value::u64:
    case Value::i64:
    case Value::f64:
      return 8;
    default:
      return 0;
  }
}

GgufFile::GgufFile(const std::string& path)
    : path_(path), map_(std::make_shared<MappedFile>(path, "name a .gguf file")) {
  Reader in(*this);
  if (std::string_view(in.take(kMagic.size(), "its header"), kMagic.size()) != kMagic) {
    fail("is no GGUF file (it does not begin with \"GGUF\")", "name a .gguf file of llama.cpp");
  }
  const auto version = in.next<std::uint32_t>("its header");
  if (version != 2 && version != 3) {
    const bool swapped = version != 0 && (version & 0xFFFF) == 0;
    fail(swapped ? std::string("is a big-endian GGUF file")
                 : "is of version " + std::to_string(version) + " of GGUF; 2 and 3 are read",
         "convert the model again with a current llama.cpp");
  }
  const auto tensor_count = in.next<std::uint64_t>("its header");
  const auto key_count = in.next<std::uint64_t>("its header");
  in.count(tensor_count, kLeastTensorBytes, "tensors");
  read_keys(in, in.count(key_count, kLeastKeyBytes, "keys"));
  if (integer("split.count").value_or(0) > 1) {
    fail("is one part of a model of " + std::to_string(*integer("split.count")) + " files",
         "put the parts together: llama-gguf-split --merge <first part> <new file>");
  }
  std::uint64_t alignment = kDefaultAlignment;
  if (const auto given = integer("general.alignment")) {
    if (*given < 1 || *given > (1 << 30) ||
        !std::has_single_bit(static_cast<std::uint64_t>(*given))) {
      fail("general.alignment is " + std::to_string(*given) + ", but must be a power of two");
    }
    alignment = static_cast<std::uint64_t>(*given);
  }
  read_tensors(in, in.count(tensor_count, kLeastTensorBytes, "tensors"));
  place_tensors((in.at() + alignment - 1) / alignment * alignment, alignment);
}

void GgufFile::read_keys(Reader& in, std::uint64_t count) {
  for (std::uint64_t i = 0; i < count; ++i) {
    const std::string_view name = in.text("key " + std::to_string(i));
    if (name.empty() || name.size() > kMostKey) {
      fail("key " + std::to_string(i) + " has a name of " + std::to_string(name.size()) + " bytes");
    }
    const std::string what = "key " + printable(name);
    Entry e;
    e.type = static_cast<Value>(in.next<std::uint32_t>(what));
    e.is_list = e.type == Value::list;
    if (e.is_list) {
      e.type = static_cast<Value>(in.next<std::uint32_t>(what));
      e.count = in.next<std::uint64_t>(what);
    }
    if (bytes_of(e.type) == 0 && e.type != Value::text) {
      fail(what + " has a value of type " + std::to_string(static_cast<std::uint32_t>(e.type)) +
           (e.type == Value::list ? " in a list" : "") + ", which is not known");
    }
    const std::uint64_t each = e.type == Value::text ? sizeof(std::uint64_t) : bytes_of(e.type);
    in.count(e.count, each, "values of " + what);
    e.begin = in.at();
    if (e.type == Value::text) {
      for (std::uint64_t k = 0; k < e.count; ++k) in.text(what);
    } else {
      const char* bytes = in.take(e.count * each, what);
      if (e.type == Value::flag && std::any_of(bytes, bytes + e.count, [](char b) {
            return static_cast<unsigned char>(b) > 1;
          })) {
        fail(what + " is neither true nor false");
      }
    }
    if (!keys_.emplace(std::string(name), e).second) fail(what + " comes twice");
  }
}

void GgufFile::read_tensors(Reader& in, std::uint64_t count) {
  tensors_.reserve(count);
  for (std::uint64_t i = 0; i < count; ++i) {
    const std::string_view name = in.text("tensor " + std::to_string(i));
    if (name.empty() || name.size() > kMostName) {
      fail("tensor " + std::to_string(i) + " has a name of " + std::to_string(name.size()) +
           " bytes; 1 to " + std::to_string(kMostName) + " are allowed");
    }
    const std::string what = "tensor " + printable(name);
    GgufTensor t;
    t.name = name;
    const auto axes = in.next<std::uint32_t>(what);
    if (axes < 1 || axes > kMostAxes) fail(what + " has " + std::to_string(axes) + " axes");
    std::uint64_t values = 1;
    for (std::uint32_t k = 0; k < axes; ++k) {
      const auto size = in.next<std::uint64_t>(what);
      constexpr auto most = static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max());
      if (size < 1 || size > most || __builtin_mul_overflow(values, size, &values) ||
          values > most) {
        fail(what + " has an impossible shape (axis " + std::to_string(k) + " is " +
             std::to_string(size) + ")");
      }
      t.shape.insert(t.shape.begin(), static_cast<std::int64_t>(size));
    }
    t.type = static_cast<GgufType>(in.next<std::uint32_t>(what));
    const TypeLayout* layout = layout_of(t.type);
    if (layout == nullptr) {
      fail(what + " is stored as " + gguf_type_name(t.type) + ", which is not known",
           "convert the model again, as F16 or Q8_0");
    }
    if (static_cast<std::uint64_t>(t.columns()) % layout->values != 0) {
      fail(what + " has rows of " + std::to_string(t.columns()) +
           " values, which are no blocks of " + std::to_string(layout->values) + " (" +
           layout->name + ")");
    }
    if (__builtin_mul_overflow(values / layout->values, layout->bytes, &t.bytes)) {
      fail(what + " has an impossible size");
    }
    t.begin = in.next<std::uint64_t>(what);  // within the data until place_tensors
    if (!index_.emplace(t.name, tensors_.size()).second) fail(what + " comes twice");
    tensors_.push_back(std::move(t));
  }
}

// Each tensor must begin where the one before it ends, at the next multiple of the alignment: then
// none can overlap another or reach beyond the file.
void GgufFile::place_tensors(std::uint64_t data_begin, std::uint64_t alignment) {
  std::uint64_t next = 0;
  for (auto& t : tensors_) {
    const std::string what = "tensor " + printable(t.name);
    if (t.begin != next) {
      fail(what + " begins at byte " + std::to_string(t.begin) + " of the data, where " +
           std::to_string(next) + " was expected");
    }
    if (data_begin > size() || t.bytes > size() - data_begin ||
        next > size() - data_begin - t.bytes) {
      fail(what + " reaches beyond the end of the file, which has " + std::to_string(size()) +
           " bytes");
    }
    t.begin = data_begin + next;
    next = (next + t.bytes + alignment - 1) / alignment * alignment;
  }
}

const GgufTensor* GgufFile::find(const std::string& name) const {
  const auto it = index_.find(name);
  return it == index_.end() ? nullptr : &tensors_[it->second];
}

const GgufFile::Entry* GgufFile::entry(const std::string& key, bool is_list,
                                       const char* wanted) const {
  const auto it = keys_.find(key);
  if (it == keys_.end()) return nullptr;
  if (it->second.is_list != is_list) fail("key " + printable(key) + " must be " + wanted);
  return &it->second;
}

std::int64_t GgufFile::integer_at(const std::string& key, Value type, std::uint64_t begin) const {
  const char* at = map_->data() + begin;
  switch (type) {
    case Value::u8:
      return load_value<std::uint8_t>(at);
    case Value::i8:
      return load_value<std::int8_t>(at);
    case Value::u16:
      return load_value<std::uint16_t>(at);
    case Value::i16:
      return load_value<std::int16_t>(at);
    case Value::u32:
      return load_value<std::uint32_t>(at);
    case Value::i32:
      return load_value<std::int32_t>(at);
    case Value::i64:
      return load_value<std::int64_t>(at);
    case Value::u64:
      if (load_value<std::int64_t>(at) >= 0) return load_value<std::int64_t>(at);
      fail("key " + printable(key) + " is out of range");
    default:
      fail("key " + printable(key) + " must hold whole numbers");
  }
}

std::optional<std::int64_t> GgufFile::integer(const std::string& key) const {
  const Entry* e = entry(key, false, "a whole number");
  return e == nullptr ? std::nullopt : std::optional(integer_at(key, e->type, e->begin));
}

std::optional<double> GgufFile::number(const std::string& key) const {
  const Entry* e = entry(key, false, "a number");
  if (e == nullptr) return std::nullopt;
  if (e->type == Value::f64) return load_value<double>(map_->data() + e->begin);
  if (e->type != Value::f32) return static_cast<double>(integer_at(key, e->type, e->begin));
  const auto value = load_value<float>(map_->data() + e->begin);
  char text[32];
  const auto written = std::to_chars(text, text + sizeof text, value);
  double out = value;
  std::from_chars(text, written.ptr, out);
  return out;
}

std::optional<bool> GgufFile::flag(const std::string& key) const {
  const Entry* e = entry(key, false, "true or false");
  if (e == nullptr) return std::nullopt;
  if (e->type != Value::flag) fail("key " + printable(key) + " must be true or false");
  return map_->data()[e->begin] != 0;
}

std::optional<std::string_view> GgufFile::text(const std::string& key) const {
  const Entry* e = entry(key, false, "a text");
  if (e == nullptr) return std::nullopt;
  if (e->type != Value::text) fail("key " + printable(key) + " must be a text");
  return std::string_view(map_->data() + e->begin + sizeof(std::uint64_t),
                          load_value<std::uint64_t>(map_->data() + e->begin));
}

std::vector<std::string_view> GgufFile::texts(const std::string& key) const {
  std::vector<std::string_view> out;
  const Entry* e = entry(key, true, "a list of texts");
  if (e == nullptr) return out;
  if (e->type != Value::text) fail("key " + printable(key) + " must be a list of texts");
  out.reserve(e->count);
  const char* at = map_->data() + e->begin;
  for (std::uint64_t i = 0; i < e->count; ++i) {
    const auto length = load_value<std::uint64_t>(at);
    out.emplace_back(at + sizeof length, length);
    at += sizeof length + length;
  }
  return out;
}

std::vector<std::int64_t> GgufFile::integers(const std::string& key) const {
  std::vector<std::int64_t> out;
  const Entry* e = entry(key, true, "a list of whole numbers");
  if (e == nullptr) return out;
  out.reserve(e->count);
  for (std::uint64_t i = 0; i < e->count; ++i) {
    out.push_back(
        integer_at(key, e->type, e->begin + i * std::max<std::uint64_t>(bytes_of(e->type), 1)));
  }
  return out;
}

std::vector<float> GgufFile::reals(const std::string& key) const {
  std::vector<float> out;
  const Entry* e = entry(key, true, "a list of numbers");
  if (e == nullptr) return out;
  if (e->type != Value::f32) fail("key " + printable(key) + " must be a list of 32-bit numbers");
  out.resize(e->count);
  if (e->count > 0) std::memcpy(out.data(), map_->data() + e->begin, e->count * sizeof(float));
  return out;
}

bool is_gguf_file(const std::string& path) {
  std::error_code ec;
  if (!std::filesystem::is_regular_file(path, ec)) return false;  // a pipe would wait
  std::ifstream in(path, std::ios::binary);
  char magic[4] = {};
  in.read(magic, sizeof magic);
  return in.gcount() == sizeof magic && std::string_view(magic, sizeof magic) == kMagic;
}

}  // namespace straq
