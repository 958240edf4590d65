"""Writes unicode_ranges.inc: the letters (general category L) and numbers (N) of the Unicode version
that the reference tokenizers were built with.

The tables are asked from tiktoken itself, one code point at a time, rather than from Python's
unicodedata: what counts is what the reference does, and Python's Unicode version is another one.
tests/peer checks the result against tiktoken and tokenizers again.

    python src/text/make_unicode_ranges.py > src/text/unicode_ranges.inc
"""

import pathlib
import sys

import tiktoken

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "core"))
from unicode_tables import begin_file, code_points, end_file, ranges, table  # noqa: E402


def members(pattern):
    bytes_only = {bytes([b]): b for b in range(256)}
    encoding = tiktoken.Encoding(
        "probe", pat_str=pattern, mergeable_ranks=bytes_only, special_tokens={})
    # Text that the pattern does not match is dropped, so "no ids" means "not a member".
    return [c for c in code_points() if encoding.encode_ordinary(chr(c))]


def main():
    begin_file("make_unicode_ranges.py", f"from tiktoken {tiktoken.__version__}")
    for name, pattern in (("letter_ranges", r"\p{L}"), ("number_ranges", r"\p{N}")):
        table(f"CodePointRange {name}", (map(hex, r) for r in ranges(members(pattern))))
    end_file()


if __name__ == "__main__":
    sys.exit(main())
