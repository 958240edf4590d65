"""Writes unicode_ranges.inc: the letters (general category L) and numbers (N) of the Unicode version
that the reference tokenizers were built with.

The tables are asked from tiktoken itself, one code point at a time, rather than from Python's
unicodedata: what counts is what the reference does, and Python's Unicode version is another one.
tests/peer checks the result against tiktoken and tokenizers again.

    python src/text/make_unicode_ranges.py > src/text/unicode_ranges.inc
"""

import sys

import tiktoken


def members(pattern):
    bytes_only = {bytes([b]): b for b in range(256)}
    encoding = tiktoken.Encoding(
        "probe", pat_str=pattern, mergeable_ranks=bytes_only, special_tokens={})
    # Text that the pattern does not match is dropped, so "no ids" means "not a member".
    return [c for c in range(0x110000)
            if not 0xD800 <= c < 0xE000 and encoding.encode_ordinary(chr(c))]


def ranges(points):
    out = []
    for c in points:
        if out and out[-1][1] == c - 1:
            out[-1][1] = c
        else:
            out.append([c, c])
    return out


def main():
    print(f"// Written by make_unicode_ranges.py from tiktoken {tiktoken.__version__}; not edited by hand.")
    print("// clang-format off")
    for name, pattern in (("letter_ranges", r"\p{L}"), ("number_ranges", r"\p{N}")):
        found = ranges(members(pattern))
        print(f"constexpr CodePointRange {name}[] = {{")
        line = "   "
        for low, high in found:
            item = f" {{0x{low:x}, 0x{high:x}}},"
            if len(line) + len(item) > 100:
                print(line)
                line = "   "
            line += item
        print(line)
        print("};")
    print("// clang-format on")


if __name__ == "__main__":
    sys.exit(main())
