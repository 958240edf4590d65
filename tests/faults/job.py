"""What the fault tests share: a tiny experiment, and a start of the program whose ranks can be
found, watched and killed."""
import contextlib
import os
import pathlib
import shutil
import signal
import subprocess
import tempfile
import time

PROGRAM = os.environ.get("STRAQ", "")
PATIENCE = 240  # seconds until a wait counts as a hang
DEVICE = os.environ.get("STRAQ_TEST_DEVICE", "cpu")  # tests/gpu.sh runs the same faults on a GPU
failures = 0


def check(text, good, detail=""):
    global failures
    print(("ok: " if good else "FAILED: ") + text, flush=True)
    if not good:
        failures += 1
        if detail:
            print(detail, flush=True)


def reason_to_skip():
    if not PROGRAM or not os.access(PROGRAM, os.X_OK):
        return f"no program at {PROGRAM!r}"
    return None if shutil.which("mpirun") else "no mpirun"


@contextlib.contextmanager
def environment(variables):
    """Variables of the environment that hold inside the block."""
    before = {k: os.environ.get(k) for k in variables}
    os.environ.update(variables)
    try:
        yield
    finally:
        for key, value in before.items():
            if value is None:
                del os.environ[key]
            else:
                os.environ[key] = value


class Job:
    """One start of the program, alone or under mpirun, in a session of its own."""

    def __init__(self, arguments, ranks=1):
        self.log = tempfile.TemporaryFile(mode="w+")
        launcher = ["mpirun", "-n", str(ranks)] if ranks > 1 else []
        self.process = subprocess.Popen(
            launcher + [PROGRAM, "--verbose"] + arguments, stdout=subprocess.DEVNULL,
            stderr=self.log, start_new_session=True)

    def members(self):
        """Process ids of the session: [(pid, program name)]."""
        found = []
        for entry in os.listdir("/proc"):
            if not entry.isdigit():
                continue
            try:
                stat = pathlib.Path("/proc", entry, "stat").read_text()
            except OSError:
                continue
            name, rest = stat[stat.index("(") + 1:stat.rindex(")")], stat[stat.rindex(")") + 2:]
            if int(rest.split()[3]) == self.process.pid and rest.split()[0] != "Z":
                found.append((int(entry), name))
        return found

    def ranks(self):
        """Process id of every rank, by rank."""
        out = {}
        for pid, name in self.members():
            if name != "straq":
                continue
            try:
                env = pathlib.Path("/proc", str(pid), "environ").read_bytes().split(b"\0")
            except OSError:
                continue
            rank = [e for e in env if e.startswith(b"OMPI_COMM_WORLD_RANK=")]
            out[int(rank[0].split(b"=")[1]) if rank else 0] = pid
        return out

    def kill(self):
        for pid, _ in self.members():
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        self.process.wait()

    def finish(self, patience=PATIENCE):
        try:
            return self.process.wait(timeout=patience)
        except subprocess.TimeoutExpired:
            self.kill()
            return "hang"

    def text(self):
        self.log.seek(0)
        return self.log.read()

    def until(self, condition):
        """Waits for a condition; False when the job ended first."""
        deadline = time.monotonic() + PATIENCE
        while not condition():
            if self.process.poll() is not None or time.monotonic() > deadline:
                return False
            time.sleep(0.001)
        return True


def straq(*arguments):
    """A command that is expected to end well: its standard output."""
    done = subprocess.run([PROGRAM, *map(str, arguments)], check=True, capture_output=True, text=True)
    return done.stdout


# Learners share the GPU, which NCCL does not allow.
COLLECTIVES = "" if DEVICE == "cpu" else "backend: mpi, deterministic: true"


def write_tiny(work, dialogues, more):
    """tests/tiny in `work`: tiny.yaml, `more` added, with its corpus's config and its model's shape."""
    source = pathlib.Path(__file__).resolve().parents[2]
    for name in ("corpus", "shape", "tiny"):
        text = (source / f"tests/tiny/{name}.yaml").read_text()
        for word, value in (("WORK", work), ("REPOSITORY", source), ("DIALOGUES", dialogues),
                            ("DEVICE", DEVICE)):
            text = text.replace(f"@{word}@", str(value))
        (work / f"{name}.yaml").write_text(text + (more if name == "tiny" else ""))
    return work / "tiny.yaml"


def prepare(work, steps, more=""):
    """tiny.yaml in `work`, its corpus and its shards. `steps`: of pretraining and of Q-learning."""
    write_tiny(work, "train: 12, valid: 4, test: 3",
               f"pretrain: {{objective: {{lm: 1, ce: 1}}, steps: {steps[0]}, lr: 1.0e-3}}\n"
               f"learn: {{batch: 6, steps: {steps[1]}, lr: 1.0e-3, collectives: {{{COLLECTIVES}}}}}\n"
               + more)
    straq("simulate", work / "corpus.yaml", "--out", work / "corpus")
    straq("preprocess", work / "tiny.yaml")
