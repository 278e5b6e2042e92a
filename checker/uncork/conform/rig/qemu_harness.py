"""QEMU as a harness like any other, for `uncork conform exec qemu/linux/head/n1-sq2-cq2 -- python -m` and this module.

`uncork conform qemu` drives it in its own process.
"""

from __future__ import annotations

import json
import sys
from typing import Any

from uncork_nvme.shape import Shape

from uncork.conform.rig.controller import EVENT, FLUSH, READ, SHADOW, UNKNOWN, WRITE, Controller
from uncork.conform.rig.harness import PROTOCOL, Answer, Cqe, HarnessError, Hello, word_names
from uncork.conform.rig.qtest import Failed, Missing, Qemu

LATE = "l"
KINDS = {"r": (READ, 1), "w": (WRITE, 1), "f": (FLUSH, 1), "u": (UNKNOWN, 1), LATE: (READ, 2)}
"""Commands and their namespaces, by a letter.

An unknown command completes when it is fetched, a late one some moves later, the others soon after the fetch.
"""


class QemuHarness:
    """QEMU's controller as a harness that steps no thread: QEMU's handlers run whole, and rest before each answer.

    Beyond the protocol, an `entry` has a `kind`, `reset` may have the doorbell buffer configured before the queues
    (`config_first`), `wait` outlasts late commands, and CQEs have a status. Queue 1 of the controller is SQ 0, or the
    CQ. Raises `Failed`.
    """

    def __init__(self, qemu: Qemu) -> None:
        self.qemu, self.controller = qemu, Controller(qemu)
        self.name = f"QEMU {qemu.version}"
        self.shape: Shape | None = None

    def hello(self, shape: Shape) -> Hello:
        """Begins a conversation about queues of these sizes."""
        self.shape = shape
        return Hello(self.name, (), frozenset())

    def ask(self, do: str, **more: Any) -> Answer:
        """Does what is asked. Returns what is seen then."""
        assert self.shape is not None, "first hello"
        match do:
            case "reset":
                self.controller.restart(*self.shape, config_first=bool(more.get("config_first")))
            case "entry":
                self.controller.put(more["sq"] + 1, more["slot"], *_command(more.get("kind", "r"), more["cid"]))
            case "store":
                self.controller.set_word(*_place(more["word"]), more["value"], cq=more["word"].startswith("cq"))
            case "ring":
                self.controller.ring(_number(more["queue"]), more["value"], cq=more["queue"] == "cq")
            case "wait":
                self.qemu.wait()
            case "look" | "settle":
                pass
            case _:
                raise HarnessError("refuses", f"QEMU is not driven to {do} here")
        if do not in ("entry", "store"):  # QEMU does not see these
            self.qemu.settle()
        entries = [self.controller.completion(slot) for slot in range(self.shape.cq_size)]
        words = {name: self.controller.word(*_place(name), cq=name.startswith("cq")) for name in word_names(self.shape)}
        return Answer(words, tuple(Cqe(each.phase, each.sqid - 1, each.cid, each.status) for each in entries))


def _command(kind: str, cid: int) -> tuple[int, int, int]:
    opcode, namespace = KINDS[kind]
    return opcode, cid, namespace


def _place(word: str) -> tuple[int, int]:
    """Returns the page of a shared word, and the number of its queue."""
    queue, _, which = word.partition(".")
    return SHADOW if which == "shadow" else EVENT, _number(queue)


def _number(queue: str) -> int:
    return Controller.CQ if queue == "cq" else int(queue.removeprefix("sq")) + 1


def _said(harness: QemuHarness, do: str, asked: dict[str, Any]) -> dict[str, Any]:
    """Returns the answer to a request, as the protocol has it."""
    if do == "hello":
        harness.hello(Shape(asked["sqs"], asked["sq_size"], asked["cq_size"]))
        return {"protocol": PROTOCOL, "name": harness.name, "threads": [], "events": []}
    try:
        answer = harness.ask(do, **asked)
    except HarnessError as why:
        return {"error": str(why)}
    return {"words": answer.words, "cqes": [[each.phase, max(each.sq, 0), each.cid] for each in answer.cqes]}


def main(program: str | None = None) -> int:
    """Answers requests on standard input until there are no more."""
    try:
        with Qemu(program) as qemu:
            harness = QemuHarness(qemu)
            for line in sys.stdin:
                asked = json.loads(line)
                number, do = asked.pop("n"), asked.pop("do")
                print(json.dumps({"n": number, **_said(harness, do, asked)}), flush=True)
    except (Missing, Failed) as why:
        print(why, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
