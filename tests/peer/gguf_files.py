"""GGUF files for the peer tests: small ones made with the package gguf, and the real one where it is."""

import os
from pathlib import Path

import numpy as np
from gguf import GGML_QUANT_SIZES, GGMLQuantizationType as Type, GGUFWriter

REAL_NAME = "SmolLM2-135M-Instruct.Q4_1.gguf"
TYPES = [Type.F32, Type.F16, Type.BF16, Type.Q8_0, Type.Q4_0, Type.Q4_1, Type.Q5_0, Type.Q5_1, Type.Q4_K,
         Type.Q5_K, Type.Q6_K]
# Where the high bytes of 16-bit scales lie in a block.
SCALES = {Type.Q4_0: [1], Type.Q4_1: [1, 3], Type.Q5_0: [1], Type.Q5_1: [1, 3], Type.Q8_0: [1],
          Type.Q4_K: [1, 3], Type.Q5_K: [1, 3], Type.Q6_K: [209], Type.F16: [1], Type.BF16: [1], Type.F32: [3]}


def real_file():
    """The published model, or None: $STRAQ_MODELS, else models/ of the repository."""
    root = Path(__file__).resolve().parents[2]
    path = Path(os.environ.get("STRAQ_MODELS", root / "models")) / REAL_NAME
    return path if path.exists() else None


def why_no_real_file():
    return (f"{REAL_NAME} is not here: left out (data_tools/fetch_model.sh smollm2-135m-instruct, "
            "or set STRAQ_MODELS)")


def random_blocks(kind, rows, columns, rng):
    """Any bytes as blocks of a type; scales are finite, and small enough that sums stay so."""
    values, size = GGML_QUANT_SIZES[kind]
    data = rng.integers(0, 256, (rows, columns // values, size), dtype=np.uint8)
    for at in SCALES[kind]:
        data[..., at] &= 0xBF if kind in (Type.F32, Type.BF16) else 0xB3
    return data.reshape(rows, -1)


def write_llama(path, tensors, *, hidden, inner, layers, heads, kv_heads, vocab):
    """`tensors`: name -> (bytes or fp32 values, type)."""
    writer = GGUFWriter(str(path), "llama")
    writer.add_context_length(512)
    writer.add_embedding_length(hidden)
    writer.add_feed_forward_length(inner)
    writer.add_block_count(layers)
    writer.add_head_count(heads)
    writer.add_head_count_kv(kv_heads)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_rope_freq_base(10000.0)
    writer.add_rope_dimension_count(hidden // heads)
    writer.add_vocab_size(vocab)
    for name, (data, kind) in tensors.items():
        writer.add_tensor(name, data, raw_dtype=None if kind == Type.F32 and data.dtype == np.float32 else kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def names(layers):
    """The tensors of a tied model with their shapes as functions of (hidden, inner, kv, vocab)."""
    out = {"token_embd.weight": lambda h, i, k, v: (v, h), "output_norm.weight": lambda h, i, k, v: (h,)}
    for layer in range(layers):
        p = f"blk.{layer}."
        out |= {p + "attn_norm.weight": lambda h, i, k, v: (h,), p + "ffn_norm.weight": lambda h, i, k, v: (h,),
                p + "attn_q.weight": lambda h, i, k, v: (h, h), p + "attn_k.weight": lambda h, i, k, v: (k, h),
                p + "attn_v.weight": lambda h, i, k, v: (k, h), p + "attn_output.weight": lambda h, i, k, v: (h, h),
                p + "ffn_gate.weight": lambda h, i, k, v: (i, h), p + "ffn_up.weight": lambda h, i, k, v: (i, h),
                p + "ffn_down.weight": lambda h, i, k, v: (h, i)}
    return out


HF_NAMES = {"token_embd.weight": "model.embed_tokens.weight", "output_norm.weight": "model.norm.weight",
            "attn_norm.weight": "input_layernorm.weight", "ffn_norm.weight": "post_attention_layernorm.weight",
            "attn_q.weight": "self_attn.q_proj.weight", "attn_k.weight": "self_attn.k_proj.weight",
            "attn_v.weight": "self_attn.v_proj.weight", "attn_output.weight": "self_attn.o_proj.weight",
            "ffn_gate.weight": "mlp.gate_proj.weight", "ffn_up.weight": "mlp.up_proj.weight",
            "ffn_down.weight": "mlp.down_proj.weight"}


def hf_name(name):
    if not name.startswith("blk."):
        return HF_NAMES[name]
    _, layer, rest = name.split(".", 2)
    return f"model.layers.{layer}.{HF_NAMES[rest]}"


def unpermuted(values, heads):
    """Rows of queries or keys from pairs side by side to halves."""
    rows, columns = values.shape
    return values.reshape(heads, rows // heads // 2, 2, columns).swapaxes(1, 2).reshape(rows, columns)
