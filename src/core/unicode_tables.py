"""What the scripts share that write tables of Unicode as C++ (make_*.py of dialogue and text)."""


def code_points():
    """All of Unicode but the surrogates, which are no characters."""
    return (c for c in range(0x110000) if not 0xD800 <= c < 0xE000)


def ranges(points):
    """[first, last] of the runs of an ascending sequence."""
    out = []
    for c in points:
        if out and out[-1][1] == c - 1:
            out[-1][1] = c
        else:
            out.append([c, c])
    return out


def begin_file(script, source):
    print(f"// Written by {script} {source}; not edited by hand.")
    print("// clang-format off")


def end_file():
    print("// clang-format on")


def table(declaration, rows):
    """A constant array; `rows` are the words within each entry's braces."""
    print(f"constexpr {declaration}[] = {{")
    line = "   "
    for row in rows:
        item = f" {{{', '.join(row)}}},"
        if len(line) + len(item) > 100:
            print(line)
            line = "   "
        line += item
    print(line)
    print("};")
