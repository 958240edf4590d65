"""Checks on the files of the repository that no compiler makes.

  - no source file reaches 1,000 lines, no line of C++ (but for tests, which hold
    samples of data) is wider than 100 columns;
  - no file names an absolute path of somebody's machine;
  - shell scripts parse, and pass shellcheck where it is installed; Python files compile;
  - every header of src/ opens with a comment and guards itself with #pragma once.
usage: hygiene_test.py REPOSITORY
"""
import ast
import re
import shutil
import subprocess

import tree_check

CPP = {".h", ".cpp", ".cu", ".cuh"}
CODE = {".h", ".cpp", ".cu", ".cuh", ".py", ".sh", ".sbatch", ".cmake"}
TEXT = CODE | {".md", ".yaml", ".yml", ".json", ".txt", ".env", ".in", ".toml", ""}
# Made by the build and by runs, at the top; src/report and the like are sources.
MADE_FOLDERS = {".git", ".deps", "build", "results", "corpora", "report"}
MAX_LINES = 1000
MAX_COLUMNS = 100
# Homes and work folders are somebody's; /usr, /etc, /proc, /dev, /sys are every Linux's. The
# pattern is put together from parts so that this file does not name what it forbids.
FOLDERS = "home|root|work|Users"
MACHINE_PATH = re.compile(r"(?<![\w.$}*/>-])/(" + FOLDERS + r")/[\w.-]+")


def repository_files(root):
    for path in sorted(root.rglob("*")):
        parts = path.relative_to(root).parts
        if len(parts) > 1 and parts[0] in MADE_FOLDERS or "__pycache__" in parts:
            continue
        if path.is_file():
            yield path


def is_shell(path):
    if path.suffix in {".sh", ".sbatch"}:
        return True
    if path.suffix:
        return False
    with path.open("rb") as file:
        return bool(re.match(rb"#!.*\b(ba)?sh\b", file.readline()))


def violations(root):
    found, scripts = [], []
    for path in repository_files(root):
        name = path.relative_to(root)
        if path.suffix not in TEXT or path.name == "LICENSE":
            continue
        try:
            text = path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue  # test data may hold any bytes
        lines = text.splitlines()
        is_code = path.suffix in CODE or path.name == "CMakeLists.txt"
        is_cpp = path.suffix in CPP and name.parts[0] != "tests"
        if is_code and len(lines) >= MAX_LINES:
            found.append(f"{name}: {len(lines)} lines; under {MAX_LINES} are expected")
        for number, line in enumerate(lines, 1):
            if is_cpp and len(line) > MAX_COLUMNS:
                found.append(f"{name}:{number}: {len(line)} columns; at most {MAX_COLUMNS}")
            if match := MACHINE_PATH.search(line):
                found.append(f"{name}:{number}: a path of one machine: {match.group(0)}")
        if path.suffix == ".h" and name.parts[0] in {"src", "jobs"}:
            if not text.startswith("//"):
                found.append(f"{name}: opens without a comment on what it is and why")
            if "#pragma once" not in text:
                found.append(f"{name}: no #pragma once")
        if path.suffix == ".py":
            try:
                ast.parse(text, str(name))
            except SyntaxError as error:
                found.append(f"{name}:{error.lineno}: {error.msg}")
        if is_shell(path):
            scripts.append(path)

    for path in scripts:
        run = subprocess.run(["bash", "-n", path], capture_output=True, text=True)
        if run.returncode:
            found.append(f"{path.relative_to(root)}: {run.stderr.strip()}")
    if shutil.which("shellcheck") and scripts:
        command = ["shellcheck", "-x", "-P", "SCRIPTDIR:.", "-f", "gcc", "--", *scripts]
        run = subprocess.run(command, cwd=root, capture_output=True, text=True)
        found += [line for line in run.stdout.splitlines() if line]
    return found


if __name__ == "__main__":
    clean = {"src/a.h": "// What and why.\n#pragma once\n",
             "run.sh": "#!/usr/bin/env bash\necho a\n",
             "b.py": "x = 1\n", "docs/c.md": "in `/usr/bin`, `$HOME/data/x`, ../shared/data/y\n"}
    planted = {
        "1001 lines": {"src/long.cpp": "//\n" * 1001},
        "120 columns": {"src/wide.cpp": "/" * 120 + "\n"},
        "src/report/long.cpp: 1001": {"src/report/long.cpp": "//\n" * 1001},
        "a path of one machine": {"docs/c.md": "see " + "/" + "home/" + "me/x\n"},
        "opens without": {"src/a.h": "#pragma once\n"},
        "no #pragma": {"src/a.h": "// What and why.\n"},
        "run.sh: ": {"run.sh": "#!/usr/bin/env bash\nif true; then\n"},
        "b.py:1": {"b.py": "x = = 1\n"},
    }
    tree_check.main(violations, clean, planted, "problems in the repository's files")
