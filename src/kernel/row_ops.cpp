#include "kernel/row_ops.h"

namespace straq::kernel {

#define STRAQ_DECLARE_OPS(isa)     \
  namespace isa {                  \
  RowOps<float> float_ops();       \
  RowOps<double> double_ops();     \
  RowOps<BFloat16> bfloat16_ops(); \
  }
STRAQ_DECLARE_OPS(baseline)
#ifdef STRAQ_X86
STRAQ_DECLARE_OPS(avx2)
STRAQ_DECLARE_OPS(avx512)
#endif
#undef STRAQ_DECLARE_OPS

bool runs(InstructionSet set) {
  switch (set) {
#ifdef STRAQ_X86
    case InstructionSet::avx512:
      return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl") &&
             __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq") &&
             __builtin_cpu_supports("fma");
    case InstructionSet::avx2:
      return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
#endif
    case InstructionSet::baseline:
      return true;
    default:
      return false;
  }
}

InstructionSet best_instruction_set() {
  if (runs(InstructionSet::avx512)) return InstructionSet::avx512;
  if (runs(InstructionSet::avx2)) return InstructionSet::avx2;
  return InstructionSet::baseline;
}

const char* name_of(InstructionSet set) {
  switch (set) {
    case InstructionSet::avx512:
      return "avx512";
    case InstructionSet::avx2:
      return "avx2";
    default:
      return "baseline";
  }
}

#ifdef STRAQ_X86
#define STRAQ_CHOOSE(set, ops)   \
  switch (set) {                 \
    case InstructionSet::avx512: \
      return avx512::ops();      \
    case InstructionSet::avx2:   \
      return avx2::ops();        \
    default:                     \
      return baseline::ops();    \
  }
#else
#define STRAQ_CHOOSE(set, ops) \
  static_cast<void>(set);      \
  return baseline::ops();
#endif

template <>
RowOps<float> row_ops<float>(InstructionSet set) {
  STRAQ_CHOOSE(set, float_ops)
}
template <>
RowOps<double> row_ops<double>(InstructionSet set) {
  STRAQ_CHOOSE(set, double_ops)
}
template <>
RowOps<BFloat16> row_ops<BFloat16>(InstructionSet set) {
  STRAQ_CHOOSE(set, bfloat16_ops)
}
#undef STRAQ_CHOOSE

template <>
const RowOps<float>& row_ops<float>() {
  static const auto ops = row_ops<float>(best_instruction_set());
  return ops;
}
template <>
const RowOps<double>& row_ops<double>() {
  static const auto ops = row_ops<double>(best_instruction_set());
  return ops;
}
template <>
const RowOps<BFloat16>& row_ops<BFloat16>() {
  static const auto ops = row_ops<BFloat16>(best_instruction_set());
  return ops;
}

}  // namespace straq::kernel
