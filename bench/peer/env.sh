# shellcheck shell=bash
# Python environments of the benches. Source it, then
#
#   bench_environment bench-venv bench/peer/requirements.txt     (training peers)
#   bench_environment peer-venv tests/peer/requirements.txt      (reference tokenizers)
#
# makes .deps/<name> once and sets BENCH_PYTHON to its interpreter, or takes the one that
# STRAQ_BENCH_PYTHON names. It exits with code 77 (skipped)
# and a reason when that can't be done, for example without a network.
#
# PyTorch is large (4.7 GB with its CUDA libraries). Where jobs/setup.sh has installed the full
# wheel, the environment takes it from there. The small set for CPUs, the default without a GPU,
# holds libtorch without the libraries that the Python module is linked to, so there it is
# downloaded.

# shellcheck source=jobs/common.sh
source "$(dirname "${BASH_SOURCE[0]}")/../../jobs/common.sh"

_bench_skip() {
  printf 'skipped: %s\n' "$1"
  [[ -n "${2:-}" ]] && printf '  hint: %s\n' "$2"
  exit 77
}

# Puts the packages of jobs/setup.sh's environment behind those of the new one.
_bench_reuse_torch() {
  local venv="$1" stamp="$STRAQ_HOME/.deps/libtorch.stamp" theirs ours
  [[ -r "$stamp" && "$(<"$stamp")" == "cuda torch=="* ]] || return 0
  theirs="$("$STRAQ_HOME/.deps/venv/bin/python" -c \
    'import sysconfig; print(sysconfig.get_path("purelib"))' 2>/dev/null)" || return 0
  ours="$("$venv/bin/python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')"
  # Compiled modules serve one Python version only.
  [[ "$(basename "$(dirname "$theirs")")" == "$(basename "$(dirname "$ours")")" ]] || return 0
  echo "$theirs" >"$ours/straq_setup.pth"
}

# run_peer_bench SCRIPT PROGRAM WAY ARGUMENT...: what the benches beside PyTorch have in common: the
# preset, the environment, and the program below its build folder that SCRIPT runs; WAY builds it.
run_peer_bench() {
  local script="$1" name="$2" way="$3" preset=cpu options=() program
  shift 3
  while (($#)); do
    case "$1" in
      --preset) [[ -n "${2:-}" ]] || fail "--preset needs a value" "" 2; preset="$2"; shift ;;
      -h | --help) print_help "$0"; exit 0 ;;
      *) options+=("$1") ;;
    esac
    shift
  done
  program="$STRAQ_HOME/build/$preset/$name"
  [[ -x "$program" ]] || fail "build/$preset/$name is not built" "$way --preset $preset" 2
  bench_environment bench-venv bench/peer/requirements.txt
  cd "$STRAQ_HOME" || exit
  exec "$BENCH_PYTHON" "$script" --program "$program" ${options[@]+"${options[@]}"}
}

# run_training_bench SCRIPT ARGUMENT...: those whose batches come from train_bench.
run_training_bench() {
  local script="$1"
  shift
  run_peer_bench "$script" bench/train_bench "bash bench/run.sh --build train" "$@"
}

# bench_environment NAME REQUIREMENTS: the file's path counts from the repository.
bench_environment() {
  local venv="$STRAQ_HOME/.deps/$1" wanted="$STRAQ_HOME/$2" log free_mb
  # A machine without a network that has the packages, say a GPU node.
  if [[ -n "${STRAQ_BENCH_PYTHON:-}" ]]; then
    BENCH_PYTHON="$STRAQ_BENCH_PYTHON"
    return
  fi
  if ! cmp -s "$wanted" "$venv/installed.txt"; then
    mkdir -p "$STRAQ_HOME/.deps"
    log="$STRAQ_HOME/.deps/$1.log"
    say "installing $2 into .deps/$1"
    rm -f "$venv/installed.txt"
    python3 -m venv "$venv" >"$log" 2>&1 \
      || _bench_skip "python3 can't make the environment .deps/$1: $(tail -n 1 "$log")" \
           "Debian and Ubuntu: install python3-venv"
    if grep -q '^torch==' "$wanted"; then
      _bench_reuse_torch "$venv"
      if ! "$venv/bin/python" -c 'import importlib.metadata as m; m.version("torch")' 2>/dev/null
      then
        free_mb="$(df -Pm "$STRAQ_HOME/.deps" | awk 'NR == 2 { print $4 }')"
        ((free_mb >= 9000)) || _bench_skip \
          "PyTorch with its CUDA libraries needs 9000 MB while it installs; $free_mb MB are free" \
          "free some space, or let jobs/setup.sh --cuda install it once for both"
      fi
    fi
    # pip's own configuration decides where wheels come from.
    retry "$venv/bin/python" -m pip install --quiet --disable-pip-version-check --no-compile \
      --retries 5 -r "$wanted" >>"$log" 2>&1 \
      || _bench_skip "the packages of $2 could not be installed: $(tail -n 1 "$log")" \
           "the whole message is in $log; they need a network or a pip configured for this site"
    cp "$wanted" "$venv/installed.txt"
  fi
  # shellcheck disable=SC2034  # for the script that sources this
  BENCH_PYTHON="$venv/bin/python"
}
