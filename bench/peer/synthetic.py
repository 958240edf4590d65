"""A small dump and a small random planner, so that the peers can be checked without the program and
without a corpus. Its dialogues hold what real ones rarely show: a probe of one token, one that
attaches at the trunk's start, a second trunk, decisions without a next state, a batch that cuts a
dialogue in two."""

import json
import random

import torch
import transformers

VOCAB, OPTIONS = 199, [11, 12, 13, 14, 15, 16, 17, 18]


def write_weights(folder, seed=1, tied=True):
    torch.manual_seed(seed)
    config = transformers.LlamaConfig(
        vocab_size=VOCAB, hidden_size=48, intermediate_size=80, num_hidden_layers=3,
        num_attention_heads=4, num_key_value_heads=2, max_position_embeddings=256,
        rms_norm_eps=1e-5, tie_word_embeddings=tied,
        initializer_range=0.15)  # large, so that a wrong mask or position shows in Q
    transformers.LlamaForCausalLM(config).save_pretrained(folder)


def write_dump(path, steps=3, batch=12, seed=1, **meta):
    rng = random.Random(seed)
    ids = lambda n: [rng.randrange(20, VOCAB) for _ in range(n)]
    rows = [{"type": "meta", "option_ids": OPTIONS, "gamma": 0.85, "batch": batch, "steps": steps,
             **meta}]
    order = []
    for i in range(9):
        trunks, attach, probes = [ids(rng.randrange(40, 90))], 0 if i == 0 else 9, []
        for d in range(rng.randrange(3, 8)):
            probe = {"trunk": 0, "attach": attach, "tokens": ids(rng.randrange(1, 6))}
            if i % 3 == 2 and d == 2:  # one that did not fit: a trunk of its own
                trunks.append(ids(30))
                probe |= {"trunk": 1, "attach": 30}
            probes.append(probe | {"position": probe["attach"]})
            attach = min(attach + rng.randrange(1, 16), len(trunks[0]))
        order += [(i, d) for d in range(len(probes))]
        rows.append({"type": "dialogue", "index": i, "trunks": trunks, "probes": probes,
                     "gold": [rng.randrange(8) for _ in probes]})
    last = {i: d for i, d in order}
    for s in range(steps):
        chosen = (order + order)[s * batch % len(order):][:batch]
        items, transitions = [], []
        for i, d in chosen:
            if items and items[-1]["dialogue"] == i and items[-1]["last"] == d:
                items[-1]["last"] = d + 1
            else:
                items.append({"dialogue": i, "first": d, "last": d + 1})
            expert = rng.randrange(8)
            for action, reward in ((expert, 1), ((expert + rng.randrange(1, 8)) % 8, -1)):
                transitions.append({"dialogue": i, "decision": d, "action": action,
                                    "reward": reward, "continues": d < last[i]})
        rows.append({"type": "batch", "step": s, "items": items, "transitions": transitions})
    with open(path, "w", encoding="utf-8") as file:
        file.writelines(json.dumps(row) + "\n" for row in rows)
