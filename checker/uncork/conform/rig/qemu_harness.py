"""QEMU as a harness like any other, for `uncork conform exec qemu/linux/head/n1-sq2-cq2 -- python -m` and this module.

It steps no thread: QEMU's handlers run whole, and have come to rest before each answer. `uncork conform qemu` drives
the same controller with a guest that knows nothing of the model, and can make that guest wrong.
"""

from __future__ import annotations

import json
import sys
from typing import Any

from uncork_nvme.shape import Shape

from uncork.conform.rig.controller import EVENT, READ, SHADOW, Controller
from uncork.conform.rig.harness import PROTOCOL, word_names
from uncork.conform.rig.qtest import Failed, Missing, Qemu


class _Answers:
    """The answers to requests. Queue 1 of the controller is SQ 0, or the CQ."""

    def __init__(self, qemu: Qemu) -> None:
        self._qemu, self._controller = qemu, Controller(qemu)
        self._shape = Shape(1, 2, 2)

    def to(self, do: str, asked: dict[str, Any]) -> dict[str, Any]:
        """Does what is asked. Returns what is seen then."""
        match do:
            case "hello":
                self._shape = Shape(asked["sqs"], asked["sq_size"], asked["cq_size"])
                return {"protocol": PROTOCOL, "name": f"QEMU {self._qemu.version}", "threads": [], "events": []}
            case "reset":
                self._controller.restart(*self._shape, config_first=False)
            case "entry":
                self._controller.put(asked["sq"] + 1, asked["slot"], READ, asked["cid"])
            case "store":
                queue, _, which = asked["word"].partition(".")
                page = SHADOW if which == "shadow" else EVENT
                self._controller.set_word(page, _number(queue), asked["value"], cq=queue == "cq")
            case "ring":
                self._controller.ring(_number(asked["queue"]), asked["value"], cq=asked["queue"] == "cq")
            case "look" | "settle":
                pass
            case _:
                return {"error": f"QEMU is not driven to {do} here"}
        self._qemu.settle()
        return {"words": {name: self._word(name) for name in word_names(self._shape)}, "cqes": self._cqes()}

    def _word(self, name: str) -> int:
        queue, _, which = name.partition(".")
        return self._controller.word(SHADOW if which == "shadow" else EVENT, _number(queue), cq=queue == "cq")

    def _cqes(self) -> list[list[int]]:
        entries = [self._controller.completion(slot) for slot in range(self._shape.cq_size)]
        return [[each.phase, max(each.sqid - 1, 0), each.cid] for each in entries]


def _number(queue: str) -> int:
    return Controller.CQ if queue == "cq" else int(queue.removeprefix("sq")) + 1


def main() -> int:
    """Answers requests on standard input until there are no more."""
    try:
        with Qemu() as qemu:
            answers = _Answers(qemu)
            for line in sys.stdin:
                asked = json.loads(line)
                number, do = asked.pop("n"), asked.pop("do")
                print(json.dumps({"n": number, **answers.to(do, asked)}), flush=True)
    except (Missing, Failed) as why:
        print(why, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
