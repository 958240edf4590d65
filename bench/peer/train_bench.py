"""Drives the training bench (bench/train_bench.sh says how to call it): our learner, which writes
weights and batches, then the peers on the same files; first whether the losses agree, then the
table of both sides.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from types import SimpleNamespace

import dump
from flops import Shape, step_flops

ROOT = Path(__file__).resolve().parents[2]
PEERS = ("plain", "bucketed", "comb")
TOLERANCE = {"fp32": 1e-3, "bf16": 2e-2}
FULL = dict(shapes="small_256x6,medium_512x8", threads="1,2", dtypes="fp32", layouts="comb",
            steps=12, peers="plain,bucketed,comb", peer_steps="plain=2,bucketed=4,comb=12",
            config="bench/train.yaml", device="cpu", micro_tokens=0, micro_batch=8,
            peer_micro_tokens=2048)
QUICK = dict(FULL, shapes="small_128x4", threads="1", steps=3,
             peer_steps="plain=1,bucketed=2,comb=3")


class Failed(Exception):
    pass


def call(command, threads, log):
    """Runs a side with its own number of math threads; returns what it printed."""
    environment = dict(os.environ, OMP_NUM_THREADS=str(threads), MKL_NUM_THREADS=str(threads))
    print("   " + " ".join(Path(c).name if os.sep in str(c) else str(c) for c in command),
          file=sys.stderr, flush=True)
    with open(log, "w", encoding="utf-8") as errors:
        done = subprocess.run(list(map(str, command)), env=environment, stdout=subprocess.PIPE,
                              stderr=errors, text=True, check=False)
    if done.returncode == 77:
        print(done.stdout.strip() or Path(log).read_text(encoding="utf-8").strip())
        sys.exit(77)
    if done.returncode:
        tail = "\n".join(Path(log).read_text(encoding="utf-8").splitlines()[-15:])
        raise Failed(f"exit code {done.returncode} of {Path(command[0]).name}:\n{tail}")
    return done.stdout


def run_ours(a, shape, layout, dtype, threads, folder):
    out = folder / "ours.json"
    command = [a.program, "--config", a.config, "--shape",
               ROOT / "configs" / "shapes" / f"{shape}.yaml", "--dump", folder / "dump.jsonl",
               "--weights", folder / "weights", "--steps", a.steps, "--threads", threads, "--dtype",
               dtype, "--layout", layout, "--device", a.device, "--json", out]
    if a.micro_tokens:
        command += ["--micro-tokens", a.micro_tokens]
    if a.recompute:
        command.append("--recompute")
    call(command, threads, folder / "ours.log")
    ours = json.loads(out.read_text(encoding="utf-8"))
    for key in ("loss", "seconds"):
        if len(ours.get(key, ())) != a.steps:
            raise Failed(f"train_bench gave {len(ours.get(key, ()))} values of '{key}', "
                         f"not one for each of {a.steps} steps")
    return ours


def run_peer(a, variant, steps, dtype, threads, folder):
    text = call([sys.executable, Path(__file__).with_name("train.py"), "--data",
                 folder / "dump.jsonl", "--weights", folder / "weights", "--variant", variant,
                 "--dtype", dtype, "--threads", threads, "--steps", steps, "--device", a.device,
                 "--micro-batch", a.micro_batch, "--micro-tokens", a.peer_micro_tokens], threads,
                folder / f"{variant}.log")
    return json.loads(text.splitlines()[-1])


def timed(steps):
    """The steps that are compared: the first one warms up, unless it is the only one."""
    return range(1, steps) if steps > 1 else range(steps)


def rates(side, counted):
    """Rates over a side's own timed steps, from the dump's counts: the same for every side."""
    chosen = timed(len(side["seconds"]))
    seconds = sum(side["seconds"][s] for s in chosen)
    rate = {key: sum(counted[key][s] for s in chosen) / seconds
            for key in ("decisions", "transitions", "flops")}
    found = {"steps": len(side["seconds"]), "decisions_per_second": rate["decisions"],
             "transitions_per_second": rate["transitions"], "flops_per_second": rate["flops"]}
    for end, spent in (("", "seconds"), ("_cpu", "cpu_seconds")):
        if spent in side and side.get("gemm_flops" + end):
            per_second = sum(counted["flops"][s] for s in chosen) / sum(
                side[spent][s] for s in chosen)
            found["gemm_share" + end] = per_second / max(side["gemm_flops" + end].values())
    return found


def compare(ours, peer):
    """The peer's seconds over ours for the steps that both ran, by the clock and by the processor
    time of all threads (which other work on the machine disturbs less), and the largest relative
    difference of a common step's loss."""
    common = min(len(ours["loss"]), len(peer["loss"]))
    def ratio(key):
        if key not in ours or key not in peer:
            return None
        return (sum(peer[key][s] for s in timed(common)) / sum(ours[key][s] for s in timed(common)))
    # A loss that is not a number must not pass as equal.
    differences = [abs(x - y) / max(abs(y), 1e-12) for x, y in
                   zip(ours["loss"][:common], peer["loss"][:common])]
    worst = max((d if d == d else float("inf") for d in differences), default=float("inf"))
    return {"common_steps": common, "ratio": ratio("seconds"), "cpu_ratio": ratio("cpu_seconds"),
            "loss_difference": worst}


def table(case):
    ours, peers = case["ours"], case["peers"]
    plural = "s" if case["threads"] > 1 else ""
    print(f"\n{case['shape']}, layout {case['layout']}, {case['dtype']}, "
          f"{case['threads']} thread{plural}")
    titles = {"side": -10, "steps": 5, "decisions/s": 11, "transitions/s": 13, "tokens/dec.": 11,
              "of GEMM": 8, "by CPU": 7, "peak MB": 8, "added MB": 8, "GPU MB": 7, "ours is": 8,
              "by CPU ": 8,
              "loss differs": 12}

    def line(cells):
        print(" ".join(str(c).ljust(-w) if w < 0 else str(c).rjust(w)
                       for c, w in zip(cells, titles.values())))

    def cell(form, value):
        return "-" if value is None else form.format(value)
    line([t.strip() for t in titles])
    for name, side in [("ours", ours)] + list(peers.items()):
        r, v, peak = side["rates"], side.get("versus", {}), side.get("peak_rss_bytes")
        start = side.get("start_rss_bytes")
        line([name, r["steps"], cell("{:.2f}", r["decisions_per_second"]),
              cell("{:.2f}", r["transitions_per_second"]),
              cell("{:.0f}", (side.get("tokens_per_decision") or {}).get("padded")),
              cell("{:.0%}", r.get("gemm_share")), cell("{:.0%}", r.get("gemm_share_cpu")),
              cell("{:.0f}", peak and peak / 1e6),
              cell("{:.0f}", (peak - start) / 1e6 if peak and start else None),
              cell("{:.0f}", (side.get("peak_device_bytes") or 0) / 1e6 or None),
              cell("{:.2f}x", v.get("ratio")), cell("{:.2f}x", v.get("cpu_ratio")),
              cell("{:.1e}", v.get("loss_difference"))
              + ("" if v.get("agrees", True) else "  TOO MUCH")])
    if ours.get("phases"):
        spent = sum(ours["phases"].values())
        print("ours, seconds by phase: " + ", ".join(
            f"{k} {v:.2f} ({100 * v / spent:.0f}%)" for k, v in ours["phases"].items()))
    sys.stdout.flush()


def run_case(a, shape, layout, dtype, threads, folder):
    folder.mkdir(parents=True, exist_ok=True)
    ours = run_ours(a, shape, layout, dtype, threads, folder)
    settings, data, steps = dump.read(folder / "dump.jsonl")
    config = json.loads((folder / "weights" / "config.json").read_text(encoding="utf-8"))
    of = Shape.of(SimpleNamespace(**config), len(settings.option_ids))
    counted = {"decisions": [len(s.states) for s in steps],
               "transitions": [len(s.state) for s in steps],
               "flops": [step_flops(of, data, s) for s in steps]}
    del data
    case = {"shape": shape, "layout": layout, "dtype": dtype, "threads": threads,
            "counted": counted, "ours": ours, "peers": {}}
    for variant in a.peers:
        peer = run_peer(a, variant, min(a.peer_steps.get(variant, a.steps), a.steps), dtype,
                        threads, folder)
        for key in ("gemm_flops", "gemm_flops_cpu"):
            ours.setdefault(key, peer[key])
        peer["rates"] = rates(peer, counted)
        peer["versus"] = compare(ours, peer)
        peer["versus"]["tolerance"] = a.tolerance or TOLERANCE[dtype]
        peer["versus"]["agrees"] = peer["versus"]["loss_difference"] <= peer["versus"]["tolerance"]
        case["peers"][variant] = peer
    ours["rates"] = rates(ours, counted)
    table(case)
    return case


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--program", required=True)
    parser.add_argument("--quick", action="store_true")
    for key, value in FULL.items():
        parser.add_argument("--" + key.replace("_", "-"), type=type(value))
    parser.add_argument("--recompute", action="store_true")
    parser.add_argument("--tolerance", type=float)
    parser.add_argument("--json")
    parser.add_argument("--work")
    a = parser.parse_args()
    for key, value in (QUICK if a.quick else FULL).items():
        if getattr(a, key) is None:
            setattr(a, key, value)
    try:
        a.shapes, a.dtypes, a.layouts, a.peers = (
            v.split(",") for v in (a.shapes, a.dtypes, a.layouts, a.peers))
        a.threads = [int(t) for t in a.threads.split(",")]
        pairs = (pair.split("=") for pair in a.peer_steps.split(","))
        a.peer_steps = {name: int(n) for name, n in pairs}
    except ValueError as error:
        parser.error(str(error))
    for name in [*a.peers, *a.peer_steps]:
        if name not in PEERS:
            parser.error(f"no peer named '{name}'; there are {', '.join(PEERS)}")
    for dtype in a.dtypes:
        if dtype not in TOLERANCE:
            parser.error(f"no precision named '{dtype}'; there are {', '.join(TOLERANCE)}")
    if min([a.steps, *a.threads, *a.peer_steps.values()]) < 1:
        parser.error("steps and threads are positive numbers")
    return a


def main():
    a = arguments()
    cases, problems = [], []
    with tempfile.TemporaryDirectory() as scratch:
        work = Path(a.work or scratch)
        for shape in a.shapes:
            for layout in a.layouts:
                for dtype in a.dtypes:
                    for threads in a.threads:
                        name = f"{shape}-{layout}-{dtype}-{threads}"
                        try:
                            case = run_case(a, shape, layout, dtype, threads, work / name)
                        except (Failed, dump.DumpError, OSError, ValueError) as error:
                            problems.append(f"{name}: {error}")
                            continue
                        cases.append(case)
                        problems += [
                            f"{name}: losses of ours and {variant} differ by "
                            f"{p['versus']['loss_difference']:.1e} of them, more than "
                            f"{p['versus']['tolerance']:.0e}"
                            for variant, p in case["peers"].items() if not p["versus"]["agrees"]]
    for problem in problems:
        print(f"error: {problem}", file=sys.stderr)
    if a.json and cases:
        out = Path(a.json)
        partial = out.with_name(out.name + ".tmp")
        partial.write_text(json.dumps({"problems": problems, "cases": cases}, indent=1),
                           encoding="utf-8")
        partial.replace(out)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
