"""Checks the museum of bugs: every variant is refuted, every fix is proved.

`python -m uncork.museum.check docs properties/uncork_properties` writes the pages and the expected verdicts.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from uncork_nvme.catalogue import find_device
from uncork_nvme.choices import GuestChoices
from uncork_nvme.instance import Design, Instance
from uncork_nvme.museum import Bug, Shown
from uncork_properties.expected import Expected

from uncork.decide import many
from uncork.decide.gate import Finding, judge
from uncork.decide.one import Checked
from uncork.engines import Budget, Watch, unwatched

FIXED = ("safety", "uncorked", "drains")
"""Properties that a fix has to have. Progress is not among them: SQs starve one another on sound devices too."""
_AROUND = frozenset({*GuestChoices.__annotations__, "events", "words", "memory"})
"""Choices that are the device's circumstances: what its guest does, what happens to its queues, and memory."""


@dataclass(frozen=True)
class Exhibit:
    """A bug, and the verdicts on its variant and its fix at every size."""

    bug: Bug
    shown: Shown
    variants: tuple[Checked, ...]
    fixes: tuple[Checked, ...]

    @property
    def findings(self) -> list[Finding]:
        """The deviations: a variant that is not refuted, a fix that is not proved, or a vacuous proof."""
        wanted = Expected({self.shown.refutes: "refuted"}, None, None, frozenset())
        found = []
        for checked in self.variants:
            asked = tuple(row for row in checked.rows if row.property == self.shown.refutes)
            found += judge(replace(checked, rows=asked, outcome=replace(checked.outcome, unreached=None)), wanted)
        return [*found, *(finding for checked in self.fixes for finding in judge(checked, None))]


def check(bugs: Sequence[Bug], budget: Budget | None = None, watch: Watch = unwatched) -> Iterator[Exhibit]:
    """Returns the exhibits of the bugs that are shown, in order."""
    exhibited = [(bug, bug.shown) for bug in bugs if bug.shown is not None]
    instances = [design.at(*s) for _, shown in exhibited for s in shown.shapes for design in (shown.variant, shown.fix)]
    found = many.check(instances, FIXED, budget, watch)
    for bug, shown in exhibited:
        pairs = [(next(found), next(found)) for _ in shown.shapes]
        yield Exhibit(bug, shown, tuple(v for v, _ in pairs), tuple(f for _, f in pairs))


def elsewhere(bugs: Sequence[Bug], device: str) -> list[tuple[Instance, list[Bug]]]:
    """Returns instances of another device in the circumstances in which the fix of a bug is proved, each with its bugs.

    These are the guest, the events, the memory and the sizes; all else is the device's.
    """
    found: dict[str, tuple[Instance, list[Bug]]] = {}
    for bug in bugs:
        if bug.shown:
            fix = bug.shown.fix
            around = {name: value for name, value in fix.overrides.items() if name in _AROUND}
            design = Design(device, fix.guest, find_device(device).policy, around)
            for shape in bug.shown.shapes:
                instance = design.at(*shape)
                found.setdefault(instance.name, (instance, []))[1].append(bug)
    return list(found.values())
