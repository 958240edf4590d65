#include "core/files/lfs_pointer.h"

#include <fstream>

#include "core/error.h"

namespace straq {
namespace {

constexpr std::string_view kBegin = "version https://git-lfs.github.com/spec/";
// The specification's limit on a pointer's size.
constexpr std::size_t kMost = 1024;

}  // namespace

bool is_lfs_pointer(std::string_view bytes) {
  return bytes.starts_with(kBegin);
}

std::string lfs_pointer_words(std::string_view bytes) {
  std::string size;
  if (const auto at = bytes.find("\nsize "); at != std::string_view::npos) {
    for (std::size_t i = at + 6; i < bytes.size() && bytes[i] >= '0' && bytes[i] <= '9'; ++i) {
      size += bytes[i];
    }
  }
  return "it is a Git LFS pointer" +
         (size.empty() || size.size() > 20 ? std::string(" to a file")
                                           : " to a file of " + size + " bytes") +
         ", which has not been fetched";
}

void require_no_lfs_pointer(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  std::string bytes(kMost, '\0');
  in.read(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  bytes.resize(static_cast<std::size_t>(in.gcount()));
  if (is_lfs_pointer(bytes)) fail_input(path + ": " + lfs_pointer_words(bytes), kLfsHint);
}

}  // namespace straq
