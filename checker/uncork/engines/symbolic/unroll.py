"""Unrolls runs of a system step by step, with new constants for the variables that a step may change."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import z3

from uncork.core.expr import Expr, variables
from uncork.core.sorts import Value
from uncork.core.system import Action, System
from uncork.engines.symbolic.encode import atoms, choose, declare, equal, plain
from uncork.engines.symbolic.solver import Solver
from uncork.engines.symbolic.terms import State, Terms, pairs

Step = Sequence[Sequence[Action]]
"""The slots of a step, in order: for each slot, the actions that may be taken in it."""


def interleaving(system: System) -> Step:
    """The step with one slot for all actions: a step takes one action."""
    return [system.actions]


def sweep(system: System) -> Step:
    """The step with a slot for each action, in the order of declaration: each action is taken or not.

    An unrolled sweep is hardly larger than an unrolled single action, since both contain every action once. A run of k
    actions takes at most k sweeps, and far fewer if its actions follow the order of declaration.
    """
    return [[action] for action in system.actions]


@dataclass(frozen=True)
class _Template:
    """One slot over generic constants: which action is taken, the constants after the slot, and their relation."""

    taken: tuple[Any, ...]
    after: State
    relation: Any


class Unrolling:
    """A run as constraints of a solver, from the initial state of the system, or from any state if `anywhere`.

    - `states` has the state before each slot and the last state.
    - `ends` has the indices in `states` of the start of the run and of the end of each step.
    - `taken` has, for each slot, a Bool for each action (by name) that says whether the action is taken.

    If the run is `lazy`, a slot may be empty. If it is not, every step must have exactly one slot.
    """

    def __init__(
        self, system: System, solver: Solver, step: Step, *, lazy: bool = False, anywhere: bool = False
    ) -> None:
        self.system, self.solver = system, solver
        self.terms = Terms(system, solver.context)
        self._step, self._lazy = step, lazy
        self._templates = [self._template(actions) for actions in step]
        self._independent = {} if lazy else _independent(step[0])
        first = self.terms.fresh("@0") if anywhere else self.terms.initial
        if anywhere:
            solver.add(*self.terms.inside(first))
        self.states: list[State] = [first]
        self.taken: list[dict[str, Any]] = []
        self.ends = [0]
        self.canonical = z3.Bool("canonical", solver.context)
        """The Bool that restricts the order of independent actions, if it is assumed; see `_order`."""

    def _template(self, actions: Sequence[Action]) -> _Template:
        terms, taken = self.terms, tuple(z3.Bool(f"take {action.name}", self.solver.context) for action in actions)
        changed = {name: terms.now[name] for action in actions for name in action.updates}
        parts = [] if self._lazy else [terms.any(taken), *([z3.AtMost(*taken, 1)] if taken else [])]
        for is_taken, action in zip(taken, actions, strict=True):
            values, fit = terms.updates(action)
            changed |= {name: choose(is_taken, value, changed[name]) for name, value in values.items()}
            parts.append(z3.Implies(is_taken, z3.And(terms.read(action.guard), fit)))
        after = {name: declare(f"{name}'", terms.sorts[name], self.solver.context) for name in changed}
        parts += [equal(after[name], terms.sorts[name], changed[name], terms.sorts[name]) for name in changed]
        return _Template(taken, after, terms.all(parts))

    def extend(self) -> None:
        """Adds a step."""
        sorts, context = self.terms.sorts, self.solver.context
        for actions, template in zip(self._step, self._templates, strict=True):
            slot, before = len(self.taken), self.states[-1]
            after = {name: declare(f"{name}@{slot + 1}", sorts[name], context) for name in template.after}
            taken = [z3.Bool(f"take {action.name}@{slot}", context) for action in actions]
            replaced = [*pairs(template.after, after), *zip(template.taken, taken, strict=True)]
            self.solver.add(self.terms.put(template.relation, before, replaced))
            if self._independent and self.taken:
                self._order(list(self.taken[-1].values()), taken)
            self.states.append({**before, **after})
            self.taken.append(dict(zip((action.name for action in actions), taken, strict=True)))
        self.ends.append(len(self.taken))

    def _order(self, before: Sequence[Any], taken: Sequence[Any]) -> None:
        """If `canonical`, forbids an action directly after an independent action that is declared later.

        The two actions could be swapped and reach the same state in as many steps (Wang, Yang, Kahlon, Gupta: Peephole
        Partial Order Reduction, TACAS 2008). The state between them differs, so this is not used for loops.
        """
        for late, early in self._independent.items():
            forbidden = z3.Or(*(taken[other] for other in early))
            self.solver.add(z3.Implies(z3.And(self.canonical, before[late]), z3.Not(forbidden)))

    def holds(self, condition: Expr, index: int) -> Any:
        """A condition as a term over the state with this index."""
        return self.terms.holds(condition, self.states[index])

    def all_holds(self, condition: Expr, indices: Iterable[int]) -> Iterator[Any]:
        """A condition as terms over several states. States with the same terms for all its variables give one term."""
        names, known = [str(v.value) for v in variables(condition)], set()
        for index in indices:
            read = tuple(id(self.states[index][name]) for name in names)
            if read not in known:
                known.add(read)
                yield self.holds(condition, index)

    def faults(self, index: int) -> Any:
        """The condition that an action enabled in a state takes a variable out of its sort."""
        return self.terms.put(self.terms.faults, self.states[index])

    def same(self, one: int, other: int) -> Any:
        """The condition that two states are equal."""
        a, b = self.states[one], self.states[other]
        changed = [(name, sort) for name, sort in self.terms.sorts.items() if a[name] is not b[name]]
        return self.terms.all([equal(a[name], sort, b[name], sort) for name, sort in changed])

    def run(self, model: Any) -> tuple[list[dict[str, Value]], list[str], list[int]]:
        """The states and actions of a model without empty slots; and the index there of each of `self.states`."""
        states, steps, places = [self._plain(model, 0)], list[str](), [0]
        for slot, truths in enumerate(self.taken):
            for name, taken in truths.items():
                if z3.is_true(model.eval(taken, model_completion=True)):
                    steps.append(name)
                    states.append(self._plain(model, slot + 1))
            places.append(len(steps))
        return states, steps, places

    def _plain(self, model: Any, index: int) -> dict[str, Value]:
        found = {}
        for name, term in self.states[index].items():
            values = tuple(model.eval(atom, model_completion=True) for atom in atoms(term))
            found[name] = plain(values if isinstance(term, tuple) else values[0], self.terms.sorts[name])
        return found


def _independent(actions: Sequence[Action]) -> dict[int, list[int]]:
    """For each action index, the earlier independent actions: neither changes a variable that the other touches."""
    changes = [set(action.updates) for action in actions]
    touches = [
        {str(v.value) for part in (a.guard, *a.updates.values()) for v in variables(part)} | set(a.updates)
        for a in actions
    ]
    found = {
        late: [k for k in range(late) if not changes[k] & touches[late] and not changes[late] & touches[k]]
        for late in range(len(actions))
    }
    return {late: early for late, early in found.items() if early}
