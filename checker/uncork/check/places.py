"""Finds the file and line where the policy, the device and the guest of an instance are defined."""

from __future__ import annotations

import inspect
from pathlib import Path

from uncork_nvme.catalogue import find_device, find_guest
from uncork_nvme.device import Composed
from uncork_nvme.instance import Instance, find_policy
from uncork_nvme.own.policy import Own
from uncork_nvme.policies import POLICIES

from uncork.core.trace import Trace
from uncork.render.ci.results import Place


def of_policy(name: str) -> Place | None:
    """Returns the place of a policy's function; None if the policy is a formula."""
    if ":" not in name and name not in POLICIES:
        return None
    formula = find_policy(name).formula
    if isinstance(formula, Own):
        return Place(Path(formula.told.file).resolve(), formula.told.line, f"policy {name}")
    code = inspect.unwrap(formula).__code__
    return Place(Path(code.co_filename).resolve(), code.co_firstlineno, f"policy {name}")


def of_device(name: str) -> Place:
    """Returns the place where a device is declared."""
    return _declared("device", find_device(name))


def of_guest(name: str) -> Place:
    """Returns the place where a guest is declared."""
    return _declared("guest", find_guest(name))


def _declared(kind: str, found: Composed) -> Place:
    file, line = found.place
    return Place(Path(file).resolve(), line, f"{kind} {found.name}")


def of_instance(instance: Instance) -> tuple[Place, list[Place]]:
    """Returns the place to look at first, and the others.

    A file of the user's own comes first; of these, as of the catalogue, the policy (if it is a function), then the
    device, then the guest.
    """
    policy = of_policy(instance.policy)
    named = [(instance.device, of_device(instance.device)), (instance.guest, of_guest(instance.guest))]
    found = [*([(instance.policy, policy)] if policy else []), *named]
    first, *others = [place for _, place in sorted(found, key=lambda each: ":" not in each[0])]
    return first, others


def of_steps(instance: Instance, trace: Trace) -> list[Place]:
    """Returns what decides each step of a run: the policy if the step writes CQ EventIdx, else guest or device."""
    device, policy = of_device(instance.device), of_policy(instance.policy)
    by_guest = {action.name for action in instance.machine.parts.guest.steps(instance.machine)}
    event = f"{instance.machine.cq.name}.event"
    return [
        of_guest(instance.guest)
        if name in by_guest
        else policy or device
        if event in instance.system.action(name).updates
        else device
        for name in trace.steps
    ]
