"""The space of designs of a device: any switches changed, and any EventIdx policy."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations, product

from uncork_nvme.catalogue import find_device
from uncork_nvme.choices import NO, YES, Choice, ChoiceError, Choices
from uncork_nvme.formulas import space as policies
from uncork_nvme.instance import Design
from uncork_nvme.shape import Shape
from uncork_properties import matrix

EVENT_IDX = "EventIdx"
SWITCHES: Mapping[str, tuple[Choice, ...]] = {
    "post_order": ("read-then-arm", "arm-then-read"),
    "cork": ("park", "arm-recheck"),
    "kick_on_post": (NO, YES),
    "kick_on_reserve": (NO, YES),
    "kick_on_remit": (NO, YES),
    "kick_size": ("all", "room"),
}
"""The switches that a design may set, and their values."""
ROWS = ("uncorked", "drains")
"""The properties of a live design, besides safety."""

Changes = frozenset[tuple[str, Choice]]


@dataclass(frozen=True)
class Space:
    """The designs of a device, with the guests and shapes at which a design has to be live."""

    device: str
    guests: tuple[str, ...] = ("linux",)
    shapes: tuple[Shape, ...] = tuple(s for s in matrix.SHAPES if s.sqs < 3)
    policies: tuple[str, ...] = field(default_factory=lambda: tuple(policies()))
    switches: Mapping[str, tuple[Choice, ...]] = field(default_factory=lambda: dict(SWITCHES))

    @property
    def places(self) -> list[tuple[str, Shape]]:
        """Every guest at every shape, smallest shapes first."""
        shapes = sorted(self.shapes, key=lambda s: (s.sqs, s.sq_size**s.sqs * s.cq_size))
        return [(guest, shape) for shape in shapes for guest in self.guests]

    @property
    def alternatives(self) -> dict[str, list[Choice]]:
        """The values that every switch and EventIdx may be changed to: all but the device's own."""
        chosen = Choices().replace(find_device(self.device).choices).items()
        own = find_device(self.device).policy
        found: dict[str, list[Choice]] = {EVENT_IDX: [name for name in self.policies if name != own]}
        for name, values in self.switches.items():
            found[name] = [value for value in values if value != chosen[name]]
        return found

    def designs(self) -> Iterator[Changes]:
        """Yields every set of changes, fewer changes before more."""
        others = self.alternatives
        for size in range(len(others) + 1):
            for names in combinations(others, size):
                for values in product(*(others[name] for name in names)):
                    yield frozenset(zip(names, values, strict=True))

    def design(self, changes: Changes, guest: str) -> Design:
        """Returns a set of changes as a design."""
        made = dict(changes)
        policy = str(made.pop(EVENT_IDX, find_device(self.device).policy))
        return Design(self.device, guest, policy, {name: made[name] for name in sorted(made)})

    def fits(self, changes: Changes) -> bool:
        """Returns whether the choices of a design are compatible, with every guest."""
        try:
            for guest in self.guests:
                _ = self.design(changes, guest).at(1, 2, 2).choices
        except ChoiceError:
            return False
        return True


def shapes(sqs: Sequence[int]) -> tuple[Shape, ...]:
    """Returns the shapes of the default matrix with these numbers of SQs."""
    return tuple(shape for shape in matrix.SHAPES if shape.sqs in sqs)


def ordered(changes: Changes) -> list[tuple[str, Choice]]:
    """Returns changes in the order of the switches, EventIdx first."""
    order = [EVENT_IDX, *SWITCHES]
    return sorted(changes, key=lambda change: (order.index(change[0]), str(change[1])))


def said(change: tuple[str, Choice]) -> str:
    """Returns a change in words."""
    name, value = change
    return f"{name}: {value}" if name == EVENT_IDX else f"{name}={value}"
