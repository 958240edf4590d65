"""What a config and a command line may hold, by running the program: bytes that are no UTF-8, values
that a shell or YAML would cut, sections left empty, settings without effect, results that do not
reach their reader, and jobs that are submitted from another folder."""
import json
import os
import pathlib
import resource
import shutil
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "faults"))
import job as shared  # noqa: E402
from job import PROGRAM, check, write_tiny  # noqa: E402

SOURCE = pathlib.Path(os.environ.get("STRAQ_SOURCE", os.getcwd()))


def straq(*arguments, ranks=1, **options):
    launcher = [b"mpirun", b"-n", str(ranks).encode()] if ranks > 1 else []
    words = [a if isinstance(a, bytes) else os.fsencode(str(a)) for a in arguments]
    done = subprocess.run(launcher + [os.fsencode(PROGRAM)] + words, capture_output=True,
                          timeout=200, check=False, **{"cwd": SOURCE, **options})
    done.said = done.stderr.decode(errors="replace")
    return done


def bytes_of_paths(work):
    """A folder and a config whose names are Latin-1: all ranks find them, and --from does."""
    folder = os.fsencode(str(work)) + b"/caf\xe9"
    os.mkdir(folder)
    config = folder + b"/caf\xe9.yaml"
    shutil.copy(os.fsencode(str(work / "tiny.yaml")), config)
    sets = [b"--set", b"results=" + folder + b"/results", b"--set", b"shards.folder=" + folder,
            b"--set", b"evaluate.splits=[test]"]
    for ranks in (1, 3):
        done = straq("run", config, *sets, "--set", f"name=r{ranks}", ranks=ranks)
        run = folder + b"/results/r%d/seed-1" % ranks
        check(f"paths that are no UTF-8, {ranks} ranks",
              done.returncode == 0 and os.path.exists(run + b"/DONE"), done.said[-2000:])
        if os.path.exists(run + b"/provenance.json"):
            with open(run + b"/provenance.json", encoding="utf-8") as file:
                json.load(file)
    done = straq("run", "--from", folder + b"/results/r1/seed-1")
    check("and the recorded config leads to them again",
          done.returncode == 0 and os.path.exists(folder + b"/results/reproduced/r1/seed-1/DONE"),
          done.said[-2000:])


def values_of_the_command_line(work, tiny):
    done = straq("train", tiny, "--set", f"results={work}/exp #2")
    check("a # in a value is part of it", (work / "exp #2" / "tiny" / "seed-1" / "DONE").exists(),
          done.said[-1500:])
    done = straq("run", tiny, "--set", "learn=")
    check("nothing for a section is refused", done.returncode == 2 and "learn" in done.said,
          done.said)
    done = straq("run", tiny, "--set", "evaluate.replicates=4294967396")
    check("a number beyond what is counted with is refused",
          done.returncode == 2 and "--set evaluate.replicates" in done.said, done.said)
    done = straq("estimate", tiny, "--set", "prompt.template=${STRAQ_TEST_NOTHING}/x")
    check("an unset variable names its key",
          done.returncode == 2 and "prompt.template" in done.said, done.said)


def settings(work, tiny):
    child = work / "child.yaml"
    child.write_text("base: tiny.yaml\nname: child\nlearn:\n  # batch: 4\n")
    done = straq("train", child)
    recorded = work / "results" / "child" / "seed-1" / "config.yaml"
    check("a section of comments keeps the base's",
          done.returncode == 0 and "batch: 8" in recorded.read_text(), done.said[-1500:])
    done = straq("train", tiny, "--set", "name=ce", "--set", "learn.planner=ce", "--set",
                 "learn.cql.alpha=1", "--set", "learn.gamma=0.5")
    told = [line for line in done.said.splitlines() if "changes nothing" in line]
    check("each setting without effect is told once, and the run goes on",
          done.returncode == 0 and len(told) == 2 and "learn.planner" in done.said, done.said)
    done = straq("train", "--from", work / "results" / "ce" / "seed-1")
    check("what a recorded config spells out is not told",
          done.returncode == 0 and "changes nothing" not in done.said, done.said)
    done = straq("run", tiny, "--set", "pretrain.objective.lm=1")
    check("a stage without a length is refused",
          done.returncode == 2 and "pretrain" in done.said, done.said)


def files_that_are_none(work):
    def limited():
        resource.setrlimit(resource.RLIMIT_AS, (4 << 30, 4 << 30))

    levels = ["a0: &a0 [x,x,x,x,x,x,x,x,x]"]
    levels += [f"a{i}: &a{i} [{','.join([f'*a{i - 1}'] * 9)}]" for i in range(1, 10)]
    bomb = "name: x\n" + "\n".join(levels) + "\n"
    foreign = work / "foreign" / "x" / "seed-1"
    foreign.mkdir(parents=True)
    (foreign / "config.yaml").write_text(bomb)
    done = straq("report", work / "foreign", "--out", work / "foreign-report",
                 preexec_fn=limited)
    check("a results folder with anchors that multiply ends within bounds",
          done.returncode == 0 and b"too many" in done.stdout, done.said[-1500:])
    for name, content in {"lfs.yaml": b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n",
                          "wide.yaml": "name: x".encode("utf-16"), "zero.yaml": b"a: \0\n",
                          "bomb.yaml": bomb.encode(), "empty.yaml": b"", "list.yaml": b"- 1\n",
                          "tab.yaml": b"learn:\n\tbatch: 8\n"}.items():
        (work / name).write_bytes(content)
        done = straq("run", work / name, preexec_fn=limited)
        check(f"{name} is refused by name", done.returncode == 2 and name in done.said
              and "unexpected" not in done.said, done.said)
    for path in (work, "x" * 5000, work / "absent.yaml", "/dev/null/x"):
        done = straq("run", path)
        check(f"no config at {str(path)[:40]}", done.returncode == 2
              and "unexpected" not in done.said, done.said[:500])


def lost_results(work, tiny):
    results = work / "results"
    commands = {"estimate": ["estimate", tiny], "JSON of estimate": ["--format", "json", "estimate",
                                                                     tiny],
                "simulate": ["simulate", work / "corpus.yaml", "--out", work / "sim"],
                "submit": ["submit", tiny, "--dry-run"], "help": ["--help"],
                "version": ["--version"], "help of a command": ["run", "--help"],
                "dataset": ["dataset", "stats", work / "corpus" / "train.txt"],
                "model": ["model", "inspect", results / "tiny" / "seed-1" / "planner"],
                "report": ["report", results, "--out", work / "report"],
                "doctor": ["doctor", "--results", results, "--need-gb", "0"]}
    for name, words in commands.items():
        arguments = [str(w) for w in words]
        with open("/dev/full", "wb") as full:
            done = subprocess.run([PROGRAM] + arguments, stdout=full, stderr=subprocess.PIPE,
                                  cwd=SOURCE, timeout=100, check=False)
        check(f"{name}: a full disk is a failure", done.returncode == 1
              and b"standard output" in done.stderr, done.stderr[-800:])
        done = subprocess.run(["bash", "-c", '"$@" >&-', "x", PROGRAM] + arguments, cwd=SOURCE,
                              stderr=subprocess.PIPE, timeout=100, check=False)
        check(f"{name}: so is a closed one", done.returncode == 1
              and b"standard output" in done.stderr, done.stderr[-800:])
    done = subprocess.run(
        ["bash", "-c", '"$@" | true; exit "${PIPESTATUS[0]}"', "x", PROGRAM, "run", "--help"],
        cwd=SOURCE, stderr=subprocess.PIPE, timeout=100, check=False)
    check("a reader that went away is not worth a word", done.stderr == b"", done.stderr)


def submitted_from_elsewhere(work, tiny):
    elsewhere = work / "else where"
    elsewhere.mkdir()
    shutil.copy(tiny, elsewhere / "mine.yaml")
    binaries = work / "bin"
    binaries.mkdir()
    sbatch = binaries / "sbatch"
    # Runs the script at once, as Slurm would: in the folder that sbatch was called in.
    sbatch.write_text('#!/bin/bash\nwhile [[ "$1" == -* ]]; do shift; done\n'
                      'bash "$@" >&2; echo 7\n')
    program = binaries / "program"
    program.write_text('#!/bin/bash\necho "in $PWD: $*"\n')
    for path in (sbatch, program):
        path.chmod(0o755)
    environment = {k: v for k, v in os.environ.items() if not k.startswith("SLURM_")}
    environment.update(PATH=f"{binaries}:{os.environ['PATH']}", STRAQ_HOME=str(SOURCE),
                       STRAQ_PROGRAM=str(program), STRAQ_LAUNCHER="mpirun")
    done = straq("submit", "mine.yaml", "--dry-run", "--set", "results=here", cwd=elsewhere,
                 env=environment)
    ran = subprocess.run(["bash"], input=done.stdout, cwd=work, env=environment,
                         capture_output=True, timeout=100, check=False)
    said = (ran.stdout + ran.stderr).decode(errors="replace")
    place = f"in {elsewhere}: "
    check("jobs run where they were submitted", done.returncode == 0
          and f"{place}preprocess {elsewhere}/mine.yaml --set results=here" in said
          and f"{place}run {elsewhere}/mine.yaml" in said
          and f"{place}report {elsewhere}/here/tiny" in said, done.said + said)


def main():
    if not PROGRAM or not os.access(PROGRAM, os.X_OK) or not shutil.which("mpirun"):
        print("no program, or no mpirun")
        return 77
    with tempfile.TemporaryDirectory() as name:
        work = pathlib.Path(name)
        tiny = write_tiny(work, "train: 6, valid: 3, test: 3",
                          "evaluate: {replicates: 100}\nlearn: {batch: 8, steps: 2, lr: 1e-3}\n")
        done = straq("run", tiny)
        check("the tiny config runs without a warning of its settings",
              done.returncode == 0 and "changes nothing" not in done.said, done.said[-2000:])
        values_of_the_command_line(work, tiny)
        settings(work, tiny)
        files_that_are_none(work)
        lost_results(work, tiny)
        submitted_from_elsewhere(work, tiny)
        bytes_of_paths(work)
    return 1 if shared.failures else 0


sys.exit(main())
