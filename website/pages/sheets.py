"""Tables of verdicts besides the default matrix: a row for each design in a shape, a column for what else is chosen.

Each has a file of recorded verdicts, `NAME.csv`, and a page of the documentation that shows them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from uncork_nvme import catalogue
from uncork_nvme.choices import NO, YES, Choice
from uncork_nvme.instance import Design, Instance
from uncork_nvme.shape import Shape
from uncork_properties import expected

from pages import readme


@dataclass(frozen=True)
class Sheet:
    """A table: `rows` by what they are called, `columns` with what they override. A column may add nothing to a row."""

    name: str
    page: str
    head: str
    rows: Mapping[str, tuple[Design, Shape]]
    columns: Mapping[str, Mapping[str, Choice]]

    def cell(self, row: str, column: str) -> Instance:
        """What stands in a row under a column."""
        design, shape = self.rows[row]
        return replace(design, overrides={**design.overrides, **self.columns[column]}).at(*shape)

    def instances(self) -> Iterator[Instance]:
        """Every cell, row by row."""
        for row in self.rows:
            for column in self.columns:
                yield self.cell(row, column)

    @property
    def recorded(self) -> Mapping[str, tuple[Instance, expected.Expected]]:
        """The verdicts on file, by instance name."""
        return expected.default(f"{self.name}.csv")

    def table(self) -> str:
        """The recorded verdicts in Markdown."""
        words = {name: expected.word(each.verdicts) for name, (_, each) in self.recorded.items()}
        rows = [
            [row, *(readme.marked(words[self.cell(row, column).name]) for column in self.columns)] for row in self.rows
        ]
        return readme.markdown([self.head, *self.columns], rows)

    def updated(self, content: str) -> str:
        """A page with this table made anew between its two marks."""
        return readme.replaced(
            content, f"<!-- {self.name}: generated -->", f"<!-- end of {self.name} -->", self.table()
        )


def _own(device: str, guest: str = "linux") -> Design:
    return Design(device, guest, catalogue.DEVICES[device].policy)


_LIVE = ("propolis-2026", "arm-recheck", "qemu", "spdk-poll", "spdk-interrupt", "openvmm", "nvme-mdev", "femu")
"""The devices that do not hang with one SQ as long as nothing comes or goes."""

LIFECYCLE = Sheet(
    "lifecycle",
    "lifecycle.md",
    "device, n × SQ, CQ",
    {
        f"{device}, {n}×{sq}, {cq}": (_own(device), Shape(n, sq, cq))
        for device in _LIVE
        for n, sq, cq in ((1, 3, 3), (2, 2, 2))
    },
    {
        "none": {},
        "create": {"events": "create"},
        "delete": {"events": "delete"},
        "delete, create": {"events": "delete+create"},
        "the same, words kept": {"events": "delete+create", "words": "keep"},
        "config": {"events": "config"},
        "reset": {"events": "reset"},
        "restart": {"events": "restart"},
        "restart, words kept": {"events": "restart", "words": "keep"},
        "pause": {"events": "pause"},
    },
)
"""What each device does as queues come and go: a column for each event, which happens at most once."""

_KICKS: dict[str, dict[str, Choice]] = {
    "the doorbell": {},
    "and a remit": {"kick_on_remit": YES},
    "and every read that finds room": {"kick_on_remit": YES, "kick_on_post": YES, "kick_on_reserve": YES},
    "the same, as many as there is room for": {
        **{"kick_on_remit": YES, "kick_on_post": YES, "kick_on_reserve": YES},
        "kick_size": "room",
    },
}
SECOND_SQ = Sheet(
    "second-sq",
    "lifecycle.md",
    "EventIdx",
    {
        policy: (Design("propolis-2026", "linux", policy), Shape(2, 2, 2))
        for policy in (
            *("tail", "tail-lag", "tail-1", "head", "reserve-slots", "reserve-slots-size", "reserve-permits"),
            "arm-on-cork",
        )
    },
    {
        f"{what}, {when}": {**choices, **events}
        for what, choices in _KICKS.items()
        for when, events in (("both at first", {}), ("one created", {"events": "create"}))
    },
)
"""A second SQ is pointed at a CQ that is in use: under each EventIdx, with each set of kicks; and both at first."""

FENCES = ("guest_fence", "device_fence_sq", "device_fence_cq")
"""The fences that can be left out, by the names of their choices."""


def _without(*left_out: str) -> dict[str, Choice]:
    fences = {fence: NO if fence in left_out else YES for fence in FENCES}
    return {"memory": "tso", **fences}


MEMORY = Sheet(
    "memory",
    "memory.md",
    "device, guest, policy; n × SQ, CQ",
    {
        f"{design.name.replace('/', ', ')}; {n}×{sq}, {cq}": (design, Shape(n, sq, cq))
        for design in (
            _own("propolis-2025"),
            _own("propolis-2026"),
            _own("propolis-2026", "spdk"),
            Design("propolis-2026", "linux", "tail-lag", {"backend": "detached-repoll"}),
            _own("mmio"),
            _own("arm-recheck"),
            _own("arm-recheck", "spdk"),
            Design("arm-recheck", "linux", "arm-on-cork", {"backend": "detached"}),
            Design("arm-recheck", "linux", "tail-1", {"cork": "park"}),
        )
        for n, sq, cq in ((1, 2, 2), (1, 3, 3), (1, 4, 3))
    },
    {
        "all fences": _without(),
        **{f"no {fence}": _without(fence) for fence in FENCES},
        "neither of the device's": _without(*FENCES[1:]),
    },
)
"""Which fences a design rests on under x86-TSO: a column for each that is left out."""

HAND_OVER = Sheet(
    "hand-over",
    "propolis-1043.md",
    "EventIdx; n × SQ, CQ",
    {
        f"{policy}; {n}×{sq}, {cq}": (Design("hand-over", "linux", policy), Shape(n, sq, cq))
        for policy in ("tail-1", "reserve-permits")
        for n, sq, cq in ((1, 3, 3), (2, 2, 2), (2, 2, 3))
    },
    {
        "as it is": {},
        "no kick at the doorbell": {"kick_on_doorbell": NO},
        "none at a remit": {"kick_on_remit": NO},
        "none at a post": {"kick_on_post": NO},
        "none at a reserve": {"kick_on_reserve": NO},
        "kicks all, hands nothing over": {"kick_size": "all"},
        "reads, then arms": {"post_order": "read-then-arm"},
        "detached": {"backend": "detached"},
        "detached, reads, then arms": {"backend": "detached", "post_order": "read-then-arm"},
    },
)
"""What a design that is fair to several SQs rests on: a column for each part of it that is left out."""

SHEETS = (LIFECYCLE, SECOND_SQ, MEMORY, HAND_OVER)
