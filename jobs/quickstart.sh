#!/usr/bin/env bash
# From nothing to a result: sets up, builds, then runs the whole pipeline (simulated corpus, shards,
# training, evaluation, report) on four MPI ranks. Ends with the result table and the report's path.
#
# usage: bash jobs/quickstart.sh [--preset cpu|cuda] [--ranks N] [--skip-setup] [ARGUMENT ...]
#
#   --preset P    what to build; default cpu
#   --ranks N     MPI ranks; default 4: a coordinator, preprocessors, learners
#   --skip-setup  take the packages and libtorch as they are
#   ARGUMENT      goes on to `straq run`, for example --set learn.gamma=0.9
set -euo pipefail
# shellcheck source=jobs/common.sh
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

preset=cpu ranks=4 skip_setup=false arguments=()
while (($#)); do
  case "$1" in
    --preset | --ranks)
      [[ -n "${2:-}" ]] || fail "$1 needs a value" "bash jobs/quickstart.sh --help" 2
      if [[ $1 == --preset ]]; then preset="$2"; else ranks="$2"; fi
      shift ;;
    --skip-setup) skip_setup=true ;;
    -h | --help) print_help "$0"; exit 0 ;;
    *) arguments+=("$1") ;;
  esac
  shift
done
[[ "$ranks" =~ ^[1-9][0-9]*$ ]] || fail "--ranks $ranks: expected a positive number" "" 2

cd "$STRAQ_HOME"
$skip_setup || set_up "$preset"
bash jobs/build.sh --preset "$preset" straq

say "running configs/quickstart.yaml on $ranks ranks"
mpi_environment "$ranks"
exec mpirun -n "$ranks" "build/$preset/straq" run configs/quickstart.yaml \
  ${arguments[@]+"${arguments[@]}"}
