"""Where the policy, the device and the guest of an instance are defined: file and line."""

from __future__ import annotations

import ast
import functools
import inspect
from pathlib import Path

from uncork_nvme import catalogue
from uncork_nvme.instance import Instance, find_policy
from uncork_nvme.own import Own
from uncork_nvme.policies import POLICIES
from uncork_nvme.steps import guest

from uncork.core.trace import Trace
from uncork.render.ci.results import Place


def of_policy(name: str) -> Place | None:
    """The function of a policy; None if it is a formula."""
    if ":" not in name and name not in POLICIES:
        return None
    formula = find_policy(name).formula
    if isinstance(formula, Own):
        return Place(Path(formula.told.file).resolve(), formula.told.line, f"policy {name}")
    code = inspect.unwrap(formula).__code__
    return Place(Path(code.co_filename).resolve(), code.co_firstlineno, f"policy {name}")


def of_device(name: str) -> Place:
    """The entry of a device in the catalogue."""
    return _entry("Device", name)


def of_guest(name: str) -> Place:
    """The entry of a guest in the catalogue."""
    return _entry("Guest", name)


@functools.cache
def _entry(kind: str, name: str) -> Place:
    file = Path(inspect.getfile(catalogue))
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == kind and node.args:
            first = node.args[0]
            if isinstance(first, ast.Constant) and first.value == name:
                return Place(file.resolve(), node.lineno, f"{kind.lower()} {name}")
    return Place(file.resolve(), 1, f"{kind.lower()} {name}")


def of_instance(instance: Instance) -> tuple[Place, list[Place]]:
    """Where to look first, the policy if it is a function; and where else."""
    places = [of_device(instance.device), of_guest(instance.guest)]
    policy = of_policy(instance.policy)
    first, *others = [policy, *places] if policy else places
    return first, others


def of_steps(instance: Instance, trace: Trace) -> list[Place]:
    """What decides each step of a run: the policy where CQ EventIdx is written, else the guest or the device."""
    device, policy = of_device(instance.device), of_policy(instance.policy)
    by_guest = {action.name for action in guest.actions(instance.machine)}
    event = f"{instance.machine.cq.name}.event"
    return [
        of_guest(instance.guest)
        if name in by_guest
        else policy or device
        if event in instance.system.action(name).updates
        else device
        for name in trace.steps
    ]
