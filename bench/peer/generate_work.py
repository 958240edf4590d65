"""The work of the generation bench: chats made from ESConv's test split, one for each supporter
turn, that end with the strategy to follow; and a short chat."""

import json
import os
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
DATA = Path(os.environ.get("STRAQ_DATA", ROOT.parent / "shared" / "data"))
SYSTEM = ("You are a kind and patient peer supporter in a text chat. You answer in plain, warm words, "
          "two or three sentences at most. Before the chat the seeker wrote: ")
NOTE = '\n\n(For the supporter: follow the strategy "{}" in your next message. Write only the message.)'
OPENING = "(The supporter begins.)"
SHORT = [{"role": "user", "content": "I lost my job last week and I feel hopeless. "
                                     "Can you comfort me in two sentences?"}]


def corpus():
    return DATA / "esconv" / "test.txt"


def turns_of(dialogue):
    """Runs of one speaker's lines: (role, text, strategy of the last line)."""
    turns = []
    for line in dialogue["dialog"]:
        role = "user" if line["speaker"] == "usr" else "assistant"
        text = " ".join(line["text"].split())
        if turns and turns[-1][0] == role:
            turns[-1] = (role, turns[-1][1] + " " + text, line.get("strategy") or turns[-1][2])
        else:
            turns.append((role, text, line.get("strategy")))
    return turns


def chats(count):
    """(id, messages) for every supporter turn behind the seeker's first words."""
    out = []
    for number, line in enumerate(corpus().read_text(encoding="utf-8").splitlines()[:count]):
        dialogue = json.loads(line)
        turns = turns_of(dialogue)
        for i, (role, _, strategy) in enumerate(turns):
            if role != "assistant" or i == 0:
                continue
            messages = [{"role": "system", "content": SYSTEM + " ".join(dialogue["situation"].split())}]
            if turns[0][0] == "assistant":
                messages.append({"role": "user", "content": OPENING})
            messages += [{"role": r, "content": t} for r, t, _ in turns[:i]]
            messages[-1]["content"] += NOTE.format(strategy)
            out.append((f"{number}/{i}", messages))
    return out


def write_requests(path, work, tokens):
    with open(path, "w", encoding="utf-8") as file:
        for name, messages in work:
            body = {"model": "bench", "messages": messages, "max_tokens": tokens, "temperature": 0}
            file.write(json.dumps({"custom_id": name, "method": "POST",
                                   "url": "/v1/chat/completions", "body": body}) + "\n")


def read_replies(path):
    out = {}
    for line in Path(path).read_text(encoding="utf-8").splitlines():
        item = json.loads(line)
        out[item["custom_id"]] = item["response"]["body"]["choices"][0]["message"]["content"]
    return out
