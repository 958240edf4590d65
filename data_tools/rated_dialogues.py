#!/usr/bin/env python3
"""Dialogues that people have rated, as JSON lines that `straq judge` reads (ratings: in its config).

  data_tools/rated_dialogues.py empathic_judging FOLDER --out FILE
  data_tools/rated_dialogues.py duo DIALOGUES.jsonl --out FILE

empathic_judging: the files combined_annotations_across_methods_and_datasets.csv and
  sample_empatheticdialogues.csv of the GitHub project
  aakriti1kumar/replication-data-and-code-when-LLMs-reliable-empathic-communication (MIT; its dialogues
  CC BY-NC 4.0): 50 dialogues of EmpatheticDialogues, each rated 1 to 5 on empathy, relevance and fluency
  by three experts.
duo: dialogues of the GitHub project ikuminumaya/duo-dataset (CC BY-NC 4.0), one JSON object a line, in
  which people talked with a model: the person's own ratings and, of some, those of three others.

The files may not be shipped with the project, nor what this writes.
"""
import argparse
import csv
import json
import pathlib
import sys


# Of duo's; its fourth is how far a reply is in the person's own style.
SCALES = ("empathy", "consistency", "preference")


class Refused(Exception):
    """Input that is not what it should be."""


def write(path, dialogues):
    if not dialogues:
        raise Refused("no rated dialogue was found")
    path.parent.mkdir(parents=True, exist_ok=True)
    text = "".join(json.dumps(d, ensure_ascii=False) + "\n" for d in dialogues)
    path.write_text(text, encoding="utf-8")
    ratings = sum(len(d["ratings"]) for d in dialogues)
    print(f"{path}: {len(dialogues)} dialogues, {ratings} ratings")


def rows_of(path):
    """The rows of a CSV file as lists, the head first: several columns may have one name."""
    with open(path, encoding="utf-8-sig", newline="") as file:
        return list(csv.reader(file))


def turns_of(conversation):
    """Lines "Seeker: …" and "Supporter: …" as turns; neighbours of one speaker become one."""
    turns = []
    for line in conversation.replace("_comma_", ",").splitlines():
        speaker, colon, text = line.strip().partition(":")
        if not colon or speaker not in ("Seeker", "Supporter"):
            if line.strip() and turns:
                turns[-1]["text"] += " " + line.strip()
            continue
        text = " ".join(text.split())
        if not text:
            continue
        if turns and turns[-1]["speaker"] == speaker.lower():
            turns[-1]["text"] += " " + text
        else:
            turns.append({"speaker": speaker.lower(), "text": text})
    return turns


def empathic_judging(folder):
    sample = rows_of(folder / "sample_empatheticdialogues.csv")
    head = {name: i for i, name in enumerate(sample[0])}
    talks, emotions, situations = {}, {}, {}
    for row in sample[1:]:
        name = row[head["conv_id"]]
        talks[name] = row[head["full_conversation"]]
        emotions[name] = row[head["context"]]
        situations[name] = row[head["prompt"]].replace("_comma_", ",")
    combined = rows_of(folder / "combined_annotations_across_methods_and_datasets.csv")
    # Blocks of columns stand beside each other, one a collection, each ended by its rater.
    first = combined[0].index("empathetic_conversation_id")
    rater_at = combined[0].index("annotation_method", first)
    scales = combined[0][first + 1:rater_at]
    ratings = {}
    for row in combined[1:]:
        name, rater = row[first], row[rater_at]
        # "experts" is what the three have in common.
        if not name or rater not in ("expert1", "expert2", "expert3"):
            continue
        scores = {s: float(row[first + 1 + i]) for i, s in enumerate(scales) if row[first + 1 + i]}
        if scores:
            ratings.setdefault(name, {})[rater] = scores
    missing = sorted(set(ratings) - set(talks))
    if missing:
        raise Refused(f"{len(missing)} rated dialogues are not in the sample, first {missing[0]}")
    return [{"id": name, "emotion": emotions[name], "situation": situations[name],
             "turns": turns_of(talks[name]), "ratings": given} for name, given in ratings.items()]


def duo(path):
    out = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        if not line.strip():
            continue
        item = json.loads(line)
        ratings = {}
        own = {k: float(v) for k, v in item["subjective_evaluation"].items()
               if v is not None and k in SCALES}
        if own:
            ratings["own"] = own
        others = item.get("objective_evaluation") or {}
        for key, values in others.items():
            if key.removesuffix("_scores") not in SCALES or not key.endswith("_scores"):
                continue
            for i, value in enumerate(values or []):
                if value is not None:
                    ratings.setdefault(f"other{i + 1}", {})[key.removesuffix("_scores")] = float(value)
        turns = []
        for message in item["dialogue"]:
            speaker = "seeker" if message["speaker"] == "Human" else "supporter"
            text = " ".join(message["message"].split())
            if not text:
                continue
            if turns and turns[-1]["speaker"] == speaker:
                turns[-1]["text"] += " " + text
            else:
                turns.append({"speaker": speaker, "text": text})
        if not ratings or not turns:
            raise Refused(f"{path}:{number}: no ratings or no turns")
        out.append({"id": item["dialogue_id"], "emotion": item["emotion"].lower(),
                    "situation": item["episode"], "turns": turns, "ratings": ratings})
    return out


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("kind", choices=["empathic_judging", "duo"])
    parser.add_argument("source", type=pathlib.Path)
    parser.add_argument("--out", type=pathlib.Path, required=True)
    options = parser.parse_args()
    try:
        read = empathic_judging if options.kind == "empathic_judging" else duo
        write(options.out, read(options.source))
    except (OSError, Refused, KeyError, ValueError) as error:
        print(f"rated_dialogues.py: {error}\n  hint: name the unchanged files of the project",
              file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
