"""The search for designs that are live: what has to change in a device, and why each change is needed.

A design is a device with some of its switches set otherwise, and another EventIdx. It is live if safety and the
properties asked for hold at every shape with every guest. Nothing is taken for monotone: what a design adds to another
may break it. A design is decided without a search in three ways only:

- it is the same machine as one that was decided (equal but for names, or for how the same EventIdx is written);
- a stored run, followed on its own machine step by step, is accepted by `replay` as violating the same property;
- it has all the changes of a live design, and so is not minimal (`minimal` only).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import combinations, product

from uncork_nvme.catalogue import DEVICES
from uncork_nvme.choices import NO, YES, Choice, ChoiceError, Choices
from uncork_nvme.formulas import space as policies
from uncork_nvme.instance import Design, Instance, find_policy
from uncork_nvme.policies import CQView
from uncork_properties import matrix
from uncork_properties.catalogue import properties

from uncork.core.evaluate import evaluate, holds
from uncork.core.expr import boolean, lift
from uncork.core.property import Property
from uncork.core.sorts import Range, Ring, SlipError, Value
from uncork.core.system import System
from uncork.core.trace import ReplayError, Trace, replay
from uncork.core.verdict import Open, Refuted
from uncork.decide import many
from uncork.engines import Budget, Progress
from uncork.prove import proof

EVENT_IDX = "EventIdx"
SWITCHES: Mapping[str, tuple[Choice, ...]] = {
    "post_order": ("read-then-arm", "arm-then-read"),
    "cork": ("park", "arm-recheck"),
    "kick_on_post": (NO, YES),
    "kick_on_reserve": (NO, YES),
    "kick_on_remit": (NO, YES),
    "kick_size": ("all", "room"),
}
"""The switches that a design may set, and to what."""
ROWS = ("uncorked", "drains")
"""What makes a design live, besides safety."""

Changes = frozenset[tuple[str, Choice]]
Shape = tuple[int, int, int]
Watch = Callable[[int, int, str, "Progress | None"], None]
"""Takes how many designs are done, of how many, what is under way, and where that is."""

_TRIED = 12
"""Stored runs that are tried on a machine before it is searched: those that have fitted most often."""
_LAPS = 4
"""How often a loop is followed until the machine is where it was."""


@dataclass(frozen=True)
class Space:
    """The designs that a device may become, with the guests and shapes at which they have to be live."""

    device: str
    guests: tuple[str, ...] = ("linux",)
    shapes: tuple[Shape, ...] = tuple(s for s in matrix.SHAPES if s[0] < 3)
    policies: tuple[str, ...] = field(default_factory=lambda: tuple(policies()))
    switches: Mapping[str, tuple[Choice, ...]] = field(default_factory=lambda: dict(SWITCHES))

    @property
    def places(self) -> list[tuple[str, Shape]]:
        """Every guest at every shape, the smallest first."""
        shapes = sorted(self.shapes, key=lambda s: (s[0], s[1] ** s[0] * s[2]))
        return [(guest, shape) for shape in shapes for guest in self.guests]

    @property
    def alternatives(self) -> dict[str, list[Choice]]:
        """What each switch may become, and EventIdx: all but what it is on the device."""
        chosen = Choices().replace(DEVICES[self.device].choices).items()
        found: dict[str, list[Choice]] = {
            EVENT_IDX: [name for name in self.policies if name != DEVICES[self.device].policy]
        }
        for name, values in self.switches.items():
            found[name] = [value for value in values if value != chosen[name]]
        return found

    def designs(self) -> Iterator[Changes]:
        """Every set of changes, fewer before more."""
        others = self.alternatives
        for size in range(len(others) + 1):
            for names in combinations(others, size):
                for values in product(*(others[name] for name in names)):
                    yield frozenset(zip(names, values, strict=True))

    def design(self, changes: Changes, guest: str) -> Design:
        """A set of changes as a design, of whatever sizes."""
        made = dict(changes)
        policy = str(made.pop(EVENT_IDX, DEVICES[self.device].policy))
        return Design(self.device, guest, policy, {name: made[name] for name in sorted(made)})

    def fits(self, changes: Changes) -> bool:
        """Whether its choices go together, with every guest."""
        try:
            for guest in self.guests:
                _ = self.design(changes, guest).at(1, 2, 2).choices
        except ChoiceError:
            return False
        return True


def shapes(sqs: Sequence[int]) -> tuple[Shape, ...]:
    """The shapes of the default matrix with these numbers of SQs."""
    return tuple(shape for shape in matrix.SHAPES if shape[0] in sqs)


def ordered(changes: Changes) -> list[tuple[str, Choice]]:
    """Changes in the order of the switches, EventIdx first."""
    order = [EVENT_IDX, *SWITCHES]
    return sorted(changes, key=lambda change: (order.index(change[0]), str(change[1])))


# -- one machine -------------------------------------------------------------------------------------------------------
SEARCH, REPLAY, SAME = "search", "replay", "same machine"
"""How a machine was decided."""


@dataclass(frozen=True)
class Decision:
    """What is known of an instance: live unless it is refuted or open; and how that was found.

    `unreached` are covers that no run reaches: a proof says little there.
    """

    instance: Instance
    how: str
    refutes: Property | None = None
    trace: Trace | None = None
    reason: str | None = None
    states: int = 0
    unreached: tuple[str, ...] = ()

    @property
    def live(self) -> bool:
        """Whether everything asked is proved."""
        return self.trace is None and self.reason is None


@dataclass
class _Stored:
    name: str
    trace: Trace
    fitted: int = 0


class Decider:
    """Decides instances one by one, and remembers runs and machines."""

    def __init__(
        self,
        rows: Sequence[str] = ROWS,
        budget: Budget | None = None,
        *,
        replays: bool = True,
        report: Callable[[str, Progress | None], None] = lambda *_: None,
    ) -> None:
        self.rows = ("safety", *(row for row in rows if row != "safety"))
        self.budget, self.replays, self.report = budget, replays, report
        self.searches = 0
        self._machines: dict[str, Decision] = {}
        self._marks: dict[str, str] = {}
        self._written: dict[tuple[int, int, object], str] = {}
        self._tables: dict[tuple[str, int, int], str] = {}
        self._runs: dict[Shape, list[_Stored]] = {}
        self._proofs: dict[tuple[Choices, str, bool], str] = {}

    def decide(self, instance: Instance) -> Decision:
        """The verdict on an instance, by the least work that is sound."""
        decision = self.known(instance)
        if decision is None:
            decision = self._machines[self.mark(instance)] = self.search(instance)
        return decision

    def known(self, instance: Instance) -> Decision | None:
        """The verdict on an instance, if it needs no search."""
        mark = self.mark(instance)
        if mark in self._machines:
            return replace(self._machines[mark], instance=instance, how=SAME)
        decision = self._by_replay(instance) if self.replays else None
        if decision:
            self._machines[mark] = decision
        return decision

    def search(self, instance: Instance) -> Decision:
        """The verdict of the explicit engine, whose runs are stored."""
        self.searches += 1
        (checked,) = many.check(
            [instance], self.rows, self.budget, lambda tick: self.report(instance.name, tick.progress), jobs=1
        )
        refuted = [(row.name, row.verdict.trace) for row in checked.rows if isinstance(row.verdict, Refuted)]
        stored = self._runs.setdefault(_shape(instance), [])
        stored[:0] = [_Stored(name, trace) for name, trace in refuted]
        states = checked.outcome.states
        if refuted:
            name, trace = min(refuted, key=lambda each: len(each[1].steps))
            return Decision(instance, SEARCH, _property(instance, name), trace, states=states)
        for row in checked.rows:
            if isinstance(row.verdict, Open):
                return Decision(instance, SEARCH, reason=row.verdict.reason, states=states)
        return Decision(instance, SEARCH, states=states, unreached=checked.outcome.unreached or ())

    def proofs(self, design: Design, *, several: bool) -> str:
        """Whether a design is proved live for every size, with one SQ or any number of them, in words."""
        key = design.at(1, 2, 2).choices, design.policy, several
        if key not in self._proofs:
            self._proofs[key] = _proved(design, several)
        return self._proofs[key]

    def _by_replay(self, instance: Instance) -> Decision | None:
        """Refuted by a stored run, if one fits; `replay` has the last word."""
        stored = self._runs.get(_shape(instance), [])
        if not stored:
            return None
        system = instance.system
        stated = {prop.name: prop for prop in properties(instance.machine, system)}
        for each in stored[:_TRIED]:
            prop = stated.get(each.name)
            trace = followed(system, each.trace) if prop else None
            if prop is None or trace is None:
                continue
            try:
                replay(system, trace, prop)
            except ReplayError:
                continue
            each.fitted += 1
            stored.sort(key=lambda one: -one.fitted)
            return Decision(instance, REPLAY, prop, trace)
        return None

    def mark(self, instance: Instance) -> str:
        """Equal for instances that are the same machine, whichever way its EventIdx is written."""
        table = self._table(instance)
        first = self._written.setdefault((instance.sqs, instance.cq_size, table), instance.policy)
        written = replace(instance, policy=first)
        if written.name not in self._marks:
            self._marks[written.name] = many.fingerprint(written)
        return self._marks[written.name]

    def _table(self, instance: Instance) -> str:
        if instance.choices.events != "none":
            return instance.policy  # n is no number then
        key = instance.policy, instance.sqs, instance.cq_size
        if key not in self._tables:
            self._tables[key] = _values(*key)
        return self._tables[key]


def _proved(design: Design, several: bool) -> str:
    try:
        parts = proof.prove(design, several)
    except SlipError:
        return "no proof is written for it"
    for part in parts:
        if set(part.proved) >= {"safety", *ROWS}:
            return "proved" if part.least == proof.LEAST[0] else f"proved from a CQ of {part.least} up"
    return "not proved"


def followed(system: System, trace: Trace) -> Trace | None:
    """The run of a system that takes the steps of `trace`, if it can, and loops or stays where that does.

    It starts in the system's own first state, and its states are the system's own.
    """
    states: list[Mapping[str, Value]] = [system.initial]
    for name in trace.steps[: trace.stem] if trace.loop is not None else trace.steps:
        if not _steps(system, states, name):
            return None
    if trace.loop is None or trace.stuck:
        return Trace(tuple(states), trace.steps, None if trace.loop is None else len(states) - 1)
    loop, laps = trace.steps[trace.stem :], [trace.stem]
    for lap in range(1, _LAPS + 1):
        for name in loop:
            if not _steps(system, states, name):
                return None
        back = next((start for start in laps if states[start] == states[-1]), None)
        if back is not None:
            return Trace(tuple(states[:-1]), (*trace.steps[: trace.stem], *loop * lap), back)
        laps.append(len(states) - 1)
    return None


def _steps(system: System, states: list[Mapping[str, Value]], name: str) -> bool:
    """Takes a step from the last state, if it may happen there."""
    try:
        action = system.action(name)
    except KeyError:
        return False
    if system.strays(states[-1]) or not holds(action.guard, states[-1]):
        return False
    states.append(system.after(states[-1], action))
    return True


def _values(policy: str, sqs: int, size: int) -> str:
    """All that a policy writes on a CQ of a size, and where: equal for formulas that mean the same."""
    found = find_policy(policy)
    lines = [str(found.at_cork)]
    numbers = range(size)
    moments = ((False, False), (True, False), (True, True))
    for head, occupied, permits, (corked, corking) in product(numbers, numbers, numbers, moments):
        position = lift(head, Ring(size))
        view = CQView(
            position,
            position + occupied,
            lift(occupied, Range(0, size - 1)),
            lift(permits, Range(0, size - 1)),
            boolean(corked),
            size,
            sqs,
        )
        event = found.event_idx(view, corking=corking)
        written = bool(evaluate(event.written, {}))
        lines.append("none" if event.value is None else str(evaluate(event.value, {})) if written else "left")
    return " ".join(lines)


def _shape(instance: Instance) -> Shape:
    return instance.sqs, instance.sq_size, instance.cq_size


def _property(instance: Instance, name: str) -> Property:
    return next(prop for prop in properties(instance.machine, instance.system) if prop.name == name)


# -- all designs -------------------------------------------------------------------------------------------------------
@dataclass(frozen=True)
class Live:
    """A live design, and what was found at each place."""

    changes: Changes
    decisions: tuple[Decision, ...]


@dataclass
class Found:
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
    watch: Watch = lambda *_: None,
    *,
    minimal: bool = True,
    at_live: Callable[[Live], None] = lambda _: None,
) -> Found:
    """The live designs of a space: the minimal ones, or all. On Ctrl-C those that were found so far.

    `at_live` is called with each as it is found, and is interrupted as the search is.
    """
    designs = list(space.designs())
    found, number = Found(space, len(designs)), 0

    def report(name: str, progress: Progress | None) -> None:
        watch(number, len(designs), name, progress)

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
    space: Space, decider: Decider, changes: Changes, found: Found, report: Callable[[str, Progress | None], None]
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
