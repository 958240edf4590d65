"""Tokens per second of one core: the program's tokenizers beside tiktoken, tokenizers and
sentencepiece, in one run on the same texts (ESConv's train split), in turns.

    .deps/peer-venv/bin/python bench/peer/tokenizer_peer.py build/cpu/bench/tokenizer_bench \
        --program build/cpu/straq --out tokenizer_bench.json

Processor time is compared, so that other work on the machine does not count. "first" is the first
pass over the texts, as in preprocessing; "best" the best of all passes, when what can be remembered
is. Each reference is used in its own fastest way from one thread, lists of ids included.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

os.environ["TOKENIZERS_PARALLELISM"] = "false"
sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tests" / "peer"))

import sentencepiece  # noqa: E402
import tokenizers  # noqa: E402

import references as ref  # noqa: E402


def time_reference(make, texts):
    """One fresh tokenizer: processor seconds of its first and second pass, and the ids it gave."""
    encode = make()
    seconds = []
    for _ in range(2):
        start = time.process_time()
        ids = encode(texts)
        seconds.append(time.process_time() - start)
    return seconds, sum(map(len, ids))


def hugging_face(path):
    def make():
        tokenizer = tokenizers.Tokenizer.from_file(str(path))
        return lambda texts: [e.ids for e in tokenizer.encode_batch(texts, add_special_tokens=False)]
    return make


def spm(path):
    def make():
        processor = sentencepiece.SentencePieceProcessor(model_file=str(path))
        return lambda texts: processor.encode(texts, num_threads=1)
    return make


def llama3(path):
    def make():
        encoding = ref.tiktoken_llama3(path)
        return lambda texts: [encoding.encode_ordinary(t) for t in texts]
    return make


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("bench", help="the program tokenizer_bench")
    parser.add_argument("--program", help="straq, to train tokenizers that are measured too")
    parser.add_argument("--rounds", type=int, default=3, help="turns of program and reference")
    parser.add_argument("--out", default="tokenizer_bench.json", help="results as JSON")
    arguments = parser.parse_args()
    texts = ref.esconv_texts(["train.txt"])
    if not texts:
        print(f"skipped: no ESConv under {ref.data_folder()} (set STRAQ_DATA)")
        return 77

    data = ref.data_folder() / "tokenizers"
    results = []
    with tempfile.TemporaryDirectory() as scratch:
        scratch = Path(scratch)
        lines = scratch / "texts.jsonl"
        lines.write_text("".join(json.dumps(t) + "\n" for t in texts))
        ref.llama3_json(data / "llama3" / "tokenizer.model", scratch / "llama3.json")
        ref.gpt2_tokenizer(data / "gpt2").save(str(scratch / "gpt2.json"))
        cases = [
            ("Llama 3 ranks", "tiktoken", data / "llama3" / "tokenizer.model",
             llama3(data / "llama3" / "tokenizer.model")),
            ("Llama 3 tokenizer.json", "tokenizers", scratch / "llama3.json",
             hugging_face(scratch / "llama3.json")),
            ("GPT-2 vocab, merges", "tokenizers", data / "gpt2", hugging_face(scratch / "gpt2.json")),
            ("Llama 2", "sentencepiece", data / "llama2" / "tokenizer.model",
             spm(data / "llama2" / "tokenizer.model")),
        ]
        if arguments.program:
            plain = scratch / "train.txt"
            plain.write_text("\n".join(t.replace("\n", " ") for t in texts), encoding="utf-8")
            for kind, library, make, extra in (
                    ("byte_bpe", "tokenizers", hugging_face, []),
                    ("sentencepiece", "sentencepiece", spm, []),
                    ("sentencepiece", "sentencepiece", spm, ["--model", "unigram"])):
                done = subprocess.run(
                    [arguments.program, "tokenizer", "train", "--kind", kind, "--out", str(scratch),
                     *extra, "--format", "json", "--quiet", str(plain)],
                    check=True, capture_output=True)
                rows = {r["what"]: r["value"] for r in json.loads(done.stdout)[0]["rows"]}
                name = " ".join(["trained", kind, *extra[1:]])
                cases.append((name, library, rows["path"], make(rows["path"])))

        print(f"{len(texts)} texts, million tokens per second of one core, "
              f"best of {arguments.rounds} turns")
        print(f"{'tokenizer':26} {'reference':14} {'first':>7} {'ref.':>7} {'ratio':>6}   "
              f"{'best':>7} {'ref.':>7} {'ratio':>6}")
        for name, library, path, make in cases:
            ours, theirs = [], []
            for _ in range(arguments.rounds):
                done = subprocess.run([arguments.bench, "--tokenizer", str(path), "--texts",
                                       str(lines), "--rounds", "3"], check=True, capture_output=True)
                run = json.loads(done.stdout)
                ours.append(run["seconds"])
                seconds, tokens = time_reference(make, texts)
                theirs.append(seconds)
                if tokens != run["tokens"]:
                    sys.exit(f"{name}: {run['tokens']} tokens, the reference gives {tokens}")
            rate = lambda seconds: tokens / min(seconds)
            row = {
                "tokenizer": name, "reference": library, "texts": len(texts), "tokens": tokens,
                "first": rate([s[0] for s in ours]), "reference_first": rate([s[0] for s in theirs]),
                "best": rate([min(s) for s in ours]), "reference_best": rate([min(s) for s in theirs]),
            }
            row["ratio_first"] = row["first"] / row["reference_first"]
            row["ratio_best"] = row["best"] / row["reference_best"]
            results.append(row)
            million = lambda key: f"{row[key] / 1e6:7.2f}"
            print(f"{name:26} {library:14} {million('first')} {million('reference_first')} "
                  f"{row['ratio_first']:6.2f}   {million('best')} {million('reference_best')} "
                  f"{row['ratio_best']:6.2f}", flush=True)
    out = Path(arguments.out)
    partial = out.with_name(out.name + ".tmp")
    partial.write_text(json.dumps({"unit": "tokens per second of one core", "rows": results}, indent=1))
    partial.replace(out)
    slower = [r["tokenizer"] for r in results if min(r["ratio_first"], r["ratio_best"]) < 1]
    if slower:
        print("slower than the reference: " + ", ".join(slower))
    return 1 if slower else 0


if __name__ == "__main__":
    sys.exit(main())
