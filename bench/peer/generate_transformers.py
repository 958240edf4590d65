"""transformers' side of the generation bench: prints one JSON object a work.

    python bench/peer/generate_transformers.py MODEL_FOLDER REQUESTS TOKENS THREADS BATCH
"""

import json
import os
import resource
import sys
import time

os.environ.setdefault("HF_HUB_OFFLINE", "1")

import torch  # noqa: E402
from transformers import AutoModelForCausalLM, AutoTokenizer  # noqa: E402
from transformers.utils import logging  # noqa: E402

logging.set_verbosity_error()
folder, requests, tokens, threads, batch = sys.argv[1:6]
torch.set_num_threads(int(threads))
tokenizer = AutoTokenizer.from_pretrained(folder, padding_side="left")
tokenizer.pad_token = tokenizer.eos_token
model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
items = [json.loads(line) for line in open(requests, encoding="utf-8")]
prompts = [tokenizer.apply_chat_template(i["body"]["messages"], tokenize=False,
                                         add_generation_prompt=True) for i in items]
# Prompts of one length beside each other, so that a batch holds little padding.
order = sorted(range(len(items)), key=lambda i: len(prompts[i]))
model.generate(**tokenizer(prompts[:1], return_tensors="pt"), max_new_tokens=2, do_sample=False)
texts, count = {}, 0
start = time.perf_counter()
with torch.inference_mode():
    for first in range(0, len(order), int(batch)):
        part = order[first:first + int(batch)]
        inputs = tokenizer([prompts[i] for i in part], return_tensors="pt", padding=True,
                           add_special_tokens=False)
        out = model.generate(**inputs, max_new_tokens=int(tokens), do_sample=False)
        for i, row in zip(part, out[:, inputs["input_ids"].shape[1]:]):
            ids = row.tolist()
            end = ids.index(tokenizer.eos_token_id) if tokenizer.eos_token_id in ids else len(ids)
            count += min(end + 1, len(ids))
            texts[items[i]["custom_id"]] = tokenizer.decode(ids[:end])
seconds = time.perf_counter() - start
print(json.dumps({"seconds": seconds, "tokens": count, "texts": texts,
                  "peak_rss_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024}))
