#!/usr/bin/env bash
# The program as a user runs it: the whole pipeline in one process and on four ranks, reruns, a
# sweep by two learner groups, and what bad input gets. Uses a tiny simulated corpus.
# shellcheck disable=SC2317  # functions that `check` calls
set -uo pipefail
program="${STRAQ:?the program}" source="${STRAQ_SOURCE:?the repository}"
[[ -x "$program" ]] || { echo "skipped: no program at $program"; exit 77; }
command -v mpirun >/dev/null || { echo "skipped: no mpirun"; exit 77; }
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
cd "$source" || exit 1
failures=0
exec 3>&1  # verdicts go here, whatever a check's command writes elsewhere
check() { # check TEXT COMMAND…: the command must succeed
  local text="$1"; shift
  if "$@"; then echo "ok: $text" >&3; else echo "FAILED: $text" >&3; failures=$((failures + 1)); fi
}
same_numbers() { # two metrics.jsonl agree to 1e-5
  python3 - "$1" "$2" <<'P'
import json, sys
a, b = ([json.loads(l) for l in open(p)] for p in sys.argv[1:3])
assert len(a) == len(b) > 0, (len(a), len(b))
for x, y in zip(a, b):
    assert abs(x["loss"] - y["loss"]) <= 1e-5 * max(1, abs(x["loss"])), (x, y)
P
}

# shellcheck source=tests/tiny_config.sh
source tests/tiny_config.sh
write_tiny_config "$work" "$source" "train: 14, valid: 4, test: 5" \
  "pretrain: {objective: {lm: 1, ce: 1}, steps: 3, lr: 1.0e-3}" \
  "learn: {batch: 16, steps: 13, lr: 1.0e-3}" "evaluate: {replicates: 200}"
# Several shards a split.
sed -i 's|^shards: {|&dialogues_per_shard: 4, |' "$work/tiny.yaml"

# One process.
check "one process runs the whole pipeline" "$program" run "$work/tiny.yaml" >"$work/one.out" 2>"$work/one.log"
cat "$work/one.out"
run="$work/results/tiny/seed-1"
for file in DONE config.yaml provenance.json metrics.jsonl timings.jsonl evaluation.json \
            predictions/test.jsonl planner/model.safetensors planner/planner.json; do
  check "the run folder holds $file" test -e "$run/$file"
done
check "the HTML report is there" test -s "$work/results/tiny/report/report.html"
check "baselines stand in the table" grep -q "Markov-1" "$work/one.out"
check "index.csv says done" grep -q "^seed-1,done," "$work/results/tiny/index.csv"

# Rerun: nothing is done twice.
before="$(stat -c %Y.%s "$run/planner/model.safetensors")"
check "a rerun succeeds" "$program" run "$work/tiny.yaml" >/dev/null 2>"$work/again.log"
check "a rerun trains nothing" test "$before" = "$(stat -c %Y.%s "$run/planner/model.safetensors")"
check "a rerun makes no shard" grep -q ": 0 of " "$work/again.log"

# Four ranks: the same shards and the same curve, with two learners.
check "four ranks run it" mpirun -n 4 "$program" run "$work/tiny.yaml" --set "results=$work/four" \
  --set "shards.folder=$work/shards4" >/dev/null 2>"$work/four.log"
check "one and two learners agree" same_numbers "$run/metrics.jsonl" "$work/four/tiny/seed-1/metrics.jsonl"
contents() { (cd "$1" && find . -name '*.h5' -exec sha256sum {} + | sort); }
check "shards do not depend on who made them" test "$(contents "$work/shards")" = "$(contents "$work/shards4")"

# Preprocessing by three ranks; a damaged shard is made again by preprocess and refused by train.
shard="$(find "$work/shards4" -name 'train-00001.h5')"
printf 'x' | dd of="$shard" bs=1 seek=900 conv=notrunc status=none
"$program" train "$work/tiny.yaml" --set "results=$work/five" --set "shards.folder=$work/shards4" 2>"$work/bad.log"
check "train refuses a damaged shard (exit code 2)" test $? -eq 2
check "and names it" grep -q "train-00001.h5" "$work/bad.log"
check "preprocess repairs it" mpirun -n 3 "$program" preprocess "$work/tiny.yaml" --set "shards.folder=$work/shards4" 2>"$work/repair.log"
check "and makes no other" grep -q ": 1 of " "$work/repair.log"
check "the repaired shard is the same" test "$(contents "$work/shards")" = "$(contents "$work/shards4")"

# A sweep by two groups; a rerun skips; evaluate and report work alone.
cat >"$work/sweep.yaml" <<Y
base: tiny.yaml
name: grid
roles: {learners_per_group: 1}
sweep: {grid: {learn.gamma: [0, 0.85]}, seeds: [1, 2]}
Y
check "a sweep runs" mpirun -n 4 "$program" sweep "$work/sweep.yaml" 2>"$work/sweep.log"
check "all four points are done" test "$(grep -c ',done,' "$work/results/grid/index.csv")" -eq 4
rm "$work/results/grid/gamma-0_seed-2/DONE"
check "a rerun does what is missing" mpirun -n 4 "$program" sweep "$work/sweep.yaml" 2>"$work/sweep2.log"
check "and only that" test "$(grep -c 'done already' "$work/sweep2.log")" -eq 3
check "report on a sweep" "$program" report "$work/results" --out "$work/report" --format json >"$work/report.json" 2>/dev/null
check "its JSON parses" python3 -c "import json,sys; assert json.load(open(sys.argv[1]))['runs'] >= 5" "$work/report.json"
check "macro-F1 is called so in evaluation.json" python3 -c "
import json, sys
e = json.load(open(sys.argv[1]))
s = e['splits']['test']
assert e['format'] == 2 and {'acc', 'macro_f1', 'bias'} <= set(s['strategy']) & set(s['intervals'])
assert 'q' not in s['strategy'], s['strategy']" "$run/evaluation.json"
cp "$run/evaluation.json" "$work/before.json"
check "evaluate reloads the planner" "$program" evaluate "$run" --splits test --format json >"$work/evaluate.json" 2>/dev/null
check "and finds what the run found, keeping the other split" python3 -c "
import json, sys
a, b = (json.load(open(p))['splits'] for p in sys.argv[1:3])
assert set(a) == set(b) == {'valid', 'test'}, (set(a), set(b))
assert all(a[s]['strategy'] == b[s]['strategy'] for s in a)" "$work/before.json" "$run/evaluation.json"
check "and says so in its log" "$program" evaluate "$run" --splits test 2>"$work/said.log" >"$work/said.txt"
check "with the names of the tables" grep -Eq 'test: [0-9]+ decisions, Acc [0-9.]+, macro-F1 [0-9.]+, B [0-9.]+' "$work/said.log"
# A file of the format before, as earlier versions left it, is read and written anew.
python3 -c "
import json, sys
e = json.load(open(sys.argv[1]))
e['format'] = 1
reports = list(e['splits'].values()) + [b for s in e['baselines'].values() for b in s.values()]
for r in reports:
    for d in (r.get('strategy', r), r['intervals']):
        d['q'], d['b'] = d.pop('macro_f1'), d.pop('bias')
json.dump(e, open(sys.argv[1], 'w'))" "$run/evaluation.json"
check "evaluate takes over a split of a file of format 1" "$program" evaluate "$run" --splits test >"$work/said.txt" 2>/dev/null
check "with the same numbers" python3 -c "
import json, sys
a, b = (json.load(open(p)) for p in sys.argv[1:3])
assert b['format'] == 2 and a['splits'] == b['splits'], b" "$work/before.json" "$run/evaluation.json"

# A point that diverges is recorded, and does not stop the others.
mpirun -n 4 "$program" sweep "$work/sweep.yaml" --set name=wild --set "sweep.grid={learn.lr: [1.0e-3, 1.0e+30]}" \
  --set "sweep.seeds=[1]" --set learn.clip=0 --set learn.steps=40 2>"$work/wild.log"
check "a diverged point gives exit code 3" test $? -eq 3
check "the other point is done" test "$(grep -c ',done,' "$work/results/wild/index.csv")" -eq 1
check "the reason is recorded" grep -q "diverged" "$work/results/wild/index.csv"

# Bad input: exit code 2, one message with the place and a hint, nothing left behind.
refused() { # refused TEXT PATTERN CODE ARGUMENT…
  local text="$1" pattern="$2" code="$3"; shift 3
  "$@" >"$work/out" 2>"$work/err"
  local got=$?
  if [[ $got -ne $code ]]; then
    echo "FAILED: $text: exit code $got, not $code"; cat "$work/err"; failures=$((failures + 1))
  elif ! grep -Eq "$pattern" "$work/err"; then
    echo "FAILED: $text: no \"$pattern\" in the message"; cat "$work/err"; failures=$((failures + 1))
  else
    echo "ok: $text"
  fi
}
refused "unknown key" 'unknown key "learn.gama".*did you mean "learn.gamma"' 2 "$program" run "$work/tiny.yaml" --set learn.gama=1
refused "mistyped value" 'learn.batch.*whole number' 2 "$program" run "$work/tiny.yaml" --set learn.batch=many
refused "value out of range" 'learn.gamma.*between 0 and 1' 2 "$program" run "$work/tiny.yaml" --set learn.gamma=1.5
refused "a choice that is not built" 'not build' 2 "$program" run "$work/tiny.yaml" --set q.readout=value_head
refused "missing config" 'no-such.yaml' 2 "$program" run "$work/no-such.yaml"
refused "missing corpus" 'gone.txt' 2 "$program" run "$work/tiny.yaml" --set name=a --set "data.train=$work/gone.txt"
refused "impossible roles" 'at least 3 ranks' 2 mpirun -n 2 "$program" run "$work/tiny.yaml" --set name=b
refused "other inputs in a finished folder" 'learn.gamma was' 2 "$program" run "$work/tiny.yaml" --set learn.gamma=0.5
refused "a results folder below a file" 'tiny.yaml' 1 "$program" run "$work/tiny.yaml" --set "results=$work/tiny.yaml/x"
refused "train without shards" 'straq preprocess' 2 "$program" train "$work/tiny.yaml" --set "shards.folder=$work/none" --set name=c
refused "a sweep without a grid" 'no sweep section' 2 "$program" sweep "$work/tiny.yaml"
refused "a window beyond the model" 'max_positions' 2 "$program" run "$work/tiny.yaml" --set prompt.window=4000 --set name=d
printf 'not a dialogue\n' >"$work/corpus/bad.txt"
refused "malformed corpus" 'bad.txt:1' 2 "$program" run "$work/tiny.yaml" --set "data.test=$work/corpus/bad.txt" --set name=e
refused "unknown command" '' 2 "$program" fly
check "one message for the whole job, not one a rank" \
  test "$(mpirun -n 4 "$program" run "$work/tiny.yaml" --set learn.gama=1 2>&1 | grep -c 'unknown key')" -eq 1
check "no temporary files are left" test -z "$(find "$work" -name '*.tmp*' -print -quit)"

echo "$failures failed"
exit $((failures > 0))
