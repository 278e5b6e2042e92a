"""What every part of a device or guest is: its own choices, its variables, and what it cannot do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from uncork.core.system import Declared

from uncork_nvme.choices import SECTIONS, Choice, ChoiceError

if TYPE_CHECKING:  # the assembly names every part
    from uncork_nvme.assembly import Parts


class Part:
    """A part: what one thing of a device or guest does.

    `slot` is its place in a machine. Where several parts may stand in a slot, `chooser` is the choice that says which,
    and `named` are its values that ask for this part. `chosen` are a part's own choices; no part reads those of
    another, but asks it, by `parts`, which are all the parts of the machine.
    """

    places: ClassVar[tuple[str, ...]] = ()
    """Positions of a worker that this part adds to its look at an SQ, under the SQ's lock."""
    slot: ClassVar[str]
    chooser: ClassVar[str] = ""
    named: ClassVar[tuple[Choice, ...]] = ()
    parts: Parts

    def __init__(self, chosen: Any) -> None:
        self.chosen = chosen

    @classmethod
    def stands_for(cls, values: Mapping[str, Choice]) -> bool:
        """Whether these choices ask for this part in its slot."""
        return not cls.chooser or values[cls.chooser] in cls.named

    @classmethod
    def settings(cls) -> dict[str, Choice]:
        """The choice that asks for this part; of several values the first."""
        return {cls.chooser: cls.named[0]} if cls.chooser else {}

    @classmethod
    def choices(cls) -> frozenset[str]:
        """The names of this part's own choices."""
        return frozenset(SECTIONS[cls.slot].__annotations__)

    @property
    def permit_at(self) -> Sequence[str]:
        """Positions, besides "fetch" and "remit", where a worker holds a permit that is no command's."""
        return ()

    def check(self) -> None:
        """Raises `ChoiceError` if this part does not work with the others."""

    def of_sq(self, size: int, cq_size: int, sqs: int) -> dict[str, Declared]:
        """The variables that this part adds to each of `sqs` SQs."""
        return {}

    def of_cq(self, size: int) -> dict[str, Declared]:
        """The variables that this part adds to the CQ."""
        return {}

    def only_with(self, what: str, instead: str, known: Mapping[str, Choice]) -> None:
        """Raises `ChoiceError` where something is not described together with what else is chosen."""
        for name, value in known.items():
            if self.parts.values[name] != value:
                raise ChoiceError(f"{what} is described with {name}={value} only: set that, or {instead}")
