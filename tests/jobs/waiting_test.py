"""Math threads wait without a core of their own, unless the environment says otherwise.

STRAQ is the program.
"""
import os
import pathlib
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "faults"))
import job as shared  # noqa: E402
from job import PROGRAM, check  # noqa: E402


def environment_of(given):
    """The environment that the program runs in, from one that waits for its input."""
    plain = {k: v for k, v in os.environ.items()
             if k not in ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT", "OMP_NUM_THREADS")}
    process = subprocess.Popen([PROGRAM, "tokenizer", "encode", str(TOKENIZER)], env={**plain, **given},
                               stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    # What it answers comes from the program that goes on, not from the one that was started.
    process.stdin.write("hello\n" * 2000)
    process.stdin.flush()
    process.stdout.readline()
    entries = pathlib.Path(f"/proc/{process.pid}/environ").read_bytes().split(b"\0")
    process.kill()
    process.wait()
    return dict(e.decode().split("=", 1) for e in entries if b"=" in e)


with tempfile.TemporaryDirectory() as folder:
    text = pathlib.Path(folder) / "text.txt"
    text.write_text("hello there, how are you today\n" * 50)
    subprocess.run([PROGRAM, "tokenizer", "train", "--vocab", "270", "--out", folder, str(text)],
                   check=True, stdout=subprocess.DEVNULL)
    TOKENIZER = next(pathlib.Path(folder).glob("*/tokenizer.json"))
    found = environment_of({"STRAQ_KEPT": "a b"})
    check("threads sleep while they wait", found.get("OMP_WAIT_POLICY") == "passive", str(found))
    check("the rest of the environment stays", found.get("STRAQ_KEPT") == "a b", str(found))
    for name, value in (("OMP_WAIT_POLICY", "active"), ("GOMP_SPINCOUNT", "100"), ("OMP_NUM_THREADS", "1")):
        found = environment_of({name: value})
        check(f"{name}={value} is left as it is", found.get(name) == value
              and found.get("OMP_WAIT_POLICY", value) == value, str(found))
sys.exit(1 if shared.failures else 0)
