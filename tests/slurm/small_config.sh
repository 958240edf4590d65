# shellcheck shell=bash
# The quick start in small, for jobs of seconds. Sourced by the tests.
#
# write_small_config WORK REPOSITORY EPOCHS: WORK/small.yaml and the corpus's config.
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
