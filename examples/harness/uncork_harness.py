"""A device in Python under `uncork conform exec`, protocol 1; docs/harness.md explains it. Python 3.9, no packages.

Write a class with what `Device` asks for, and call `main` with one. A thread that uncork is to step is a generator: it
yields the name of an event that it has done (or the empty text for something that no event tells), or `SLEEP` or
`LOCK` if it cannot go on. There its step ends.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from typing import Any

SLEEP, LOCK = "sleep", "lock"
"""What a thread yields in a loop while it has nothing to do, or while it waits for a lock."""


class Device:
    """What uncork drives. `words` and `cqes` are the memory that guest and device share."""

    name = "a device"
    """For people: the device and its version."""
    events: tuple[str, ...] = ()
    """What its threads yield whenever it happens."""
    words: dict[str, int]
    """`cq.shadow`, `cq.eventidx`, `sq0.shadow`, ...; the guest stores to them, too."""
    cqes: list[tuple[int, int, int]]
    """The phase tag, SQ and command in each slot of the CQ."""

    def setup(self, sqs: int, sq_size: int, cq_size: int) -> str:
        """Takes the sizes, once. Returns why it cannot have them, or the empty text."""
        raise NotImplementedError

    def reset(self) -> None:
        """All queues are as new, all words are 0, and no lock is held."""
        raise NotImplementedError

    def threads(self) -> dict[str, Callable[[], Iterator[str]]]:
        """The threads that can be stepped, by name. Any other has come to rest when a method returns."""
        return {}

    def entry(self, sq: int, slot: int, cid: int) -> None:
        """The guest writes a command into a slot of an SQ."""

    def ring(self, queue: str, value: int) -> None:
        """The guest writes the doorbell of `cq`, `sq0`, ..."""

    def delete(self, sq: int) -> None:
        """The guest deletes an SQ."""

    def create(self, sq: int) -> None:
        """The guest creates an SQ that it had deleted."""

    def values(self) -> dict[str, Any]:
        """More values to compare, by their names in logs, such as `cq.permits`."""
        return {}


class _Threads:
    def __init__(self, device: Device) -> None:
        self.made = device.threads()
        self.running = {name: make() for name, make in self.made.items()}

    def reset(self) -> None:
        self.running = {name: make() for name, make in self.made.items()}

    def step(self, name: str) -> dict[str, Any]:
        said = next(self.running[name])
        return {"did": [], "waits": said} if said in (SLEEP, LOCK) else {"did": [said] if said else [], "waits": ""}

    def settle(self) -> None:
        waiting: set[str] = set()
        while len(waiting) < len(self.running):
            for name in self.running:
                while not self.step(name)["waits"]:
                    waiting.clear()
                waiting.add(name)


def main(device: Device) -> None:
    """Answers requests until there are no more."""
    threads: _Threads | None = None
    for line in sys.stdin:
        asked = json.loads(line)
        number, do = asked.pop("n"), asked.pop("do")
        if do == "hello":
            why = device.setup(asked["sqs"], asked["sq_size"], asked["cq_size"])
            threads = _Threads(device)
            about = {"protocol": 1, "name": device.name, "threads": [*threads.made], "events": [*device.events]}
            _say(number, {"error": why} if why else about)
            continue
        assert threads is not None, "first hello"
        stepped: dict[str, Any] = {}
        if do == "reset":
            device.reset()
            threads.reset()
        elif do == "store":
            device.words[asked["word"]] = asked["value"]
        elif do == "step":
            stepped = threads.step(asked["thread"])
        elif do == "settle":
            threads.settle()
        elif do in ("entry", "ring", "delete", "create"):
            getattr(device, do)(**asked)
        elif do != "look":
            _say(number, {"error": f"it does not {do}"})
            continue
        _say(number, {"words": device.words, "cqes": device.cqes, "values": device.values(), **stepped})


def _say(number: int, what: dict[str, Any]) -> None:
    print(json.dumps({"n": number, **what}), flush=True)
