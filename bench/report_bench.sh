#!/usr/bin/env bash
# The report bench: seconds that `straq report` takes for results folders of many points, each the size
# of a real one: 500 steps, 2,295 decisions of 195 dialogues with their evaluation, and at every tenth
# point a reply to each (100 settings of 5 seeds for 500 points; report_bench.cpp writes them).
#
# usage: bash bench/report_bench.sh [--preset P] [--quick] [--json FILE]
#
#   --preset P    the programs are build/P/straq and build/P/bench/report_bench (default: cpu)
#   --quick       50 points instead of 50, 200 and 500
#   --json FILE   the result as JSON (default: report_bench.json)
#
# Exit codes: 0 done; 1 failed or incomplete; 2 bad usage or not built.
set -euo pipefail
# shellcheck source=jobs/common.sh
source "$(dirname "${BASH_SOURCE[0]}")/../jobs/common.sh"

preset=cpu points=(50 200 500) json=report_bench.json
while (($#)); do
  case "$1" in
    --preset | --json)
      [[ -n "${2:-}" ]] || fail "$1 needs a value" "bash bench/report_bench.sh --help" 2
      if [[ $1 == --preset ]]; then preset="$2"; else json="$2"; fi
      shift ;;
    --quick) points=(50) ;;
    -h | --help) print_help "$0"; exit 0 ;;
    *) fail "unknown option: $1" "bash bench/report_bench.sh --help" 2 ;;
  esac
  shift
done
program="$STRAQ_HOME/build/$preset/straq"
data="$STRAQ_HOME/build/$preset/bench/report_bench"
[[ -x "$program" && -x "$data" ]] \
  || fail "build/$preset/straq or build/$preset/bench/report_bench is not built" \
       "bash bench/run.sh --build --preset $preset report" 2

work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
rows=()
printf '%8s %9s %9s %8s\n' points seconds cpu figures
for n in "${points[@]}"; do
  "$data" "$work/$n/sweep" "$n" || fail "the folder of $n points could not be written"
  # Wall-clock seconds, and those of processors: the difference is waiting, or other work here.
  TIMEFORMAT='%R %U'
  { time "$program" --quiet --format json report "$work/$n" --out "$work/out-$n" \
      --paper "$STRAQ_HOME/configs/paper_reference.yaml" > "$work/said" 2> "$work/errors"; } \
    2> "$work/time" || fail "straq report failed: $(cat "$work/errors")"
  read -r seconds cpu < "$work/time"
  grep -q "\"runs\": $n" "$work/said" || fail "the report has not seen all $n points"
  figures="$(find "$work/out-$n/figures" -name '*.svg' | wc -l)"
  printf '%8d %9s %9s %8d\n' "$n" "$seconds" "$cpu" "$figures"
  rm -rf "${work:?}/$n"
  rows+=("{\"points\": $n, \"seconds\": $seconds, \"cpu_seconds\": $cpu, \"figures\": $figures}")
done
(IFS=,; printf '{"bench": "report", "rows": [%s]}\n' "${rows[*]}") > "$json"
