"""Decides an argument: which lemmas are kept, and whether what is claimed follows from them.

Lemmas are pruned to the greatest set that every step keeps (Flanagan and Leino, Houdini, FME 2001), assuming those that
are needed, which may not be dropped. What Z3 does not know within its budget counts as not proved.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import z3

from uncork.core.argument import Argument, Lemma
from uncork.core.expr import Expr
from uncork.core.property import InRange, Property
from uncork.core.sorts import Bool, Enum, Ring, Value
from uncork.core.system import System
from uncork.engines.deductive import obligations as ob
from uncork.engines.deductive.obligations import Obligation
from uncork.engines.deductive.unwind import Unwound, sizes, symbols, typing

RLIMIT = 20_000_000
"""Z3's own count of its work for one obligation; a thousand times what those here take."""


@dataclass(frozen=True)
class Failure:
    """An obligation that is not proved, and a state of which all that is given holds and the goal does not.

    `state` is None where Z3 did not know. Positions in it do not wrap, and sizes are in it under their symbols.
    """

    obligation: Obligation
    state: Mapping[str, Value] | None


@dataclass
class Judgement:
    """What came of an argument: lemmas that are kept and those that are not, obligations proved, and what failed.

    `broken` is what broke the lemmas that are needed. They are dropped then like others: what is proved is proved from
    lemmas that every step keeps.
    """

    argument: Argument
    kept: list[Lemma] = field(default_factory=list)
    dropped: list[Lemma] = field(default_factory=list)
    broken: list[Failure] = field(default_factory=list)
    proved: int = 0
    failures: list[Failure] = field(default_factory=list)

    def against(self, prop: Property) -> list[Failure]:
        """What stands against a property, first of all what broke a lemma; nothing if it is proved."""
        unproved = {failure.obligation.of for failure in self.failures}
        if shown(self.argument, prop, unproved, [lemma.name for lemma in self.kept]):
            return []
        own = [f for f in self.failures if f.obligation.of in _needed(self.argument, prop)]
        return [*self.broken, *own]


def shown(argument: Argument, prop: Property, unproved: Collection[str], kept: Collection[str]) -> bool:
    """Whether a property follows from the lemmas that are kept, if all is proved but what is of some properties."""
    if isinstance(prop, InRange) and not all(lemma.name in kept for lemma in ob.ranges(argument)):
        return False
    return _needed(argument, prop).isdisjoint(unproved)


def _needed(argument: Argument, prop: Property) -> set[str]:
    return {"", prop.name, *(each.released for each in argument.responses if each.prop is prop)}


def judge(argument: Argument, watch: Callable[[str], None] = lambda _: None) -> Judgement:
    """Prunes the lemmas and proves what is claimed; `watch` is told what is looked at."""
    solver = Solver(argument)
    found = Judgement(argument)
    lemmas = [*argument.lemmas, *ob.ranges(argument)]
    found.kept, found.broken = _begun(solver, argument.system, lemmas)
    while failures := _pruned(solver, argument.system, found.kept, watch):
        found.broken += failures
        gone = {failure.obligation.about for failure in failures}
        found.kept = [lemma for lemma in found.kept if lemma.name not in gone]
    found.dropped = [lemma for lemma in lemmas if lemma not in found.kept]
    found.proved = len(found.kept)
    for action in argument.system.actions:
        found.proved += sum(1 for _ in ob.consecution(action, found.kept))
    for each in ob.conclusions(argument, found.kept):
        watch(each.name)
        failure = solver.prove(each)
        if failure is None:
            found.proved += 1
        else:
            found.failures.append(failure)
    return found


def _begun(solver: Solver, system: System, lemmas: Sequence[Lemma]) -> tuple[list[Lemma], list[Failure]]:
    kept, failures = [], []
    for lemma, each in zip(lemmas, ob.initiation(system, lemmas), strict=True):
        failure = solver.prove(each)
        if failure is None:
            kept.append(lemma)
        elif lemma.needed:
            failures.append(failure)
    return kept, failures


def _pruned(solver: Solver, system: System, kept: list[Lemma], watch: Callable[[str], None]) -> list[Failure]:
    """Takes lemmas out of `kept` until the rest are kept by every step; gives the failures of those needed."""
    while True:
        failures: list[Failure] = []
        before = len(kept)
        for action in system.actions:
            watch(action.name)
            wanted = list(ob.consecution(action, kept))
            broken = solver.broken(wanted)
            for each in broken:
                lemma = next(lemma for lemma in kept if lemma.name == each.obligation.about)
                if lemma.needed:
                    failures.append(each)
                else:
                    kept.remove(lemma)
        if len(kept) == before:
            return failures


class Solver:
    """Z3, for the obligations of one argument."""

    def __init__(self, argument: Argument) -> None:
        self.system = argument.system
        self.term = Unwound()
        self.typing = typing(argument.system.variables, argument.inputs)

    def facts(self, obligation: Obligation) -> tuple[list[Any], Any]:
        """What an obligation assumes, with what sorts and sizes say, and its goal, as terms."""
        nodes = [*obligation.given, obligation.goal]
        known = sizes([], symbols([*nodes, *self._inputs()]))
        return [*known, *self.typing, *map(self.term, obligation.given)], self.term(obligation.goal)

    def _inputs(self) -> list[Expr]:
        return [Expr("var", (), v.sort, v.name) for v in self.system.variables]

    def _solver(self) -> Any:
        solver = z3.Solver()
        solver.set("rlimit", RLIMIT)
        solver.set("random_seed", 0)
        return solver

    def prove(self, obligation: Obligation) -> Failure | None:
        """None if proved."""
        given, goal = self.facts(obligation)
        solver = self._solver()
        solver.add(*given, z3.Not(goal))
        return self._failure(obligation, solver.check(), solver)

    def _failure(self, obligation: Obligation, answer: Any, solver: Any) -> Failure | None:
        if answer == z3.unsat:
            return None
        return Failure(obligation, self._state(solver.model()) if answer == z3.sat else None)

    def broken(self, wanted: Sequence[Obligation]) -> list[Failure]:
        """Those of some obligations with the same givens that do not hold; asked together first."""
        if not wanted:
            return []
        given, _ = self.facts(wanted[0])
        goals = [self.term(each.goal) for each in wanted]
        known = sizes([], symbols([each.goal for each in wanted]))
        solver = self._solver()
        solver.add(*known, *given)
        solver.push()
        solver.add(z3.Not(z3.And(*goals)))
        if solver.check() == z3.unsat:
            return []
        solver.pop()
        found = []
        for each, goal in zip(wanted, goals, strict=True):
            solver.push()
            solver.add(z3.Not(goal))
            failure = self._failure(each, solver.check(), solver)
            if failure is not None:
                found.append(failure)
            solver.pop()
        return found

    def _state(self, model: Any) -> dict[str, Value]:
        def number(name: str) -> int:
            return int(model.eval(z3.Int(name), model_completion=True).as_long())

        state: dict[str, Value] = {}
        first = dict.fromkeys((v.sort for v in self.system.variables if isinstance(v.sort, Ring)), 0)
        for ring in first:  # positions count from the least
            first[ring] = min(number(v.name) for v in self.system.variables if v.sort == ring)
        for v in self.system.variables:
            if isinstance(v.sort, Bool):
                state[v.name] = bool(z3.is_true(model.eval(z3.Bool(v.name), model_completion=True)))
            elif isinstance(v.sort, Enum):
                state[v.name] = v.sort.names[number(v.name)]
            else:
                state[v.name] = number(v.name) - (first[v.sort] if isinstance(v.sort, Ring) else 0)
        return state | {symbol.name: number(symbol.name) for symbol in symbols(self._inputs())}
