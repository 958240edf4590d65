"""Floating-point operations of a step, counted for a straightforward comb. Both sides are measured
against this count, so work that a trainer skips without changing the result counts in its favour,
and work that it does twice counts for nothing.

A multiplication with its addition is two operations. Norms, rotary embedding, activations, softmax
and the optimizer are left out.
"""

from dataclasses import dataclass

from dump import by_dialogue


@dataclass
class Shape:
    hidden: int
    inner: int
    layers: int
    heads: int
    kv_heads: int
    head_dim: int
    options: int = 8

    @staticmethod
    def of(config, options):
        head_dim = getattr(config, "head_dim", None)
        return Shape(config.hidden_size, config.intermediate_size, config.num_hidden_layers,
                     config.num_attention_heads, config.num_key_value_heads,
                     head_dim or config.hidden_size // config.num_attention_heads, options)


def comb_flops(shape, dialogue, decisions=None):
    """Operations of one forward pass over a dialogue's comb that reads Q at `decisions` (default:
    all): {"linear", "attention", "output"}.

    linear     every layer's seven projections for every row: the trunks up to their last probe that
               is read, and those probes
    attention  scores and weighted values for each pair of a query and a key that it sees: the trunk
               causal (half the square), a probe its trunk prefix and itself
    output     the options' rows of the output projection, one product a decision
    """
    if decisions is None:
        decisions = range(len(dialogue.probes))
    attached, rows, pairs = {}, 0, 0
    for d in decisions:
        probe = dialogue.probes[d]
        n = len(probe.tokens)
        attached[probe.trunk] = max(attached.get(probe.trunk, 0), probe.attach)
        rows += n
        pairs += n * probe.attach + n * (n + 1) // 2
    for length in attached.values():
        rows += length
        pairs += length * (length + 1) // 2
    width = shape.heads * shape.head_dim
    projections = shape.hidden * (2 * width + 2 * shape.kv_heads * shape.head_dim + 3 * shape.inner)
    return {
        "linear": 2 * shape.layers * rows * projections,
        "attention": 4 * shape.layers * pairs * width,
        "output": 2 * shape.options * shape.hidden * len(decisions),
    }


def step_flops(shape, dialogues, step):
    """Operations of one optimizer step: forward and backward (three times the forward) over the
    states' combs, one forward over the next states'."""
    total = 0
    for factor, states in ((3, step.states), (1, step.next_states)):
        for dialogue, _, decisions in by_dialogue(states):
            total += factor * sum(comb_flops(shape, dialogues[dialogue], decisions).values())
    return total
