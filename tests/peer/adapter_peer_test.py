"""LoRA adapters both ways, against PEFT in fp32: one that the program has trained, and one that PEFT
has written, merged by the program.

    python tests/peer/adapter_peer_test.py PROGRAM
"""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

os.environ.setdefault("HF_HUB_OFFLINE", "1")

import torch  # noqa: E402
from peft import LoraConfig, PeftModel, get_peft_model  # noqa: E402
from transformers import AutoModelForCausalLM  # noqa: E402
from transformers.utils import logging as transformers_logging  # noqa: E402

ROOT = Path(__file__).resolve().parents[2]
failures = 0


def report(good, what):
    global failures
    failures += not good
    print(("ok   " if good else "FAIL ") + what, flush=True)


def run(*command, cwd):
    done = subprocess.run([str(c) for c in command], cwd=cwd, capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"{' '.join(map(str, command))}: {done.returncode}\n{done.stdout}{done.stderr[-3000:]}")


def logits(model, ids):
    with torch.no_grad():
        return model(ids).logits


def relative(a, b):
    return ((a - b).abs().max() / b.abs().max()).item()


def load(folder):
    return AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)


def main():
    program = Path(sys.argv[1]).resolve()
    transformers_logging.set_verbosity_error()
    torch.set_num_threads(1)
    torch.manual_seed(3)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        turns = [{"speaker": "seeker", "text": "I feel low."},
                 {"speaker": "supporter", "text": "Why is that?", "strategy": "Question"},
                 {"speaker": "seeker", "text": "Work, mostly."},
                 {"speaker": "supporter", "text": "That sounds hard.", "strategy": "Reflection of feelings"}]
        for split in ("train", "valid", "test"):
            lines = [json.dumps({"id": f"{split}{i}", "emotion": "sad", "problem": "job",
                                 "situation": f"number {i}", "dialog": turns}) for i in range(8)]
            (folder / f"{split}.jsonl").write_text("\n".join(lines) + "\n")
        (folder / "shape.yaml").write_text(
            "{hidden: 32, layers: 3, heads: 4, kv_heads: 2, inner: 48, max_positions: 1024}\n")
        config = {
            "name": "adapter", "results": str(folder / "results"),
            "data": {split: str(folder / f"{split}.jsonl") for split in ("train", "valid", "test")},
            "shards": {"folder": str(folder / "shards")},
            "tokenizer": {"train": {"kind": "byte_bpe", "vocab_size": 300}},
            "prompt": {"template": str(ROOT / "configs/prompts/compact.yaml"), "window": 1024},
            "model": {"shape": str(folder / "shape.yaml")},
            "learn": {"steps": 4, "lr": 0.02, "batch": 8},
            "evaluate": {"replicates": 100},
        }
        (folder / "base.yaml").write_text(json.dumps(config))
        run(program, "run", folder / "base.yaml", cwd=ROOT)
        base = folder / "base"
        (folder / "results/adapter/seed-1/planner").rename(base)
        config["name"] = "trained"
        config["tokenizer"] = {"path": str(base)}
        config["model"] = {"from": str(base),
                           "lora": {"rank": 4, "alpha": 12, "targets": ["q_proj", "v_proj", "down_proj"]}}
        config["learn"]["freeze"] = {"layers": 1}
        (folder / "trained.yaml").write_text(json.dumps(config))
        run(program, "run", folder / "trained.yaml", cwd=ROOT)
        planner = folder / "results/trained/seed-1/planner"

        ids = torch.randint(0, 290, (2, 40))
        plain, merged = logits(load(base), ids), logits(load(planner), ids)
        report(relative(merged, plain) > 1e-3, "the adapter has changed the model")
        by_peft = logits(PeftModel.from_pretrained(load(base), planner / "adapter"), ids)
        error = relative(by_peft, merged)
        report(error < 1e-5, f"PEFT with the adapter gives the planner's logits ({error:.1e})")

        theirs = get_peft_model(load(base), LoraConfig(r=3, lora_alpha=5, init_lora_weights=False,
                                                       target_modules=["k_proj", "o_proj", "up_proj"]))
        theirs.save_pretrained(folder / "theirs")
        run(program, "model", "import", base, "--out", folder / "imported", "--adapter", folder / "theirs", cwd=ROOT)
        error = relative(logits(load(folder / "imported"), ids), logits(theirs, ids))
        report(error < 1e-5, f"PEFT's adapter merged by the program gives PEFT's logits ({error:.1e})")
    sys.exit(1 if failures else 0)


main()
