"""Times the same work on one worker and on two (bench/scaling_bench.sh says how to call it).
Standard library only.

Training counts the seconds of the steps themselves, from timings.jsonl, without the first. It runs
one learner, two, and one again, so that a machine that grows slower meanwhile does not flatter
either side. Cores that share memory, caches and a power budget do not give twice the work of one
whatever the program: two runs that know nothing of each other, at the same time, show how much this
machine gives, and that is the ratio that ours is to be held against. Preprocessing counts the seconds of the command less those of the same command when
every shard is there, on a corpus that the simulator makes."""

import argparse
import concurrent.futures
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path


class Failed(Exception):
    pass


def call(ranks, command):
    launcher = ["mpirun", "-n", str(ranks), "--oversubscribe", "--bind-to", "none"]
    environment = dict(os.environ, OMP_NUM_THREADS="1")
    begin = time.monotonic()
    done = subprocess.run(launcher + [str(c) for c in command], env=environment,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    if done.returncode:
        raise Failed(f"{' '.join(map(str, command))}: exit code {done.returncode}\n"
                     + done.stderr[-2000:])
    return time.monotonic() - begin, done.stderr


def rows(path):
    return [json.loads(line) for line in Path(path).read_text(encoding="utf-8").splitlines()]


def training(a, work, batch, steps):
    """One learner, two, one again, and two runs beside each other, at one batch size."""
    def side(name):
        return train(a, work, 2 if name == "two" else 1, f"{name}-{batch}", batch, steps)

    one, two, again = (side(name) for name in ("one", "two", "again"))
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        beside = list(pool.map(side, ("left", "right")))
    alone = (one["seconds_per_step"] + again["seconds_per_step"]) / 2
    together = sum(s["seconds_per_step"] for s in beside) / 2
    out = {"batch": batch, "one": one, "two": two, "one_again": again,
           "independent_seconds_per_step": together,
           "ratio": alone / two["seconds_per_step"], "machine_ratio": 2 * alone / together,
           "loss_difference": max(abs(x - y) / abs(x) for x, y in zip(one["loss"], two["loss"]))}
    print(f"batch {batch}: {alone:.3f} s a step alone, {two['seconds_per_step']:.3f} s with two "
          f"learners of one thread: {out['ratio']:.2f}x (loss differs by "
          f"{out['loss_difference']:.1e}); two independent runs at the same time take "
          f"{together:.3f} s a step each, so the machine gives {out['machine_ratio']:.2f}x")
    return out


def train(a, work, learners, name, batch, steps):
    """Seconds a step and the losses, of `learners` learners of one thread each."""
    results = work / name
    call(1 + 1 + learners, [
        a.program, "run", "bench/train.yaml", "--set", f"results={results}", "--set", "threads=1",
        "--set", f"shards.folder={work / 'shards'}", "--set", f"roles.learners={learners}",
        "--set", "model.shape=configs/shapes/small_256x6.yaml", "--set", f"learn.steps={steps}",
        "--set", f"learn.batch={batch}",
        "--set", "evaluate.splits=[test]", "--set", "evaluate.replicates=100"])
    run = results / "train_bench" / "seed-1"
    steps = rows(run / "timings.jsonl")[1:]
    return {"learners": learners, "steps": len(steps) + 1,
            "seconds_per_step": sum(s["seconds"] for s in steps) / len(steps),
            "phases": {k: sum(s[k] for s in steps) / len(steps)
                       for k in steps[0] if k not in ("step", "seconds")},
            "loss": [m["loss"] for m in rows(run / "metrics.jsonl")]}


def preprocess(a, work, corpus, preprocessors):
    """Seconds of the whole command, with what one rank alone needs to start and read taken off:
    the same command again, when every shard is there. The best of three of each."""
    full, again = [], []
    for i in range(3):
        shards = work / f"shards-{preprocessors}-{i}"
        command = [a.program, "preprocess", "bench/preprocess.yaml", "--set",
                   f"data.train={corpus / 'train.txt'}", "--set", f"shards.folder={shards}", "--set",
                   f"roles.preprocessors={preprocessors}"]
        # The tokenizer is trained once, before anything is timed.
        shutil.copytree(work / "tokenizers", shards / "tokenizers")
        full.append(call(1 + preprocessors, command)[0])
        again.append(call(1 + preprocessors, command)[0])
    return {"preprocessors": preprocessors, "seconds": min(full) - min(again),
            "start_seconds": min(again)}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--program", required=True)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--json")
    a = parser.parse_args()
    dialogues = 500 if a.quick else 36000
    work = Path(tempfile.mkdtemp(prefix="straq-scaling-"))
    try:
        sizes = [(64, 4)] if a.quick else [(64, 25), (256, 8)]
        trainings = [training(a, work, batch, steps) for batch, steps in sizes]
        worst = max(t["loss_difference"] for t in trainings)

        corpus = work / "corpus"
        call(1, [a.program, "simulate", "configs/simulate/quickstart.yaml", "--out", corpus, "--set",
                 f"dialogues.train={dialogues}"])
        # The first run trains the tokenizer; its shards are thrown away.
        first = work / "shards-first"
        call(2, [a.program, "preprocess", "bench/preprocess.yaml", "--set",
                 f"data.train={corpus / 'train.txt'}", "--set", f"shards.folder={first}"])
        shutil.move(str(first / "tokenizers"), work / "tokenizers")
        sides = [preprocess(a, work, corpus, n) for n in (1, 2)]
        ratio = sides[0]["seconds"] / sides[1]["seconds"]
        print(f"preprocessors: {sides[0]['seconds']:.2f} s alone, {sides[1]['seconds']:.2f} s with "
              f"two: {ratio:.2f}x ({dialogues} dialogues)")
        result = {"training": trainings,
                  "preprocessing": {"dialogues": dialogues, "one": sides[0], "two": sides[1],
                                    "ratio": ratio}}
        if a.json:
            Path(a.json).write_text(json.dumps(result, indent=1), encoding="utf-8")
        return 0 if worst < 1e-5 else 1
    except Failed as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    finally:
        shutil.rmtree(work, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main())
