#!/usr/bin/env bash
# The training bench: our learner beside a PyTorch trainer on the same weights, batches and loss.
#
# usage: bash bench/train_bench.sh [--preset P] [--quick] [OPTION ...]
#
#   --preset P            the program is build/P/bench/train_bench (default: cpu)
#   --quick               a small shape and few steps: does everything work? (a minute)
#   --shapes A,B          files of configs/shapes without .yaml
#   --threads 1,2         math threads, one run of all sides for each
#   --dtypes fp32,bf16    precisions, likewise
#   --layouts comb,paper  order of the prompt's parts, likewise
#   --steps N             optimizer steps of our learner; their batches are what all sides run
#   --peers A,B           of plain, bucketed, comb
#   --peer-steps A=N,...  the first N of those steps, for peers that are slow
#   --config FILE         data, tokenizer, prompt (bench/train.yaml; train_llama3.yaml for its tokens)
#   --device cpu|cuda     where all sides run
#   --micro-tokens N      tokens of one of our passes (8192)
#   --recompute           our learner keeps one row a layer and computes the rest again
#   --micro-batch N       prompts of one of the peers' passes (8)
#   --peer-micro-tokens N tokens of one pass of the peer comb (2048)
#   --tolerance X         largest relative difference of a step's loss (fp32 1e-3, bf16 2e-2)
#   --json FILE           the result as JSON
#   --work DIR            keep weights, batches and each side's output in DIR
#
# Exit codes: 0 done; 1 a side failed or the losses disagree; 2 bad usage or not built; 77 skipped
# (no PyTorch, or no corpus).
set -euo pipefail
# shellcheck source=bench/peer/env.sh
source "$(dirname "${BASH_SOURCE[0]}")/peer/env.sh"
run_training_bench bench/peer/train_bench.py "$@"
