# shellcheck shell=bash
# A pipeline of seconds. Sourced by the tests.
#
# write_tiny_config WORK REPOSITORY DIALOGUES LINE...: WORK/tiny.yaml with a simulated corpus of so
# many dialogues ("train: 6, valid: 3, test: 3"), its config and the model's shape; the lines follow
# in tiny.yaml and say how to learn. Paths of configs are REPOSITORY's.
write_tiny_config() {
  local work="$1" repository="$2" dialogues="$3"
  cat >"$work/corpus.yaml" <<YAML
base: $repository/configs/simulate/seeker.yaml
seed: 3
dialogues: {$dialogues}
YAML
  cat >"$work/shape.yaml" <<YAML
{vocab: 0, hidden: 32, layers: 2, heads: 2, kv_heads: 1, inner: 64, max_positions: 2048, tied: true}
YAML
  cat >"$work/tiny.yaml" <<YAML
name: tiny
results: $work/results
simulate: {config: $work/corpus.yaml, folder: $work/corpus}
data: {name: simulated, train: $work/corpus/train.txt, valid: $work/corpus/valid.txt, test: $work/corpus/test.txt}
tokenizer: {train: {kind: byte_bpe, vocab_size: 300}}
prompt: {template: $repository/configs/prompts/compact.yaml, window: 2048}
shards: {folder: $work/shards}
model: {shape: $work/shape.yaml}
threads: 1
YAML
  printf '%s\n' "${@:4}" >>"$work/tiny.yaml"
}
