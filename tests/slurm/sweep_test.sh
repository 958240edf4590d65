#!/usr/bin/env bash
# A sweep over a weekend in small, on a real Slurm of this machine's own: `straq submit` chains
# shards, an array of six points two at a time, and the report; one point is preempted by `scontrol
# requeue`, another is warned by its time limit. Then every point is done exactly once, and its
# numbers are those of an undisturbed run of the same grid in one allocation.
set -euo pipefail
# shellcheck source=tests/slurm/with_slurm.sh
source "${STRAQ_SOURCE:?run by ctest}/tests/slurm/with_slurm.sh"
export STRAQ_HOME="$source_folder" STRAQ_PROGRAM="$program"

fail() {
  echo "$1"
  squeue --array || true
  for file in "$work"/*.log; do echo "--- $file"; tail -n 25 "$file"; done
  exit 1
}
# eventually SECONDS WHAT COMMAND...: until the command succeeds.
eventually() {
  local deadline=$((SECONDS + $1)) what="$2"
  shift 2
  until "$@"; do
    ((SECONDS < deadline)) || fail "$what: not within the time"
    sleep 0.5
  done
}
gone() { [[ -z "$(squeue --noheader --jobs="$1" 2>/dev/null)" ]]; }

write_small_config "$work" "$source_folder" 6

# How many epochs last some 100 s at the speed of now, which a busy machine may double: the time
# limit's warning comes within 30 s of being due.
begin=$(date +%s%N)
"$program" run "$work/small.yaml" >"$work/alone.log" 2>&1 || fail "one run without Slurm"
milliseconds=$((($(date +%s%N) - begin) / 1000000))
epochs=$((6 * 100000 / milliseconds))
((epochs < 12)) && epochs=12
echo "6 epochs: $milliseconds ms; the two disturbed points get $epochs epochs"
rm -rf "$work/shards"
cat >"$work/sweep.yaml" <<YAML
base: small.yaml
name: array
roles: {learners_per_group: 1}
sweep:
  points:
    - {learn.gamma: 0, learn.epochs: $epochs}
    - {learn.gamma: 0.5, learn.epochs: $epochs}
    - {learn.gamma: 0.8, learn.epochs: 2}
    - {learn.gamma: 0.85, learn.epochs: 2}
    - {learn.gamma: 0.9, learn.epochs: 2}
    - {learn.gamma: 0.95, learn.epochs: 2}
YAML
"$program" submit "$work/sweep.yaml" --at-once 2 --time 20 --preprocessors 1 \
  --sbatch="--output=$work/%x-%A_%a.log" >"$work/submitted.txt" 2>"$work/submit.log" \
  || fail "straq submit"
array="$(awk '$1 == "sweep" { print $2 }' "$work/submitted.txt")"
report="$(awk '$1 == "report" { print $2 }' "$work/submitted.txt")"
[[ "$array" =~ ^[0-9]+$ && "$report" =~ ^[0-9]+$ ]] || fail "no job ids were printed"

# Both long points have come far enough to lose something.
saved() { compgen -G "$work/results/array/*gamma-$1[_e]*/checkpoints/step-*" >/dev/null; }
eventually 180 "the first point's checkpoint" saved 0
eventually 180 "the second point's checkpoint" saved 0.5
log_of() { echo "$work/straq-sweep-array-${array}_$1.log"; }
scontrol requeue "${array}_0" || fail "scontrol requeue"
scontrol update jobid="${array}_1" timelimit=1 || fail "scontrol update"
eventually 90 "the time limit's warning" grep -q "passing SIGUSR2 on" "$(log_of 1)"
eventually 60 "exit code 75" grep -q "exit code 75" "$(log_of 1)"
eventually 30 "its requeue" grep -q "back into the queue as ${array}_1" "$(log_of 1)"
scontrol update jobid="${array}_1" timelimit=20 || fail "scontrol update after the requeue"
eventually 600 "the end of the array" gone "$array"
eventually 90 "the report" gone "$report"

done_points="$(awk -F, 'NR > 1 && $2 == "done"' "$work/results/array/index.csv" | wc -l)"
[[ $done_points == 6 ]] || fail "$done_points of 6 points are done"
[[ -s "$work/results/array/report/report.html" ]] || fail "no report"
# Each point was finished by one life of one task.
for task in 0 1 2 3 4 5; do
  finished="$(grep -c 'exit code 0$' "$(log_of $task)")" || true
  [[ $finished == 1 ]] || fail "task $task ended $finished times"
  tested="$(grep -c '\[evaluate\] test:' "$(log_of $task)")" || true
  [[ $tested == 1 ]] || fail "point $task was evaluated $tested times"
done
for task in 0 1; do
  lives="$(grep -c 'straq sweep' "$(log_of $task)")"
  ((lives >= 2)) || fail "task $task lived once: it was not disturbed"
  grep 'going on at step' "$(log_of $task)" >/dev/null \
    || fail "task $task did not go on from its checkpoint"
done

# The same grid undisturbed, in one allocation, by two groups of one learner.
sed 's/^name: array/name: allocation/' "$work/sweep.yaml" >"$work/allocation.yaml"
job="$(STRAQ_LAUNCHER=mpirun sbatch --parsable --nodes=1 --ntasks=3 --time=20 \
  --output="$work/allocation.log" slurm/sweep.sbatch "$work/allocation.yaml" \
  --set roles.preprocessors=0)"
eventually 600 "the allocation" gone "$job"
grep -q 'exit code 0$' "$work/allocation.log" || fail "the allocation did not succeed"
"$program" report "$work/results/allocation" >"$work/report.txt" 2>"$work/report.log" \
  || fail "the undisturbed report"
compared=0
for metrics in "$work"/results/allocation/*/metrics.jsonl; do
  folder="$(dirname "$metrics")"
  twin="$work/results/array/$(basename "$folder")"
  cmp "$folder/metrics.jsonl" "$twin/metrics.jsonl" || fail "other metrics: $folder"
  compared=$((compared + 1))
done
[[ $compared == 6 ]] || fail "$compared of 6 points were compared"
tables=0
for table in "$work"/results/allocation/report/tables/*.csv; do
  name="$(basename "$table")"
  diff <(sed 's/allocation/X/g' "$table") \
       <(sed 's/array/X/g' "$work/results/array/report/tables/$name") || fail "another $name"
  tables=$((tables + 1))
done
((tables > 0)) || fail "the report has no tables"
echo "six points, each once; $tables tables equal those of an undisturbed sweep"
