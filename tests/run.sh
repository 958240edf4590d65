#!/usr/bin/env bash
# Everything that this machine can test: sets up, builds, runs every test, names what was skipped
# and why, and ends with ctest's closing line.
#
# usage: bash tests/run.sh [--preset cpu|cuda|asan] [--skip-setup] [CTEST ARGUMENT ...]
#
#   for example  bash tests/run.sh --skip-setup -R 'core|config'
#
# Tests on real data look for it in $STRAQ_DATA, else in ../shared/data beside the repository, and
# are skipped where it is not.
set -euo pipefail
# shellcheck source=jobs/common.sh
source "$(dirname "${BASH_SOURCE[0]}")/../jobs/common.sh"

preset=cpu skip_setup=false arguments=()
while (($#)); do
  case "$1" in
    --preset)
      [[ -n "${2:-}" ]] || fail "--preset needs a value" "bash tests/run.sh --help" 2
      preset="$2"; shift ;;
    --skip-setup) skip_setup=true ;;
    -h | --help) print_help "$0"; exit 0 ;;
    *) arguments+=("$1") ;;
  esac
  shift
done

cd "$STRAQ_HOME"
$skip_setup || set_up "$preset"
bash jobs/build.sh --preset "$preset"

say "testing"
build="build/$preset"
closing="$(mktemp)"
trap 'rm -f "$closing"' EXIT
status=0
# ctest's summary is held back, for the list of skipped tests to come before it.
(cd "$build" && ctest --output-on-failure --no-tests=error --parallel "$(cores)" \
   ${arguments[@]+"${arguments[@]}"}) \
  | { hold=false
      while IFS= read -r line; do  # not awk: Debian's reads blocks, and shows nothing for minutes
        [[ $line =~ ^[0-9]+%\ tests\ passed ]] && hold=true
        if $hold; then printf '%s\n' "$line" >>"$closing"; else printf '%s\n' "$line"; fi
      done
    } || status=$?

python3 tests/tools/skipped.py "$build/Testing/Temporary/LastTest.log" "$closing" || true
cat "$closing"
exit "$status"
