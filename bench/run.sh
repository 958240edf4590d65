#!/usr/bin/env bash
# Runs benches: prints each one's table and writes bench/results/<name>.json with the conditions of
# the measurement, both sides and their ratio.
#
# usage: bash bench/run.sh [--preset P] [--quick] [--build] [--list] [NAME ...] [-- OPTION ...]
#
#   NAME         a bench; default: all (--list prints their names)
#   --preset P   benches of build/P (default: cpu)
#   --quick      a short run that shows whether everything works; its results go to
#                bench/results/<name>_quick.json
#   --build      first configure the preset with the benches and build what is asked for
#   -- OPTION    options of the bench itself; one NAME is needed then
#
# A bench is bench/<name>_bench.sh, or else a program build/<preset>/bench/<name>_bench; either
# takes --json FILE. Exit codes: 0 all done or skipped (a reason is printed); 1 one failed; 2 usage.
set -euo pipefail
# shellcheck source=jobs/common.sh
source "$(dirname "${BASH_SOURCE[0]}")/../jobs/common.sh"
started_as="bash bench/run.sh $*"

# Names, from the scripts and from the programs' sources.
benches() {
  (cd "$STRAQ_HOME/bench" && for f in *_bench.sh *_bench.cpp; do
     [[ -e "$f" ]] && echo "${f%_bench.*}"
   done) | sort -u
}

preset=cpu quick=() suffix='' build=false names=() options=()
while (($#)); do
  case "$1" in
    --preset) [[ -n "${2:-}" ]] || fail "--preset needs a value" "" 2; preset="$2"; shift ;;
    --quick) quick=(--quick) suffix=_quick ;;
    --build) build=true ;;
    --list) benches; exit 0 ;;
    -h | --help) print_help "$0"; exit 0 ;;
    --) shift; options=("$@"); break ;;
    -*) fail "unknown option: $1" "bash bench/run.sh --help" 2 ;;
    *) benches | grep -qxF -- "$1" \
         || fail "no bench named '$1'" "there are: $(benches | paste -sd ' ')" 2
       names+=("$1") ;;
  esac
  shift
done
((${#names[@]})) || mapfile -t names < <(benches)
if ((${#options[@]})) && ((${#names[@]} != 1)); then
  fail "options after -- belong to one bench" "name it: bash bench/run.sh NAME -- OPTION ..." 2
fi
cd "$STRAQ_HOME"

if $build; then
  targets=()
  for name in "${names[@]}"; do
    [[ -e "bench/${name}_bench.cpp" ]] && targets+=("${name}_bench")
  done
  bash jobs/build.sh --preset "$preset" straq
  cmake --preset "$preset" -DSTRAQ_BENCH=ON >"build/$preset/configure.log" 2>&1 \
    || fail "CMake could not configure the benches" "see build/$preset/configure.log"
  ((${#targets[@]})) && bash jobs/build.sh --preset "$preset" "${targets[@]}"
fi

mkdir -p bench/results
scratch="$(mktemp -d)"
trap 'rm -rf "$scratch"' EXIT
status=0
for name in "${names[@]}"; do
  say "$name"
  result="$scratch/$name.json"
  if [[ -e "bench/${name}_bench.sh" ]]; then
    command=(bash "bench/${name}_bench.sh" --preset "$preset" ${quick[@]+"${quick[@]}"})
  else
    command=("build/$preset/bench/${name}_bench")
    [[ -x "${command[0]}" ]] || fail "${command[0]} is not built" \
      "bash bench/run.sh --build --preset $preset $name" 2
  fi
  load="$(cut -d ' ' -f 1 /proc/loadavg 2>/dev/null || echo unknown)"
  code=0
  "${command[@]}" --json "$result" ${options[@]+"${options[@]}"} || code=$?
  case $code in
    0 | 77) ;;
    *) warn "$name: exit code $code"; status=1 ;;
  esac
  if [[ -s "$result" ]]; then
    out="bench/results/$name$suffix.json"
    python3 bench/record.py --name "$name" --result "$result" --out "$out" --preset "$preset" \
      --exit-code "$code" --load "$load" --command "$started_as"
    note "written: $out"
  fi
done
exit $status
