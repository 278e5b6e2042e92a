"""The names of instances: how a name is put together, and which part of it is what.

A name is `device/guest/policy/n1-sq3-cq3`, with overrides after another `/`. A device, guest or policy of the user's
own is named `path/to/file.py:name`, and its path may have any number of `/`. So a name is read from both ends. From the
left, a device or guest of the catalogue is one component; any other goes on to the first component that ends in
`.py:name`. From the right come the overrides and the shape. The policy is what is left.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

from uncork_nvme.choices import Choice
from uncork_nvme.shape import Shape


class Components(NamedTuple):
    """A name taken apart. `shape` is None if the component that should be a shape is none; `found` is that component.

    Overrides are `choice=value`, and not looked at.
    """

    device: str
    guest: str
    policy: str
    shape: Shape | None
    overrides: tuple[str, ...]
    found: str


def of_file(name: str) -> tuple[str, str] | None:
    """The path and the name after it, of `path/to/file.py:name`; None if a name is not of that form."""
    path, _, after = name.rpartition(":")
    return (path, after) if path.endswith(".py") and after.isidentifier() else None


def files(names: Iterable[str]) -> list[Path]:
    """The files of the user's own that these devices, guests or policies stand in."""
    return list(dict.fromkeys(Path(path) for name in names for path, colon, _ in [name.rpartition(":")] if colon))


def apart(name: str, devices: Collection[str], guests: Collection[str]) -> Components | None:
    """A name taken apart, where these devices and guests have names of one component; None if too little is named."""
    parts = name.split("/")
    if len(parts) < 4:
        return None
    device, rest = first(parts, devices)
    guest, rest = first(rest, guests)
    changed = len(rest) > 2 and ("=" in rest[-1] or Shape.parse(rest[-2]) is not None)
    said = rest.pop().split(",") if changed else []
    shape = rest.pop() if rest else ""
    return Components(device, guest, "/".join(rest), Shape.parse(shape), tuple(said), shape)


def first(parts: list[str], known: Collection[str]) -> tuple[str, list[str]]:
    """The device or guest at the left end, and what follows it."""
    ends = [] if parts and parts[0] in known else [number for number, part in enumerate(parts, 1) if of_file(part)]
    end = ends[0] if ends else 1
    return "/".join(parts[:end]), parts[end:]


def ambiguous(name: str, known: Collection[str]) -> str:
    """Why the path of a file cannot stand in a name, and what to write instead; the empty text if it can."""
    first, *more = name.split("/")
    if more and first in known:
        return f"{first}/ at the beginning of a name is the {first} of the catalogue: write ./{name}"
    folder = next((part for part in [first, *more][:-1] if of_file(part)), "")
    return f"the folder {folder} is called as if it were a file: give it another name" if folder else ""


def joined(*parts: str, overrides: Mapping[str, Choice]) -> str:
    """The name of some parts and overrides."""
    changed = ",".join(f"{name}={value}" for name, value in sorted(overrides.items()))
    return "/".join([*parts, changed] if changed else parts)
