#include "core/files/byte_source.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>
#include <zstd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <string_view>
#include <utility>
#include <vector>

#include "core/error.h"
#include "core/files/files.h"

namespace straq {
namespace {

constexpr std::size_t kPackedPiece = std::size_t{1} << 16;
constexpr const char* kDamagedHint = "was the file copied whole? fetch or pack it again";

[[noreturn]] void fail_archive(const std::string& path, const char* what, const std::string& why,
                               std::uint64_t unpacked) {
  fail_input(path + ": the " + what + " archive " + why + " (behind " + std::to_string(unpacked) +
                 " bytes of its content)",
             kDamagedHint);
}

}  // namespace

// Unpacks from pieces of the file that it holds.
struct ByteSource::Unpacker {
  explicit Unpacker(ByteSource& source) : source(source), in(kPackedPiece) {}
  virtual ~Unpacker() = default;
  // As ByteSource::read.
  virtual std::size_t read(char* to, std::size_t most) = 0;

 protected:
  // Whether there is a packed byte.
  bool fill() {
    if (at == there) {
      there = source.read_raw(in.data(), in.size());
      at = 0;
    }
    return at < there;
  }

  ByteSource& source;
  std::vector<char> in;
  std::size_t at = 0, there = 0;
};

struct ByteSource::Gzip final : Unpacker {
  explicit Gzip(ByteSource& s) : Unpacker(s) {
    if (inflateInit2(&stream, 15 + 16) != Z_OK) fail_runtime(s.path_ + ": no memory to unpack it");
  }
  ~Gzip() override { inflateEnd(&stream); }

  std::size_t read(char* to, std::size_t most) override {
    stream.next_out = reinterpret_cast<Bytef*>(to);
    stream.avail_out = static_cast<uInt>(std::min<std::size_t>(most, 1u << 30));
    const uInt room = stream.avail_out;
    while (stream.avail_out == room) {
      if (!fill()) {
        if (!within) return 0;
        fail_archive(source.path_, "gzip", "is cut off", source.position_);
      }
      if (!std::exchange(within, true) && inflateReset(&stream) != Z_OK) {
        fail_archive(source.path_, "gzip", "cannot be unpacked", source.position_);
      }
      stream.next_in = reinterpret_cast<Bytef*>(in.data() + at);
      stream.avail_in = static_cast<uInt>(there - at);
      const int code = inflate(&stream, Z_NO_FLUSH);
      at = there - stream.avail_in;
      if (code == Z_STREAM_END) {
        within = false;  // another member may follow
      } else if (code != Z_OK && code != Z_BUF_ERROR) {
        fail_archive(source.path_, "gzip",
                     std::string("is damaged: ") + (stream.msg ? stream.msg : "no gzip data"),
                     source.position_ + (room - stream.avail_out));
      }
    }
    return room - stream.avail_out;
  }

  z_stream stream{};
  bool within = false;  // a member that has not ended
};

struct ByteSource::Zstd final : Unpacker {
  explicit Zstd(ByteSource& s) : Unpacker(s), stream(ZSTD_createDStream()) {
    if (stream == nullptr) fail_runtime(s.path_ + ": no memory to unpack it");
  }
  ~Zstd() override { ZSTD_freeDStream(stream); }

  std::size_t read(char* to, std::size_t most) override {
    ZSTD_outBuffer out{to, most, 0};
    while (out.pos == 0) {
      // What a frame still holds may come out without another byte of it.
      if (!fill() && !within) return 0;
      ZSTD_inBuffer packed{in.data(), there, at};
      const std::size_t code = ZSTD_decompressStream(stream, &out, &packed);
      const bool moved = packed.pos != at || out.pos > 0;
      at = packed.pos;
      if (ZSTD_isError(code)) {
        fail_archive(source.path_, "zstd", std::string("is damaged: ") + ZSTD_getErrorName(code),
                     source.position_);
      }
      within = code != 0;
      if (!moved) fail_archive(source.path_, "zstd", "is cut off", source.position_);
    }
    return out.pos;
  }

  ZSTD_DStream* stream;
  bool within = false;
};

ByteSource::ByteSource(std::string path, bool unpack) : path_(std::move(path)), unpack_(unpack) {
  std::error_code ec;
  const auto refuse = [&](const std::string& reason, const std::string& hint) {
    fail_input("cannot read " + path_ + ": " + reason, hint);
  };
  if (std::filesystem::is_directory(path_, ec)) refuse("it is a folder", "name a file");
  fd_ = ::open(path_.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd_ < 0) {
    const int code = errno;
    refuse(std::strerror(code),
           code == ENOENT ? "check the path; relative paths start at the current folder" : "");
  }
  ::posix_fadvise(fd_, 0, 0, POSIX_FADV_SEQUENTIAL);
  rewind();
}

ByteSource::~ByteSource() {
  if (fd_ >= 0) ::close(fd_);
}

std::size_t ByteSource::read_raw(char* to, std::size_t most) {
  for (;;) {
    const ssize_t n = ::read(fd_, to, most);
    if (n >= 0) return static_cast<std::size_t>(n);
    if (errno != EINTR) {
      fail_runtime("cannot read " + path_ + " to its end: " + std::strerror(errno));
    }
  }
}

void ByteSource::rewind() {
  unpacker_.reset();
  position_ = 0;
  ::lseek(fd_, 0, SEEK_SET);
  if (!unpack_) return;
  std::array<char, 4> head{};
  std::size_t there = 0;
  while (there < head.size()) {
    const std::size_t n = read_raw(head.data() + there, head.size() - there);
    if (n == 0) break;
    there += n;
  }
  ::lseek(fd_, 0, SEEK_SET);
  using namespace std::string_view_literals;
  const std::string_view first(head.data(), there);
  packing_ = first.substr(0, 2) == "\x1F\x8B"sv ? Packing::gzip
             : first == "\x28\xB5\x2F\xFD"sv    ? Packing::zstd
                                                : Packing::none;
  if (packing_ == Packing::gzip) unpacker_ = std::make_unique<Gzip>(*this);
  if (packing_ == Packing::zstd) unpacker_ = std::make_unique<Zstd>(*this);
}

std::size_t ByteSource::read(char* to, std::size_t most) {
  const std::size_t n = unpacker_ ? unpacker_->read(to, most) : read_raw(to, most);
  position_ += n;
  return n;
}

void ByteSource::seek(std::uint64_t offset) {
  if (packing_ == Packing::none) {
    if (::lseek(fd_, static_cast<off_t>(offset), SEEK_SET) < 0) {
      fail_runtime("cannot read " + path_ + ": " + std::strerror(errno));
    }
    position_ = offset;
    return;
  }
  if (offset < position_) rewind();
  std::vector<char> passed(std::min<std::uint64_t>(kPackedPiece, offset - position_ + 1));
  while (position_ < offset) {
    const std::size_t n =
        read(passed.data(), std::min<std::uint64_t>(passed.size(), offset - position_));
    if (n == 0) {
      fail_input(path_ + ": its content ends at byte " + std::to_string(position_) + ", before " +
                     std::to_string(offset),
                 "has the file changed since?");
    }
  }
}

FileStamp ByteSource::stamp() const {
  struct stat s {};
  if (::fstat(fd_, &s) != 0) fail_runtime("cannot read " + path_ + ": " + std::strerror(errno));
  return {static_cast<std::uint64_t>(s.st_size),
          std::int64_t{s.st_mtim.tv_sec} * 1000000000 + s.st_mtim.tv_nsec};
}

std::string content_stem(const std::string& path) {
  std::filesystem::path name = std::filesystem::path(path).filename();
  const std::string end = name.extension().string();
  if ((end == ".gz" || end == ".zst") && name.stem() != name) name = name.stem();
  return name.stem().string();
}

}  // namespace straq
