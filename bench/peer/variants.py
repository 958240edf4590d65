"""Three ways to compute Q of a batch's states with a transformers Llama, from what one writes first
to what one writes in an afternoon.

A variant cuts states into micro-batches (`plan`) and computes Q of one of them (`q`). It counts the
tokens that went through the network, with and without padding.
"""

import random

import torch
import torch.nn.functional as F
from transformers.models.llama.modeling_llama import apply_rotary_pos_emb

from dump import by_dialogue


class Prompts:
    """One right-padded prompt per state."""

    def __init__(self, dialogues, option_ids, device, micro_batch=8):
        self.dialogues, self.device, self.micro_batch = dialogues, device, micro_batch
        self.option_ids = torch.tensor(option_ids, device=device)
        self.real = self.padded = 0

    def length(self, state):
        return self.dialogues[state[0]].prompt_length(state[1])

    def pad(self, states):
        """Token ids [states, longest], 0 where padded, and the prompts' lengths."""
        prompts = [self.dialogues[i].prompt(d) for i, d in states]
        lengths = torch.tensor([len(p) for p in prompts])
        ids = torch.zeros(len(prompts), int(lengths.max()), dtype=torch.long)
        for row, prompt in zip(ids, prompts):
            row[:len(prompt)] = torch.from_numpy(prompt)
        self.real += int(lengths.sum())
        self.padded += ids.numel()
        return ids.to(self.device), lengths.to(self.device)


class Plain(Prompts):
    """States in random order, as a shuffling loader draws them for training, an attention mask,
    logits of the whole vocabulary at every position, as LlamaForCausalLM gives them unasked."""

    shuffled = True

    def plan(self, states):
        places = list(range(len(states)))
        if self.shuffled:
            random.Random(len(states)).shuffle(places)
        return [places[i:i + self.micro_batch] for i in range(0, len(states), self.micro_batch)]

    def q(self, model, states):
        ids, lengths = self.pad(states)
        mask = torch.arange(ids.size(1), device=self.device)[None, :] < lengths[:, None]
        logits = model(input_ids=ids, attention_mask=mask.long()).logits
        last = logits[torch.arange(len(states), device=self.device), lengths - 1]
        return last[:, self.option_ids].float()


class Bucketed(Prompts):
    """States of like length together, logits at the last position only, and no mask: with padding
    on the right, causal attention keeps it out of sight of every position that is read."""

    def plan(self, states):
        order = sorted(range(len(states)), key=lambda i: self.length(states[i]))
        return [order[i:i + self.micro_batch] for i in range(0, len(order), self.micro_batch)]

    def q(self, model, states):
        ids, lengths = self.pad(states)
        hidden = model.model(input_ids=ids).last_hidden_state
        last = hidden[torch.arange(len(states), device=self.device), lengths - 1]
        return model.lm_head(last)[:, self.option_ids].float()


def visible(attach, spans, trunk, device):
    """[probe rows, trunk + probe rows] bool: a probe's token sees the trunk up to where the probe
    attaches, and its own probe up to itself. `spans`: tokens of each probe."""
    attach = torch.repeat_interleave(torch.tensor(attach), torch.tensor(spans))
    owner = torch.repeat_interleave(torch.arange(len(spans)), torch.tensor(spans))
    rows = torch.arange(len(owner))
    prefix = torch.arange(trunk)[None, :] < attach[:, None]
    own = (owner[:, None] == owner[None, :]) & (rows[None, :] <= rows[:, None])
    return torch.cat([prefix, own], 1).to(device)


class Comb:
    """One forward pass per dialogue's trunk with all of its probes. Several dialogues lie end to
    end so that the linear layers see many rows; attention runs trunk by trunk: causal for the
    trunk, a second call with a mask for its probes."""

    def __init__(self, dialogues, option_ids, device, micro_tokens=2048):
        self.dialogues, self.device, self.micro_tokens = dialogues, device, micro_tokens
        self.option_ids = torch.tensor(option_ids, device=device)
        self.real = self.padded = 0

    def trunks_of(self, dialogue, places, decisions):
        """[(trunk tokens, places, probes)] of one dialogue; a trunk ends where the last of these
        probes attaches."""
        groups = {}
        for place, d in zip(places, decisions):
            probe = self.dialogues[dialogue].probes[d]
            groups.setdefault(probe.trunk, []).append((place, probe))
        for trunk, members in groups.items():
            length = max(p.attach for _, p in members)
            yield (self.dialogues[dialogue].trunks[trunk][:length],
                   [place for place, _ in members], [p for _, p in members])

    def plan(self, states):
        parts, tokens = [], 0
        for dialogue, places, decisions in by_dialogue(states):
            cost = sum(len(t) + sum(len(p.tokens) for p in probes)
                       for t, _, probes in self.trunks_of(dialogue, places, decisions))
            if not parts or tokens + cost > self.micro_tokens:
                parts.append([])
                tokens = 0
            parts[-1] += places
            tokens += cost
        return parts

    def pack(self, states):
        ids, positions, spans, readout, place_of = [], [], [], [], []
        row = 0
        for dialogue, places, decisions in by_dialogue(states):
            for trunk, members, probes in self.trunks_of(dialogue, places, decisions):
                ids.append(torch.from_numpy(trunk))
                positions.append(torch.arange(len(trunk)))
                row += len(trunk)
                for place, probe in zip(members, probes):
                    ids.append(torch.from_numpy(probe.tokens))
                    positions.append(probe.attach + torch.arange(len(probe.tokens)))
                    row += len(probe.tokens)
                    readout.append(row - 1)
                    place_of.append(place)
                mask = visible([p.attach for p in probes], [len(p.tokens) for p in probes],
                               len(trunk), self.device)
                spans.append((len(trunk), mask))
        order = torch.empty(len(place_of), dtype=torch.long)
        order[torch.tensor(place_of)] = torch.tensor(readout)
        return (torch.cat(ids).long().to(self.device), torch.cat(positions).to(self.device), spans,
                order.to(self.device))

    def q(self, model, states):
        ids, positions, spans, readout = self.pack(states)
        self.real += len(ids)
        self.padded += len(ids)
        decoder = model.model
        eps, rows = model.config.rms_norm_eps, len(ids)
        sizes = [n for trunk, mask in spans for n in (trunk, len(mask))]
        x = decoder.embed_tokens(ids)
        cos, sin = decoder.rotary_emb(x[None], positions[None])
        for layer in decoder.layers:
            a, m = layer.self_attn, layer.mlp
            h = F.rms_norm(x, x.shape[-1:], layer.input_layernorm.weight, eps)
            heads = lambda y: y.view(1, rows, -1, a.head_dim).transpose(1, 2)  # [1, heads, rows, d]
            q, k, v = heads(a.q_proj(h)), heads(a.k_proj(h)), heads(a.v_proj(h))
            q, k = apply_rotary_pos_emb(q, k, cos.to(q.dtype), sin.to(q.dtype))
            # Split once: a slice per dialogue would make a gradient of the whole batch for each.
            pieces = [torch.split(y, sizes, dim=2) for y in (q, k, v)]
            out = []
            for i, (trunk, mask) in enumerate(spans):
                (qt, qp), (kt, kp), (vt, vp) = ((y[2 * i], y[2 * i + 1]) for y in pieces)
                if trunk:
                    out.append(F.scaled_dot_product_attention(qt, kt, vt, is_causal=True,
                                                              enable_gqa=True))
                out.append(F.scaled_dot_product_attention(
                    qp, torch.cat([kt, kp], 2), torch.cat([vt, vp], 2), attn_mask=mask,
                    enable_gqa=True))
            x = x + a.o_proj(torch.cat(out, 2).transpose(1, 2).reshape(rows, -1))
            h = F.rms_norm(x, x.shape[-1:], layer.post_attention_layernorm.weight, eps)
            x = x + m.down_proj(F.silu(m.gate_proj(h)) * m.up_proj(h))
        x = F.rms_norm(x[readout], x.shape[-1:], decoder.norm.weight, eps)
        return F.linear(x, model.lm_head.weight[self.option_ids]).float()


VARIANTS = {"plain": Plain, "bucketed": Bucketed, "comb": Comb}
