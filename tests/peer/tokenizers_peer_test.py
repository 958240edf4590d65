"""Every id of the program's tokenizers against tiktoken, tokenizers and sentencepiece: on all
utterances of the corpora, on strings made to be hard, on random ones and on every character.

    python tests/peer/tokenizers_peer_test.py PROGRAM
"""

import json
import subprocess
import sys
import tempfile
from pathlib import Path

import sentencepiece
import tokenizers

import references as ref
import tokenizer_shapes

failures = 0


def complain(message):
    global failures
    failures += 1
    print("FAIL " + message)


class Program:
    def __init__(self, path):
        self.path = path

    def run(self, *arguments, stdin=b"", ok=True):
        done = subprocess.run([self.path, "tokenizer", *map(str, arguments)], input=stdin,
                              capture_output=True)
        if ok and done.returncode != 0:
            sys.exit(f"{self.path} {arguments} failed: {done.stderr.decode(errors='replace')}")
        return done

    def encode(self, tokenizer, texts):
        lines = "".join(json.dumps(text) + "\n" for text in texts).encode()
        out = self.run("encode", tokenizer, "--input", "json", "--format", "json", stdin=lines).stdout
        ids = [json.loads(line) for line in out.splitlines()]
        assert len(ids) == len(texts), f"{len(texts)} texts gave {len(ids)} lines"
        return ids

    def train(self, out, files, *options):
        done = self.run("train", "--out", out, *options, "--format", "json", *files)
        rows = {row["what"]: row["value"] for row in json.loads(done.stdout)[0]["rows"]}
        return rows["path"]


def compare(name, program, path, reference, corpora):
    """`reference` takes a list of texts and gives a list of lists of ids."""
    for corpus, texts in corpora.items():
        expected = reference(texts)
        got = program.encode(path, texts)
        different = [i for i in range(len(texts)) if expected[i] != got[i]]
        tokens = sum(map(len, expected))
        state = "ok  " if not different else "FAIL"
        print(f"{state} {name:34} {corpus:22} {len(texts):7} texts {tokens:9} ids "
              f"{len(different)} different", flush=True)
        if different:
            global failures
            failures += 1
        for i in different[:3]:
            at = next((k for k, (a, b) in enumerate(zip(expected[i], got[i])) if a != b),
                      min(len(expected[i]), len(got[i])))
            print(f"     text {i} {texts[i][:80]!r}: from id {at} on "
                  f"reference {expected[i][at:at + 8]} program {got[i][at:at + 8]}")


def hugging_face(tokenizer):
    return lambda texts: [e.ids for e in tokenizer.encode_batch(texts, add_special_tokens=False)]


def without_every_character(corpora):
    """For tokenizers whose way of reading characters another comparison covers already."""
    return {name: texts for name, texts in corpora.items() if name != "every character"}


def byte_level_refuses(program, path):
    done = program.run("encode", path, stdin=b"fine\nab\xffcd\n", ok=False)
    message = done.stderr.decode(errors="replace")
    if done.returncode != 2 or ":2:" not in message or "byte 2 is 0xFF" not in message:
        complain(f"{path}: bytes that are no UTF-8 gave exit code {done.returncode}: {message}")


def sentencepiece_replaces(program, path, processor):
    """Bytes that are no UTF-8, line by line, as the library takes them."""
    lines = [b"ab\xffcd", b"\xc3", b"\xed\xa0\x80 x", b"\xf8\x88\x80\x80\x80", b"ok \xe4\xb8",
             b"\xc0\xaf", b"\xf4\x90\x80\x80", b"\x80\x80\x80"]
    out = program.run("encode", path, "--format", "json", stdin=b"\n".join(lines) + b"\n").stdout
    got = [json.loads(line) for line in out.splitlines()]
    for line, ids in zip(lines, got, strict=True):
        if ids != processor.encode(line):
            complain(f"{path}: {line!r} reference {processor.encode(line)} program {ids}")


def every_shape(program, scratch):
    """What tokenizer.json files of public models are made of, on texts that hold its words."""
    folder = scratch / "shapes"
    folder.mkdir()
    texts = tokenizer_shapes.texts()
    for name, path in tokenizer_shapes.write_all(folder):
        tokenizer = tokenizers.Tokenizer.from_file(str(path))
        # Special tokens that only the library finds in text.
        special = [t["content"] for t in json.loads(path.read_text(encoding="utf-8"))["added_tokens"]
                   if t["special"] and t["content"].startswith("<")]
        plain = [t for t in texts if not any(s in t for s in special)]
        compare(f"shape {name}", program, path, hugging_face(tokenizer), {"texts of shapes": plain})


def normal_forms(program, scratch):
    """Every character, alone and among marks, as the library normalizes it: one token a byte."""
    alphabet = ref.byte_alphabet()
    texts = ref.every_character()
    texts += [f"a\u0315{c}\u0300\u0323{c}\u05b0{c}\u0334\u1161\u11a8" for c in map(chr, range(0x3100))]
    for form in ("NFC", "NFD"):
        path = scratch / f"{form}.json"
        tokenizer_shapes.write(path, {c: b for b, c in alphabet.items()}, [], normalizer={"type": form},
                               pre_tokenizer=tokenizer_shapes.byte_level())
        compare(f"{form} / tokenizers", program, path,
                hugging_face(tokenizers.Tokenizer.from_file(str(path))), {"every character": texts})


def main():
    program = Program(sys.argv[1])
    data = ref.data_folder()
    corpora = {"hard strings": ref.HARD, "random strings": ref.random_texts(),
               "every character": ref.every_character()}
    real = {"ESConv": ref.esconv_texts(), "FailedESConv": ref.failed_texts(),
            "EmpatheticDialogues": ref.empathetic_texts()}
    for name, texts in real.items():
        if texts:
            corpora[name] = texts
        else:
            print(f"skip {name}: not under {data} (set STRAQ_DATA)")

    with tempfile.TemporaryDirectory() as scratch:
        scratch = Path(scratch)
        llama3 = data / "tokenizers" / "llama3" / "tokenizer.model"
        if llama3.exists():
            encoding = ref.tiktoken_llama3(llama3)
            compare("Llama 3 ranks / tiktoken", program, llama3,
                    lambda texts: [encoding.encode_ordinary(t) for t in texts], corpora)
            byte_level_refuses(program, llama3)
            ref.llama3_json(llama3, scratch / "llama3.json")
            # Text that spells a special token is cut there by the library but not by the program.
            plain = {k: [t for t in texts if "<|begin_of_text|>" not in t]
                     for k, texts in corpora.items()}
            compare("Llama 3 tokenizer.json / tokenizers", program, scratch / "llama3.json",
                    hugging_face(tokenizers.Tokenizer.from_file(str(scratch / "llama3.json"))), plain)
        gpt2 = data / "tokenizers" / "gpt2"
        if gpt2.exists():
            plain = {k: [t for t in texts if "<|endoftext|>" not in t]
                     for k, texts in corpora.items()}
            tokenizer = ref.gpt2_tokenizer(gpt2)
            compare("GPT-2 vocab, merges / tokenizers", program, gpt2, hugging_face(tokenizer), plain)
            byte_level_refuses(program, gpt2)
            tokenizer.save(str(scratch / "gpt2.json"))
            compare("GPT-2 tokenizer.json / tokenizers", program, scratch / "gpt2.json",
                    hugging_face(tokenizer), without_every_character(plain))
            prefixed = ref.gpt2_tokenizer(gpt2, add_prefix_space=True)
            prefixed.save(str(scratch / "prefixed.json"))
            compare("GPT-2 with prefix space / tokenizers", program, scratch / "prefixed.json",
                    hugging_face(prefixed), without_every_character(plain))
            ref.other_json(gpt2, scratch / "other.json")
            # PCRE2 brings its own Unicode version, so characters that are new there may differ.
            compare("other tokenizer.json / tokenizers", program, scratch / "other.json",
                    hugging_face(tokenizers.Tokenizer.from_file(str(scratch / "other.json"))),
                    without_every_character(plain))
        llama2 = data / "tokenizers" / "llama2" / "tokenizer.model"
        if llama2.exists():
            processor = sentencepiece.SentencePieceProcessor(model_file=str(llama2))
            compare("Llama 2 / sentencepiece", program, llama2,
                    lambda texts: [processor.encode(t) for t in texts], corpora)
            sentencepiece_replaces(program, llama2, processor)

        every_shape(program, scratch)
        normal_forms(program, scratch)

        # Trained here: on the corpus when it is there, else on the hard strings.
        train = scratch / "train.txt"
        texts = ref.esconv_texts(["train.txt"]) or ref.random_texts() * 2
        train.write_text("\n".join(t.replace("\n", " ").replace("\r", " ") for t in texts) + "\n",
                         encoding="utf-8")
        vocab = 4096 if real["ESConv"] else 600
        for split in ("llama3", "gpt2"):
            path = program.train(scratch, [train], "--kind", "byte_bpe", "--vocab", vocab,
                                 "--split", split, "--special", "<pad>")
            tokenizer = tokenizers.Tokenizer.from_file(path)
            plain = {k: [t for t in texts if "<s>" not in t] for k, texts in corpora.items()}
            compare(f"trained byte BPE ({split})", program, path, hugging_face(tokenizer), plain)
            if tokenizer.token_to_id("<pad>") != vocab - 1 or tokenizer.get_vocab_size() != vocab:
                complain(f"{path}: tokenizers reads {tokenizer.get_vocab_size()} tokens, "
                         f"<pad> as {tokenizer.token_to_id('<pad>')}")
            for text in ref.HARD:
                # A trained tokenizer's own convention begins a text with BOS.
                ids = tokenizer.encode(text).ids
                if ids[:1] != [tokenizer.token_to_id("<s>")]:
                    complain(f"{path}: the library puts no BOS before {text[:40]!r}")
                elif tokenizer.decode(ids[1:], skip_special_tokens=False) != text:
                    complain(f"{path}: {text[:40]!r} does not survive")
        for model in ("bpe", "unigram"):
            path = program.train(scratch, [train], "--kind", "sentencepiece", "--vocab",
                                 vocab if real["ESConv"] else 400, "--model", model)
            processor = sentencepiece.SentencePieceProcessor(model_file=path)
            compare(f"trained sentencepiece ({model})", program, path,
                    lambda texts: [processor.encode(t) for t in texts],
                    without_every_character(corpora))
            sentencepiece_replaces(program, path, processor)

    print("peer tokenizers: " + (f"{failures} failures" if failures else "all ids agree"))
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
