#!/usr/bin/env bash
# Compares the program with the Python reference implementations: runs the *_peer_test.py here with
# the program's path.
#
#   bash tests/peer/run.sh [PROGRAM [NAME...]]   (default: build/cpu/straq, every test)
#
# NAME is a test without _peer_test.py: h5py, tokenizers, gguf, response, llama, generate, adapter. The last three need torch
# and transformers; they share the environment of bench/ for that. LLAMA_PROBE names the program of
# llama_probe.cpp (default: where PROGRAM's build has it).
#
# The Python environments are made under .deps/. Exit code 77 (skipped) when that can't be done for
# any of the chosen tests, for example without a network.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
# shellcheck source=bench/peer/env.sh
source "$root/bench/peer/env.sh"
program=$(realpath -m "${1:-$root/build/cpu/straq}")
shift || true
export LLAMA_PROBE=${LLAMA_PROBE:-$(dirname "$program")/tests/llama_probe}

if [ ! -x "$program" ]; then
  echo "peer tests: no program at $program; build it first" >&2
  exit 2
fi
names=("$@")
if [ ${#names[@]} -eq 0 ]; then
  for test in "$root"/tests/peer/*_peer_test.py; do
    names+=("$(basename "$test" _peer_test.py)")
  done
fi

run_test() (  # a shell of its own: bench_environment ends the one that it can't serve
  case "$1" in
    llama | generate | adapter) bench_environment bench-venv bench/peer/requirements.txt ;;
    *) bench_environment peer-venv tests/peer/requirements.txt ;;
  esac
  "$BENCH_PYTHON" "$root/tests/peer/$1_peer_test.py" "$program"
)

status=0 ran=0
for name in "${names[@]}"; do
  echo "== $name"
  code=0
  run_test "$name" || code=$?
  [ "$code" -eq 77 ] && continue
  ran=$((ran + 1))
  [ "$code" -eq 0 ] || status=1
done
[ "$ran" -gt 0 ] || exit 77
exit $status
