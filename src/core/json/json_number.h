// Whole numbers in JSON from outside, before they are used as sizes, indices or counts.
#pragma once

#include <cmath>
#include <cstdint>
#include <limits>
#include <nlohmann/json.hpp>
#include <optional>

namespace straq {

// The whole number that `value` is: an integer of 64 bits, or 4.0, which some writers make of 4 (up
// to 2^53, where a double still tells neighbours apart). Nothing for all else: 4.5, 1e300, true,
// "4", null, an integer beyond int64. nlohmann's own get<>() turns each of those into some number.
template <class J>
std::optional<std::int64_t> whole_number(const J& value) {
  if (value.is_number_unsigned()) {
    const auto n = value.template get<std::uint64_t>();
    if (n > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max())) return {};
    return static_cast<std::int64_t>(n);
  }
  if (value.is_number_integer()) return value.template get<std::int64_t>();
  if (value.is_number_float()) {
    const auto x = value.template get<double>();
    if (std::abs(x) <= 0x1p53 && x == std::trunc(x)) return static_cast<std::int64_t>(x);
  }
  return {};
}

// The same within [low, high].
template <class J>
std::optional<std::int64_t> whole_number(const J& value, std::int64_t low, std::int64_t high) {
  const auto n = whole_number(value);
  return n && *n >= low && *n <= high ? n : std::nullopt;
}

}  // namespace straq
