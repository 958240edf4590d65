"""Preprocessing that is killed, or whose disk is full, loses nothing and leaves nothing that is
believed wrongly.

The shards of a simulated corpus are made once undisturbed and once with the whole job killed
(SIGKILL) at random moments; before each start a rerun must find every shard that was whole, and the
end must be the same files to the byte. The corpus is packed, and with a limit on the size of files
(as a full disk has it) the job ends with a message.

STRAQ is the program. STRAQ_FAULT_KILLS: kills in all (default 20).
"""
import hashlib
import json
import os
import pathlib
import random
import re
import resource
import sys
import tempfile
import time

import job as shared
from job import Job, check, reason_to_skip, straq, write_tiny

KILLS = int(os.environ.get("STRAQ_FAULT_KILLS", "20"))
SEED = int(os.environ.get("STRAQ_FAULT_SEED", "1"))


def whole(folder):
    """SHA-256 of every shard, and what the manifest says of each."""
    files = {p.name: hashlib.sha256(p.read_bytes()).hexdigest() for p in folder.rglob("*.h5")}
    manifest = json.loads(next(folder.glob("*/manifest.json")).read_text())
    records = {s["file"]: s["record"] for s in manifest["shards"]}
    return files, records


def left_to_make(log):
    found = re.search(r": (\d+) of (\d+) shards to be made", log)
    return (int(found.group(1)), int(found.group(2))) if found else (None, None)


def main():
    if reason := reason_to_skip():
        print(f"skipped: {reason}")
        return 77
    with tempfile.TemporaryDirectory(prefix="straq-preprocess-") as name:
        work = pathlib.Path(name)
        write_tiny(work, "train: 6000, valid: 40, test: 0", "")
        straq("simulate", work / "corpus.yaml", "--out", work / "corpus")
        straq("dataset", "convert", work / "corpus/train.txt", "--out", work / "packed/train.jsonl.zst")

        def arguments(shards, *more):
            sets = [f"data.train={work}/packed/train.jsonl.zst", "data.test=",
                    f"shards.folder={work}/{shards}", "shards.dialogues_per_shard=100",
                    "roles.preprocessors=2", *more]
            out = ["preprocess", str(work / "tiny.yaml")]
            for item in sets:
                out += ["--set", item]
            return out

        begin = time.monotonic()
        first = Job(arguments("undisturbed"), 3)
        code = first.finish()
        seconds = time.monotonic() - begin
        check("a packed corpus becomes shards", code == 0, first.text()[-3000:])
        reference, records = whole(work / "undisturbed")
        check("of the sizes asked for", len(reference) == 61 and all(records.values()),
              f"{len(reference)} files")

        code = Job(arguments("alone"), 1).finish()
        check("one process makes the same", code == 0 and whole(work / "alone")[0] == reference)

        moments = random.Random(SEED)
        found_before, kept, met = 0, True, 0
        for _ in range(KILLS):
            there = {p.name for p in (work / "killed").rglob("*.h5")}
            job = Job(arguments("killed"), 3)
            time.sleep(moments.uniform(0.1, 1.0) * seconds)
            met += job.process.poll() is None
            job.kill()
            missing, total = left_to_make(job.text())
            if missing is not None:
                # What was whole is not made again.
                kept = kept and total - missing >= len(there)
                found_before = max(found_before, total - missing)
        check(f"{met} of {KILLS} kills met the job at work", met > KILLS // 4)
        check("every start found the shards of those before", kept, f"{found_before}")
        last = Job(arguments("killed"), 3)
        code = last.finish()
        check("what is left is made", code == 0, last.text()[-3000:])
        check("and all is as if nothing had happened", whole(work / "killed")[0] == reference)
        left = [str(p) for p in (work / "killed").rglob("*") if ".tmp" in p.name]
        check("no temporary files are left", not left, str(left))

        # The index of the corpus spares the second reading, and a changed file is read again.
        log = Job(arguments("killed"), 3)
        log.finish()
        check("nothing is made twice", left_to_make(log.text())[0] == 0, log.text()[-2000:])
        check("the corpus's index is kept", any((work / "killed/indexes").glob("*.index")))

        job = Job(arguments("full"), 1)
        # Set now: MPI needs more.
        job.until(lambda: "shards to be made" in job.text())
        resource.prlimit(job.process.pid, resource.RLIMIT_FSIZE, (9000, 9000))
        code, text = job.finish(), job.text()
        check("a full disk ends it with a message and code 1",
              code == 1 and "File too large" in text, f"exit code {code}\n" + text[-3000:])
        left = [str(p) for p in (work / "full").rglob("*.h5")]
        code = Job(arguments("full"), 3).finish()
        check("and with room again everything is made", code == 0
              and whole(work / "full")[0] == reference, f"{left}")

        # A file that is written to while it is read becomes no shard of the file before.
        text = (work / "corpus/train.txt").read_text()
        (work / "growing").mkdir()
        (work / "growing/train.txt").write_text(text)
        job = Job(arguments("growing", f"data.train={work}/growing/train.txt",
                            "shards.dialogues_per_shard=2000"), 3)
        job.until(lambda: "shards to be made" in job.text())
        with (work / "growing/train.txt").open("a") as file:
            file.write(text.splitlines()[0] + "\n")
        code, log = job.finish(), job.text()
        check("a corpus that changes meanwhile is refused by name, or was read before",
              code == 0 or (code == 2 and "train.txt: the file has changed" in log),
              f"exit code {code}\n" + log[-3000:])
    print(f"{shared.failures} failed")
    return 1 if shared.failures else 0


if __name__ == "__main__":
    sys.exit(main())
