"""GGUF files against the package gguf and the tokenizers library: weights of every type to the bit, and
every id of the real file's tokenizer.

    python tests/peer/gguf_peer_test.py PROGRAM
"""

import json
import struct
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import tokenizers
from gguf import GGUFReader
from gguf.quants import dequantize, quantize
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers

import gguf_files
import references as ref
from gguf_files import Type
from tokenizers_peer_test import Program, compare, hugging_face
import tokenizers_peer_test

failures = 0


def report(good, what):
    global failures
    failures += not good
    print(("ok   " if good else "FAIL ") + what, flush=True)


def safetensors(path):
    """Name -> fp32 array of a safetensors file."""
    data = Path(path).read_bytes()
    (length,) = struct.unpack("<Q", data[:8])
    header = json.loads(data[8:8 + length])
    out = {}
    for name, item in header.items():
        if name == "__metadata__":
            continue
        assert item["dtype"] == "F32", item
        begin, end = item["data_offsets"]
        out[name] = np.frombuffer(data[8 + length + begin:8 + length + end], np.float32).reshape(item["shape"])
    return out


def imported(program, path, out):
    done = subprocess.run([program, "model", "import", str(path), "--out", str(out)], capture_output=True,
                          text=True)
    if done.returncode != 0:
        sys.exit(f"import of {path} failed: {done.stderr}")
    return safetensors(out / "model.safetensors")


def same_bits(a, b):
    return a.shape == b.shape and np.array_equal(a.view(np.uint32), b.view(np.uint32))


def tensors_of_reader(path, heads, kv_heads):
    """Name -> fp32 values in Hugging Face's layout, by the package alone."""
    out = {}
    for t in GGUFReader(str(path)).tensors:
        shape = tuple(int(n) for n in reversed(t.shape))
        values = dequantize(t.data, t.tensor_type).astype(np.float32).reshape(shape)
        if t.name.endswith("attn_q.weight"):
            values = gguf_files.unpermuted(values, heads)
        elif t.name.endswith("attn_k.weight"):
            values = gguf_files.unpermuted(values, kv_heads)
        out[gguf_files.hf_name(t.name)] = np.ascontiguousarray(values)
    return out


def compare_weights(program, name, path, heads, kv_heads, scratch):
    got = imported(program, path, scratch)
    expected = tensors_of_reader(path, heads, kv_heads)
    different = [n for n in expected if n not in got or not same_bits(expected[n], got[n])]
    report(expected.keys() == got.keys() and not different,
           f"{name}: {len(got)} tensors, {len(different)} differ in a bit" +
           (f" ({different[0]})" if different else ""))


def every_type(program, scratch):
    rng = np.random.default_rng(11)
    sizes = dict(hidden=256, inner=512, layers=2, heads=4, kv_heads=2, vocab=96)
    for kind in gguf_files.TYPES:
        for how in ("quantised", "any bytes"):
            tensors = {}
            for name, shape in gguf_files.names(sizes["layers"]).items():
                shape = shape(sizes["hidden"], sizes["inner"], 128, sizes["vocab"])
                values = rng.standard_normal(shape).astype(np.float32)
                if len(shape) == 1:
                    tensors[name] = (values, Type.F32)
                elif how == "any bytes":
                    tensors[name] = (gguf_files.random_blocks(kind, *shape, rng), kind)
                else:
                    try:
                        tensors[name] = (quantize(values, kind), kind)
                    except NotImplementedError:  # the package reads the K types only
                        break
            else:
                path = scratch / f"{kind.name}-{how}.gguf".replace(" ", "-")
                gguf_files.write_llama(path, tensors, **sizes)
                compare_weights(program, f"{kind.name}, {how}", path, sizes["heads"], sizes["kv_heads"],
                                scratch / path.stem)


def reference_tokenizer(path):
    """What the converter was given, put together from the file's lists by the library."""
    reader = GGUFReader(str(path))
    get = lambda key: reader.fields["tokenizer.ggml." + key].contents()
    assert get("model") == "gpt2" and get("pre") == "smollm"
    tokens = get("tokens")
    tokenizer = Tokenizer(models.BPE(vocab={t: i for i, t in enumerate(tokens)},
                                     merges=[tuple(m.split(" ")) for m in get("merges")]))
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([
        pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)])
    tokenizer.decoder = decoders.ByteLevel()
    special = [t for t, kind in zip(tokens, get("token_type")) if kind == 3]
    tokenizer.add_special_tokens([AddedToken(t, special=True) for t in special])
    return tokenizer, special


def real_tokenizer(program, path, folder):
    reference, special = reference_tokenizer(path)
    corpora = {"hard strings": ref.HARD, "random strings": ref.random_texts(),
               "every character": ref.every_character(), "ESConv": ref.esconv_texts(),
               "FailedESConv": ref.failed_texts(), "EmpatheticDialogues": ref.empathetic_texts()}
    # Text that spells a special token is cut there by the library but not by the program.
    plain = {name: [t for t in texts if not any(s in t for s in special)]
             for name, texts in corpora.items() if texts}
    compare("GGUF / tokenizers", Program(program), path, hugging_face(reference), plain)
    compare("imported / tokenizers", Program(program), folder, hugging_face(reference),
            {"hard strings": plain["hard strings"]})
    written = tokenizers.Tokenizer.from_file(str(folder / "tokenizer.json"))
    texts = plain["hard strings"] + plain.get("ESConv", [])
    report(hugging_face(written)(texts) == hugging_face(reference)(texts),
           "the tokenizer.json that import writes gives the library the same ids")
    ids = Program(program).encode(path, ["<|im_start|>user<|im_end|>"])[0]
    report(not any(i < 17 for i in ids), "control tokens in users' text stay text")


def main(program):
    with tempfile.TemporaryDirectory() as scratch:
        scratch = Path(scratch)
        every_type(program, scratch)
        real = gguf_files.real_file()
        if real is None:
            print(gguf_files.why_no_real_file())
        else:
            compare_weights(program, real.name, real, 9, 3, scratch / "real")
            real_tokenizer(program, real, scratch / "real")
    total = failures + tokenizers_peer_test.failures
    print(f"peer gguf: {total} failed" if total else "peer gguf: all agree")
    return 1 if total else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
