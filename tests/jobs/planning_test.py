"""Planners in the simulator, from a config to a table: values beside a corpus, a run that learns from
the corpus's own rewards and is played at its end, `straq evaluate --simulator`, the report's table
and figure, and what is refused.

STRAQ is the program. Uses a tiny corpus; under a minute.
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

SOURCE = pathlib.Path(os.environ.get("STRAQ_SOURCE", pathlib.Path(__file__).resolve().parents[2]))


def straq(*arguments):
    return subprocess.run([PROGRAM, *map(str, arguments)], capture_output=True, text=True,
                          timeout=300, cwd=SOURCE)


def write_configs(work):
    (work / "world.yaml").write_text(f"base: {SOURCE}/configs/simulate/planning.yaml\nseed: 3\n"
                                     "dialogues: {train: 12, valid: 3, test: 4}\n")
    (work / "shape.yaml").write_text(
        "{vocab: 0, hidden: 16, layers: 1, heads: 2, kv_heads: 1, inner: 32, "
        "max_positions: 2048}\n")
    (work / "x.yaml").write_text(f"""name: x
results: {work}/results
simulate: {{config: {work}/world.yaml, folder: {work}/corpus}}
data: {{train: {work}/corpus/train.txt, valid: {work}/corpus/valid.txt,
       test: {work}/corpus/test.txt, strategies: {SOURCE}/configs/strategies/esconv.yaml}}
tokenizer: {{train: {{kind: byte_bpe, vocab_size: 300}}}}
prompt: {{template: {SOURCE}/configs/prompts/compact.yaml, window: 1024}}
shards: {{folder: {work}/shards}}
model: {{shape: {work}/shape.yaml, device: cpu}}
learn: {{batch: 8, steps: 3, lr: 1.0e-3, gamma: 0.9, reward: {{kind: recorded}}}}
evaluate: {{replicates: 100, play: 6}}
threads: 1
""")


def test_values(work):
    made = straq("--format", "json", "simulate", work / "world.yaml", "--out", work / "corpus",
                 "--values", "--play", 40, "--gammas", 0.5, 1, "--threads", 1)
    check("values are made", made.returncode == 0, made.stderr)
    values = json.loads((work / "corpus/values.json").read_text())
    check("values are printed", json.loads(made.stdout)["values"] == values, made.stdout)
    share = {name: p["share"] for name, p in values["policies"].items()}
    check("who sees more earns more",
          share["fixed_plan"] < share["point_based"] < share["optimum"] == 1, share)
    check("imitation and greed are far below", max(share["likeliest"], share["greedy"]) < 0.85,
          share)
    names = sorted(p.name for p in (work / "corpus/values").iterdir())
    check("a file a discount", names == ["gamma-0.5.jsonl", "gamma-1.jsonl"], names)
    lone = straq("simulate", work / "world.yaml", "--out", work / "corpus", "--play", 40)
    check("--play needs --values", lone.returncode == 2 and "--values" in lone.stderr, lone.stderr)


def test_run(work):
    run = work / "results/x/seed-1"
    done = straq("run", work / "x.yaml")
    check("a planner is trained on recorded rewards", done.returncode == 0, done.stderr)
    played = json.loads((run / "simulation.json").read_text())
    check("it was played", played["dialogues"] == 6 and sum(played["outcomes"].values()) == 6,
          played)
    check("in its own units", played["same_units"] and "mean_absolute" in played["q"]["data"],
          played["q"])
    check("its discount is that of Q*", played["q_gamma"] == 0.9, played["q_gamma"])
    check("no planner beats the optimum",
          played["value"]["mean"] <= played["exact"]["optimum"] + 1e-9, played)
    return run, played


def test_evaluate(work, run, before):
    again = straq("evaluate", run, "--simulator")
    check("it is played again", again.returncode == 0, again.stderr)
    after = json.loads((run / "simulation.json").read_text())
    check("with the same numbers", abs(after["value"]["mean"] - before["value"]["mean"]) < 1e-6
          and after["outcomes"] == before["outcomes"], (before["value"], after["value"]))
    more = straq("evaluate", run, "--simulator", work / "world.yaml", "--dialogues", 9)
    after = json.loads((run / "simulation.json").read_text())
    check("in a world by name, as often as asked",
          more.returncode == 0 and after["dialogues"] == 9 and "x/seed-1" in more.stdout,
          more.stdout + more.stderr)


def test_report(work):
    made = straq("report", work / "results")
    table = (work / "results/report/tables/planning.csv").read_text()
    check("the report has the table", made.returncode == 0 and "optimum" in table
          and "best reader" in table, table)
    figures = [p.name for p in (work / "results/report/figures").iterdir()]
    check("and the figure", any(n.startswith("q_exact") and n.endswith(".dat") for n in figures),
          figures)


def test_refusals(work):
    text = (work / "x.yaml").read_text()
    lines = [line for line in text.splitlines() if not line.startswith("simulate:")]
    (work / "real.yaml").write_text("\n".join(lines))
    real = straq("run", work / "real.yaml")
    check("nobody is played without a simulator",
          real.returncode == 2 and "evaluate.play" in real.stderr, real.stderr)
    missing = straq("evaluate", work / "nowhere", "--simulator")
    check("a run that is not there is named",
          missing.returncode == 2 and "nowhere" in missing.stderr, missing.stderr)


def main():
    if not PROGRAM or not os.access(PROGRAM, os.X_OK):
        print(f"skipped: no program at {PROGRAM!r}")
        return 77
    with tempfile.TemporaryDirectory() as folder:
        work = pathlib.Path(folder)
        write_configs(work)
        test_values(work)
        run, played = test_run(work)
        test_evaluate(work, run, played)
        test_report(work)
        test_refusals(work)
    return 1 if shared.failures else 0


if __name__ == "__main__":
    sys.exit(main())
