# shellcheck shell=bash
# What the project's scripts share: messages, the size of this machine, and the environment that
# Open MPI needs here. Source it; it changes nothing by itself but defines functions and STRAQ_HOME,
# and in a packed tree (jobs/pack.sh) puts the pack's Open MPI before the machine's.

# shellcheck disable=SC2034  # used by the scripts that source this
STRAQ_HOME="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"
if [[ -x "$STRAQ_HOME/mpi/bin/mpirun" ]]; then PATH="$STRAQ_HOME/mpi/bin:$PATH"; fi

# Colours only for a person at a terminal.
if [[ -t 2 && -z "${NO_COLOR:-}" && "${TERM:-dumb}" != dumb ]]; then
  _bold=$'\e[1m' _red=$'\e[31m' _yellow=$'\e[33m' _plain=$'\e[0m'
else
  _bold='' _red='' _yellow='' _plain=''
fi

# Messages go to standard error: standard output is for results.
say() { printf '%s== %s%s\n' "$_bold" "$*" "$_plain" >&2; }
note() { printf '   %s\n' "$*" >&2; }
warn() { printf '%swarning: %s%s\n' "$_yellow" "$*" "$_plain" >&2; }
# fail MESSAGE [HINT] [EXIT CODE]; the codes are the program's own: 1 failed, 2 bad usage or input.
fail() {
  printf '%serror: %s%s\n' "$_red" "$1" "$_plain" >&2
  [[ -n "${2:-}" ]] && printf '  hint: %s\n' "$2" >&2
  exit "${3:-1}"
}

# Prints the comment that opens a script, without its hash marks: its help.
print_help() { awk 'NR > 1 { if (!/^#/) exit; sub(/^# ?/, ""); print }' "$1"; }

# Cores that this process may use: its affinity, and a container's quota where there is one.
cores() {
  local n quota period
  n="$(nproc)"
  if [[ -r /sys/fs/cgroup/cpu.max ]] && read -r quota period </sys/fs/cgroup/cpu.max \
     && [[ "$quota" =~ ^[0-9]+$ ]]; then
    local allowed=$(((quota + period - 1) / period))
    ((allowed < n)) && n=$allowed
  fi
  echo $((n > 0 ? n : 1))
}

# Compilers to run at once: one a core, but no more than memory holds. A file that includes
# libtorch takes up to 2 GB to compile.
build_jobs() {
  local n by_memory
  n="$(cores)"
  by_memory="$(awk '/^MemAvailable:/ { print int($2 / 2097152) }' /proc/meminfo)" || true
  [[ "$by_memory" =~ ^[0-9]+$ ]] || by_memory=$n
  ((by_memory < 1)) && by_memory=1
  echo $((by_memory < n ? by_memory : n))
}

# Packages and libtorch for a preset.
set_up() { if [[ $1 == cuda ]]; then bash jobs/setup.sh --cuda; else bash jobs/setup.sh; fi; }

# Runs a command up to three times, for what a network can break.
retry() {
  local attempt
  for attempt in 1 2 3; do
    "$@" && return 0
    ((attempt < 3)) && { warn "attempt $attempt of 3 failed: $*"; sleep $((attempt * 3)); }
  done
  return 1
}

# mpirun notices within 40 seconds that a host has vanished without a word (power, network) and ends
# the job; by itself it would take eight minutes, and longer where a message to that host is open.
mpi_notices_lost_hosts() {
  : "${OMPI_MCA_oob_tcp_keepalive_time:=20}" "${OMPI_MCA_oob_tcp_keepalive_intvl:=5}"
  : "${OMPI_MCA_oob_tcp_keepalive_probes:=4}"
  export OMPI_MCA_oob_tcp_keepalive_time OMPI_MCA_oob_tcp_keepalive_intvl
  export OMPI_MCA_oob_tcp_keepalive_probes
  # Open MPI 5 reads its launcher's settings from PRTE's names.
  export PRTE_MCA_oob_tcp_keepalive_time="$OMPI_MCA_oob_tcp_keepalive_time"
  export PRTE_MCA_oob_tcp_keepalive_intvl="$OMPI_MCA_oob_tcp_keepalive_intvl"
  export PRTE_MCA_oob_tcp_keepalive_probes="$OMPI_MCA_oob_tcp_keepalive_probes"
}

# mpi_environment RANKS: what `mpirun -n RANKS` needs on this machine. It only sets what the user
# has not set.
mpi_environment() {
  local ranks="$1" n
  n="$(cores)"
  if ((EUID == 0)); then  # Open MPI refuses to run as root unless told twice
    export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
  fi
  if ((ranks > n)); then
    : "${OMPI_MCA_rmaps_base_oversubscribe:=1}"
    # Bound ranks would share one core while others idle, and waiting ranks would spin.
    : "${OMPI_MCA_hwloc_base_binding_policy:=none}" "${OMPI_MCA_mpi_yield_when_idle:=1}"
    export OMPI_MCA_rmaps_base_oversubscribe OMPI_MCA_hwloc_base_binding_policy
    export OMPI_MCA_mpi_yield_when_idle
    # Open MPI 5 reads its launcher's settings from PRTE's names.
    : "${PRTE_MCA_rmaps_default_mapping_policy:=:oversubscribe}"
    : "${PRTE_MCA_hwloc_default_binding_policy:=none}"
    export PRTE_MCA_rmaps_default_mapping_policy PRTE_MCA_hwloc_default_binding_policy
  fi
  mpi_notices_lost_hosts
  # Containers usually forbid one process to read another's memory; Open MPI would try, and report
  # an error for every large message.
  if [[ -e /.dockerenv || -e /run/.containerenv ]]; then
    : "${OMPI_MCA_btl_vader_single_copy_mechanism:=none}"
    export OMPI_MCA_btl_vader_single_copy_mechanism
  fi
}
