"""Q-learning on a Llama planner, as a user writes it with PyTorch and transformers.

    .deps/bench-venv/bin/python bench/peer/train.py --data dump.jsonl --weights FOLDER \
        --variant plain|bucketed|comb [--dtype fp32|bf16] [--threads N] [--steps N] [--device cpu]

The batches come from a dump that train_bench writes (dump.py), so batch, actions and rewards are
those of the other side. Prints one JSON line; README.md of bench/ explains its fields.

Loss: mean over transitions of (y - q)^2 with q the logit of the action's option at the prompt's
last token and y = r + gamma max_a' Q_target(s', a'), or y = r without a next state. Every distinct
state and next state of a batch goes through its network once, however many transitions share it.
"""

import argparse
import contextlib
import json
import os
import statistics
import sys
import time

os.environ.setdefault("HF_HUB_OFFLINE", "1")  # the weights are files; no server is asked

import torch  # noqa: E402
import transformers  # noqa: E402

import dump  # noqa: E402
from flops import Shape, step_flops  # noqa: E402
from variants import VARIANTS  # noqa: E402

transformers.utils.logging.disable_progress_bar()
DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16}


def memory(key):
    """Bytes of this process by the kernel's account: VmHWM is the peak, VmRSS what is held now."""
    with open("/proc/self/status", encoding="ascii") as file:
        for line in file:
            if line.startswith(key + ":"):
                return int(line.split()[1]) * 1024
    return 0


def wait_for(device):
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def gemm_peak(dtype, device, seconds=0.6):
    """Operations per second of torch.mm on large square matrices, the best of several calls: by the
    clock, and per second of processor time over all threads."""
    n = 8192 if device.type == "cuda" else 2048
    a, b = (torch.randn(n, n, device=device).to(dtype) for _ in range(2))
    out, best, best_cpu, spent = torch.empty_like(a), 0.0, 0.0, 0.0
    torch.mm(a, b, out=out)
    while spent < seconds:
        wait_for(device)
        start, cpu_start = time.perf_counter(), time.process_time()
        torch.mm(a, b, out=out)
        wait_for(device)
        took, cpu_took = time.perf_counter() - start, time.process_time() - cpu_start
        best, spent = max(best, 2 * n**3 / took), spent + took
        best_cpu = max(best_cpu, 2 * n**3 / max(cpu_took, 1e-9))
    return best, best_cpu


class Trainer:
    """Online and target network, optimizer and one of the variants."""

    def __init__(self, weights, data, settings, variant, dtype="fp32", device="cpu", **limits):
        self.device, self.settings = torch.device(device), settings
        self.online, self.target = (
            transformers.LlamaForCausalLM.from_pretrained(
                weights, dtype=torch.float32, attn_implementation="sdpa").to(self.device)
            for _ in range(2))
        for model in (self.online, self.target):
            model.config.use_cache = False
        self.target.requires_grad_(False)
        make = lambda: VARIANTS[variant](data, settings.option_ids, self.device, **limits)
        # Two of them, so that tokens are counted apart.
        self.states, self.next_states = make(), make()
        self.optimizer = torch.optim.AdamW(self.online.parameters(), lr=settings.lr,
                                           betas=settings.betas, eps=settings.eps,
                                           weight_decay=0.0, fused=True)
        self.steps = 0
        # Weights stay fp32; autocast computes the products in bf16.
        self.precision = lambda: (torch.autocast(self.device.type, dtype=torch.bfloat16)
                                  if dtype == "bf16" else contextlib.nullcontext())

    def gradients(self, step, parts=None):
        """Backward of the step's loss into the gradients; returns the loss."""
        state, action, reward, next_state = dump.tensors(step, self.device)
        value = torch.zeros(len(step.next_states) + 1, device=self.device)  # the last: no next
        with torch.no_grad():
            for part in self.next_states.plan(step.next_states):
                with self.precision():
                    q = self.next_states.q(self.target, [step.next_states[i] for i in part])
                value[torch.tensor(list(part), device=self.device)] = q.max(1).values
        y = reward + self.settings.gamma * value[next_state]
        total = torch.zeros((), device=self.device)
        plan = self.states.plan(step.states)
        for part in plan[:parts]:
            with self.precision():
                q = self.states.q(self.online, [step.states[i] for i in part])
            row_of = torch.full((len(step.states),), -1, device=self.device)
            row_of[torch.tensor(list(part), device=self.device)] = torch.arange(
                len(part), device=self.device)
            mine = row_of[state] >= 0
            chosen = q[row_of[state[mine]], action[mine]]
            loss = (y[mine] - chosen).square().sum() / len(state)
            loss.backward()
            total += loss.detach()
        return total

    def warm_up(self, step):
        """One micro-batch of each pass whose result is thrown away, so that the first step does not
        pay for what libraries set up when they are first used."""
        small = dump.Step(step.states[:1], [], [0], [0], [0.0], [-1])
        self.gradients(small, parts=1)
        self.optimizer.zero_grad(set_to_none=True)
        for counter in (self.states, self.next_states):
            counter.real = counter.padded = 0

    def step(self, step):
        loss = self.gradients(step)
        torch.nn.utils.clip_grad_norm_(self.online.parameters(), self.settings.clip)
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        self.steps += 1
        if self.settings.target_every and self.steps % self.settings.target_every == 0:
            self.target.load_state_dict(self.online.state_dict())
        return float(loss)


def measure(trainer, data, steps, dtype):
    """Runs the steps; the fields of the JSON line that a run decides."""
    device = trainer.device
    before = gemm_peak(DTYPES[dtype], device)
    trainer.warm_up(steps[0])
    losses, seconds, cpu_seconds = [], [], []
    for number, step in enumerate(steps):
        wait_for(device)
        start, cpu_start = time.perf_counter(), time.process_time()
        losses.append(trainer.step(step))  # reads the loss, so it waits for the device
        wait_for(device)
        seconds.append(time.perf_counter() - start)
        cpu_seconds.append(time.process_time() - cpu_start)
        print(f"step {number}: loss {losses[-1]:.6f}, {seconds[-1]:.2f} s", file=sys.stderr,
              flush=True)
    peak = memory("VmHWM")  # before the next large matrices
    after = gemm_peak(DTYPES[dtype], device)
    shape = Shape.of(trainer.online.config, len(trainer.settings.option_ids))
    flops = [step_flops(shape, data, s) for s in steps]
    decisions = [len(s.states) for s in steps]
    transitions = [len(s.state) for s in steps]
    kept = slice(1, None) if len(steps) > 1 else slice(None)
    timed = sum(seconds[kept])
    result = {
        "steps": len(steps), "loss": losses, "seconds": seconds, "cpu_seconds": cpu_seconds,
        "decisions": decisions, "transitions": transitions,
        "seconds_per_step": {"median": statistics.median(seconds[kept]),
                             "mean": statistics.mean(seconds[kept])},
        "decisions_per_second": sum(decisions[kept]) / timed,
        "transitions_per_second": sum(transitions[kept]) / timed,
        "tokens_per_decision": {
            "real": trainer.states.real / sum(decisions),
            "padded": trainer.states.padded / sum(decisions),
            "target_real": trainer.next_states.real / sum(decisions),
            "target_padded": trainer.next_states.padded / sum(decisions)},
        "peak_rss_bytes": peak,
        "gemm_flops": {"before": before[0], "after": after[0]},
        "gemm_flops_cpu": {"before": before[1], "after": after[1]},
        "comb_flops": flops,
        "flops_per_second": sum(flops[kept]) / timed,
        "gemm_share": sum(flops[kept]) / timed / max(before[0], after[0]),
    }
    if device.type == "cuda":
        result["peak_device_bytes"] = torch.cuda.max_memory_allocated(device)
    return result


def peer_arguments(description):
    """What every peer takes."""
    parser = argparse.ArgumentParser(description=description.splitlines()[0])
    parser.add_argument("--data", required=True, help="the dump that train_bench wrote")
    parser.add_argument("--weights", required=True, help="Hugging Face folder")
    parser.add_argument("--variant", choices=VARIANTS, required=True)
    parser.add_argument("--dtype", choices=DTYPES, default="fp32")
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--micro-batch", type=int, default=8, help="prompts (plain, bucketed)")
    parser.add_argument("--micro-tokens", type=int, default=2048, help="tokens (comb)")
    return parser


def limits_of(a):
    """Sets the threads; how much of the input a variant takes at a time, for Trainer."""
    torch.set_num_threads(a.threads)
    torch.set_num_interop_threads(1)
    return ({"micro_tokens": a.micro_tokens} if a.variant == "comb"
            else {"micro_batch": a.micro_batch})


def main():
    parser = peer_arguments(__doc__)
    parser.add_argument("--steps", type=int, default=0, help="0: all of the dump")
    a = parser.parse_args()
    limits = limits_of(a)
    start = memory("VmRSS")
    try:
        settings, data, steps = dump.read(a.data, a.steps)
        trainer = Trainer(a.weights, data, settings, a.variant, a.dtype, a.device, **limits)
    except (dump.DumpError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    result = {"side": "peer", "variant": a.variant, "dtype": a.dtype, "device": a.device,
              "threads": a.threads, **limits,
              "versions": {"torch": torch.__version__, "transformers": transformers.__version__,
                           "python": sys.version.split()[0]}}
    result.update(measure(trainer, data, steps, a.dtype))
    result["start_rss_bytes"] = start
    print(json.dumps(result))
    return 0


if __name__ == "__main__":
    sys.exit(main())
