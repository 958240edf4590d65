"""Q of a dump's states without gradients, by one of the variants: the peer of the evaluation bench.
Prints one JSON line: seconds, processor seconds, and Q of every state."""

import json
import sys
import time

import torch

import dump
from train import Trainer, limits_of, memory, peer_arguments, wait_for


def main():
    parser = peer_arguments(__doc__)
    parser.add_argument("--batches", type=int, default=0, help="0: all of the dump")
    a = parser.parse_args()
    limits = limits_of(a)
    start_bytes = memory("VmRSS")
    try:
        settings, data, steps = dump.read(a.data, a.batches)
        trainer = Trainer(a.weights, data, settings, a.variant, a.dtype, a.device, **limits)
        trainer.states.shuffled = False  # nobody shuffles what is only evaluated
    except (dump.DumpError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    # A dialogue that two batches share is evaluated once, as on the other side.
    states = list(dict.fromkeys(s for step in steps for s in step.states))
    values = torch.zeros(len(states), len(settings.option_ids), device=trainer.device)
    with torch.no_grad(), trainer.precision():
        trainer.states.q(trainer.online, states[:1])  # warms up
        wait_for(trainer.device)
        begin, cpu_begin = time.perf_counter(), time.process_time()
        for part in trainer.states.plan(states):
            values[list(part)] = trainer.states.q(trainer.online, [states[i] for i in part])
        wait_for(trainer.device)
        seconds, cpu_seconds = time.perf_counter() - begin, time.process_time() - cpu_begin
    print(json.dumps({
        "side": "peer", "variant": a.variant, "seconds": seconds, "cpu_seconds": cpu_seconds,
        "decisions": len(states), "peak_rss_bytes": memory("VmHWM"), "start_rss_bytes": start_bytes,
        "q": [{"dialogue": i, "decision": d, "values": v}
              for (i, d), v in zip(states, values.tolist())]}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
