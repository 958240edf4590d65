#!/usr/bin/env bash
# The evaluation bench: Q of every decision of ESConv's test split, one forward pass a dialogue,
# beside PyTorch with one prompt a decision and beside a comb in PyTorch. The Q values must agree.
#
# usage: bash bench/evaluate_bench.sh [--preset P] [--quick] [OPTION ...]
#
#   --preset P     the program is build/P/bench/train_bench (default: cpu)
#   --quick        a small shape and few prompts
#   --shapes A,B   files of configs/shapes without .yaml
#   --threads N    math threads
#   --batches A=N  how many batches of 64 decisions each peer evaluates (ours: all)
#   --json FILE    the result as JSON
#
# Exit codes: 0 done; 1 a side failed or the values disagree; 2 bad usage or not built; 77 skipped
# (no PyTorch, or no corpus).
set -euo pipefail
# shellcheck source=bench/peer/env.sh
source "$(dirname "${BASH_SOURCE[0]}")/peer/env.sh"
run_training_bench bench/peer/evaluate_bench.py "$@"
