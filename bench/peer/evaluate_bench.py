"""Drives the evaluation bench (bench/evaluate_bench.sh says how to call it): Q of the test split by
our learner, then by the peers on the same weights; whether the values agree; the table.

Peers that are slow evaluate the first batches alone, so rates are compared per decision."""

import argparse
import json
import sys
import tempfile
from pathlib import Path

from train_bench import PEERS, ROOT, Failed, call

FULL = dict(shapes="small_256x6,medium_512x8", threads=1, batches="plain=2,bucketed=4,comb=36")
QUICK = dict(shapes="small_128x4", threads=1, batches="plain=1,bucketed=1,comb=2")
TOLERANCE = 1e-3  # of the largest |Q|


def run_ours(a, shape, folder):
    out = folder / "ours.json"
    call([a.program, "--evaluate", "--shape", ROOT / "configs" / "shapes" / f"{shape}.yaml",
          "--dump", folder / "dump.jsonl", "--weights", folder / "weights", "--steps", 10**6,
          "--threads", a.threads, "--json", out], a.threads, folder / "ours.log")
    return json.loads(out.read_text(encoding="utf-8"))


def run_peer(a, variant, folder):
    text = call([sys.executable, Path(__file__).with_name("evaluate.py"), "--data",
                 folder / "dump.jsonl", "--weights", folder / "weights", "--variant", variant,
                 "--threads", a.threads, "--batches", a.batches.get(variant, 0)], a.threads,
                folder / f"{variant}.log")
    return json.loads(text.splitlines()[-1])


def rows(side):
    return {(r["dialogue"], r["decision"]): r["values"] for r in side.pop("q")}


def run_case(a, shape, folder):
    folder.mkdir(parents=True, exist_ok=True)
    ours = run_ours(a, shape, folder)
    known = rows(ours)
    ours["decisions_per_second"] = ours["decisions"] / ours["seconds"]
    print(f"\n{shape}, {a.threads} thread{'s' if a.threads > 1 else ''}\n"
          f"{'side':10} {'decisions':>9} {'decisions/s':>11} {'peak MB':>8} {'ours is':>8} "
          f"{'Q differs':>9}")
    print(f"{'ours':10} {ours['decisions']:9d} {ours['decisions_per_second']:11.2f} "
          f"{ours['peak_rss_bytes'] / 1e6:8.0f} {'-':>8} {'-':>9}")
    case = {"shape": shape, "threads": a.threads, "ours": ours, "peers": {}, "problems": []}
    for variant in PEERS:
        peer = run_peer(a, variant, folder)
        theirs = rows(peer)
        scale = max(abs(x) for v in theirs.values() for x in v)
        peer["q_difference"] = max(abs(x - y) for k, v in theirs.items()
                                   for x, y in zip(v, known[k])) / scale
        peer["decisions_per_second"] = peer["decisions"] / peer["seconds"]
        peer["ratio"] = ours["decisions_per_second"] / peer["decisions_per_second"]
        agrees = peer["q_difference"] <= TOLERANCE
        print(f"{variant:10} {peer['decisions']:9d} {peer['decisions_per_second']:11.2f} "
              f"{peer['peak_rss_bytes'] / 1e6:8.0f} {peer['ratio']:7.2f}x "
              f"{peer['q_difference']:9.1e}{'' if agrees else '  TOO MUCH'}", flush=True)
        if not agrees:
            case["problems"].append(f"{shape}: Q of {variant} differs from ours")
        case["peers"][variant] = peer
    return case


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--program", required=True)
    parser.add_argument("--quick", action="store_true")
    for key, value in FULL.items():
        parser.add_argument("--" + key, type=type(value))
    parser.add_argument("--json")
    a = parser.parse_args()
    for key, value in (QUICK if a.quick else FULL).items():
        if getattr(a, key) is None:
            setattr(a, key, value)
    try:
        a.batches = {name: int(n) for name, n in (p.split("=") for p in a.batches.split(","))}
    except ValueError as error:
        parser.error(str(error))
    cases, problems = [], []
    with tempfile.TemporaryDirectory() as scratch:
        for shape in a.shapes.split(","):
            try:
                cases.append(run_case(a, shape, Path(scratch) / shape))
                problems += cases[-1]["problems"]
            except (Failed, OSError, ValueError, KeyError) as error:
                problems.append(f"{shape}: {error}")
    for problem in problems:
        print(f"error: {problem}", file=sys.stderr)
    if a.json and cases:
        Path(a.json).write_text(json.dumps({"problems": problems, "cases": cases}, indent=1),
                                encoding="utf-8")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
