"""The search for designs that are live: what has to change in a device, and why each change is needed.

A design is a device with some of its switches set otherwise, and another EventIdx. It is live if safety and the
properties asked for hold at every shape with every guest. Nothing is taken for monotone: what a design adds to another
may break it. A design is decided without a search in three ways only:

- it is the same machine as one that was decided (equal but for names, or for how the same EventIdx is written);
- a stored run, followed on its own machine step by step, is accepted by `replay` as violating the same property;
- it has all the changes of a live design, and so is not minimal (`minimal` only).
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
    """A live design, and what was found at each place."""

    changes: Changes
    decisions: tuple[Decision, ...]


@dataclass
class SearchResult:
    """What a search has found so far. `refuted` has the decision that did it, for each design; so has `open`."""

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
        """How many designs were decided, in which way."""
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
        """For each change of a minimal design, what is known of the design without it: refuted, or open."""
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
    """The live designs of a space: the minimal ones, or all. On Ctrl-C those that were found so far.

    `at_live` is called with each as it is found, and is interrupted as the search is.
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
    """Decides a design, and gives it if it is live: what needs no search first, then the smallest shapes."""
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
