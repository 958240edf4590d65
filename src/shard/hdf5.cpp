#include "shard/hdf5.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <bit>
#include <cstdint>
#include <limits>

#include "core/error.h"
#include "core/files/lfs_pointer.h"

namespace straq::shard {
namespace {

// HDF5 prints its error stack by default; here errors become exceptions with one sentence.
void silence() {
  static const bool once = [] {
    H5Eset_auto2(H5E_DEFAULT, nullptr, nullptr);
    return true;
  }();
  (void)once;
}

herr_t keep_deepest(unsigned, const H5E_error2_t* e, void* out) {
  if (e->desc != nullptr) *static_cast<std::string*>(out) = e->desc;
  return 0;
}

// The innermost message of the error stack: "truncated file: eof = 96, …".
std::string last_reason() {
  std::string reason;
  H5Ewalk2(H5E_DEFAULT, H5E_WALK_DOWNWARD, keep_deepest, &reason);
  H5Eclear2(H5E_DEFAULT);
  return reason.empty() ? "HDF5 gave no reason" : reason;
}

Handle in_memory_access() {
  Handle access(H5Pcreate(H5P_FILE_ACCESS), H5Pclose);
  if (!access.valid() || H5Pset_fapl_core(access.get(), 1 << 20, false) < 0) {
    fail_runtime("HDF5: no access list: " + last_reason());
  }
  return access;
}

// Bob Jenkins' lookup3 hash over a byte string with initial value 0: HDF5's metadata checksum
// (HDF5 file format specification, version 2 and later superblock).
std::uint32_t lookup3(const unsigned char* p, std::size_t n) {
  std::uint32_t a = 0xdeadbeefu + static_cast<std::uint32_t>(n), b = a, c = a;
  const auto word = [&](std::size_t at) {  // little-endian, zero beyond the end
    std::uint32_t w = 0;
    for (std::size_t i = 0; i < 4 && at + i < n; ++i) w |= std::uint32_t{p[at + i]} << (8 * i);
    return w;
  };
  std::size_t at = 0;
  for (; n - at > 12; at += 12) {
    a += word(at), b += word(at + 4), c += word(at + 8);
    a -= c, a ^= std::rotl(c, 4), c += b;
    b -= a, b ^= std::rotl(a, 6), a += c;
    c -= b, c ^= std::rotl(b, 8), b += a;
    a -= c, a ^= std::rotl(c, 16), c += b;
    b -= a, b ^= std::rotl(a, 19), a += c;
    c -= b, c ^= std::rotl(b, 4), b += a;
  }
  a += word(at), b += word(at + 4), c += word(at + 8);
  c ^= b, c -= std::rotl(b, 14);
  a ^= c, a -= std::rotl(c, 11);
  b ^= a, b -= std::rotl(a, 25);
  c ^= b, c -= std::rotl(b, 16);
  a ^= c, a -= std::rotl(c, 4);
  b ^= a, b -= std::rotl(a, 14);
  c ^= b, c -= std::rotl(b, 24);
  return c;
}

// H5Fget_file_image clears the "open for writing" flag in its copy of the superblock but leaves the
// checksum that was made with the flag set (seen with 1.10.8), so nobody could open the file. The
// checksum follows the 44 bytes of a superblock with 8-byte offsets.
void seal_superblock(std::string& image) {
  constexpr std::size_t kSize = 44, kVersion = 8, kOffsetBytes = 9;
  if (image.size() < kSize + 4 || image[kVersion] < 2 || image[kOffsetBytes] != 8) {
    fail_runtime("HDF5 made a superblock of an unforeseen form",
                 "build with HDF5 1.10 or later, or report this with its version");
  }
  const std::uint32_t sum = lookup3(reinterpret_cast<const unsigned char*>(image.data()), kSize);
  for (std::size_t i = 0; i < 4; ++i) image[kSize + i] = static_cast<char>(sum >> (8 * i));
}

// A name by which the library knows a file that is read: two of one name that are open at once, on
// two threads, it would take for one file.
std::string image_name() {
  static std::atomic<std::uint64_t> count = 0;
  return "image-" + std::to_string(++count);
}

// Whether each value of a file's type is one of `wanted` too. HDF5 would make 1 of 1.5
// and the largest int32 of a larger number, without a word.
bool fits(const Handle& type, hid_t wanted) {
  if (!type.valid() || H5Tget_class(type.get()) != H5Tget_class(wanted)) return false;
  if (H5Tget_class(wanted) == H5T_FLOAT) return H5Tget_size(type.get()) <= H5Tget_size(wanted);
  const auto bytes = H5Tget_size(type.get()), most = H5Tget_size(wanted);
  if (H5Tget_sign(type.get()) == H5Tget_sign(wanted)) return bytes <= most;
  return H5Tget_sign(wanted) == H5T_SGN_2 && bytes < most;
}

// A text of fixed width without the NUL bytes that fill it up. One that goes on after a NUL would
// pass for its beginning.
std::string without_padding(std::string_view cell, const std::string& where) {
  const std::size_t end = std::min(cell.find('\0'), cell.size());
  if (cell.find_first_not_of('\0', end) != std::string_view::npos) {
    throw Unreadable{where + " holds a text with a NUL byte inside"};
  }
  return std::string(cell.substr(0, end));
}

}  // namespace

H5Writer::H5Writer(std::string path, Storage storage) : path_(std::move(path)), storage_(storage) {
  silence();
  Handle access = in_memory_access();
  // The forms of version 1.10 have a checksum in every piece of metadata, chunk indexes included;
  // newer ones would shut out older readers for nothing.
  H5Pset_libver_bounds(access.get(), H5F_LIBVER_V110, H5F_LIBVER_V110);
  Handle creation(H5Pcreate(H5P_FILE_CREATE), H5Pclose);
  // No time stamps: the same content gives the same bytes. All attributes stay in the header.
  H5Pset_obj_track_times(creation.get(), false);
  H5Pset_attr_phase_change(creation.get(), 64, 32);
  file_ = Handle(H5Fcreate(path_.c_str(), H5F_ACC_TRUNC, creation.get(), access.get()), H5Fclose);
  if (!file_.valid()) fail_runtime("cannot build " + path_ + ": " + last_reason());
}

void H5Writer::group(const std::string& name) {
  Handle creation(H5Pcreate(H5P_GROUP_CREATE), H5Pclose);
  H5Pset_obj_track_times(creation.get(), false);
  Handle g(H5Gcreate2(file_.get(), name.c_str(), H5P_DEFAULT, creation.get(), H5P_DEFAULT),
           H5Gclose);
  if (!g.valid()) fail_runtime("cannot build " + path_ + ": group " + name + ": " + last_reason());
}

template <class F>
void H5Writer::write_attribute(const std::string& name, hid_t type, hid_t space, F&& write) {
  Handle a(H5Acreate2(file_.get(), name.c_str(), type, space, H5P_DEFAULT, H5P_DEFAULT), H5Aclose);
  if (!a.valid() || write(a.get()) < 0) {
    fail_runtime("cannot build " + path_ + ": attribute " + name + ": " + last_reason());
  }
}

void H5Writer::attribute(const std::string& name, std::string_view text) {
  Handle type(H5Tcopy(H5T_C_S1), H5Tclose);
  const std::string padded = text.empty() ? std::string(1, '\0') : std::string(text);
  H5Tset_size(type.get(), padded.size());
  H5Tset_strpad(type.get(), H5T_STR_NULLPAD);
  H5Tset_cset(type.get(), H5T_CSET_UTF8);
  Handle space(H5Screate(H5S_SCALAR), H5Sclose);
  write_attribute(name, type.get(), space.get(),
                  [&](hid_t a) { return H5Awrite(a, type.get(), padded.data()); });
}

void H5Writer::attribute(const std::string& name, std::int64_t number) {
  Handle space(H5Screate(H5S_SCALAR), H5Sclose);
  write_attribute(name, H5T_STD_I64LE, space.get(),
                  [&](hid_t a) { return H5Awrite(a, H5T_NATIVE_INT64, &number); });
}

void H5Writer::attribute(const std::string& name, const std::vector<std::int32_t>& numbers) {
  const hsize_t n = numbers.size();
  Handle space(H5Screate_simple(1, &n, nullptr), H5Sclose);
  write_attribute(name, H5T_STD_I32LE, space.get(), [&](hid_t a) {
    return numbers.empty() ? 0 : H5Awrite(a, H5T_NATIVE_INT32, numbers.data());
  });
}

void H5Writer::array(const std::string& name, const void* data, std::size_t count,
                     std::size_t width, hid_t memory, hid_t file) {
  const hsize_t n = count;
  Handle space(H5Screate_simple(1, &n, nullptr), H5Sclose);
  Handle creation(H5Pcreate(H5P_DATASET_CREATE), H5Pclose);
  H5Pset_obj_track_times(creation.get(), false);
  if (n > 0) {  // an empty dataset cannot be chunked, and has no bytes to protect
    const hsize_t chunk = std::clamp<hsize_t>(
        static_cast<hsize_t>(storage_.chunk_bytes) / std::max<std::size_t>(width, 1), 1, n);
    H5Pset_chunk(creation.get(), 1, &chunk);
    if (storage_.deflate > 0) {
      H5Pset_shuffle(creation.get());
      H5Pset_deflate(creation.get(), static_cast<unsigned>(storage_.deflate));
    }
    H5Pset_fletcher32(creation.get());
  }
  Handle set(H5Dcreate2(file_.get(), name.c_str(), file, space.get(), H5P_DEFAULT, creation.get(),
                        H5P_DEFAULT),
             H5Dclose);
  if (!set.valid() ||
      (n > 0 && H5Dwrite(set.get(), memory, H5S_ALL, H5S_ALL, H5P_DEFAULT, data) < 0)) {
    fail_runtime("cannot build " + path_ + ": dataset " + name + ": " + last_reason());
  }
}

void H5Writer::strings(const std::string& name, const std::vector<std::string>& values) {
  std::size_t width = 1;
  for (const auto& v : values) width = std::max(width, v.size());
  std::string flat(width * values.size(), '\0');
  for (std::size_t i = 0; i < values.size(); ++i) values[i].copy(flat.data() + i * width, width);
  Handle type(H5Tcopy(H5T_C_S1), H5Tclose);
  H5Tset_size(type.get(), width);
  H5Tset_strpad(type.get(), H5T_STR_NULLPAD);
  H5Tset_cset(type.get(), H5T_CSET_UTF8);
  array(name, flat.data(), values.size(), width, type.get(), type.get());
}

std::string H5Writer::image() {
  std::string out;
  ssize_t size = -1;
  if (H5Fflush(file_.get(), H5F_SCOPE_GLOBAL) >= 0) {
    size = H5Fget_file_image(file_.get(), nullptr, 0);
  }
  if (size > 0) {
    out.resize(static_cast<std::size_t>(size));
    size = H5Fget_file_image(file_.get(), out.data(), out.size());
  }
  if (size <= 0) fail_runtime("cannot build " + path_ + ": " + last_reason());
  file_.reset();
  seal_superblock(out);
  return out;
}

H5Reader::H5Reader(std::string_view bytes) : bytes_(bytes.size()), name_(image_name()) {
  silence();
  constexpr std::string_view signature = "\x89HDF\r\n\x1a\n";
  if (is_lfs_pointer(bytes)) {
    throw Unreadable{lfs_pointer_words(bytes) + "; " + kLfsHint};
  }
  if (bytes.substr(0, signature.size()) != signature) throw Unreadable{"it is not an HDF5 file"};
  Handle access = in_memory_access();
  // The library copies the image.
  if (H5Pset_file_image(access.get(), const_cast<char*>(bytes.data()), bytes.size()) < 0) {
    fail_runtime("HDF5 cannot take a file of " + std::to_string(bytes.size()) +
                 " bytes into memory: " + last_reason());
  }
  file_ = Handle(H5Fopen(name_.c_str(), H5F_ACC_RDONLY, access.get()), H5Fclose);
  if (!file_.valid()) {
    const std::string reason = last_reason();
    if (reason.find("truncated") != std::string::npos) {
      throw Unreadable{"it is truncated (" + reason + ")"};
    }
    // HDF5 marks a file while it is open for writing; who dies then leaves the mark behind.
    if (reason.find("already open for") != std::string::npos) {
      throw Unreadable{
          "another program has it open for writing, or ended without closing it; "
          "close that program (where none is left, `h5clear -s` takes the mark off "
          "the file)"};
    }
    throw Unreadable{"it is damaged: HDF5 says: " + reason};
  }
}

bool H5Reader::has_attribute(const std::string& name) const {
  return H5Aexists(file_.get(), name.c_str()) > 0;
}

Handle H5Reader::open_attribute(const std::string& name) const {
  Handle a(H5Aopen(file_.get(), name.c_str(), H5P_DEFAULT), H5Aclose);
  if (!a.valid()) {
    throw Unreadable{"attribute " + name + " is missing or damaged: " + last_reason()};
  }
  return a;
}

std::string H5Reader::text(const std::string& name) const {
  Handle a = open_attribute(name);
  Handle type(H5Aget_type(a.get()), H5Tclose);
  if (!type.valid() || H5Tget_class(type.get()) != H5T_STRING ||
      H5Tis_variable_str(type.get()) != 0) {
    throw Unreadable{"attribute " + name + " is no fixed-length text"};
  }
  // The size is the file's claim; it becomes an allocation only within the file's own size.
  const std::size_t size = H5Tget_size(type.get());
  if (size != H5Aget_storage_size(a.get()) || size > bytes_) {
    throw Unreadable{"attribute " + name + " has no sound size"};
  }
  std::string out(size, '\0');
  if (H5Aread(a.get(), type.get(), out.data()) < 0) {
    throw Unreadable{"attribute " + name + " cannot be read: " + last_reason()};
  }
  return without_padding(out, "attribute " + name);
}

std::int64_t H5Reader::number(const std::string& name) const {
  const auto all = integers(name);
  if (all.size() != 1) throw Unreadable{"attribute " + name + " is no single number"};
  return all.front();
}

std::vector<std::int32_t> H5Reader::numbers(const std::string& name) const {
  const auto all = integers(name);
  std::vector<std::int32_t> out;
  for (const std::int64_t n : all) {
    if (n < std::numeric_limits<std::int32_t>::min() ||
        n > std::numeric_limits<std::int32_t>::max()) {
      throw Unreadable{"attribute " + name + " holds " + std::to_string(n) +
                       ", which is beyond 32 bits"};
    }
    out.push_back(static_cast<std::int32_t>(n));
  }
  return out;
}

std::vector<std::int64_t> H5Reader::integers(const std::string& name) const {
  Handle a = open_attribute(name);
  Handle type(H5Aget_type(a.get()), H5Tclose);
  if (!fits(type, H5T_NATIVE_INT64)) {
    throw Unreadable{"attribute " + name + " is no integer of 64 bits"};
  }
  Handle space(H5Aget_space(a.get()), H5Sclose);
  const hssize_t n = H5Sget_simple_extent_npoints(space.get());
  if (n < 0 || n > static_cast<hssize_t>(bytes_)) {
    throw Unreadable{"attribute " + name + " has no sound size"};
  }
  std::vector<std::int64_t> out(static_cast<std::size_t>(n));
  if (n > 0 && H5Aread(a.get(), H5T_NATIVE_INT64, out.data()) < 0) {
    throw Unreadable{"attribute " + name + " cannot be read: " + last_reason()};
  }
  return out;
}

bool H5Reader::has(const std::string& name) const {
  return H5Lexists(file_.get(), name.c_str(), H5P_DEFAULT) > 0;
}

Handle H5Reader::open(const std::string& name) const {
  Handle set(H5Dopen2(file_.get(), name.c_str(), H5P_DEFAULT), H5Dclose);
  if (!set.valid()) {
    throw Unreadable{"dataset " + name + " is missing or damaged: " + last_reason()};
  }
  // A link, an external or a virtual dataset would have us read other files than the one that was
  // named, and whose bytes the manifest's hash covers.
  std::array<char, 32> file{};
  H5Fget_name(set.get(), file.data(), file.size());
  Handle creation(H5Dget_create_plist(set.get()), H5Pclose);
  if (file.data() != name_ || !creation.valid() || H5Pget_layout(creation.get()) == H5D_VIRTUAL ||
      H5Pget_external_count(creation.get()) != 0) {
    throw Unreadable{"dataset " + name + " lies in another file"};
  }
  return set;
}

void H5Reader::require_type(const Handle& set, const std::string& name, hid_t wanted) const {
  Handle type(H5Dget_type(set.get()), H5Tclose);
  if (!fits(type, wanted)) {
    const bool real = H5Tget_class(wanted) == H5T_FLOAT;
    throw Unreadable{"dataset " + name + " holds no " +
                     (real ? "floating-point numbers" : "integers") + " of " +
                     std::to_string(8 * H5Tget_size(wanted)) + " bits"};
  }
}

std::size_t H5Reader::extent(const Handle& set, const std::string& name, std::size_t width) const {
  Handle space(H5Dget_space(set.get()), H5Sclose);
  const hssize_t n = H5Sget_simple_extent_npoints(space.get());
  // deflate cannot shrink by more than about 1032 to 1, so a claim beyond what the dataset's own
  // bytes can hold is damage and must not become an allocation.
  Handle creation(H5Dget_create_plist(set.get()), H5Pclose);
  const std::size_t stored = std::min<std::size_t>(H5Dget_storage_size(set.get()), bytes_);
  const std::size_t growth = H5Pget_nfilters(creation.get()) > 0 ? 1100 : 1;
  const std::size_t most = stored * growth / std::max<std::size_t>(width, 1);
  if (H5Sget_simple_extent_ndims(space.get()) != 1 || n < 0 || static_cast<std::size_t>(n) > most) {
    throw Unreadable{"dataset " + name + " has no sound size"};
  }
  return static_cast<std::size_t>(n);
}

void H5Reader::read(const Handle& set, const std::string& name, hid_t type, void* to) const {
  if (H5Dread(set.get(), type, H5S_ALL, H5S_ALL, H5P_DEFAULT, to) < 0) {
    throw Unreadable{"dataset " + name + " is damaged: " + last_reason()};
  }
}

std::vector<std::string> H5Reader::strings(const std::string& name) const {
  Handle set = open(name);
  Handle type(H5Dget_type(set.get()), H5Tclose);
  if (!type.valid() || H5Tget_class(type.get()) != H5T_STRING ||
      H5Tis_variable_str(type.get()) != 0) {
    throw Unreadable{"dataset " + name + " holds no fixed-length texts"};
  }
  const std::size_t width = H5Tget_size(type.get());
  const std::size_t n = extent(set, name, width);
  std::string flat(width * n, '\0');
  read(set, name, type.get(), flat.data());
  std::vector<std::string> out(n);
  for (std::size_t i = 0; i < n; ++i) {
    out[i] = without_padding({flat.data() + i * width, width}, "dataset " + name);
  }
  return out;
}

}  // namespace straq::shard
