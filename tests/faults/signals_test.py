"""Whatever signal ends a job, and whenever it comes: what was done is saved, the exit code is 75, and
the same command goes on to the same end.

STRAQ is the program.
"""
import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import time

import job as shared
from job import PATIENCE, PROGRAM, check, prepare, reason_to_skip


class Process:
    """One process in all roles, as a person starts it: nothing is ignored but what `ignored` names."""

    def __init__(self, arguments, ignored=(), stderr=None):
        self.log = tempfile.TemporaryFile(mode="w+")

        def as_from_a_terminal():
            for number in (signal.SIGINT, signal.SIGHUP, signal.SIGTERM, signal.SIGPIPE):
                signal.signal(number, signal.SIG_IGN if number in ignored else signal.SIG_DFL)

        self.process = subprocess.Popen(
            [PROGRAM, *map(str, arguments)], stdout=subprocess.DEVNULL, stderr=stderr or self.log,
            stdin=subprocess.DEVNULL, start_new_session=True, preexec_fn=as_from_a_terminal)

    def until(self, condition):
        deadline = time.monotonic() + PATIENCE
        while not condition():
            if self.process.poll() is not None or time.monotonic() > deadline:
                return False
            time.sleep(0.005)
        return True

    def send(self, number):
        os.kill(self.process.pid, number)

    def finish(self, patience=PATIENCE):
        try:
            return self.process.wait(timeout=patience)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
            return "hang"

    def text(self):
        self.log.seek(0)
        return self.log.read()


def steps_of(folder):
    try:
        return (folder / "metrics.jsonl").read_bytes().count(b"\n")
    except OSError:
        return 0


def saved(folder):
    return any((folder / "checkpoints").glob("step-*"))


def while_training(config, work):
    numbers = (signal.SIGINT, signal.SIGHUP, signal.SIGTERM, signal.SIGUSR2)
    for number in numbers:
        name = signal.Signals(number).name
        folder = work / "results" / name / "tiny" / "seed-1"
        arguments = ["train", config, "--set", f"results={work}/results/{name}"]
        job = Process(arguments + ["--set", "learn.steps=100000"])
        reached = job.until(lambda: steps_of(folder) >= 5)
        begin = time.monotonic()
        job.send(number)
        code = job.finish()
        check(f"{name} while training: saved, exit code 75 ({time.monotonic() - begin:.1f} s)",
              reached and code == 75 and saved(folder), f"{code}\n{job.text()[-2000:]}")


def twice(config, work):
    folder = work / "results" / "twice" / "tiny" / "seed-1"
    # So that the first one is not done with at once.
    job = Process(["train", config, "--set", f"results={work}/results/twice", "--set",
                   "learn.steps=100000", "--hang-rank", "0", "--hang-step", "8"])
    reached = job.until(lambda: "waits before step 8" in job.text())
    job.send(signal.SIGINT)
    time.sleep(1)
    alive = job.process.poll() is None
    job.send(signal.SIGINT)
    code = job.finish()
    check("a second Ctrl-C ends the process at once, and the first one says so",
          reached and alive and code == -signal.SIGINT and "another Ctrl-C ends at once" in job.text(),
          f"{code}\n{job.text()[-2000:]}")


def a_whole_terminal(config, work):
    """Ctrl-C and a closed terminal reach all processes of the session, also a log's reader."""
    folder = work / "results" / "group" / "tiny" / "seed-1"
    arguments = ["train", config, "--set", f"results={work}/results/group", "--set",
                 "learn.steps=100000"]
    reader, writer = os.pipe()
    job = Process(arguments, stderr=writer)
    os.close(writer)
    os.set_blocking(reader, False)

    def steps_while_reading():
        try:
            os.read(reader, 65536)
        except BlockingIOError:
            pass
        return steps_of(folder) >= 5

    reached = job.until(steps_while_reading)
    os.close(reader)  # the `tee` behind it is gone
    os.killpg(job.process.pid, signal.SIGINT)
    code = job.finish()
    check("Ctrl-C to the whole group, with a log that nobody reads any more: saved, exit code 75",
          reached and code == 75 and saved(folder), str(code))
    job = Process(arguments, ignored=(signal.SIGHUP,))
    before = steps_of(folder)
    reached = job.until(lambda: steps_of(folder) > before + 5)
    job.send(signal.SIGHUP)
    time.sleep(1.5)
    alive = job.process.poll() is None
    job.send(signal.SIGTERM)
    code = job.finish()
    check("under nohup a closed terminal changes nothing", reached and alive and code == 75,
          f"{code}\n{job.text()[-2000:]}")


def at_any_moment(config, work):
    """From the first moment on: exit code 75 where something is left, never a death by the signal."""
    codes = []
    for number in range(10):
        kind = (signal.SIGINT, signal.SIGTERM)[number % 2]
        job = Process(["run", config, "--set", f"results={work}/results/moments", "--set",
                       f"shards.folder={work}/moments", "--set", "shards.dialogues_per_shard=1"])
        # Handlers cannot be there before the program's files are mapped.
        maps = pathlib.Path("/proc", str(job.process.pid), "status")
        job.until(lambda: any(line.startswith("SigCgt:") and int(line.split()[1], 16) & 2
                              for line in maps.read_text().splitlines()))
        time.sleep(0.15 * number)
        job.send(kind)
        codes.append(job.finish())
    check("a signal at any moment ends the job with 75, or after it is done", set(codes) <= {75, 0}
          and 75 in codes, str(codes))
    job = Process(["run", config, "--set", f"results={work}/results/moments", "--set",
                   f"shards.folder={work}/moments", "--set", "shards.dialogues_per_shard=1"])
    code = job.finish()
    folder = work / "results" / "moments" / "tiny" / "seed-1"
    check("and the same command goes on to the end", code == 0 and (folder / "DONE").exists(),
          f"{code}\n{job.text()[-2000:]}")


def preprocessing(config, work):
    shards = work / "slow"
    arguments = ["preprocess", config, "--set", f"shards.folder={shards}", "--set",
                 "shards.dialogues_per_shard=1"]
    job = Process(arguments)
    reached = job.until(lambda: any(shards.rglob("*.h5")))
    job.send(signal.SIGINT)
    code = job.finish()
    made = len(list(shards.rglob("*.h5")))
    check("Ctrl-C while shards are made: 75, or done", reached and code in (75, 0), str(code))
    job = Process(arguments)
    code = job.finish()
    check("the next start makes the rest", code == 0 and len(list(shards.rglob("*.h5"))) >= made,
          f"{code}\n{job.text()[-2000:]}")


def commands_that_save_nothing(work):
    job = Process(["dataset", "stats", "/dev/stdin"])
    codes = [job.finish()]
    # A command that waits, here for a pipe that nobody writes to.
    os.mkfifo(work / "pipe")
    job = Process(["dataset", "stats", work / "pipe"])
    time.sleep(1)
    running = job.process.poll() is None
    job.send(signal.SIGINT)
    code = job.finish(20)
    check("a command that has nothing to save ends by the signal", not running
          or code == -signal.SIGINT, f"{running} {code} {codes}\n{job.text()[-1000:]}")


def main():
    if reason := reason_to_skip():
        print(f"skipped: {reason}")
        return 77
    with tempfile.TemporaryDirectory(prefix="straq-signals-") as folder:
        work = pathlib.Path(folder)
        prepare(work, (4, 60), "evaluate: {splits: [test], replicates: 100}\n"
                               "checkpoint: {every_minutes: 0}\n")
        config = work / "tiny.yaml"
        while_training(config, work)
        twice(config, work)
        a_whole_terminal(config, work)
        at_any_moment(config, work)
        preprocessing(config, work)
        commands_that_save_nothing(work)
    print(f"{shared.failures} failed")
    return 1 if shared.failures else 0


if __name__ == "__main__":
    sys.exit(main())
