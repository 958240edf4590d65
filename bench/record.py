"""Puts the conditions of a measurement beside its result: bench/run.sh calls it for each bench.
Standard library only."""

import argparse
import datetime
import json
import os
import platform
import re
import shutil
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def output(*command):
    """What a program prints, its first line; None where it can't be run."""
    try:
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=20)
    except (OSError, subprocess.TimeoutExpired):
        return None
    lines = done.stdout.strip().splitlines()
    return lines[0] if done.returncode == 0 and lines else None


def first(path, pattern):
    try:
        found = re.search(pattern, Path(path).read_text(encoding="utf-8"), re.MULTILINE)
    except OSError:
        return None
    return found.group(1).strip() if found else None


def conditions(preset, load, command):
    cache = ROOT / "build" / preset / "CMakeCache.txt"
    compiler = first(cache, r"^CMAKE_CXX_COMPILER:\w+=(.*)$")
    memory = first("/proc/meminfo", r"^MemTotal:\s*(\d+)")
    extensions = set((first("/proc/cpuinfo", r"^flags\s*:(.*)$") or "").split())
    commit = output("git", "rev-parse", "HEAD")
    changed = output("git", "--no-optional-locks", "status", "--porcelain", "--untracked-files=no")
    found = {
        "date": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
        "command": command,
        "commit": commit,
        "uncommitted_changes": changed is not None if commit else None,
        "program": output(str(ROOT / "build" / preset / "straq"), "--version"),
        "cpu": first("/proc/cpuinfo", r"^model name\s*:(.*)$") or platform.machine(),
        "cpu_extensions": sorted(extensions & {"avx2", "avx512f", "avx512_bf16", "amx_bf16"}),
        "cores": len(os.sched_getaffinity(0)),
        "memory_bytes": int(memory) * 1024 if memory else None,
        "load_before": load,
        "system": f"{platform.system()} {platform.release()}",
        "preset": preset,
        "build_type": first(cache, r"^CMAKE_BUILD_TYPE:\w+=(.*)$"),
        "compiler": output(compiler, "--version") if compiler else None,
        "threads_variable": os.environ.get("OMP_NUM_THREADS"),
    }
    if shutil.which("nvidia-smi"):
        found["gpu"] = output("nvidia-smi", "--query-gpu=name,driver_version", "--format=csv,noheader")
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name in ("name", "result", "out", "preset", "load", "command"):
        parser.add_argument("--" + name, required=True)
    parser.add_argument("--exit-code", type=int, required=True)
    a = parser.parse_args()
    result = json.loads(Path(a.result).read_text(encoding="utf-8"))
    record = {"bench": a.name, "passed": a.exit_code == 0,
              "conditions": conditions(a.preset, a.load, a.command), "result": result}
    out = Path(a.out)
    partial = out.with_name(out.name + ".tmp")
    partial.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    partial.replace(out)


if __name__ == "__main__":
    main()
