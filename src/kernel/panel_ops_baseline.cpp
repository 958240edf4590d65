// panel_ops.h for the instruction set that CMakeLists.txt compiles this file for.
#define STRAQ_ISA baseline
#include "kernel/panel_ops_impl.inc"
