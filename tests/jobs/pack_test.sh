#!/usr/bin/env bash
# A packed program runs where its libraries are not: every library that it, its ranks and the
# launcher load comes from the pack, from libtorch or is the C library; it trains the same planner;
# and a machine without a fitting libtorch is told so.
set -euo pipefail
program="${STRAQ:?run by ctest}"
cd "${STRAQ_SOURCE:?run by ctest}"
preset="$(basename "${STRAQ_BUILD:?run by ctest}")"
[[ "$STRAQ_BUILD" == "$STRAQ_SOURCE/build/"* ]] || { echo "skipped: not a build of build/"; exit 77; }
if grep -q '^STRAQ_SANITIZE:[A-Z]*=\(ON\|thread\)' "$STRAQ_BUILD/CMakeCache.txt"; then
  echo "skipped: the sanitizers' libraries come with the compiler"; exit 77
fi
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
for name in ${!SLURM_@}; do unset "$name"; done
fail() {
  echo "FAILED: $1"
  tail -n 30 "$work"/*.log
  exit 1
}
refuses() {  # refuses PATTERN COMMAND...: exit code 2, and the pattern in what it says
  local pattern="$1" code=0
  shift
  "$@" >"$work/refused.log" 2>&1 || code=$?
  [[ $code == 2 ]] || fail "exit code $code, not 2: $*"
  grep -E -- "$pattern" "$work/refused.log" >/dev/null || fail "no '$pattern' from $*"
}

refuses 'no program at build/cpu/nonsense' bash jobs/pack.sh nonsense
mkdir "$work/there"
refuses 'is there already' bash jobs/pack.sh --preset "$preset" --out "$work/there"

if ! bash jobs/pack.sh --preset "$preset" --out "$work/pack.tar.gz" >"$work/pack.log" 2>&1; then
  grep -q 'patchelf is missing' "$work/pack.log" || fail "packing"
  echo "skipped: no patchelf here and no way to fetch it"; exit 77
fi
# Where it is unpacked is not where it was packed, and has a name that scripts stumble over.
mkdir "$work/other place"
tar -C "$work/other place" -xzf "$work/pack.tar.gz"
pack="$(echo "$work/other place"/straq-*)"
packed="$pack/build/$preset/straq" mpirun="$pack/mpi/bin/mpirun"
torch="$(ldd "$program" | sed -n 's|.* => \(.*\)/lib/libtorch_cpu\.so .*|\1|p')"

# An environment that knows nothing of this repository.
clean=(env -i PATH=/usr/bin:/bin HOME="$work" LIBTORCH_ROOT="$torch")
"${clean[@]}" "$packed" --version >"$work/version.log" 2>&1 || fail "--version"
[[ "$(cat "$work/version.log")" == "$("$program" --version)" ]] || fail "another version"

# shellcheck source=tests/tiny_config.sh
source tests/tiny_config.sh
write_tiny_config "$work" "$pack" "train: 6, valid: 3, test: 3" "learn: {batch: 8, steps: 3}"
# The loader says which files it initialises, also those that are loaded by name later.
mkdir "$work/loaded"
mpi=(OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1)
(cd "$pack" && "${clean[@]}" "${mpi[@]}" LD_DEBUG=files LD_DEBUG_OUTPUT="$work/loaded/by" \
   "$mpirun" -n 4 --oversubscribe --bind-to none "$packed" run "$work/tiny.yaml" \
   >"$work/packed.log" 2>&1) || fail "the packed program's pipeline"
mpirun -n 4 "$program" run "$work/tiny.yaml" --set "results=$work/built" >"$work/built.log" 2>&1 \
  || fail "the built program's pipeline"
cmp "$work/results/tiny/seed-1/metrics.jsonl" "$work/built/tiny/seed-1/metrics.jsonl" \
  || fail "the packed program trains another planner"

# Programs of the machine (shells, sort, gnuplot) load what they like; the packed ones do not.
python3 - "$work/loaded" "$pack" "$(dirname "$torch")" <<'PYTHON' || fail "libraries from elsewhere"
import os, pathlib, re, sys
folder, pack, torch = pathlib.Path(sys.argv[1]), sys.argv[2], sys.argv[3]
system = re.compile(r"/(libc|libm|libmvec|libdl|librt|libpthread|libresolv|libutil|libnss_\w+|"
                    r"libnsl|libanl|ld-linux[\w-]*)(\.so|-2)[.\d]*$")
ranks, wrong = 0, set()
for log in folder.iterdir():
    text = log.read_text(errors="replace")
    files = {os.path.normpath(f) for f in re.findall(r"calling init: (/.*)", text)}
    if not any(f.startswith(pack + "/lib/") for f in files):
        continue  # another program
    ranks += any("libtorch_cpu" in f for f in files)
    wrong |= {f for f in files
              if not f.startswith((pack + "/", torch + "/")) and not system.search(f)}
print(ranks, "ranks; from elsewhere:", sorted(wrong))
sys.exit(bool(wrong) or ranks != 4)
PYTHON

# Without libtorch, with one that is none, and with another version.
refuses 'no libtorch found' env -i PATH="$work/nothing:/usr/bin:/bin" \
  PYTHONPATH="$work" PYTHONHOME="$work/nowhere" "$packed" --version
refuses 'no lib/libtorch_cpu.so in' env LIBTORCH_ROOT="$work" "$packed" --version
mkdir -p "$work/torch/lib"
touch "$work/torch/lib/libtorch_cpu.so" "$work/torch/lib/libtorch_cuda.so"
echo "__version__ = '1.0.0+cpu'" >"$work/torch/version.py"
refuses 'is libtorch 1.0.0; this pack was built with' env LIBTORCH_ROOT="$work/torch" "$packed" --version
# A link in the pack does as well as the variable.
ln -s "$torch" "$pack/torch"
env -u LIBTORCH_ROOT "$packed" --version >"$work/link.log" 2>&1 || fail "the link named torch"
# A machine whose C library is too old is told so, and not by the loader.
sed -i 's/^STRAQ_PACKED_GLIBC=.*/STRAQ_PACKED_GLIBC=9.99/' "$pack/pack.env"
refuses 'glibc .* is older than 9.99' "$packed" --version
echo "the pack stands on its own"
