"""Response metrics against nltk, pycocoevalcap and rouge-score on real pairs: every decision of
ESConv's test split, its human reply as the reference and the reply of another decision with the
same strategy as the hypothesis. Tokens must be the same, numbers equal to 1e-9.

    python tests/peer/response_peer_test.py PROGRAM

nltk's sentence model is a download, so sentences are split by our own rule, written here a second
time; words come from nltk's tokenizer of version 3.9 (3.10 parts opening apostrophes and dashes in
other ways, which no published number knows). pycocoevalcap's parts that need Java are not used.
rouge-score has its own longest common subsequence and knows beta 1 only; it is given our tokens, so
neither its tokenizer nor its stemmer is used.
"""

import json
import math
import os
import random
import re
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

try:
    from nltk.tokenize.destructive import NLTKWordTokenizer
    from nltk.translate.bleu_score import SmoothingFunction, corpus_bleu
    from pycocoevalcap.bleu.bleu_scorer import BleuScorer
    from pycocoevalcap.cider.cider_scorer import CiderScorer
    from pycocoevalcap.rouge.rouge import Rouge
    from rouge_score.rouge_scorer import RougeScorer
except ImportError as error:
    print(f"peer response metrics skipped: {error}")
    sys.exit(77)

TOLERANCE = 1e-9
ABBREVIATIONS = set("mr mrs ms dr st vs etc e.g i.e u.s a.m p.m jr sr prof".split())
WORDS = NLTKWordTokenizer()
failures = 0


def report(good, what):
    global failures
    failures += not good
    print(("ok   " if good else "FAIL ") + what, flush=True)


def close(name, got, expected):
    """Numbers or lists of numbers; says the largest difference."""
    pairs = list(zip(got, expected, strict=True)) if isinstance(got, list) else [(got, expected)]
    worst = max(abs(a - b) for a, b in pairs)
    report(worst <= TOLERANCE, f"{name:44} {len(pairs):5} values, largest difference {worst:.1e}")


def sentences(text):
    out, start = [], 0
    for match in re.finditer(r"([.?!]+)[\"')\]}»”’]*(?=\s)", text):
        if match.start() < start:
            continue
        if match.group(1) == ".":
            word = re.search(r"\S*$", text[start:match.start()]).group()
            word = re.sub(r"^\W+", "", word).lower()
            if word in ABBREVIATIONS or re.fullmatch(r"[^\W\d_]", word) and word != "i":
                continue
        out.append(text[start:match.end()].strip())
        start = match.end()
    return [s for s in out + [text[start:].strip()] if s]


def tokens_of(text):
    return [word for s in sentences(text.strip().lower()) for word in WORDS.tokenize(s)]


def decisions(path):
    """Merged supporter turns that do not open their dialogue, labelled by their first utterance."""
    out = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines()):
        dialogue = json.loads(line)
        turns = []
        for u in dialogue["dialog"]:
            text = " ".join(u["text"].split())
            if turns and turns[-1]["speaker"] == u["speaker"]:
                turns[-1]["text"] += " " + text
            else:
                turns.append({"speaker": u["speaker"], "text": text,
                              "strategy": u.get("strategy")})
        out += [{"id": f"{number}:{i}", "dialogue": str(number), "strategy": turn["strategy"],
                 "emotion": dialogue["emotion_type"], "reference": turn["text"]}
                for i, turn in enumerate(turns) if turn["speaker"] == "sys" and i > 0]
    return out


def other_replies(rows, seed):
    """For each row the reply of another decision with the same strategy."""
    rng = random.Random(seed)
    same = {}
    for row in rows:
        same.setdefault(row["strategy"], []).append(row)
    return [rng.choice([r for r in same[row["strategy"]] if r is not row])["reference"]
            for row in rows]


def run(program, *arguments):
    done = subprocess.run([program, "score", *map(str, arguments)], capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"{program} score {arguments} failed: {done.stderr}")
    return done.stdout


def distinct(hypotheses, n, drop_last):
    grams = []
    for h in hypotheses:
        of_reply = [tuple(h[i:i + n]) for i in range(len(h) - n + 1)]
        grams += of_reply[:-1] if drop_last else of_reply
    return len(set(grams)) / len(grams)


def token_f1(hypothesis, references):
    def one(reference):
        same = sum((Counter(hypothesis) & Counter(reference)).values())
        return 2 * same / (len(hypothesis) + len(reference))
    return max(map(one, references))


def pycoco(hypotheses, references, scorer):
    for h, refs in zip(hypotheses, references, strict=True):
        scorer += (" ".join(h), [" ".join(r) for r in refs])
    return scorer


class Apart:
    """Tokens that stand apart already, for rouge-score."""

    def tokenize(self, text):
        return text.split()


ROUGE_L = RougeScorer(["rougeL"], tokenizer=Apart())


def rouge_score_f1(hypothesis, references):
    """rouge-score has no rule of several references like ours: the best precision and the best
    recall, taken apart. Of one reference it is its own F1."""
    each = [ROUGE_L.score(" ".join(r), " ".join(hypothesis))["rougeL"] for r in references]
    if len(each) == 1:
        return each[0].fmeasure
    precision, recall = max(e.precision for e in each), max(e.recall for e in each)
    return 2 * precision * recall / (precision + recall) if precision and recall else 0.0


def compare(name, scores, coco_scores, balanced_scores, hypotheses, references):
    """Three reports of the program on the same pairs against the references."""
    close(f"{name}: BLEU-1..4 / nltk method3", [scores[f"bleu{n}"] for n in range(1, 5)],
          [corpus_bleu(references, hypotheses, weights=[1 / n] * n + [0] * (4 - n),
                       smoothing_function=SmoothingFunction().method3) for n in range(1, 5)])
    bleu, _ = pycoco(hypotheses, references, BleuScorer(n=4)).compute_score("closest", 0)
    close(f"{name}: BLEU-1..4 / pycocoevalcap", [coco_scores[f"bleu{n}"] for n in range(1, 5)],
          bleu)
    for beta, ours in ((1.2, scores), (1.0, balanced_scores)):
        rouge = Rouge()
        rouge.beta = beta
        each = [rouge.calc_score([" ".join(h)], [" ".join(r) for r in refs])
                for h, refs in zip(hypotheses, references, strict=True)]
        close(f"{name}: ROUGE-L, beta {beta} / pycocoevalcap", ours["rouge_l"],
              sum(each) / len(each))
    close(f"{name}: ROUGE-L, beta 1.0 / rouge-score", balanced_scores["rouge_l"],
          sum(map(rouge_score_f1, hypotheses, references)) / len(hypotheses))
    cider, _ = pycoco(hypotheses, references, CiderScorer()).compute_score()
    close(f"{name}: CIDEr / pycocoevalcap", scores["cider"], float(cider))
    close(f"{name}: Dist-1, Dist-2, all and without last",
          [scores[key] for key in ("dist1", "dist2", "dist1_zcj", "dist2_zcj")],
          [distinct(hypotheses, n, drop) for drop in (False, True) for n in (1, 2)])
    close(f"{name}: token F1", scores["f1"],
          sum(map(token_f1, hypotheses, references)) / len(hypotheses))
    close(f"{name}: lengths", [scores["length"], scores["reference_length"]],
          [sum(map(len, hypotheses)) / len(hypotheses),
           sum(sum(map(len, r)) / len(r) for r in references) / len(references)])


def sentence_bleu2(hypothesis, references):
    counts = [[Counter(zip(*[t[k:] for k in range(n)])) for t in [hypothesis, *references]]
              for n in (1, 2)]
    matches = [sum(min(c, max(r[g] for r in refs)) for g, c in h.items())
               for h, *refs in counts]
    if matches[1] == 0:
        return 0.0
    length = len(hypothesis)
    nearest = min((abs(len(r) - length), len(r)) for r in references)[1]
    penalty = 1 if length > nearest else math.exp(1 - nearest / length)
    return penalty * math.sqrt(matches[0] / length * matches[1] / (length - 1))


def main():
    program = sys.argv[1]
    root = Path(__file__).resolve().parents[2]
    data = Path(os.environ.get("STRAQ_DATA", root.parent / "shared" / "data"))
    path = data / "esconv" / "test.txt"
    if not path.exists():
        print("peer response metrics skipped: esconv/test.txt absent (set STRAQ_DATA)")
        return 77
    rows = decisions(path)
    dialogues = {row["dialogue"] for row in rows}
    report((len(rows), len(dialogues)) == (2295, 195),
           f"{len(rows)} decisions of {len(dialogues)} dialogues")
    written = other_replies(rows, 1)
    # What a model may also answer; each is in the subsets of its decision.
    written[7], written[500], written[501], written[900] = "", "ok", "How are you?", "a " * 400
    second = other_replies(rows, 2)

    with tempfile.TemporaryDirectory() as scratch:
        scratch = Path(scratch)
        hyp, ref, more = scratch / "h.jsonl", scratch / "r.jsonl", scratch / "more.jsonl"
        dump = lambda file, items: file.write_text("".join(json.dumps(i) + "\n" for i in items))
        dump(hyp, [{"id": r["id"], "text": h} for r, h in zip(rows, written)])
        dump(ref, rows)
        dump(more, [{"id": r["id"], "text": t} for r, t in zip(rows, second)])

        hypotheses = [tokens_of(h) for h in written]
        single = [[tokens_of(r["reference"])] for r in rows]
        double = [[*a, tokens_of(b)] for a, b in zip(single, second)]

        each = [json.loads(line) for line in
                run(program, "--hyp", hyp, "--ref", ref, "--ref", more, "--pairs").splitlines()]
        different = sum(e["hypothesis"] != h or e["references"] != r
                        for e, h, r in zip(each, hypotheses, double, strict=True))
        report(different == 0, f"tokens of {3 * len(each)} replies / nltk, {different} pairs differ")
        _, cider = pycoco(hypotheses, double, CiderScorer()).compute_score()
        close("each pair, two references: CIDEr", [e["cider"] for e in each], list(map(float, cider)))
        for files, references, what in ((("--ref", ref), single, "one reference"),
                                         (("--ref", ref, "--ref", more), double, "two references")):
            pairs = run(program, "--hyp", hyp, *files, "--beta", 1, "--pairs").splitlines()
            close(f"each pair, {what}: ROUGE-L, beta 1.0 / rouge-score",
                  [json.loads(line)["rouge_l"] for line in pairs],
                  list(map(rouge_score_f1, hypotheses, references)))
        close("each pair, two references: sentence BLEU-2", [e["sentence_bleu2"] for e in each],
              list(map(sentence_bleu2, hypotheses, double)))

        def three(*arguments):
            json_of = lambda *more: json.loads(run(program, "--hyp", *arguments, "--format", "json",
                                                   "--bootstrap", 0, *more))
            return json_of(), json_of("--bleu", "coco"), json_of("--beta", 1)

        ours = three(hyp, "--ref", ref)
        compare("all", *(o["overall"] for o in ours), hypotheses, single)
        compare("two references", *(o["overall"] for o in three(hyp, "--ref", ref, "--ref", more)),
                hypotheses, double)
        for key, subsets in (("strategy", "by_strategy"), ("emotion", "by_emotion")):
            names = sorted({r[key] for r in rows})
            report(sorted(ours[0][subsets]) == names, f"{len(names)} subsets by {key}")
            for name in names:
                at = [i for i, r in enumerate(rows) if r[key] == name]
                compare(name, *(o[subsets][name] for o in ours), [hypotheses[i] for i in at],
                        [single[i] for i in at])

        # As text, and with tokens that stand apart already.
        plain = [scratch / "h.txt", scratch / "r.txt"]
        plain[0].write_text("".join(h + "\n" for h in written))
        plain[1].write_text("".join(r["reference"] + "\n" for r in rows))
        text = three(plain[0], "--ref", plain[1])
        report(text[0]["overall"]["bleu2"] == ours[0]["overall"]["bleu2"],
               "text files score as .jsonl files")
        compare("whitespace", *(o["overall"] for o in three(
            plain[0], "--ref", plain[1], "--tokenize", "whitespace")),
            [h.split() for h in written], [[r["reference"].split()] for r in rows])

        start = time.monotonic()
        full = json.loads(run(program, "--hyp", hyp, "--ref", ref, "--format", "json",
                              "--bootstrap", 10000))
        seconds = time.monotonic() - start
        low, high = full["overall"]["intervals"]["bleu2"]
        report(low < full["overall"]["bleu2"] < high,
               f"BLEU-2 {full['overall']['bleu2']:.5f} in [{low:.5f}, {high:.5f}]")
        report(seconds < 5, f"{len(rows)} pairs, 10,000 replicates of every metric, overall and by "
                            f"subset: {seconds:.2f} s with reading and tokenizing")

    print("peer response metrics: " + (f"{failures} failures" if failures else "all agree"))
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
