"""A sweep by many jobs: every point is done exactly once, whoever does it; failures keep apart and
stop nobody; the index and the status tell the truth while jobs run, die and go on.

STRAQ is the program.
"""
import csv
import json
import os
import pathlib
import signal
import subprocess
import sys
import tempfile

import job as shared
from job import PROGRAM, Job, check, prepare, reason_to_skip, straq


def index_of(folder):
    with (folder / "index.csv").open() as file:
        return {row["point"]: row for row in csv.DictReader(file)}


def states(folder):
    return {point: row["state"] for point, row in index_of(folder).items()}


def status(config, *arguments):
    return json.loads(straq("sweep", config, "--status", "--format", "json", *arguments))


def config(work, name, sweep, more=""):
    path = work / f"{name}.yaml"
    path.write_text(f"base: tiny.yaml\nname: {name}\nsweep: {sweep}\n{more}\n")
    return path


def steps_done(folder, point):
    try:
        return (folder / point / "metrics.jsonl").read_bytes().count(b"\n")
    except OSError:
        return 0


def lists_and_choices(work):
    path = config(work, "choice", "{lists: {learn.gamma: [0.5, 0.9], learn.steps: [4, 400]}, "
                                  "points: [{name: own, learn.gamma: 0.1}], seeds: [1, 2]}")
    table = json.loads(straq("sweep", path, "--list", "--format", "json"))[0]
    rows = table["rows"]
    check("--list prints index, name, settings and cost of every point",
          [r["Point"] for r in rows] == ["gamma-0.5_seed-1", "gamma-0.5_seed-2",
                                         "gamma-0.9_seed-1", "gamma-0.9_seed-2",
                                         "own_seed-1", "own_seed-2"]
          and rows[2]["learn.gamma"] == "0.9" and [r["#"] for r in rows] == list(range(6))
          and rows[2]["Cost TFLOP"] > rows[0]["Cost TFLOP"] > 0, str(rows))
    check("and runs nothing", not (work / "results" / "choice").exists())
    for arguments, words in ((["--point", "6"], "no point 6"), (["--points", "0-9"], "no point 9"),
                             (["--points", "3-1"], "upwards"), (["--points", "a"], "indices")):
        done = subprocess.run([PROGRAM, "sweep", path, *arguments], capture_output=True, text=True)
        check(f"{' '.join(arguments)} is refused", done.returncode == 2 and words in done.stderr
              and "from 0 to 5" in done.stderr, done.stderr)


def many_jobs(work):
    """Array tasks and an allocation at the same time, on the same folder."""
    path = config(work, "many", "{grid: {learn.gamma: [0, 0.5, 0.9]}, seeds: [1, 2]}",
                  "roles: {learners_per_group: 1, preprocessors: 0}\nlearn: {steps: 600}")
    folder = work / "results" / "many"
    before = status(path)
    check("nothing is there: all points are missing", before["counts"]["missing"] == 6
          and not folder.exists(), str(before))
    jobs = [Job(["sweep", str(path), "--point", str(k)]) for k in (0, 3)]
    jobs += [Job(["sweep", str(path), "--points", "1,3-4"]), Job(["sweep", str(path)], 3)]
    running = []
    while any(j.process.poll() is None for j in jobs):
        now = status(path)["points"]
        running += [p for p in now if p["state"] == "running" and p.get("seconds_left")]
    codes = [j.finish() for j in jobs]
    logs = "\n".join(j.text() for j in jobs)
    check("four jobs on one folder end well", codes == [0] * 4, f"{codes}\n{logs[-4000:]}")
    check("every point is done", set(states(folder).values()) == {"done"}, str(states(folder)))
    # "<point>: <n> parameters, …" is logged when a training begins.
    begun = [sum(f"{point}: " in line and " parameters, " in line for line in logs.splitlines())
             for point in states(folder)]
    check("each was trained once", begun == [1] * 6, f"{begun}\n{logs[-4000:]}")
    good = [p for p in running if p["host"] and p["since"] and p["steps"] == 604
            and 0 < p["step"] <= 604 and p["pid"] > 0]
    check("the status said who works where, since when and how long still",
          bool(running) and len(good) == len(running), str(running[:3]))
    table = straq("sweep", path, "--status")
    check("the table counts the states", "6 done, 0 running" in table, table)
    again = Job(["sweep", str(path)])
    check("nothing is left to do", again.finish() == 0 and again.text().count("is done already") == 6)


def killed(work):
    path = config(work, "killed", "{seeds: [1, 2]}",
                  "checkpoint: {every_steps: 50}\nlearn: {steps: 3000}")
    folder = work / "results" / "killed"
    first = Job(["sweep", str(path), "--point", "1"])
    first.until(lambda: steps_done(folder, "seed-2") >= 60)
    busy = Job(["sweep", str(path), "--point", "1"])
    code = busy.finish()
    check("a point that another job works on is left to it",
          code == 0 and "left to other jobs" in busy.text() and states(folder)["seed-2"] == "running",
          f"exit code {code}\n" + busy.text()[-2000:])
    alone = Job(["train", str(path), "--set", "seed=2", "--set", f"results={work}/results"])
    code = alone.finish()
    check("but is an error for `train`", code == 1 and "is held by process" in alone.text(),
          f"exit code {code}\n" + alone.text()[-2000:])
    first.kill()
    now = status(path, "--point", "1")["points"]
    check("the status of a killed job's point is stopped, with its step",
          len(now) == 1 and now[0]["state"] == "stopped" and now[0]["step"] >= 60
          and now[0]["steps"] == 3004, str(now))
    # The one that a living job holds is passed over, taken up when that job has died.
    holder = Job(["sweep", str(path), "--point", "1"])
    holder.until(lambda: "going on at step" in holder.text())
    all_points = Job(["sweep", str(path)])
    all_points.until(lambda: steps_done(folder, "seed-1") >= 1)
    holder.kill()
    code = all_points.finish()
    check("a point whose job dies is taken up by a job that still runs",
          code == 0 and set(states(folder).values()) == {"done"},
          f"exit code {code} {states(folder)}\n" + all_points.text()[-3000:])


def failing(work):
    (work / "huge.yaml").write_text(
        "vocab: 0\nhidden: 65536\nlayers: 10\nheads: 2\nkv_heads: 1\ninner: 262144\n"
        "max_positions: 2048\ntied: true\n")
    (work / "short.yaml").write_text(
        (work / "shape.yaml").read_text().replace("2048", "64"))
    points = [f"{{name: memory, model.shape: {work}/huge.yaml}}",
              f"{{name: input, model.shape: {work}/short.yaml}}",
              "{name: infinite, learn.lr: 1.0e30, learn.clip: 0}",
              "{name: diverged, learn.lr: 10, learn.gamma: 0, learn.clip: 0, learn.warmup: 0}",
              "{name: good, learn.lr: 1.0e-4}"]
    path = config(work, "failing", "{points: [" + ", ".join(points) + "]}",
                  "roles: {learners_per_group: 1, preprocessors: 0}\nlearn: {steps: 60}")
    folder = work / "results" / "failing"
    run = Job(["sweep", str(path)], 3)
    code, log = run.finish(), run.text()
    rows = index_of(folder)
    kinds = {p.split("_")[0]: (r["state"], r["kind"]) for p, r in rows.items()}
    check("reasons are kept apart, and no failure stops another point",
          kinds == {"memory": ("failed", "out_of_memory"), "input": ("failed", "bad_input"),
                    "infinite": ("failed", "non_finite_loss"), "diverged": ("failed", "diverged"),
                    "good": ("done", "")}, f"{kinds}\n{log[-4000:]}")
    check("the job's exit code is the first failure's", code == 1, f"exit code {code}")
    for point, words in (("memory_seed-1", "kind: out_of_memory\nexit code: 1\n"),
                         ("diverged_seed-1", "kind: diverged\nexit code: 3\n")):
        text = (folder / point / "FAILED").read_text()
        check(f"FAILED of {point} says why, for people and programs",
              text.endswith(words) and "hint:" in text, text)
    now = {p["point"]: p for p in status(path)["points"]}
    check("so does the status", now["input_seed-1"]["kind"] == "bad_input"
          and "max_positions" in now["input_seed-1"]["reason"], str(now["input_seed-1"]))

    before = (folder / "input_seed-1" / "FAILED").stat().st_mtime_ns
    again = Job(["sweep", str(path)])
    code = again.finish()
    check("failed points are left alone", code == 1 and "--retry-failed" in again.text()
          and (folder / "input_seed-1" / "FAILED").stat().st_mtime_ns == before,
          f"exit code {code}\n" + again.text()[-2000:])
    (work / "short.yaml").write_text((work / "shape.yaml").read_text())
    again = Job(["sweep", str(path), "--points", "1-2", "--retry-failed"])
    code = again.finish()
    rows = states(folder)
    check("--retry-failed tries those that were chosen again", code == 3
          and rows["input_seed-1"] == "done" and rows["infinite_seed-1"] == "failed",
          f"exit code {code} {rows}\n" + again.text()[-3000:])


def bad_shard(work):
    path = config(work, "shard", "{seeds: [1, 2]}",
                  f"shards: {{folder: {work}/own_shards}}\nlearn: {{steps: 60}}\n"
                  "checkpoint: {every_steps: 20}")
    folder = work / "results" / "shard"
    run = Job(["sweep", str(path)])
    run.until(lambda: steps_done(folder, "seed-1") >= 3)
    shard = next((work / "own_shards").rglob("test-00000.h5"))
    with shard.open("r+b") as file:
        file.seek(900)
        file.write(b"x")
    code = run.finish()
    rows = index_of(folder)
    check("a shard that rots under a job fails its points as bad_shard, by name",
          code == 2 and [r["kind"] for r in rows.values()] == ["bad_shard"] * 2
          and "test-00000.h5" in rows["seed-1"]["reason"], f"exit code {code} {rows}")
    again = Job(["sweep", str(path), "--retry-failed"])
    code, log = again.finish(), again.text()
    check("--retry-failed makes it again and goes on from the checkpoints",
          code == 0 and set(states(folder).values()) == {"done"} and "going on at step" in log,
          f"exit code {code}\n{log[-3000:]}")


def reproducible(work):
    """What a run folder says about itself is enough to make it again."""
    folder = work / "results" / "many" / "gamma-0.5_seed-2"
    record = json.loads((folder / "provenance.json").read_text())
    shown = subprocess.run(["sha256sum", folder / "config.yaml"], capture_output=True, text=True)
    check("provenance.json names command, config, shards and versions",
          record["config_sha256"] == shown.stdout.split()[0] and "sweep" in record["command"]
          and record["shards"]["content_sha256"] and record["libraries"]["libtorch"]
          and record["version"] and record["revision"] and record["host"]
          and record["steps"] == 604 and record["finished"], str(record))
    command = record["reproduce"]
    check("and the command that makes it again", command.endswith(
        f"straq run --from {folder}/config.yaml"), command)
    arguments = command.split("straq ", 1)[1].split()
    again = Job(arguments)
    code = again.finish()
    made = work / "results" / "reproduced" / "many_gamma-0.5_seed-2" / "seed-2"
    same = code == 0 and all((made / f).read_bytes() == (folder / f).read_bytes() for f in
                             ("metrics.jsonl", "predictions/test.jsonl", "planner/model.safetensors"))
    check("which does, to the bit", same, f"exit code {code}\n" + again.text()[-3000:])


def main():
    if reason := reason_to_skip():
        print(f"skipped: {reason}")
        return 77
    with tempfile.TemporaryDirectory(prefix="straq-sweep-") as folder:
        work = pathlib.Path(folder)
        prepare(work, (4, 60), "evaluate: {splits: [test], replicates: 100}\n")
        for part in (lists_and_choices, many_jobs, killed, failing, bad_shard, reproducible):
            part(work)
        left = [str(p) for p in work.rglob("*") if ".tmp" in p.name]
        check("no temporary files are left", not left, str(left))
    print(f"{shared.failures} failed")
    return 1 if shared.failures else 0


if __name__ == "__main__":
    sys.exit(main())
