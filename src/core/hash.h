// SHA-256 of bytes and files: keys of shards and provenance, and the proof that a file is whole.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_set>

namespace straq {

// The first half of a SHA-256: enough to tell millions of texts apart.
struct Digest {
  std::uint64_t first = 0, second = 0;
  bool operator==(const Digest&) const = default;
};
struct DigestHash {
  std::size_t operator()(const Digest& d) const { return static_cast<std::size_t>(d.first); }
};

class Sha256 {
 public:
  Sha256();
  ~Sha256();
  Sha256(Sha256&&) noexcept;
  Sha256& operator=(Sha256&&) noexcept;

  Sha256& update(const void* data, std::size_t bytes);
  Sha256& update(std::string_view text) { return update(text.data(), text.size()); }
  // 64 lower-case hexadecimal digits. The object can't be used afterwards.
  std::string hex();
  Digest digest();  // as hex()

 private:
  struct Context;
  std::unique_ptr<Context> context_;
};

// A set of texts in some 40 bytes for each, however long they are.
class DigestSet {
 public:
  // False where the text is in it already.
  bool insert(std::string_view text) {
    return digests_.insert(Sha256().update(text).digest()).second;
  }

 private:
  std::unordered_set<Digest, DigestHash> digests_;
};

std::string sha256_hex(std::string_view bytes);
// Throws Error(failure) naming the file when it can't be read.
std::string sha256_file(const std::string& path);

}  // namespace straq
