"""Writes case_tables.inc: lower case and case folding of all of Unicode as Python's str has them,
for the reference of the word tokenizer is NLTK on text.lower().

The tables are asked from str.lower() and str.casefold() themselves, one code point at a time. Cased
and case-ignorable characters decide on the sigma at a word's end only, and are asked by it.

    python src/dialogue/make_case_tables.py > src/dialogue/case_tables.inc
"""

import pathlib
import sys
import unicodedata

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "core"))
from unicode_tables import begin_file, code_points, end_file, ranges, table  # noqa: E402

POINTS = list(code_points())


def lower_ranges():
    """[first, last, step, shift] of the letters with a lower case, letters of one shift and an even
    distance together."""
    out = []
    for c in POINTS:
        low = chr(c).lower()
        if c == 0x3A3:
            low = "\u03c3"
        elif c == 0x130:
            low = "i"
        if low == chr(c):
            continue
        assert len(low) == 1, hex(c)
        shift = ord(low) - c
        last = out[-1] if out else None
        if last and last[3] == shift and c - last[1] in (1, 2) and \
                (last[0] == last[1] or last[2] == c - last[1]):
            last[2] = c - last[1]
            last[1] = c
        else:
            out.append([c, c, 1, shift])
    return out


def final(before):
    return (before + "\u03a3").lower().endswith("\u03c2")


def cased(c):
    return final(chr(c))


def ignorable(c):
    # Passed over: the letter before it decides.
    return final("a" + chr(c)) and not cased(c)


def folds():
    for c in POINTS:
        fold = chr(c).casefold()
        low = "\u03c3" if c == 0x3A3 else "i" if c == 0x130 else chr(c).lower()
        if fold != low:
            yield c, fold


def main():
    begin_file("make_case_tables.py", f"(Unicode {unicodedata.unidata_version})")
    table("LowerRange kLowerRanges",
          ((hex(a), hex(b), str(step), str(shift)) for a, b, step, shift in lower_ranges()))
    for name, member in (("kCasedRanges", cased), ("kIgnorableRanges", ignorable)):
        table(f"Range {name}", (map(hex, r) for r in ranges(filter(member, POINTS))))
    table("Fold kFolds", ((hex(c), "U\"%s\"" % "".join(f"\\U{ord(x):08x}" for x in fold))
                          for c, fold in folds()))
    end_file()


if __name__ == "__main__":
    sys.exit(main())
