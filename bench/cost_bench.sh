#!/usr/bin/env bash
# How the cost of a decision grows, with and without prefix sharing; drawn with gnuplot.
#
# usage: bash bench/cost_bench.sh [--preset P] [--quick] [--threads N] [--json FILE] [--draw FILE]
#
#   --preset P    the program is build/P/bench/cost_bench (default: cpu)
#   --quick       a small shape and few points
#   --threads N   math threads (default: 1)
#   --json FILE   the result as JSON
#   --draw FILE   measure nothing, draw what such a file holds
#
# The picture goes to bench/results/cost.svg, not with --quick. Exit codes: 0 done; 1 failed, or
# the two layouts have different losses; 2 bad usage or not built.
set -euo pipefail
# shellcheck source=jobs/common.sh
source "$(dirname "${BASH_SOURCE[0]}")/../jobs/common.sh"

preset=cpu threads=1 json='' draw='' quick=()
while (($#)); do
  case "$1" in
    --preset) [[ -n "${2:-}" ]] || fail "--preset needs a value" "" 2; preset="$2"; shift ;;
    --threads) [[ -n "${2:-}" ]] || fail "--threads needs a value" "" 2; threads="$2"; shift ;;
    --json) [[ -n "${2:-}" ]] || fail "--json needs a value" "" 2; json="$2"; shift ;;
    --draw) [[ -n "${2:-}" ]] || fail "--draw needs a value" "" 2; draw="$(realpath "$2")"; shift ;;
    --quick) quick=(--quick) ;;
    -h | --help) print_help "$0"; exit 0 ;;
    *) fail "unknown option: $1" "bash bench/cost_bench.sh --help" 2 ;;
  esac
  shift
done
cd "$STRAQ_HOME"
scratch="$(mktemp -d)"
trap 'rm -rf "$scratch"' EXIT
if [[ -z "$draw" ]]; then
  program="build/$preset/bench/cost_bench"
  [[ -x "$program" ]] || fail "$program is not built" \
    "bash bench/run.sh --build --preset $preset cost" 2
  draw="$scratch/cost.json"
  export OMP_NUM_THREADS="$threads" MKL_NUM_THREADS="$threads"
  "$program" --threads "$threads" ${quick[@]+"${quick[@]}"} --json "$draw"
  [[ -z "$json" ]] || cp "$draw" "$json"
fi
((${#quick[@]} == 0)) || exit 0
if ! command -v gnuplot >/dev/null; then
  note "no picture: gnuplot is not installed"
  exit 0
fi
# The curve over learners is the scaling bench's, when it has been run.
scaling=bench/results/scaling.json
python3 - "$draw" "$scaling" "$scratch" <<'PYTHON'
import json, os, sys
source, scaling, folder = sys.argv[1:]
result = json.load(open(source, encoding="utf-8"))
result = result.get("result", result)  # as bench/run.sh records it, with its conditions
for curve, key in (("tokens", "tokens"), ("decisions", "decisions"), ("size", "parameters")):
    with open(f"{folder}/{curve}.dat", "w", encoding="utf-8") as out:
        for p in result["by_" + curve]:
            print(p[key], p["comb_ms_per_decision"], p["prompt_ms_per_decision"], file=out)
if os.path.exists(scaling):
    for t in json.load(open(scaling, encoding="utf-8"))["result"]["training"]:
        with open(f"{folder}/learners_{t['batch']}.dat", "w", encoding="utf-8") as out:
            print(1, 1, file=out)
            print(2, t["ratio"], file=out)
PYTHON
curves=''
for f in "$scratch"/learners_*.dat; do
  [[ -e "$f" ]] || continue
  batch="${f##*_}"
  curves+="'$f' using 1:2 with linespoints title 'batch ${batch%.dat}', "
done
panels=3
[[ -z "$curves" ]] || panels=4
gnuplot <<PLOT
set terminal svg size 360*$panels,360 font 'sans,13' background 'white'
set output 'bench/results/cost.svg'
set multiplot layout 1,$panels
set logscale xy
set format x '%.0s%c'
set grid
set ylabel 'ms a decision'
set style line 1 lc rgb '#0072b2' lw 2 pt 7
set style line 2 lc rgb '#d55e00' lw 2 pt 5 dt 2
set key bottom right Left reverse samplen 2
set xlabel 'tokens of a dialogue (12 decisions)'
plot '$scratch/tokens.dat' using 1:2 with linespoints ls 1 title 'comb', \
     '' using 1:3 with linespoints ls 2 title 'a prompt each'
set key bottom left Left reverse samplen 2
set xlabel 'decisions of a dialogue (1000 tokens)'
plot '$scratch/decisions.dat' using 1:2 with linespoints ls 1 title 'comb', \
     '' using 1:3 with linespoints ls 2 title 'a prompt each'
set key bottom right
set xlabel 'parameters'
plot '$scratch/size.dat' using 1:2 with linespoints ls 1 title 'comb', \
     '' using 1:3 with linespoints ls 2 title 'a prompt each'
if ($panels > 3) {
  unset logscale
  set xrange [0.8:2.2]
  set yrange [0.8:2.2]
  set xtics 1
  set linetype 1 lc rgb '#0072b2' lw 2 pt 7
  set linetype 2 lc rgb '#d55e00' lw 2 pt 5 dt 2
  set xlabel 'learners of one thread'
  set ylabel 'speed, in units of one learner'
  plot $curves x with lines lc rgb '#777777' dt 3 title 'ideal'
}
unset multiplot
PLOT
note "drawn: bench/results/cost.svg"
