"""Checks the training peers on a random planner and made-up dialogues, in a few seconds:

    .deps/bench-venv/bin/python bench/peer/check.py

  - plain, bucketed and comb give the same loss in each of six steps, with a learning rate at which
    a wrong gradient of one step shows in the next one's loss, and a target network that moves;
  - the losses are those of a computation prompt by prompt and transition by transition;
  - a comb whose probes see too much is noticed, so the comparison can fail;
  - the operations that flops.py counts for linear layers are those that torch performs;
  - a damaged dump is refused with file and line.
"""

import os
import sys
import tempfile

os.environ.setdefault("HF_HUB_OFFLINE", "1")

import torch  # noqa: E402
from torch.utils.flop_counter import FlopCounterMode  # noqa: E402

import dump  # noqa: E402
import synthetic  # noqa: E402
import variants  # noqa: E402
from flops import Shape, comb_flops  # noqa: E402
from train import Trainer  # noqa: E402

TOLERANCE = 1e-4
failures = 0


def check(ok, what):
    global failures
    failures += not ok
    print(("ok      " if ok else "FAILED  ") + what)


def losses(folder, variant, steps=None, dtype="fp32", **limits):
    settings, data, batches = dump.read(f"{folder}/dump.jsonl")
    trainer = Trainer(folder, data, settings, variant, dtype, **limits)
    trainer.warm_up(batches[0])
    return [trainer.step(b) for b in batches[:steps]]


def difference(a, b):
    return max(abs(x - y) / max(abs(x), 1e-9) for x, y in zip(a, b))


def by_hand(folder):
    """The first step's loss, one prompt and one transition at a time."""
    settings, data, batches = dump.read(f"{folder}/dump.jsonl")
    model = Trainer(folder, data, settings, "plain").target

    def q(state):
        ids = torch.from_numpy(data[state[0]].prompt(state[1])).long()[None]
        return model(input_ids=ids).logits[0, -1, settings.option_ids].detach().tolist()
    step, total = batches[0], 0.0
    for s, a, r, n in zip(step.state, step.action, step.reward, step.next_state):
        y = r + (settings.gamma * max(q(step.next_states[n])) if n >= 0 else 0.0)
        total += (y - q(step.states[s])[a]) ** 2
    return total / len(step.state)


def check_losses(folder):
    plain = losses(folder, "plain", micro_batch=5)
    print("        losses: " + " ".join(f"{x:.5f}" for x in plain))
    check(max(plain) - min(plain) > 0.01 * plain[0], "the loss changes from step to step")
    for name, other in (("bucketed", losses(folder, "bucketed", micro_batch=5)),
                        ("comb", losses(folder, "comb", micro_tokens=200)),
                        ("comb, one micro-batch", losses(folder, "comb", micro_tokens=100000))):
        d = difference(plain, other)
        check(d < TOLERANCE, f"{name}: losses differ from plain's by {d:.1e} of them")
    d = difference([by_hand(folder)], plain)
    check(d < TOLERANCE, f"one transition at a time: first loss differs by {d:.1e}")
    for variant in variants.VARIANTS:
        d = difference(plain[:1], losses(folder, variant, 1, "bf16"))
        check(1e-7 < d < 0.05, f"{variant} in bf16: first loss differs by {d:.1e}")

    right = variants.visible
    variants.visible = lambda attach, spans, trunk, device: right(
        [trunk] * len(attach), spans, trunk, device)
    d = difference(plain, losses(folder, "comb"))
    variants.visible = right
    check(d > 10 * TOLERANCE, f"planted fault, probes see the whole trunk: differs by {d:.1e}")


def check_flops(folder):
    settings, data, _ = dump.read(f"{folder}/dump.jsonl")
    trainer = Trainer(folder, data, settings, "comb", micro_tokens=10**6)
    shape = Shape.of(trainer.online.config, len(settings.option_ids))
    states = [(i, d) for i, dialogue in data.items() for d in range(len(dialogue.probes))]
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        trainer.states.q(trainer.online, states)
    counts = counter.get_flop_counts()["Global"]
    products = sum(n for op, n in counts.items() if str(op).split(".")[-1] in ("mm", "addmm"))
    sums = [comb_flops(shape, dialogue) for dialogue in data.values()]
    counted = sum(s["linear"] + s["output"] for s in sums)
    check(products == counted, f"linear layers: {counted} operations counted, {products} performed")
    # Attention against a count pair by pair.
    pairs = 0
    for dialogue in data.values():
        for t in range(len(dialogue.trunks)):
            mine = [p for p in dialogue.probes if p.trunk == t]
            length = max(p.attach for p in mine)
            mask = variants.visible([p.attach for p in mine], [len(p.tokens) for p in mine], length,
                                    "cpu")
            pairs += int(mask.sum()) + int(torch.ones(length, length).tril().sum())
    performed = 4 * pairs * shape.layers * shape.heads * shape.head_dim
    counted = sum(s["attention"] for s in sums)
    check(performed == counted, f"attention: {counted} operations counted, {performed} visible")


def check_refusals(folder):
    lines = open(f"{folder}/dump.jsonl", encoding="utf-8").read().splitlines()
    damaged = {
        "a cut line": (3, lines[2][:len(lines[2]) // 2]),
        "a missing key": (2, lines[1].replace('"trunks"', '"trunk"')),
        "a probe outside its trunk": (2, lines[1].replace('"attach": ', '"attach": 9')),
    }
    for what, (number, line) in damaged.items():
        path = f"{folder}/damaged.jsonl"
        with open(path, "w", encoding="utf-8") as file:
            file.write("\n".join(lines[:number - 1] + [line] + lines[number:]))
        try:
            dump.read(path)
            check(False, f"{what} is refused")
        except dump.DumpError as error:
            check(f"damaged.jsonl:{number}:" in str(error), f"{what} is refused: line {number}")


def main():
    torch.set_num_threads(1)
    for tied in (True, False):
        with tempfile.TemporaryDirectory() as folder:
            print(f"--      embeddings {'tied' if tied else 'apart'}")
            synthetic.write_weights(folder, tied=tied)
            synthetic.write_dump(f"{folder}/dump.jsonl", steps=6, lr=1e-3, target_every=2)
            check_losses(folder)
            check_flops(folder)
            check_refusals(folder)
    print("all checks passed" if failures == 0 else f"{failures} checks failed")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
