#!/usr/bin/env bash
# The program must name libtorch's operator libraries although it uses none of their symbols by
# itself: without libtorch_cuda among them a GPU build runs, and finds no GPU.
set -euo pipefail
program="${STRAQ:?run by ctest}"
command -v readelf >/dev/null || { echo "no readelf here (package binutils)"; exit 77; }
needed="$(readelf -d "$program" | sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p')"
expected=(libtorch_cpu.so)
grep -qx 'STRAQ_CUDA:[A-Z]*=ON' "${STRAQ_BUILD:?}/CMakeCache.txt" && expected+=(libtorch_cuda.so)
for library in "${expected[@]}"; do
  grep -qxF "$library" <<<"$needed" \
    || { printf '%s is not linked; linked are:\n%s\n' "$library" "$needed"; exit 1; }
done
