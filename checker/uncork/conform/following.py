"""The model beside the real device: it follows what the guest does and what is seen of the device, or says it cannot.

The guest's steps are events, the device's are not seen. After each event the device is given time, and what is seen
then has to be so in a state of the model in which the device has nothing left to do, but for commands that take their
time.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass, replace

from uncork_nvme.instance import Instance
from uncork_nvme.state.machine import Machine
from uncork_nvme.steps import guest

from uncork.core.expr import Expr
from uncork.core.observed import Event
from uncork.core.sorts import Ring, Value
from uncork.core.system import Action, Record, System, var
from uncork.engines.follow import Follower

CQ_EVENT, LAID_OVER = "CQ EventIdx", "CQ EventIdx laid over"


@dataclass(frozen=True)
class Mismatch:
    """What the real run did that no run of the model does: after which move, what was seen, what the model shows."""

    move: str
    saw: Mapping[str, Value]
    model: tuple[Mapping[str, Value], ...]
    """What may be seen in the model's states; none if the model's guest would not have made that move."""

    @property
    def differs(self) -> list[str]:
        """The names of what was seen and is so in no state of the model; all where only the combination is not."""
        found = [name for name, value in self.saw.items() if all(shown[name] != value for shown in self.model)]
        return found or list(self.saw)


class Model:
    """The model of a device and a guest, at some sizes, ready to follow one run after the other.

    With `overlay` the device's own CQ EventIdx stays that of its policy, and the guest goes by what the policy named in
    `overlay` would have written at the same moments, which the model knows. `looks` is how often it was asked for that,
    `open` how often several values fitted what was seen.
    """

    def __init__(self, instance: Instance, overlay: str | None = None) -> None:
        self.instance, self.overlay = instance, overlay
        shown = instance if overlay is None else replace(instance, policy=overlay)
        machine, system = shown.machine, shown.system
        own: Expr = machine.cq.event
        if overlay is not None:
            system, own = _with_own_event(instance.machine, shown.machine, system)
        shows = {f"{q.label} EventIdx": q.event for q in machine.sqs}
        shows |= {CQ_EVENT: own, "CQEs": machine.cq.slots}
        if overlay is not None:
            shows[LAID_OVER] = machine.cq.event
        seen = {action.name for action in guest.actions(machine)}
        self.system, self._seen = system, seen
        unseen = {action.name: action.family for action in system.actions if action.name not in seen}
        self._rest = frozenset(unseen)
        self._but_ends = frozenset(name for name, family in unseen.items() if family != "complete")
        self.looks, self.open = 0, 0
        self._follower = Follower(system, unseen, shows)

    def restart(self) -> None:
        """To the first state."""
        self._follower.restart()

    def offers(self) -> list[Action]:
        """What the model's guest may do next."""
        states = self._follower.states
        state = dict(zip((v.name for v in self.system.variables), next(iter(states)), strict=True))
        return [action for action in self.system.enabled(state) if action.name in self._seen]

    def follow(self, action: str, saw: Mapping[str, Value], *, late: bool = False) -> Mismatch | None:
        """Takes what the guest did and what was seen after it. Raises `follow.TooManyStates`."""
        if not self._follower.take(Event(action, frozenset({action}))):
            return Mismatch(action, saw, ())
        return self.look(action, saw, late=late)

    def look(self, after: str, saw: Mapping[str, Value], *, late: bool = False) -> Mismatch | None:
        """Takes what is seen when nothing moves; with `late` commands, which may end at any time, but for these."""
        quiet = self._but_ends if late else self._rest
        if self._follower.take(Event(after, saw=saw, quiet=quiet)):
            return None
        return Mismatch(after, saw, tuple(self._follower.shown(self._follower.settle(quiet))))

    def laid_over(self, chosen: random.Random) -> int:
        """CQ EventIdx as the policy laid over would have it, one of those that fit what was seen; held to from now."""
        values = sorted({int(str(each[LAID_OVER])) for each in self._follower.shown(self._follower.states)})
        value = chosen.choice(values)
        self.looks += 1
        self.open += len(values) > 1
        self._follower.take(Event(LAID_OVER, saw={LAID_OVER: value}))
        return value


class _Own(Record):
    """What the device itself writes, where the guest goes by something else."""


def _with_own_event(own: Machine, machine: Machine, system: System) -> tuple[System, Expr]:
    """A system with one more variable: CQ EventIdx as the policy of `own` writes it before each read of the head."""
    record = _Own("own", event=var(Ring(machine.cq.size), "CQ EventIdx as the device itself writes it"))
    assert own.policy.name == "head" and own.choices.post_order == "arm-then-read", "QEMU's policy"
    actions = tuple(
        replace(action, updates={**action.updates, **record(event=machine.cq.head)})
        if action.family in ("post_read", "post_credit")
        else action
        for action in system.actions
    )
    return replace(system, variables=(*system.variables, *record.variables), actions=actions), record.event
