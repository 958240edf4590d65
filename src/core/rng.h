// Counter-based random numbers: a value is a pure function of (seed, stream, counter), so a draw
// does not depend on how many ranks or threads drew before it, and nothing has to be stored to
// resume. Philox4x32-10 (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011).
//
//   CounterRng rng(seed, "negatives", dialogue);  // the same draws on every rank
//   const auto action = rng.below(strategies);
#pragma once

#include <array>
#include <cstdint>
#include <string_view>
#include <utility>
#include <vector>

namespace straq {

// The raw generator: 128 random bits from a 64-bit key and a 128-bit counter.
std::array<std::uint32_t, 4> philox4x32(std::uint64_t key, std::uint64_t counter_lo,
                                        std::uint64_t counter_hi);

// A 64-bit number for a stream's name ("negatives", "shuffle", …): FNV-1a.
constexpr std::uint64_t stream_id(std::string_view name) {
  std::uint64_t h = 0xcbf29ce484222325ull;
  for (char c : name) h = (h ^ static_cast<unsigned char>(c)) * 0x100000001b3ull;
  return h;
}

class CounterRng {
 public:
  // `stream` separates uses of one seed; `index` separates items in a stream (epoch, dialogue, …).
  CounterRng(std::uint64_t seed, std::string_view stream, std::uint64_t index = 0)
      : key_(seed ^ stream_id(stream)), index_(index) {}

  std::uint64_t next_u64();
  // Uniform in [0, 1) with 53 random bits.
  double uniform() { return static_cast<double>(next_u64() >> 11) * 0x1.0p-53; }
  // Uniform in [0, n); n > 0. The high 64 bits of a 128-bit product: the bias is below n / 2^64.
  std::uint64_t below(std::uint64_t n) {
    return static_cast<std::uint64_t>((static_cast<unsigned __int128>(next_u64()) * n) >> 64);
  }
  // Standard normal (Box-Muller; one of the pair is dropped so that each call is independent).
  double normal();
  // Index drawn with probability weights[i] / sum(weights); the weights must not all be zero.
  std::size_t categorical(const std::vector<double>& weights);

 private:
  std::uint64_t key_;
  std::uint64_t index_;
  std::uint64_t counter_ = 0;
  std::array<std::uint32_t, 4> block_{};
  int used_ = 4;
};

// Fisher-Yates with CounterRng: the same order on every platform (std::shuffle promises none).
template <class T>
void shuffle(std::vector<T>& items, CounterRng& rng) {
  for (std::size_t i = items.size(); i > 1; --i) std::swap(items[i - 1], items[rng.below(i)]);
}

}  // namespace straq
