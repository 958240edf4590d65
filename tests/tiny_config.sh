# shellcheck shell=bash
# A pipeline of seconds, as tests/tiny has it. Sourced by the tests.
#
# write_tiny_config WORK REPOSITORY DIALOGUES LINE...: WORK/tiny.yaml with a simulated corpus of so
# many dialogues ("train: 6, valid: 3, test: 3"), its config and the model's shape; the lines follow
# in tiny.yaml and say how to learn. Paths of configs are REPOSITORY's; the device is
# STRAQ_TEST_DEVICE (cpu).
write_tiny_config() {
  local work="$1" repository="$2" dialogues="$3" name
  for name in corpus shape tiny; do
    sed -e "s|@WORK@|$work|g" -e "s|@REPOSITORY@|$repository|g" -e "s|@DIALOGUES@|$dialogues|" \
      -e "s|@DEVICE@|${STRAQ_TEST_DEVICE:-cpu}|" \
      "$(dirname "${BASH_SOURCE[0]}")/tiny/$name.yaml" >"$work/$name.yaml"
  done
  printf '%s\n' "${@:4}" >>"$work/tiny.yaml"
}
