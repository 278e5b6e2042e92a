"""What a name stands for: a device, guest, policy, design or instance, each with an instance to show it on."""

from __future__ import annotations

import re
from collections.abc import Sequence

from uncork_nvme.catalogue import DEVICES, GUESTS, find_device, find_guest
from uncork_nvme.device import Device, Guest
from uncork_nvme.formulas import is_formula
from uncork_nvme.instance import Instance, InstanceError, find_policy, from_name
from uncork_nvme.names import first, of_file
from uncork_nvme.own import policy as own
from uncork_nvme.policies import POLICIES
from uncork_nvme.shape import Shape

from uncork.core.frozen import frozen
from uncork.core.system import Action
from uncork.describe.program import GUEST, Part, program

_SIZES = "n1-sq3-cq3"
"""The sizes on which a design is shown."""
_OVERRIDES = re.compile(r"\w+=[^=]")


@frozen
class Subject:
    """What a name stands for. `kind` is device, guest, policy, design or instance."""

    name: str
    kind: str
    instance: Instance
    entry: Device | Guest | None = None
    """The entry of the catalogue, of a device or a guest."""

    @property
    def program(self) -> list[Part]:
        """The steps of the device, of the guest, or of both."""
        entries = (find_device(self.instance.device), find_guest(self.instance.guest))
        pairs = [(step, name) for each in entries for name, steps in each.read_in.items() for step in steps]
        return program(self.instance.system, dict(pairs), self.has)

    def has(self, action: Action) -> bool:
        """Whether a step is of what the name stands for."""
        return self.kind not in ("device", "guest") or action.actor.startswith(GUEST) == (self.kind == "guest")


def subject(name: str) -> Subject | None:
    """What a name stands for; None for other names. Raises `InstanceError` for an instance that does not exist.

    A name is that of a device, a guest or a policy; `device/choice=value`; a design, `device/guest/policy`, or an
    instance, both with overrides after another slash. What is of a file may stand in place of each.
    """
    device, rest = first(name.split("/"), DEVICES)
    kind = _kind(device)
    if not rest or (rest and _OVERRIDES.match("/".join(rest)) and kind == "device"):
        return _one(name, device, kind, rest)
    if name.count("/") < 1 or kind not in ("device", ""):
        return None
    guest, after = first(rest, GUESTS)
    sized = any(Shape.parse(part) for part in after[-2:])
    if kind == "device" and after and not sized and _kind(guest) == "guest":
        *parts, last = name.split("/")
        overridden = len(after) > 1 and _OVERRIDES.match(last)
        return Subject(name, "design", from_name("/".join([*parts, _SIZES, last] if overridden else [name, _SIZES])))
    return Subject(name, "instance", from_name(name)) if name.count("/") >= 3 else None


def _kind(name: str) -> str:
    """Whether it is the name of a device, guest or policy; the empty text for others."""
    if name in DEVICES:
        return "device"
    if name in GUESTS:
        return "guest"
    if of_file(name):
        return own.kind(name)
    return "policy" if name in POLICIES or is_formula(name) else ""


def _one(name: str, component: str, kind: str, overrides: Sequence[str]) -> Subject | None:
    """The subject that one component names, with overrides if it is a device."""
    if kind == "device":
        found = find_device(component)
        sized = "/".join([component, "linux", found.policy, _SIZES, *overrides])
        return Subject(name, kind, from_name(sized), found)
    if kind == "guest":
        return Subject(name, kind, from_name(f"arm-recheck/{component}/arm-on-cork/{_SIZES}"), find_guest(component))
    if kind == "policy":
        return Subject(name, kind, from_name(f"propolis-2026/linux/{find_policy(name).name}/{_SIZES}"))
    return None


def known(name: str) -> Subject:
    """What a name stands for; raises `InstanceError` for a name that is none of a device, guest, policy or instance."""
    found = subject(name)
    if found is None:
        raise InstanceError(
            f"{name!r} has no program: write a device, a guest, a policy, device/choice=value, device/guest/policy or "
            "an instance"
        )
    return found
