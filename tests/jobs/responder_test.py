"""A responder is finetuned on the replies of a tiny simulated corpus: its loss falls, its folder is a
model for `straq respond` and `straq generate`, and what it writes has the form that it was taught.
Several learners, adapters, frozen layers and a run that goes on from a checkpoint make the same.

STRAQ is the program. About a minute.
"""
import json
import math
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "faults"))
import job as shared  # noqa: E402
from job import PROGRAM, check, write_tiny  # noqa: E402

SOURCE = os.environ.get("STRAQ_SOURCE", str(pathlib.Path(__file__).resolve().parents[2]))
STEPS = 120


def straq(*arguments, ranks=1):
    launcher = ["mpirun", "--oversubscribe", "-n", str(ranks)] if ranks > 1 else []
    return subprocess.run([*launcher, PROGRAM, *map(str, arguments)], capture_output=True, text=True,
                          timeout=300)


def must(what, done):
    check(what, done.returncode == 0, f"{done.returncode}\n{done.stderr[-3000:]}")
    return done


def lines_of(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def losses_of(run):
    return json.loads((run / "reply_loss.json").read_text())["splits"]


def write_config(work):
    tiny = write_tiny(work, "train: 10, valid: 3, test: 3", f"""
responder: {{method: direct, wordings: {SOURCE}/configs/replies}}
learn: {{steps: {STEPS}, batch: 12, lr: 2.0e-2}}
checkpoint: {{every_steps: 30, keep_last: 9}}
evaluate: {{every_steps: 40}}
""")
    text = tiny.read_text().replace("vocab_size: 300", "vocab_size: 700")
    tiny.write_text(text.replace("window: 2048", "window: 4096")
                    .replace(f"template: {pathlib.Path(__file__).resolve().parents[2]}"
                             "/configs/prompts/compact.yaml, ", ""))
    (work / "shape.yaml").write_text("{vocab: 0, hidden: 32, layers: 2, heads: 2, kv_heads: 1, "
                                     "inner: 48, max_positions: 4096, tied: true}\n")
    (work / "respond.yaml").write_text(f"""name: replies
results: {work}/replies
corpora:
  - {{name: simulated, test: {work}/corpus/test.txt, limit: 2, strategies: {SOURCE}/configs/strategies/esconv.yaml}}
methods: [direct]
wordings: {SOURCE}/configs/replies
responders: [{{name: sft, local: {{model: {work}/results/tiny/seed-1/responder}}}}]
reply: {{sampling: {{max_tokens: 40}}}}
threads: 1
""")


def trains(work):
    must("a responder is trained", straq("run", work / "tiny.yaml"))
    run = work / "results/tiny/seed-1"
    steps = lines_of(run / "metrics.jsonl")
    check("every step has its loss, and none of a planner's numbers",
          len(steps) == STEPS and all(s["stage"] == "reply" and s["loss"] == s["lm_loss"] > 0
                                      and "max_q" not in s and "td_loss" not in s for s in steps),
          str(steps[:2]))
    first, last = (sum(s["loss"] for s in part) / 5 for part in (steps[:5], steps[-5:]))
    check("the loss falls", last < 0.5 * first, f"{first} {last}")
    losses = losses_of(run)
    check("valid and test are measured", set(losses) == {"valid", "test"}, str(losses))
    for split, loss in losses.items():
        target, reply, strategy = loss["target"], loss["reply"], loss["strategy"]
        both = reply["nll"] * reply["tokens"] + strategy["nll"] * strategy["tokens"]
        check(f"{split}: of all tokens, of replies and of strategy lines",
              loss["decisions"] > 3 and target["tokens"] == reply["tokens"] + strategy["tokens"]
              and math.isclose(target["nll"] * target["tokens"], both, rel_tol=1e-9)
              and math.isclose(target["perplexity"], math.exp(target["nll"]), rel_tol=1e-9)
              and target["nll"] < first, str(loss))
    seen = lines_of(run / "evaluations.jsonl")
    check("and valid during training", [e["step"] for e in seen] == [40, 80, 120]
          and seen[-1]["replies"] == losses["valid"] and seen[0]["best"] and "acc" not in seen[0],
          f"{seen} {losses['valid']}")
    check("it is no planner", not (run / "planner").exists() and not (run / "predictions").exists()
          and not (run / "evaluation.json").exists())
    return run


def writes(work, run):
    done = must("it responds", straq("respond", work / "respond.yaml"))
    rows = lines_of(work / "replies/replies/sft/responses/simulated-test-direct.jsonl")
    readable = [r for r in rows if r["chosen"] and r["hypothesis"] and not r.get("unread")]
    check("in the form that it was taught", len(rows) > 4 and len(readable) >= 0.8 * len(rows),
          str(rows[:3]))
    check("and comes to an end", sum(r["finish"] == "stop" for r in rows) >= 0.8 * len(rows),
          str([(r["finish"], r["hypothesis"]) for r in rows[:5]]))
    told = straq("respond", work / "respond.yaml", "--set", "name=other", "--set",
                 "reply.context.emotion=false", "--set", "reply.choose=scores", "--set",
                 "reply.sampling.max_tokens=2")
    check("prompts that it was not taught are told of", "another reply.context" in told.stderr
          and "reply.choose: text" in told.stderr and "finetuned" not in done.stderr,
          told.stderr[-1500:])
    prompts = work / "prompts.jsonl"
    prompts.write_text(json.dumps({
        "custom_id": "a", "method": "POST", "url": "/v1/completions",
        "body": {"model": "m", "prompt": "Hello", "max_tokens": 3, "temperature": 0}}) + "\n")
    must("it is a model for generate, too",
         straq("generate", "--prompts", prompts, "--out", work / "out.jsonl", "--model",
               run / "responder"))
    check("with a reply", (work / "out.jsonl").exists()
          and lines_of(work / "out.jsonl")[0]["response"])
    card = json.loads((run / "responder/responder.json").read_text())
    check("its folder says what it was taught", card["method"] == "direct"
          and card["context"]["history_strategy"] and len(card["strategies"]) == 8, str(card))


def evaluates(work, run):
    before = losses_of(run)
    done = must("it is evaluated again", straq("evaluate", run, "--splits", "test", "--format",
                                               "json"))
    rows = {r["split"]: r for r in json.loads(done.stdout)[0]["rows"]}
    check("and says so", math.isclose(rows["test"]["NLL of replies"], before["test"]["reply"]["nll"],
                                      abs_tol=1e-3), done.stdout)
    after = losses_of(run)
    check("with the same numbers", set(after) == set(before) and all(
        math.isclose(after[s]["target"]["nll"], before[s]["target"]["nll"], rel_tol=1e-6)
        for s in before), f"{before}\n{after}")
    must("a report speaks of it", straq("report", work / "results"))


def goes_on(work, run):
    """From the checkpoint of step 60, as if the job had been killed behind it."""
    other = work / "again"
    shutil.copytree(work / "results", other)
    copy = other / "tiny/seed-1"
    for name in ("DONE", "reply_loss.json"):
        (copy / name).unlink()
    shutil.rmtree(copy / "responder")
    for step in (90, 120):
        shutil.rmtree(copy / f"checkpoints/step-{step:08d}")
    done = must("it goes on", straq("run", work / "tiny.yaml", "--set", f"results={other}"))
    check("where it was", "going on at step 60" in done.stderr + done.stdout, done.stderr[-2000:])
    for name in ("metrics.jsonl", "evaluations.jsonl", "reply_loss.json",
                 "responder/model.safetensors"):
        check(f"{name} has the same bytes", (copy / name).read_bytes() == (run / name).read_bytes())


def other_ways(work):
    """Every way begins from one random model and makes ten steps."""
    must("a model is made", straq("model", "init", work / "shape.yaml", "--out", work / "base",
                                  "--seed", 4, "--std", 0.2, "--tokenizer",
                                  next((work / "shards/tokenizers").glob("*/tokenizer.json"))))
    common = ["learn.steps=10", "evaluate.every_steps=0", f"model.from={work}/base",
              "tokenizer=!replace {path: " + str(work / "base") + "}", "responder.method=straq"]

    def run(name, *sets, ranks=1):
        options = [o for s in [*common, f"results={work}/{name}", *sets] for o in ("--set", s)]
        must(f"{name} is trained", straq("run", work / "tiny.yaml", *options, ranks=ranks))
        return work / name / "tiny/seed-1"

    def same(text, a, b, tolerance):
        x, y = losses_of(a)["test"], losses_of(b)["test"]
        check(text, math.isclose(x["target"]["nll"], y["target"]["nll"], rel_tol=tolerance)
              and x["target"]["tokens"] == y["target"]["tokens"], f"{x}\n{y}")

    one = run("one")
    check("where the strategy is given there is no line of it",
          "strategy" not in losses_of(one)["test"] and losses_of(one)["test"]["target"]
          == losses_of(one)["test"]["reply"])
    before = run("untrained", "learn.steps=0", "learn.epochs=0")
    check("a run without steps says what the model was",
          losses_of(before)["test"]["target"]["nll"] > losses_of(one)["test"]["target"]["nll"],
          f"{losses_of(before)} {losses_of(one)}")
    same("two learners learn what one learns", run("two", "learn.zero1=true", ranks=3), one, 1e-4)
    # All decisions in one batch: dialogue by dialogue, and drawn one by one, each in a pass of its own,
    # which is then a prompt and its reply and nothing else.
    exact = ["model.precision=fp64", "learn.steps=3", "learn.batch=100000", "evaluate.splits=[]"]
    combs = lines_of(run("combs", *exact) / "metrics.jsonl")
    singles = lines_of(run("singles", *exact, "learn.replay.mode=uniform", "learn.micro_tokens=1")
                       / "metrics.jsonl")
    check("combs learn what one sequence for each reply learns", len(combs) == len(singles) == 3
          and all(math.isclose(a[k], b[k], rel_tol=1e-10) for a, b in zip(combs, singles)
                  for k in ("loss", "grad_norm")) and 2 * combs[0]["tokens"] < singles[0]["tokens"],
          f"{combs}\n{singles}")
    adapter = run("adapter", "model.lora={rank: 2, alpha: 4}")
    check("an adapter lies beside the weights that have it merged",
          (adapter / "responder/adapter/adapter_model.safetensors").exists())
    must("and they are evaluated", straq("evaluate", adapter))
    frozen = run("frozen", "learn.freeze={layers: 1}")
    same("states of frozen layers that are kept are those that are computed", frozen,
         run("computed", "learn.freeze={layers: 1, store: none}"), 1e-5)


def bad_input(work):
    cases = {
        "a method that nothing is trained for": (["responder.method=cot"], "cot"),
        "a stage before": (["pretrain={objective: {lm: 1}, steps: 3}"], "one stage"),
        "every layer frozen": (["learn.freeze.layers=all"], "no responder"),
        "a window that is too small": (["prompt.window=200"], "prompt.window"),
        "no wording": (["responder.wordings=nowhere"], "nowhere"),
        "a section that does nothing": (["gen.max_new_tokens=5"], "reply.sampling"),
    }
    for name, (sets, words) in cases.items():
        options = [o for s in sets for o in ("--set", s)]
        done = straq("run", work / "tiny.yaml", *options, "--set", f"results={work}/bad",
                     "--set", f"shards.folder={work}/bad_shards")
        check(f"{name} is one message with what to do", done.returncode == 2 and words in done.stderr
              and "hint" in done.stderr, f"{done.returncode}\n{done.stderr[-1500:]}")
        shutil.rmtree(work / "bad", ignore_errors=True)


def main():
    reason = shared.reason_to_skip()
    if reason:
        print(f"skipped: {reason}")
        return 77
    with tempfile.TemporaryDirectory() as folder:
        work = pathlib.Path(folder)
        write_config(work)
        run = trains(work)
        writes(work, run)
        goes_on(work, run)
        evaluates(work, run)
        other_ways(work)
        bad_input(work)
    return 1 if shared.failures else 0


sys.exit(main())
