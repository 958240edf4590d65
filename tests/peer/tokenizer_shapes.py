"""tokenizer.json files in the shapes that public models have, each with a small vocabulary trained
here: what the program has to read to the same ids as the tokenizers library."""

import json

from tokenizers import Tokenizer, models, pre_tokenizers, trainers

import references as ref

SIGN = "\u2581"
QWEN = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*"
        r"|\s*[\r\n]+|\s+(?!\S)|\s+")
DEEPSEEK = ["[\r\n]", "\\s?[A-Za-z\u00b5\u00c0-\u00d6\u00d8-\u00f6\u00f8-\u01ba\u01bc-\u01bf]+", "\\s?[!-/:-~\uff01-\uff0f]+",
            r"\s+$", "[\u4e00-\u9fa5\u0800-\u4e00\uac00-\ud7ff]+"]
DEEPSEEK3 = [r"\p{N}{1,3}", "[\u4e00-\u9fa5\u3040-\u309f\u30a0-\u30ff]+",
             r"[!\"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+"
             r"| ?[\p{P}\p{S}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"]
O200K = (r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?"
         r"|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?"
         r"|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+")
NEVER = [0xC0, 0xC1, *range(0xF5, 0x100)]
ADDED = "[Question]"


def texts():
    out = list(ref.HARD)
    for word in (ADDED, "<pad>", "  ", "caf\u00e9", "cafe\u0301", "stop", "!", "he"):
        out += [word, f"a{word}b", f" {word} ", f"x {word}{word} y", f"{word}\u3000z", f"\n {word}\t\n",
                f"{word}<s>{word}", f"<0x41>{word}{SIGN}"]
    return out + ref.random_texts(4000)


def token(i, text, special=False, **flags):
    return {"id": i, "content": text, "single_word": False, "lstrip": False, "rstrip": False,
            "normalized": not special, "special": special, **flags}


def split(pattern, behavior="Isolated", invert=False, kind="Regex"):
    return {"type": "Split", "pattern": {kind: pattern}, "behavior": behavior, "invert": invert}


def byte_level(regex=True, prefix=False):
    return {"type": "ByteLevel", "add_prefix_space": prefix, "trim_offsets": True, "use_regex": regex}


def sequence(kind, *steps):
    return {"type": "Sequence", kind: list(steps)}


def trained(pre_tokenizer, alphabet):
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizer
    trainer = trainers.BpeTrainer(vocab_size=900, initial_alphabet=alphabet, show_progress=False)
    tokenizer.train_from_iterator((ref.HARD + ref.random_texts(2000)) * 2, trainer)
    model = json.loads(tokenizer.to_str())["model"]
    return model["vocab"], [tuple(m) if isinstance(m, list) else tuple(m.split(" ")) for m in model["merges"]]


def without(vocab, merges, gone):
    """The vocabulary without some tokens, and without all that is made of them."""
    gone = set(gone)
    kept = []
    for left, right in merges:
        if left in gone or right in gone:
            gone.add(left + right)
        else:
            kept.append((left, right))
    made = {left + right for left, right in kept}
    names = [t for t in sorted(vocab, key=vocab.get) if t not in gone or t in made]
    return {name: i for i, name in enumerate(names)}, kept


def write(path, vocab, merges, *, pairs=True, normalizer=None, pre_tokenizer=None, added=(), front=(), **model):
    names = [*front, *sorted(vocab, key=vocab.get)]
    vocab = {name: i for i, name in enumerate(names)}
    tokens, following = [], len(vocab)
    for text, special, flags in added:
        number = vocab.get(text)
        if number is None:
            number, following = following, following + 1
        tokens.append(token(number, text, special, **flags))
    tree = {"version": "1.0", "truncation": None, "padding": None, "added_tokens": tokens,
            "normalizer": normalizer, "pre_tokenizer": pre_tokenizer, "post_processor": None, "decoder": None,
            "model": {"type": "BPE", "dropout": None, "unk_token": None, "continuing_subword_prefix": None,
                      "end_of_word_suffix": None, "fuse_unk": False, "byte_fallback": False, "ignore_merges": False,
                      "vocab": vocab, "merges": [list(m) if pairs else " ".join(m) for m in merges], **model}}
    path.write_text(json.dumps(tree, ensure_ascii=False), encoding="utf-8")


def write_all(folder):
    """Writes the files and gives (name, path) of each."""
    alphabet = ref.byte_alphabet()
    vocab, merges = trained(pre_tokenizers.ByteLevel(add_prefix_space=False), list(alphabet.values()))
    gaps, gap_merges = without(vocab, merges, [alphabet[b] for b in (0x04, 0x06, 0x80, 0x81, 0xE4, 0xF1, *NEVER)])
    out = []

    def shape(name, *arguments, **options):
        path = folder / f"{name}.json"
        write(path, *arguments, **options)
        out.append((name, path))

    end = [("<|end|>", True, {})]
    plain = [(ADDED, False, {}), ("  ", False, {"normalized": False})]
    shape("smollm", gaps, gap_merges, pre_tokenizer=sequence("pretokenizers", {"type": "Digits", "individual_digits": True},
                                                             byte_level()), added=end, front=["<|end|>"])
    shape("qwen", vocab, merges, normalizer={"type": "NFC"}, added=end + plain + [("caf\u00e9", False, {})],
          pre_tokenizer=sequence("pretokenizers", split(QWEN), byte_level(False)))
    shape("nfd", vocab, merges, normalizer={"type": "NFD"}, pre_tokenizer=byte_level(),
          added=[("caf\u00e9", False, {"normalized": False}), ("e\u0301", False, {})])
    shape("deepseek", vocab, merges, normalizer=sequence("normalizers"), pairs=False,
          pre_tokenizer=sequence("pretokenizers", *map(split, DEEPSEEK), {"type": "Digits", "individual_digits": True},
                                 byte_level(False)))
    shape("deepseek3", vocab, merges, normalizer=sequence("normalizers", sequence("normalizers")),
          pre_tokenizer=sequence("pretokenizers", sequence("pretokenizers", *map(split, DEEPSEEK3)), byte_level(False)))
    shape("o200k", vocab, merges, ignore_merges=True,
          pre_tokenizer=sequence("pretokenizers", split(O200K, "Removed", True), byte_level(False)))
    for fuse in (False, True):
        shape(f"unknown_bytes_{fuse}", gaps, gap_merges, pre_tokenizer=byte_level(), front=["<unk>"],
              unk_token="<unk>", fuse_unk=fuse)
    for behavior in ("Removed", "MergedWithPrevious", "MergedWithNext", "Contiguous", "Isolated"):
        for invert in (False, True):
            shape(f"{behavior}_{invert}", vocab, merges,
                  pre_tokenizer=sequence("pretokenizers", split(" ", behavior, invert, "String"),
                                         split(r"\d|!", behavior, invert), byte_level(False)))
    shape("flags", vocab, merges, pre_tokenizer=byte_level(prefix=True),
          added=[(ADDED, False, {"lstrip": True}), ("stop", False, {"rstrip": True, "normalized": False}),
                 ("  ", False, {"lstrip": True, "rstrip": True}), ("!", True, {}), ("he", True, {})])
    pad = min((v for v in vocab if len(v) == 2 and v.isascii()), key=vocab.get)
    shape("pads", vocab, merges, pre_tokenizer=byte_level(), added=[("!", True, {}), (pad, True, {"lstrip": True})])

    signs = [SIGN, *map(chr, range(0x21, 0x7F)), "\u00e9", "\u4e2d"]
    vocab, merges = trained(pre_tokenizers.Metaspace(), signs)
    rare = [c for c in vocab if len(c) == 1 and c not in signs]
    vocab, merges = without(vocab, merges, rare)
    bytes_of = [f"<0x{b:02X}>" for b in range(256)]
    front = ["<unk>", "<s>", "</s>"]
    specials = [(t, True, {}) for t in front]
    llama = dict(front=front + bytes_of, unk_token="<unk>", fuse_unk=True, byte_fallback=True)
    replace = {"type": "Replace", "pattern": {"String": " "}, "content": SIGN}
    prepend = {"type": "Prepend", "prepend": SIGN}
    words = specials + [(ADDED, False, {}), ("stop", False, {"normalized": False, "lstrip": True}), ("!", True, {})]
    shape("llama_v4", vocab, merges, normalizer=sequence("normalizers", prepend, replace), added=words, **llama)
    shape("gemma", vocab, merges, normalizer=replace, added=words, pre_tokenizer=split(" ", "MergedWithPrevious", False, "String"),
          **llama)
    for scheme in ("first", "always", "never"):
        for cut in (False, True):
            shape(f"metaspace_{scheme}_{cut}", vocab, merges, added=words, pairs=cut,
                  pre_tokenizer={"type": "Metaspace", "replacement": SIGN, "prepend_scheme": scheme, "split": cut}, **llama)
    for prefix in (False, True):
        shape(f"metaspace_old_{prefix}", vocab, merges, added=words, **llama,
              pre_tokenizer={"type": "Metaspace", "replacement": SIGN, "str_rep": SIGN, "add_prefix_space": prefix,
                             **({} if prefix else {"prepend_scheme": "never"})})
    shape("metaspace_digits", vocab, merges, added=words, **llama,
          pre_tokenizer=sequence("pretokenizers", split("!", kind="String"),
                                 {"type": "Metaspace", "replacement": SIGN, "prepend_scheme": "first", "split": True},
                                 {"type": "Digits", "individual_digits": True}))
    few = [b for i, b in enumerate(bytes_of) if i % 3]
    for fuse in (False, True):
        for fallback in (False, True):
            shape(f"unknown_{fuse}_{fallback}", vocab, merges, normalizer=replace, front=front + few, unk_token="<unk>",
                  fuse_unk=fuse, byte_fallback=fallback, ignore_merges=fuse)
    shape("dropped", vocab, merges, normalizer=sequence("normalizers", {"type": "NFC"}, replace))
    return out
