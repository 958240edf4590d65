"""Holds the source tree to its architecture: which module may include which, and who sees libtorch.

Checked against the `straq_module` lines of CMakeLists.txt:
  - a file of src/<module>/ includes only its module and the modules in its DEPS, transitively;
  - DEPS name modules declared above, so there is no cycle;
  - a module without TENSORS includes no libtorch header, in no file;
  - every folder in src/ is a declared module and every declared module has a folder;
  - the table in docs/architecture.md lists the same modules in the same order.
usage: module_order_test.py REPOSITORY
"""
import re

import tree_check

DECLARATION = re.compile(r"^\s*straq_module\(\s*(\w+)([^)]*)\)", re.MULTILINE)
OWN_INCLUDE = re.compile(r'^\s*#\s*include\s*"([^"]+)"')
SYSTEM_INCLUDE = re.compile(r"^\s*#\s*include\s*<([^>]+)>")
TENSOR_HEADER = re.compile(r"^(ATen|torch|c10|caffe2)/")
TABLE_ROW = re.compile(r"^\|\s*`(\w+)`\s*\|", re.MULTILINE)
KEYWORDS = {"DEPS", "LIBS", "TENSORS", "BARE"}


def declared_modules(cmake_text):
    """{module: (direct deps, has tensors)} in order of declaration."""
    modules = {}
    for match in DECLARATION.finditer(re.sub(r"#.*", "", cmake_text)):
        deps, keyword = [], None
        words = match.group(2).split()
        for word in words:
            if word in KEYWORDS:
                keyword = word
            elif keyword == "DEPS":
                deps.append(word)
        modules[match.group(1)] = (deps, "TENSORS" in words)
    return modules


def violations(root):
    """Every violation in the tree at `root`, as lines for a person."""
    found = []
    modules = declared_modules((root / "CMakeLists.txt").read_text(encoding="utf-8"))
    if not modules:
        return ["CMakeLists.txt declares no straq_module"]

    allowed = {}
    for name, (deps, _) in modules.items():
        allowed[name] = {name}
        for dep in deps:
            if dep == name or dep not in allowed:
                found.append(f"CMakeLists.txt: {name} depends on {dep}, "
                             "which is not declared above it")
            else:
                allowed[name] |= allowed[dep]

    source = root / "src"
    folders = {p.name for p in source.iterdir() if p.is_dir()}
    for name in sorted(folders - set(modules)):
        if any((source / name).iterdir()):
            found.append(f"src/{name}: not declared as a module in CMakeLists.txt")

    for path in sorted(p for p in source.rglob("*") if p.suffix in {".h", ".cpp", ".cu", ".cuh"}):
        module = path.relative_to(source).parts[0]
        if module not in modules:
            continue
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
            where = f"{path.relative_to(root)}:{number}"
            if match := OWN_INCLUDE.match(line):
                target = match.group(1)
                used = target.split("/")[0]
                if "/" not in target or used not in modules:
                    found.append(f'{where}: #include "{target}" is not of the form "module/file.h"')
                elif used not in allowed[module]:
                    found.append(f"{where}: {module} includes {used}, which is not in its DEPS")
                elif not (source / target).is_file():
                    found.append(f"{where}: {target} does not exist")
            elif (match := SYSTEM_INCLUDE.match(line)) and TENSOR_HEADER.match(match.group(1)):
                if not modules[module][1]:
                    found.append(f"{where}: {module} holds no tensors "
                                 f"but includes <{match.group(1)}>")

    document = root / "docs" / "architecture.md"
    if not document.is_file():
        found.append("docs/architecture.md is missing: it holds the table of modules")
    else:
        table = [m for m in TABLE_ROW.findall(document.read_text(encoding="utf-8")) if m in modules]
        if table != list(modules):
            found.append("docs/architecture.md lists the modules as\n    " + " ".join(table) +
                         "\n  but CMakeLists.txt as\n    " + " ".join(modules))
    return found


if __name__ == "__main__":
    cmake = ("straq_module(low)\nstraq_module(mid DEPS low LIBS x::y)\n"
             "straq_module(top DEPS mid TENSORS)\n")
    table = "| module | knows |\n|---|---|\n| `low` | a |\n| `mid` | b |\n| `top` | c |\n"
    clean = {"CMakeLists.txt": cmake, "docs/architecture.md": table,
             "src/low/a.h": "#include <vector>\n", "src/mid/b.h": '#include "low/a.h"\n',
             "src/top/c.cpp": '#include <ATen/ATen.h>\n#include "low/a.h"\n#include "mid/b.h"\n'}
    planted = {
        "includes mid, which is not in its DEPS": {"src/low/a.h": '#include "mid/b.h"\n'},
        "holds no tensors": {"src/mid/b.h": "#include <c10/core/Device.h>\n"},
        "not declared above it": {"CMakeLists.txt": cmake.replace("straq_module(low)",
                                                                  "straq_module(low DEPS mid)")},
        "lists the modules as": {"docs/architecture.md": table.replace("`low`", "`top`", 1)
                                 .replace("| `top` | c", "| `low` | c")},
        "is missing": {"docs/architecture.md": None},
        "not declared as a module": {"src/extra/d.h": "\n"},
        "not of the form": {"src/low/b.h": '#include "a.h"\n'},
        "does not exist": {"src/mid/b.h": '#include "low/gone.h"\n'},
    }
    tree_check.main(violations, clean, planted, "violations of the module order")
