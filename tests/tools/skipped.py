"""Prints the tests that were skipped in a ctest run, with their reasons.

usage: skipped.py LAST-TEST-LOG CTEST-SUMMARY

Two kinds of skipping exist: a GoogleTest case that says GTEST_SKIP() << reason, inside an entry
that passes; and a script that ends with exit code 77 and its reason on the last line. ctest's log
calls the latter passed, so their names come from the summary that ctest prints.
"""
import re
import sys

ENTRY = re.compile(r"^\d+/\d+ Test: (.+)$")
COLOUR = re.compile(r"\x1b\[[0-9;]*m")
SKIPPED_CASE = re.compile(r"^\[  SKIPPED \] (\S+\.\S+) \(\d+ ms\)$")
SKIPPED_ENTRY = re.compile(r"^\s*\d+ - (\S+) \(Skipped\)\s*$", re.MULTILINE)


def skipped_tests(log, summary):
    """[(entry, case or None, reason)] of both kinds, in the log's order."""
    scripts = set(SKIPPED_ENTRY.findall(summary))
    found = []
    entry, last_line, reason, in_reason = None, "", [], False
    for line in log.splitlines():
        line = COLOUR.sub("", line)
        if match := ENTRY.match(line):
            entry, last_line, reason, in_reason = match.group(1), "", [], False
        elif line == "<end of output>":
            if entry in scripts:
                found.append((entry, None, last_line))
        elif line.startswith("[ RUN      ]"):
            reason, in_reason = [], False
        elif line.endswith(": Skipped"):
            in_reason = True
        elif match := SKIPPED_CASE.match(line):
            found.append((entry, match.group(1), " ".join(reason)))
            reason, in_reason = [], False
        elif in_reason and line.strip():
            reason.append(line.strip())
        if line.strip():
            last_line = line.strip()
    return found


def main(log_path, summary_path):
    try:
        with open(log_path, encoding="utf-8", errors="replace") as file:
            log = file.read()
        with open(summary_path, encoding="utf-8", errors="replace") as file:
            summary = file.read()
    except FileNotFoundError:
        return  # ctest did not get as far as that, and says so itself
    found = skipped_tests(log, summary)
    if found:
        print(f"\nSkipped ({len(found)}):")
        for entry, case, reason in found:
            print(f"  {entry + ': ' + case if case else entry}: {reason or 'no reason given'}")
    print()


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
