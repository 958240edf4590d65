#!/usr/bin/env bash
# The recorded planners on a real language model (docs/record.md), made again: fetches the model,
# reads ESConv with its frozen layers once, trains and compares the readouts, and writes the report.
# Nearly all of its time is the one pass over the corpus (1.5 million tokens); a machine that has the
# states beside its shards needs minutes.
#
# usage: bash jobs/reproduce_record.sh [--preset cpu|cuda] [--skip-setup] [ARGUMENT ...]
#
#   --preset P    what to build; default cpu
#   --skip-setup  take the packages and libtorch as they are
#   ARGUMENT      goes on to `straq run` and `straq sweep`, for example --set results=/scratch/results
#
# STRAQ_MODELS names the model's folder (default: models/, where it is fetched to), STRAQ_DATA the
# folder that holds esconv/ (data_tools/README.md says how to get it).
set -euo pipefail
# shellcheck source=jobs/common.sh
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

preset=cpu skip_setup=false arguments=()
while (($#)); do
  case "$1" in
    --preset)
      [[ -n "${2:-}" ]] || fail "$1 needs a value" "bash jobs/reproduce_record.sh --help" 2
      preset="$2"
      shift ;;
    --skip-setup) skip_setup=true ;;
    -h | --help) print_help "$0"; exit 0 ;;
    *) arguments+=("$1") ;;
  esac
  shift
done

cd "$STRAQ_HOME"
export STRAQ_MODELS="${STRAQ_MODELS:-$STRAQ_HOME/models}"
corpus="${STRAQ_DATA:-../shared/data}/esconv/test.txt"
[[ -f "$corpus" ]] || fail "there is no $corpus" \
  "data_tools/README.md says how to get ESConv; STRAQ_DATA names the folder that holds esconv/" 2
$skip_setup || set_up "$preset"
bash jobs/build.sh --preset "$preset" straq
[[ -f "$STRAQ_MODELS/SmolLM2-135M-Instruct.Q4_1.gguf" ]] ||
  bash data_tools/fetch_model.sh --to "$STRAQ_MODELS" smollm2-135m-instruct

straq="build/$preset/straq"
ranks=$(($(cores) + 2))  # a coordinator, a preprocessor and a learner a core
say "reading the corpus with the frozen layers, and a first readout, on $ranks ranks"
"$straq" run --ranks "$ranks" configs/record.yaml ${arguments[@]+"${arguments[@]}"}
say "the readouts to compare"
"$straq" sweep --ranks "$ranks" configs/sweeps/record.yaml ${arguments[@]+"${arguments[@]}"}
