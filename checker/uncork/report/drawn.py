"""What the page draws of a run besides its text: messages between actors, and moves of an index against EventIdx."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from uncork_nvme.instance import Instance
from uncork_nvme.state.queues import CQ, SQ

from uncork.core.evaluate import State, evaluate
from uncork.core.sorts import Value
from uncork.core.system import Action, System
from uncork.core.trace import Trace
from uncork.render.html import scene

_CHECKS = {"need": True, "elide": False}
"""Steps that compare a move with EventIdx, by the first word of the family, and whether EventIdx was passed."""


def stage(instance: Instance) -> dict[str, Any]:
    """Returns the stage of an instance, with what stands beside its rings; see `facts`."""
    made = scene.stage(instance.system)
    for ring, beside in zip(made["rings"], facts(instance), strict=True):
        ring |= beside
    return made


def facts(instance: Instance) -> list[dict[str, Any]]:
    """Returns, for every ring, the indices of the variables that stand beside it.

    `permits` for the CQ, `corked` and `workers` for an SQ; without a key where the machine has no such variable.
    """
    places = {variable.name: place for place, variable in enumerate(instance.system.variables)}
    found: list[dict[str, Any]] = [{"permits": places["cq.available"]} if "cq.available" in places else {}]
    for q in instance.machine.sqs:
        workers = [
            place
            for place, variable in enumerate(instance.system.variables)
            if variable.name.startswith(f"{q.name}.") and "asleep" in variable.sort.values()
        ]
        found.append({"corked": places[f"{q.name}.corked"], "workers": workers})
    return found


def messages(instance: Instance, trace: Trace) -> dict[int, list[tuple[str, str]]]:
    """Returns the messages of the steps that send any, by number of the step: each its kind and who gets it.

    `doorbell`: the guest rings. `silent`: the guest reads EventIdx and does not ring. `notify`: a worker is woken.
    `kick`: a kick sets out for an SQ, or reaches its worker.
    """
    sent = (
        _sent(instance, trace.states[index], trace.after(index), instance.system.action(name))
        for index, name in enumerate(trace.steps)
    )
    return {number: each for number, each in enumerate(sent, start=1) if each}


def _rings(instance: Instance) -> Sequence[CQ | SQ]:
    return [instance.machine.cq, *instance.machine.sqs]


def _sent(instance: Instance, before: State, after: State, action: Action) -> list[tuple[str, str]]:
    system = instance.system
    found: list[tuple[str, str]] = []
    for ring in _rings(instance):
        handler = _handler(system, ring)
        if handler and _is_about(action, ring):
            if action.family.startswith("ring_"):
                found.append(("doorbell", handler))
            elif _compared(action, ring, after) is False:
                found.append(("silent", handler))
    for q in instance.machine.sqs:
        wakeups, called = f"{q.name}.wakeups", f"{q.name}.called"
        if called in before and not before[called] and after[called]:
            found.append(("kick", _who(system, "deliver", called)))
        if wakeups in before and (_rises(before[wakeups], after[wakeups]) or _notifies(action, q)):
            found.append(("notify" if action.family == "notify" else "kick", _who(system, "wake", wakeups)))
    return [(kind, to) for kind, to in found if to and to != action.actor]


def _rises(before: Value, after: Value) -> bool:
    return isinstance(before, int) and isinstance(after, int) and before < after


def _notifies(action: Action, q: SQ) -> bool:
    """Whether the step is a notification of the SQ, even one that is lost."""
    return action.family == "notify" and action.name.startswith(f"notify({q.label}")


def _who(system: System, family: str, variable: str) -> str:
    """Returns the actor of the steps of a family that write a variable; the empty string if there are none."""
    actors = (each.actor for each in system.actions if each.family == family and variable in each.updates)
    return next(actors, "")


def _handler(system: System, ring: CQ | SQ) -> str:
    """Returns the actor that gets a doorbell of a ring; the empty string if no step answers one."""
    at = f"{ring.name}.{'submitter' if isinstance(ring, SQ) else 'consumer'}"
    actors = (each.actor for each in system.actions if each.actor.startswith("doorbell") and at in each.updates)
    return next(actors, "")


def _is_about(action: Action, ring: CQ | SQ) -> bool:
    """Whether a step of the guest is about this ring."""
    if isinstance(ring, SQ):
        return action.family.endswith("_sq") and action.actor == f"submitter {ring.label}"
    return action.family.endswith("_cq") and action.actor == "consumer"


def _compared(action: Action, ring: CQ | SQ, after: State) -> bool | None:
    """Returns whether the step finds EventIdx passed; None if the step does not look at EventIdx."""
    if not _is_about(action, ring):
        return None
    word = action.family.partition("_")[0]
    if word == "look":
        at = ring.submitter if isinstance(ring, SQ) else ring.consumer
        return evaluate(at, after) == "publish and ring"
    return _CHECKS.get(word)


def moves(instance: Instance, trace: Trace) -> dict[int, tuple[int, Value, Value, bool]]:
    """Returns the steps that compare a move with EventIdx, by number: the ring's index, old and new index, passed.

    A step where no doorbell buffer is in use compares nothing.
    """
    machine = instance.machine
    found = {}
    for index, name in enumerate(trace.steps):
        action, before, after = instance.system.action(name), trace.states[index], trace.after(index)
        for place, ring in enumerate(_rings(instance)):
            passed = _compared(action, ring, after)
            if passed is None or not evaluate(machine.life.in_use, before):
                continue
            looks_first = action.family.startswith("look_")
            old = ring.index.own if looks_first else ring.index.own - ring.moved
            new = ring.index.own + ring.moved if looks_first else ring.index.own
            state = after if looks_first else before
            found[index + 1] = place, evaluate(old, state), evaluate(new, state), passed
    return found
