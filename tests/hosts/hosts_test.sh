#!/usr/bin/env bash
# One job on several hosts: coordinator, preprocessor and learners each on a host of its own give
# the numbers of one host; a host that dies or loses its network ends the job, and the next start
# goes on to the same end. The hosts are namespaces of this machine (local_hosts.sh).
# shellcheck disable=SC2317  # functions that `check` calls
set -uo pipefail
program="${STRAQ:?the program}" source="${STRAQ_SOURCE:?the repository}"
[[ -x "$program" ]] || { echo "skipped: no program at $program"; exit 77; }
command -v mpirun >/dev/null || { echo "skipped: no mpirun"; exit 77; }
# shellcheck source=tests/hosts/local_hosts.sh
source "$source/tests/hosts/local_hosts.sh"
work="$(mktemp -d)"
finish() {
  stop_hosts
  rm -rf "$work"
}
trap finish EXIT
start_hosts 4 "$work" || { echo "skipped: $HOSTS_REASON"; exit 77; }
# shellcheck source=jobs/common.sh
source "$source/jobs/common.sh"
mpi_environment 4
# shellcheck source=tests/tiny_config.sh
source "$source/tests/tiny_config.sh"
failures=0
exec 3>&1  # verdicts go here, whatever a check's command writes elsewhere
check() { # check TEXT COMMAND…: the command must succeed
  local text="$1"; shift
  if "$@"; then echo "ok: $text" >&3; else echo "FAILED: $text" >&3; failures=$((failures + 1)); fi
}

# The watchdog is later than mpirun, which notices a host that is gone.
write_tiny_config "$work" "$source" "train: 12, valid: 4, test: 3" \
  "learn: {batch: 8, steps: 300, lr: 1.0e-3}" "checkpoint: {every_steps: 10}" "watchdog: {seconds: 60}"
sed "s|^shards: .*|shards: {folder: $work/shards-of-one}|" "$work/tiny.yaml" >"$work/one.yaml"

on_hosts() { # COMMAND…: straq with rank n on host n
  local hosts
  hosts="$(IFS=,; echo "${HOSTS[*]}")"
  on_host 1 mpirun -n 4 --host "$hosts" --mca plm_rsh_agent "$AGENT" --mca rmaps_base_mapping_policy node \
    --mca oob_tcp_if_include eth0 --mca btl_tcp_if_include eth0 "$program" "$@" </dev/null
}
train() { # NAME: a run on the four hosts, in the background; its log is $work/NAME.log
  on_hosts --verbose run "$work/tiny.yaml" --set "results=$work/$1" >"$work/$1.log" 2>&1 &
  job=$!
}
steps_done() { [[ -f "$1/tiny/seed-1/metrics.jsonl" ]] && wc -l <"$1/tiny/seed-1/metrics.jsonl" || echo 0; }
until_step() { # FOLDER STEP: waits until the job's numbers reach the step
  while kill -0 "$job" 2>/dev/null && (($(steps_done "$1") < $2)); do sleep 0.02; done
  kill -0 "$job" 2>/dev/null
}
ends_within() { # SECONDS: the job ends by itself, badly
  local begin=$SECONDS deadline=$((SECONDS + $1)) code
  while kill -0 "$job" 2>/dev/null && ((SECONDS < deadline)); do sleep 0.2; done
  kill -0 "$job" 2>/dev/null && { kill -9 "$job"; return 1; }
  wait "$job"; code=$?
  echo "   exit code $code after $((SECONDS - begin)) s"
  ((code != 0 && code != 75))
}
quiet_now() { # HOST…: nothing runs there any more
  local deadline=$((SECONDS + 60)) host
  for host in "$@"; do
    while [[ -n "$(ip netns pids "$HOSTS_TAG-$host")" ]] && ((SECONDS < deadline)); do sleep 0.2; done
    [[ -z "$(ip netns pids "$HOSTS_TAG-$host")" ]] || return 1
  done
}
weights() { grep weights_sha256 "$1/tiny/seed-1/provenance.json"; }
same_end() { # FOLDER: numbers and weights of the undisturbed run
  cmp "$work/results/tiny/seed-1/metrics.jsonl" "$1/tiny/seed-1/metrics.jsonl" &&
    [[ -n "$(weights "$1")" && "$(weights "$1")" == "$(weights "$work/results")" ]]
}

on_hosts doctor --results "$work/results" >"$work/doctor.txt" 2>"$work/doctor.log"
check "the doctor sees four hosts" grep -q "4 hosts" "$work/doctor.txt"
cat "$work/doctor.txt"

check "coordinator, preprocessor and two learners on four hosts" \
  on_hosts run "$work/tiny.yaml" >"$work/run.out" 2>"$work/run.log" || cat "$work/run.log"
check "the same job on one host" \
  mpirun -n 4 "$program" run "$work/one.yaml" --set "results=$work/one" >"$work/one.out" 2>"$work/one.log"
check "both give the same numbers and weights, to the bit" same_end "$work/one"

train killed
check "a job is under way" until_step "$work/killed" 60
kill_host 3
check "a host that dies ends the job within a minute" ends_within 60
check "and leaves nothing behind on the others" quiet_now 1 2 4
# Which host it was mpirun tells only where the daemon outlives its rank long enough to report it.
train killed
wait "$job"
check "the next start goes on from a checkpoint" grep -q "going on at step" "$work/killed.log"
check "and ends like a run that nothing disturbed" same_end "$work/killed"

train cut
check "a job is under way" until_step "$work/cut" 60
cut_host 4
check "a host that loses its network ends the job within a minute and a half" ends_within 90
check "and leaves nothing behind, not on the lost host either" quiet_now 1 2 3 4
check "the host is named" grep -q "${HOSTS[3]}\|host4" "$work/cut.log"
ip -n "$HOSTS_TAG" link set port4 up
train cut
wait "$job"
check "the next start ends like a run that nothing disturbed" same_end "$work/cut"

((failures == 0)) && echo "all held" || echo "$failures failed"
exit $((failures > 0))
