"""The model beside a real device: it follows the guest's moves and what is seen of the device, or finds a mismatch.

One notion covers every device: the set of states that the model may be in after each observation. `Beside` keeps it. A
device that shows more of its steps leaves fewer states. Of QEMU (`Model`) no step is seen: after every guest move
QEMU gets time to settle. The values seen then have to hold in a state of the model in which the device is idle, except
for late commands.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping
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


class Beside:
    """A model beside a device. It can follow one run after another.

    `unseen` are the actions that no event shows, `shows` the values that are compared.
    """

    def __init__(self, system: System, unseen: Iterable[str], shows: Mapping[str, Expr]) -> None:
        self.system = system
        self.follower = Follower(system, unseen, shows)

    def restart(self) -> None:
        """Returns to the first state."""
        self.follower.restart()

    def expect(self, event: Event, among: frozenset[str] | None = None) -> Mismatch | None:
        """Takes an event; `among` are the unseen actions that may have come before it. Raises `TooManyStates`.

        If no run of the model fits, the states stay as they were.
        """
        if self.follower.take(event, among=among):
            return None
        if event.actions:
            return Mismatch(event.label, event.saw, ())
        fits = self.follower.shown(self.follower.settle(event.quiet, among=among))
        return Mismatch(event.label, event.saw, tuple({name: each[name] for name in event.saw} for each in fits))


class Model(Beside):
    """The model of QEMU and a guest, at some sizes.

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
        self._seen = seen
        unseen = {action.name: action.family for action in system.actions if action.name not in seen}
        self._rest = frozenset(unseen)
        self._but_ends = frozenset(name for name, family in unseen.items() if family != "complete")
        self.looks, self.open = 0, 0
        super().__init__(system, unseen, shows)

    def offers(self) -> list[Action]:
        """The enabled actions of the model's guest."""
        states = self.follower.states
        state = dict(zip((v.name for v in self.system.variables), next(iter(states)), strict=True))
        return [action for action in self.system.enabled(state) if action.name in self._seen]

    def follow(self, action: str, saw: Mapping[str, Value], *, late: bool = False) -> Mismatch | None:
        """Takes an action of the guest and the values seen after it. Raises `TooManyStates`."""
        wrong = self.expect(Event(action, frozenset({action})))
        return replace(wrong, saw=saw) if wrong else self.look(action, saw, late=late)

    def look(self, after: str, saw: Mapping[str, Value], *, late: bool = False) -> Mismatch | None:
        """Takes the values seen at rest. With `late`, commands may still be running and end at any time."""
        return self.expect(Event(after, saw=saw, quiet=self._but_ends if late else self._rest))

    def laid_over(self, chosen: random.Random) -> int:
        """Returns a CQ EventIdx of the overlaid policy that fits the observations. The model keeps to it."""
        values = sorted({int(str(each[LAID_OVER])) for each in self.follower.shown(self.follower.states)})
        value = chosen.choice(values)
        self.looks += 1
        self.open += len(values) > 1
        self.follower.take(Event(LAID_OVER, saw={LAID_OVER: value}))
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
