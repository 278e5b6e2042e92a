"""Tables of verdicts besides the default matrix: a row for each design and shape, a column for each set of overrides.

Each table has a file of recorded verdicts, `NAME.csv`, and a page of the documentation that shows it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from uncork_nvme import catalogue
from uncork_nvme.choices import NO, YES, Choice
from uncork_nvme.instance import Design, Instance
from uncork_nvme.parts.memory import ORDERS
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

    @property
    def words(self) -> dict[str, str]:
        """The word for the recorded verdicts of each instance, by its name."""
        return {name: expected.word(each.verdicts) for name, (_, each) in self.recorded.items()}

    @property
    def needed(self) -> dict[str, list[str]]:
        """What each row needs: a column `no ...` is not live, at a size where the first column `all ...` is."""
        words, needed = self.words, dict[str, list[str]]()
        (whole,) = [column for column in self.columns if column.startswith("all ")]
        for row in self.rows:
            found = needed.setdefault(row[0], [])
            if words[self.cell(row, whole).name] == "live":
                left_out = [column for column in self.columns if column.startswith("no ")]
                found += [c.removeprefix("no ") for c in left_out if words[self.cell(row, c).name] != "live"]
        return {name: list(dict.fromkeys(found)) for name, found in needed.items()}

    def table(self) -> str:
        """The recorded verdicts in Markdown: a cell has the verdict at every size, or one if they are the same."""
        words = {name: readme.marked(word) for name, word in self.words.items()}
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


_OVERFLOW = tuple(Design(name, "linux", "never", {"early_free": NO}) for name in ("usnvmemu", "usnvmemu-remote"))
"""usnvmemu, whose CQ does not overflow with a guest that publishes the CQ head before it uses a slot again."""

_NVMET = (
    Design("nvmet-mdev-pci", "linux", "head-when-full", {"poll": NO, "sq_compare": "head"}),
    _own("nvmet-mdev-pci-scan"),
    _own("nvmet-mdev-pci-batch"),
)
"""nvmet-mdev-pci without its poller and with the fix that it needs then; and the versions whose poller is right."""


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
            *_OVERFLOW,
            *_NVMET,
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


class _OnArm(Sheet):
    """The table of orders on Arm, which stands beside that of x86."""

    def table(self) -> str:
        """For each design the orders that it needs on x86 and on Arm, and its verdicts as it is; then all verdicts."""
        heads = ["design", "needed on x86", "needed on Arm", "entries ordered, on Arm", "as in the source, on Arm"]
        whole = {column for column in self.columns if column.startswith(("no sqe", "no cqe"))}
        rows, on_arm, on_x86, words = [], self.needed, MEMORY.needed, self.words
        for name in on_arm:
            arm = [f"`{each}`" for each in on_arm[name] if f"no {each}" not in whole]
            x86 = [f"`{each}`" for each in on_x86[name]]
            rows.append([name, ", ".join(x86) or "-", ", ".join(arm) or "-"])
            for column in ("entries ordered", "as in the source"):
                said = [readme.marked(words[self.cell(row, column).name]) for row in self.rows if row[0] == name]
                rows[-1].append(" / ".join(said if len(set(said)) > 1 else said[:1]))
        return f"{readme.markdown(*readme.merged(heads, rows))}\n{readme.fold('Every order left out', super().table())}"


_WHOLE: dict[str, Choice] = {"memory": "arm", "sqe_load": "fenced", "cqe_store": "release"}
"""On Arm, whatever a device leaves out with which an entry may be seen as it was before."""


def _on_arm(**left_out: Choice) -> dict[str, Choice]:
    return {"memory": "arm", **dict.fromkeys(FENCES, YES), **ORDERS, **left_out}


ARM = _OnArm(
    "arm",
    "memory.md",
    "design",
    {
        (f"`{design.name}`", shape): design
        for design in (
            _own("propolis-2026"),
            _own("arm-recheck"),
            Design("qemu", "linux", "head", {"threads": "one", "device_locks": NO}),
            _own("spdk-interrupt"),
            _own("spdk-poll"),
            _own("openvmm"),
            Design("openvmm", "linux", "head-when-full", {"backend": "detached"}),
            _own("nvme-mdev"),
            _own("femu"),
            *_OVERFLOW,
            *_NVMET,
        )
        for shape in (Shape(1, 2, 2), Shape(1, 3, 3))
    },
    {
        "as in the source": {"memory": "arm"},
        "entries ordered": _WHOLE,
        "all orders": _on_arm(),
        **{f"no {fence}": _on_arm(**{fence: NO}) for fence in (*FENCES, "device_load_fence")},
        "no device fence": _on_arm(device_fence_sq=NO, device_fence_cq=NO),
        **{f"no {order}": _on_arm(**{order: "plain"}) for order in ("sqe_store", "sqe_load", "cqe_load")},
        "no cqe_store": _on_arm(cqe_store="before"),
    },
)
"""Which orders a design needs on Arm: a column for each that is left out."""

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

SHEETS = (LIFECYCLE, SECOND_SQ, MEMORY, ARM, HAND_OVER)
