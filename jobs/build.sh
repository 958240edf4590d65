#!/usr/bin/env bash
# Configures and builds one preset into build/<preset>/; a rerun builds only what changed.
#
# usage: bash jobs/build.sh [--preset cpu|cuda|asan|tsan] [--jobs N] [TARGET ...]
#
#   --preset P  cpu (default), cuda, asan, tsan
#   --jobs N    compilers at once; default: one a core, as far as memory reaches
#   TARGET      for example straq or test_core; default: everything
set -euo pipefail
# shellcheck source=jobs/common.sh
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

preset=cpu jobs='' targets=()
while (($#)); do
  case "$1" in
    --preset | --jobs)
      [[ -n "${2:-}" ]] || fail "$1 needs a value" "bash jobs/build.sh --help" 2
      if [[ $1 == --preset ]]; then preset="$2"; else jobs="$2"; fi
      shift ;;
    -h | --help) print_help "$0"; exit 0 ;;
    -*) fail "unknown option: $1" "bash jobs/build.sh --help" 2 ;;
    *) targets+=("$1") ;;
  esac
  shift
done
[[ -n "$jobs" ]] || jobs="$(build_jobs)"
[[ "$jobs" =~ ^[1-9][0-9]*$ ]] || fail "--jobs $jobs: expected a positive number" "" 2

cd "$STRAQ_HOME"
say "building preset $preset with $jobs jobs"
start=$SECONDS
log="build/$preset/configure.log"
mkdir -p "build/$preset"
if ! cmake --preset "$preset" >"$log" 2>&1; then
  cat "$log" >&2
  fail "CMake could not configure the preset '$preset'" "run bash jobs/setup.sh first; log: $log"
fi
grep -A4 -E '^CMake Warning' "$log" >&2 || true
cmake --build "build/$preset" --parallel "$jobs" ${targets[@]+--target "${targets[@]}"} >&2 \
  || fail "the build failed" "the first error above is the one to look at"
note "built in $((SECONDS - start)) s"
