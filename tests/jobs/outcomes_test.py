"""Rewards from files beside the corpus: the seekers' ratings (feedback) and a judge's scores
(distill), from `straq run` to returns that are computed by hand; lines that name nothing are told
by file and line. Tiny simulated corpus; seconds.
"""
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
GAMMA = 0.85
SPLITS = ("train", "valid", "test")


def start(*arguments):
    return subprocess.run([PROGRAM, *map(str, arguments)], capture_output=True, text=True,
                          timeout=240)


def turns_of(work, split):
    """Of each dialogue: its id and its supporter turns, (turn, index of the last utterance)."""
    out = []
    for number, line in enumerate((work / "corpus" / f"{split}.txt").read_text().splitlines()):
        turn, turns = -1, {}
        dialogue = json.loads(line)["dialog"]
        for i, utterance in enumerate(dialogue):
            turn += i == 0 or dialogue[i - 1]["speaker"] != utterance["speaker"]
            if utterance["speaker"] == "sys":
                turns[turn] = i
        out.append((f"{split}/{number:05d}", number, sorted(turns.items())))
    return out


def write_outcomes(work):
    """Ratings after every second supporter turn, judgements of all decisions but every fifth."""
    ratings, scores, rows, judged = {}, {}, [], []
    for split in SPLITS:
        for name, number, turns in turns_of(work, split):
            for k, (turn, last) in enumerate(t for t in turns if t[0] > 0):
                key = f"{name}:{turn}"
                if k % 2 == 1:
                    ratings[key] = 1 + (k + number) % 5
                    rows.append({"split": split, "dialogue": number, "after_utterance": last,
                                 "feedback": ratings[key]})
                if k % 5 != 4:
                    scores[key] = 1 + (3 * k + number) % 5 * 0.75
                    judged.append({"id": key, "dialogue": name, "overall": scores[key]})
                else:
                    judged.append({"id": key, "dialogue": name, "parsed": False})
    rows.append({"split": "train", "dialogue": 9999, "after_utterance": 3, "feedback": 3})
    judged.append({"id": "train/00000:9999", "dialogue": "train/00000", "overall": 3})
    for file, lines in (("ratings", rows), ("judged", judged)):
        (work / f"{file}.jsonl").write_text("".join(json.dumps(x) + "\n" for x in lines))
    return ratings, scores, len(rows), len(judged)


def config_of(work, name, learn):
    path = work / f"{name}.yaml"
    path.write_text(f"""name: {name}
results: {work}/results
data: {{name: esconv, train: {work}/corpus/train.txt, valid: {work}/corpus/valid.txt, test: {work}/corpus/test.txt,
       ratings: {work}/ratings.jsonl, judgements: {work}/judged.jsonl}}
tokenizer: {{train: {{kind: byte_bpe, vocab_size: 300}}}}
prompt: {{template: {SOURCE}/configs/prompts/compact.yaml, window: 2048}}
shards: {{folder: {work}/shards}}
model: {{shape: {work}/shape.yaml}}
evaluate: {{replicates: 100}}
threads: 1
learn: {{batch: 8, steps: 2, lr: 1.0e-3, {learn}}}
""")
    return path


def by_dialogue(rows):
    out = {}
    for row in rows:
        out.setdefault(row["dialogue"], []).append(row)
    return out


def returns(rewards):
    """Backwards; from a decision without a reward on there is none."""
    after, out = 0, []
    for r in reversed(rewards):
        after = None if r is None or after is None else r + GAMMA * after
        out.append(after)
    return out[::-1]


def feedback_rewards(rows, ratings):
    own = [ratings.get(row["id"]) for row in rows]
    given = [r for r in own if r is not None]
    if not given:
        return [None] * len(rows)
    mean = sum(given) / len(given)
    return [next((r for r in own[i:] if r is not None), mean) - mean for i in range(len(own))]


def compare(what, rows, rewards_of):
    good, some = True, 0
    for dialogue in by_dialogue(rows).values():
        for row, wanted in zip(dialogue, returns(rewards_of(dialogue))):
            found = row.get("return")
            some += wanted is not None and abs(wanted) > 1e-9
            good = good and (found is None) == (wanted is None) and (
                wanted is None or abs(found - wanted) < 1e-9)
    check(f"{what}: returns are those computed by hand", good and some > 10, f"{some} {rows[:3]}")


def run(work):
    (work / "corpus.yaml").write_text(f"base: {SOURCE}/configs/simulate/seeker.yaml\nseed: 3\n"
                                      "dialogues: {train: 12, valid: 3, test: 6}\n")
    (work / "shape.yaml").write_text(
        "{vocab: 0, hidden: 16, layers: 1, heads: 2, kv_heads: 1, inner: 32, "
        "max_positions: 2048}\n")
    made = start("simulate", work / "corpus.yaml", "--out", work / "corpus")
    check("a corpus is simulated", made.returncode == 0, made.stderr)
    ratings, scores, rows, judged = write_outcomes(work)

    done = start("run", config_of(work, "people", "reward: {kind: feedback}"))
    check("feedback trains", done.returncode == 0, done.stderr[-3000:])
    check("the line that names nothing is told",
          f"ratings.jsonl:{rows}: there is no dialogue train/09999" in done.stderr, done.stderr)
    check("and so is that of the judge",
          f"judged.jsonl:{judged}: train/00000:9999 is no decision" in done.stderr, done.stderr)
    check("judgements change nothing here, and it is said",
          "data.judgements changes nothing: learn.reward.kind is feedback" in done.stderr,
          done.stderr)
    folder = next((work / "results" / "people").glob("*/DONE"), work / "x").parent
    predictions = folder / "predictions" / "test.jsonl"
    found = [json.loads(x) for x in predictions.read_text().splitlines()]
    compare("feedback", found, lambda d: feedback_rewards(d, ratings))
    inputs = json.loads((folder / "provenance.json").read_text())["inputs"]
    check("the run's inputs have both files by content",
          all(len(inputs.get(k, "")) == 64 for k in ("data.ratings", "data.judgements")),
          str(inputs))

    done = start("run", config_of(work, "judge", "reward: {kind: distill, map: r/5}, "
                                                 "distill: {missing: mean}"))
    check("distill trains", done.returncode == 0, done.stderr[-3000:])
    folder = next((work / "results" / "judge").glob("*/DONE"), work / "x").parent
    found = [json.loads(x) for x in (folder / "predictions" / "test.jsonl").read_text().splitlines()]
    known = [x for key, x in scores.items() if key.startswith("train/")]
    mean = sum(known) / len(known)
    compare("distill", found, lambda d: [scores.get(r["id"], mean) / 5 for r in d])

    # Another file of the same path is another data set.
    text = (work / "ratings.jsonl").read_text().splitlines()
    (work / "ratings.jsonl").write_text("\n".join(text[:-2]) + "\n")
    again = start("run", config_of(work, "people", "reward: {kind: feedback}"))
    check("a run of other ratings is not taken for this one",
          again.returncode == 2 and "ratings.jsonl has changed since" in again.stderr,
          again.stderr[-3000:])
    relief = start("run", config_of(work, "relief", "reward: {kind: relief}"))
    surveyed = "survey_score" in (work / "corpus" / "train.txt").read_text()
    check("relief trains where the corpus has the survey, and is refused by name where not",
          relief.returncode == (0 if surveyed else 2) and
          (surveyed or "dialogue/final_intensity" in relief.stderr), relief.stderr[-3000:])


def main():
    if not PROGRAM or not os.access(PROGRAM, os.X_OK):
        print(f"skipped: no program at {PROGRAM!r}")
        return 77
    work = pathlib.Path(tempfile.mkdtemp())
    try:
        run(work)
    finally:
        shutil.rmtree(work, ignore_errors=True)
    return 1 if shared.failures else 0


if __name__ == "__main__":
    sys.exit(main())
