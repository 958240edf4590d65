#include "core/files/packed_file.h"

#include <zlib.h>
#include <zstd.h>

#include <vector>

#include "core/error.h"
#include "core/files/atomic_file.h"

namespace straq {
namespace {

bool ends_with(const std::string& text, std::string_view end) {
  return text.size() >= end.size() && text.compare(text.size() - end.size(), end.size(), end) == 0;
}

}  // namespace

Packing packing_of(const std::string& path) {
  return ends_with(path, ".gz")    ? Packing::gzip
         : ends_with(path, ".zst") ? Packing::zstd
                                   : Packing::none;
}

struct PackedFile::Impl {
  explicit Impl(const std::string& path)
      : file(path), packing(packing_of(path)), out(std::size_t{1} << 16) {
    if (packing == Packing::gzip &&
        deflateInit2(&gzip, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY) != Z_OK) {
      fail_runtime(path + ": no memory to pack it");
    }
    if (packing == Packing::zstd && (zstd = ZSTD_createCCtx()) == nullptr) {
      fail_runtime(path + ": no memory to pack it");
    }
  }
  ~Impl() {
    if (packing == Packing::gzip) deflateEnd(&gzip);
    ZSTD_freeCCtx(zstd);
  }

  void pack_gzip(std::string_view bytes, bool last) {
    gzip.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));
    gzip.avail_in = static_cast<uInt>(bytes.size());
    do {
      gzip.next_out = reinterpret_cast<Bytef*>(out.data());
      gzip.avail_out = static_cast<uInt>(out.size());
      deflate(&gzip, last ? Z_FINISH : Z_NO_FLUSH);
      file.write(out.data(), out.size() - gzip.avail_out);
    } while (gzip.avail_out == 0);
  }

  void pack_zstd(std::string_view bytes, bool last) {
    ZSTD_inBuffer in{bytes.data(), bytes.size(), 0};
    std::size_t left = 0;
    do {
      ZSTD_outBuffer to{out.data(), out.size(), 0};
      left = ZSTD_compressStream2(zstd, &to, &in, last ? ZSTD_e_end : ZSTD_e_continue);
      if (ZSTD_isError(left)) fail_runtime(std::string("zstd: ") + ZSTD_getErrorName(left));
      file.write(out.data(), to.pos);
    } while (last ? left != 0 : in.pos < in.size);
  }

  void write(std::string_view bytes, bool last) {
    if (packing == Packing::gzip) {
      pack_gzip(bytes, last);
    } else if (packing == Packing::zstd) {
      pack_zstd(bytes, last);
    } else {
      file.write(bytes.data(), bytes.size());
    }
  }

  AtomicFile file;
  Packing packing;
  std::vector<char> out;
  z_stream gzip{};
  ZSTD_CCtx* zstd = nullptr;
};

PackedFile::PackedFile(const std::string& path) : impl_(std::make_unique<Impl>(path)) {}
PackedFile::~PackedFile() = default;

void PackedFile::write(std::string_view bytes) {
  impl_->write(bytes, false);
}

void PackedFile::publish() {
  impl_->write({}, true);
  impl_->file.publish();
}

}  // namespace straq
