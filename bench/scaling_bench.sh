#!/usr/bin/env bash
# The scaling bench: two learners of one thread beside one, two preprocessors beside one, on the
# same work.
#
# usage: bash bench/scaling_bench.sh [--preset P] [--quick] [--json FILE]
#
#   --preset P    the program is build/P/straq (default: cpu)
#   --quick       fewer steps and dialogues
#   --json FILE   the result as JSON
#
# Exit codes: 0 done; 1 failed, or the loss curves differ; 2 bad usage or not built; 77 skipped (no
# corpus, or fewer than two cores).
set -euo pipefail
# shellcheck source=jobs/common.sh
source "$(dirname "${BASH_SOURCE[0]}")/../jobs/common.sh"

preset=cpu options=()
while (($#)); do
  case "$1" in
    --preset) [[ -n "${2:-}" ]] || fail "--preset needs a value" "" 2; preset="$2"; shift ;;
    --json) [[ -n "${2:-}" ]] || fail "--json needs a value" "" 2; options+=(--json "$2"); shift ;;
    --quick) options+=(--quick) ;;
    -h | --help) print_help "$0"; exit 0 ;;
    *) fail "unknown option: $1" "bash bench/scaling_bench.sh --help" 2 ;;
  esac
  shift
done
program="$STRAQ_HOME/build/$preset/straq"
[[ -x "$program" ]] || fail "build/$preset/straq is not built" "bash jobs/build.sh" 2
(($(nproc) >= 2)) || { echo "skipped: scaling needs two cores"; exit 77; }
cd "$STRAQ_HOME"
[[ -e "${STRAQ_DATA:-../shared/data}/esconv/train.txt" ]] \
  || { echo "skipped: no corpus; set STRAQ_DATA (data_tools/README.md)"; exit 77; }
mpi_environment 4
exec python3 bench/scaling.py --program "$program" ${options[@]+"${options[@]}"}
