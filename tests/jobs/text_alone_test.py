"""Dialogues without strategies in a corpus: their text is learned where a stage learns from text,
by any number of learners, and where none does the program says so.

STRAQ is the program. Uses a tiny simulated corpus; seconds.
"""
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "faults"))
import job as shared  # noqa: E402
from job import PROGRAM, check, write_tiny  # noqa: E402


def straq(*arguments, ranks=1):
    launcher = ["mpirun", "--oversubscribe", "-n", str(ranks)] if ranks > 1 else []
    return subprocess.run([*launcher, PROGRAM, *map(str, arguments)], capture_output=True,
                          text=True, timeout=240)


class Experiment:
    def __init__(self, work, name, train, lines, ranks=1):
        self.folder = work / name / "x" / "seed-1"
        config = work / f"{name}.yaml"
        config.write_text(f"""base: tiny.yaml
name: x
results: {work}/{name}
data: {{train: {train}}}
shards: {{folder: {work}/{name}/shards}}
{lines}
""")
        self.done = straq("run", config, ranks=ranks)

    def ok(self):
        return self.done.returncode == 0 and (self.folder / "DONE").exists()

    def said(self):
        return self.done.stdout[-2000:] + self.done.stderr[-3000:]

    def steps(self, stage):
        lines = (self.folder / "metrics.jsonl").read_text().splitlines()
        return [s for s in map(json.loads, lines) if s["stage"] == stage]


def main():
    if not PROGRAM or not os.access(PROGRAM, os.X_OK):
        print(f"skipped: no program at {PROGRAM!r}")
        return 77
    work = pathlib.Path(tempfile.mkdtemp())
    try:
        run(work)
    finally:
        shutil.rmtree(work, ignore_errors=True)
    return 1 if shared.failures else 0


def run(work):
    tiny = write_tiny(work, "train: 12, valid: 3, test: 3", "evaluate: {replicates: 100}\n")
    # The corpus is made here, and what trains is another than the section says.
    tiny.write_text(re.sub("simulate: .*\n", "", tiny.read_text()))
    made = straq("simulate", work / "corpus.yaml", "--out", work / "corpus")
    check("a corpus is simulated", made.returncode == 0, made.stderr)
    labelled = (work / "corpus" / "train.txt").read_text().splitlines()
    silent = []
    for line in labelled:
        dialogue = json.loads(line)
        for utterance in dialogue["dialog"]:
            utterance.pop("strategy", None)
            utterance.pop("annotation", None)
        silent.append(json.dumps(dialogue))
    half = [silent[i] if i % 2 else line for i, line in enumerate(labelled)]
    for name, lines in {"half": half, "fewer": labelled[::2], "silent": silent}.items():
        (work / f"{name}.txt").write_text("\n".join(lines) + "\n")

    pretrain = "pretrain: {objective: {lm: 1}, epochs: 2, lr: 1.0e-3}\n"
    learn = "learn: {batch: 8, steps: 2, lr: 1.0e-3}"
    both = Experiment(work, "both", work / "half.txt", pretrain + learn)
    fewer = Experiment(work, "fewer", work / "fewer.txt", pretrain + learn)
    check("a corpus with unlabelled dialogues trains", both.ok() and fewer.ok(),
          both.said() + fewer.said())
    a, b = both.steps("pretrain"), fewer.steps("pretrain")
    # Both epochs, so that all of the text is in.
    check("their text is read", sum(s["tokens"] for s in a) > 1.5 * sum(s["tokens"] for s in b),
          f"{a[0]} {b[0]}")
    check("and makes steps of their own", len(a) > 1.5 * len(b), f"{len(a)} {len(b)}")

    if shutil.which("mpirun"):
        three = Experiment(work, "three", work / "half.txt", pretrain + learn, ranks=4)
        check("three learners learn the same", three.ok() and all(
            abs(x["loss"] - y["loss"]) <= 1e-4 * abs(x["loss"])
            for x, y in zip(a, three.steps("pretrain"), strict=True)), three.said())

    joint = "learn: {batch: 8, epochs: 1, lr: 1.0e-3, objective: {lm: 0.5}}"
    with_text = Experiment(work, "joint", work / "half.txt", joint)
    without = Experiment(work, "joint-fewer", work / "fewer.txt", joint)
    check("text beside decisions trains", with_text.ok() and without.ok(),
          with_text.said() + without.said())
    x, y = with_text.steps("q"), without.steps("q")
    check("in as many steps of as many decisions",
          [s["decisions"] for s in x] == [s["decisions"] for s in y], f"{len(x)} {len(y)}")
    check("each with its means", all("td_loss" in s and "max_q" in s for s in x))

    alone = Experiment(work, "alone", work / "silent.txt",
                       pretrain + "learn: {epochs: 0, batch: 8}")
    check("a corpus of text alone can be pretrained on", alone.ok(), alone.said())
    if alone.ok():
        c = alone.steps("pretrain")
        check("in more than a step an epoch", len(c) > 2, f"{len(c)}")
        check("without numbers of decisions that are not there",
              all(s["decisions"] == 0 and "max_q" not in s for s in c), f"{c[0]}")
    refused = Experiment(work, "refused", work / "silent.txt", pretrain + learn)
    check("but not learned strategies from",
          refused.done.returncode == 2 and "labelled decision" in refused.said(), refused.said())

    plain = Experiment(work, "plain", work / "half.txt", learn)
    check("where no stage learns from text it is said", plain.ok() and
          "6 of 12 train dialogues have no strategies" in plain.done.stderr, plain.said())


if __name__ == "__main__":
    sys.exit(main())
