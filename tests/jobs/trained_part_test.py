"""Training a part of a model that another run has left: frozen layers with stored states, an adapter,
a readout alone. Resumed to the bit, the same on several learners, asked like any planner.

STRAQ is the program. Uses a tiny simulated corpus.
"""
import json
import pathlib
import shutil
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "faults"))
import job as shared  # noqa: E402
from job import PROGRAM, check  # noqa: E402

PARTS = {
    "upper": ["learn.freeze.layers=1"],
    "adapter": ["model.lora={rank: 2, alpha: 4}", "learn.freeze.layers=1"],
    "readout": ["learn.freeze.layers=all", "q.readout=state_head", "q.head_width=8", "q.prior=0.5",
                "learn.planner=ce"],
}


def straq(*arguments, ranks=1):
    launcher = ["mpirun", "-n", str(ranks)] if ranks > 1 else []
    done = subprocess.run([*launcher, PROGRAM, *map(str, arguments)], capture_output=True, text=True,
                          timeout=shared.PATIENCE)
    return done.returncode, done.stdout + done.stderr


def losses(run):
    return [json.loads(line)["loss"] for line in (run / "metrics.jsonl").read_text().splitlines()]


def weights(run):
    return json.loads((run / "provenance.json").read_text())["weights_sha256"]


def near(a, b):
    return len(a) == len(b) and all(abs(x - y) <= 1e-4 * abs(x) for x, y in zip(a, b))


def settings(*more):
    return [word for setting in more for word in ("--set", setting)]


def main():
    reason = shared.reason_to_skip()
    if reason:
        print("skipped:", reason)
        return 77
    with tempfile.TemporaryDirectory() as name:
        work = pathlib.Path(name)
        shared.write_tiny(work, "train: 10, valid: 3, test: 3",
                          "learn: {steps: 6, batch: 8, lr: 5.0e-3, target: {every: 2}}\n"
                          "evaluate: {replicates: 100}\n"
                          "checkpoint: {every_steps: 3, keep_last: 9}\n")
        shape = work / "shape.yaml"
        shape.write_text(shape.read_text().replace("layers: 1", "layers: 3"))
        config = work / "tiny.yaml"
        code, said = straq("run", config)
        check("a first model is trained", code == 0, said)
        base = work / "base"
        (work / "results/tiny/seed-1/planner").rename(base)
        start = [f"model.from={base}", "tokenizer.train=null", f"tokenizer.path={base}"]
        for part, own in PARTS.items():
            common = settings(*start, *own)
            code, said = straq("run", config, *common, *settings(f"name={part}"))
            run = work / "results" / part / "seed-1"
            check(f"{part}: trained", code == 0 and (run / "DONE").exists(), said)
            check(f"{part}: the loss has changed", len(set(losses(run))) > 3, losses(run))
            before = weights(run)
            whole = (base / "model.safetensors").stat().st_size
            for state in (run / "checkpoints").glob("step-*/state-*"):
                check(f"{part}: {state.parent.name} holds what is trained alone",
                      state.stat().st_size < 0.9 * 4 * whole)

            (run / "DONE").unlink()
            shutil.rmtree(run / "checkpoints/step-00000006")
            code, said = straq("run", config, *common, *settings(f"name={part}"))
            check(f"{part}: resumed to the bit", code == 0 and "going on at step 3" in said
                  and weights(run) == before, said)

            code, said = straq("run", config, *common,
                               *settings(f"name={part}-none", "learn.freeze.store=none"))
            other = work / "results" / f"{part}-none" / "seed-1"
            check(f"{part}: without stored states the same curve",
                  code == 0 and near(losses(run), losses(other)), said)

            code, said = straq("run", config, *common,
                               *settings(f"name={part}-two", "learn.zero1=true"), ranks=4)
            other = work / "results" / f"{part}-two" / "seed-1"
            check(f"{part}: several learners with ZeRO-1, the same curve",
                  code == 0 and near(losses(run), losses(other)), said)

            code, said = straq("evaluate", run)
            check(f"{part}: scored again from its planner's folder", code == 0, said)
            code, said = straq("ask", run / "planner", work / "corpus/test.txt", "--format", "json")
            check(f"{part}: the planner is asked", code == 0 and '"chosen"' in said, said)
        check("the adapter lies beside the planner",
              (work / "results/adapter/seed-1/planner/adapter/adapter_config.json").exists())

        code, said = straq("run", config, *settings(*start, "name=no", "learn.freeze.layers=all",
                                                    "q.readout=state_head", "learn.objective.lm=1"))
        check("text with every layer frozen is refused", code == 2 and "learn from text" in said, said)
        code, said = straq("run", config, *settings(*start, "name=no", "learn.freeze.layers=9"))
        check("more frozen layers than there are are refused",
              code == 2 and "learn.freeze.layers is 9" in said, said)
    return 1 if shared.failures else 0


if __name__ == "__main__":
    sys.exit(main())
