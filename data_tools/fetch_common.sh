# shellcheck shell=bash
# What the fetch scripts share. Sourced by them; defines functions only.
#
# A file is copied or downloaded to a temporary name beside its place, checked there and renamed, so
# that a broken download never looks like data.

fail() {
  echo "error: $1" >&2
  [ $# -gt 1 ] && echo "  hint: $2" >&2
  exit "${3:-2}"
}

# parse_source WHAT_IT_HOLDS ARGUMENT...: sets any_version (0 or 1) and from. The script defines usage.
parse_source() {
  local holds="$1" argument
  shift
  any_version=0
  from=""
  for argument in "$@"; do
    case "$argument" in
      --any-version) any_version=1 ;;
      -h|--help) usage; exit 0 ;;
      -*) fail "unknown option $argument" "see --help" ;;
      *) [ -z "$from" ] || fail "more than one source is named: $from and $argument" "name one"
         from="$argument" ;;
    esac
  done
  if [ -z "$from" ]; then
    usage >&2
    fail "no source is named" "give $holds"
  fi
}

data_root() {
  local here
  here="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"
  echo "${STRAQ_DATA:-$here/../shared/data}"
}

sha256_of() {
  if command -v sha256sum >/dev/null; then sha256sum "$1" | cut -d' ' -f1
  else shasum -a 256 "$1" | cut -d' ' -f1; fi
}

# obtain SOURCE NAME TARGET: NAME from a folder, or SOURCE/NAME from a URL, to TARGET.
# Returns 1 when the source does not have it.
obtain() {
  local source="$1" name="$2" target="$3"
  case "$source" in
    http://*|https://*)
      if command -v curl >/dev/null; then
        curl -fsSL --retry 3 -o "$target" "${source%/}/$name"
      elif command -v wget >/dev/null; then
        wget -q -O "$target" "${source%/}/$name"
      else
        fail "neither curl nor wget is installed" \
          "install one, or download the files and name their folder" 1
      fi ;;
    *) [ -f "$source/$name" ] && cp "$source/$name" "$target" ;;
  esac
}

# check FILE NAME LINES SHA256: refuses a file that is not the known one (unless any_version=1).
check() {
  local file="$1" name="$2" lines="$3" sha="$4" found_lines found_sha
  found_lines="$(wc -l < "$file" | tr -d ' ')"
  found_sha="$(sha256_of "$file")"
  [ "$found_sha" = "$sha" ] && return 0
  if [ "${any_version:-0}" = 1 ]; then
    echo "warning: $name is another version: $found_lines lines, SHA-256 $found_sha" >&2
    return 0
  fi
  fail "$name: expected $lines lines with SHA-256 $sha, got $found_lines lines with $found_sha" \
       "fetch it again; if it is another release on purpose, add --any-version"
}

# install_file SOURCE NAME FOLDER LINES SHA256 [optional]
install_file() {
  local source="$1" name="$2" folder="$3" lines="$4" sha="$5" optional="${6:-}" temporary
  if [ -f "$folder/$name" ] && [ "$(sha256_of "$folder/$name")" = "$sha" ]; then
    echo "$name: already there"
    return 0
  fi
  mkdir -p "$folder" ||
    fail "cannot make the folder $folder" "check STRAQ_DATA and its permissions" 1
  temporary="$(mktemp "$folder/.$name.XXXXXX")" ||
    fail "cannot write to $folder" "check its permissions" 1
  # shellcheck disable=SC2064  # the name is fixed now, on purpose
  trap "rm -f '$temporary'" EXIT
  if ! obtain "$source" "$name" "$temporary"; then
    rm -f "$temporary"
    if [ -n "$optional" ]; then
      echo "$name: not in $source, skipped (optional)"
      return 0
    fi
    fail "$name could not be read from $source" \
      "see data_tools/README.md for where the corpus comes from"
  fi
  check "$temporary" "$name" "$lines" "$sha"
  chmod 644 "$temporary"
  mv "$temporary" "$folder/$name" || fail "cannot write $folder/$name" "is the disk full?" 1
  echo "$name: $(wc -l < "$folder/$name" | tr -d ' ') lines -> $folder/$name"
}
