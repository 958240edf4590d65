# shellcheck shell=sh
# What a packed program (jobs/pack.sh) sets before it starts: where this machine's libtorch is and
# where the packed Open MPI is. Sourced with $pack set to the pack's folder; with
# straq_needs_torch=no by a program that has no use for libtorch.
#
# libtorch is looked for in LIBTORCH_ROOT, then in the folder `torch` of the pack (a link that a
# person may set), then where `python3` would import torch from.
# shellcheck disable=SC2154,SC1091  # $pack, and what lies there
. "$pack/pack.env"

straq_fail() {
  echo "error: $1" >&2
  echo "  hint: $2" >&2
  exit 2
}

straq_at_least() { [ "$(printf '%s\n%s\n' "$2" "$1" | sort -V | head -n 1)" = "$2" ]; }

straq_glibc=$(getconf GNU_LIBC_VERSION 2>/dev/null | cut -d ' ' -f 2)
if [ -n "$straq_glibc" ] && ! straq_at_least "$straq_glibc" "$STRAQ_PACKED_GLIBC"; then
  straq_fail "glibc $straq_glibc is older than $STRAQ_PACKED_GLIBC, which this pack needs" \
    "pack on a machine that is no newer than this one"
fi

if [ "$STRAQ_PACKED_MPI" = true ]; then
  export OPAL_PREFIX="$pack/mpi" OPAL_BINDIR="$pack/mpi/bin" OPAL_LIBDIR="$pack/lib"
  export OPAL_PKGLIBDIR="$pack/mpi/lib/plugins" OPAL_DATADIR="$pack/mpi/share"
  export OPAL_PKGDATADIR="$pack/mpi/share/openmpi" OPAL_SYSCONFDIR="$pack/mpi/etc"
  export PMIX_INSTALL_PREFIX="$pack/mpi" PMIX_PKGLIBDIR="$pack/mpi/lib/pmix"
  export PRTE_PREFIX="$pack/mpi"
  # Without ssh mpirun would not even start ranks on its own host.
  if [ -z "${OMPI_MCA_plm:-}" ] && [ -z "${OMPI_MCA_plm_rsh_agent:-}" ] \
     && ! command -v ssh >/dev/null && ! command -v rsh >/dev/null; then
    export OMPI_MCA_plm=^rsh
  fi
  # The packed hwloc does without plugins rather than load this machine's, which are of another one.
  export HWLOC_PLUGINS_PATH="$pack/mpi/lib/hwloc"
fi

if [ "${straq_needs_torch:-yes}" = yes ]; then
  straq_torch="${LIBTORCH_ROOT:-}"
  if [ -z "$straq_torch" ] && [ -e "$pack/torch" ]; then straq_torch="$pack/torch"; fi
  if [ -z "$straq_torch" ]; then
    # find_spec does not import torch, which would take seconds in every rank.
    straq_torch=$(python3 -c 'import importlib.util as u
print(u.find_spec("torch").submodule_search_locations[0])' 2>/dev/null) || straq_torch=''
  fi
  [ -n "$straq_torch" ] || straq_fail "no libtorch found: python3 here has no torch" \
    "set LIBTORCH_ROOT to the folder with its include/ and lib/, for example .../site-packages/torch"
  [ -e "$straq_torch/lib/libtorch_cpu.so" ] || straq_fail \
    "no lib/libtorch_cpu.so in $straq_torch" "LIBTORCH_ROOT names libtorch's folder"
  if [ "$STRAQ_PACKED_PRESET" = cuda ] && [ ! -e "$straq_torch/lib/libtorch_cuda.so" ]; then
    straq_fail "the libtorch in $straq_torch has no CUDA" \
      "this pack is of the preset cuda; it needs the full libtorch"
  fi
  # The C++ interface of libtorch changes from release to release.
  straq_found=''
  if [ -r "$straq_torch/version.py" ]; then
    straq_found=$(sed -n "s/^__version__ = '\([0-9.]*\).*/\1/p" "$straq_torch/version.py")
  elif [ -r "$straq_torch/build-version" ]; then
    straq_found=$(sed 's/[^0-9.].*//' "$straq_torch/build-version")
  fi
  if [ -n "$straq_found" ] && [ "$straq_found" != "$STRAQ_PACKED_TORCH" ]; then
    straq_fail "$straq_torch is libtorch $straq_found; this pack was built with $STRAQ_PACKED_TORCH" \
      "LIBTORCH_ROOT can name another; or build with this one: LIBTORCH_ROOT=... bash jobs/build.sh"
  fi
  straq_path="$straq_torch/lib"
  # The CUDA runtime and NCCL that the wheel's own libraries load: a process should hold one of each.
  for straq_lib in "$straq_torch"/../nvidia/cu1*/lib "$straq_torch"/../nvidia/*/lib; do
    if [ -e "$straq_lib/libcudart.so.13" ] || [ -e "$straq_lib/libcudart.so.12" ] \
       || [ -e "$straq_lib/libnccl.so.2" ]; then
      straq_path="$straq_path:$straq_lib"
    fi
  done
  export LD_LIBRARY_PATH="$straq_path${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}"
fi
