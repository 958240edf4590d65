"""A corpus of dialogues through datasets and tokenizers, as people prepare one for training: read as
JSON lines, each dialogue's text built from its turns, tokenised in batches with one process, written
as Arrow files. Prints what it took as JSON."""

import argparse
import json
import os
import resource
import time

os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
os.environ.setdefault("HF_DATASETS_OFFLINE", "1")
os.environ.setdefault("RAYON_NUM_THREADS", "1")

import datasets
import tokenizers


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name in ("corpus", "tokenizer", "out"):
        parser.add_argument("--" + name, required=True)
    a = parser.parse_args()
    datasets.disable_progress_bars()
    tokenizer = tokenizers.Tokenizer.from_file(a.tokenizer)
    names = {"usr": "seeker", "sys": "supporter"}

    def tokens_of(batch):
        texts = []
        for situation, dialog in zip(batch["situation"], batch["dialog"]):
            lines, before = [situation], None
            for u in dialog:
                # Consecutive utterances of one speaker are one turn, as the program has them.
                if u["speaker"] == before:
                    lines[-1] += " " + u["text"]
                    continue
                strategy = f" ({u['strategy']})" if u.get("strategy") else ""
                lines.append(f"{names[u['speaker']]}{strategy}: {u['text']}")
                before = u["speaker"]
            texts.append("\n".join(lines))
        return {"input_ids": [e.ids for e in tokenizer.encode_batch(texts)]}

    begin, cpu = time.monotonic(), time.process_time()
    data = datasets.load_dataset("json", data_files=a.corpus, split="train",
                                 cache_dir=os.path.join(a.out, "cache"))
    read = time.monotonic() - begin
    done = data.map(tokens_of, batched=True, batch_size=1000, remove_columns=data.column_names)
    done.save_to_disk(os.path.join(a.out, "tokens"))
    seconds, cpu = time.monotonic() - begin, time.process_time() - cpu
    tokens = sum(len(ids) for batch in done.iter(1000) for ids in batch["input_ids"])
    print(json.dumps({
        "dialogues": len(done), "tokens": tokens, "seconds": seconds, "read_seconds": read,
        "cpu_seconds": cpu, "peak_rss_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "versions": {"datasets": datasets.__version__, "tokenizers": tokenizers.__version__}}))


if __name__ == "__main__":
    main()
