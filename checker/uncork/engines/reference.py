"""The reference engine: an independent and simple check of the explicit engine, for some hundred thousand states.

The engine runs the system as Python source, keeps states as tuples in a dictionary, and finds fair loops in the
strongly connected components of networkx. It shares only the definitions in `core` with the explicit engine. So if the
two agree, the packing of states, the machine code and the algorithms on arrays are right. The engine does not measure
memory, and ignores its budget.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import networkx as nx

from uncork.core.evaluate import State
from uncork.core.expr import Expr
from uncork.core.property import Always, Cover, InRange, NotForever, Property, Sometimes
from uncork.core.system import Action, Fairness, System
from uncork.core.trace import Trace, replay
from uncork.core.verdict import Open, Proved, Refuted, Verdict
from uncork.engines import Budget, Outcome, Progress, Report, Stop, quiet
from uncork.engines.python import Plain, predicate, successors

Step = tuple[Action, int]
"""An action and the number of the state that it leads to."""

_NONE: frozenset[str] = frozenset()


def check(
    system: System,
    properties: Sequence[Property],
    covers: Sequence[Cover] = (),
    budget: Budget | None = None,
    report: Report = quiet,
) -> Outcome:
    """Decides every property by enumerating the reachable states. Every counterexample has been replayed.

    Raises `uncork.core.trace.ReplayError` if a counterexample does not replay, which is a defect of this engine.
    """
    run = _Run(system)
    run.explore(budget or Budget(), report)
    return Outcome(
        engine="reference",
        verdicts=tuple((prop, run.verdict(prop)) for prop in properties),
        unreached=tuple(c.name for c in covers if not run.shows(c)) if run.complete else None,
        states=len(run.states),
        transitions=run.transitions,
        depth=run.depth,
        seconds=run.seconds,
        stopped=run.stopped,
    )


@dataclass
class _Run:
    """The states in breadth-first order of discovery, and the steps from the states that were expanded."""

    system: System
    states: list[Plain] = field(default_factory=list)
    origins: list[tuple[int, Action] | None] = field(default_factory=list)
    steps: list[list[Step]] = field(default_factory=list)
    transitions: int = 0
    expanded: int = 0
    depth: int = 0
    fault: tuple[int, Action] | None = None
    """The number of a state, and an action that takes a variable out of its sort there."""
    reason: str = ""
    stopped: str | None = None
    started: float = field(default_factory=time.monotonic)

    @property
    def complete(self) -> bool:
        return self.expanded == len(self.states)

    @property
    def seconds(self) -> float:
        return time.monotonic() - self.started

    # -- the states ------------------------------------------------------------------------------------------------
    def explore(self, budget: Budget, report: Report) -> None:
        """Finds all states, level by level. If the search ends early, `reason` says why."""
        self.states, self.origins = [tuple(self.system.initial.values())], [None]
        numbers = {self.states[0]: 0}
        ways = successors(self.system)
        level_ends = 1
        try:
            while not self.complete:
                if self.expanded == level_ends:
                    self.depth, level_ends = self.depth + 1, len(self.states)
                    report(self._progress())
                self.reason = self._spent(budget)
                if self.reason:
                    return
                self._expand(self.expanded, ways(self.states[self.expanded]), numbers)
                if self.fault:
                    self.reason = "a variable left its range"
                    return
                self.expanded += 1
            report(self._progress())
        except Stop as stop:
            self.reason = self.stopped = str(stop)

    def _expand(self, number: int, found: list[tuple[int, Plain | None]], numbers: dict[Plain, int]) -> None:
        steps: list[Step] = []
        for index, after in found:
            action = self.system.actions[index]
            if after is None:
                self.fault = self.fault or (number, action)
                continue
            target = numbers.setdefault(after, len(self.states))
            if target == len(self.states):
                self.states.append(after)
                self.origins.append((number, action))
            steps.append((action, target))
        self.steps.append(steps)
        self.transitions += len(steps)

    def _progress(self) -> Progress:
        waiting = len(self.states) - self.expanded
        return Progress(len(self.states), self.transitions, self.depth, waiting, 0, self.seconds)

    def _spent(self, budget: Budget) -> str:
        if budget.states is not None and len(self.states) >= budget.states:
            return f"the budget of {budget.states:,} states is spent"
        if budget.seconds is not None and self.seconds >= budget.seconds:
            return f"the budget of {budget.seconds:g} seconds is spent"
        return ""

    # -- the verdicts ----------------------------------------------------------------------------------------------
    def verdict(self, prop: Property) -> Verdict:
        """The verdict of one property on the states found."""
        refuted: Refuted | None = None
        match prop:
            case InRange() if self.fault:
                refuted = Refuted(self._way(*self.fault))
            case Always():
                bad = self.first(~prop.condition)
                refuted = None if bad is None else Refuted(self._way(bad))
            case NotForever():
                refuted = self._lasso(prop)
        if refuted:
            replay(self.system, refuted.trace, prop)
            return refuted
        return Proved(f"all {len(self.states):,} reachable states") if self.complete else Open(self.reason, self.depth)

    def shows(self, cover: Cover) -> bool:
        """Whether some run shows a cover."""
        if isinstance(cover, Sometimes):
            return self.first(cover.condition) is not None
        whole = self._digraph(set(range(len(self.states))), frozenset())
        parts = {n: number for number, part in enumerate(nx.strongly_connected_components(whole)) for n in part}
        return any(a.name in cover.steps and parts[n] == parts[target] for n in whole for a, target in self.steps[n])

    def first(self, condition: Expr) -> int | None:
        """The number of the first state, in the order of discovery, in which a condition holds."""
        holds = predicate(self.system, condition)
        return next((n for n, state in enumerate(self.states) if holds(state)), None)

    def reached(self, cover: Cover) -> bool:
        """Whether some run shows a cover: a state, or a step that lies on a cycle."""
        if isinstance(cover, Sometimes):
            return self.first(cover.condition) is not None
        parts = nx.strongly_connected_components(self._digraph(set(range(self.expanded)), _NONE))
        return any(a.name in cover.steps for part in parts for n in part for a, _ in self._inside(n, part, _NONE))

    def _state(self, number: int) -> State:
        return dict(zip(self.system.initial, self.states[number], strict=True))

    def _way(self, number: int, last: Action | None = None) -> Trace:
        """A shortest run to a state; with `last`, followed by that action."""
        states = [self._state(number)]
        steps: list[str] = []
        while origin := self.origins[number]:
            number, action = origin
            states.insert(0, self._state(number))
            steps.insert(0, action.name)
        if last:
            states.append(self.system.after(states[-1], last))
            steps.append(last.name)
        return Trace(tuple(states), tuple(steps))

    # -- fair loops ------------------------------------------------------------------------------------------------
    def _lasso(self, prop: NotForever) -> Refuted | None:
        """A run to the fair component that is found first, and round a fair loop in it. None if there is none."""
        holds = predicate(self.system, prop.condition)
        allowed = {n for n in range(self.expanded) if holds(self.states[n])}
        parts = list(self._fair_parts(allowed, prop.without))
        if not parts:
            return None
        entry = min(min(part) for part in parts)
        tour = self._tour(entry, next(part for part in parts if entry in part), prop.without)
        stem = self._way(entry)
        states = [*stem.states, *(self._state(n) for _, n in tour[:-1])]
        steps = [*stem.steps, *(action.name for action, _ in tour)]
        # Staying is the shortest loop; but states that were not expanded may hide a loop at a smaller depth.
        return Refuted(Trace(tuple(states), tuple(steps), len(stem.steps)), shortest=not tour and self.complete)

    def _inside(self, number: int, part: set[int], without: frozenset[str]) -> list[Step]:
        """The steps from a state that stay in the part, without the actions in `without`."""
        return [(a, target) for a, target in self.steps[number] if target in part and a.name not in without]

    def _digraph(self, part: set[int], without: frozenset[str]) -> nx.DiGraph:
        digraph = nx.DiGraph()
        digraph.add_nodes_from(sorted(part))
        digraph.add_edges_from((n, target) for n in sorted(part) for _, target in self._inside(n, part, without))
        return digraph

    def _fair_parts(self, among: set[int], without: frozenset[str]) -> Iterator[set[int]]:
        """The strongly connected sets of states that a fair run can visit for ever.

        If a component never takes a strongly fair action, a fair loop avoids the states that enable the action, so the
        rest of the component is searched again. If a component never takes a weakly fair action that is enabled in all
        its states, it has no fair loop.
        """
        unseen = [among]
        while unseen:
            for part in nx.strongly_connected_components(self._digraph(unseen.pop(), without)):
                taken = {a.duty for n in part for a, _ in self._inside(n, part, without)}
                owed = {n: {a.duty: a for a, _ in self.steps[n] if a.fair and a.duty not in taken} for n in part}
                lasting = set.intersection(*(set(duties) for duties in owed.values()))
                if any(self.system.duties[duty][0].fairness is Fairness.WEAK for duty in lasting):
                    continue
                starved = {n for n in part if any(a.fairness is Fairness.STRONG for a in owed[n].values())}
                if starved:
                    unseen.append(part - starved)
                else:
                    yield part

    def _tour(self, entry: int, part: set[int], without: frozenset[str]) -> list[Step]:
        """A walk from the entry back to the entry that is fair to every action.

        The walk takes every fair action that the part takes, and visits a state that disables every other fair action.
        The walk is empty if no fair action is enabled at the entry.
        """
        if not any(action.fair for action, _ in self.steps[entry]):
            return []
        digraph = self._digraph(part, without)
        walk: list[Step] = []

        def go(target: int) -> None:
            here = walk[-1][1] if walk else entry
            for n, following in pairwise(nx.shortest_path(digraph, here, target)):
                walk.append(next(step for step in self._inside(n, part, without) if step[1] == following))

        inside = [(n, step) for n in sorted(part) for step in self._inside(n, part, without)]
        for duty, outcomes in self.system.duties.items():
            if not outcomes[0].fair:
                continue
            taking = [(n, step) for n, step in inside if step[0].duty == duty]
            if taking:
                go(taking[0][0])
                walk.append(taking[0][1])
            else:
                go(next(n for n in sorted(part) if not any(a.duty == duty for a, _ in self.steps[n])))
        go(entry)
        return walk
