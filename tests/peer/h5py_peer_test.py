"""A shard of ours through h5py: anyone can read it, and docs/formats.md says all that is needed.

The program test_shard (built beside the program) writes one shard and what it must say; this reads
the shard by the documentation alone, compares every value, and recomputes the content hash.
"""

import hashlib
import json
import math
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import h5py

ARRAYS = [
    ("dialogue/trunk_offset", "<i8"),
    ("dialogue/decision_offset", "<i8"),
    ("trunk/offset", "<i8"),
    ("trunk/header", "<i4"),
    ("trunk/token", "<i4"),
    ("decision/trunk", "<i4"),
    ("decision/attach", "<i4"),
    ("decision/turn", "<i4"),
    ("decision/gold", "<i4"),
    ("decision/previous", "<i4"),
    ("decision/terminal", "|u1"),
    ("probe/offset", "<i8"),
    ("probe/token", "<i4"),
]
# Those that a shard may lack.
OPTIONAL = [
    ("dialogue/initial_intensity", "<i4"),
    ("dialogue/final_intensity", "<i4"),
    ("decision/rating", "<i4"),
    ("decision/judge", "<f8"),
    ("decision/strategies", "<i4"),
    ("dialogue/final_trunk", "<i4"),
    ("dialogue/final_attach", "<i4"),
    ("dialogue/option_order", "<i4"),
    ("decision/reward", "<f8"),
]
TEXTS = ["format", "key", "source", "tokenizer", "template", "split", "content_sha256"]


def none_or(value):
    return None if math.isnan(value) else value


def read_dialogues(shard):
    ids = [x.decode() for x in shard["dialogue/id"][:]]
    a = {name: shard[name][:].tolist() for name, _ in ARRAYS + OPTIONAL}
    for d, name in enumerate(ids):
        trunks = [
            {"header": a["trunk/header"][t],
             "tokens": a["trunk/token"][a["trunk/offset"][t]:a["trunk/offset"][t + 1]]}
            for t in range(a["dialogue/trunk_offset"][d], a["dialogue/trunk_offset"][d + 1])
        ]
        decisions = [
            {"trunk": a["decision/trunk"][i], "attach": a["decision/attach"][i],
             "probe": a["probe/token"][a["probe/offset"][i]:a["probe/offset"][i + 1]],
             "turn": a["decision/turn"][i], "gold": a["decision/gold"][i],
             "previous": a["decision/previous"][i], "terminal": bool(a["decision/terminal"][i]),
             "rating": a["decision/rating"][i],
             "strategies": a["decision/strategies"][i],
             "judge": none_or(a["decision/judge"][i]), "reward": none_or(a["decision/reward"][i])}
            for i in range(a["dialogue/decision_offset"][d], a["dialogue/decision_offset"][d + 1])
        ]
        intensity = [a["dialogue/initial_intensity"][d], a["dialogue/final_intensity"][d]]
        final = [a["dialogue/final_trunk"][d], a["dialogue/final_attach"][d]]
        options = len(a["dialogue/option_order"]) // len(ids)
        order = a["dialogue/option_order"][d * options:(d + 1) * options]
        yield {"id": name, "order": order, "final": final, "intensity": intensity, "trunks": trunks, "decisions": decisions}


def content_hash(shard):
    sha = hashlib.sha256()

    def field(name, value):
        sha.update(f"{name}={value}\n".encode())

    attr = shard.attrs
    field("format_version", int(attr["format_version"]))
    for name in ("key", "source", "tokenizer", "template"):
        field(name, attr[name].decode())
    for name in ("window", "vocab_size"):
        field(name, int(attr[name]))
    field("option_ids", ",".join(str(int(x)) for x in attr["option_ids"]))
    field("split", attr["split"].decode())
    for name in ("index", "first_dialogue", "dialogues"):
        field(name, int(attr[name]))
    for name in shard["dialogue/id"][:]:
        field("id", name.decode())
    for name, kind in ARRAYS + [x for x in OPTIONAL if x[0] in shard]:
        values = shard[name][:].astype(kind)
        field(name, len(values))
        sha.update(values.tobytes())
    return sha.hexdigest()


def main():
    writer = Path(sys.argv[1]).parent / "tests" / "test_shard"
    if not writer.exists():
        sys.exit(f"no program at {writer}; build the target test_shard first")
    with tempfile.TemporaryDirectory() as folder:
        run = subprocess.run([str(writer), "--gtest_filter=Peer.*"], capture_output=True, text=True,
                             env={**os.environ, "STRAQ_PEER_FOLDER": folder})
        if run.returncode != 0:
            sys.exit(f"{writer} failed:\n{run.stdout}{run.stderr}")
        expected = json.loads((Path(folder) / "expected.json").read_text())
        path = Path(folder) / "train-00003.h5"
        record = expected["record"]
        assert hashlib.sha256(path.read_bytes()).hexdigest() == record["file_sha256"]
        with h5py.File(path, "r") as shard:
            for name in TEXTS:
                assert isinstance(shard.attrs[name], bytes), name
            assert shard.attrs["format"] == b"straq-shard"
            assert int(shard.attrs["format_version"]) == 1
            for name, kind in ARRAYS + OPTIONAL:
                assert shard[name].dtype.str == kind, (name, shard[name].dtype.str)
                assert shard[name].fletcher32, name
            found = list(read_dialogues(shard))
            assert found == expected["dialogues"]
            decisions = sum(len(d["decisions"]) for d in found)
            assert decisions == record["decisions"] == int(shard.attrs["decisions"])
            assert content_hash(shard) == record["content_sha256"]
            assert content_hash(shard) == shard.attrs["content_sha256"].decode()
    print(f"h5py {h5py.__version__}: {len(found)} dialogues, {decisions} decisions, all values and "
          "the content hash agree")


if __name__ == "__main__":
    main()
