#!/usr/bin/env bash
# Puts EmpatheticDialogues' valid.csv and test.csv (and train.csv, where the source has it) into
# $STRAQ_DATA/empathetic_dialogues.
#
#   data_tools/fetch_empathetic_dialogues.sh [--any-version] FOLDER_OR_ARCHIVE_OR_URL
#
# The source is empatheticdialogues.tar.gz as the GitHub project facebookresearch/EmpatheticDialogues
# links it (the file, its URL, or the folder it unpacks to). Licence: CC BY-NC 4.0.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/fetch_common.sh"

usage() { sed -n '2,8s/^# \{0,1\}//p' "${BASH_SOURCE[0]}"; }

parse_source "the archive, its URL or the folder that holds valid.csv and test.csv" "$@"

unpacked="$(mktemp -d)"
cleanup() { rm -rf "$unpacked"; }
trap cleanup EXIT
case "$from" in
  http://*.tar.gz|https://*.tar.gz)
    obtain "$(dirname "$from")" "$(basename "$from")" "$unpacked/archive.tar.gz" ||
      fail "$from could not be downloaded" "download it elsewhere and name the file"
    from="$unpacked/archive.tar.gz" ;;
esac
if [ -f "$from" ]; then
  tar -xzf "$from" -C "$unpacked" --strip-components=1 ||
    fail "$from is no gzipped tar archive" "fetch it again"
  from="$unpacked"
fi

to="$(data_root)/empathetic_dialogues"
# Each file in a shell of its own: its clean-up must not replace ours.
(install_file "$from" valid.csv "$to" 12079 \
  a1008517426dbc3f3dd01eff44af46870b173ca2e78d527e48562ed515586f3c)
(install_file "$from" test.csv "$to" 10974 \
  8f5ab177429264f2d8be77fc2589c7a81efe65668bca9c21473090e9f29ae1d9)
# No experiment reads train.csv, and its checksum is not known here: it is taken as it is.
if [ -f "$from/train.csv" ]; then
  (any_version=1; install_file "$from" train.csv "$to" 0 unknown)
fi
