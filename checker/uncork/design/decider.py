"""Decides whether a design is live with the least sound work: it remembers machines, runs and proofs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import product

from uncork_nvme.choices import Choices
from uncork_nvme.instance import Design, Instance, find_policy
from uncork_nvme.policies import CQView
from uncork_nvme.shape import Shape
from uncork_properties.catalogue import properties

from uncork.core.evaluate import evaluate
from uncork.core.expr import boolean, lift
from uncork.core.property import Property
from uncork.core.sorts import Range, Ring, SlipError
from uncork.core.trace import ReplayError, Trace, followed, replay
from uncork.core.verdict import Open, Refuted
from uncork.decide import many
from uncork.design.space import ROWS
from uncork.engines import Budget, Progress
from uncork.prove import proof

_TRIED = 12
"""The number of stored runs tried on a machine before a search; runs that fitted most often come first."""

SEARCH, REPLAY, SAME = "search", "replay", "same machine"
"""The ways in which a machine is decided."""


@dataclass(frozen=True)
class Decision:
    """The verdict on an instance (live, refuted or open), and how it was found.

    `unreached` are covers that no run reaches; a proof of such an instance says little.
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
        """Whether every property that was asked for is proved."""
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
        self._proofs: dict[tuple[Choices, str, bool, str], str] = {}

    def decide(self, instance: Instance) -> Decision:
        """Returns the verdict on an instance, with the least sound work."""
        decision = self.known(instance)
        if decision is None:
            decision = self._machines[self.mark(instance)] = self.search(instance)
        return decision

    def known(self, instance: Instance) -> Decision | None:
        """Returns the verdict on an instance if it needs no search, else None."""
        mark = self.mark(instance)
        if mark in self._machines:
            return replace(self._machines[mark], instance=instance, how=SAME)
        decision = self._by_replay(instance) if self.replays else None
        if decision:
            self._machines[mark] = decision
        return decision

    def search(self, instance: Instance) -> Decision:
        """Searches an instance with the explicit engine, and stores its counterexamples."""
        self.searches += 1
        (checked,) = many.check(
            [instance], self.rows, self.budget, lambda tick: self.report(instance.name, tick.progress), jobs=1
        )
        refuted = [(row.name, row.verdict.trace) for row in checked.rows if isinstance(row.verdict, Refuted)]
        stored = self._runs.setdefault(instance.shape, [])
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
        """Returns in words whether a design is proved live for every size, with one SQ or any number."""
        parts = design.at(1, 2, 2).assembled
        key = parts.choices, design.policy, several, design.guest if parts.own else ""
        if key not in self._proofs:
            self._proofs[key] = _proved(design, several)
        return self._proofs[key]

    def _by_replay(self, instance: Instance) -> Decision | None:
        """Returns a refutation by a stored run that fits and that `replay` accepts, or None."""
        stored = self._runs.get(instance.shape, [])
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
        """Returns a key that is equal for instances of the same machine, however their EventIdx formula is written."""
        table = self._table(instance)
        first = self._written.setdefault((instance.sqs, instance.cq_size, table), instance.policy)
        written = replace(instance, policy=first)
        if written.name not in self._marks:
            self._marks[written.name] = many.fingerprint(written)
        return self._marks[written.name]

    def _table(self, instance: Instance) -> str:
        if instance.choices.events != "none":
            return instance.policy  # the size n is not a number then
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
    for known in proof.known_to_fail(design, several, ROWS):
        return f"no: fails at {known.instance.shape}"
    return "not proved"


def _values(policy: str, sqs: int, size: int) -> str:
    """Returns a table of everything that a policy writes on a CQ of a size: equal for equivalent formulas."""
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


def _property(instance: Instance, name: str) -> Property:
    return next(prop for prop in properties(instance.machine, instance.system) if prop.name == name)
