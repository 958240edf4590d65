#!/usr/bin/env bash
# The batch scripts as a user runs them, on a real Slurm of this machine's own: corpora to shards,
# a training and a sweep of two points, under both launchers; then the failures that must show.
set -euo pipefail
source_folder="${STRAQ_SOURCE:?run by ctest}"
program="${STRAQ:?run by ctest}"
work="$(mktemp -d)"
finish() {
  bash "$source_folder/tests/slurm/local_slurm.sh" stop "$work/slurm" || true
  rm -rf "$work"
}
trap finish EXIT
status=0
bash "$source_folder/tests/slurm/local_slurm.sh" start "$work/slurm" || status=$?
((status == 0)) || exit "$status"
# shellcheck source=/dev/null
source "$work/slurm/env.sh"
cd "$source_folder"

# The quick start in small: seconds a job.
cat >"$work/corpus.yaml" <<YAML
base: $source_folder/configs/simulate/seeker.yaml
seed: 7
dialogues: {train: 24, valid: 8, test: 8}
YAML
cat >"$work/small.yaml" <<YAML
base: $source_folder/configs/quickstart.yaml
name: small
results: $work/results
threads: 1
simulate: {config: $work/corpus.yaml, folder: $work/corpus}
data: {train: $work/corpus/train.txt, valid: $work/corpus/valid.txt, test: $work/corpus/test.txt}
tokenizer: {train: {kind: byte_bpe, vocab_size: 400}}
shards: {folder: $work/shards, dialogues_per_shard: 8}
model: {shape: configs/shapes/tiny.yaml}
pretrain: {epochs: 1}
learn: {epochs: 1, batch: 16}
evaluate: {replicates: 100}
YAML
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

# A config that is not there ends the job with the program's own exit code.
submit 2 mpirun train "$work/absent.yaml"
# Tasks that are worlds of their own must fail, not each train the same planner: some Open MPIs
# refuse to start so, with others the program does.
sed 's/srun --mpi=pmix/srun --mpi=none/' slurm/launch.sh >"$work/launch.sh"
mkdir -p "$work/home/slurm"
cp "$work/launch.sh" slurm/train.sbatch slurm/site.env "$work/home/slurm/"
export STRAQ_HOME="$work/home"
printf 'base: small.yaml\nname: alone\n' >"$work/alone.yaml"
submit 1 srun train "$work/alone.yaml"
[[ ! -e "$work/results/alone" ]] || fail "a rank that was alone trained" "$log"
echo "the batch scripts work"
