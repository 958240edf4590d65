"""`--ranks N`: the program starts its own ranks, on fewer cores than ranks and as whoever it is; and how
many threads a learner takes.

STRAQ is the program. Uses a tiny simulated corpus.
"""
import json
import os
import pathlib
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "faults"))
import job as shared  # noqa: E402
from job import PROGRAM, check  # noqa: E402


def straq(*arguments, launcher=(), **variables):
    """With what the test's own environment says to Open MPI taken out: a newcomer's has nothing."""
    clean = {k: v for k, v in os.environ.items()
             if not k.startswith(("OMPI_MCA", "OMPI_ALLOW", "PRTE_", "OMP_", "MKL_"))}
    done = subprocess.run([*launcher, PROGRAM, *map(str, arguments)], capture_output=True, text=True,
                          timeout=shared.PATIENCE, env={**clean, **variables})
    return done.returncode, done.stdout + done.stderr


def provenance(work, name):
    return json.loads((work / "results" / name / "seed-1/provenance.json").read_text())


def main():
    reason = shared.reason_to_skip()
    if reason:
        print("skipped:", reason)
        return 77
    with tempfile.TemporaryDirectory() as name:
        work = pathlib.Path(name)
        config = shared.write_tiny(work, "train: 6, valid: 2, test: 2",
                                   "learn: {steps: 2, batch: 8}\nevaluate: {replicates: 100}\n")
        config.write_text(config.read_text().replace("threads: 1\n", ""))
        code, said = straq("run", "--ranks", 4, config, "--set", "name=four", OMP_NUM_THREADS="1")
        check("four ranks start themselves", code == 0, said)
        check("two of them learn", provenance(work, "four")["learners"] == 2)
        code, said = straq("run", config, "--ranks=3", "--set", "name=three", "--quiet")
        check("the number may stand anywhere", code == 0 and
              provenance(work, "three")["learners"] == 1, said)

        code, said = straq("run", config, "--ranks", 2, "--set", "name=no")
        check("too few are refused once, and quietly", code == 2 and said.count("at least 3 ranks") == 1
              and "MPI_ABORT" not in said, said)
        code, said = straq("run", config, "--ranks", 4, "--set", "learn.gama=1")
        check("a user's error is said once", code == 2 and said.count("unknown key") == 1
              and "MPI_ABORT" not in said, said)
        root = ["--allow-run-as-root"] if os.geteuid() == 0 else []
        code, said = straq("run", config, "--ranks", 4, launcher=["mpirun", "-n", "1", *root])
        check("under a launcher it is refused", code == 2 and "leave --ranks out" in said, said)
        code, said = straq("run", config, "--ranks", 4, "--set", "name=lost", PATH="/nowhere")
        check("without mpirun it is said", code == 1 and "cannot start mpirun" in said, said)

        for threads, more, variables in ((2, [], {"OMP_NUM_THREADS": "2"}),
                                         (3, ["--set", "threads=3"], {"OMP_NUM_THREADS": "1"}),
                                         (len(os.sched_getaffinity(0)), [], {})):
            own = ["--set", f"name=threads{threads}-{len(more)}-{len(variables)}"]
            code, said = straq("run", config, *own, *more, **variables)
            found = provenance(work, own[1].split("=")[1])["threads"]
            check(f"{threads} threads by {more or variables or 'the cores'}",
                  code == 0 and found == threads, said)
    return 1 if shared.failures else 0


if __name__ == "__main__":
    sys.exit(main())
