"""No silent hang: a rank that stops, or dies, ends the job within a minute with words that name it,
and what was saved before stays whole.

STRAQ is the program.
"""
import os
import pathlib
import re
import signal
import sys
import tempfile
import time

import job as shared
from job import Job, check, prepare, reason_to_skip

MINUTE = 60


def until_text(job, text):
    return job.until(lambda: text in job.text())


def killed(config, work, name, rank, role, ready, command="train", ranks=4, sets=()):
    """One rank is killed by SIGKILL: the job must end by itself, with its name."""
    arguments = [command, str(config), "--set", f"results={work}/results/{name}"]
    for item in sets:
        arguments += ["--set", item]
    job = Job(arguments, ranks)
    reached = job.until(lambda: ready(work / "results" / name / "tiny"))
    pid = job.ranks().get(rank)
    start = time.monotonic()
    if reached and pid:
        os.kill(pid, signal.SIGKILL)
    code = job.finish()
    seconds, log = time.monotonic() - start, job.text()
    # The launcher's words or ours, whoever is faster.
    named = re.search(rf"process rank {rank} with PID \d+ on node \S+ exited on signal 9", log) or \
        f"rank {rank} ({role}, process {pid} on " in log
    check(f"{name}: a killed {role} ends the job in {seconds:.1f} s, named",
          reached and pid and code not in (0, 75, "hang") and seconds < MINUTE and named,
          f"exit code {code}\n{log[-3000:]}")
    return work / "results" / name / "tiny"


def without_launcher(config, work):
    """What the ranks do by themselves where the launcher notices nothing: it is suspended."""
    job = Job(["train", str(config), "--set", f"results={work}/results/alone"], 4)
    folder = work / "results" / "alone" / "tiny" / "seed-1"
    reached = job.until(lambda: (folder / "metrics.jsonl").exists())
    pids = job.ranks()
    os.kill(job.process.pid, signal.SIGSTOP)
    os.kill(pids[2], signal.SIGKILL)
    start = time.monotonic()
    while job.ranks() and time.monotonic() - start < MINUTE:
        time.sleep(0.1)
    seconds, left = time.monotonic() - start, job.ranks()
    # What they said went through the launcher, which passes it on now.
    os.kill(job.process.pid, signal.SIGCONT)
    words = f"rank 2 (learner, process {pids[2]} on "
    while words not in job.text() and time.monotonic() - start < 2 * MINUTE:
        time.sleep(0.1)
    log = job.text()
    check(f"without the launcher the other ranks notice a death and end in {seconds:.1f} s, naming "
          "rank and role", reached and not left and words in log, f"{left}\n{log[-3000:]}")
    job.kill()


def stuck(config, work):
    """A learner that stops before step 8: the watchdogs say who is where, and nothing is lost."""
    arguments = ["train", str(config), "--set", f"results={work}/results/stuck"]
    job = Job(arguments + ["--set", "watchdog.seconds=10", "--hang-rank", "2", "--hang-step", "8"], 3)
    start = time.monotonic()
    code, log = job.finish(), job.text()
    seconds = time.monotonic() - start
    waiting = re.search(r"--hang-rank: process (\d+) on (\S+) waits before step 8", log)
    check("--hang-rank tells host and process for a debugger", bool(waiting), log[-3000:])
    check(f"the watchdog ends the job ({seconds:.0f} s)", code not in (0, 75, "hang"),
          f"exit code {code}\n{log[-3000:]}")
    late = [line for line in log.splitlines() if "watchdog" in line and "in one place" in line]
    hung = [line for line in late if "optimizer step (8), last collective" in line]
    peer = [line for line in late if "optimizer step (8), inside" in line]
    check("the rank that stands still says its step and last collective",
          len(hung) == 1 and "[2]" in hung[0] and waiting and waiting[1] in hung[0], log[-3000:])
    check("and the one that waits for it, in which collective", len(peer) == 1 and "[1]" in peer[0],
          log[-3000:])
    check("an abort is no request to stop: nobody says that anything is saved",
          "asked to stop" not in log, log[-3000:])
    folder = work / "results" / "stuck" / "tiny" / "seed-1"
    again = Job(arguments, 3)
    code, log = again.finish(), again.text()
    check("the job goes on from the checkpoint before", code == 0 and "going on at step 6 " in log
          and (folder / "DONE").exists(), f"exit code {code}\n{log[-3000:]}")

    alone = Job(["train", str(config), "--set", f"results={work}/results/stuck-alone", "--set",
                 "watchdog.seconds=5", "--hang-rank", "0"])
    code = alone.finish()
    check("one process alone is watched, too", code not in (0, "hang")
          and "optimizer step (1)" in alone.text(), f"exit code {code}\n" + alone.text()[-2000:])
    patient = Job(["train", str(config), "--set", f"results={work}/results/patient", "--set",
                   "watchdog.seconds=10"])
    patient.until(lambda: (work / "results/patient/tiny/seed-1/metrics.jsonl").exists())
    os.kill(patient.process.pid, signal.SIGSTOP)
    time.sleep(15)
    os.kill(patient.process.pid, signal.SIGCONT)
    code = patient.finish()
    check("the time that a process is suspended does not count", code == 0,
          f"exit code {code}\n" + patient.text()[-2000:])
    refused = Job(["train", str(config), "--hang-rank", "3"], 3)
    code = refused.finish()
    check("a rank that is not there cannot hang", code == 2 and "--hang-rank 3" in refused.text(),
          f"exit code {code}")


def main():
    if reason := reason_to_skip():
        print(f"skipped: {reason}")
        return 77
    with tempfile.TemporaryDirectory(prefix="straq-hang-") as folder:
        work = pathlib.Path(folder)
        prepare(work, (4, 400), "evaluate: {splits: [test], replicates: 100}\n"
                                "checkpoint: {every_steps: 6, async: false}\n")
        config = work / "tiny.yaml"

        def training(results):
            try:
                return (results / "seed-1" / "metrics.jsonl").read_bytes().count(b"\n") >= 20
            except OSError:
                return False

        # train has no preprocessors: ranks 1 to 3 are learners, 1 leads.
        for rank, what in ((3, "learner"), (1, "leader"), (0, "coordinator")):
            role = "coordinator" if rank == 0 else "learner"
            results = killed(config, work, f"killed-{what}", rank, role, training)
            saved = list((results / "seed-1" / "checkpoints").glob("step-*"))
            check(f"killed-{what}: checkpoints are there to go on from", bool(saved))
        code = Job(["train", str(config), "--set", f"results={work}/results/killed-leader", "--set",
                    "learn.steps=400"], 4).finish()
        check("the same command goes on after that", code == 0, f"exit code {code}")

        shards = work / "again"
        killed(config, work, "killed-preprocessor", 1, "preprocessor",
               lambda _: any(shards.rglob("*.h5")), "preprocess", 3,
               [f"shards.folder={shards}", "shards.dialogues_per_shard=1"])
        without_launcher(config, work)
        stuck(config, work)
    print(f"{shared.failures} failed")
    return 1 if shared.failures else 0


if __name__ == "__main__":
    sys.exit(main())
