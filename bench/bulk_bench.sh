#!/usr/bin/env bash
# The bulk bench: a simulated corpus of many dialogues is written, validated, counted, preprocessed and
# trained on, with what each rank holds in memory; beside it the same corpus through datasets and
# tokenizers.
#
# usage: bash bench/bulk_bench.sh [--preset P] [--dialogues N] [--peer-dialogues M] [--quick] [--json FILE]
#
#   --preset P          the program is build/P/straq (default: cpu)
#   --dialogues N       in the corpus (default: 1000000)
#   --peer-dialogues M  of these, that the peer reads, too (default: 20000)
#   --quick             2000 dialogues
#   --json FILE         the result as JSON (default: bulk_bench.json)
#
# Needs some 6 GB under TMPDIR for a million dialogues. Exit codes: 0 done; 1 failed; 2 bad usage or
# not built; 77 skipped (no references).
set -euo pipefail
# shellcheck source=bench/peer/env.sh
source "$(dirname "${BASH_SOURCE[0]}")/peer/env.sh"

preset=cpu dialogues=1000000 peer=20000 json=bulk_bench.json
while (($#)); do
  case "$1" in
    --preset | --json | --dialogues | --peer-dialogues)
      [[ -n "${2:-}" ]] || fail "$1 needs a value" "bash bench/bulk_bench.sh --help" 2
      case "$1" in
        --preset) preset="$2" ;;
        --json) json="$2" ;;
        --dialogues) dialogues="$2" ;;
        *) peer="$2" ;;
      esac
      shift ;;
    --quick) dialogues=2000 peer=2000 ;;
    -h | --help) print_help "$0"; exit 0 ;;
    *) fail "unknown option: $1" "bash bench/bulk_bench.sh --help" 2 ;;
  esac
  shift
done
program="$STRAQ_HOME/build/$preset/straq"
[[ -x "$program" ]] || fail "build/$preset/straq is not built" "bash bench/run.sh --build bulk" 2
bench_environment bulk-venv bench/peer/bulk_requirements.txt
exec python3 "$STRAQ_HOME/bench/bulk.py" --program "$program" --peer-python "$BENCH_PYTHON" \
  --dialogues "$dialogues" --peer-dialogues "$peer" --json "$json"
