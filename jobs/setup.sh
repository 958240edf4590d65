#!/usr/bin/env bash
# Installs what the build needs and is not there yet: packages of the system, and libtorch in a
# private virtual environment under .deps/. Run it as often as you like: with nothing missing it
# ends in a second or two and asks no server.
#
# usage: bash jobs/setup.sh [--cpu | --cuda] [--check] [--no-packages]
#
#   --cpu          the small libtorch that serves CPUs (1.3 GB); the default without a GPU
#   --cuda         the full libtorch with cuBLAS, cuDNN and NCCL (4.7 GB); the default with a GPU
#   --check        only say what is missing: exit code 0 nothing, 2 something
#   --no-packages  leave the system's packages alone: the site provides the libraries (modules)
#
# LIBTORCH_ROOT=<folder with include/ and lib/> uses that libtorch; nothing is downloaded then.
# Exit codes: 0 ready; 2 packages are missing and neither root nor sudo can install them (the
# command to run is printed); 1 a download or an installation failed.
set -euo pipefail
# shellcheck source=jobs/common.sh
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

TORCH_VERSION=2.11.0
# libtorch_cpu.so of this wheel is linked to these two and to no other CUDA library.
CPU_SET=("torch==$TORCH_VERSION" nvidia-cuda-runtime==13.0.96 nvidia-cuda-cupti==13.0.85)
CUDA_SET=("torch==$TORCH_VERSION")

# What a build needs: Debian 12 and Ubuntu 22.04 and 24.04 have the same package names. `name:probe`
# is also satisfied by a program of that name, for sites that have their own compiler or MPI.
PACKAGES=(
  g++:g++ cmake:cmake ninja-build:ninja ccache:ccache pkg-config:pkg-config
  python3:python3 python3-venv:@venv ca-certificates
  libopenmpi-dev:mpicxx openmpi-bin:mpirun
  libhdf5-dev libyaml-cpp-dev libsentencepiece-dev libpcre2-dev libssl-dev
  libcurl4-openssl-dev:curl-config zlib1g-dev libzstd-dev
  nlohmann-json3-dev libcli11-dev libspdlog-dev libgtest-dev
  gnuplot-nox:gnuplot
)

variant=auto check_only=false packages=true missing=()
while (($#)); do
  case "$1" in
    --cpu) variant=cpu ;;
    --cuda) variant=cuda ;;
    --check) check_only=true ;;
    --no-packages) packages=false ;;
    -h | --help) print_help "$0"; exit 0 ;;
    *) fail "unknown option: $1" "bash jobs/setup.sh --help" 2 ;;
  esac
  shift
done
if [[ $variant == auto ]]; then
  variant=cpu
  if command -v nvidia-smi >/dev/null && nvidia-smi -L 2>/dev/null | grep '^GPU' >/dev/null; then
    variant=cuda
    note "a GPU is here: the full libtorch (--cpu for the small one)"
  fi
fi

# --- packages of the system ----------------------------------------------------------------------
probe() {
  case "$1" in
    @venv) python3 -c 'import venv, ensurepip' 2>/dev/null ;;
    *) command -v "$1" >/dev/null ;;
  esac
}

missing_packages() {
  local entry name installed=''
  if command -v dpkg-query >/dev/null; then
    # One query for all; it fails when any of them is unknown, which is no failure here.
    installed="$(dpkg-query -W -f '${db:Status-Status} ${Package}\n' \
                 "${PACKAGES[@]%%:*}" 2>/dev/null | sed -n 's/^installed //p' || true)"
  fi
  for entry in "${PACKAGES[@]}"; do
    name="${entry%%:*}"
    grep -qxF "$name" <<<"$installed" && continue
    [[ "$entry" == *:* ]] && probe "${entry#*:}" && continue
    echo "$name"
  done
}

at_least() { [[ "$(printf '%s\n%s\n' "$2" "$1" | sort -V | head -n 1)" == "$2" ]]; }

check_versions() {
  local v
  if v="$(cmake --version 2>/dev/null | awk 'NR == 1 { print $3 }')" && [[ -n "$v" ]]; then
    at_least "$v" 3.22 || fail "CMake $v is too old: 3.22 or newer is needed" \
      "Debian 12 and Ubuntu 22.04 or newer bring one; 'pip install cmake' also does" 2
  fi
  if [[ -z "${CXX:-}" ]] && v="$(g++ -dumpfullversion 2>/dev/null)"; then
    at_least "$v" 11 || fail "g++ $v is too old: 11 or newer is needed for C++20" \
      "set CXX to a newer compiler" 2
  fi
}

if $packages; then
  mapfile -t missing < <(missing_packages)
  if ((${#missing[@]})); then
    install=(apt-get install -y --no-install-recommends -o Acquire::Retries=3 "${missing[@]}")
    if $check_only; then
      warn "packages missing: ${missing[*]}"
    elif ! command -v apt-get >/dev/null; then
      fail "missing, by their Debian names: ${missing[*]}" \
        "this is no Debian or Ubuntu: install the equivalents, then rerun with --no-packages" 2
    else
      as_root=()
      if ((EUID != 0)); then
        if ! command -v sudo >/dev/null || ! sudo -n true 2>/dev/null; then
          fail "these packages are missing, and installing them needs root: ${missing[*]}" \
            "run: sudo apt-get update && sudo apt-get install -y ${missing[*]}" 2
        fi
        as_root=(sudo -n)
      fi
      say "installing ${#missing[@]} packages: ${missing[*]}"
      mkdir -p "$STRAQ_HOME/.deps"
      log="$STRAQ_HOME/.deps/packages.log"
      retry "${as_root[@]}" apt-get -q -o Acquire::Retries=3 update >"$log" 2>&1 \
        || warn "the package lists could not be brought up to date; trying with what is here"
      if ! retry "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive "${install[@]}" >>"$log" 2>&1
      then
        tail -n 20 "$log" >&2
        fail "the packages could not be installed (log: $log)" \
          "by hand: ${as_root[*]} ${install[*]} (on Ubuntu the component 'universe' is needed)"
      fi
    fi
  fi
fi
$check_only || check_versions

# --- libtorch ------------------------------------------------------------------------------------
if [[ -n "${LIBTORCH_ROOT:-}" ]]; then
  for file in include/ATen/ATen.h lib/libtorch_cpu.so; do
    [[ -e "$LIBTORCH_ROOT/$file" ]] || fail "LIBTORCH_ROOT=$LIBTORCH_ROOT holds no $file" \
      "name the folder that holds libtorch's include/ and lib/, or unset LIBTORCH_ROOT" 2
  done
  note "libtorch: $LIBTORCH_ROOT (LIBTORCH_ROOT)"
  $check_only && ((${#missing[@]})) && exit 2
  exit 0
fi

deps="$STRAQ_HOME/.deps"
venv="$deps/venv"
stamp="$deps/libtorch.stamp"
# The stamp is written last and says what is complete, so an interrupted run is simply redone.
# The full set serves CPUs too.
stamp_of() {
  local set_name="$1"; shift
  printf '%s %s\n' "$set_name" "$*"
}
ready() {
  [[ -r "$stamp" ]] && compgen -G "$venv/lib/python3*/site-packages/torch/lib/libtorch_cpu.so" \
    >/dev/null || return 1
  local have
  have="$(<"$stamp")"
  [[ "$have" == "$(stamp_of cuda "${CUDA_SET[@]}")" ]] && return 0
  [[ $variant == cpu && "$have" == "$(stamp_of cpu "${CPU_SET[@]}")" ]]
}

if ready; then
  $check_only && ((${#missing[@]})) && exit 2
  note "ready: packages and libtorch $TORCH_VERSION are here"
  exit 0
fi
if $check_only; then
  warn "libtorch $TORCH_VERSION ($variant) is missing"
  exit 2
fi

mkdir -p "$deps"
if command -v flock >/dev/null; then  # two set-ups at once would install into one environment
  exec 9>"$deps/.lock"
  flock -n 9 || { note "another set-up is at work; waiting for it"; flock 9; }
  if ready; then note "ready: the other set-up has done it"; exit 0; fi
fi

if [[ $variant == cuda ]]; then need_mb=9000; else need_mb=2500; fi
free_mb="$(df -Pm "$deps" | awk 'NR == 2 { print $4 }')"
((free_mb >= need_mb)) || fail "$deps has $free_mb MB free; libtorch ($variant) needs $need_mb" \
  "free some space, or set LIBTORCH_ROOT to a libtorch that is already on this machine"

python3 -c 'import sys; sys.exit(sys.version_info < (3, 10))' \
  || fail "$(python3 -V) is too old: libtorch's wheel needs 3.10 or newer" \
       "put a newer python3 first on PATH, or set LIBTORCH_ROOT" 2

say "installing libtorch $TORCH_VERSION ($variant) under .deps/"
rm -f "$stamp"
if ! "$venv/bin/python" -m pip --version >/dev/null 2>&1; then
  rm -rf "$venv"
  python3 -m venv "$venv" || fail "python3 could not make a virtual environment in $venv" \
    "is python3-venv installed for this python3 ($(command -v python3))?"
fi
if [[ $variant == cuda ]]; then
  wheels=("${CUDA_SET[@]}")
else
  wheels=(--no-deps "${CPU_SET[@]}")
fi
# pip's own configuration decides where wheels come from.
retry "$venv/bin/python" -m pip install --quiet --disable-pip-version-check --no-compile \
  --retries 5 "${wheels[@]}" >&2 \
  || fail "pip could not install ${wheels[*]}" \
       "see pip's message above; behind a firewall set LIBTORCH_ROOT to an unpacked libtorch"
if [[ $variant == cuda ]]; then
  stamp_of cuda "${CUDA_SET[@]}" >"$stamp.new"
else
  stamp_of cpu "${CPU_SET[@]}" >"$stamp.new"
fi
mv "$stamp.new" "$stamp"
note "ready: libtorch is in $venv"
