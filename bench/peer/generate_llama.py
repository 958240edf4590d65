"""llama.cpp's side of the generation bench, by way of llama-cpp-python: prints one JSON object.

    python bench/peer/generate_llama.py GGUF REQUESTS TOKENS THREADS

Requests come in the order of the file, dialogue by dialogue, so that what the last one has in common
with the next is still in the cache and is not read again. One text is written at a time, as its
server does.
    python bench/peer/generate_llama.py --convert GGUF OUT TYPE     (fp32, bf16 or int8)
"""

import ctypes
import json
import resource
import sys
import time

import llama_cpp


def convert(source, out, kind):
    params = llama_cpp.llama_model_quantize_default_params()
    params.ftype = {"fp32": llama_cpp.LLAMA_FTYPE_ALL_F32, "bf16": llama_cpp.LLAMA_FTYPE_MOSTLY_BF16,
                    "int8": llama_cpp.LLAMA_FTYPE_MOSTLY_Q8_0}[kind]
    params.allow_requantize = True
    code = llama_cpp.llama_model_quantize(source.encode(), out.encode(), ctypes.byref(params))
    sys.exit(f"llama_model_quantize: {code}" if code else 0)


def main():
    if sys.argv[1] == "--convert":
        convert(*sys.argv[2:5])
    path, requests, tokens, threads = sys.argv[1:5]
    model = llama_cpp.Llama(path, n_ctx=4096, n_threads=int(threads), n_threads_batch=int(threads),
                            verbose=False)
    items = [json.loads(line) for line in open(requests, encoding="utf-8")]
    ask = lambda item, n: model.create_chat_completion(item["body"]["messages"], max_tokens=n,
                                                       temperature=0)
    ask(items[-1], 2)  # warm, and with another beginning than the first
    texts, count, first = {}, 0, None
    start = time.perf_counter()
    for item in items:
        reply = ask(item, int(tokens))
        texts[item["custom_id"]] = reply["choices"][0]["message"]["content"]
        count += reply["usage"]["completion_tokens"]
    seconds = time.perf_counter() - start
    print(json.dumps({"seconds": seconds, "tokens": count, "texts": texts,
                      "peak_rss_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024}))


main()
