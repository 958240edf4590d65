"""Whatever one rank can fail at alone, all ranks leave together.

STRAQ_FAULT makes one rank fail at one place (comm/fault.h). For every place of the program and
every rank that comes by: the job ends by itself, in seconds, with the failing rank's words, the
exit code of the failure, and FAILED in the run folder where a point had begun. Where the failure
is shared there is no abort. A file that one rank alone cannot read, or reads differently, is such
a failure, too.
"""
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import time

import job as shared
from job import Job, check, prepare, reason_to_skip

SOURCE = pathlib.Path(__file__).resolve().parents[2]
PATIENCE = 60  # a job of two seconds that takes this long hangs
# Ranks of a job of four: 0 coordinates, 1 preprocesses, 2 leads the learners, 3 learns.
EVERY, COORDINATOR, PREPROCESSOR, LEADER, LEARNERS = (0, 1, 2, 3), (0,), (1,), (2,), (2, 3)

# place: ranks that come by, whether the point's folder says FAILED, whether all leave together,
# and what the run needs for the place to be met.
PLACES = {
    "reading the config": (EVERY, False, True, {}),
    "simulating the corpus": (COORDINATOR, False, True, {}),
    "reading the settings": (EVERY, False, True, {}),
    "planning": (COORDINATOR, False, True, {}),
    "preprocessing": (PREPROCESSOR, True, True, {"fresh": True}),
    "keeping a record": (COORDINATOR, True, True, {"fresh": True}),
    "taking the folder": (LEARNERS, None, True, {}),
    "loading shards": (LEARNERS, True, True, {}),
    "making the model": (LEARNERS, True, True, {}),
    "computing states of frozen layers": (LEARNERS, True, True, {"freezes": True}),
    "looking for checkpoints": (LEARNERS, True, True, {}),
    "opening the checkpoint": (LEARNERS, True, True, {"resumes": True}),
    "beginning a stage": (LEARNERS, True, True, {}),
    "restoring": (LEARNERS, True, True, {"resumes": True}),
    "step": (LEARNERS, True, False, {}),
    "validating": (LEARNERS, True, True, {}),
    "writing an evaluation": (LEADER, True, True, {}),
    "saving a checkpoint": (LEADER, True, True, {}),
    "completing the writes": (LEADER, True, True, {}),
    "loading the best weights": (LEARNERS, True, True, {}),
    "opening all splits": (LEARNERS, True, True, {}),
    "writing the planner": (LEARNERS, True, True, {}),
    "evaluating": (LEARNERS, True, True, {}),
    "evaluating decisions": (LEARNERS, True, True, {}),
    "writing predictions": (LEARNERS, True, True, {}),
    "playing the planner": (LEARNERS, True, True, {}),
    "finishing": (LEARNERS, True, True, {}),
    "reporting": (COORDINATOR, False, True, {}),
    "loading a run": (EVERY, False, True, {"evaluates": True}),
}
KINDS = {"failure": 1, "input": 2, "memory": 1, "other": 1}


def places_in_the_source():
    found = set()
    for folder in ("src", "jobs"):
        for path in (SOURCE / folder).rglob("*.cpp"):
            found |= set(re.findall(r'fault_point\("([^"]+)"\)', path.read_text()))
    return found


class Trial:
    def __init__(self, work):
        self.work = work
        self.config = work / "tiny.yaml"
        self.folder = work / "results" / "tiny" / "seed-1"
        prepare(work, (2, 6), "checkpoint: {every_steps: 2}\n"
                "evaluate: {every_steps: 3}\nbest: {use: true}\n")
        shape = work / "shape.yaml"  # one layer to freeze and one to train
        shape.write_text(shape.read_text().replace("layers: 1", "layers: 2"))
        # A run that was stopped, to go on from; and one that has ended.
        self.stopped, self.done = work / "stopped", work / "done"
        self.run({}, 0)
        shutil.copytree(work / "results", self.done)
        for name in ("DONE", "evaluation.json"):
            (self.folder / name).unlink()
        last = sorted((self.folder / "checkpoints").glob("step-*"))[-1]
        shutil.rmtree(last)
        shutil.copytree(work / "results", self.stopped)

    def run(self, environment, ranks, evaluates=False, freezes=False):
        arguments = ["evaluate", str(self.folder)] if evaluates else ["run", str(self.config)]
        if freezes:
            arguments += ["--set", "learn.freeze.layers=1"]
        with shared.environment(environment):
            job = Job(arguments, ranks)
            start = time.monotonic()
            code = job.finish(PATIENCE)
        return code, job.text(), time.monotonic() - start

    def prepare_folders(self, fresh=False, resumes=False, evaluates=False, freezes=False):
        shutil.rmtree(self.work / "results", ignore_errors=True)
        if resumes:
            shutil.copytree(self.stopped, self.work / "results")
        if evaluates:
            shutil.copytree(self.done, self.work / "results")
        if fresh:
            for path in (self.work / "shards").glob("*/*.h5"):
                path.unlink()

    def fail(self, place, rank, kind):
        ranks, failed, together, needs = PLACES[place]
        self.prepare_folders(**needs)
        code, log, seconds = self.run({"STRAQ_FAULT": f"{place}@{rank}:{kind}"}, 4,
                                      needs.get("evaluates", False), needs.get("freezes", False))
        words = "out of memory" if kind == "memory" else f'a fault at the place "{place}"'
        said = (self.folder / "FAILED").read_text() if (self.folder / "FAILED").exists() else ""
        # A data set that cannot be made is bad input for its points; a step's failure is its own.
        expected = {KINDS[kind], 2} if place in ("preprocessing", "keeping a record") else {KINDS[kind]}
        good = code in expected and words in log and (failed is None or (words in said) == failed)
        good = good and (not together or "MPI_ABORT" not in log)
        check(f"{place}: rank {rank} of 4 fails ({kind}), all end in {seconds:.1f} s",
              good, f"exit code {code}, FAILED: {said!r}\n{log[-3000:]}")


def one_rank_alone_cannot_read(work):
    """Ranks whose folders differ, as on nodes without the shared filesystem."""
    a, b = work / "a", work / "b"
    for folder in (a, b):
        folder.mkdir()
    # The corpus is there; making it again would read files of the repository by relative paths.
    text = re.sub("simulate: .*\n", "", (work / "tiny.yaml").read_text()).replace(
        "data: {", f"data: {{strategies: {SOURCE}/configs/strategies/esconv.yaml, ")

    def start():
        command = ["mpirun", "-n", "3", "-wdir", str(a), shared.PROGRAM, "run", "c.yaml", ":",
                   "-n", "1", "-wdir", str(b), shared.PROGRAM, "run", "c.yaml"]
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE)
            return done.returncode, done.stderr
        except subprocess.TimeoutExpired:
            subprocess.run(["pkill", "-f", "straq run c.yaml"], check=False)
            return "hang", ""

    (a / "c.yaml").write_text(text)
    code, log = start()
    check("a config that the last rank alone cannot read is said, in its words",
          code == 2 and "rank 3: " in log and "c.yaml" in log, f"exit code {code}\n{log[-2000:]}")
    (b / "c.yaml").write_text(text + "seed: 8\n")
    code, log = start()
    check("and one that it reads differently", code == 2 and "rank 3 has another config" in log,
          f"exit code {code}\n{log[-2000:]}")
    # A model's shape by a relative path: read when the point is loaded, by each learner.
    (work / "shape.yaml").rename(a / "shape.yaml")
    for folder in (a, b):
        (folder / "c.yaml").write_text(text.replace(f"{work}/shape.yaml", "shape.yaml"))
    shutil.rmtree(work / "results", ignore_errors=True)
    code, log = start()
    said = list(work.glob("results/tiny/seed-1/FAILED"))
    check("a shape that one learner alone cannot read",
          code == 2 and "shape.yaml" in log and "learner 1: " in log and said,
          f"exit code {code}\n{log[-2000:]}")


def evaluates_on_every_number_of_ranks(trial):
    """Predictions of a finished run do not depend on who asks the planner."""
    outcomes = []
    for ranks in (1, 2, 3):
        trial.prepare_folders(evaluates=True)
        before = {p.name: p.read_text() for p in (trial.folder / "predictions").iterdir()}
        code, log, _ = trial.run({}, ranks, evaluates=True)
        after = {p.name: p.read_text() for p in (trial.folder / "predictions").iterdir()}
        chosen = [[re.findall(r'"(?:id|chosen)":\s*[^,]+', line) for line in t.splitlines()]
                  for t in after.values()]
        outcomes.append(chosen)
        check(f"straq evaluate on {ranks} rank{'s' if ranks > 1 else ''}",
              code == 0 and before.keys() == after.keys() and len(after) == 2,
              f"exit code {code}\n{log[-2500:]}")
    check("with the same choices", outcomes[0] == outcomes[1] == outcomes[2])

    trial.prepare_folders(evaluates=True)
    planner = trial.folder / "planner" / "planner.json"
    planner.write_text(re.sub(r'("inputs_sha256": ")[0-9a-f]+', r"\g<1>" + 64 * "0",
                              planner.read_text()))
    code, log, _ = trial.run({}, 2, evaluates=True)
    check("a planner of another run is refused, once", code == 2
          and log.count("is the planner of another run") == 1, f"exit code {code}\n{log[-2000:]}")


def main():
    if reason := reason_to_skip():
        print(f"skipped: {reason}")
        return 77
    check("every place of the source has its trial here",
          places_in_the_source() == set(PLACES),
          f"{places_in_the_source() ^ set(PLACES)}")
    with tempfile.TemporaryDirectory() as name:
        trial = Trial(pathlib.Path(name))
        evaluates_on_every_number_of_ranks(trial)
        kinds = list(KINDS)
        number = 0
        for place, (ranks, _, _, _) in PLACES.items():
            # Each place by every rank; the kinds of failure take turns.
            for rank in ranks:
                trial.fail(place, rank, kinds[number % len(kinds)])
                number += 1
        one_rank_alone_cannot_read(pathlib.Path(name))
    return 1 if shared.failures else 0


if __name__ == "__main__":
    sys.exit(main())
