"""Whose steps are whose: the moves of the guest, and the threads of the device that a harness may step.

A move is a few words, as in `submit SQ0 1`, `check SQ0`, `ring CQ`, `take`, `step sq0.worker`, `settle`. It may stand
for several actions of the model; the values that are read decide which.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from uncork_nvme.instance import Instance, InstanceError
from uncork_nvme.observe import families

from uncork.conform.rig.harness import HarnessError, Hello
from uncork.core.system import Action, System

SETTLE, STEP = "settle", "step "
_EVENTS = ("create", "delete")
"""The events that the protocol has."""
_GUEST = {
    **{"publish_sq": "publish {}", "need_sq": "check {}", "elide_sq": "check {}", "ring_sq": "ring {}"},
    **{"consume": "take", "leave_loop": "leave", "look_cq": "look", "publish": "publish", "need_cq": "check CQ"},
    **{"elide_cq": "check CQ", "ring_cq": "ring CQ", "create_sq": "create {}", "delete_sq": "delete {}"},
}
"""The moves of the guest, by the family of their actions, but for `submit`."""
_ACTOR = re.compile(r"(worker|backend|doorbell handler)(?: (SQ[0-9]+))?(?: worker ([0-9]+))?")


@dataclass(frozen=True)
class Roles:
    """The actions of a system: of the guest, by move; of the device, by thread; and what a harness tells of them.

    - `told` are the actions that the harness tells as events.
    - `alone` are the actions of threads that the harness cannot step.
    """

    guest: Mapping[str, frozenset[str]]
    threads: Mapping[str, frozenset[str]]
    told: frozenset[str]
    alone: frozenset[str]

    @property
    def device(self) -> frozenset[str]:
        """All actions of the device."""
        return frozenset().union(*self.threads.values())

    @property
    def stepped(self) -> list[str]:
        """The threads that the harness can step."""
        return [thread for thread, actions in self.threads.items() if not actions & self.alone]

    def untold(self, thread: str) -> frozenset[str]:
        """The actions of a thread that no event tells."""
        return self.threads[thread] - self.told

    @property
    def moves(self) -> dict[str, str]:
        """The move of each action; of threads that run by themselves there is none."""
        moves = {action: move for move, actions in self.guest.items() for action in actions}
        return moves | {action: STEP + thread for thread in self.stepped for action in self.threads[thread]}


def comparable(instance: Instance) -> None:
    """Raises `InstanceError` for a model whose guest the protocol has no requests for."""
    choices = instance.choices
    for name, only in (("memory", "sc"), ("used_by", "both"), ("byte_order", "same")):
        if choices.items()[name] != only:
            raise InstanceError(f"{instance.name}: a harness can only be compared with {name}={only}")
    if unknown := sorted(choices.happening.keys() - set(_EVENTS)):
        raise InstanceError(f"{instance.name}: the protocol has the events create and delete, and not {unknown[0]}")


def roles(instance: Instance, hello: Hello, *, steps: bool) -> Roles:
    """Returns whose actions are whose. Without `steps`, every thread runs by itself.

    Raises `HarnessError` for a thread or an event that the model does not have.
    """
    system, in_worker = instance.system, not instance.machine.parts.backend.apart
    guest, threads = dict[str, set[str]](), dict[str, set[str]]()
    for action in system.actions:
        if action.family == "submit":
            guest.setdefault(f"submit {action.args[0].label} {action.args[1]}", set()).add(action.name)
        elif action.family in _GUEST:
            label = action.args[0].label if action.args else ""
            guest.setdefault(_GUEST[action.family].format(label), set()).add(action.name)
        else:
            threads.setdefault(_thread(action, in_worker=in_worker), set()).add(action.name)
    for thread in hello.threads:
        if thread not in threads:
            known = ", ".join(threads)
            raise HarnessError("rubbish", f"it names a thread {thread!r:.40}, and the model has {known}")
    told = set[str]()
    for event in hello.events:
        of = told_by(event, system)
        told |= {action.name for action in system.actions if action.family in of}
    stepped = set(hello.threads) if steps else set[str]()
    alone = frozenset(name for thread, actions in threads.items() if thread not in stepped for name in actions)
    return Roles(_frozen(guest), _frozen(threads), frozenset(told), alone)


def told_by(event: str, system: System) -> frozenset[str]:
    """Returns the families of actions that an event may be. Raises `HarnessError` for an event that is none."""
    try:
        return frozenset(families(event, system))
    except KeyError:
        raise HarnessError("rubbish", f"it tells an event {event!r:.40}, which no log has") from None


def _frozen(of: Mapping[str, set[str]]) -> dict[str, frozenset[str]]:
    return {name: frozenset(actions) for name, actions in of.items()}


def _thread(action: Action, *, in_worker: bool) -> str:
    """Returns the thread of a device's action. A worker that runs its commands posts their completions, too."""
    found = _ACTOR.fullmatch(action.actor)
    if found is None:
        return action.actor
    kind, sq, number = found.groups("")
    kind = "worker" if in_worker and kind == "backend" else kind
    name = "kick" if action.family == "deliver" else {"doorbell handler": "doorbell"}.get(kind, kind)
    return f"{sq.lower() or 'cq'}.{name}{number}"
