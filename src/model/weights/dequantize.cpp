// Compiled by itself with -ffp-contract=off: a fused product and sum would round once where the
// reference rounds twice.
#include "model/weights/dequantize.h"

#include <bit>
#include <cstring>

namespace straq::model {
namespace {

constexpr int kBlock = 32;   // values of a block of the simple types
constexpr int kSuper = 256;  // of the K types
constexpr int kScaleBytes = 12;

using Byte = unsigned char;

std::uint16_t load16(const Byte* at) {
  return static_cast<std::uint16_t>(at[0] | at[1] << 8);
}

float half(const Byte* at) {
  const std::uint32_t bits = load16(at);
  const std::uint32_t sign = (bits & 0x8000u) << 16, exponent = bits >> 10 & 31;
  const std::uint32_t fraction = bits & 0x3FFu;
  if (exponent == 0) {  // zero or subnormal: exact in fp32
    const float value = static_cast<float>(fraction) * 0x1p-24f;
    return sign != 0 ? -value : value;
  }
  const std::uint32_t wide = exponent == 31 ? 255 : exponent + 112;
  return std::bit_cast<float>(sign | wide << 23 | fraction << 13);
}

// Of the 16 bytes of a block each has one value in its low half and, 16 further, one in its high.
int nibble(const Byte* qs, int i) {
  return i < kBlock / 2 ? qs[i] & 15 : qs[i - kBlock / 2] >> 4;
}

int fifth_bit(const Byte* qh, int i) {
  return (qh[i / 8] >> i % 8 & 1) << 4;
}

void q4_0(const Byte* b, float* out) {
  const float d = half(b);
  for (int i = 0; i < kBlock; ++i) out[i] = d * static_cast<float>(nibble(b + 2, i) - 8);
}

void q4_1(const Byte* b, float* out) {
  const float d = half(b), m = half(b + 2);
  for (int i = 0; i < kBlock; ++i) out[i] = d * static_cast<float>(nibble(b + 4, i)) + m;
}

void q5_0(const Byte* b, float* out) {
  const float d = half(b);
  for (int i = 0; i < kBlock; ++i) {
    out[i] = d * static_cast<float>((nibble(b + 6, i) | fifth_bit(b + 2, i)) - 16);
  }
}

void q5_1(const Byte* b, float* out) {
  const float d = half(b), m = half(b + 2);
  for (int i = 0; i < kBlock; ++i) {
    out[i] = d * static_cast<float>(nibble(b + 8, i) | fifth_bit(b + 4, i)) + m;
  }
}

void q8_0(const Byte* b, float* out) {
  const float d = half(b);
  for (int i = 0; i < kBlock; ++i)
    out[i] = static_cast<float>(static_cast<signed char>(b[2 + i])) * d;
}

// Scale and minimum of sub-block j, six bits each.
struct ScaleMin {
  int scale, min;
};
ScaleMin scale_min(const Byte* s, int j) {
  if (j < 4) return {s[j] & 63, s[j + 4] & 63};
  return {(s[j + 4] & 15) | (s[j - 4] >> 6) << 4, s[j + 4] >> 4 | (s[j] >> 6) << 4};
}

// Q4_K and, with the fifth bits at `qh`, Q5_K: eight sub-blocks of 32; two share their bytes.
void k_block(const Byte* b, const Byte* qh, const Byte* qs, float* out) {
  const float d = half(b), least = half(b + 2);
  for (int j = 0; j < kSuper / kBlock; ++j) {
    const auto [scale, min] = scale_min(b + 4, j);
    const float step = d * static_cast<float>(scale), base = least * static_cast<float>(min);
    const Byte* low = qs + j / 2 * kBlock;
    for (int l = 0; l < kBlock; ++l) {
      int q = j % 2 == 0 ? low[l] & 15 : low[l] >> 4;
      if (qh != nullptr) q |= (qh[l] >> j & 1) << 4;
      out[j * kBlock + l] = step * static_cast<float>(q) - base;
    }
  }
}

void q4_k(const Byte* b, float* out) {
  k_block(b, nullptr, b + 4 + kScaleBytes, out);
}

void q5_k(const Byte* b, float* out) {
  const Byte* qh = b + 4 + kScaleBytes;
  k_block(b, qh, qh + kSuper / 8, out);
}

void q6_k(const Byte* b, float* out) {
  const Byte *ql = b, *qh = ql + kSuper / 2, *scales = qh + kSuper / 4;
  const float d = half(scales + kSuper / 16);
  for (int i = 0; i < kSuper; ++i) {
    const int part = i / 128, group = i % 128 / 32, l = i % 32;  // four groups of 32 a part
    const Byte low = ql[part * 64 + group % 2 * 32 + l];
    const int q = (group < 2 ? low & 15 : low >> 4) | (qh[part * 32 + l] >> 2 * group & 3) << 4;
    const auto scale = static_cast<float>(static_cast<signed char>(scales[i / 16]));
    out[i] = d * scale * static_cast<float>(q - 32);
  }
}

template <void (*block)(const Byte*, float*)>
void blocks(const Byte* bytes, int bytes_each, int values_each, std::int64_t count, float* out) {
  for (std::int64_t i = 0; i < count; i += values_each) {
    block(bytes, out + i);
    bytes += bytes_each;
  }
}

}  // namespace

bool can_dequantize(GgufType type) {
  switch (type) {
    case GgufType::f32:
    case GgufType::f16:
    case GgufType::bf16:
    case GgufType::q4_0:
    case GgufType::q4_1:
    case GgufType::q5_0:
    case GgufType::q5_1:
    case GgufType::q8_0:
    case GgufType::q4_k:
    case GgufType::q5_k:
    case GgufType::q6_k:
      return true;
  }
  return false;
}

void dequantize(GgufType type, const char* bytes, std::int64_t count, float* out) {
  const auto* b = reinterpret_cast<const Byte*>(bytes);
  switch (type) {
    case GgufType::f32:
      std::memcpy(out, bytes, static_cast<std::size_t>(count) * sizeof(float));
      return;
    case GgufType::f16:
      for (std::int64_t i = 0; i < count; ++i) out[i] = half(b + 2 * i);
      return;
    case GgufType::bf16:
      for (std::int64_t i = 0; i < count; ++i) {
        out[i] = std::bit_cast<float>(static_cast<std::uint32_t>(load16(b + 2 * i)) << 16);
      }
      return;
    case GgufType::q4_0:
      return blocks<q4_0>(b, 18, kBlock, count, out);
    case GgufType::q4_1:
      return blocks<q4_1>(b, 20, kBlock, count, out);
    case GgufType::q5_0:
      return blocks<q5_0>(b, 22, kBlock, count, out);
    case GgufType::q5_1:
      return blocks<q5_1>(b, 24, kBlock, count, out);
    case GgufType::q8_0:
      return blocks<q8_0>(b, 34, kBlock, count, out);
    case GgufType::q4_k:
      return blocks<q4_k>(b, 144, kSuper, count, out);
    case GgufType::q5_k:
      return blocks<q5_k>(b, 176, kSuper, count, out);
    case GgufType::q6_k:
      return blocks<q6_k>(b, 210, kSuper, count, out);
  }
}

}  // namespace straq::model
