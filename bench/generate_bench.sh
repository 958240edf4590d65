#!/usr/bin/env bash
# The generation bench: replies to ESConv's dialogues by a real small language model, beside
# transformers and, where it is installed, llama.cpp, with the same weights and greedy. The first
# replies must be the same texts.
#
# usage: bash bench/generate_bench.sh [--preset P] [--quick] [OPTION ...]
#
#   --preset P      the program is build/P/straq (default: cpu)
#   --quick         two dialogues
#   --works A,B     chat (one short chat), batch (16 prompts), replies (every decision of the
#                   dialogues); default: all
#   --dialogues N   of the test split, for our side; --peer-dialogues M <= N for the peers
#   --precisions L  of weights: fp32, bf16, int8 (default: fp32,int8)
#   --tokens N      new tokens of a reply (default 40)
#   --threads N     math threads (default 2)
#   --peers L       transformers, llama (default: both; none: ours alone)
#   --llama-python  a Python that has llama-cpp-python (or STRAQ_LLAMA_PYTHON); without: left out
#   --json FILE     the result as JSON
#
# The model is models/*.gguf (data_tools/fetch_model.sh) or what STRAQ_MODELS holds. Exit codes: 0
# done; 1 a side failed or the texts differ; 2 bad usage or not built; 77 skipped.
set -euo pipefail
# shellcheck source=bench/peer/env.sh
source "$(dirname "${BASH_SOURCE[0]}")/peer/env.sh"
run_peer_bench bench/peer/generate_bench.py straq "bash jobs/build.sh straq" "$@"
