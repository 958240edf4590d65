#!/usr/bin/env python3
"""Writes the golden results folder beside this file, anew: tests/report/golden/folder.

Everything follows from a few rules, so that every number of the tables can be checked by hand:
 - 8 dialogues d0..d7 of 4 decisions; the gold strategy of decision i of dialogue d is
   (d + 2 i) mod 8, so each of the 8 strategies is gold 4 times;
 - a method of skill k is right at the first k decisions of every dialogue (skills may differ by
   dialogue) and else chooses the strategy after the gold one: Acc = sum of skills / 32;
 - a reply is the reference where the method is right, else the same three words;
 - a judge gives 5 to a right decision and 2 to a wrong one, and 4 to the corpus's own;
 - Q of the chosen strategy is the return plus 0.1, all others 0; the return is the discounted
   number of decisions left (gamma 0.85).
No text is from a corpus. The test that reads the folder adds the runs' evaluation.json to a copy
of it; the expected tables are written by
  STRAQ_UPDATE_GOLDEN=1 test_report --gtest_filter='Golden*'
"""
import json
import pathlib
import shutil

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE / "folder"
STRATEGIES = [("Question", "Que."), ("Restatement or Paraphrasing", "Res.& Par."),
              ("Reflection of feelings", "Ref."), ("Self-disclosure", "Self-Dis."),
              ("Affirmation and Reassurance", "Aff.& Rea."), ("Providing Suggestions", "Pro."),
              ("Information", "Inf."), ("Others", "Others")]
REFERENCES = ["what happened then at work ?", "so the new team worries you .",
              "you seem tired of all this .", "i once left a team as well .",
              "you did a brave thing today .", "try to write it down first .",
              "many offices have a quiet room .", "good evening and welcome here ."]
GAMMA = 0.85


def write(path, text):
    path = ROOT / path
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def write_rows(path, rows):
    write(path, "".join(json.dumps(row) + "\n" for row in rows))


def decisions():
    for d in range(8):
        for i in range(4):
            yield d, i, (d + 2 * i) % 8


def chosen_by(skill, d, i, gold):
    return gold if i < skill[d] else (gold + 1) % 8


def predictions(skill):
    rows = []
    for d, i, gold in decisions():
        choice = chosen_by(skill, d, i, gold)
        left = sum(GAMMA ** n for n in range(4 - i))
        q = [0.0] * 8
        q[choice] = left + 0.1
        rows.append({"id": f"d{d}:{2 * i + 1}", "dialogue": f"d{d}", "turn": 2 * i + 1, "index": i,
                     "of": 4, "gold": gold, "previous": (d + 2 * i - 2) % 8 if i else -1,
                     "chosen": choice, "q": q, "return": left})
    return rows


def replies(skill, strategies=True, every=1):
    rows = []
    for d, i, gold in decisions():
        if d % every:
            continue
        row = {"id": f"d{d}:{2 * i + 1}", "dialogue": f"d{d}",
               "emotion": "sadness" if d < 4 else "fear",
               "query": f"turn {i} of the seeker in dialogue {d}"}
        if strategies:
            row["strategy"] = STRATEGIES[gold][0]
            row["chosen"] = STRATEGIES[chosen_by(skill, d, i, gold)][0]
        right = i < skill[d]
        row["hypothesis"] = REFERENCES[gold] if right else "i see that"
        row["reference"] = REFERENCES[gold]
        rows.append(row)
    return rows


def judged(skill, unparsed=0):
    rows = []
    for d, i, gold in decisions():
        row = {"id": f"d{d}:{2 * i + 1}", "dialogue": f"d{d}", "strategy": STRATEGIES[gold][0]}
        if len(rows) < unparsed:
            row.update({"parsed": False, "overall": None})
        else:
            overall = 4 if skill is None else 5 if i < skill[d] else 2
            row.update({"parsed": True, "overall": overall, "scores": {"appropriateness": overall}})
        rows.append(row)
    return rows


def rated(score):
    """Two raters; the second gives one point less on every other reply."""
    rows = []
    for d in range(4):
        for rater, minus in (("r1", 0), ("r2", d % 2)):
            scores = {name: score - minus for name in
                      ["fluency", "emotion", "acceptance", "effectiveness", "sensitivity",
                       "alignment", "satisfaction"]}
            rows.append({"id": f"d{d}:1", "dialogue": f"d{d}", "rater": rater, "scores": scores})
    return rows


def config(seed, planner="q", reward="imitation", gamma=GAMMA, extra=""):
    return (f"seed: {seed}\ndata:\n  name: esconv\nlearn:\n  planner: {planner}\n"
            f"  gamma: {gamma}\n  reward:\n    kind: {reward}\n{extra}")


def run(path, skill, **options):
    write(f"{path}/config.yaml", config(**options))
    write(f"{path}/provenance.json", json.dumps({"version": "0.1.0", "seed": options["seed"]}))
    steps, timings = [], []
    for s in range(1, 13):
        q = s > 6
        row = {"step": s, "stage": "q" if q else "pretrain", "loss": 6.0 / s,
               "grad_norm": 1.0 + s % 2, "max_q": 0.1 * s, "decisions": 8, "tokens": 400}
        if q:
            row.update({"td_loss": 3.0 / s, "td_abs": 1.5 / s, "q_mean": 0.05 * s,
                        "target_mean": 0.06 * s})
        steps.append(row)
        timings.append({"step": s, "seconds": 0.5 if s % 2 else 0.25})
    write_rows(f"{path}/metrics.jsonl", steps)
    write_rows(f"{path}/timings.jsonl", timings)
    write_rows(f"{path}/predictions/test.jsonl", predictions(skill))
    write(f"{path}/DONE", "")


def about(method, responder, corpus="esconv", **more):
    labels = [{"name": n, "abbreviation": a} for n, a in STRATEGIES]
    return json.dumps({"format": 1, "method": method, "responder": responder, "corpus": corpus,
                       "split": "test", "decoding": "greedy", "strategies": labels, **more},
                      indent=1) + "\n"


def flat(k):
    return [k] * 8


def main():
    shutil.rmtree(ROOT, ignore_errors=True)
    # Planners, two of them with two seeds, and every way a point can be unfinished.
    write("planners/index.csv",
          "point,state,learn.planner,learn.reward.kind,seed,reason\n"
          "imit-1,done,q,imitation,1,\nimit-2,done,q,imitation,2,\n"
          "distill-1,done,q,distill,1,\nvhead-1,done,vhead,imitation,1,\n"
          "ce-1,done,ce,imitation,1,\nce-2,done,ce,imitation,2,\n"
          "diverged,failed,q,imitation,3,\nhalf,running,q,imitation,4,\n"
          "newer,done,q,imitation,5,\nlater,missing,q,imitation,6,\n")
    run("planners/imit-1", flat(3), seed=1)
    run("planners/imit-2", [3] * 7 + [1], seed=2)
    run("planners/distill-1", [3] + [2] * 7, seed=1, reward="distill")
    run("planners/vhead-1", flat(1), seed=1, planner="vhead")
    run("planners/ce-1", [3] * 6 + [2] * 2, seed=1, planner="ce")
    run("planners/ce-2", [3] * 6 + [2] * 2, seed=2, planner="ce")
    write("planners/diverged/config.yaml", config(seed=3))
    write("planners/diverged/FAILED", "diverged at step 7: the gradient norm was not finite\n")
    write("planners/half/config.yaml", config(seed=4))
    write("planners/half/metrics.jsonl", '{"step":1,"stage":"q","loss":2.0}\n{"step":2,"sta')
    write("planners/newer/config.yaml", config(seed=5))
    write("planners/newer/evaluation.json", '{"format": 3, "splits": {}}\n')
    write("planners/newer/DONE", "")

    # Replies and what the judge says, by responder.
    skills = {"base": {"direct": flat(1), "self_refine": flat(1), "cot": [0] + [1] * 7,
                       "fsm": flat(2), "straq_distill": [3] + [2] * 7, "straq_imit": flat(3)},
              "sft": {"direct": flat(2), "straq_distill": [3] * 7 + [2], "straq_imit": flat(3),
                      "value_head": flat(1), "auto_regressive": [3] * 6 + [2] * 2}}
    for responder, methods in skills.items():
        path = f"replies/{responder}"
        write(f"{path}/config.yaml", "seed: 1\ndata:\n  name: esconv\n")
        write(f"{path}/provenance.json", '{"version": "0.1.0"}')
        for method, skill in methods.items():
            write(f"{path}/responses/{method}.json", about(method, responder))
            write_rows(f"{path}/responses/{method}.jsonl", replies(skill))
            if method in ("direct", "straq_distill", "straq_imit") and responder == "sft":
                write(f"{path}/judge/{method}.json", about(method, responder, judge="a judge"))
                write_rows(f"{path}/judge/{method}.jsonl", judged(skill, method == "direct"))
        write(f"{path}/DONE", "")
    write("replies/sft/judge/human.json", about("human", "", judge="a judge", temperature=0))
    write_rows("replies/sft/judge/human.jsonl", judged(None, 2))
    write("replies/sft/human/straq_distill.json", about("straq_distill", "sft"))
    write_rows("replies/sft/human/straq_distill.jsonl", rated(4))
    write("replies/sft/human/human.json", about("human", ""))
    write_rows("replies/sft/human/human.jsonl", rated(3))
    # Half-written rows and a file of a newer version: named, and the rest is reported.
    rows = "".join(json.dumps(r) + "\n" for r in replies(flat(1)))
    write("replies/broken/config.yaml", "seed: 1\n")
    write("replies/broken/responses/cut.jsonl", rows[:-40])
    write("replies/broken/responses/newer.json", '{"format": 9, "method": "direct"}\n')
    write("replies/broken/responses/newer.jsonl", rows)
    write("replies/broken/judge/wrong.jsonl",
          '{"id": "d0:1", "dialogue": "d0", "overall": 7}\n')
    # Another corpus, without strategies.
    write("zero_shot/run/config.yaml", "seed: 1\ndata:\n  name: esconv\n")
    for method, skill in {"direct": flat(1), "straq_imit": flat(3)}.items():
        write(f"zero_shot/run/responses/{method}.json", about(method, "", "empathetic"))
        write_rows(f"zero_shot/run/responses/{method}.jsonl", replies(skill, strategies=False))
    write("zero_shot/run/DONE", "")

    # A sweep over the discount with replies, and one over model shapes.
    lines = "point,state,learn.gamma,seed,reason\n"
    for gamma, skill in ((0.5, 1), (0.85, 2)):
        for seed in (1, 2):
            point = f"g{gamma}-{seed}"
            lines += f"{point},done,{gamma},{seed},\n"
            run(f"gamma/{point}", flat(skill + seed - 1), seed=seed, gamma=gamma)
            write(f"gamma/{point}/responses/straq_imit.json", about("straq_imit", "sft"))
            write_rows(f"gamma/{point}/responses/straq_imit.jsonl", replies(flat(skill)))
    write("gamma/index.csv", lines)
    lines = "point,state,model.shape,seed,reason\n"
    for shape, skill in (("tiny", 1), ("small", 3)):
        lines += f"{shape},done,configs/shapes/{shape}.yaml,1,\n"
        run(f"sizes/{shape}", flat(skill), seed=1)
    write("sizes/index.csv", lines)

    # What `straq dataset stats --format json` prints, cut down.
    tables = [
        {"id": "table7", "title": "Table 7", "columns": ["option", "strategy", "abbreviation",
                                                         "definition"],
         "rows": [{"option": i + 1, "strategy": n, "abbreviation": a, "definition": f"says {n}"}
                  for i, (n, a) in enumerate(STRATEGIES)]},
        {"id": "table8", "title": "Table 8", "columns": ["emotion", "test", "all"],
         "rows": [{"emotion": "fear", "test": 4, "all": 4},
                  {"emotion": "sadness", "test": 4, "all": 4}]},
        {"id": "table10", "title": "Table 10", "columns": ["category", "esconv"],
         "rows": [{"category": "sessions", "esconv": 8},
                  {"category": "utterances per session", "esconv": 8.0},
                  {"category": "supporter: strategies", "esconv": None}],
         "notes": ["Made up."]}]
    write("dataset.json", json.dumps(tables, indent=1) + "\n")


if __name__ == "__main__":
    main()
