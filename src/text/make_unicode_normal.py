"""Writes unicode_normal.inc: canonical decompositions, compositions and combining classes of the
Unicode version that Hugging Face tokenizers normalizes by, which is older than that of its split
patterns.

Python's unicodedata says which characters to ask about, the library itself gives every answer:
what counts is what the reference does. Later characters that it does not know are left out.

    python src/text/make_unicode_normal.py > src/text/unicode_normal.inc
"""

import pathlib
import sys
import unicodedata

import tokenizers
from tokenizers import normalizers

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "core"))
from unicode_tables import begin_file, code_points, end_file, table  # noqa: E402

nfc = normalizers.NFC().normalize_str
nfd = normalizers.NFD().normalize_str


def characters():
    return map(chr, code_points())


def decompositions():
    """(code, first, second or 0, whether the pair composes to code again); Hangul is computed."""
    out = []
    for c in characters():
        parts = unicodedata.decomposition(c)
        if not parts or parts.startswith("<"):
            continue
        codes = [int(p, 16) for p in parts.split()]
        if nfd(c) == c or nfd("".join(map(chr, codes))) != nfd(c):
            continue
        pair = len(codes) == 2 and nfc(chr(codes[0]) + chr(codes[1])) == c
        out.append((ord(c), codes[0], codes[1] if len(codes) == 2 else 0, int(pair)))
    return out


def combining_classes():
    """A mark goes before another of a higher class and stays behind all others."""
    # One mark for each class that the library knows: U+0334, of the lowest class, goes before it.
    by_class = {1: "\u0334"}
    for c in characters():
        if unicodedata.combining(c) > 1 and nfd("a" + c + "\u0334") == "a\u0334" + c:
            by_class.setdefault(unicodedata.combining(c), c)
    classes = sorted(by_class)
    out = []
    for c in characters():
        known = unicodedata.combining(c)
        if not known or nfd(c) != c:
            continue
        before = [k for k in classes if nfd("a" + by_class[k] + c) == "a" + c + by_class[k] and
                  c != by_class[k]]
        behind = [k for k in classes if nfd("a" + c + by_class[k]) == "a" + by_class[k] + c and
                  c != by_class[k]]
        if not before and not behind:
            continue  # not known as a mark
        found = known
        assert all(k > found for k in before) and all(k < found for k in behind), hex(ord(c))
        assert len(before) + len(behind) + 1 == len(classes), hex(ord(c))
        code = ord(c)
        if out and out[-1][1] == code - 1 and out[-1][2] == found:
            out[-1][1] = code
        else:
            out.append([code, code, found])
    return out


def words(rows):
    return ([hex(x) if x > 9 else str(x) for x in row] for row in rows)


def main():
    begin_file("make_unicode_normal.py", f"from tokenizers {tokenizers.__version__}")
    table("Decomposition decompositions", words(decompositions()))
    table("CombiningRange combining_ranges", words(combining_classes()))
    end_file()


if __name__ == "__main__":
    sys.exit(main())
