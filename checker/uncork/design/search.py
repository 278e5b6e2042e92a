"""Searches for live designs: what has to change in a device, and why each change is needed.

A design is a device with some switches and the EventIdx policy changed. It is live if safety and the properties asked
for hold at every shape with every guest. No monotonicity is assumed: a further change may break a live design. A design
is decided without a search in three ways only:

- it is the same machine as a decided one (up to names, and to how the EventIdx formula is written);
- a stored run, taken step by step on the design's machine, is accepted by `replay` as violating the same property;
- it contains all changes of a live design, and so is not minimal (`minimal` only).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from uncork_nvme.choices import Choice

from uncork.design.decider import REPLAY, SAME, SEARCH, Decider, Decision
from uncork.design.space import Changes, Space, ordered
from uncork.engines import Progress, Tick, Watch, unwatched


@dataclass(frozen=True)
class Live:
    """A live design, and the decision at every shape and guest."""

    changes: Changes
    decisions: tuple[Decision, ...]


@dataclass
class SearchResult:
    """The results of a search so far. `refuted` and `open` map designs to the deciding decision."""

    space: Space
    total: int
    live: list[Live] = field(default_factory=list)
    refuted: dict[Changes, Decision] = field(default_factory=dict)
    open: dict[Changes, Decision] = field(default_factory=dict)
    skipped: int = 0
    unfit: int = 0
    searches: int = 0
    interrupted: bool = False

    @property
    def counts(self) -> dict[str, int]:
        """The number of designs decided in every way."""
        by = [decision.how for decision in self.refuted.values()]
        return {
            "live": len(self.live),
            "refuted by search": by.count(SEARCH),
            "refuted by a stored run": by.count(REPLAY),
            "refuted as the same machine as another": by.count(SAME),
            "open": len(self.open),
            "skipped as not minimal": self.skipped,
            "choices do not go together": self.unfit,
        }

    def needed(self, live: Live) -> list[tuple[tuple[str, Choice], Decision]]:
        """Returns, for every change of a minimal design, the decision without this change: refuted, or open."""
        without = ((change, live.changes - {change}) for change in ordered(live.changes))
        return [(change, self.refuted.get(rest) or self.open[rest]) for change, rest in without]


def search(
    space: Space,
    decider: Decider,
    watch: Watch = unwatched,
    *,
    minimal: bool = True,
    at_live: Callable[[Live], None] = lambda _: None,
) -> SearchResult:
    """Returns the live designs of a space: the minimal ones, or all. After Ctrl-C, those found so far.

    `at_live` is called with every live design when it is found. Ctrl-C interrupts it like the search.
    """
    designs = list(space.designs())
    found, number = SearchResult(space, len(designs)), 0

    def report(name: str, progress: Progress | None) -> None:
        watch(Tick(number, len(designs), name, progress))

    decider.report = report
    before = decider.searches
    try:
        for number, changes in enumerate(designs):  # noqa: B007  # `report` reads it
            if minimal and any(each.changes <= changes for each in found.live):
                found.skipped += 1
            elif not space.fits(changes):
                found.unfit += 1
            else:
                live = _decided(space, decider, changes, found, report)
                if live:
                    at_live(live)
    except KeyboardInterrupt:
        found.interrupted = True
    found.searches = decider.searches - before
    return found


def _decided(
    space: Space,
    decider: Decider,
    changes: Changes,
    found: SearchResult,
    report: Callable[[str, Progress | None], None],
) -> Live | None:
    """Decides a design; returns it if it is live. Decisions without a search come first, then small shapes."""
    instances = [space.design(changes, guest).at(*shape) for guest, shape in space.places]
    report(instances[0].name, None)
    decisions: list[Decision] = []
    for way in (decider.known, decider.decide):
        decisions = []
        for decision in filter(None, map(way, instances)):
            decisions.append(decision)
            if not decision.live:
                break
        if decisions and not decisions[-1].live:
            break
    last = decisions[-1]
    if not last.live:
        (found.refuted if last.trace else found.open)[changes] = last
        return None
    found.live.append(Live(changes, tuple(decisions)))
    return found.live[-1]
