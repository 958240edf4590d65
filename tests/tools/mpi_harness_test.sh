#!/usr/bin/env bash
# A failure on one rank that prints nothing by default must fail the run and be reported with its
# rank and message. Without this, a test under mpirun could pass while a learner's checks fail.
set -euo pipefail
program="${STRAQ_BUILD:?run by ctest}/tests/mpi_self"
log="$(mktemp)"
trap 'rm -f "$log"' EXIT
# A time limit, for a harness that hangs on a failure is a defect that was met.
if timeout 60 mpirun -n 2 "$program" --gtest_also_run_disabled_tests \
    --gtest_filter='MpiHarness.DISABLED_FailsOnTheLastRankOnly' >"$log" 2>&1; then
  cat "$log"
  echo "the failure of rank 1 did not fail the run"
  exit 1
fi
grep -q '^rank 1: .*planted failure' <(tr '\n' ' ' <"$log" | sed 's/rank 1:/\nrank 1:/g') \
  || { cat "$log"; echo "the failure of rank 1 was not reported"; exit 1; }
