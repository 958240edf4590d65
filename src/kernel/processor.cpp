#include "kernel/processor.h"

#ifdef STRAQ_X86
#include <cpuid.h>
#endif

namespace straq::kernel {

bool has_bf16_tiles() {
#ifdef STRAQ_X86
  // Intel's manual, CPUID leaf 7: EDX bit 22 is AMX-BF16, bit 24 AMX-TILE.
  constexpr unsigned bf16 = 1u << 22, tile = 1u << 24;
  unsigned a = 0, b = 0, c = 0, d = 0;
  return __get_cpuid_count(7, 0, &a, &b, &c, &d) != 0 && (d & bf16) != 0 && (d & tile) != 0;
#else
  return false;
#endif
}

}  // namespace straq::kernel
