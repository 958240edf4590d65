#!/usr/bin/env bash
# What a person relies on in jobs/setup.sh: a machine that is ready is left alone and answered at
# once, bad use is refused with a hint, a wrong LIBTORCH_ROOT is named, and without root or sudo the
# exact command is printed and nothing is installed.
set -euo pipefail
cd "${STRAQ_SOURCE:?run by ctest}"
log="$(mktemp -d)"
trap 'rm -rf "$log"' EXIT

expect() {  # expect EXIT-CODE PATTERN COMMAND...: the code, and the pattern in what it said
  local code="$1" pattern="$2" status=0
  shift 2
  "$@" >"$log/out" 2>&1 || status=$?
  [[ $status == "$code" ]] || { cat "$log/out"; echo "exit code $status, not $code: $*"; exit 1; }
  grep -E -- "$pattern" "$log/out" >/dev/null \
    || { cat "$log/out"; echo "no '$pattern' in what this said: $*"; exit 1; }
}

expect 2 'unknown option: --nonsense' bash jobs/setup.sh --nonsense
expect 0 'usage: bash jobs/setup.sh' bash jobs/setup.sh --help
expect 2 'holds no include/ATen/ATen.h' \
  env LIBTORCH_ROOT="$log" bash jobs/setup.sh --no-packages
mkdir -p "$log/torch/include/ATen" "$log/torch/lib"
touch "$log/torch/include/ATen/ATen.h" "$log/torch/lib/libtorch_cpu.so"
expect 0 'LIBTORCH_ROOT' env LIBTORCH_ROOT="$log/torch" bash jobs/setup.sh --no-packages

# A machine without the packages, and nobody to install them: a dpkg-query that knows no package,
# no sudo, and a user other than root where root can become one.
mkdir "$log/bin"
printf '#!/bin/sh\nexit 1\n' >"$log/bin/dpkg-query"
printf '#!/bin/sh\nexit 1\n' >"$log/bin/sudo"
printf '#!/bin/sh\necho "apt-get was called" >&2\nexit 1\n' >"$log/bin/apt-get"
chmod -R a+rx "$log"
chmod a+x "$log"/bin/*
as_user=()
if ((EUID == 0)); then
  # The repository may lie where another user cannot read: he gets a copy of the scripts.
  mkdir "$log/repo"
  cp -r jobs "$log/repo/"
  chmod -R a+rX "$log/repo"
  cd "$log/repo"
  as_user=(setpriv --reuid=65534 --regid=65534 --clear-groups)
fi
expect 2 'run: sudo apt-get update && sudo apt-get install -y .*libhdf5-dev' \
  "${as_user[@]}" env -u LIBTORCH_ROOT PATH="$log/bin:$PATH" bash jobs/setup.sh
[[ ! -e "$log/repo/.deps" ]] || { echo "something was written without the packages"; exit 1; }

# A machine that is ready: no download, no package lists, a few seconds at most.
cd "$STRAQ_SOURCE"
if [[ -z "${LIBTORCH_ROOT:-}" && -r .deps/libtorch.stamp ]]; then
  start=$SECONDS
  expect 0 'ready' env PATH="$log/bin:$PATH" bash jobs/setup.sh --cpu --no-packages
  ((SECONDS - start <= 5)) || { echo "a second set-up took $((SECONDS - start)) s"; exit 1; }
fi
echo "set-up behaves"
