# shellcheck shell=bash
# Shared by the batch scripts: reads the site's settings, then starts `straq COMMAND …` on the
# allocation's tasks. To be sourced by a batch script with STRAQ_HOME set to the repository.

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

straq_launch() {
  local home="$STRAQ_HOME" program launcher threads
  cd "$home" || return 1
  # shellcheck source=slurm/site.env
  source slurm/site.env
  if [[ -n "$STRAQ_MODULES" ]]; then
    # shellcheck disable=SC2086  # a list of modules
    module load $STRAQ_MODULES
  fi
  program="${STRAQ_PROGRAM:-$home/build/$STRAQ_PRESET/straq}"
  if [[ ! -x "$program" ]]; then
    echo "error: no program at $program" >&2
    echo "  hint: on a login node, bash jobs/setup.sh; bash jobs/build.sh --preset $STRAQ_PRESET" >&2
    return 2
  fi

  launcher="$STRAQ_LAUNCHER"
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
      command=(srun --mpi=pmix --kill-on-bad-exit=0 --wait=30 --cpus-per-task="$threads") ;;
    mpirun)
      ((EUID == 0)) && export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
      command=(mpirun -n "${SLURM_NTASKS:-1}" --bind-to none) ;;
    *)
      echo "error: STRAQ_LAUNCHER=$launcher: expected auto, srun or mpirun" >&2
      return 2 ;;
  esac
  echo "$(date '+%F %T') job ${SLURM_JOB_ID:-none}: ${SLURM_NTASKS:-1} tasks by $launcher on" \
       "${SLURM_JOB_NODELIST:-this machine}: straq $*"

  local status=0
  "${command[@]}" "$program" "$@" || status=$?
  echo "$(date '+%F %T') job ${SLURM_JOB_ID:-none}: exit code $status"
  return "$status"
}
