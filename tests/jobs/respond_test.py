"""From a corpus to tables of replies: a tiny planner is trained, a tiny random model replies by every
method to two corpora and judges what it wrote, and the report has the rows. Two ranks write what one
writes, and nothing is asked twice.

STRAQ is the program. Less than a minute.
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
TINY = pathlib.Path(SOURCE) / "tests" / "tiny"
METHODS = ["direct", "direct_refine", "self_refine", "cot", "fsm", "straq"]


def straq(*arguments, ranks=1):
    launcher = ["mpirun", "-n", str(ranks)] if ranks > 1 else []
    return subprocess.run([*launcher, PROGRAM, *map(str, arguments)], capture_output=True, text=True,
                          timeout=300)


def must(what, done):
    check(what, done.returncode == 0, f"{done.returncode}\n{done.stderr[-3000:]}")
    return done


def train_planner(work):
    for name in ("corpus", "shape", "tiny"):
        text = (TINY / f"{name}.yaml").read_text()
        for word, value in (("WORK", work), ("REPOSITORY", SOURCE), ("DEVICE", "cpu"),
                            ("DIALOGUES", "train: 6, valid: 3, test: 3")):
            text = text.replace(f"@{word}@", str(value))
        (work / f"{name}.yaml").write_text(text)
    config = (work / "tiny.yaml").read_text().replace("name: simulated", "name: esconv")
    (work / "tiny.yaml").write_text(config + "learn: {epochs: 1, batch: 8}\nevaluate: {replicates: 100}\n")
    must("a planner is trained", straq("run", work / "tiny.yaml"))


def make_model(work):
    """Random weights that know the words of the prompts; no chat template."""
    corpus = [work / "corpus" / "test.txt", pathlib.Path(SOURCE) / "configs/replies/context.yaml",
              pathlib.Path(SOURCE) / "configs/replies/fsm.yaml"]
    (work / "text.txt").write_text("\n".join(p.read_text() for p in corpus))
    (work / "writer.yaml").write_text("{vocab: 0, hidden: 32, layers: 1, heads: 2, kv_heads: 1, "
                                      "inner: 48, max_positions: 8192}\n")
    must("a tokenizer is trained", straq("tokenizer", "train", "--vocab", 700, "--out",
                                         work / "words", work / "text.txt"))
    must("a model is made", straq("model", "init", work / "writer.yaml", "--out", work / "writer",
                                  "--seed", 4, "--std", 0.2, "--tokenizer",
                                  next((work / "words").glob("*/tokenizer.json"))))


def write_configs(work):
    (work / "ed.csv").write_text(
        "conv_id,utterance_idx,context,prompt,speaker_idx,utterance,selfeval,tags\n"
        "hit:0_conv:0,1,sad,My dog died,1,My dog died.,5|5|5_5|5|5,\n"
        "hit:0_conv:0,2,sad,My dog died,2,So sorry to hear that.,5|5|5_5|5|5,\n")
    (work / "rated.jsonl").write_text("".join(json.dumps(
        {"id": f"r{i}", "turns": [{"speaker": "seeker", "text": f"I feel low {i}."},
                                  {"speaker": "supporter", "text": "Tell me " * (i + 1)}],
         "ratings": {"a": {"empathy": 1 + i % 5}, "b": {"empathy": 1 + (i + i // 4) % 5}}}) + "\n"
        for i in range(12)))
    corpora = f"""corpora:
  - {{name: esconv, test: {work}/corpus/test.txt, limit: 2, strategies: {SOURCE}/configs/strategies/esconv.yaml}}
  - {{name: empathetic, test: {work}/ed.csv, strategies: {SOURCE}/configs/strategies/esconv.yaml}}
"""
    model = f"{{model: {work}/writer}}"
    (work / "respond.yaml").write_text(f"""name: replies
results: {work}/results
{corpora}methods: [{", ".join(METHODS)}]
planners: [{work}/results/tiny/seed-1]
wordings: {SOURCE}/configs/replies
responders: [{{name: base, local: {model}}}]
reply: {{choose: scores, sampling: {{max_tokens: 6}}, note_tokens: 6}}
dialogues_at_once: 1
threads: 1
""")
    (work / "judge.yaml").write_text(f"""name: judged
results: {work}/results
{corpora}replies: [{work}/results]
ratings: [{work}/rated.jsonl]
wording: {SOURCE}/configs/judging/judge.yaml
context_wording: {SOURCE}/configs/replies/context.yaml
judge: {{name: tiny, local: {model}}}
judging: {{reversed: true, explain: true, text_tokens: 4, dimensions: [overall, empathy]}}
threads: 1
""")


def rows_of(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def texts(folder):
    return {str(p.relative_to(folder)): p.read_text()
            for p in sorted(folder.rglob("responses/*.jsonl"))}


def responds(work):
    done = must("every method replies", straq("respond", work / "respond.yaml"))
    results = work / "results"
    files = texts(results)
    wanted = {f"replies/base/responses/{c}-test-{m}.jsonl" for c in ("esconv", "empathetic")
              for m in METHODS if m != "straq"}
    wanted |= {f"tiny/seed-1/responses/base-{c}-test.jsonl" for c in ("esconv", "empathetic")}
    check("each to a file of its own", set(files) == wanted, f"{sorted(files)}\n{done.stderr[-2000:]}")
    predictions = {r["id"]: r for r in rows_of(results / "tiny/seed-1/predictions/test.jsonl")}
    names = [s["name"] for s in json.loads(
        (results / "tiny/seed-1/responses/base-esconv-test.json").read_text())["strategies"]]
    planned = rows_of(results / "tiny/seed-1/responses/base-esconv-test.jsonl")
    check("straq follows its planner's choices", len(planned) > 4 and all(
        names.index(r["chosen"]) == predictions[r["id"]]["chosen"] for r in planned), str(planned[:2]))
    direct = rows_of(results / "replies/base/responses/esconv-test-direct.jsonl")
    check("rows say how they came about", [r["id"] for r in direct] == [r["id"] for r in planned] and all(
        r["requests"] == 2 and r["prompt_tokens"] > 0 and r["finish"] in ("stop", "length")
        for r in direct), str(direct[:2]))
    machine = rows_of(results / "replies/base/responses/esconv-test-fsm.jsonl")
    check("the machine notes its stage", all("stage" in r["notes"] for r in machine), str(machine[:2]))
    return files


def asks_nothing_twice(work, files):
    record = sum(len(p.read_text().splitlines()) for p in (work / "results/replies/record").iterdir())
    must("it goes on", straq("respond", work / "respond.yaml"))
    again = sum(len(p.read_text().splitlines()) for p in (work / "results/replies/record").iterdir())
    check("what is there is not asked again", record == again > 0, f"{record} {again}")
    check("and is written alike", texts(work / "results") == files)
    # Two ranks, a record of their own; all planners of an experiment.
    other = work / "two"
    shutil.copytree(work / "results/tiny", other / "tiny")
    shutil.rmtree(other / "tiny/seed-1/responses")
    must("two ranks reply", straq("respond", work / "respond.yaml", "--set", f"results={other}", "--set",
                                  f"planners=[{other}/tiny]", ranks=2))
    check("two ranks write what one writes", texts(other) == files,
          str([k for k, v in texts(other).items() if files.get(k) != v]))
    check("each had something to ask", len(list((other / "replies/record").iterdir())) == 2)
    shutil.rmtree(other)


def text_is_counted(work):
    done = must("strategies are read from text, too", straq(
        "respond", work / "respond.yaml", "--set", "reply.choose=text", "--set", "name=written",
        "--set", "methods=[direct]", "--format", "json"))
    about = json.loads((work / "results/written/base/responses/esconv-test-direct.json").read_text())
    table = json.loads(done.stdout)[0]["rows"]
    check("what cannot be read is counted", about["unread"]["strategy"] > 0
          and table[0]["with unread parts"] > 0, f"{about}\n{table}")
    check("nothing is made up for it", any(r["chosen"] == "" for r in rows_of(
        work / "results/written/base/responses/esconv-test-direct.jsonl")))
    shutil.rmtree(work / "results/written")


def judges(work):
    must("the judge judges", straq("judge", work / "judge.yaml", ranks=2))
    results = work / "results"
    corpus = rows_of(results / "judged/tiny/judge/esconv-test.jsonl")
    planned = rows_of(results / "tiny/seed-1/judge/base-esconv-test.jsonl")
    check("decisions and replies have scores", len(corpus) == len(planned) > 4 and all(
        1 <= r["expected"] <= 5 and r["overall"] == r["expected"] and 1 <= r["integer"] <= 5
        and 0 < r["mass"] < 1 and "reversed" in r and 1 <= r["scores"]["empathy"] <= 5
        for r in corpus), str(corpus[:2]))
    predictions = {r["id"] for r in rows_of(results / "tiny/seed-1/predictions/test.jsonl")}
    check("by the ids of the decisions", {r["id"] for r in corpus} < predictions)
    scored = {p.stem for p in results.rglob("judge/*.jsonl")}
    check("every file of replies has its scores",
          scored >= {p.stem for p in results.rglob("responses/*.jsonl")}, str(scored))


def reports(work):
    must("the report is made", straq("report", work / "results", "--format", "json"))
    tables = work / "results/report/tables"
    found = {p.stem for p in tables.glob("*.csv")} if tables.is_dir() else set()
    wanted = {"table1", "table2", "table4", "table11", "judges", "judge_people"}
    check("the tables are there", found >= wanted, str(sorted(found)))

    def column(table, name):
        with open(tables / f"{table}.csv", encoding="utf-8", newline="") as file:
            return [row[name] for row in csv.DictReader(file)]
    methods = column("table1", "Method")
    check("every method has its row", all(any(m in text for text in methods) for m in
                                          ("Direct", "Direct-Refine", "Self-Refine", "CoT", "FSM", "straQ*")),
          str(methods))
    verdicts = column("judge_people", "Verdict")
    check("a random judge is called what it is", set(verdicts) == {"no better than the constant"},
          str(verdicts))


def bad_input(work):
    cases = {
        "an unknown key": (["reply.chose=text"], "reply.chose"),
        "an unknown method": (["methods=[dirct]"], "dirct"),
        "no planner": (["planners=[]"], "planners"),
        "a planner that is none": ([f"planners=[{work}]"], "planner.json"),
        "no wording": (["wordings=nowhere"], "nowhere"),
        "no split": (["corpora=[{name: a, test: x, splits: [train]}]"], "x"),
    }
    for name, (sets, words) in cases.items():
        options = [o for s in sets for o in ("--set", s)]
        done = straq("respond", work / "respond.yaml", *options)
        check(f"{name} is one message with what to do", done.returncode == 2 and words in done.stderr
              and "hint" in done.stderr, f"{done.returncode}\n{done.stderr[-1500:]}")
    done = straq("judge", work / "judge.yaml", "--set", "judging.dimensions=[warmth]")
    check("an unknown dimension is one message", done.returncode == 2 and "warmth" in done.stderr,
          done.stderr[-1500:])


reason = shared.reason_to_skip()
if reason:
    print(f"skipped: {reason}")
    sys.exit(77)
with tempfile.TemporaryDirectory() as folder:
    place = pathlib.Path(folder)
    train_planner(place)
    make_model(place)
    write_configs(place)
    written = responds(place)
    asks_nothing_twice(place, written)
    text_is_counted(place)
    judges(place)
    reports(place)
    bad_input(place)
sys.exit(1 if shared.failures else 0)
