"""A harness that misbehaves: `rude.py HOW`. Up to then it is a device that does nothing, with queues of two entries."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from typing import Any

HOW = sys.argv[1]
WORDS = {"cq.shadow": 0, "cq.eventidx": 0, "sq0.shadow": 0, "sq0.eventidx": 0}


def says(number: int, **what: Any) -> None:
    print(json.dumps({"n": number, **what}), flush=True)


def hello(number: int) -> None:
    threads = {"thread": ["sq1.worker"], "twice": ["sq0.worker", "sq0.worker"]}.get(HOW, ["sq0.worker", "sq0.doorbell"])
    events = ["fetch", "dance"] if HOW == "event" else ["fetch"]
    version = 2 if HOW == "version" else 1
    if HOW == "refuses":
        says(number, error="two entries are too few")
    elif HOW == "sizes":
        says(number, protocol=version, name="rude", threads=threads, events=events, cq_size=4)
    elif HOW == "nameless":
        says(number, protocol=version, threads=threads)
    else:
        says(number, protocol=version, name="rude", threads=threads, events=events)


def main() -> None:
    children = []
    for line in sys.stdin:
        asked = json.loads(line)
        number, do = asked["n"], asked["do"]
        if do == "hello":
            hello(number)
            if HOW == "children":
                children.append(subprocess.Popen(["sleep", "1000"]))
                print(children[0].pid, file=sys.stderr, flush=True)
            continue
        if do == "store" and HOW != "deaf":
            WORDS[asked["word"]] = asked["value"]
        if do == "reset" and HOW != "keeps":
            WORDS.update(dict.fromkeys(WORDS, 0))
        answer: dict[str, Any] = {"words": WORDS, "cqes": [[0, 0, 0]] * 2}
        if do == "step":
            answer["did"] = ["remit"] if HOW == "steps of another" and asked["thread"] == "sq0.doorbell" else []
            answer["waits"] = "sleep"
        if number == 4:
            if HOW == "dies":
                sys.exit("out of luck")
            elif HOW == "is killed":
                os.kill(os.getpid(), signal.SIGSEGV)
            elif HOW in ("hangs", "children"):
                time.sleep(1000)
            elif HOW == "closes":
                os.close(1)
                time.sleep(1000)
            elif HOW == "prints":
                print("debug: here", flush=True)
            elif HOW == "prints much":
                print("x" * 3_000_000, flush=True)
            elif HOW == "list":
                print("[]", flush=True)
            elif HOW == "numberless":
                print("{}", flush=True)
            elif HOW == "misspelt":
                answer["wrods"] = {}
            elif HOW == "wordless":
                del answer["words"]
            elif HOW == "negative":
                answer["words"] = {**WORDS, "sq0.shadow": -1}
            elif HOW == "short":
                answer["cqes"] = [[0, 0, 0]]
            elif HOW == "phase":
                answer["cqes"] = [[2, 0, 0]] * 2
            elif HOW == "value":
                answer["values"] = {"cq.premits": 1}
            elif HOW == "waits":
                answer["waits"] = "dinner"
            elif HOW == "behind":
                number -= 1
            elif HOW == "answers twice":
                says(number, **answer)
        if HOW == "changes" and do == "look":
            answer["words"] = {**WORDS, "cq.eventidx": 1}
        says(number, **answer)


main()
