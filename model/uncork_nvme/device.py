"""What a device or a guest is: a name, what was read, and the parts that it is made of, each with its settings."""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Mapping, Sequence
from dataclasses import field, replace
from functools import cached_property
from types import FrameType
from typing import ClassVar

from uncork.core.frozen import frozen
from uncork.core.sorts import did_you_mean

from uncork_nvme.choices import SECTIONS, Choice, ChoiceError, check
from uncork_nvme.parts.part import Part

Settings = Mapping[type[Part], Mapping[str, Choice]]
"""Parts, each with those of its choices that are set; the others have their defaults."""


@frozen
class Composed:
    """Parts under a name: what a device and a guest have in common.

    `doc` says what it is, `source` where that was read, and `assumes` what the source leaves open and is assumed here.
    `read_in` names functions of the source, each with the steps, or outcomes of steps, that were read there.
    Raises `ChoiceError` for two parts in one slot, and for a setting that a part does not have.
    """

    name: str
    doc: str
    source: str = ""
    parts: Settings = field(default_factory=dict)
    assumes: str = ""
    read_in: Mapping[str, Sequence[str]] = field(default_factory=dict)

    place: ClassVar[tuple[str, int]] = ("", 1)
    """The file and line where it stands."""

    def __post_init__(self) -> None:
        _ = self.choices
        frame: FrameType | None = sys._getframe()
        while frame and frame.f_code.co_filename in (__file__, "<string>", dataclasses.__file__):  # of our making
            frame = frame.f_back
        self.__dict__["place"] = (frame.f_code.co_filename, frame.f_lineno) if frame else ("", 1)

    @cached_property
    def choices(self) -> dict[str, Choice]:
        """The choices that the parts stand for and that are set, by name."""
        chosen: dict[str, Choice] = {}
        slots: dict[str, str] = {}
        for part, settings in self.parts.items():
            if not (isinstance(part, type) and issubclass(part, Part)):
                raise ChoiceError(f"{self.name}: {part!r} is not a part: write a class, such as Park: {{}}")
            if getattr(part, "slot", None) not in SECTIONS:
                raise ChoiceError(
                    f"{self.name}: {part.__name__} is made of no part: write class {part.__name__}(Park) or the like"
                )
            if part.slot in slots:
                raise ChoiceError(
                    f"{self.name} has two parts in one slot, {slots[part.slot]} and {part.__name__}: keep one"
                )
            slots[part.slot] = part.__name__
            known = part.choices()
            for name in settings:
                if name not in known:
                    raise ChoiceError(f"{self.name}: {part.__name__} has no choice {name!r}{did_you_mean(name, known)}")
            for name, value in {**part.settings(), **settings}.items():
                check(name, value)
                chosen[name] = value
        return chosen

    def _with(self, parts: Settings) -> dict[type[Part], Mapping[str, Choice]]:
        """The parts, but for those whose slots others take, which keep the settings if they are made from them."""
        slots = {part.slot: part for part in self.parts}
        changed = dict(self.parts)
        for part, settings in parts.items():
            before = slots.get(part.slot)
            kept = changed.pop(before, {}) if before else {}
            changed[part] = {**kept, **settings} if before and issubclass(part, before) else settings
        return changed


@frozen
class Device(Composed):
    """An emulated NVMe device, with the policy that it writes CQ EventIdx by."""

    policy: str = "tail"

    def but(
        self,
        name: str,
        doc: str,
        parts: Settings,
        *,
        policy: str = "",
        source: str = "",
        assumes: str = "",
        read_in: Mapping[str, Sequence[str]] | None = None,
    ) -> Device:
        """This device with other parts or settings, under another name.

        A part takes the place of the part in its slot. If it is the same or made from it, the settings stay that are
        not given.
        """
        return replace(
            self,
            name=name,
            doc=doc,
            parts=self._with(parts),
            policy=policy or self.policy,
            source=source or self.source,
            assumes=assumes or self.assumes,
            read_in=self.read_in if read_in is None else read_in,
        )


@frozen
class Guest(Composed):
    """A guest driver."""

    def but(self, name: str, doc: str, parts: Settings, *, source: str = "", assumes: str = "") -> Guest:
        """This guest with other parts or settings, under another name; see `Device.but`."""
        return replace(
            self,
            name=name,
            doc=doc,
            parts=self._with(parts),
            source=source or self.source,
            assumes=assumes or self.assumes,
        )
