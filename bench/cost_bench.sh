#!/usr/bin/env bash
# How the cost of a decision grows, with and without prefix sharing; drawn with gnuplot.
#
# usage: bash bench/cost_bench.sh [--preset P] [--quick] [--threads N] [--json FILE]
#
#   --preset P    the program is build/P/bench/cost_bench (default: cpu)
#   --quick       a small shape and few points
#   --threads N   math threads (default: 1)
#   --json FILE   the result as JSON
#
# The picture goes to bench/results/cost.svg, not with --quick. Exit codes: 0 done; 1 failed, or
# the two layouts have different losses; 2 bad usage or not built.
set -euo pipefail
# shellcheck source=jobs/common.sh
source "$(dirname "${BASH_SOURCE[0]}")/../jobs/common.sh"

preset=cpu threads=1 json='' quick=()
while (($#)); do
  case "$1" in
    --preset) [[ -n "${2:-}" ]] || fail "--preset needs a value" "" 2; preset="$2"; shift ;;
    --threads) [[ -n "${2:-}" ]] || fail "--threads needs a value" "" 2; threads="$2"; shift ;;
    --json) [[ -n "${2:-}" ]] || fail "--json needs a value" "" 2; json="$2"; shift ;;
    --quick) quick=(--quick) ;;
    -h | --help) print_help "$0"; exit 0 ;;
    *) fail "unknown option: $1" "bash bench/cost_bench.sh --help" 2 ;;
  esac
  shift
done
program="$STRAQ_HOME/build/$preset/bench/cost_bench"
[[ -x "$program" ]] || fail "build/$preset/bench/cost_bench is not built" \
  "bash bench/run.sh --build --preset $preset cost" 2
cd "$STRAQ_HOME"
scratch="$(mktemp -d)"
trap 'rm -rf "$scratch"' EXIT
export OMP_NUM_THREADS="$threads" MKL_NUM_THREADS="$threads"
"$program" --threads "$threads" ${quick[@]+"${quick[@]}"} --json "$scratch/cost.json"
[[ -z "$json" ]] || cp "$scratch/cost.json" "$json"
((${#quick[@]} == 0)) || exit 0
if ! command -v gnuplot >/dev/null; then
  note "no picture: gnuplot is not installed"
  exit 0
fi
python3 - "$scratch" <<'PYTHON'
import json, sys
folder = sys.argv[1]
result = json.load(open(folder + "/cost.json", encoding="utf-8"))
for curve, key in (("tokens", "tokens"), ("decisions", "decisions"), ("size", "parameters")):
    with open(f"{folder}/{curve}.dat", "w", encoding="utf-8") as out:
        for p in result["by_" + curve]:
            print(p[key], p["comb_ms_per_decision"], p["prompt_ms_per_decision"], file=out)
PYTHON
gnuplot <<PLOT
set terminal svg size 1080,360 font 'sans,13' background 'white'
set output 'bench/results/cost.svg'
set multiplot layout 1,3
set logscale xy
set grid
set key top left
set ylabel 'ms a decision'
set style line 1 lc rgb '#0072b2' lw 2 pt 7
set style line 2 lc rgb '#d55e00' lw 2 pt 5 dt 2
do for [c in "tokens decisions size"] {
  set xlabel c eq 'tokens' ? 'tokens of a dialogue (12 decisions)' \
    : c eq 'decisions' ? 'decisions of a dialogue (1000 tokens)' : 'parameters'
  plot '$scratch/'.c.'.dat' using 1:2 with linespoints ls 1 title 'comb', \
       '' using 1:3 with linespoints ls 2 title 'a prompt each'
}
unset multiplot
PLOT
note "drawn: bench/results/cost.svg"
