"""What a name stands for: a device, guest, policy, design or instance, each with an instance to show it on."""

from __future__ import annotations

import re

from uncork_nvme.catalogue import DEVICES, GUESTS
from uncork_nvme.device import Device, Guest
from uncork_nvme.formulas import is_formula
from uncork_nvme.instance import Instance, InstanceError, find_policy, from_name
from uncork_nvme.policies import POLICIES

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
        entries = (_device(self.instance.device), _guest(self.instance.guest))
        pairs = [(step, name) for each in entries if each for name, steps in each.read_in.items() for step in steps]
        return program(self.instance.system, dict(pairs), self.has)

    def has(self, action: Action) -> bool:
        """Whether a step is of what the name stands for."""
        return self.kind not in ("device", "guest") or action.actor.startswith(GUEST) == (self.kind == "guest")


def _device(name: str) -> Device | None:
    return DEVICES.get(name)


def _guest(name: str) -> Guest | None:
    return GUESTS.get(name)


def _is_policy(name: str) -> bool:
    """Whether it is the name of a policy, a formula, or one in a file."""
    in_file = ".py:" in name and "/" not in name.rpartition(".py:")[2]
    return name in POLICIES or in_file or ("/" not in name and is_formula(name))


def subject(name: str) -> Subject | None:
    """What a name stands for; None for other names. Raises `InstanceError` for an instance that does not exist.

    A name is that of a device, a guest or a policy; `device/choice=value`; a design, `device/guest/policy`, or an
    instance, both with overrides after another slash.
    """
    device, _, rest = name.partition("/")
    if found := _device(device):
        if name == device or _OVERRIDES.match(rest):
            overrides = f"/{rest}" if rest else ""
            return Subject(name, "device", from_name(f"{device}/linux/{found.policy}/{_SIZES}{overrides}"), found)
        *parts, last = name.split("/")
        if len(parts) >= 2 and _guest(parts[1]) and not re.search(r"/n\d+-sq\d+-cq\d+(/|$)", name):
            overridden = len(parts) > 2 and _OVERRIDES.match(last)
            sized = [*parts, _SIZES, last] if overridden else [*parts, last, _SIZES]
            return Subject(name, "design", from_name("/".join(sized)))
    elif guest := _guest(name):
        return Subject(name, "guest", from_name(f"arm-recheck/{name}/arm-on-cork/{_SIZES}"), guest)
    elif _is_policy(name):
        return Subject(name, "policy", from_name(f"propolis-2026/linux/{find_policy(name).name}/{_SIZES}"))
    return Subject(name, "instance", from_name(name)) if name.count("/") >= 3 else None


def known(name: str) -> Subject:
    """What a name stands for; raises `InstanceError` for a name that is none of a device, guest, policy or instance."""
    found = subject(name)
    if found is None:
        raise InstanceError(
            f"{name!r} has no program: write a device, a guest, a policy, device/choice=value, device/guest/policy or "
            "an instance"
        )
    return found
