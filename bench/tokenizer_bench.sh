#!/usr/bin/env bash
# The tokenizer bench: tokens per second of the program's tokenizers beside tiktoken, tokenizers and
# sentencepiece.
#
# usage: bash bench/tokenizer_bench.sh [--preset P] [--quick] [--json FILE]
#
#   --preset P    the programs are build/P/straq and build/P/bench/tokenizer_bench (default: cpu)
#   --quick       one turn of each instead of three
#   --json FILE   the result as JSON (default: tokenizer_bench.json)
#
# Exit codes: 0 done; 1 failed, other ids than the reference, or slower; 2 bad usage or not built;
# 77 skipped (no references, or no corpus).
set -euo pipefail
# shellcheck source=bench/peer/env.sh
source "$(dirname "${BASH_SOURCE[0]}")/peer/env.sh"

preset=cpu rounds=3 json=tokenizer_bench.json
while (($#)); do
  case "$1" in
    --preset | --json)
      [[ -n "${2:-}" ]] || fail "$1 needs a value" "bash bench/tokenizer_bench.sh --help" 2
      if [[ $1 == --preset ]]; then preset="$2"; else json="$2"; fi
      shift ;;
    --quick) rounds=1 ;;
    -h | --help) print_help "$0"; exit 0 ;;
    *) fail "unknown option: $1" "bash bench/tokenizer_bench.sh --help" 2 ;;
  esac
  shift
done
build="$STRAQ_HOME/build/$preset"
[[ -x "$build/bench/tokenizer_bench" && -x "$build/straq" ]] \
  || fail "build/$preset/bench/tokenizer_bench or build/$preset/straq is not built" \
       "bash bench/run.sh --build --preset $preset tokenizer" 2
bench_environment peer-venv tests/peer/requirements.txt
exec "$BENCH_PYTHON" "$STRAQ_HOME/bench/peer/tokenizer_peer.py" "$build/bench/tokenizer_bench" \
  --program "$build/straq" --rounds "$rounds" --out "$json"
