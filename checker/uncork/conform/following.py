"""The model beside the real device: it follows the guest's moves and what is seen of the device, or finds a mismatch.

Steps of the guest are events; steps of the device are not seen. After every event the device gets time to settle. The
values seen then have to hold in a state of the model in which the device is idle, except for late commands.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass, replace

from uncork_nvme.instance import Instance
from uncork_nvme.state.machine import Machine

from uncork.core.expr import Expr
from uncork.core.questions.observed import Event
from uncork.core.sorts import Ring, Value
from uncork.core.system import Action, Record, System, var
from uncork.engines.follow import Follower

CQ_EVENT, LAID_OVER = "CQ EventIdx", "CQ EventIdx laid over"


@dataclass(frozen=True)
class Mismatch:
    """An observation that no run of the model explains: the move before it, the values seen, the model's values."""

    move: str
    saw: Mapping[str, Value]
    model: tuple[Mapping[str, Value], ...]
    """The values in the model's states; empty if the model's guest could not have made the move."""

    @property
    def differs(self) -> list[str]:
        """The names of values that no state of the model has; all names if only the combination is missing."""
        found = [name for name, value in self.saw.items() if all(shown[name] != value for shown in self.model)]
        return found or list(self.saw)


class Model:
    """The model of a device and a guest, at some sizes. It can follow one run after another.

    With `overlay`, the device still writes CQ EventIdx by its own policy, but the guest reads what the policy `overlay`
    would have written at the same moments, as the model computes. `looks` counts these reads; `open` counts reads at
    which several values fitted the observations.
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
        seen = {action.name for action in machine.parts.guest.steps(machine)}
        self.system, self._seen = system, seen
        unseen = {action.name: action.family for action in system.actions if action.name not in seen}
        self._rest = frozenset(unseen)
        self._but_ends = frozenset(name for name, family in unseen.items() if family != "complete")
        self.looks, self.open = 0, 0
        self._follower = Follower(system, unseen, shows)

    def restart(self) -> None:
        """Returns to the first state."""
        self._follower.restart()

    def offers(self) -> list[Action]:
        """The enabled actions of the model's guest."""
        states = self._follower.states
        state = dict(zip((v.name for v in self.system.variables), next(iter(states)), strict=True))
        return [action for action in self.system.enabled(state) if action.name in self._seen]

    def follow(self, action: str, saw: Mapping[str, Value], *, late: bool = False) -> Mismatch | None:
        """Takes an action of the guest and the values seen after it. Raises `follow.Crowd`."""
        if not self._follower.take(Event(action, frozenset({action}))):
            return Mismatch(action, saw, ())
        return self.look(action, saw, late=late)

    def look(self, after: str, saw: Mapping[str, Value], *, late: bool = False) -> Mismatch | None:
        """Takes the values seen at rest. With `late`, commands may still be running and end at any time."""
        quiet = self._but_ends if late else self._rest
        if self._follower.take(Event(after, saw=saw, quiet=quiet)):
            return None
        return Mismatch(after, saw, tuple(self._follower.shown(self._follower.settle(quiet))))

    def laid_over(self, chosen: random.Random) -> int:
        """Returns a CQ EventIdx of the overlaid policy that fits the observations. The model keeps to it."""
        values = sorted({int(str(each[LAID_OVER])) for each in self._follower.shown(self._follower.states)})
        value = chosen.choice(values)
        self.looks += 1
        self.open += len(values) > 1
        self._follower.take(Event(LAID_OVER, saw={LAID_OVER: value}))
        return value


class _Own(Record):
    """The CQ EventIdx that the device itself writes, if the guest reads another one."""


def _with_own_event(own: Machine, machine: Machine, system: System) -> tuple[System, Expr]:
    """Returns a system with one more variable: CQ EventIdx of `own`'s policy, written before every head read."""
    record = _Own("own", event=var(Ring(machine.cq.size), "CQ EventIdx as the device itself writes it"))
    assert own.policy.name == "head" and own.choices.post_order == "arm-then-read", "QEMU's policy"
    actions = tuple(
        replace(action, updates={**action.updates, **record(event=machine.cq.head)})
        if action.family in ("post_read", "post_credit")
        else action
        for action in system.actions
    )
    return replace(system, variables=(*system.variables, *record.variables), actions=actions), record.event
