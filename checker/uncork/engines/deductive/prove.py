"""Checks an argument: which lemmas are inductive, and whether the claims follow from them.

Lemmas are pruned to the greatest inductive subset (Flanagan and Leino, Houdini, FME 2001). A needed lemma is assumed
until all other lemmas are inductive; if a step breaks it then, the failure is recorded and the lemma is dropped. An
obligation that Z3 does not decide within its limit counts as not proved.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import z3

from uncork.core.expr import Expr
from uncork.core.property import InRange, Property
from uncork.core.questions.argument import Argument, Descent, Lemma, Response
from uncork.core.sorts import Bool, Enum, Ring, Value
from uncork.core.system import System
from uncork.engines.deductive import buffered
from uncork.engines.deductive import obligations as ob
from uncork.engines.deductive.obligations import Obligation
from uncork.engines.deductive.unwind import Unwound, sizes, symbols, typing

RLIMIT = 20_000_000
"""Z3's limit of work (rlimit) for one query: a thousand times what the obligations of the project take."""


@dataclass(frozen=True)
class Failure:
    """An obligation that is not proved, and a state in which everything given holds and the goal does not.

    `state` is None if Z3 did not decide the obligation. The positions in `state` do not wrap. `state` also has the
    sizes, by the names of their symbols.
    """

    obligation: Obligation
    state: Mapping[str, Value] | None


@dataclass
class Judgement:
    """The result of checking an argument: lemmas kept and dropped, the number of proved obligations, and the failures.

    `broken` has the failures of needed lemmas. These lemmas are dropped too, so every proof uses only inductive lemmas.
    """

    argument: Argument
    kept: list[Lemma] = field(default_factory=list)
    dropped: list[Lemma] = field(default_factory=list)
    broken: list[Failure] = field(default_factory=list)
    proved: int = 0
    failures: list[Failure] = field(default_factory=list)

    def proves(self, prop: Property) -> bool:
        """Whether a property of the system is proved."""
        unproved = {failure.obligation.of for failure in self.failures}
        return shown(self.argument, prop, unproved, [lemma.name for lemma in self.kept])

    def against(self, prop: Property) -> list[Failure]:
        """The failures that prevent the proof of a property: failures of needed lemmas first. Empty if it is proved."""
        if self.proves(prop):
            return []
        reasons = [failure for failure in self.broken if failure.obligation.about not in self._own]
        return [*reasons, *(f for f in self.failures if f.obligation.of in _needed(self.argument, prop))]

    @property
    def _own(self) -> set[str]:
        return {lemma.name for lemma in self.argument.lemmas if lemma.own}

    @property
    def untrue(self) -> list[Failure]:
        """The failures of the user's own lemmas: where each begins wrong, or the steps that break it."""
        return [failure for failure in self.broken if failure.obligation.about in self._own]


def shown(argument: Argument, prop: Property, unproved: Collection[str], kept: Collection[str]) -> bool:
    """Whether a property is proved, given the lemmas `kept` and the names of the properties with failed obligations."""
    if isinstance(prop, InRange):
        spoken = all(lemma.name in kept for lemma in ob.ranges(argument))
    else:
        spoken = prop.name in {c.name for c in argument.safety} | {each.prop.name for each in _lasting(argument)}
    basis = all(lemma.name in kept for lemma in argument.lemmas if lemma.basis)
    return spoken and basis and _needed(argument, prop).isdisjoint(unproved)


def _lasting(argument: Argument) -> list[Descent | Response]:
    return [*argument.descents, *argument.responses]


def _needed(argument: Argument, prop: Property) -> set[str]:
    """The names of the properties whose obligations the proof of a property uses; empty is for every property's."""
    released = {each.prop.name: each.released for each in argument.responses}
    needed, name = {""}, prop.name
    while name not in needed:
        needed.add(name)
        name = released.get(name, "")
    return needed


def judge(argument: Argument, watch: Callable[[str], None] = lambda _: None) -> Judgement:
    """Prunes the lemmas and checks all obligations. `watch` is called with the name of each action in turn."""
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
    by_step: dict[str, list[Obligation]] = {}
    for each in [*ob.conclusions(argument, found.kept), *buffered.everything(argument, found.kept)]:
        by_step.setdefault(each.step, []).append(each)
    for step, wanted in by_step.items():
        watch(step)
        failures = solver.broken(wanted)
        found.proved += len(wanted) - len(failures)
        found.failures += failures
    return found


def _begun(solver: Solver, system: System, lemmas: Sequence[Lemma]) -> tuple[list[Lemma], list[Failure]]:
    failures = solver.broken(list(ob.initiation(system, lemmas)))
    lacking = {failure.obligation.about for failure in failures}
    needed = {lemma.name for lemma in lemmas if lemma.needed or lemma.basis}
    return [lemma for lemma in lemmas if lemma.name not in lacking], [
        failure for failure in failures if failure.obligation.about in needed
    ]


def _pruned(solver: Solver, system: System, kept: list[Lemma], watch: Callable[[str], None]) -> list[Failure]:
    """Removes lemmas from `kept` until every action keeps the rest. Returns the failures of needed lemmas."""
    while True:
        failures: list[Failure] = []
        before = len(kept)
        for action in system.actions:
            watch(action.name)
            wanted = list(ob.consecution(action, kept))
            broken = solver.broken(wanted)
            for each in broken:
                lemma = next(lemma for lemma in kept if lemma.name == each.obligation.about)
                if lemma.needed or lemma.basis:
                    failures.append(each)
                else:
                    kept.remove(lemma)
        if len(kept) == before:
            return failures


class Solver:
    """Checks the obligations of one argument with Z3."""

    def __init__(self, argument: Argument) -> None:
        self.system = argument.system
        self.term = Unwound()
        self.typing = typing(argument.system.variables, argument.inputs)
        self.unknowns = [Expr("var", (), v.sort, v.name) for v in self.system.variables]

    def broken(self, wanted: Sequence[Obligation]) -> list[Failure]:
        """The failures among the obligations. One query asks all of them first; they should share what is given."""
        if not wanted:
            return []
        shared = set.intersection(*({id(given) for given in each.given} for each in wanted))
        common = [given for given in wanted[0].given if id(given) in shared]
        nodes = [node for each in wanted for node in (*each.given, each.goal)]
        solver = z3.Solver()
        solver.set("rlimit", RLIMIT)
        solver.set("random_seed", 0)
        solver.set("ctrl_c", False)  # otherwise Z3 handles Ctrl-C itself, and the query counts as not proved
        solver.add(*sizes(symbols([*nodes, *self.unknowns])), *self.typing, *map(self.term, common))
        against = [
            z3.And(*(self.term(given) for given in each.given if id(given) not in shared), z3.Not(self.term(each.goal)))
            for each in wanted
        ]
        solver.push()
        solver.add(z3.Or(*against))
        if solver.check() == z3.unsat:
            return []
        solver.pop()
        found = []
        for each, claim in zip(wanted, against, strict=True):
            solver.push()
            solver.add(claim)
            answer = solver.check()
            if answer != z3.unsat:
                found.append(Failure(each, self._state(solver.model()) if answer == z3.sat else None))
            solver.pop()
        return found

    def _state(self, model: Any) -> dict[str, Value]:
        def number(name: str) -> int:
            return int(model.eval(z3.Int(name), model_completion=True).as_long())

        state: dict[str, Value] = {}
        first = dict.fromkeys((v.sort for v in self.system.variables if isinstance(v.sort, Ring)), 0)
        for ring in first:  # shows positions relative to the least position of the ring
            first[ring] = min(number(v.name) for v in self.system.variables if v.sort == ring)
        for v in self.system.variables:
            if isinstance(v.sort, Bool):
                state[v.name] = bool(z3.is_true(model.eval(z3.Bool(v.name), model_completion=True)))
            elif isinstance(v.sort, Enum):
                state[v.name] = v.sort.names[number(v.name)]
            else:
                state[v.name] = number(v.name) - (first[v.sort] if isinstance(v.sort, Ring) else 0)
        return state | {symbol.name: number(symbol.name) for symbol in symbols(self.unknowns)}
