#!/usr/bin/env bash
# What only a machine with a GPU can test: that the program computes there what it computes on a CPU.
#
# usage: bash tests/gpu.sh [--programs FOLDER]
#
#   --programs FOLDER   build/cuda of this repository (default), or of a pack:
#                       bash jobs/pack.sh --preset cuda --out PACK tests/test_model \
#                         tests/test_learn tests/mpi_collectives tests/mpi_learners
#                       bash tests/gpu.sh --programs PACK/build/cuda
#
#   model        the decoder is the CPU's; attention in bf16 never takes libtorch's slow way
#   learner      comb against one prompt a decision, recomputation, the recorded DQN run, bf16
#   NCCL         a communicator of one rank, and of every GPU of this machine
#   two on one   two learners on one GPU through host memory (backend mpi), ZeRO-1 on and off
#   faults       a job that is killed again and again ends with the bits of one that was left alone;
#                a run goes on without the GPU that it began on
#   pipeline     preprocessing, training, evaluation and report on four ranks
#
# Every step runs even when one before it failed. Exit codes: 0 all passed; 1 one failed; 2 bad
# usage, or a program is missing; 77 no GPU here (the reason is printed).
set -uo pipefail
# shellcheck source=jobs/common.sh
source "$(dirname "${BASH_SOURCE[0]}")/../jobs/common.sh"

programs="$STRAQ_HOME/build/cuda"
while (($#)); do
  case "$1" in
    --programs) [[ -n "${2:-}" ]] || fail "--programs needs a value" "" 2; programs="$2"; shift ;;
    -h | --help) print_help "$0"; exit 0 ;;
    *) fail "unknown option: $1" "bash tests/gpu.sh --help" 2 ;;
  esac
  shift
done
if ! gpus="$(nvidia-smi --query-gpu=name --format=csv,noheader 2>/dev/null)" || [[ -z "$gpus" ]]; then
  echo "skipped: nvidia-smi shows no GPU"
  exit 77
fi
programs="$(cd "$programs" 2>/dev/null && pwd)" || fail "there is no folder $programs" "--programs" 2
for program in straq tests/test_model tests/test_learn tests/mpi_collectives tests/mpi_learners; do
  [[ -x "$programs/$program" ]] || fail "there is no $programs/$program" \
    "bash jobs/build.sh --preset cuda, or pack the programs that --help names" 2
done
# A pack brings its own launcher.
if [[ -x "$programs/../../mpi/bin/mpirun" ]]; then
  PATH="$(cd "$programs/../../mpi/bin" && pwd):$PATH"
fi
mpi_environment 4
export PATH OMP_NUM_THREADS=1 GTEST_COLOR=no STRAQ="$programs/straq" STRAQ_SOURCE="$STRAQ_HOME"
export STRAQ_TEST_DEVICE="${STRAQ_TEST_DEVICE:-cuda}"  # cpu: are the steps themselves right?
cd "$STRAQ_HOME" || exit
count="$(wc -l <<<"$gpus")"
log="$(mktemp -d)"
trap 'rm -rf "$log"' EXIT
failed=()

# step NAME COMMAND...: what was skipped did not pass here.
step() {
  local name="$1" code=0
  shift
  say "$name"
  "$@" >"$log/out" 2>&1 || code=$?
  grep -E '^\[  (FAILED|SKIPPED) |^(ok|FAILED|skipped)|PASSED' "$log/out" || true
  if ((code != 0)); then
    tail -n 40 "$log/out"
    failed+=("$name (exit code $code)")
  elif grep -q '^\[  SKIPPED \].*OnAGpu' "$log/out"; then
    failed+=("$name (skipped: libtorch sees no GPU)")
  fi
}

pipeline() {
  local work="$log/pipeline"
  mkdir -p "$work"
  # shellcheck source=tests/tiny_config.sh
  source tests/tiny_config.sh
  write_tiny_config "$work" "$STRAQ_HOME" "train: 8, valid: 3, test: 3" \
    'pretrain: {objective: {lm: 1, ce: 1}, steps: 4, lr: 1.0e-3}' \
    'learn: {batch: 16, steps: 12, lr: 1.0e-3, collectives: {backend: mpi}}' \
    'evaluate: {replicates: 200}'
  mpirun -n 4 "$STRAQ" run "$work/tiny.yaml" && test -s "$work/results/tiny/report/report.html"
}

note "$count GPU(s): $(head -n 1 <<<"$gpus")"
step "model" "$programs/tests/test_model"
step "learner" "$programs/tests/test_learn"
step "NCCL, one rank" mpirun -n 1 "$programs/tests/mpi_collectives"
((count < 2)) || step "NCCL, $count ranks" mpirun -n "$count" "$programs/tests/mpi_collectives"
step "two learners on one GPU" env CUDA_VISIBLE_DEVICES=0 mpirun -n 2 "$programs/tests/mpi_learners"
step "faults" env CUDA_VISIBLE_DEVICES=0 STRAQ_FAULT_KILLS=4 python3 tests/faults/resume_test.py
step "pipeline" pipeline
if ((${#failed[@]})); then
  printf 'failed: %s\n' "${failed[@]}"
  exit 1
fi
say "all passed on $(head -n 1 <<<"$gpus")"
