#!/usr/bin/env bash
# The batch scripts where no Slurm is: what each starts, run from a spool folder as Slurm does, and
# how it ends with arguments missing, outside an array, far from the repository or stopped with a
# checkpoint. Launchers and Slurm's commands are stand-ins that print their words.
set -euo pipefail
cd "${STRAQ_SOURCE:?run by ctest}"
source_folder="$PWD"
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
for name in ${!SLURM_@} ${!STRAQ_@}; do unset "$name"; done
mkdir "$work/bin" "$work/spool"
stand_in() { # NAME LINE...
  printf '%s\n' '#!/usr/bin/env bash' "${@:2}" >"$work/bin/$1"
  chmod +x "$work/bin/$1"
}
# shellcheck disable=SC2016  # for the stand-ins
{
  stand_in srun '[[ "$*" != --mpi=list ]] || { echo pmix; exit; }' 'echo "srun $*"' \
    'while [[ "$1" == -* ]]; do shift; done' 'exec "$@"'
  stand_in mpirun 'echo "mpirun $*"' 'while [[ "$1" != bash ]]; do shift; done' 'exec "$@"'
  stand_in ompi_info 'echo ompi:version:full:5.0.0'
  stand_in squeue 'echo RUNNING'
  stand_in scontrol 'echo "scontrol $*"'
  stand_in program 'echo "straq in $PWD: $*"' 'exit "${PROGRAM_CODE:-0}"'
}
export PATH="$work/bin:$PATH" STRAQ_PROGRAM="$work/bin/program"

# job CODE SCRIPT ARGUMENT...: as Slurm runs it, a copy in another place; $said is what it printed.
job() {
  local expected="$1" script="$2" code=0
  cp "$source_folder/slurm/$script.sbatch" "$work/spool/script"
  said="$(bash "$work/spool/script" "${@:3}" 2>&1)" || code=$?
  [[ $code == "$expected" ]] || { echo "$script: exit code $code, not $expected: $said"; exit 1; }
}
says() { [[ "$said" == *"$1"* ]] || { echo "no \"$1\" in: $said"; exit 1; }; }

declare -A starts=([doctor]=doctor [evaluate]=evaluate [judge]=judge [preprocess]=preprocess
  [report]=report [respond]=respond
  [sweep]=sweep [sweep_array]=sweep [sweep_array_gpu]=sweep [sweep_gpu]=sweep [train]=run
  [train_gpu]=run [train_het]=run)
for path in slurm/*.sbatch; do
  script="$(basename "$path" .sbatch)"
  command="${starts[$script]:?a batch script that this test does not know}"
  more=''
  case "$script" in sweep_array*) export SLURM_ARRAY_TASK_ID=4; more=' --point 4' ;; esac
  job 0 "$script" one "two words"
  says "straq in $source_folder: $command one two words$more"
  # From where `straq submit` was called; the folder is no argument of the command.
  job 0 "$script" "--in=$work" one
  says "straq in $work: $command one$more"
  if [[ $script == doctor ]]; then
    job 0 doctor
  else
    for given in '' "--in=$work"; do
      job 2 "$script" ${given:+"$given"}
      says "usage: sbatch [SBATCH OPTIONS] slurm/$script.sbatch "
    done
  fi
  unset SLURM_ARRAY_TASK_ID
done
for script in sweep_array sweep_array_gpu; do
  job 2 "$script" one
  says "this is no array job"
done

# By either launcher, with what the job asked for.
SLURM_NTASKS=3 SLURM_CPUS_PER_TASK=2 STRAQ_LAUNCHER=srun job 0 train one
says "srun --mpi=pmix --kill-on-bad-exit=0 --wait=30 --cpus-per-task=2 bash"
SLURM_NTASKS=3 SLURM_DISTRIBUTION=cyclic STRAQ_LAUNCHER=mpirun job 0 train one
says "mpirun -n 3 --bind-to none --map-by node bash"
STRAQ_LAUNCHER=srun SLURM_HET_SIZE=2 job 0 train_het one
says "--het-group=0-1"
STRAQ_LAUNCHER=mpirun SLURM_HET_SIZE=2 job 2 train_het one
says "the first part of a heterogeneous job only"

# Stopped with a checkpoint: back into the queue, but not for ever.
SLURM_JOB_ID=7 PROGRAM_CODE=75 job 75 train one
says "scontrol requeue 7"
SLURM_JOB_ID=7 SLURM_RESTART_COUNT=50 PROGRAM_CODE=75 job 75 train one
says "not requeued"

# The repository: where sbatch was called, also below it, or STRAQ_HOME; else a word on it.
export SLURM_SUBMIT_DIR="$source_folder/slurm"
cd /
job 0 train one
says "straq in $source_folder: run one"
export SLURM_SUBMIT_DIR=/
STRAQ_HOME="$source_folder" job 0 train one
job 2 train one
says "set STRAQ_HOME"
echo "the batch scripts start what they should"
