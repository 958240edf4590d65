#!/usr/bin/env bash
# A real Slurm of two nodes on this one machine, for tests: its own munge key and socket, its own
# ports and state, all under one folder. A Slurm that the machine already has is left alone.
#
# usage: bash tests/slurm/local_slurm.sh start DIR     then: source DIR/env.sh
#        bash tests/slurm/local_slurm.sh stop DIR
#
# Needs root and the packages slurm-wlm and munge; without them `start` ends with exit code 77 and
# the reason. Both nodes are this machine, so srun --mpi=pmix works within one node (-N1) only.
set -euo pipefail

usage() { awk 'NR > 1 { if (!/^#/) exit; sub(/^# ?/, ""); print }' "$0"; exit 2; }
(($# == 2)) || usage
action="$1"
dir="$2"
PATH="$PATH:/usr/sbin:/sbin"

stop_daemons() {
  local pid_file pid
  for pid_file in "$dir"/slurmd-*.pid "$dir"/slurmctld.pid "$dir"/munged.pid; do
    [[ -r "$pid_file" ]] || continue
    pid="$(<"$pid_file")"
    kill "$pid" 2>/dev/null || continue
    for _ in {1..50}; do kill -0 "$pid" 2>/dev/null || break; sleep 0.1; done
    kill -9 "$pid" 2>/dev/null || true
  done
}

start() {
  local tool memory ports n
  for tool in munged slurmctld slurmd sbatch; do
    command -v "$tool" >/dev/null || { echo "no $tool here (packages slurm-wlm, munge)"; exit 77; }
  done
  ((EUID == 0)) || { echo "a Slurm for tests needs root"; exit 77; }
  mkdir -p "$dir"
  chmod 755 "$dir"
  dir="$(cd "$dir" && pwd)"
  memory="$(awk '/^MemTotal:/ { print int($2 / 2048) }' /proc/meminfo)"
  read -r -a ports < <(python3 -c '
import socket
sockets = [socket.socket() for _ in range(3)]
for s in sockets: s.bind(("127.0.0.1", 0))
print(*[s.getsockname()[1] for s in sockets])')

  (umask 077 && head -c 128 /dev/urandom >"$dir/munge.key")
  mkdir -p "$dir/state" "$dir/spool-n1" "$dir/spool-n2"
  munged --force --key-file="$dir/munge.key" --socket="$dir/munge.sock" \
    --pid-file="$dir/munged.pid" --log-file="$dir/munged.log" --seed-file="$dir/munge.seed"

  cat >"$dir/slurm.conf" <<CONF
ClusterName=straqtest
SlurmctldHost=$(hostname -s)(127.0.0.1)
SlurmctldPort=${ports[0]}
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket=$dir/munge.sock,cred_expire=10
CredType=cred/munge
StateSaveLocation=$dir/state
SlurmdSpoolDir=$dir/spool-%n
SlurmctldPidFile=$dir/slurmctld.pid
SlurmdPidFile=$dir/slurmd-%n.pid
SlurmctldLogFile=$dir/slurmctld.log
SlurmdLogFile=$dir/slurmd-%n.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
SlurmdParameters=config_overrides
MpiDefault=pmix
ReturnToService=2
SwitchType=switch/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
KillWait=10
MinJobAge=300
NodeName=DEFAULT CPUs=8 RealMemory=$memory
NodeName=n1 NodeHostname=$(hostname -s) NodeAddr=127.0.0.1 Port=${ports[1]}
NodeName=n2 NodeHostname=$(hostname -s) NodeAddr=127.0.0.1 Port=${ports[2]}
PartitionName=test Nodes=n1,n2 Default=YES MaxTime=INFINITE State=UP OverSubscribe=NO
CONF
  cat >"$dir/env.sh" <<ENV
export SLURM_CONF="$dir/slurm.conf"
ENV
  export SLURM_CONF="$dir/slurm.conf"
  slurmctld -f "$SLURM_CONF"
  for n in n1 n2; do slurmd -f "$SLURM_CONF" -N "$n"; done
  for _ in {1..100}; do
    [[ "$(sinfo -h -o '%T %D' 2>/dev/null)" == "idle 2" ]] && return 0
    sleep 0.2
  done
  echo "the nodes did not become idle within 20 s" >&2
  sinfo >&2 || true
  tail -n 5 "$dir"/*.log >&2 || true
  stop_daemons
  exit 1
}

case "$action" in
  start) start ;;
  stop) stop_daemons ;;
  *) usage ;;
esac
