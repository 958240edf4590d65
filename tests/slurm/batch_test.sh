#!/usr/bin/env bash
# The batch scripts as a user runs them, on a real Slurm of this machine's own: corpora to shards,
# a training and a sweep of two points, under both launchers; then the failures that must show.
set -euo pipefail
# shellcheck source=tests/slurm/with_slurm.sh
source "${STRAQ_SOURCE:?run by ctest}/tests/slurm/with_slurm.sh"

write_small_config "$work" "$source_folder" 1
cat >"$work/sweep.yaml" <<YAML
base: small.yaml
name: sweep
roles: {learners_per_group: 1}
sweep: {grid: {learn.gamma: [0, 0.5]}}
YAML

fail() {
  echo "$1"
  shift
  for file in "$@"; do echo "--- $file"; tail -n 40 "$file"; done
  exit 1
}
# submit EXIT-CODE LAUNCHER SCRIPT ARGUMENT...: waits for the job; its log is then in $log.
jobs=0
submit() {
  local expected="$1" launcher="$2" script="$3" code=0
  shift 3
  jobs=$((jobs + 1))
  log="$work/job-$jobs.log"
  STRAQ_PROGRAM="$program" STRAQ_LAUNCHER="$launcher" \
    timeout 400 sbatch --wait --nodes=1 --ntasks=3 --time=10 --output="$log" \
    "slurm/$script.sbatch" "$@" >/dev/null || code=$?
  [[ $code == "$expected" ]] || fail "$script by $launcher: exit code $code, not $expected" "$log"
}

"$program" simulate "$work/corpus.yaml" --out "$work/corpus" >"$work/simulate.log" 2>&1 \
  || fail "the corpus could not be simulated" "$work/simulate.log"

submit 0 srun preprocess "$work/small.yaml"
grep 'by srun' "$log" >/dev/null || fail "the launcher was not srun" "$log"
[[ -n "$(find "$work/shards" -name '*.h5')" ]] || fail "no shards were written" "$log"

submit 0 mpirun train "$work/small.yaml"
find "$work/results/small" -name DONE | grep . >/dev/null || fail "no finished run" "$log"

submit 0 auto sweep "$work/sweep.yaml"
[[ "$(find "$work/results/sweep" -name DONE | wc -l)" == 2 ]] || fail "not two points" "$log"

# SIGTERM, as on preemption, reaches ranks that mpirun started: they save in the time that it leaves
# them, and the next job goes on from there.
printf 'base: small.yaml\nname: preempted\nlearn: {epochs: 400}\ncheckpoint: {every_steps: 0}\n' \
  >"$work/preempted.yaml"
log="$work/preempted.log"
job="$(STRAQ_PROGRAM="$program" STRAQ_LAUNCHER=mpirun STRAQ_MAX_REQUEUES=0 sbatch --parsable \
  --nodes=1 --ntasks=3 --time=10 --output="$log" slurm/train.sbatch "$work/preempted.yaml")"
numbers="$work/results/preempted/seed-1/metrics.jsonl"
deadline=$((SECONDS + 120))
until [[ -f "$numbers" ]] && (($(wc -l <"$numbers") > 20)); do
  ((SECONDS < deadline)) || fail "the job to be preempted did not train" "$log"
  sleep 0.2
done
scancel --signal=TERM --full "$job"
while [[ -n "$(squeue --noheader --jobs="$job" 2>/dev/null)" ]]; do
  ((SECONDS < deadline)) || fail "the job outlived SIGTERM" "$log"
  sleep 0.5
done
grep 'stopped on request at step .*, with a checkpoint' "$log" >/dev/null \
  || fail "ranks under mpirun did not save on SIGTERM" "$log"
# Few steps more are enough to see where it goes on.
step="$(wc -l <"$numbers")"
STRAQ_PROGRAM="$program" STRAQ_LAUNCHER=mpirun STRAQ_MAX_REQUEUES=0 sbatch --parsable --nodes=1 \
  --ntasks=3 --time=10 --output="$log" slurm/train.sbatch "$work/preempted.yaml" >"$work/again"
until [[ -f "$log" ]] && grep "going on at step $step" "$log" >/dev/null; do
  ((SECONDS < deadline + 60)) || fail "the next job did not go on at step $step" "$log"
  sleep 0.2
done
scancel "$(<"$work/again")"

# A config that is not there ends the job with the program's own exit code.
submit 2 mpirun train "$work/absent.yaml"
# Tasks that are worlds of their own must fail, not each train the same planner: some Open MPIs
# refuse to start so, with others the program does.
sed 's/srun --mpi=pmix/srun --mpi=none/' slurm/launch.sh >"$work/launch.sh"
mkdir -p "$work/home/slurm" "$work/home/jobs"
cp "$work/launch.sh" slurm/train.sbatch slurm/site.env "$work/home/slurm/"
cp jobs/common.sh "$work/home/jobs/"
export STRAQ_HOME="$work/home"
printf 'base: small.yaml\nname: alone\n' >"$work/alone.yaml"
submit 1 srun train "$work/alone.yaml"
[[ ! -e "$work/results/alone" ]] || fail "a rank that was alone trained" "$log"
echo "the batch scripts work"
