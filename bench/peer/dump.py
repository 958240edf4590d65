"""The batches that both sides of the training bench work on, read from the file that train_bench
writes: one JSON object a line.

    {"type": "meta", "option_ids": [8 ids], "gamma": 0.85, "batch": 64, "steps": N}
    {"type": "dialogue", "index": i, "trunks": [[ids], ...], "gold": [...],
     "probes": [{"trunk": 0, "attach": a, "tokens": [ids], "position": p}, ...]}
    {"type": "batch", "step": s, "items": [{"dialogue": i, "first": f, "last": l}, ...],
     "transitions": [{"dialogue": i, "decision": d, "action": a, "reward": r, "continues": true}]}

Probe d belongs to decision d, whose prompt is trunks[trunk][:attach] + tokens with consecutive
positions. The next state of decision d is decision d + 1 of the same dialogue. `meta` may also
override the optimizer: lr, betas, eps, clip, and target_every (steps between hard copies into the
target network; 0, the default: the weights of the start all through).
"""

import json
from dataclasses import dataclass, field

import numpy as np
import torch


class DumpError(Exception):
    """A dump that does not follow the format; the message names file and line."""


@dataclass
class Probe:
    trunk: int
    attach: int
    tokens: np.ndarray


@dataclass
class Dialogue:
    trunks: list
    probes: list

    def prompt(self, decision):
        probe = self.probes[decision]
        return np.concatenate([self.trunks[probe.trunk][:probe.attach], probe.tokens])

    def prompt_length(self, decision):
        probe = self.probes[decision]
        return probe.attach + len(probe.tokens)


@dataclass
class Step:
    """One optimizer step. A state is (dialogue, decision); transitions name states by their place
    in `states` and next states by theirs in `next_states` (-1: none)."""
    states: list = field(default_factory=list)
    next_states: list = field(default_factory=list)
    state: list = field(default_factory=list)
    action: list = field(default_factory=list)
    reward: list = field(default_factory=list)
    next_state: list = field(default_factory=list)


@dataclass
class Settings:
    option_ids: list
    gamma: float
    lr: float = 5e-6
    betas: tuple = (0.9, 0.95)
    eps: float = 1e-8
    clip: float = 1.0
    target_every: int = 0


def _ids(tokens):
    return np.asarray(tokens, dtype=np.int32)


def _dialogue(row):
    trunks = [_ids(t) for t in row["trunks"]]
    probes = []
    for d, p in enumerate(row["probes"]):
        probe = Probe(p["trunk"], p["attach"], _ids(p["tokens"]))
        if not 0 <= probe.trunk < len(trunks) or not 0 <= probe.attach <= len(trunks[probe.trunk]):
            raise DumpError(f"probe {d} attaches outside its trunk")
        if len(probe.tokens) == 0:
            raise DumpError(f"probe {d} has no tokens")
        probes.append(probe)
    return Dialogue(trunks, probes)


def _step(row, dialogues, options):
    step, places, next_places = Step(), {}, {}

    def place(table, states, state):
        if state not in table:
            if not 0 <= state[1] < len(dialogues[state[0]].probes):
                raise DumpError(f"dialogue {state[0]} has no decision {state[1]}")
            table[state] = len(states)
            states.append(state)
        return table[state]

    for t in row["transitions"]:
        if not 0 <= t["action"] < options:
            raise DumpError(f"action {t['action']} is no option")
        state = (t["dialogue"], t["decision"])
        step.state.append(place(places, step.states, state))
        step.action.append(t["action"])
        step.reward.append(float(t["reward"]))
        step.next_state.append(place(next_places, step.next_states, (state[0], state[1] + 1))
                               if t["continues"] else -1)
    if not step.state:
        raise DumpError("a batch without transitions")
    return step


def read(path, steps=0):
    """(settings, dialogues by index, steps); the first `steps` of them, all where that is 0."""
    settings, dialogues, batches = None, {}, []
    with open(path, encoding="utf-8") as file:
        for number, line in enumerate(file, 1):
            if not line.strip() or (steps and len(batches) == steps):
                continue
            try:
                row = json.loads(line)
                kind = row["type"]
                if kind == "meta":
                    known = {k: row[k] for k in ("lr", "betas", "eps", "clip", "target_every")
                             if k in row}
                    settings = Settings(row["option_ids"], row["gamma"], **known)
                elif kind == "dialogue":
                    dialogues[row["index"]] = _dialogue(row)
                elif kind == "batch":
                    batches.append(_step(row, dialogues, len(settings.option_ids)))
                else:
                    raise DumpError(f"unknown type '{kind}'")
            except (DumpError, KeyError, TypeError, ValueError, AttributeError) as error:
                what = f"missing key {error}" if isinstance(error, KeyError) else error
                raise DumpError(f"{path}:{number}: {what}") from error
    if settings is None or not batches:
        raise DumpError(f"{path}: a meta line and at least one batch are expected")
    return settings, dialogues, batches


def by_dialogue(states):
    """[(dialogue, places in `states`, decisions ascending)], dialogues in order of appearance."""
    groups = {}
    for place, (dialogue, decision) in enumerate(states):
        groups.setdefault(dialogue, []).append((decision, place))
    return [(dialogue, [p for _, p in sorted(pairs)], [d for d, _ in sorted(pairs)])
            for dialogue, pairs in groups.items()]


def tensors(step, device):
    """state, action, reward, next_state of the transitions as tensors."""
    make = lambda values, dtype: torch.tensor(values, dtype=dtype, device=device)
    return (make(step.state, torch.long), make(step.action, torch.long),
            make(step.reward, torch.float32), make(step.next_state, torch.long))
