# shellcheck shell=bash
# What the Slurm tests begin with: a Slurm of this machine's own, or the end with the reason why there
# is none; the folder $work, which goes when the test ends; the repository as current folder. To be
# sourced with STRAQ_SOURCE and STRAQ set.
source_folder="$STRAQ_SOURCE"
# shellcheck disable=SC2034  # used by the scripts that source this
program="${STRAQ:?run by ctest}"
work="$(mktemp -d)"
finish() {
  if [[ -e "$work/slurm/env.sh" ]]; then scancel --user=root 2>/dev/null || true; fi
  bash "$source_folder/tests/slurm/local_slurm.sh" stop "$work/slurm" || true
  rm -rf "$work"
}
trap finish EXIT
status=0
bash "$source_folder/tests/slurm/local_slurm.sh" start "$work/slurm" || status=$?
((status == 0)) || exit "$status"
# shellcheck source=/dev/null
source "$work/slurm/env.sh"
cd "$source_folder" || exit

# write_small_config WORK REPOSITORY EPOCHS: the quick start in small, for jobs of seconds, as
# WORK/small.yaml, and its corpus's config.
write_small_config() {
  local work="$1" repository="$2" epochs="$3"
  cat >"$work/corpus.yaml" <<YAML
base: $repository/configs/simulate/seeker.yaml
seed: 7
dialogues: {train: 24, valid: 8, test: 8}
YAML
  cat >"$work/small.yaml" <<YAML
base: $repository/configs/quickstart.yaml
name: small
results: $work/results
threads: 1
simulate: {config: $work/corpus.yaml, folder: $work/corpus}
data: {train: $work/corpus/train.txt, valid: $work/corpus/valid.txt, test: $work/corpus/test.txt}
tokenizer: {train: {kind: byte_bpe, vocab_size: 400}}
shards: {folder: $work/shards, dialogues_per_shard: 8}
model: {shape: configs/shapes/tiny.yaml}
pretrain: {epochs: 1}
learn: {epochs: $epochs, batch: 16}
checkpoint: {every_steps: 20}
evaluate: {replicates: 100}
YAML
}
