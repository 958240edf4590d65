#!/usr/bin/env bash
# Compares the program with the Python reference implementations: runs every *_peer_test.py here
# with the program's path.
#
#   bash tests/peer/run.sh [PROGRAM]        (default: build/cpu/straq)
#
# Makes its own Python environment under .deps/peer-venv. Exit code 77 (skipped) when that can't be
# done, for example without a network.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
program=$(realpath -m "${1:-$root/build/cpu/straq}")
venv=$root/.deps/peer-venv
wanted=$root/tests/peer/requirements.txt

if [ ! -x "$program" ]; then
  echo "peer tests: no program at $program; build it first" >&2
  exit 2
fi
if ! cmp -s "$wanted" "$venv/installed.txt"; then
  log=$(mktemp)
  trap 'rm -f "$log"' EXIT
  if ! { python3 -m venv "$venv" && "$venv/bin/pip" install --quiet -r "$wanted"; } >"$log" 2>&1; then
    echo "peer tests skipped: the Python references could not be installed: $(tail -n 1 "$log")"
    exit 77
  fi
  cp "$wanted" "$venv/installed.txt"
fi

status=0
for test in "$root"/tests/peer/*_peer_test.py; do
  echo "== $(basename "$test")"
  "$venv/bin/python" "$test" "$program" || status=1
done
exit $status
