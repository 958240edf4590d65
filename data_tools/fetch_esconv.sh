#!/usr/bin/env bash
# Puts ESConv (official split) and, where the source has it, FailedESConv into $STRAQ_DATA/esconv.
#
#   data_tools/fetch_esconv.sh [--any-version] FOLDER_OR_URL
#
# ESConv's split files are the data set thu-coai/esconv on the Hugging Face Hub; FailedESConv.json is
# in the GitHub project thu-coai/Emotional-Support-Conversation. Licence: CC BY-NC 4.0.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/fetch_common.sh"

usage() { sed -n '2,7s/^# \{0,1\}//p' "${BASH_SOURCE[0]}"; }

parse_source "the folder or URL that holds train.txt, valid.txt and test.txt" "$@"

to="$(data_root)/esconv"
install_file "$from" train.txt "$to" 910 \
  e545e49c49b5d47636f15702d9acd1f1d0b25a18e8a2d7528ca53a5d341242f8
install_file "$from" valid.txt "$to" 195 \
  d3650e8e75e76b7eb63c1ef6e29b175eb5a3f8a78c3f654cab6c5d0d3f2ea6c8
install_file "$from" test.txt "$to" 195 \
  fd62a8b3dd9705d8442217fa7f486129ed407f9bf577ca9e710e4a7780f44081
install_file "$from" FailedESConv.json "$to" 36301 \
  d21bad5409d88ecbca18abfee26a8c188d09c34b03962cb53a4c30d8de95b279 optional
