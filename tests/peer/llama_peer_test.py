"""The model against transformers in fp32: logits and gradients of random and real checkpoints, and
weights that travel through `straq model` and back.

    LLAMA_PROBE=... python tests/peer/llama_peer_test.py PROGRAM
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import torch
from safetensors.torch import load_file
from transformers import (AutoConfig, AutoModelForCausalLM, AutoTokenizer, LlamaConfig,
                          LlamaForCausalLM)
from transformers.utils import logging as transformers_logging

import gguf_files

TOLERANCE = 1e-4
ROOT = Path(__file__).resolve().parents[2]
DATA = Path(os.environ.get("STRAQ_DATA", ROOT.parent / "shared" / "data"))
LLAMA3 = {"rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
          "original_max_position_embeddings": 64}

# Every choice that changes the arithmetic appears in one of them at least.
CONFIGS = {
    "grouped queries, tied": dict(
        vocab_size=300, hidden_size=64, intermediate_size=172, num_hidden_layers=3,
        num_attention_heads=8, num_key_value_heads=2, tie_word_embeddings=True),
    "multi-head, untied": dict(
        vocab_size=256, hidden_size=48, intermediate_size=96, num_hidden_layers=2,
        num_attention_heads=6, num_key_value_heads=6, tie_word_embeddings=False,
        rms_norm_eps=1e-5),
    "one key-value head": dict(
        vocab_size=128, hidden_size=64, intermediate_size=128, num_hidden_layers=2,
        num_attention_heads=4, num_key_value_heads=1, tie_word_embeddings=True),
    "llama3 scaling, theta": dict(
        vocab_size=200, hidden_size=64, intermediate_size=100, num_hidden_layers=2,
        num_attention_heads=4, num_key_value_heads=2, tie_word_embeddings=False,
        rope_parameters=dict(LLAMA3, rope_theta=500000.0)),
    "wide heads": dict(
        vocab_size=150, hidden_size=40, intermediate_size=90, num_hidden_layers=2,
        num_attention_heads=4, num_key_value_heads=2, head_dim=32, tie_word_embeddings=True,
        rope_parameters={"rope_type": "default", "rope_theta": 1000.0}),
    "odd sizes": dict(
        vocab_size=331, hidden_size=36, intermediate_size=77, num_hidden_layers=4,
        num_attention_heads=3, num_key_value_heads=3, tie_word_embeddings=False),
}

failures = 0


def report(good, what):
    global failures
    failures += not good
    print(("ok   " if good else "FAIL ") + what, flush=True)


def program(*arguments):
    done = subprocess.run(list(map(str, arguments)), capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"{arguments[0]} {arguments[1]} failed: {done.stderr}")
    return done.stdout


def random_model(seed, **config):
    torch.manual_seed(seed)
    # Larger weights than a fresh model's: differences must not drown in logits that are all zero.
    model = LlamaForCausalLM(LlamaConfig(initializer_range=0.15, max_position_embeddings=512,
                                         **config))
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if parameter.dim() == 1:
                parameter.add_(0.2 * torch.randn_like(parameter))
    return model.float().eval()


def answers_of_transformers(model, ids, target):
    model = model.float().eval()
    model.zero_grad()
    logits = model(torch.tensor([ids])).logits[0]
    loss = torch.nn.functional.cross_entropy(logits[-1:], torch.tensor([target]))
    loss.backward()
    out = {name: p.grad for name, p in model.named_parameters()}
    return dict(out, logits=logits.detach(), loss=loss.detach())


def answers_of_program(folder, ids, target, scratch):
    request, out = scratch / "request.json", scratch / "out.safetensors"
    request.write_text(json.dumps({"ids": ids, "target": target}))
    program(os.environ["LLAMA_PROBE"], folder, request, out)
    return load_file(out)


def compare(name, folder, model, scratch):
    generator = torch.Generator().manual_seed(5)
    ids = torch.randint(model.config.vocab_size, (150,), generator=generator).tolist()
    target = ids[3]
    expected = answers_of_transformers(model, ids, target)
    got = answers_of_program(folder, ids, target, scratch)
    report(expected.keys() == got.keys(), f"{name}: the same {len(got) - 2} parameters")
    logits = (expected["logits"] - got["logits"]).abs().max().item()
    loss = abs(expected["loss"] - got["loss"]).item()
    worst = max(((expected[n] - got[n]).norm() / expected[n].norm()).item()
                for n in expected if n not in ("logits", "loss"))
    spread = expected["logits"].std().item()
    report(logits < TOLERANCE and spread > 0.1,
           f"{name}: logits differ by {logits:.1e} at most (their deviation is {spread:.2f})")
    report(loss < TOLERANCE and worst < TOLERANCE,
           f"{name}: loss differs by {loss:.1e}, gradients by {worst:.1e} relative at most")


def same_tensors(a, b):
    a, b = a.state_dict(), b.state_dict()
    return a.keys() == b.keys() and all(torch.equal(a[n], b[n]) for n in a)


def as_version_4(folder):
    """The config.json that transformers 4 would have written."""
    path = folder / "config.json"
    config = json.loads(path.read_text())
    rope = config.pop("rope_parameters")
    config["rope_theta"] = rope.pop("rope_theta")
    config["rope_scaling"] = None if rope["rope_type"] == "default" else rope
    config["torch_dtype"] = config.pop("dtype")
    config["transformers_version"] = "4.45.0"
    path.write_text(json.dumps(config))


def round_trips(straq, name, folder, model, scratch):
    def load(path, **options):
        return AutoModelForCausalLM.from_pretrained(path, local_files_only=True, **options)

    imported, exported = scratch / "imported", scratch / "exported"
    program(straq, "model", "import", folder, "--out", imported)
    program(straq, "model", "export", imported, "--out", exported, "--max-shard-size", "100KB")
    shards = len(list(exported.glob("model-*.safetensors")))
    config = AutoConfig.from_pretrained(exported)
    original = model.config
    kept = all(getattr(config, key) == getattr(original, key) for key in (
        "vocab_size", "hidden_size", "num_key_value_heads", "head_dim", "tie_word_embeddings",
        "rms_norm_eps", "rope_parameters", "bos_token_id", "eos_token_id",
        "max_position_embeddings"))
    report(same_tensors(load(imported, dtype=torch.float32), model), f"{name}: import keeps values")
    report(shards > 1 and same_tensors(load(exported, dtype=torch.float32), model),
           f"{name}: export in {shards} files keeps values")
    report(kept, f"{name}: transformers reads the same config")
    half = scratch / "half"
    program(straq, "model", "export", imported, "--out", half, "--dtype", "bf16")
    loaded = load(half)
    report(loaded.dtype == torch.bfloat16 and same_tensors(loaded, model.to(torch.bfloat16)),
           f"{name}: export in bf16 is one rounding of the values")
    model.float()
    for path in (imported, exported, half):
        shutil.rmtree(path)


def real_gguf(straq, path, scratch):
    """The published file as transformers reads it by itself, and as it was imported."""
    expected = AutoModelForCausalLM.from_pretrained(path.parent, gguf_file=path.name,
                                                    dtype=torch.float32).eval()
    folder = scratch / "gguf"
    program(straq, "model", "import", path, "--out", folder)
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    report(same_tensors(model, expected), f"{path.name}: transformers reads the same tensors from it")
    same = all(getattr(model.config, key) == getattr(expected.config, key) for key in (
        "vocab_size", "hidden_size", "num_key_value_heads", "tie_word_embeddings",
        "rope_parameters", "bos_token_id", "eos_token_id", "max_position_embeddings"))
    report(same, f"{path.name}: and the same config")
    generator = torch.Generator().manual_seed(5)
    ids = torch.randint(model.config.vocab_size, (200,), generator=generator).tolist()
    with torch.no_grad():
        logits = expected(torch.tensor([ids])).logits[0]
    request, out = scratch / "request.json", scratch / "out.safetensors"
    request.write_text(json.dumps({"ids": ids, "target": 3, "gradients": False}))
    program(os.environ["LLAMA_PROBE"], path, request, out)
    got = load_file(out)["logits"]
    difference = (logits - got).abs().max().item()
    # The logits of a real model lie near 30, of random ones near 1.
    report(difference < 10 * TOLERANCE and torch.equal(logits.argmax(-1), got.argmax(-1)),
           f"{path.name}: logits differ by {difference:.1e} at most (their deviation is "
           f"{logits.std().item():.2f})")
    chat(folder)


def chat(folder):
    """The imported template, with the system message that it brings."""
    tokenizer = AutoTokenizer.from_pretrained(folder)
    text = tokenizer.apply_chat_template([{"role": "user", "content": " Hello <b> "}], tokenize=False,
                                         add_generation_prompt=True)
    expected = ("<|im_start|>system\nYou are a helpful AI assistant named SmolLM, trained by Hugging Face"
                "<|im_end|>\n<|im_start|>user\n Hello <b> <|im_end|>\n<|im_start|>assistant\n")
    report(text == expected, "the imported chat template writes ChatML with its own system message")
    report(tokenizer.encode("Hi 12") == tokenizer.encode("Hi 12", add_special_tokens=False)
           and tokenizer.eos_token == "<|im_end|>", "no BOS before a text; <|im_end|> ends it")
    report(tokenizer.convert_ids_to_tokens(tokenizer.encode("12\x04")) == ["1", "2"],
           "single digits; a byte without token is left out")


def main(straq):
    torch.set_num_threads(1)
    transformers_logging.disable_progress_bar()
    with tempfile.TemporaryDirectory() as temporary:
        scratch = Path(temporary)
        for seed, (name, config) in enumerate(CONFIGS.items()):
            model = random_model(seed, **config)
            folder = scratch / "model"
            model.save_pretrained(folder)
            compare(name, folder, model, scratch)
            if seed in (0, 3):
                round_trips(straq, name, folder, model, scratch)
                # bf16 rounds the model in place
                model = LlamaForCausalLM.from_pretrained(folder, dtype=torch.float32)
                as_version_4(folder)
                compare(name + ", config of transformers 4", folder, model, scratch)
            shutil.rmtree(folder)

        # The other way: weights that this program made.
        folder = scratch / "random"
        program(straq, "model", "init", ROOT / "configs/shapes/tiny.yaml", "--vocab", 333,
                "--std", 0.2, "--seed", 9, "--out", folder)
        model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
        compare("made by straq model init", folder, model, scratch)

        real = DATA / "models" / "stories260K_hf"
        if not real.exists():
            print("stories260K is not here: left out (set STRAQ_DATA)")
        else:
            model = AutoModelForCausalLM.from_pretrained(real, dtype=torch.float32)
            compare("stories260K", real, model, scratch)
            folder = scratch / "stories"
            program(straq, "model", "import", DATA / "models/stories260K/stories260K.bin",
                    "--out", folder)
            report(same_tensors(AutoModelForCausalLM.from_pretrained(folder), model),
                   "stories260K: import of llama2.c's file gives the same tensors")
        published = gguf_files.real_file()
        if published is None:
            print(gguf_files.why_no_real_file())
        else:
            real_gguf(straq, published, scratch)
    print(f"{failures} failed" if failures else "all agree")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
