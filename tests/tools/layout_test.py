"""Holds the names of a results folder to one place: results/layout.h.

In src/ and jobs/ no other file writes them as a path:
  - a file's name (kXFile) as a whole part of a string literal that has no blanks, as in
    "evaluation.json" or "/config.yaml"; sentences for people may name it, and patterns
    with a word in <angle brackets> are for people;
  - a folder's name (kXFolder) where a path is made of it: "predictions/", "/planner", / "human",
    file("judge").
Every header that the layout names as a file's reader and writer exists and has the type in it.
usage: layout_test.py REPOSITORY
"""
import re

import tree_check

LAYOUT = "src/results/layout.h"
TABLE = "src/results/layout.cpp"
CONSTANT = re.compile(r'constexpr const char\* k(\w+?)(File|Folder) = "([^"]+)";')
LITERAL = re.compile(r'"((?:[^"\\]|\\.)*)"')
ENTRY = re.compile(r'LayoutEntry\{([^}]*)\}')
COMMENT = re.compile(r"^\s*//.*$|\s//\s.*$")
# Words that mean something else there, which no pattern can tell.
OTHER_MEANINGS = {("src/operate/doctor.cpp", "FAILED"),   # a verdict
                  ("src/operate/doctor.h", "FAILED"),
                  # a column of a shard: decision/judge
                  ("src/learn/rewards/reward_config.cpp", "judge"),
                  ("src/shard/columns.h", "judge")}


def names_of(text):
    """({file: constant}, {folder: constant}) of the layout's header."""
    files, folders = {}, {}
    for match in CONSTANT.finditer(text):
        kind = files if match.group(2) == "File" else folders
        kind[match.group(3)] = "k" + match.group(1) + match.group(2)
    return files, folders


def is_path_of(folder, literal, before):
    """Whether a literal (and the line before it) makes a path with the folder's name."""
    parts = literal.split("/")
    if folder not in parts:
        return False
    return len(parts) > 1 or re.search(r"(/|\bfile\()\s*$", before) is not None


def violations(root):
    header = root / LAYOUT
    if not header.is_file():
        return [f"{LAYOUT} is missing: it names the files of a results folder"]
    files, folders = names_of(header.read_text(encoding="utf-8"))
    if not files or not folders:
        return [f"{LAYOUT} names no file or no folder"]
    found = []
    for path in sorted(p for top in ("src", "jobs") for p in (root / top).rglob("*")
                       if p.suffix in {".h", ".cpp"}):
        name = str(path.relative_to(root))
        if name == LAYOUT:
            continue
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
            code = COMMENT.sub("", line)
            if code.lstrip().startswith("#include"):
                continue
            for match in LITERAL.finditer(code):
                literal = match.group(1)
                if re.search(r"\s|<\w+>|\.h$", literal):
                    continue
                for word, constant in files.items():
                    if word in literal.split("/") and (name, word) not in OTHER_MEANINGS:
                        found.append(f"{name}:{number}: \"{literal}\" is results::{constant}")
                for word, constant in folders.items():
                    if (is_path_of(word, literal, code[:match.start()])
                            and (name, word) not in OTHER_MEANINGS):
                        found.append(f"{name}:{number}: \"{literal}\" is results::{constant}")
    return found + wrong_entries(root)


def wrong_entries(root):
    table = root / TABLE
    if not table.is_file():
        return [f"{TABLE} is missing: it says what the files hold"]
    text = table.read_text(encoding="utf-8")
    values = dict(re.findall(r'constexpr const char\* (k\w+) = "([^"]*)";', text))
    found = []
    for match in ENTRY.finditer(text):
        fields = [f.strip() for f in match.group(1).split(",")]
        if len(fields) != 7:
            found.append(f"{TABLE}: an entry has {len(fields)} fields: {fields[0]}")
            continue
        row, header = (values.get(f, f.strip('"')) for f in fields[4:6])
        place = root / "src" / header
        if not place.is_file():
            found.append(f"{TABLE}: {fields[0]}: src/{header} does not exist")
        elif not re.search(rf"\b{re.escape(row)}\b", place.read_text(encoding="utf-8")):
            found.append(f"{TABLE}: {fields[0]}: src/{header} knows no {row}")
    return found


if __name__ == "__main__":
    names = ('inline constexpr const char* kConfigFile = "config.yaml";\n'
             'inline constexpr const char* kDoneFile = "DONE";\n'
             'inline constexpr const char* kJudgeFolder = "judge";\n')
    entries = 'LayoutEntry{K::config, L::run, "", kConfigFile, "Value", "config/value.h", kRun},\n'
    clean = {LAYOUT: names, TABLE: entries, "src/config/value.h": "class Value;\n",
             "src/a/a.cpp": 'const std::string path = run.file(kConfigFile);  // not "config.yaml"\n'
                            'fail_input(path, "name a run\'s config.yaml");\nadd("judge", 1);\n',
             "jobs/b.cpp": '#include "a/DONE"\n'}
    planted = {
        '"config.yaml" is results::kConfigFile': {"src/a/a.cpp": 'f(folder / "config.yaml");\n'},
        '"/config.yaml" is results::kConfigFile': {"jobs/b.cpp": 'g(from + "/config.yaml");\n'},
        '"DONE" is results::kDoneFile': {"src/a/a.h": 'inline const char* kDone = "DONE";\n'},
        '"judge" is results::kJudgeFolder': {"src/a/a.cpp": 'h(folder / "judge");\n'},
        '"judge/x.jsonl" is results::kJudgeFolder': {"src/a/a.cpp": 'h(file("judge/x.jsonl"));\n'},
        f"{LAYOUT} is missing": {LAYOUT: None},
        "names no file or no folder": {LAYOUT: "\n"},
        "does not exist": {TABLE: entries.replace("config/value.h", "config/gone.h")},
        "knows no": {TABLE: entries.replace('"Value"', '"Other"')},
        "has 6 fields": {TABLE: entries.replace(', "Value"', "")},
    }
    tree_check.main(violations, clean, planted, "names of a results folder outside of its layout")
