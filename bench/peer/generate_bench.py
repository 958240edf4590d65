"""Drives the generation bench (bench/generate_bench.sh says how to call it): the same chats answered
by our program and by its peers, whether the texts agree, the table.

Peers are asked about fewer dialogues where they are slow, and ours about the same ones for the
ratio."""

import argparse
import json
import os
import sys
import tempfile
from pathlib import Path

import generate_work as work_of
from train_bench import ROOT, Failed, call

FULL = dict(dialogues=195, peer_dialogues=8, tokens=40)
QUICK = dict(dialogues=2, peer_dialogues=2, tokens=12)


def find_model():
    for folder in filter(None, (os.environ.get("STRAQ_MODELS"), str(ROOT / "models"))):
        for path in sorted(Path(folder).glob("**/*.gguf")):
            return path
    return None


def ours(a, requests, precision, folder):
    out = folder / "ours.jsonl"
    text = call([a.program, "generate", "--prompts", requests, "--out", out, "--overwrite", "--model",
                 a.model, "--precision", precision, "--threads", a.threads, "--format", "json",
                 "--quiet"], a.threads, folder / "ours.log")
    summary = json.loads(text)
    return {"seconds": summary["seconds"], "tokens": summary["reply_tokens"],
            "texts": work_of.read_replies(out), "detail": summary,
            "peak_rss_bytes": summary.get("peak_rss_bytes")}


def transformers(a, requests, precision, folder):
    if precision != "fp32":
        return None
    weights = folder / "hf"
    if not weights.exists():
        call([a.program, "model", "import", a.model, "--out", weights, "--dtype", "fp32"], a.threads,
             folder / "import.log")
    text = call([sys.executable, Path(__file__).with_name("generate_transformers.py"), weights, requests,
                 a.tokens, a.threads, 8], a.threads, folder / "transformers.log")
    return json.loads(text.splitlines()[-1])


def llama(a, requests, precision, folder):
    script = Path(__file__).with_name("generate_llama.py")
    weights = folder / f"{precision}.gguf"
    if not weights.exists():
        call([a.llama_python, script, "--convert", a.model, weights, precision], a.threads,
             folder / "convert.log")
    text = call([a.llama_python, script, weights, requests, a.tokens, a.threads], a.threads,
                folder / "llama.log")
    return json.loads(text.splitlines()[-1])


SIDES = {"transformers": transformers, "llama": llama}


def works(a):
    chats = work_of.chats(a.dialogues)
    wanted = a.works.split(",")
    if "chat" in wanted:
        yield "chat", [("short", work_of.SHORT)], None
    if "batch" in wanted:
        # One decision of each of 16 dialogues: nothing in common but the system message.
        first = {}
        for name, messages in work_of.chats(16):
            first[name.split("/")[0]] = (name, messages)
        yield "batch", list(first.values()), None
    if "replies" in wanted:
        peers = work_of.chats(a.peer_dialogues)
        yield "replies", peers, chats if len(chats) > len(peers) else None


def row(name, side, ratio, same):
    memory = side.get("peak_rss_bytes")
    print(f"  {name:14} {side['seconds']:9.2f} s {side['tokens']:7d} tokens "
          f"{side['tokens'] / side['seconds']:8.1f} /s {(memory or 0) / 1e6:7.0f} MB "
          f"{ratio:>8} {same:>14}", flush=True)


def run_work(a, name, items, all_items, precision, folder):
    requests = folder / "requests.jsonl"
    work_of.write_requests(requests, items, a.tokens)
    case = {"work": name, "precision": precision, "requests": len(items), "sides": {}, "problems": []}
    print(f"\n{name}, weights in {precision}: {len(items)} requests, {a.tokens} new tokens, "
          f"{a.threads} threads")
    mine = ours(a, requests, precision, folder)
    row("ours", mine, "-", "-")
    known = mine.pop("texts")
    case["sides"]["ours"] = mine
    for peer in a.peers:
        theirs = SIDES[peer](a, requests, precision, folder)
        if theirs is None:
            continue
        texts = theirs.pop("texts")
        same = sum(texts[k].strip() == known[k].strip() for k in known)
        theirs["same_texts"] = same
        theirs["ratio"] = theirs["seconds"] / mine["seconds"]
        row(peer, theirs, f"{theirs['ratio']:.2f}x", f"{same}/{len(known)} same")
        # transformers computes what we do, in fp32: a few near ties may fall otherwise.
        if peer == "transformers" and same < 0.8 * len(known):
            case["problems"].append(f"{name}: {len(known) - same} texts of {peer} differ from ours")
        case["sides"][peer] = theirs
    if all_items is not None:
        work_of.write_requests(requests, all_items, a.tokens)
        everything = ours(a, requests, precision, folder)
        everything.pop("texts")
        case["all"] = {"requests": len(all_items), **everything}
        row("ours, all", everything, "-", f"{len(all_items)} requests")
    return case


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--program", required=True)
    parser.add_argument("--quick", action="store_true")
    for key, value in FULL.items():
        parser.add_argument("--" + key.replace("_", "-"), type=type(value))
    parser.add_argument("--works", default="chat,batch,replies")
    parser.add_argument("--precisions", default="fp32,int8")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--peers", default="transformers,llama")
    parser.add_argument("--llama-python", default=os.environ.get("STRAQ_LLAMA_PYTHON"))
    parser.add_argument("--model", type=Path, default=find_model())
    parser.add_argument("--json")
    a = parser.parse_args()
    for key, value in (QUICK if a.quick else FULL).items():
        if getattr(a, key) is None:
            setattr(a, key, value)
    if a.model is None:
        print("skipped: there is no model\n  hint: data_tools/fetch_model.sh smollm2-135m-instruct")
        return 77
    if not work_of.corpus().exists():
        print(f"skipped: no corpus at {work_of.corpus()}\n  hint: set STRAQ_DATA")
        return 77
    a.peers = [p for p in a.peers.split(",") if p != "none"]
    if "llama" in a.peers and not a.llama_python:
        print("llama.cpp is left out: name a Python that has llama-cpp-python with --llama-python")
        a.peers.remove("llama")
    cases = []
    try:
        with tempfile.TemporaryDirectory() as folder:
            for name, items, all_items in works(a):
                for precision in a.precisions.split(","):
                    cases.append(run_work(a, name, items, all_items, precision, Path(folder)))
    except Failed as e:
        print(f"failed: {e}", file=sys.stderr)
        return 1
    problems = [p for c in cases for p in c["problems"]]
    if a.json:
        Path(a.json).write_text(json.dumps({"cases": cases}, indent=1) + "\n", encoding="utf-8")
    for p in problems:
        print(f"PROBLEM {p}", file=sys.stderr)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
