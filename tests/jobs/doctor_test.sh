#!/usr/bin/env bash
# straq doctor alone and under mpirun, and straq submit where no Slurm is: what they say and how
# they end.
set -euo pipefail
program="${STRAQ:?run by ctest}"
cd "${STRAQ_SOURCE:?run by ctest}"
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
# Not the Slurm job that may be running this test.
for name in ${!SLURM_@}; do unset "$name"; done

fail() {
  echo "$1"
  cat "$work"/*.txt
  exit 1
}
"$program" doctor --results "$work/results" --need-gb 0 >"$work/alone.txt" || fail "alone"
grep -E '^ok +world +1 rank on 1 host' "$work/alone.txt" >/dev/null || fail "no world of one"
[[ -z "$(ls -A "$work/results")" ]] || fail "it left something behind"

mpirun -n 3 "$program" --format json doctor --results "$work/results" --need-gb 0 \
  >"$work/three.txt" || fail "three ranks"
python3 - "$work/three.txt" <<'PYTHON' || fail "the JSON of three ranks"
import json, sys
report = json.load(open(sys.argv[1]))
checks = {c["check"]: c for c in report["checks"]}
assert [r["rank"] for r in report["ranks"]] == [0, 1, 2], report["ranks"]
assert checks["MPI all-reduce"]["detail"].startswith("3 ranks: 8 bytes in"), checks
assert checks["shared folder"]["verdict"] == "ok", checks
assert report["libraries"]["libraries"]["libtorch"], report["libraries"]
PYTHON

# Nothing can be written below a file.
echo x >"$work/file"
code=0
"$program" doctor --results "$work/file/results" >"$work/failed.txt" 2>&1 || code=$?
[[ $code == 1 ]] || fail "exit code $code, not 1"
grep -A1 '^FAILED   results folder' "$work/failed.txt" | grep 'hint:' >/dev/null || fail "no hint"

"$program" submit configs/quickstart.yaml --dry-run >"$work/script.txt" || fail "dry run"
bash -n "$work/script.txt"
grep '^report=.*afterany' "$work/script.txt" >/dev/null || fail "no report job"
# Every file that the commands name is there.
grep -o 'slurm/[a-z_]*\.sbatch' "$work/script.txt" | while read -r script; do
  [[ -f $script ]] || fail "no $script"
done
# Without sbatch: a message and a hint, and nothing else.
mkdir "$work/bin"
for tool in bash sh; do ln -s "$(command -v $tool)" "$work/bin/"; done
code=0
PATH="$work/bin" "$program" submit configs/quickstart.yaml >"$work/submit.txt" 2>&1 || code=$?
[[ $code == 1 ]] || fail "submit without Slurm: exit code $code, not 1"
grep 'no sbatch here' "$work/submit.txt" >/dev/null || fail "no reason"
grep 'hint:.*--dry-run' "$work/submit.txt" >/dev/null || fail "no hint"
echo "doctor and submit work"
