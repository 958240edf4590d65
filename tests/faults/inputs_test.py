"""A run goes on, or counts as done, only from what its inputs still are; what changes no number
keeps its checkpoints.

Stops a tiny run half-way, changes one thing, and starts the same command again.
"""
import json
import os
import pathlib
import re
import shutil
import signal
import sys
import tempfile

import job as shared
from job import Job, check, prepare, reason_to_skip, straq

STEPS = (4, 60)


class Experiment:
    def __init__(self, work, name, learners=1):
        self.work = work / name
        self.work.mkdir()
        prepare(self.work, STEPS, "checkpoint: {every_steps: 10, keep_last: 2}\n")
        self.ranks = 1 if learners == 1 else 1 + learners
        self.folder = self.work / "results" / "tiny" / "seed-1"

    def start(self, *more, command="run"):
        return Job([command, str(self.work / "tiny.yaml"), *more], self.ranks)

    def stop_half_way(self, at=15):
        job = self.start()
        metrics = self.folder / "metrics.jsonl"
        job.until(lambda: metrics.exists() and metrics.read_bytes().count(b"\n") >= at)
        os.kill(job.ranks()[self.ranks - 1], signal.SIGUSR2)
        code = job.finish()
        if code != 75:
            check("the run could be stopped", False, job.text()[-3000:])

    def again(self, *more):
        job = self.start(*more)
        return job.finish(), job.text()

    def saved(self):
        return sorted(p.name for p in (self.folder / "checkpoints").glob("step-*"))

    def provenance(self):
        return json.loads((self.folder / "provenance.json").read_text())

    def edit(self, name, old, new):
        path = self.work / name
        text = path.read_text()
        assert old in text, (name, old)
        path.write_text(text.replace(old, new))


def refuses(text, experiment, words, *more):
    before = experiment.saved()
    code, log = experiment.again(*more)
    check(text, code == 2 and re.search(words, log) and "--continue-anyway" in log
          and experiment.saved() == before and not (experiment.folder / "FAILED").exists(),
          f"exit code {code}, {before} {experiment.saved()}\n{log[-2500:]}")


def other_inputs_are_refused(work):
    corpus = Experiment(work, "corpus")
    corpus.stop_half_way()
    corpus.edit("corpus.yaml", "seed: 3", "seed: 4")
    refuses("checkpoints of another corpus are refused by its files' names", corpus,
            r"train\.txt has changed since")
    code, log = corpus.again("--continue-anyway")
    said = corpus.provenance().get("continued_anyway", [{}])
    check("--continue-anyway goes on and says so in provenance.json",
          code == 0 and "going on from step" in log
          and any("train.txt" in c for c in said[0].get("changes", [])),
          f"exit code {code} {said}\n{log[-2500:]}")

    shape = Experiment(work, "shape")
    shape.stop_half_way()
    shape.edit("shape.yaml", "tied: true", "tied: true\nrope_theta: 10.0\nnorm_eps: 0.1")
    refuses("a shape of the same sizes and other numbers is another model", shape,
            r"rope_theta was 10000 and is 10")
    code, log = shape.again("--continue-anyway")
    said = shape.provenance().get("continued_anyway", [])
    check("--continue-anyway goes on from it, and provenance.json names step and changes",
          code == 0 and "going on at step" in log and said and said[0]["step"] > 0
          and any("rope_theta" in c for c in said[0]["changes"]), f"exit code {code} {said}\n{log[-2500:]}")

    text = Experiment(work, "prompt")
    template = text.work / "template.yaml"
    source = pathlib.Path(__file__).resolve().parents[2] / "configs/prompts/compact.yaml"
    shutil.copy(source, template)
    text.edit("tiny.yaml", str(source), str(template))
    text.stop_half_way()
    first = template.read_text().split("instruction: |\n")[1].splitlines()[0]
    text.edit("template.yaml", first, first + " Please.")
    refuses("another prompt text is refused", text, r"the prompt .*has changed since")


def done_is_believed_for_its_inputs_alone(work):
    done = Experiment(work, "done")
    code, log = done.again()
    check("a tiny run ends well", code == 0, log[-2000:])
    predictions = (done.folder / "predictions" / "test.jsonl").read_bytes()
    code, log = done.again("--set", "evaluate.replicates=200", "--set", "shards.deflate=0")
    check("settings that change no number leave it done", code == 0 and "done already" in log,
          f"exit code {code}\n{log[-2000:]}")
    done.edit("corpus.yaml", "seed: 3", "seed: 4")
    refuses("a finished run of another corpus is refused", done,
            r"finished run of other inputs: .*train\.txt has changed since")
    done.edit("shape.yaml", "hidden: 16", "hidden: 32")
    refuses("and of another shape", done, r"shape\.hidden was 16 and is 32")
    check("its results are as they were",
          (done.folder / "predictions" / "test.jsonl").read_bytes() == predictions)
    code, log = done.again("--continue-anyway")
    check("--continue-anyway takes it as done and says so in provenance.json",
          code == 0 and "taken as done" in log
          and any("train.txt" in c for c in done.provenance()["continued_anyway"][0]["changes"]),
          f"exit code {code}\n{log[-2000:]}")


def advice_keeps_checkpoints(work):
    """What the message of a run that ran out of memory says to do."""
    experiment = Experiment(work, "advice", learners=2)
    for advice in ("learn.micro_tokens=64", "model.recompute=true", "learn.zero1=true"):
        shutil.rmtree(experiment.folder, ignore_errors=True)
        experiment.stop_half_way()
        code, log = experiment.again("--set", advice)
        check(f"a run goes on from its checkpoint with {advice}",
              code == 0 and "going on at step" in log and (experiment.folder / "DONE").exists(),
              f"exit code {code}\n{log[-2500:]}")
    # Other sizes of passes and shares of the optimizer's state, other ranks' number, other shards.
    shutil.rmtree(experiment.folder, ignore_errors=True)
    experiment.stop_half_way()
    experiment.ranks = 1
    code, log = experiment.again("--set", "shards.dialogues_per_shard=5", "--set",
                                 f"shards.folder={experiment.work}/elsewhere", "--set",
                                 "evaluate.splits=[test]", "--set", "learn.max_bad_steps=3")
    check("and with shards cut and kept elsewhere, other splits to score, one learner",
          code == 0 and "going on at step" in log, f"exit code {code}\n{log[-2500:]}")


def a_shrunken_corpus_does_not_spin(work):
    """A checkpoint beyond the end of a stage: of an epoch that was longer."""
    shrunk = Experiment(work, "shrunk")
    shrunk.edit("tiny.yaml", f"steps: {STEPS[1]}", "epochs: 6")
    shrunk.stop_half_way(at=50)
    shrunk.edit("corpus.yaml", "train: 12", "train: 2")
    job = shrunk.start("--continue-anyway")
    code = job.finish(60)
    log = job.text()
    check("is refused, however it is asked for", code == 2 and "stands at step" in log,
          f"exit code {code}\n{log[-2500:]}")


def mistakes_show_before_the_first_step(work):
    late = Experiment(work, "late")
    for text, sets, words in (
            ("a split that is not there", ["evaluate.splits=[valid, holdout]"], "holdout"),
            ("no test file", ['data.test=""'], "evaluate.splits"),
            ("a split to watch that is not there", ["evaluate.every_steps=5", "evaluate.split=dev"],
             "evaluate.split: .*dev")):
        more = [x for s in sets for x in ("--set", s)]
        code, log = late.again(*more)
        check(f"{text} is refused before training", code == 2 and re.search(words, log)
              and not late.saved() and "q step" not in log, f"exit code {code}\n{log[-2000:]}")
    # The same for all ranks.
    late.ranks = 3
    code, log = late.again("--set", "evaluate.splits=[holdout]")
    check("under mpirun it is said once, without an abort",
          code == 2 and log.count("no split \"holdout\"") == 1 and "MPI_ABORT" not in log,
          f"exit code {code}\n{log[-2000:]}")
    # A planner that cannot be scored is there all the same.
    late.ranks = 1
    predictions = late.folder / "predictions"
    job = late.start()
    job.until(lambda: (late.folder / "metrics.jsonl").exists())
    predictions.write_text("in the way")
    code = job.finish()
    check("a planner is saved before it is scored",
          code == 1 and (late.folder / "planner" / "model.safetensors").exists()
          and (late.folder / "FAILED").exists(), f"exit code {code}\n{job.text()[-2000:]}")


def main():
    if reason := reason_to_skip():
        print(f"skipped: {reason}")
        return 77
    with tempfile.TemporaryDirectory() as name:
        work = pathlib.Path(name)
        other_inputs_are_refused(work)
        done_is_believed_for_its_inputs_alone(work)
        advice_keeps_checkpoints(work)
        a_shrunken_corpus_does_not_spin(work)
        mistakes_show_before_the_first_step(work)
    return 1 if shared.failures else 0


if __name__ == "__main__":
    sys.exit(main())
