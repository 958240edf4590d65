// row_ops.h for the instruction set that CMakeLists.txt compiles this file for.
#define STRAQ_ISA avx2
#include "kernel/row_ops_impl.inc"
