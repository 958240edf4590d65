"""A corpus from files to training, stage by stage, with what every rank holds in memory
(bench/bulk_bench.sh says how to call it). Standard library only.

Resident memory is read twice a second from the processes of the stage, told apart by the rank that
their launcher gave them; "at half" is the largest that was seen up to the middle of the stage, so a
stage whose memory grows with the corpus shows itself by a peak well above it."""

import argparse
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


class Failed(Exception):
    pass


def ranks_of(mark):
    """(pid, rank) of the processes whose environment holds the mark."""
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            environment = (entry / "environ").read_bytes().split(b"\0")
            if mark not in environment or not os.readlink(entry / "exe").endswith("straq"):
                continue
            rank = [v for v in environment if v.startswith(b"OMPI_COMM_WORLD_RANK=")]
            found.append((entry.name, int(rank[0].split(b"=")[1]) if rank else 0))
        except OSError:
            continue
    return found


def resident_mb(pid):
    try:
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) / 1024
    except OSError:
        pass
    return 0.0


class Watch(threading.Thread):
    def __init__(self, mark):
        super().__init__(daemon=True)
        self.mark, self.over, self.rows = mark, threading.Event(), []

    def run(self):
        begin = time.monotonic()
        while not self.over.wait(0.5):
            held = {}
            for pid, rank in ranks_of(self.mark):
                held[rank] = max(held.get(rank, 0), resident_mb(pid))
            if held:
                self.rows.append((time.monotonic() - begin, held))

    def summary(self):
        self.over.set()
        self.join()
        if not self.rows:
            return {}
        middle = self.rows[-1][0] / 2
        out = {}
        for rank in sorted({r for _, held in self.rows for r in held}):
            seen = [(t, held[rank]) for t, held in self.rows if rank in held]
            out[str(rank)] = {
                "peak_mb": round(max(m for _, m in seen), 1),
                "at_half_mb": round(max([m for t, m in seen if t <= middle] or [0]), 1),
                # Some forty points are enough to draw.
                "over_time": [(round(t, 1), round(m, 1)) for t, m in seen[::max(1, len(seen) // 40)]]}
        return out


def stage(a, name, command, ranks=0):
    """Runs the program; seconds, processor time and memory by rank."""
    mark = f"STRAQ_BULK_STAGE={name}-{time.monotonic_ns()}"
    key, value = mark.split("=")
    watch = Watch(mark.encode())
    watch.start()
    launched = ["--ranks", str(ranks)] if ranks else []
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    begin = time.monotonic()
    done = subprocess.run([a.program, command[0], *launched, *map(str, command[1:])], cwd=ROOT,
                          env=dict(os.environ, OMP_NUM_THREADS="1", **{key: value}),
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    seconds = time.monotonic() - begin
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    memory = watch.summary()
    if done.returncode:
        raise Failed(f"{name}: exit code {done.returncode}\n{done.stderr[-2000:]}")
    out = {"seconds": round(seconds, 2),
           "cpu_seconds": round(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime,
                                2),
           "memory": memory}
    peaks = ", ".join(f"rank {r} {m['peak_mb']:.0f} MB (at half {m['at_half_mb']:.0f})"
                      for r, m in memory.items())
    print(f"{name:22} {seconds:8.1f} s   {peaks}", flush=True)
    return out


def shards_of(folder):
    files = list(Path(folder).glob("*/*.h5"))
    manifest = json.loads(next(Path(folder).glob("*/manifest.json")).read_text(encoding="utf-8"))
    records = [s["record"] for s in manifest["shards"]]
    return {"files": len(files), "bytes": sum(f.stat().st_size for f in files),
            "decisions": sum(r["decisions"] for r in records),
            "trunk_tokens": sum(r["trunk_tokens"] for r in records),
            "probe_tokens": sum(r["probe_tokens"] for r in records)}


def preprocessing(corpus, tokenizer, shards, preprocessors, *more):
    sets = [f"data.train={corpus}/train.txt", f"data.valid={corpus}/valid.txt",
            f"tokenizer.path={tokenizer}", f"shards.folder={shards}",
            f"roles.preprocessors={preprocessors}", *more]
    return ["preprocess", "bench/bulk.yaml"] + [w for s in sets for w in ("--set", s)]


def read_and_check(a, work, tokenizer, corpus):
    """What the coordinator does before any shard is made: one dialogue of each split is kept."""
    return stage(a, "read and check",
                 preprocessing(corpus, tokenizer, work / "shards-index", 1, "data.limit=1"), 2)


def preprocess(a, work, tokenizer, preprocessors, corpus, name):
    shards = work / f"shards-{name}"
    command = preprocessing(corpus, tokenizer, shards, preprocessors)
    shutil.copytree(work / "shards-index" / "indexes", shards / "indexes")
    full = stage(a, f"preprocess {name}", command, 1 + preprocessors)
    # What one rank alone needs to start, and to find that all is there.
    again = stage(a, f"preprocess {name} again", command, 1 + preprocessors)
    made = shards_of(shards)
    seconds = full["seconds"] - again["seconds"]
    tokens = made["trunk_tokens"] + made["probe_tokens"]
    return {"preprocessors": preprocessors, "first": full, "again": again, **made,
            "work_seconds": seconds, "tokens_per_second": tokens / max(seconds, 1e-9)}


def peer(a, work, corpus, tokenizer):
    """The first dialogues through the libraries, and through the program alone in one process."""
    few = work / "few"
    few.mkdir()
    with open(corpus / "train.txt", encoding="utf-8") as source, \
            open(few / "train.txt", "w", encoding="utf-8") as out:
        for _, line in zip(range(a.peer_dialogues), source):
            out.write(line)
    shutil.copy(corpus / "valid.txt", few / "valid.txt")
    done = subprocess.run([a.peer_python, str(ROOT / "bench/peer/bulk_peer.py"), "--corpus",
                           str(few / "train.txt"), "--tokenizer", str(tokenizer), "--out",
                           str(work / "peer")], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          text=True)
    if done.returncode:
        raise Failed("the peer failed:\n" + done.stderr[-2000:])
    theirs = json.loads(done.stdout.splitlines()[-1])
    ours = stage(a, "one process", [
        "preprocess", "bench/bulk.yaml", "--set", f"data.train={few}/train.txt", "--set", "data.valid=",
        "--set", f"tokenizer.path={tokenizer}", "--set", f"shards.folder={work / 'shards-few'}"])
    made = shards_of(work / "shards-few")
    ours.update(made, dialogues=theirs["dialogues"])
    text = made["trunk_tokens"] / ours["cpu_seconds"], theirs["tokens"] / theirs["cpu_seconds"]
    out = {"ours": ours, "theirs": theirs,
           "dialogues_ratio": theirs["cpu_seconds"] / ours["cpu_seconds"],
           "tokens_ratio": text[0] / text[1]}
    print(f"of {theirs['dialogues']} dialogues datasets and tokenizers take "
          f"{theirs['cpu_seconds']:.1f} s of a core ({theirs['tokens']} tokens), the program "
          f"{ours['cpu_seconds']:.1f} s ({made['trunk_tokens']} tokens of trunks and "
          f"{made['probe_tokens']} of probes): {out['dialogues_ratio']:.2f}x the dialogues and "
          f"{out['tokens_ratio']:.2f}x the trunks' tokens a core-second")
    return out


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name in ("program", "peer-python", "json"):
        parser.add_argument("--" + name, required=True)
    parser.add_argument("--dialogues", type=int, required=True)
    parser.add_argument("--peer-dialogues", type=int, required=True)
    parser.add_argument("--keep", action="store_true")
    a = parser.parse_args()
    work = Path(tempfile.mkdtemp(prefix="straq-bulk-"))
    try:
        corpus = work / "corpus"
        result = {"dialogues": a.dialogues}
        sizes = ["--set", f"dialogues.train={a.dialogues}", "--set", "dialogues.valid=500", "--set",
                 "dialogues.test=0"]
        result["simulate"] = stage(a, "simulate", ["simulate", "configs/simulate/quickstart.yaml",
                                                   "--out", corpus] + sizes)
        result["corpus_bytes"] = (corpus / "train.txt").stat().st_size
        tokenizer = work / "tokenizer"
        stage(a, "tokenizer", ["tokenizer", "train", corpus / "valid.txt", "--kind", "byte_bpe",
                               "--vocab", "2048", "--out", tokenizer])
        tokenizer = next(tokenizer.rglob("tokenizer.json"))
        result["validate"] = stage(a, "validate", ["dataset", "validate", corpus / "train.txt"])
        result["stats"] = stage(a, "stats", ["dataset", "stats", corpus / "train.txt"])
        result["read_and_check"] = read_and_check(a, work, tokenizer, corpus)
        result["preprocess"] = [preprocess(a, work, tokenizer, n, corpus, f"with {n}")
                                for n in (1, 2)]
        one, two = result["preprocess"]
        result["preprocess_ratio"] = one["work_seconds"] / two["work_seconds"]
        print(f"two preprocessors: {result['preprocess_ratio']:.2f}x; {two['files']} files of "
              f"{two['bytes'] / two['files'] / 1e6:.1f} MB, {two['tokens_per_second'] / 1e6:.2f} "
              f"million tokens/s")
        result["train"] = stage(a, "train and evaluate", [
            "run", "bench/bulk.yaml", "--set", f"data.train={corpus}/train.txt", "--set",
            f"data.valid={corpus}/valid.txt", "--set", f"tokenizer.path={tokenizer}", "--set",
            f"shards.folder={work / 'shards-with 2'}", "--set", f"results={work / 'results'}"], 3)
        result["peer"] = peer(a, work, corpus, tokenizer)
        Path(a.json).write_text(json.dumps(result, indent=1), encoding="utf-8")
        return 0
    except Failed as error:
        print(error, file=sys.stderr)
        return 1
    finally:
        if not a.keep:
            shutil.rmtree(work, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main())
