"""A reward of one's own: one source file (rated_reward.cpp beside this) and one config. It trains,
is evaluated by its own returns and stands in the tables by its own name, beside imitation.

STRAQ_BUILD has the program with that reward, STRAQ the one without. Tiny simulated corpus; seconds.
"""
import csv
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "faults"))
import job as shared  # noqa: E402
from job import PROGRAM, check  # noqa: E402

SOURCE = os.environ.get("STRAQ_SOURCE", str(pathlib.Path(__file__).resolve().parents[2]))
WITH_REWARD = os.path.join(os.environ.get("STRAQ_BUILD", ""), "tests", "straq_with_reward")
GAMMA, SCALE = 0.85, 0.5


def start(program, *arguments):
    return subprocess.run([program, *map(str, arguments)], capture_output=True, text=True,
                          timeout=240)


def rated(line):
    """A dialogue in which the seeker rates every second supporter turn that was answered."""
    dialogue = json.loads(line)
    for i, utterance in enumerate(dialogue["dialog"]):
        if utterance["speaker"] == "usr" and i >= 2 and i % 4 == 2:
            utterance["feedback"] = str(1 + (i // 4) % 5)
    return json.dumps(dialogue)


def config_of(work, name, corpus, lines):
    path = work / f"{name}.yaml"
    path.write_text(f"""name: {name}
results: {work}/results
data: {{name: esconv, train: {work}/{corpus}/train.txt, valid: {work}/{corpus}/valid.txt, test: {work}/{corpus}/test.txt}}
tokenizer: {{train: {{kind: byte_bpe, vocab_size: 300}}}}
prompt: {{template: {SOURCE}/configs/prompts/compact.yaml, window: 2048}}
shards: {{folder: {work}/shards}}
model: {{shape: {work}/shape.yaml}}
evaluate: {{replicates: 100}}
threads: 1
{lines}
""")
    return path


def returns_of(work, run):
    """The returns of a run's predictions, and those that the corpus's ratings give by hand."""
    ratings = {}
    for number, line in enumerate((work / "rated" / "test.txt").read_text().splitlines()):
        dialogue, turn, last = json.loads(line)["dialog"], -1, None
        for i, utterance in enumerate(dialogue):
            merged = i > 0 and dialogue[i - 1]["speaker"] == utterance["speaker"]
            turn += not merged
            if utterance["speaker"] == "sys":
                last = turn
            elif utterance.get("feedback") and last is not None:
                ratings[f"test/{number:05d}:{last}"] = int(utterance["feedback"])
    rows = [json.loads(line) for line in (run / "predictions" / "test.jsonl").read_text().splitlines()]
    found = [row["return"] for row in rows]
    wanted, after = [], {}
    for row in reversed(rows):
        rating = ratings.get(row["id"])
        reward = SCALE * (rating - 3) if rating else 0
        after[row["dialogue"]] = reward + GAMMA * after.get(row["dialogue"], 0)
        wanted.append(after[row["dialogue"]])
    return found, wanted[::-1]


def run(work):
    (work / "corpus.yaml").write_text(f"base: {SOURCE}/configs/simulate/seeker.yaml\nseed: 3\n"
                                      "dialogues: {train: 12, valid: 3, test: 4}\n")
    (work / "shape.yaml").write_text(
        "{vocab: 0, hidden: 16, layers: 1, heads: 2, kv_heads: 1, inner: 32, "
        "max_positions: 2048}\n")
    made = start(PROGRAM, "simulate", work / "corpus.yaml", "--out", work / "plain")
    check("a corpus is simulated", made.returncode == 0, made.stderr)
    (work / "rated").mkdir()
    for file in (work / "plain").glob("*.txt"):
        lines = map(rated, file.read_text().splitlines())
        (work / "rated" / file.name).write_text("\n".join(lines) + "\n")

    learn = "learn: {batch: 8, steps: 2, lr: 1.0e-3, neg: {ratio: 2}, reward: {scale: 0.5%s}}\n"
    both = config_of(work, "both", "rated", learn % "" +
                     "sweep: {grid: {learn.reward.kind: [imitation, rated]}}")
    done = start(WITH_REWARD, "sweep", both)
    check("a sweep over both rewards trains", done.returncode == 0, done.stderr[-3000:])
    check("and warns of no setting that one of them has", "changes nothing" not in done.stderr,
          done.stderr)
    runs = {p.name: p for p in (work / "results" / "both").iterdir() if (p / "DONE").exists()}
    own = [p for name, p in runs.items() if "rated" in name]
    check("both points are done", len(runs) == 2 and len(own) == 1, str(list(runs)))
    if not own:
        return
    provenance = json.loads((own[0] / "provenance.json").read_text())["reward"]
    check("the run says what its reward is called",
          provenance == {"kind": "rated", "method": "straq_rated", "title": "straQ*-rated",
                         "imitation": False}, str(provenance))
    config = (own[0] / "config.yaml").read_text()
    check("its config holds its own settings and not imitation's",
          "scale: 0.5" in config and "expert" not in config and "neg:" not in config, config)
    found, wanted = returns_of(work, own[0])
    check("returns are those of the ratings", len(found) == len(wanted) > 0 and any(wanted) and
          all(abs(a - b) < 1e-9 for a, b in zip(found, wanted)), f"{found} {wanted}")
    steps = [json.loads(x) for x in (own[0] / "metrics.jsonl").read_text().splitlines()]
    check("it was trained by the Bellman equation", all("td_loss" in s for s in steps), str(steps))

    # By the program that has the reward and by the one that has not: the run says enough.
    for program in (WITH_REWARD, PROGRAM):
        out = work / ("report-" + os.path.basename(program))
        report = start(program, "report", work / "results", "--out", out)
        table = next(iter(out.rglob("table1.csv")), None)
        rows = list(csv.reader(table.open())) if table else []
        names = [row[0] for row in rows if "both/kind-" in "".join(row)]
        check(f"{os.path.basename(program)} reports both by their names",
              report.returncode == 0 and sorted(names) == ["straQ*-imit", "straQ*-rated"],
              f"{names} {rows} {report.stderr[-2000:]}")

    alone = start(WITH_REWARD, "run", config_of(work, "alone", "rated", learn % ", kind: rated"))
    check("alone, a setting of imitation is told to change nothing", alone.returncode == 0 and
          "learn.neg.ratio changes nothing: learn.reward.kind is rated" in alone.stderr,
          alone.stderr[-3000:])
    bare = start(WITH_REWARD, "run", config_of(
        work, "bare", "plain", "learn: {batch: 8, steps: 2, reward: {kind: rated}}"))
    check("a corpus without ratings is refused by the name of the column",
          bare.returncode == 2 and "decision/rating" in bare.stderr, bare.stderr[-3000:])
    unknown = start(PROGRAM, "run", config_of(
        work, "unknown", "rated", "learn: {reward: {kind: rated}}"))
    check("the program without it names those that it has",
          unknown.returncode == 2 and "choose one of: imitation" in unknown.stderr, unknown.stderr)


def main():
    for program in (PROGRAM, WITH_REWARD):
        if not program or not os.access(program, os.X_OK):
            print(f"skipped: no program at {program!r}")
            return 77
    work = pathlib.Path(tempfile.mkdtemp())
    try:
        run(work)
    finally:
        shutil.rmtree(work, ignore_errors=True)
    return 1 if shared.failures else 0


if __name__ == "__main__":
    sys.exit(main())
