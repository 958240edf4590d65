// A thin, owning layer over the HDF5 C API for small files that are written once and read whole.
// A file is built in memory and its image goes to disk in one atomic write; it is read from disk in
// one go and opened from memory. So a full disk or a crash can leave no half file, HDF5's file
// locks (which fail on some network filesystems) are never taken, and a parallel filesystem sees
// one large request instead of many small ones. Every error names the file. Not thread-safe, as
// the HDF5 library itself.
#pragma once

#include <hdf5.h>

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace straq::shard {

// An HDF5 identifier that is closed with its own function.
class Handle {
 public:
  using Close = herr_t (*)(hid_t);
  Handle() = default;
  Handle(hid_t id, Close close) : id_(id), close_(close) {}
  ~Handle() { reset(); }
  Handle(Handle&& o) noexcept : id_(std::exchange(o.id_, -1)), close_(o.close_) {}
  Handle& operator=(Handle&& o) noexcept {
    if (this != &o) {
      reset();
      id_ = std::exchange(o.id_, -1);
      close_ = o.close_;
    }
    return *this;
  }
  hid_t get() const { return id_; }
  bool valid() const { return id_ >= 0; }
  void reset() {
    if (id_ >= 0) close_(id_);
    id_ = -1;
  }

 private:
  hid_t id_ = -1;
  Close close_ = nullptr;
};

template <class T>
hid_t native_type() {
  if constexpr (std::is_same_v<T, double>)
    return H5T_NATIVE_DOUBLE;
  else if constexpr (std::is_same_v<T, std::uint8_t>)
    return H5T_NATIVE_UINT8;
  else if constexpr (std::is_same_v<T, std::int32_t>)
    return H5T_NATIVE_INT32;
  else {
    static_assert(std::is_same_v<T, std::int64_t>);
    return H5T_NATIVE_INT64;
  }
}
// The type in the file: little-endian on every machine.
template <class T>
hid_t stored_type() {
  if constexpr (std::is_same_v<T, double>)
    return H5T_IEEE_F64LE;
  else if constexpr (std::is_same_v<T, std::uint8_t>)
    return H5T_STD_U8LE;
  else if constexpr (std::is_same_v<T, std::int32_t>)
    return H5T_STD_I32LE;
  else
    return H5T_STD_I64LE;
}

// How datasets are stored. Fletcher-32 is always on; it covers each chunk as it lies in the file.
struct Storage {
  int deflate = 4;  // gzip level 0 … 9; 0 stores plain
  std::int64_t chunk_bytes = 256 * 1024;
};

class H5Writer {
 public:
  // `path` is used in errors only.
  explicit H5Writer(std::string path, Storage storage);
  void group(const std::string& name);
  void attribute(const std::string& name, std::string_view text);  // fixed-length UTF-8
  void attribute(const std::string& name, std::int64_t number);
  void attribute(const std::string& name, const std::vector<std::int32_t>& numbers);
  // A one-dimensional dataset, e.g. "trunk/token".
  template <class T>
  void array(const std::string& name, std::span<const T> values) {
    array(name, values.data(), values.size(), sizeof(T), native_type<T>(), stored_type<T>());
  }
  // Texts of one fixed width (the longest), padded with NUL bytes.
  void strings(const std::string& name, const std::vector<std::string>& values);
  // The file's bytes. Ends the writing. Throws Error(failure).
  std::string image();

 private:
  void array(const std::string& name, const void* data, std::size_t count, std::size_t width,
             hid_t memory, hid_t file);
  template <class F>
  void write_attribute(const std::string& name, hid_t type, hid_t space, F&& write);

  std::string path_;
  Storage storage_;
  Handle file_;
};

// Why a file cannot be used: thrown inside this module and turned into a refusal (or an Error) by
// whoever knows what the file was wanted for.
struct Unreadable {
  std::string reason;
};

class H5Reader {
 public:
  // Opens a file image; `bytes` must outlive the reader. Throws Unreadable.
  explicit H5Reader(std::string_view bytes);
  bool has_attribute(const std::string& name) const;
  std::string text(const std::string& name) const;
  std::int64_t number(const std::string& name) const;
  std::vector<std::int32_t> numbers(const std::string& name) const;
  // Whether something of this name is there, sound or not. Its group must be there.
  bool has(const std::string& name) const;
  template <class T>
  std::vector<T> array(const std::string& name) const {
    Handle set = open(name);
    require_type(set, name, native_type<T>());
    std::vector<T> out(extent(set, name, sizeof(T)));
    read(set, name, native_type<T>(), out.data());
    return out;
  }
  std::vector<std::string> strings(const std::string& name) const;

 private:
  Handle open(const std::string& name) const;
  Handle open_attribute(const std::string& name) const;
  std::vector<std::int64_t> integers(const std::string& attribute) const;
  void require_type(const Handle& set, const std::string& name, hid_t wanted) const;
  // Number of values; refuses what could not possibly lie in the bytes that the dataset has.
  std::size_t extent(const Handle& set, const std::string& name, std::size_t width) const;
  void read(const Handle& set, const std::string& name, hid_t type, void* to) const;

  std::size_t bytes_ = 0;
  std::string name_;  // by which the library knows the file
  Handle file_;
};

}  // namespace straq::shard
