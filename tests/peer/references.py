"""The reference tokenizers, built from files only (nothing is downloaded), and the texts that they
and the program are compared on. Shared by the peer test and by bench/peer."""

import base64
import csv
import json
import os
import random
import sys
from pathlib import Path

import tiktoken
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers

LLAMA3_PATTERN = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}"
    r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+")
GPT2_PATTERN = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"


def data_folder():
    root = Path(__file__).resolve().parents[2]
    return Path(os.environ.get("STRAQ_DATA", root.parent / "shared" / "data"))


def read_ranks(path):
    ranks = {}
    for line in Path(path).read_bytes().splitlines():
        token, rank = line.split()
        ranks[base64.b64decode(token)] = int(rank)
    return ranks


def byte_alphabet():
    """Byte -> character of GPT-2's files, as the tokenizers library has it."""
    printing = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    table, extra = {}, 0x100
    for byte in range(256):
        if byte in printing:
            table[byte] = chr(byte)
        else:
            table[byte] = chr(extra)
            extra += 1
    assert set(table.values()) == set(pre_tokenizers.ByteLevel.alphabet())
    return table


def tiktoken_llama3(path):
    ranks = read_ranks(path)
    return tiktoken.Encoding("llama3", pat_str=LLAMA3_PATTERN, mergeable_ranks=ranks,
                             special_tokens={"<|begin_of_text|>": len(ranks)})


def llama3_json(ranks_path, out):
    """Llama 3's ranks as the tokenizer.json that the models are published with: every way to cut a
    token into two tokens is a merge, in the order of the ranks."""
    ranks = read_ranks(ranks_path)
    alphabet = byte_alphabet()
    spell = lambda token: "".join(alphabet[b] for b in token)
    merges = []
    for token, rank in ranks.items():
        for cut in range(1, len(token)):
            left, right = token[:cut], token[cut:]
            if left in ranks and right in ranks:
                merges.append((rank, ranks[left], ranks[right], spell(left), spell(right)))
    merges.sort()
    tokenizer = Tokenizer(models.BPE(
        vocab={spell(token): rank for token, rank in ranks.items()},
        merges=[(left, right) for _, _, _, left, right in merges], ignore_merges=True))
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([
        pre_tokenizers.Split(Regex(LLAMA3_PATTERN), "isolated"),
        pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens([AddedToken("<|begin_of_text|>", special=True),
                                  AddedToken("<|end_of_text|>", special=True)])
    tokenizer.save(str(out))


def gpt2_tokenizer(folder, add_prefix_space=False):
    folder = Path(folder)
    tokenizer = Tokenizer(models.BPE.from_file(str(folder / "vocab.json"),
                                               str(folder / "merges.txt")))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=add_prefix_space)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens([AddedToken("<|endoftext|>", special=True)])
    return tokenizer


def other_json(gpt2_folder, out):
    """A tokenizer.json whose split pattern is neither of the two known ones, with single digits
    and with added tokens that are found in text: what goes the general way in the program."""
    tokenizer = gpt2_tokenizer(gpt2_folder)
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([
        pre_tokenizers.Digits(individual_digits=True),
        pre_tokenizers.Split(Regex(r"\p{Lu}?\p{Ll}+|\p{L}+|\p{M}+|[^\S\r\n]+$|\s|\d"), "isolated"),
        pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])
    tokenizer.add_tokens([AddedToken("    ", normalized=False), AddedToken("  ", normalized=False),
                          AddedToken("feel", normalized=False)])
    tokenizer.save(str(out))


def esconv_texts(files=("train.txt", "valid.txt", "test.txt")):
    texts = []
    for name in files:
        path = data_folder() / "esconv" / name
        if path.exists():
            for line in path.read_text(encoding="utf-8").splitlines():
                dialogue = json.loads(line)
                texts.append(dialogue["situation"])
                texts += [u["text"] for u in dialogue["dialog"]]
    return texts


def failed_texts():
    path = data_folder() / "esconv" / "FailedESConv.json"
    if not path.exists():
        return []
    texts = []
    for dialogue in json.loads(path.read_text(encoding="utf-8")):
        texts += [str(u.get("content", u.get("text", ""))) for u in dialogue["dialog"]]
    return texts


def empathetic_texts():
    csv.field_size_limit(sys.maxsize)
    texts = []
    for name in ("valid.csv", "test.csv"):
        path = data_folder() / "empathetic_dialogues" / name
        if not path.exists():
            continue
        with open(path, encoding="utf-8", newline="\n") as file:
            rows = csv.DictReader(file, quoting=csv.QUOTE_NONE)
            for row in rows:
                texts += [row["utterance"].replace("_comma_", ","), row["prompt"]]
    return texts


HARD = [
    "", " ", "  ", "\n", "\n\n", "\n\n\n\n", "\r\n", "\r\n\r\n \r", "\t", "\t\t a", " \n ", " \n\n x",
    "a\n", "a \n", "a\n b", "\n\nHello", "Hello\n\n", "x  \n  y", "a\r\nb\rc\n\rd",
    "\u00a0", "a\u00a0b", "\u00a0\u00a0word", " \u00a0 x", "\u2003wide \u3000 blanks\u2028line\u2029par",
    "\u0085next\u0085line", "\u180evowel \u180e separator", "zero\u200bwidth\u200c\u200d\ufeffjoin",
    "I'm you're he'd she'll we've it's don't", "I'M YOU'RE HE'D SHE'LL WE'VE IT'S DON'T",
    "I'm'd've 's't 'S'T 'Ll'lL 'rE'Re 'vE", "'", "''", "'s", " 's", "'\u017f '\u017fa x'\u017f", "'a 'b '1 ' s",
    "\u2019s \u2019re don\u2019t", "'sss'ttt", "o'clock 'twas y'all'd've", "it's2 a's\n's",
    "1", "12", "123", "1234", "12345678901234567890", "3.14159 1,000,000 1e-5 0x1F 2nd", "a1b2c3 12ab34",
    "\u0661\u0662\u0663\u0664 \u0967\u0968\u0969\u096a \u00b2\u00b3\u00b9\u00bc \u2160\u2161\u2167 \u3007\u4e00\u3021 \u2460\u2461",
    "\U0001f600", "\U0001f468\u200d\U0001f469\u200d\U0001f467\u200d\U0001f466 family", "\U0001f44d\U0001f3fd\U0001f44d",
    "\U0001f3f3\ufe0f\u200d\U0001f308 \U0001f1e9\U0001f1ea\U0001f1eb\U0001f1f7", "\U0001f3fb \U0001f3ff", "\u2764\ufe0f\u2764",
    "e\u0301 \u00e9 n\u0303 \u0301 \u0301\u0302\u0303 a\u0300\u0301b", "Z\u0351\u036b\u0343\u036a\u0302\u036b\u033d\u034f\u0334\u0319\u0324\u031e\u0349\u035a\u032f\u031e\u0320\u034dA\u036b\u0357\u0334\u0362",
    "\u0e2a\u0e27\u0e31\u0e2a\u0e14\u0e35 \u0928\u092e\u0938\u094d\u0924\u0947 \u0b9a\u0bca\u0bb2\u0bcd", "\u05e9\u05dc\u05d5\u05dd \u0645\u0631\u062d\u0628\u0627 \u200f123\u200e \u202eabc\u202c",
    "\u4f60\u597d\uff0c\u4e16\u754c\u3002\u3053\u3093\u306b\u3061\u306f\uc548\ub155 \u1112\u1161\u11ab", "\U00020000\U0002a6d6 \U0001d538\U0001d552 \U00010330",
    "\ufb01 \ufb03 \ufb06 \u00df \u1e9e \u0130 \u0131 \u212a \u01c5 \u2126", "\ufdfa \u33a7 \uff28\uff45\uff4c\uff4c\uff4f \uff11\uff12",
    "\x00", "a\x00b", "\x00\x00 \x00", "\x01\x02\x07\x08\x0b\x0c\x1b\x1f\x7f", "\x0b\x0cx \x1c\x1d\x1e\x1f",
    "\x80\x84\x86\x9f", "\ufffd \ufffe \uffff \U0010ffff \ue000", "\u0378 \u0560 \U0001e900 \U000e0041",
    "!!! ??? ... --- *** ### ,,, ;;; ::: @@@ ((( ))) [[[ ]]]", " !a !!a !1 a! 1! !\n!\n\n ! \n", "$5 %6 &7 ^8 ~9 `x` <b>",
    "http://example.org/a?b=c&d=%20#e user@example.org C:\\path\\file", "snake_case CamelCase kebab-case __dunder__",
    "<s> </s> <unk> <|begin_of_text|> <|endoftext|> <0x0A> [INST]", "\u2581 \u2581\u2581word \u2581a", "_comma_ , _comma_",
    " " * 3 + "x", " " * 100, " " * 5000, "\n" * 500, "\t" * 300 + "end", " \n" * 200, "ab" * 5000, "a" * 20000, "1" * 3001,
    "!" * 3000, "\U0001f600" * 700, "\u4e2d" * 3000, "\u0301" * 1000, "abc " * 3000, "'s" * 500, "x" * 127 + " " + "y" * 96 + " " + "z" * 97,
    "supercalifragilisticexpialidocious pneumonoultramicroscopicsilicovolcanoconiosis",
    "Donaudampfschifffahrtselektrizit\u00e4tenhauptbetriebswerkbauunterbeamtengesellschaft",
    "    indented\n        more\n\tTabbed\n", "trailing   ", "   leading", "mid     dle", "a  1  !  \u4e2d  '",
]


def every_character():
    """Code points beside letters, digits, blanks and an apostrophe, so that a class which differs
    from the reference's shows: all of the planes 0 and 1, every 64th of the ideographs in 2 and 3,
    every 1024th of the rest, where nothing is assigned or private use."""
    codes = [*range(0xD800), *range(0xE000, 0x20000), *range(0x20000, 0x40000, 64),
             *range(0x40000, 0x110000, 1024)]
    items = [f"a{c}b 1{c}2 {c}{c} '{c}!{c}\n{c} {c}" for c in map(chr, codes)]
    return ["".join(items[i:i + 64]) for i in range(0, len(items), 64)]


def random_texts(count=20000, seed=7):
    """Short strings over an alphabet of characters that split patterns treat differently."""
    rng = random.Random(seed)
    alphabet = ([" "] * 6 + ["\n", "\r", "\t", "\u00a0", "\u3000", "\u0085", "\u2028", "'", "'", "s", "S", "t", "re", "VE",
                "ll", "d", "m", "\u017f", "a", "Zq", "word", "the", "\u00e9", "e\u0301", "\u0301", "\u4e2d", "\u0623", "1", "23", "\u0663",
                "\u00bd", "!", "?!", ".", "-", "_", "$", "\u2019", "\U0001f600", "\u200d", "\U0001f3fd", "\x00", "\x7f", "\u180e", "\u2581"])
    return ["".join(rng.choices(alphabet, k=rng.randint(1, 24))) for _ in range(count)]
