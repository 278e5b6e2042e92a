"""Runs of a system, unrolled step by step: new constants for the variables that a step may change."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import z3

from uncork.core.expr import Expr, variables
from uncork.core.sorts import Sort, Value
from uncork.core.system import Action, System
from uncork.engines.symbolic.encode import Reading, Term, atoms, choose, declare, equal, fit, inside, literal, plain
from uncork.engines.symbolic.solver import Solver

State = Mapping[str, Term]
"""A term for each variable."""


def interleaving(system: System) -> list[list[Action]]:
    """A step is one action."""
    return [list(system.actions)]


def sweep(system: System) -> list[list[Action]]:
    """A step gives each action in turn, in the order of declaration, one chance: it is taken or not.

    An unrolled sweep is hardly larger than an unrolled action, as it has each action once; and a run of k actions, in
    the order of a protocol that the declarations follow, takes far fewer than k sweeps, and never more.
    """
    return [[action] for action in system.actions]


@dataclass(frozen=True)
class _Template:
    """One slot over generic constants: what was taken, the constants after it, and how all hang together."""

    taken: tuple[Any, ...]
    after: State
    relation: Any


class Unrolling:
    """A run as constraints of a solver. It starts in the first state of the system; or, if `anywhere`, in any state.

    A step is a list of slots (see `interleaving` and `sweep`) with a state before each. `ends` are the indices in
    `states` of the states at the ends of steps, the first state included; `taken[i]` tells, for each action that may
    be taken in slot i, the truth that it is.
    """

    def __init__(self, system: System, solver: Solver, step: Sequence[Sequence[Action]], *, anywhere: bool = False):
        self.system, self.solver, self.context = system, solver, solver.context
        self._sorts: Mapping[str, Sort] = {v.name: v.sort for v in system.variables}
        self._now = {v.name: declare(v.name, v.sort, self.context) for v in system.variables}
        self._read = Reading(self._now, self.context)
        self._step, self._lazy = step, len(step) > 1
        self._templates = [self._template(actions) for actions in step]
        first = {v.name: literal(v.initial, v.sort, self.context) for v in system.variables}
        if anywhere:
            first = {v.name: declare(f"{v.name}@0", v.sort, self.context) for v in system.variables}
            for v in system.variables:
                solver.add(*inside(first[v.name], v.sort))
        self.states: list[State] = [first]
        self.taken: list[dict[str, Any]] = []
        self.ends = [0]
        self.canonical = z3.Bool("canonical", self.context)
        """That of runs which differ in the order of independent actions, this is the first: see `_order`."""

    def _template(self, actions: Sequence[Action]) -> _Template:
        taken = tuple(z3.Bool(f"take {action.name}", self.context) for action in actions)
        changed = {name: self._now[name] for action in actions for name in action.updates}
        parts = [] if self._lazy else [z3.AtMost(*taken, 1), z3.Or(*taken)]
        for is_taken, action in zip(taken, actions, strict=True):
            tests = [self._read(action.guard)]
            for name, update in action.updates.items():
                value, fits = fit(self._read(update), update.sort, self._sorts[name])
                changed[name] = choose(is_taken, value, changed[name])
                tests += fits
            parts.append(z3.Implies(is_taken, z3.And(*tests)))
        after = {name: declare(f"{name}'", self._sorts[name], self.context) for name in changed}
        parts += [equal(after[name], self._sorts[name], changed[name], self._sorts[name]) for name in changed]
        return _Template(taken, after, z3.And(*parts))

    def extend(self) -> None:
        """Add a step."""
        for actions, template in zip(self._step, self._templates, strict=True):
            slot, before = len(self.taken), self.states[-1]
            after = {name: declare(f"{name}@{slot + 1}", self._sorts[name], self.context) for name in template.after}
            taken = [z3.Bool(f"take {action.name}@{slot}", self.context) for action in actions]
            pairs = [*_pairs(template.after, after), *zip(template.taken, taken, strict=True)]
            self.solver.add(self._put(template.relation, before, pairs))
            if not self._lazy:
                self._order(self.taken[-1:], dict(zip(actions, taken, strict=True)))
            self.states.append({**before, **after})
            self.taken.append(dict(zip((action.name for action in actions), taken, strict=True)))
        self.ends.append(len(self.taken))

    def _order(self, before: Sequence[Mapping[str, Any]], taken: Mapping[Action, Any]) -> None:
        """An action does not follow one that is declared later and touches nothing that it touches.

        The two could change places, and reach the same state in as many steps (Wang, Yang, Kahlon, Gupta: Peephole
        Partial Order Reduction, TACAS 2008). States between them do change, so this says nothing about loops.
        """
        for slot in before:
            for late, action in enumerate(taken):
                early = [other for other in list(taken)[:late] if independent(action, other)]
                if early:
                    forbidden = z3.Or(*(taken[other] for other in early))
                    self.solver.add(z3.Implies(z3.And(self.canonical, slot[action.name]), z3.Not(forbidden)))

    def _put(self, term: Any, state: State, more: Sequence[tuple[Any, Any]] = ()) -> Any:
        return z3.substitute(term, *_pairs(self._now, state), *more)

    def holds(self, condition: Expr, index: int) -> Any:
        """Whether a condition is true in a state."""
        return self._put(self._read(condition), self.states[index])

    def all_holds(self, condition: Expr, indices: Iterable[int]) -> Iterator[Any]:
        """Whether it is true in each of some states; once for states that agree in all that it reads."""
        names, known = [str(v.value) for v in variables(condition)], set()
        for index in indices:
            terms = tuple(id(self.states[index][name]) for name in names)
            if terms not in known:
                known.add(terms)
                yield self.holds(condition, index)

    def faults(self, index: int) -> Any:
        """Whether an action may happen in a state that leads a variable out of its sort."""
        found = [z3.BoolVal(False, self.context)]
        for action in self.system.actions:
            tests = [
                test
                for name, update in action.updates.items()
                for test in fit(self._read(update), update.sort, self._sorts[name])[1]
            ]
            if tests:
                found.append(z3.And(self._read(action.guard), z3.Not(z3.And(*tests))))
        return self._put(z3.Or(*found), self.states[index])

    def same(self, one: int, other: int) -> Any:
        """Whether two states are equal."""
        sorts, a, b = self._sorts, self.states[one], self.states[other]
        return z3.And(*(equal(a[name], sorts[name], b[name], sorts[name]) for name in sorts if a[name] is not b[name]))

    def run(self, model: Any, until: int) -> tuple[list[dict[str, Value]], list[str], list[int]]:
        """The states and actions of a model up to a state; and for each of `states[: until + 1]`, which one it is."""
        states, steps, where = [self._plain(model, 0)], [], [0]
        for slot in range(until):
            for name, taken in self.taken[slot].items():
                if z3.is_true(model.eval(taken, model_completion=True)):
                    steps.append(name)
                    states.append(self._plain(model, slot + 1))
            where.append(len(steps))
        return states, steps, where

    def _plain(self, model: Any, index: int) -> dict[str, Value]:
        found = {}
        for name, sort in self._sorts.items():
            term = self.states[index][name]
            values = tuple(model.eval(atom, model_completion=True) for atom in atoms(term))
            found[name] = plain(values if isinstance(term, tuple) else values[0], sort)
        return found


def independent(one: Action, other: Action) -> bool:
    """Whether neither of two actions changes what the other reads or changes."""
    (reads, changes), (others, changed) = (_touched(action) for action in (one, other))
    return not (changes & (others | changed) or changed & reads)


@functools.cache
def _touched(action: Action) -> tuple[frozenset[str], frozenset[str]]:
    read = (variables(part) for part in (action.guard, *action.updates.values()))
    return frozenset(str(v.value) for found in read for v in found), frozenset(action.updates)


def _pairs(old: State, new: State) -> list[tuple[Any, Any]]:
    return [pair for name in new if name in old for pair in zip(atoms(old[name]), atoms(new[name]), strict=True)]
