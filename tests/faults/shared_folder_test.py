"""Several jobs in one folder, and folders that will not be written: nobody waits for ever, takes a
living job's place, loses another's rows or ends for what is derived.

STRAQ is the program.
"""
import csv
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

import job as shared
from job import PATIENCE, PROGRAM, Job, check, prepare, reason_to_skip, straq


def rows_of(folder):
    if not (folder / "index.csv").is_file():
        return {}
    with (folder / "index.csv").open() as file:
        return {row["point"]: row for row in csv.DictReader(file)}


def config(work, name, sweep, more=""):
    path = work / f"{name}.yaml"
    path.write_text(f"base: tiny.yaml\nname: {name}\nsweep: {sweep}\n{more}\n")
    return path


def steps_of(folder):
    try:
        return (folder / "metrics.jsonl").read_bytes().count(b"\n")
    except OSError:
        return 0


def another_config_of_the_same_name(work):
    path = config(work, "kept", "{grid: {learn.gamma: [0, 0.5]}, seeds: [1, 2]}")
    folder = work / "results" / "kept"
    code = Job(["sweep", str(path)]).finish()
    before = rows_of(folder)
    check("a sweep of four points", code == 0 and len(before) == 4, str(before))
    one = Job(["train", str(path)])
    code = one.finish()
    after = rows_of(folder)
    check("`train` with the sweep's config keeps its rows and parameters", code == 0
          and all(after.get(p) == r for p, r in before.items()) and len(after) == 5
          and after["seed-1"]["learn.gamma"] == "0.85", f"{code} {after}\n{one.text()[-2000:]}")


def locks_in_one_order(work):
    """Two sweeps need the same two data sets and name them the other way round."""
    fresh = f"shards: {{folder: {work}/crossed, dialogues_per_shard: 1}}\nlearn: {{steps: 4}}"
    a = config(work, "first", "{grid: {prompt.window: [1500, 1700]}}", fresh)
    b = config(work, "second", "{grid: {prompt.window: [1700, 1500]}}", fresh)
    for turn in range(3):
        shutil.rmtree(work / "crossed", ignore_errors=True)
        jobs = [Job(["preprocess", str(c)]) for c in (a, b)]
        codes = [j.finish(60) for j in jobs]
        if codes != [0, 0]:
            break
    check("sweeps that name their data sets in another order do not wait for each other",
          codes == [0, 0], f"{codes} in turn {turn}\n" + jobs[0].text()[-1000:] + jobs[1].text()[-1000:])


def one_data_set_fails(work):
    """A window that no prompt fits into: its points fail, the others are trained."""
    for ranks in (1, 3):
        path = config(work, f"narrow-{ranks}", "{grid: {prompt.window: [60, 2048]}}",
                      f"shards: {{folder: {work}/narrow-{ranks}}}\nlearn: {{steps: 4}}\n"
                      "roles: {preprocessors: 1}")
        run = Job(["sweep", str(path)], ranks)
        code, log = run.finish(), run.text()
        rows = rows_of(work / "results" / f"narrow-{ranks}")
        states = {p.split("_")[0]: (r["state"], r["kind"]) for p, r in rows.items()}
        failed = work / "results" / f"narrow-{ranks}" / "window-60_seed-1" / "FAILED"
        check(f"on {ranks} rank(s) a data set that cannot be made fails its own points only",
              code == 2 and states == {"window-60": ("failed", "bad_input"),
                                       "window-2048": ("done", "")}
              and failed.exists() and "data set could not be made" in failed.read_text(),
              f"{code} {states}\n{log[-3000:]}")


def as_another_user(command):
    """Where the test is root, permissions bind nobody: the command runs as the user nobody."""
    def become():
        if os.geteuid() == 0:
            os.setgroups([])
            os.setgid(65534)
            os.setuid(65534)
    return subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE,
                          preexec_fn=become, env={**os.environ, "HOME": "/tmp"})


def shards_of_somebody_else(work):
    theirs = work / "mine"
    theirs.mkdir(mode=0o777)
    theirs.chmod(0o777)
    work.chmod(0o755)
    if as_another_user([PROGRAM, "--version"]).returncode != 0:
        print("not checked: the program cannot be read by another user", flush=True)
        return
    shards = work / "shards"
    was = [(p, p.stat().st_mode) for p in [shards, *shards.rglob("*")]]
    for p, mode in was:
        p.chmod(mode & ~0o222 | 0o444 | (0o111 if p.is_dir() else 0))
    # Without the section that would write the corpus again.
    given = work / "given.yaml"
    given.write_text("".join(line for line in (work / "tiny.yaml").read_text().splitlines(True)
                             if not line.startswith("simulate:")))
    for command in ("train", "run"):
        done = as_another_user([PROGRAM, command, str(given), "--set",
                                f"results={theirs}/{command}"])
        check(f"`{command}` takes complete shards from a folder that it may not write to",
              done.returncode == 0, f"{done.returncode}\n{done.stderr[-2000:]}")
    for p, mode in reversed(was):
        p.chmod(mode)


def an_index_that_cannot_be_written(work):
    folder = work / "results" / "blocked" / "tiny"
    (folder / "index.csv" / "in the way").mkdir(parents=True)
    run = Job(["train", str(work / "tiny.yaml"), "--set", f"results={work}/results/blocked"])
    code, log = run.finish(), run.text()
    check("an index that cannot be written is a warning, once", code == 0
          and (folder / "seed-1" / "DONE").exists() and log.count("index.csv is behind") == 1,
          f"{code}\n{log[-2000:]}")


def containers(work):
    """Two jobs in containers of one host: both are process 1 of the same host name."""
    inside = ["unshare", "--pid", "--fork", "--mount-proc"]
    if shutil.which("unshare") is None or subprocess.run(inside + ["true"], capture_output=True).returncode:
        print("not checked: no PID namespaces here", flush=True)
        return
    folder = work / "results" / "container" / "tiny" / "seed-1"
    command = [PROGRAM, "--verbose", "train", str(work / "tiny.yaml"), "--set",
               f"results={work}/results/container", "--set", "learn.steps=100000"]
    first = Job(["train", str(work / "tiny.yaml"), "--set", f"results={work}/results/container",
                 "--set", "learn.steps=100000"])
    first.until(lambda: steps_of(folder) >= 5)
    second = subprocess.run(inside + command, capture_output=True, text=True, timeout=PATIENCE)
    check("a job in another container leaves a living job its folder", second.returncode == 1
          and "is held by process" in second.stderr and first.process.poll() is None,
          f"{second.returncode}\n{second.stderr[-2000:]}")
    first.kill()
    sweeps = [config(work, "many", "{seeds: [" + ", ".join(map(str, range(s, s + 8))) + "]}",
                     "learn: {steps: 2}\npretrain: {steps: 2}\nevaluate: {splits: [test], replicates: 100}")
              for s in (1,)]
    # Open MPI names its session folder by host and process number, which both jobs have in common:
    # each needs temporary files of its own, as docs/setup.md says.
    jobs = []
    for name in ("one", "other"):
        temporary = work / f"temporary-{name}"
        temporary.mkdir()
        jobs.append(subprocess.Popen(inside + [PROGRAM, "sweep", str(sweeps[0])],
                                     stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
                                     env={**os.environ, "TMPDIR": str(temporary)}))
    logs = [j.communicate(timeout=PATIENCE)[1] for j in jobs]
    rows = rows_of(work / "results" / "many")
    check("two such jobs fill one sweep", [j.returncode for j in jobs] == [0, 0]
          and {r["state"] for r in rows.values()} == {"done"} and len(rows) == 8,
          f"{[j.returncode for j in jobs]} {rows}\n" + "\n".join(l[-1500:] for l in logs))
    left = [str(p) for p in (work / "results").rglob("*.tmp*")]
    check("and leave no temporary files", not left, str(left))


def clocks_that_disagree(work):
    """A holder elsewhere whose heartbeats this host's clock finds too old, or too new."""
    folder = work / "results" / "clock" / "seed-1"
    path = config(work, "clock", "{seeds: [1]}", "learn: {steps: 4}")
    holder = {"host": "elsewhere", "pid": 1, "start": 1, "boot": "b", "pid_namespace": "1",
              "since": "2025-01-01T00:00:00Z", "slurm_job": "", "slurm_restart": "",
              "released": False}
    (folder / "lock").mkdir(parents=True)
    (folder / "lock" / "00000001.json").write_text(json.dumps(holder))
    # This host's clock, ten minutes ahead of the file server's.
    (work / "ahead.c").write_text(
        "#define _GNU_SOURCE\n#include <time.h>\n#include <unistd.h>\n#include <sys/syscall.h>\n"
        "int clock_gettime(clockid_t id, struct timespec *t) {\n"
        "  int r = syscall(SYS_clock_gettime, id, t);\n"
        "  if (id == CLOCK_REALTIME) t->tv_sec += 600;\n  return r;\n}\n")
    shim = work / "ahead.so"
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler:
        subprocess.run([compiler, "-shared", "-fPIC", "-o", shim, work / "ahead.c"], check=True)
    for ahead in ([False, True] if compiler else [False]):
        if ahead:
            os.environ["LD_PRELOAD"] = str(shim)
        run = Job(["sweep", str(path)])
        code, log = run.finish(60), run.text()
        os.environ.pop("LD_PRELOAD", None)
        check("a point that another host holds is left to it, without trying again and again"
              + (", by a host whose clock is ahead" if ahead else ""),
              code == 0 and "left to other jobs" in log and log.count("is held by process") <= 2,
              f"{code}\n{log[-2000:]}")


def main():
    if reason := reason_to_skip():
        print(f"skipped: {reason}")
        return 77
    with tempfile.TemporaryDirectory(prefix="straq-shared-") as folder:
        work = pathlib.Path(folder)
        prepare(work, (4, 20), "evaluate: {splits: [test], replicates: 100}\n"
                               "roles: {preprocessors: 0}\n")
        another_config_of_the_same_name(work)
        locks_in_one_order(work)
        one_data_set_fails(work)
        shards_of_somebody_else(work)
        an_index_that_cannot_be_written(work)
        containers(work)
        clocks_that_disagree(work)
        straq("sweep", work / "kept.yaml", "--status")
    print(f"{shared.failures} failed")
    return 1 if shared.failures else 0


if __name__ == "__main__":
    sys.exit(main())
