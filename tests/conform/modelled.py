"""A harness whose device is a model: `modelled.py INSTANCE [HOW...]`. With its own instance it never disagrees.

How: `blind` tells no events and values; `rest` has no threads to step, `workers` only its workers; `lost` is a mistake:
the second doorbell of a run is lost.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[2] / "examples" / "harness"))

from uncork.conform.harness.threads import roles
from uncork.conform.rig.harness import Hello, word_names
from uncork.engines.python import successors, value
from uncork_harness import SLEEP, Device, main
from uncork_nvme.instance import from_name
from uncork_nvme.observe import shows


class Modelled(Device):
    """The device of a model: its state is a state of the model, whose guest is driven from outside."""

    def __init__(self, name: str, how: list[str]) -> None:
        self.instance, self.how = from_name(name), how
        self.system = self.instance.system
        self.name = self.instance.name
        self.roles = roles(self.instance, Hello(name, (), frozenset()), steps=True)
        self.order = {variable.name: place for place, variable in enumerate(self.system.variables)}
        self.steps = {thread: successors(self.system, actions) for thread, actions in self.roles.threads.items()}
        self.family = [action.family for action in self.system.actions]
        stepped = {"rest": "nothing", "workers": "worker"}.get(how[0] if how else "", ".")
        self.stepped = [thread for thread in self.steps if stepped in thread]
        if "blind" not in how:
            self.events = tuple({self.system.action(name).family for name in self.roles.device})
        self.shows = {
            name: value(self.system, shown)
            for name, shown in shows(self.instance.machine).items()
            if not name.endswith(("cursor", "outstanding", "shadow", "eventidx"))
        }
        self.reset()

    def setup(self, sqs: int, sq_size: int, cq_size: int) -> str:
        return "" if (sqs, sq_size, cq_size) == self.instance.shape else f"it is {self.instance.shape}"

    def reset(self) -> None:
        self.state = list(self.system.initial.values())
        self.words = dict.fromkeys(word_names(self.instance.shape), 0)
        self.cqes = [(0, 0, 0)] * self.instance.cq_size
        self.phase, self.rung = 1, 0
        self.cids: list[list[int]] = [[] for _ in self.instance.machine.sqs]
        self.entries: list[dict[int, int]] = [{} for _ in self.instance.machine.sqs]

    def threads(self) -> dict[str, Callable[[], Iterator[str]]]:
        return {name: partial(self.runs, name) for name in self.stepped}

    def runs(self, thread: str) -> Iterator[str]:
        while True:
            self.guest()
            after = self.steps[thread](tuple(self.state))
            done = self.takes(*after[0]) if after else SLEEP
            self.rest()
            yield done

    def guest(self) -> None:
        """What the guest has stored, and that it has taken every CQE that the device could see taken."""
        for word, index in self.words.items():
            if word.endswith("shadow"):
                self.set(word, index)

    def takes(self, action: int, target: Any) -> str:
        before, self.state = self.state, list(target)
        family = self.family[action]
        if family == "fetch":
            sq = self.system.actions[action].args[0].number
            self.cids[sq].append(self.entries[sq][before[self.order[f"sq{sq}.head"]]])
        if family == "post":
            sq = self.system.actions[action].args[0].number
            slot = before[self.order["cq.tail"]]
            self.cqes[slot] = (self.phase, sq, self.cids[sq].pop(0))
            self.phase ^= slot == self.instance.cq_size - 1
        for word in self.words:
            if word.endswith("eventidx"):
                self.words[word] = self.get(word.replace("eventidx", "event"))
        return "" if "blind" in self.how else family

    def get(self, name: str) -> Any:
        return self.state[self.order[name]]

    def set(self, name: str, what: Any) -> None:
        self.state[self.order[name]] = what

    def entry(self, sq: int, slot: int, cid: int) -> None:
        self.entries[sq][slot] = cid

    def ring(self, queue: str, value: int) -> None:
        self.rung += 1
        if "lost" in self.how and self.rung == 2:
            return
        self.guest()
        if queue == "cq":
            self.set("cq.consumer", "notify head")
        else:
            self.set(f"{queue}.submitter", "notify tail")
        self.rest()

    def rest(self) -> None:
        """The threads that are not stepped run until they have nothing left to do."""
        alone = [step for thread, step in self.steps.items() if thread not in self.stepped]
        while after := next((found for step in alone if (found := step(tuple(self.state)))), None):
            self.takes(*after[0])

    def values(self) -> dict[str, Any]:
        return {} if "blind" in self.how else {name: shown(tuple(self.state)) for name, shown in self.shows.items()}


if __name__ == "__main__":
    main(Modelled(sys.argv[1], sys.argv[2:]))
