// The largest numbers that a model's shape may hold: well above every published model, and small
// enough that no product of them overflows and no list of parameters fills the memory before the
// weights were looked at.
#pragma once

#include <cstdint>

namespace straq::model::limits {

constexpr std::int64_t vocab = 2147483647;  // token ids are int32
constexpr std::int64_t hidden = 1 << 20;
constexpr std::int64_t inner = 1 << 24;
constexpr std::int64_t layers = 10000;
constexpr std::int64_t heads = 1 << 16;
constexpr std::int64_t head_dim = 1 << 16;
constexpr std::int64_t head_bins = 4096;
constexpr std::int64_t positions = 2147483647;
constexpr double parameters = 1e13;  // in all

}  // namespace straq::model::limits
