#!/usr/bin/env bash
# The report bench: seconds that `straq report` takes for results folders of many points, made from
# one golden run (100 settings of 5 seeds for 500 points, 500 steps each).
#
# usage: bash bench/report_bench.sh [--preset P] [--quick] [--json FILE]
#
#   --preset P    the program is build/P/straq (default: cpu)
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
[[ -x "$program" ]] || fail "build/$preset/straq is not built" "bash jobs/build.sh straq" 2
golden="$STRAQ_HOME/tests/report/golden/folder/planners/imit-1"

work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
step='"stage":"q","loss":1.5,"td_loss":1.2,"td_abs":0.5,"max_q":2,"grad_norm":3.5,"tokens":6745'
for ((s = 1; s <= 500; ++s)); do printf '{"step":%d,%s}\n' "$s" "$step"; done > "$work/steps"
rows=()
printf '%8s %9s %8s\n' points seconds figures
for n in "${points[@]}"; do
  results="$work/$n/sweep"
  mkdir -p "$results"
  echo "point,state,learn.lr,seed,reason" > "$results/index.csv"
  for ((p = 0; p < n; ++p)); do
    cp -r "$golden" "$results/p$p"
    cp "$work/steps" "$results/p$p/metrics.jsonl"
    echo "p$p,done,$((p / 5)),$((p % 5))," >> "$results/index.csv"
  done
  begin="$(date +%s.%N)"
  "$program" --quiet --format json report "$work/$n" --out "$work/out-$n" \
    --paper "$STRAQ_HOME/configs/paper_reference.yaml" > "$work/said"
  end="$(date +%s.%N)"
  seconds="$(awk -v a="$begin" -v b="$end" 'BEGIN { printf "%.2f", b - a }')"
  grep -q "\"runs\": $n" "$work/said" || fail "the report has not seen all $n points"
  figures="$(find "$work/out-$n/figures" -name '*.svg' | wc -l)"
  printf '%8d %9s %8d\n' "$n" "$seconds" "$figures"
  rows+=("{\"points\": $n, \"seconds\": $seconds, \"figures\": $figures}")
done
(IFS=,; printf '{"bench": "report", "rows": [%s]}\n' "${rows[*]}") > "$json"
