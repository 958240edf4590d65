"""What the checks of the repository's files share: a checker that finds nothing is worthless, so each
first proves on small trees that it finds what is planted there."""
import pathlib
import sys
import tempfile


def self_test(violations, clean, planted):
    """`clean`: files (path: text) in which nothing is found. `planted`: for each expected finding
    the files that bring it about; None as text leaves a file out."""
    for expected, change in [(None, {})] + list(planted.items()):
        with tempfile.TemporaryDirectory() as folder:
            root = pathlib.Path(folder)
            for name, text in {**clean, **change}.items():
                if text is not None:
                    (root / name).parent.mkdir(parents=True, exist_ok=True)
                    (root / name).write_text(text, encoding="utf-8")
            found = violations(root)
            if expected is None and found:
                return [f"self-test: a clean tree was refused: {found}"]
            if expected is not None and not any(expected in line for line in found):
                return [f"self-test: nothing said '{expected}'; found: {found}"]
    return []


def main(violations, clean, planted, what):
    problems = self_test(violations, clean, planted)
    problems = problems or violations(pathlib.Path(sys.argv[1]).resolve())
    for problem in problems:
        print(problem)
    print(f"{len(problems)} {what}")
    sys.exit(1 if problems else 0)
