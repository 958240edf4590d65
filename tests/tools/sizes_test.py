"""Keeps the tree easy to see: no folder of src/ with more than 25 files, no function of src/ with
more than 80 lines (from the line of its opening brace to that of its closing one).

Functions are found by their layout, which clang-format keeps: the closing brace of a function or of
a method in a class stands alone on its line, as deep as the line that the function begins with.
usage: sizes_test.py REPOSITORY
"""
import re

import tree_check

MOST_FILES = 25
MOST_LINES = 80
CLOSING = re.compile(r"^( *)\}$")
NO_FUNCTION = re.compile(r"^(\}|if\b|for\b|while\b|else\b|switch\b|do\b|try\b|catch\b|case\b|"
                         r"default\b|class\b|struct\b|enum\b|union\b|namespace\b)")


def functions(lines):
    """(number of the first line, lines from brace to brace) of every function."""
    for end, line in enumerate(lines):
        match = CLOSING.match(line)
        if not match:
            continue
        indent = len(match.group(1))
        start = end - 1
        while start >= 0:
            text = lines[start]
            if text.strip() and not text.startswith("#") \
                    and len(text) - len(text.lstrip()) <= indent:
                break
            start -= 1
        if start < 0 or len(lines[start]) - len(lines[start].lstrip()) != indent \
                or NO_FUNCTION.match(lines[start].lstrip()):
            continue
        brace = next((i for i in range(start, end) if lines[i].rstrip().endswith("{")), None)
        if brace is not None:
            yield start + 1, end - brace + 1


def violations(root):
    found = []
    source = root / "src"
    for folder in sorted(p for p in [source, *source.rglob("*")] if p.is_dir()):
        files = sum(1 for p in folder.iterdir() if p.is_file())
        if files > MOST_FILES:
            found.append(f"{folder.relative_to(root)}: {files} files; put what belongs together "
                         "into a folder of its own")
    for path in sorted(p for p in source.rglob("*") if p.suffix in {".h", ".cpp"}):
        for number, length in functions(path.read_text(encoding="utf-8").splitlines()):
            if length > MOST_LINES:
                found.append(f"{path.relative_to(root)}:{number}: a function of {length} lines")
    return found


if __name__ == "__main__":
    body = "  f();\n" * 78
    long_body = "  f();\n" * 79
    clean = {"src/a/a.cpp": "namespace x {\nvoid g() {\n" + body + "}\n"
                            "const int kList[] = {\n" + "  1,\n" * 90 + "};\n}  // namespace x\n",
             "src/a/a.h": "class A {\n  void f() {\n" + "    g();\n" * 78 + "  }\n" +
                          "  int a;\n" * 90 + "};\n"}
    planted = {
        "src/a/b.cpp:1: a function of 81": {"src/a/b.cpp": "void g() {\n" + long_body + "}\n"},
        "src/a/c.cpp:2: a function of 81": {
            "src/a/c.cpp": "\nA::A(int a,\n     int b)\n    : a_(a) {\n" + long_body + "}\n"},
        "src/a/d.h:2: a function of 81": {
            "src/a/d.h": "class D {\n  void f() {\n" + "    g();\n" * 79 + "  }\n};\n"},
        "src/b: 26 files": {f"src/b/{i}.h": "\n" for i in range(26)},
    }
    tree_check.main(violations, clean, planted, "folders and functions that are too large")
