"""A run that is killed, stopped or hindered ends as one that was left alone.

Trains a tiny planner on a simulated corpus: once undisturbed, then with the whole job killed at
random moments (SIGKILL; every third time while a checkpoint is being written), stopped by signals
that reach one rank, kept from writing, and beside a second job on the same folder. Weights,
optimizer state, predictions and metrics must come out the same to the bit.

STRAQ is the program. STRAQ_FAULT_KILLS: kills in all (default 6; half at one learner, half at two).
"""
import hashlib
import json
import os
import pathlib
import random
import re
import resource
import signal
import sys
import tempfile
import time

import job as shared
from job import Job, check, prepare, reason_to_skip

KILLS = int(os.environ.get("STRAQ_FAULT_KILLS", "6"))
SEED = int(os.environ.get("STRAQ_FAULT_SEED", "1"))
STEPS = 64


class Run:
    """A run folder of its own name, from the one config."""

    def __init__(self, work, name, learners=1, sets=()):
        self.name = name
        self.ranks = 1 if learners == 1 else 1 + learners
        self.arguments = ["train", str(work / "tiny.yaml")]
        for item in [f"results={work}/results/{name}", *sets]:
            self.arguments += ["--set", item]
        self.folder = work / "results" / name / "tiny" / "seed-1"

    def start(self, ranks=None):
        return Job(self.arguments, ranks or self.ranks)

    def steps(self):
        try:
            return (self.folder / "metrics.jsonl").read_bytes().count(b"\n")
        except OSError:
            return 0

    def writing(self):
        try:
            return any(n.startswith(".tmp-") for n in os.listdir(self.folder / "checkpoints"))
        except OSError:
            return False

    def saved(self):
        return sorted(int(p.name[5:]) for p in (self.folder / "checkpoints").glob("step-*"))

    def outcome(self):
        """What must not depend on what happened on the way."""
        last = f"checkpoints/step-{self.saved()[-1] if self.saved() else 0:08d}"
        files = ["metrics.jsonl", "evaluations.jsonl", "predictions/test.jsonl",
                 "planner/model.safetensors", f"{last}/state-0-of-1.safetensors"]
        return {f: hashlib.sha256((self.folder / f).read_bytes()).hexdigest()
                if (self.folder / f).exists() else "missing" for f in files}

    def compare(self, text, reference):
        a, b = self.outcome(), reference.outcome()
        differ = [f for f in a if a[f] != b[f]]
        check(text, not differ and "missing" not in a.values() and (self.folder / "DONE").exists(),
              f"differ: {differ} {a}")


def killed_again_and_again(run, reference, kills):
    random_moments = random.Random(SEED + run.ranks)
    # In the first nine tenths, so that there is something left to do after the last one.
    targets = sorted(random_moments.sample(range(1, STEPS * 9 // 10), kills))
    met = 0
    for number, target in enumerate(targets):
        job = run.start()
        reached = job.until(lambda: run.steps() >= target)
        if number % 3 == 2:
            reached = reached and job.until(run.writing)
        else:
            time.sleep(random_moments.uniform(0, 0.03))
        met += reached and job.process.poll() is None
        job.kill()
    job = run.start()
    code = job.finish()
    check(f"{run.name}: killed {met} times, the job ends well", code == 0 and met == kills,
          f"exit code {code}, {met} of {kills} kills\n" + job.text()[-3000:])
    check(f"{run.name}: it went on from a checkpoint", "going on at step" in job.text())
    run.compare(f"{run.name}: everything equals the undisturbed run's to the bit", reference)


def stopped(run, target, whom, number):
    """One life that is asked to stop at a step. `whom` picks the process id to signal."""
    job = run.start()
    job.until(lambda: run.steps() >= target)
    pid = whom(job)
    start = time.monotonic()
    os.kill(pid, number)
    os.kill(pid, number)  # a second one changes nothing
    code = job.finish()
    seconds = time.monotonic() - start
    log = job.text()
    steps = set(re.findall(r"stopped on request at step (\d+)", log))
    learners = len(re.findall(r"stopped on request at step \d+", log))
    expected = 1 if run.ranks == 1 else run.ranks - 1
    good = code == 75 and len(steps) == 1 and learners == expected
    good = good and run.saved()[-1:] == [int(next(iter(steps), "-1"))]
    good = good and run.steps() == run.saved()[-1]
    check(f"{run.name}: {signal.Signals(number).name} ends with 75 and a checkpoint at the same step "
          f"on all learners ({seconds:.1f} s)", good, f"exit code {code}, {run.saved()}\n" + log[-3000:])


def main():
    if reason := reason_to_skip():
        print(f"skipped: {reason}")
        return 77
    with tempfile.TemporaryDirectory(prefix="straq-faults-") as folder:
        work = pathlib.Path(folder)
        prepare(work, (12, STEPS - 12), "checkpoint: {every_steps: 3, keep_last: 3}\n"
                "evaluate: {splits: [test], replicates: 100, every_steps: 7}\n"
                "best: {use: true}\nroles: {preprocessors: 0}\n")
        reference = {}
        for learners in (1, 2):
            run = reference[learners] = Run(work, f"undisturbed-{learners}", learners)
            job = run.start()
            code = job.finish()
            check(f"{learners} learner(s), undisturbed", code == 0, job.text()[-3000:])
            if code != 0:
                return 1
        killed_again_and_again(Run(work, "killed-1"), reference[1], KILLS - KILLS // 2)
        killed_again_and_again(Run(work, "killed-2", 2), reference[2], KILLS // 2)

        run = Run(work, "stopped-1")
        stopped(run, 5, lambda job: job.process.pid, signal.SIGTERM)
        stopped(run, 30, lambda job: job.process.pid, signal.SIGUSR2)
        check("the index calls it stopped",
              "seed-1,stopped" in (run.folder.parent / "index.csv").read_text())
        # A disk that is full when it goes on, then a checkpoint that rots.
        before = run.saved()
        job = run.start()
        at = before[-1] + 1
        job.until(lambda: run.steps() >= at)
        # As a full disk would have it: no file may grow beyond this. (Set now: MPI needs more.)
        resource.prlimit(job.process.pid, resource.RLIMIT_FSIZE, (60000, 60000))
        code, log = job.finish(), job.text()
        check("a full disk ends the run with a message", code == 1 and "File too large" in log
              and "checkpoints/" in log, f"exit code {code}\n" + log[-3000:])
        check("and leaves whole checkpoints only", run.saved()[-1] >= before[-1]
              and not run.writing(), f"{before} {run.saved()}")
        before = run.saved()
        state = run.folder / "checkpoints" / f"step-{before[-1]:08d}" / "state-0-of-1.safetensors"
        with state.open("r+b") as file:
            file.seek(5000)
            byte = file.read(1)[0]
            file.seek(5000)
            file.write(bytes([byte ^ 1]))
        job = run.start()
        code, log = job.finish(), job.text()
        check("a corrupted checkpoint is named and the one before it used",
              code == 0 and f"step-{before[-1]:08d} is refused: corrupted" in log
              and f"going on at step {before[-2]} " in log, log[-3000:])
        run.compare("and the run ends as the undisturbed one", reference[1])

        run = Run(work, "stopped-2", 2)
        stopped(run, 4, lambda job: job.process.pid, signal.SIGUSR2)  # mpirun passes it on
        stopped(run, 22, lambda job: job.ranks()[2], signal.SIGTERM)  # no leader
        stopped(run, 40, lambda job: job.ranks()[0], signal.SIGTERM)  # the coordinator
        code = run.start().finish()
        check("it goes on after three stops", code == 0)
        run.compare("and ends as the undisturbed one", reference[2])

        # Two jobs on one folder; then the first, which died, is no obstacle; on two learners.
        run = Run(work, "shared")
        first = run.start()
        first.until(lambda: run.steps() >= 20)
        os.kill(first.process.pid, signal.SIGSTOP)
        second = run.start()
        code, log = second.finish(), second.text()
        check("a second job on a folder is told who holds it",
              code == 1 and f"is held by process {first.process.pid} on " in log,
              f"exit code {code}\n" + log[-3000:])
        check("and harms nothing", not (run.folder / "FAILED").exists() and run.steps() >= 20)
        first.kill()
        third = run.start(ranks=3)
        code, log = third.finish(), third.text()
        check("the lock of a dead job is taken over", code == 0 and "taking over the lock" in log,
              f"exit code {code}\n" + log[-3000:])
        curves = [[json.loads(line)["loss"] for line in (r.folder / "metrics.jsonl").open()]
                  for r in (run, reference[1])]
        check("one learner's run goes on with two and agrees to 1e-5",
              len(curves[0]) == len(curves[1]) == STEPS
              and all(abs(a - b) <= 1e-5 * max(1, abs(b)) for a, b in zip(*curves)))

        # It began on one device and back end and goes on with others.
        run = Run(work, "moved")
        stopped(run, 30, lambda job: job.process.pid, signal.SIGTERM)
        moved = Run(work, "moved", 1, ["model.device=cpu", "learn.collectives.backend=local"]).start()
        code, log = moved.finish(), moved.text()
        check("a run goes on from its checkpoint on another device", code == 0
              and "going on at step" in log and "foreign" not in log, f"exit code {code}\n" + log[-3000:])
        curves = [[json.loads(line)["loss"] for line in (r.folder / "metrics.jsonl").open()]
                  for r in (run, reference[1])]
        check("with the same losses within 1e-4", len(curves[0]) == STEPS
              and all(abs(a - b) <= 1e-4 * max(1, abs(b)) for a, b in zip(*curves)))

        # Another experiment in the folder of one that is under way.
        run = Run(work, "other")
        stopped(run, 20, lambda job: job.process.pid, signal.SIGTERM)
        before = run.saved()
        other = Run(work, "other", 1, ["learn.gamma=0.5"]).start()
        code, log = other.finish(), other.text()
        check("checkpoints of another config are refused by name and kept",
              code == 2 and "refused: foreign" in log and run.saved() == before
              and not (run.folder / "FAILED").exists(),
              f"exit code {code}\n" + log[-3000:])

        # A sweep by two groups, stopped through its coordinator; points and exit code.
        sweep = ["sweep", str(work / "tiny.yaml"), "--set", f"results={work}/results/sweep", "--set",
                 "sweep={grid: {learn.gamma: [0, 0.5, 0.85]}}", "--set", "roles.learners_per_group=1"]
        points = work / "results" / "sweep" / "tiny"
        job = Job(sweep, 3)
        job.until(lambda: len(list(points.glob("*/metrics.jsonl"))) == 2)
        os.kill(job.ranks()[0], signal.SIGUSR2)
        code, index = job.finish(), (points / "index.csv").read_text()
        check("a stopped sweep ends with 75; running points are saved, no other is begun",
              code == 75 and index.count(",stopped,") == 2 and index.count(",missing,") == 1,
              f"exit code {code}\n{index}" + job.text()[-3000:])
        code = Job(sweep, 3).finish()
        check("and is done when it is run again",
              code == 0 and (points / "index.csv").read_text().count(",done,") == 3)
        job = Job(["preprocess", str(work / "tiny.yaml"), "--set", f"shards.folder={work}/again",
                   "--set", "shards.dialogues_per_shard=1"])
        job.until(lambda: any((work / "again").rglob("*.h5")))
        os.kill(job.process.pid, signal.SIGTERM)
        check("preprocessing stops between shards with 75", job.finish() == 75, job.text()[-3000:])

        # A train split that is read from its shards as its batches come.
        for learners in (1, 2):
            streamed = Run(work, f"streamed-{learners}", learners, ["learn.replay.memory_mb=0"])
            if learners == 1:
                stopped(streamed, 20, lambda job: job.process.pid, signal.SIGTERM)
            job = streamed.start()
            code = job.finish()
            check(f"{learners}: train is read from its shards", code == 0
                  and "is read from its shards as batches come" in job.text(), job.text()[-3000:])
            streamed.compare(f"{learners}: with the same bits as in memory", reference[learners])

        # Early stopping, also across a stop; the planner is the best one's weights.
        early = ["evaluate.every_steps=4", "best.patience=2", "learn.lr=1.0e-2"]
        straight, bent = Run(work, "early", 1, early), Run(work, "early-stopped", 1, early)
        straight.start().finish()
        scores = [json.loads(line) for line in (straight.folder / "evaluations.jsonl").open()]
        best = [e["step"] for e in scores if e["best"]][-1]
        check("training ends after two evaluations without gain",
              straight.steps() == best + 8 < STEPS and [e["best"] for e in scores[-2:]] == [False] * 2,
              f"{straight.steps()} steps, best at {best}: {scores}")
        stopped(bent, best + 5, lambda job: job.process.pid, signal.SIGTERM)
        bent.start().finish()
        bent.compare("and just so after a stop in between", straight)

        source = reference[1].folder
        again = Job(["run", "--from", str(source / "config.yaml")])
        code = again.finish()
        repeated = source.parents[1] / "reproduced" / "tiny" / "seed-1"
        check("a recorded run is made again from its config", code == 0 and
              (repeated / "metrics.jsonl").exists() and (repeated / "metrics.jsonl").read_bytes()
              == (source / "metrics.jsonl").read_bytes(), again.text()[-3000:])
        left = [str(p) for p in work.rglob("*") if ".tmp" in p.name or ".old" in p.name]
        check("no temporary files are left", not left, str(left))
    print(f"{shared.failures} failed")
    return 1 if shared.failures else 0


if __name__ == "__main__":
    sys.exit(main())
