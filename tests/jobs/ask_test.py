"""straq ask: a planner's folder, copied away from all that it was made from, gives the run's
predictions to the bit, and answers about a dialogue in progress.

STRAQ is the program. Uses a tiny simulated corpus; seconds.
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

SOURCE = pathlib.Path(os.environ.get("STRAQ_SOURCE", pathlib.Path(__file__).resolve().parents[2]))


def straq(*arguments, folder=None, text=None):
    return subprocess.run([PROGRAM, *map(str, arguments)], capture_output=True, text=True,
                          timeout=240, cwd=folder, input=text)


def make_run(work):
    """A run whose template, strategies, corpus, tokenizer and shards lie in work/sources."""
    sources = work / "sources"
    sources.mkdir()
    shutil.copy(SOURCE / "configs/prompts/compact.yaml", sources / "prompt.yaml")
    shutil.copy(SOURCE / "configs/strategies/esconv.yaml", sources / "strategies.yaml")
    (sources / "corpus.yaml").write_text(f"base: {SOURCE}/configs/simulate/seeker.yaml\nseed: 3\n"
                                         "dialogues: {train: 12, valid: 3, test: 3}\n")
    (sources / "shape.yaml").write_text(
        "{vocab: 0, hidden: 16, layers: 1, heads: 2, kv_heads: 1, inner: 32, "
        "max_positions: 2048}\n")
    (sources / "x.yaml").write_text(f"""name: x
results: {work}/results
data: {{train: {sources}/corpus/train.txt, valid: {sources}/corpus/valid.txt,
       test: {sources}/corpus/test.txt, strategies: {sources}/strategies.yaml}}
tokenizer: {{train: {{kind: byte_bpe, vocab_size: 300}}}}
prompt: {{template: {sources}/prompt.yaml, window: 1024}}
shards: {{folder: {sources}/shards}}
model: {{shape: {sources}/shape.yaml, device: cpu}}
learn: {{batch: 8, steps: 3, lr: 1.0e-3}}
evaluate: {{replicates: 100}}
threads: 1
""")
    made = straq("simulate", sources / "corpus.yaml", "--out", sources / "corpus")
    check("a corpus is simulated", made.returncode == 0, made.stderr)
    done = straq("run", sources / "x.yaml")
    run = work / "results" / "x" / "seed-1"
    check("a planner is trained", done.returncode == 0 and (run / "DONE").exists(), done.stderr)
    return run


def rows_of(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def answers(*arguments, **more):
    done = straq("ask", *arguments, "--threads", 1, "--format", "json", **more)
    return (json.loads(done.stdout)["answers"] if done.returncode == 0 else []), done.stderr


def objects_of(text):
    """The JSON objects that stand one behind the other."""
    decoder, out, at = json.JSONDecoder(), [], 0
    while text[at:].strip():
        at += len(text[at:]) - len(text[at:].lstrip())
        item, at = decoder.raw_decode(text, at)
        out.append(item)
    return out


def talk(away):
    """straq chat with a responder of random weights: what it plans is what the planner says."""
    (away / "responder.yaml").write_text("{vocab: 0, hidden: 16, layers: 1, heads: 2, kv_heads: 1, "
                                         "inner: 32, max_positions: 2048}\n")
    made = straq("model", "init", "responder.yaml", "--out", "responder", "--tokenizer",
                 "planner/tokenizer.json", folder=away)
    said = ["I lost my job.", "I do not know what to do."]
    done = straq("chat", "planner", "--model", "responder", "--prompt",
                 SOURCE / "configs/replies/planned.yaml", "--max-tokens", 6, "--threads", 1, "--format",
                 "json", "--quiet", folder=away, text="\n".join(said) + "\n")
    turns = objects_of(done.stdout) if done.returncode == 0 else []
    check("a chat answers each line", len(turns) == 2 and all(len(t["q"]) == 8 for t in turns),
          f"{made.stderr}\n{done.stdout}\n{done.stderr}")
    dialogue = {"dialog": [{"speaker": "seeker", "text": said[0]}], "situation": ""}
    asked, log = answers("planner", "--next", folder=away, text=json.dumps(dialogue))
    names = [s.strip() for s in json.loads((away / "planner" / "planner.json").read_text()).get("strategies", [])
             if isinstance(s, str)]
    check("and plans as the planner does", turns and asked and
          all(abs(a - b) < 1e-5 for a, b in zip(turns[0]["q"], asked[0]["q"], strict=True)) and
          turns[0]["q"].index(max(turns[0]["q"])) == asked[0]["chosen"] and
          (not names or turns[0]["strategy"] == names[asked[0]["chosen"]]),
          f"{turns} {asked} {log}")


def run(work):
    trained = make_run(work)
    away = work / "away"
    away.mkdir()
    shutil.copytree(trained / "planner", away / "planner")
    # What the seeker says at the very end would be asked about, too.
    answered = []
    for line in (work / "sources" / "corpus" / "test.txt").read_text().splitlines():
        dialogue = json.loads(line)
        while dialogue["dialog"][-1]["speaker"] == "usr":
            dialogue["dialog"].pop()
        answered.append(json.dumps(dialogue))
    (away / "test.txt").write_text("\n".join(answered) + "\n")
    predictions = rows_of(trained / "predictions" / "test.jsonl")
    shutil.rmtree(work / "sources")
    shutil.rmtree(work / "results")

    said, log = answers("planner", "test.txt", folder=away)
    check("the folder alone answers about every decision",
          [(a["dialogue"], a["turn"], a["said"]) for a in said] ==
          [(p["dialogue"], p["turn"], p["gold"]) for p in predictions], log)
    check("with the run's predictions, to the bit",
          [(a["q"], a["chosen"]) for a in said] == [(p["q"], p["chosen"]) for p in predictions], log)
    table = straq("ask", "planner", "test.txt", folder=away)
    check("as a table for people", table.returncode == 0 and "Q Que." in table.stdout,
          table.stdout + table.stderr)

    # In progress: up to the seeker's turn before the last decision, over many lines, by stdin.
    dialogue = json.loads((away / "test.txt").read_text().splitlines()[0])
    decision = [p for p in predictions if p["dialogue"] == "test/00000"][-1]
    said_by_turn, merged = [], []
    for utterance in dialogue["dialog"]:
        if not merged or merged[-1] != utterance["speaker"]:
            merged.append(utterance["speaker"])
        if len(merged) <= decision["turn"]:
            said_by_turn.append(utterance)
    going = json.dumps({**dialogue, "dialog": said_by_turn}, indent=2)
    after, log = answers("planner", "--next", folder=away, text=going)
    check("a dialogue in progress is asked by standard input", len(after) == 1 and
          after[0]["turn"] == decision["turn"] and after[0]["said"] == -1 and
          all(abs(a - b) < 1e-4 for a, b in zip(after[0]["q"], decision["q"], strict=True)),
          f"{after} {decision} {log}")
    whole, log = answers("planner", folder=away, text=going)
    check("or with all that was decided before", len(whole) == decision["index"] + 1, f"{whole} {log}")

    talk(away)
    refused = straq("ask", "planner", "test.txt", "--next", folder=away)
    check("the seeker has to have spoken last", refused.returncode == 2 and
          "the supporter is to speak next" in refused.stderr, refused.stderr)
    (away / "planner" / "tokenizer.json").unlink()
    refused = straq("ask", "planner", "test.txt", folder=away)
    check("a planner without its tokenizer is refused", refused.returncode == 2 and
          "holds no tokenizer" in refused.stderr, refused.stderr)


def main():
    if not PROGRAM or not os.access(PROGRAM, os.X_OK):
        print(f"skipped: no program at {PROGRAM!r}")
        return 77
    with tempfile.TemporaryDirectory() as name:
        run(pathlib.Path(name))
    return 1 if shared.failures else 0


if __name__ == "__main__":
    sys.exit(main())
