"""A system as Z3 terms over one state: the guards and the next-state values of its actions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import z3

from uncork.core.expr import Expr
from uncork.core.system import Action, System
from uncork.engines.symbolic.encode import Reading, Term, atoms, declare, fit, inside, literal

State = Mapping[str, Term]
"""A term for each variable."""


class Terms:
    """Guards, conditions and next-state values over a generic state. `put` moves a term to another state."""

    def __init__(self, system: System, context: z3.Context) -> None:
        self.system, self.context = system, context
        self.sorts = {v.name: v.sort for v in system.variables}
        self.now = self.fresh("")
        self.read = Reading(self.now, context)

    def fresh(self, mark: str) -> State:
        """New constants for all variables, whose names end with `mark`."""
        return {name: declare(name + mark, sort, self.context) for name, sort in self.sorts.items()}

    @property
    def initial(self) -> State:
        """The initial state, as literals."""
        return {v.name: literal(v.initial, v.sort, self.context) for v in self.system.variables}

    def inside(self, state: State) -> list[Any]:
        """The conditions that the constants of a state are in the sorts of their variables."""
        return [test for name, sort in self.sorts.items() for test in inside(state[name], sort)]

    def updates(self, action: Action) -> tuple[State, Any]:
        """The next-state values of an action, and the condition that they are all in their variables' sorts."""
        found = {name: fit(self.read(e), e.sort, self.sorts[name]) for name, e in action.updates.items()}
        tests = [test for _, tests in found.values() for test in tests]
        return {name: value for name, (value, _) in found.items()}, self.all(tests)

    @property
    def faults(self) -> Any:
        """The condition that an enabled action takes a variable out of its sort."""
        fits = ((self.read(action.guard), self.updates(action)[1]) for action in self.system.actions)
        return self.any([z3.And(guard, z3.Not(fit)) for guard, fit in fits if not z3.is_true(fit)])

    def put(self, term: Any, state: State, more: Sequence[tuple[Any, Any]] = ()) -> Any:
        """A term over the generic state, as a term over another state; `more` are further replacements."""
        return z3.substitute(term, *pairs(self.now, state), *more)

    def holds(self, condition: Expr, state: State) -> Any:
        """A condition as a term over a state."""
        return self.put(self.read(condition), state)

    def all(self, truths: Sequence[Any]) -> Any:
        """The conjunction of the terms; true if there are none."""
        return z3.And(*truths) if truths else z3.BoolVal(True, self.context)

    def any(self, truths: Sequence[Any]) -> Any:
        """The disjunction of the terms; false if there are none."""
        return z3.Or(*truths) if truths else z3.BoolVal(False, self.context)


def pairs(old: State, new: State) -> list[tuple[Any, Any]]:
    """The pairs of scalar terms of two states, for the variables that both states have."""
    return [pair for name in new if name in old for pair in zip(atoms(old[name]), atoms(new[name]), strict=True)]
