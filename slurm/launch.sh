# shellcheck shell=bash
# Shared by the batch scripts: reads the site's settings, then starts `straq COMMAND …` on the
# allocation's tasks, hands Slurm's warning on to them and puts a job that was stopped with a
# checkpoint back into the queue. To be sourced by a batch script.
#
# The signals: `--signal=B:USR2@180` warns the batch shell alone. Without B: Slurm would signal the
# steps and miss ranks that mpirun started on the first node, which belong to no step. The shell
# passes the warning to srun or mpirun, and both pass it to every rank. SIGTERM (preemption,
# scontrol requeue, scancel) Slurm sends to all processes itself, as a terminal does SIGINT (Ctrl-C)
# and SIGHUP; the shell only has to outlive it.

# The program finds these scripts by it.
STRAQ_HOME="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"
export STRAQ_HOME

# straq_expects "SCRIPT NEEDED..." ARGUMENT...: ends the job where fewer arguments were given than the
# words after SCRIPT; a leading --in=FOLDER is none of them.
straq_expects() {
  local words
  read -r -a words <<<"$1"
  shift
  if [[ "${1:-}" == --in=* ]]; then shift; fi
  if (($# < ${#words[@]} - 1)); then
    echo "usage: sbatch [SBATCH OPTIONS] slurm/${words[*]} [ARGUMENT ...]" >&2
    exit 2
  fi
}

# Ends a job that is no task of an array.
straq_expects_array() {
  if [[ -z "${SLURM_ARRAY_TASK_ID:-}" ]]; then
    echo "error: this is no array job" >&2
    echo "  hint: straq sweep CONFIG --list numbers the points; straq submit CONFIG does the rest" >&2
    exit 2
  fi
}

# True when `srun --mpi=pmix` gives the ranks of this Open MPI one world: Slurm has the plugin and
# Open MPI 4 was built with PMIx (5 always is). Otherwise srun starts separate worlds of one rank.
straq_srun_speaks_pmix() {
  command -v srun >/dev/null || return 1
  srun --mpi=list 2>&1 | grep -w pmix >/dev/null || return 1
  command -v ompi_info >/dev/null || return 0
  local info
  info="$(ompi_info --parsable 2>/dev/null)" || return 0
  [[ "$info" != *ompi:version:full:4.* || "$info" =~ mca:pmix:(ext|pmix) ]]
}

straq_say() { echo "$(date '+%F %T') job ${SLURM_JOB_ID:-none}: $*"; }

# Site, modules and program; afterwards $straq_program is an array that starts with the container.
straq_prepare() {
  local preset program
  cd "$STRAQ_HOME" || return 1
  # shellcheck source=jobs/common.sh
  source jobs/common.sh
  # shellcheck source=slurm/site.env
  source slurm/site.env
  if [[ -n "$STRAQ_MODULES" ]]; then
    # shellcheck disable=SC2086  # a list of modules
    module load $STRAQ_MODULES || return 2
  fi
  preset="$STRAQ_PRESET"
  if [[ "$preset" == auto ]]; then
    preset=cpu
    if [[ -n "${SLURM_JOB_GPUS:-}${SLURM_GPUS_ON_NODE:-}" ]]; then preset=cuda; fi
  fi
  program="${STRAQ_PROGRAM:-$STRAQ_HOME/build/$preset/straq}"
  if [[ "$program" == */* && "$program" != /* ]]; then program="$STRAQ_HOME/$program"; fi
  if [[ ! -x "$program" && -z "$STRAQ_CONTAINER" ]]; then
    echo "error: no program at $program" >&2
    echo "  hint: on a login node, bash jobs/setup.sh; bash jobs/build.sh --preset $preset" >&2
    return 2
  fi
  local container=()
  read -r -a container <<<"$STRAQ_CONTAINER"
  straq_program=(${container[@]+"${container[@]}"} "$program")
}

# straq_place ARGUMENT...: the arguments without a leading --in=FOLDER go to $straq_arguments, and the
# program will run in that folder: it is where `straq submit` was called, and relative paths mean
# places below it. Without it the program runs in the repository.
straq_place() {
  if [[ "${1:-}" == --in=* ]]; then
    if ! cd "${1#--in=}"; then
      echo "error: the folder that the job was submitted from is not here: ${1#--in=}" >&2
      return 2
    fi
    shift
  fi
  straq_arguments=("$@")
}

# Starts a command and waits for it. A warning is repeated every few seconds until the command has
# ended, for a rank hears nothing while its libraries load; it saves once, however often it is told.
straq_supervise() {
  local child status=0 last=0
  straq_signalled=0
  (
    trap '' USR2
    exec "$@"
  ) &
  child=$!
  trap 'straq_signalled=1; straq_warned=1' USR2
  trap 'straq_signalled=1' TERM INT HUP
  while :; do
    if ((straq_warned)) && [[ -z "${straq_messenger:-}" ]]; then
      straq_say "warned: passing SIGUSR2 on"
      while kill -USR2 "$child" 2>/dev/null; do sleep 5; done &
      straq_messenger=$!
    fi
    straq_signalled=0
    status=0
    wait "$child" || status=$?
    # A signal to this shell ends `wait` early; then the child is waited for again.
    ((status == 127)) && status=$last && break
    last=$status
    ((straq_signalled)) || break
  done
  if [[ -n "${straq_messenger:-}" ]]; then
    kill "$straq_messenger" 2>/dev/null || true
  fi
  return "$status"
}

# Puts this job, or this task of an array, back into the queue.
straq_requeue() {
  local id="${SLURM_JOB_ID:-}" state
  local restarts="${SLURM_RESTART_COUNT:-0}"
  if [[ -n "${SLURM_ARRAY_JOB_ID:-}" ]]; then
    id="${SLURM_ARRAY_JOB_ID}_${SLURM_ARRAY_TASK_ID}"
  fi
  [[ -n "$id" ]] || return 0
  # A job that Slurm is ending itself is cancelled, or back in the queue already.
  state="$(squeue --noheader --jobs="$id" --format=%T 2>/dev/null)" || true
  if [[ -n "$state" && "$state" != RUNNING ]]; then
    straq_say "Slurm itself ends this job ($state)"
    return 0
  fi
  if ((restarts >= STRAQ_MAX_REQUEUES)); then
    straq_say "not requeued: it was $restarts times already (STRAQ_MAX_REQUEUES)."
    echo "  hint: is the time limit long enough to save once? The same sbatch goes on" >&2
    return 0
  fi
  straq_say "back into the queue as $id, restart $((restarts + 1)) of at most $STRAQ_MAX_REQUEUES"
  if ! scontrol requeue "$id"; then
    echo "error: Slurm did not requeue $id" >&2
    echo "  hint: submit it again: the same command goes on from its checkpoint" >&2
  fi
}

# straq_launch COMMAND [--in=FOLDER] ARGUMENT...: on all tasks. The exit code is the program's.
straq_launch() {
  local straq_arguments=()
  straq_warned=0
  trap 'straq_warned=1' USR2
  straq_prepare || return
  straq_place "${@:2}" || return
  set -- "$1" ${straq_arguments[@]+"${straq_arguments[@]}"}
  local launcher="$STRAQ_LAUNCHER" threads tasks="${SLURM_NTASKS:-1}"
  if [[ "$launcher" == auto ]]; then
    if straq_srun_speaks_pmix; then launcher=srun; else launcher=mpirun; fi
  fi
  # Ranks of one node share its cores: a task's share of math threads, no more.
  threads="${SLURM_CPUS_PER_TASK:-1}"
  export OMP_NUM_THREADS="${OMP_NUM_THREADS:-$threads}"
  export MKL_NUM_THREADS="${MKL_NUM_THREADS:-$OMP_NUM_THREADS}"

  local command
  case "$launcher" in
    srun)
      # Killing the others the moment one rank ends would replace its exit code by theirs.
      command=(srun --mpi=pmix --kill-on-bad-exit=0 --wait=30 --cpus-per-task="$threads")
      if [[ -n "${SLURM_HET_SIZE:-}" ]]; then
        command+=("--het-group=0-$((SLURM_HET_SIZE - 1))")
        tasks="all"
      fi ;;
    mpirun)
      if [[ -n "${SLURM_HET_SIZE:-}" ]]; then
        echo "error: mpirun sees the first part of a heterogeneous job only" >&2
        echo "  hint: STRAQ_LAUNCHER=srun needs PMIx; else give one job all tasks (packed)" >&2
        return 2
      fi
      if ((EUID == 0)); then
        export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
      fi
      # On SIGTERM mpirun kills its ranks after a second, which is too soon to save.
      export OMPI_MCA_odls_base_sigkill_timeout="$STRAQ_TERM_SECONDS"
      export PRTE_MCA_odls_base_sigkill_timeout="$STRAQ_TERM_SECONDS"
      mpi_notices_lost_hosts
      command=(mpirun -n "$tasks" --bind-to none)
      if [[ "${SLURM_DISTRIBUTION:-}" == cyclic* ]]; then command+=(--map-by node); fi ;;
    *)
      echo "error: STRAQ_LAUNCHER=$launcher: expected auto, srun or mpirun" >&2
      return 2 ;;
  esac
  straq_say "$tasks tasks by $launcher on ${SLURM_JOB_NODELIST:-this machine}: straq $*"

  # Until its handlers are there a rank ignores the warning instead of dying of it.
  local status=0
  # shellcheck disable=SC2016  # for the rank's own shell
  straq_supervise "${command[@]}" bash -c 'trap "" USR2; exec "$@"' straq \
    "${straq_program[@]}" "$@" || status=$?
  straq_say "exit code $status"
  if ((status == 75)); then straq_requeue; fi
  return "$status"
}

# straq_alone COMMAND [--in=FOLDER] ARGUMENT...: one process without MPI.
straq_alone() {
  local straq_arguments=()
  straq_prepare || return
  straq_place "${@:2}" || return
  set -- "$1" ${straq_arguments[@]+"${straq_arguments[@]}"}
  local status=0
  straq_say "straq $*"
  "${straq_program[@]}" "$@" || status=$?
  straq_say "exit code $status"
  return "$status"
}
