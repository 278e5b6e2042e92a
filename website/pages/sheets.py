"""Tables of verdicts besides the default matrix: a row for each design and shape, a column for each set of overrides.

Each table has a file of recorded verdicts, `NAME.csv`, and a page of the documentation that shows it.
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
    """A table: `rows` by name and sizes, and `columns` by name with their overrides, which may be empty."""

    name: str
    page: str
    head: str
    rows: Mapping[tuple[str, Shape], Design]
    columns: Mapping[str, Mapping[str, Choice]]

    def cell(self, row: tuple[str, Shape], column: str) -> Instance:
        """The instance of a row and a column."""
        design = self.rows[row]
        return replace(design, overrides={**design.overrides, **self.columns[column]}).at(*row[1])

    def instances(self) -> Iterator[Instance]:
        """The instance of every cell, row by row."""
        for row in self.rows:
            for column in self.columns:
                yield self.cell(row, column)

    @property
    def recorded(self) -> Mapping[str, tuple[Instance, expected.Expected]]:
        """The recorded verdicts, by instance name."""
        return expected.default(f"{self.name}.csv")

    def table(self) -> str:
        """The recorded verdicts in Markdown: a cell has the verdict at every size, or one if they are the same."""
        words = {name: readme.marked(expected.word(each.verdicts)) for name, (_, each) in self.recorded.items()}
        shapes = dict.fromkeys(shape for _, shape in self.rows)

        def cell(name: str, column: str) -> str:
            said = [words[self.cell((name, shape), column).name] for shape in shapes]
            return said[0] if len(set(said)) == 1 else " / ".join(said)

        names = dict.fromkeys(name for name, _ in self.rows)
        rows = [[name, *(cell(name, column) for column in self.columns)] for name in names]
        sizes = " / ".join(f"{n}×{sq}, {cq}" for n, sq, cq in shapes)
        return readme.markdown(*readme.merged([f"{self.head} (at {sizes})", *self.columns], rows))

    def updated(self, content: str) -> str:
        """The content of the page with this table replaced between its two marks."""
        return readme.replaced(
            content, f"<!-- {self.name}: generated -->", f"<!-- end of {self.name} -->", self.table()
        )


def _own(device: str, guest: str = "linux") -> Design:
    return Design(device, guest, catalogue.DEVICES[device].policy)


_LIVE = ("propolis-2026", "arm-recheck", "qemu", "spdk-poll", "spdk-interrupt", "openvmm", "nvme-mdev", "femu")
"""The devices that do not hang with one SQ as long as no queue comes or goes."""

LIFECYCLE = Sheet(
    "lifecycle",
    "lifecycle.md",
    "device",
    {(device, shape): _own(device) for device in _LIVE for shape in (Shape(1, 3, 3), Shape(2, 2, 2))},
    {
        "no event": {},
        "create": {"events": "create"},
        "delete": {"events": "delete"},
        "delete+create": {"events": "delete+create"},
        "delete+create, words kept": {"events": "delete+create", "words": "keep"},
        "recreate, words kept": {"events": "recreate", "words": "keep"},
        "config": {"events": "config"},
        "reset": {"events": "reset"},
        "restart": {"events": "restart"},
        "restart, words kept": {"events": "restart", "words": "keep"},
        "pause": {"events": "pause"},
    },
)
"""The verdict of each device when queues come and go: a column for each event, which happens at most once."""

_KICKS: dict[str, dict[str, Choice]] = {
    "doorbell": {},
    "+ remit": {"kick_on_remit": YES},
    "+ reads": {"kick_on_remit": YES, "kick_on_post": YES, "kick_on_reserve": YES},
    "+ reads, `kick_size=room`": {
        **{"kick_on_remit": YES, "kick_on_post": YES, "kick_on_reserve": YES},
        "kick_size": "room",
    },
}
SECOND_SQ = Sheet(
    "second-sq",
    "lifecycle.md",
    "EventIdx",
    {
        (policy, Shape(2, 2, 2)): Design("propolis-2026", "linux", policy)
        for policy in (
            *("tail", "tail-lag", "tail-1", "head", "reserve-slots", "reserve-slots-size", "reserve-permits"),
            "arm-on-cork",
        )
    },
    {
        f"{what}, {when}": {**choices, **events}
        for what, choices in _KICKS.items()
        for when, events in (("from the start", {}), ("created", {"events": "create"}))
    },
)
"""A second SQ is created on a CQ in use, or both SQs exist from the start: each EventIdx with each set of kicks."""

FENCES = ("guest_fence", "device_fence_sq", "device_fence_cq")
"""The names of the choices that leave out a fence."""


def _without(*left_out: str) -> dict[str, Choice]:
    fences = {fence: NO if fence in left_out else YES for fence in FENCES}
    return {"memory": "tso", **fences}


MEMORY = Sheet(
    "memory",
    "memory.md",
    "design",
    {
        (f"`{design.name}`", shape): design
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
            _own("propolis-2026-shared"),
            _own("hand-over"),
            Design("qemu", "linux", "head", {"threads": "one", "device_locks": NO}),  # its barriers and nothing else
            _own("spdk-interrupt"),
            _own("spdk-poll"),
            _own("openvmm"),
            Design("openvmm", "linux", "head-when-full", {"backend": "detached"}),
            _own("nvme-mdev"),
            _own("femu"),
        )
        for shape in (Shape(1, 2, 2), Shape(1, 3, 3), Shape(1, 4, 3))
    },
    {
        "all fences": _without(),
        **{f"no {fence}": _without(fence) for fence in FENCES},
        "no device fence": _without(*FENCES[1:]),
    },
)
"""Which fences a design needs under x86-TSO: a column for each fence that is left out."""

HAND_OVER = Sheet(
    "hand-over",
    "propolis-1043.md",
    "EventIdx",
    {
        (policy, shape): Design("hand-over", "linux", policy)
        for policy in ("tail-1", "reserve-permits")
        for shape in (Shape(1, 3, 3), Shape(2, 2, 2), Shape(2, 2, 3))
    },
    {
        "all parts": {},
        "no kick at the doorbell": {"kick_on_doorbell": NO},
        "no kick at a remit": {"kick_on_remit": NO},
        "no kick at a post": {"kick_on_post": NO},
        "no kick at a reserve": {"kick_on_reserve": NO},
        "kicks all, no hand-over": {"kick_size": "all"},
        "reads, then arms": {"post_order": "read-then-arm"},
        "detached": {"backend": "detached"},
        "detached, reads, then arms": {"backend": "detached", "post_order": "read-then-arm"},
    },
)
"""Which parts a design needs to be fair to several SQs: a column for each part that is left out."""

SHEETS = (LIFECYCLE, SECOND_SQ, MEMORY, HAND_OVER)
