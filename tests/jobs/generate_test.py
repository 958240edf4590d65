"""straq generate: replies of a small random model to a file of prompts; what is there is not asked
for again; every bad input is one message.

STRAQ is the program. Seconds.
"""
import json
import pathlib
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "faults"))
import job as shared  # noqa: E402
from job import PROGRAM, check  # noqa: E402


def straq(*arguments, text=None):
    return subprocess.run([PROGRAM, *map(str, arguments)], capture_output=True, text=True, timeout=240,
                          input=text)


def make_model(work):
    """A folder with random weights and a tokenizer of its own; no chat template."""
    (work / "text.txt").write_text("hello there, how are you doing on this fine day\n" * 40)
    (work / "shape.yaml").write_text("{vocab: 0, hidden: 32, layers: 2, heads: 2, kv_heads: 1, "
                                     "inner: 48, max_positions: 200}\n")
    trained = straq("tokenizer", "train", "--vocab", 280, "--out", work / "tokenizer", work / "text.txt")
    tokenizer = next((work / "tokenizer").glob("*/tokenizer.json"))
    made = straq("model", "init", work / "shape.yaml", "--out", work / "model", "--seed", 4, "--std", 0.3,
                 "--tokenizer", tokenizer)
    check("a model is made", trained.returncode == 0 and made.returncode == 0, made.stderr)
    return work / "model"


def request(name, prompt, **body):
    return json.dumps({"custom_id": name, "method": "POST", "url": "/v1/completions",
                       "body": {"model": "m", "prompt": prompt, "max_tokens": 12, "temperature": 0, **body}})


def replies(path):
    out = {}
    for line in path.read_text().splitlines():
        item = json.loads(line)
        out[item["custom_id"]] = (item["response"]["body"]["choices"][0]["text"] if item["response"]
                                  else item["error"])
    return out


def generate(work, model, *options, prompts="requests.jsonl", out="replies.jsonl"):
    done = straq("generate", "--prompts", work / prompts, "--out", work / out, "--model", model,
                 "--threads", 1, "--format", "json", "--quiet", *options)
    return done, (json.loads(done.stdout) if done.stdout else {})


def goes_on(work, model):
    lines = [request(f"r{i}", "hello there, how are" + " you" * (i % 3), temperature=0.8 * (i % 2), seed=i)
             for i in range(9)]
    (work / "requests.jsonl").write_text("\n".join(lines) + "\n")
    done, summary = generate(work, model)
    first = replies(work / "replies.jsonl")
    check("every prompt has a reply", done.returncode == 0 and len(first) == 9
          and all(isinstance(r, str) and r for r in first.values()), f"{done.stderr}\n{first}")
    check("what prompts begin with in common is read once",
          summary.get("prompt_tokens_computed", 10**9) < summary.get("prompt_tokens", 0), str(summary))
    kept = (work / "replies.jsonl").read_text().splitlines()[:4]
    (work / "replies.jsonl").write_text("\n".join(kept) + "\n" + '{"id": "torn')
    done, summary = generate(work, model, "--pass-tokens", 5, "--running", 2)
    check("a file of replies is gone on with, after a torn line too", done.returncode == 0
          and summary.get("replies") == 5, f"{done.stderr}\n{summary}")
    check("with the same texts", replies(work / "replies.jsonl") == first, str(first))
    done, summary = generate(work, model)
    check("nothing is left to do", done.returncode == 0 and summary.get("replies") == 0, str(summary))
    for out in ("a.jsonl", "b.jsonl"):
        done, summary = generate(work, model, "--record", work / "record", out=out)
    check("a record answers the second time", summary.get("recorded") == 9
          and replies(work / "b.jsonl") == first, f"{done.stderr}\n{summary}")


def one_of_several_fails(work, model):
    lines = [request("good", "hello"), request("long", "hello there " * 300)]
    (work / "some.jsonl").write_text("\n".join(lines) + "\n")
    done, summary = generate(work, model, prompts="some.jsonl", out="some_replies.jsonl")
    text = (work / "some_replies.jsonl").read_text()
    check("a prompt that is too long fails alone and says why", done.returncode == 1
          and summary.get("failed") == 1 and "the model reads 200" in text, f"{done.stderr}\n{text}")


def bad_input(work, model):
    (work / "source.yaml").write_text("{local: {model: x, precison: int8}}\n")
    (work / "none.yaml").write_text("{record: y}\n")
    (work / "broken.jsonl").write_text(request("a", "hello") + "\n{\n")
    (work / "twice.jsonl").write_text(request("a", "hello") + "\n" + request("a", "there") + "\n")
    good = work / "requests.jsonl"
    cases = {
        "no prompts": (work / "nowhere.jsonl", ["--model", model], "nowhere.jsonl"),
        "a broken line": (work / "broken.jsonl", ["--model", model], "broken.jsonl:2"),
        "an id twice": (work / "twice.jsonl", ["--model", model], "twice.jsonl:2"),
        "no model": (good, ["--model", work / "nowhere"], "nowhere"),
        "no source": (good, [], "local, server and replay"),
        "two sources": (good, ["--model", model, "--url", "http://127.0.0.1:1/v1", "--server-model", "m"],
                        "exactly one"),
        "a key that is not known": (good, ["--source", work / "source.yaml"], "precision"),
        "a source without one": (good, ["--source", work / "none.yaml"], "exactly one"),
        "no adapter": (good, ["--model", model, "--adapter", work], "adapter_config.json"),
    }
    for name, (prompts, options, words) in cases.items():
        done = straq("generate", "--prompts", prompts, "--out", work / "bad.jsonl", "--threads", 1, *options)
        check(f"{name} is one message with what to do", done.returncode == 2 and words in done.stderr
              and "hint" in done.stderr and "Traceback" not in done.stderr,
              f"{done.returncode}\n{done.stderr[-1500:]}")


with tempfile.TemporaryDirectory() as folder:
    work = pathlib.Path(folder)
    model = make_model(work)
    goes_on(work, model)
    one_of_several_fails(work, model)
    bad_input(work, model)
sys.exit(1 if shared.failures else 0)
