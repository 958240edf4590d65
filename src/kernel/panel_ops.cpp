#include "kernel/panel_ops.h"

namespace straq::kernel {

namespace baseline {
PanelOps panel_ops();
}
#ifdef STRAQ_X86
namespace avx2 {
PanelOps panel_ops();
}
namespace avx512 {
PanelOps panel_ops();
}
#endif

PanelOps panel_ops(InstructionSet set) {
#ifdef STRAQ_X86
  if (set == InstructionSet::avx512) return avx512::panel_ops();
  if (set == InstructionSet::avx2) return avx2::panel_ops();
#endif
  static_cast<void>(set);
  return baseline::panel_ops();
}

const PanelOps& panel_ops() {
  static const auto ops = panel_ops(best_instruction_set());
  return ops;
}

}  // namespace straq::kernel
