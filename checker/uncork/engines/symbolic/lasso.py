"""A fair loop in an unrolled run: which step it starts with, and what it owes to fairness."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import z3

from uncork.core.expr import any_of
from uncork.core.property import NotForever
from uncork.core.system import Action, Fairness
from uncork.core.trace import Trace
from uncork.engines.symbolic.unroll import Unrolling


class Lasso:
    """That the end of a run is equal to the end of an earlier step, and the loop between them fair.

    It holds where `exists` is assumed. A step that fairness is owed to is taken in the loop, or enabled in none of its
    states; weak fairness is content if it is disabled in one of them.
    """

    def __init__(self, run: Unrolling) -> None:
        self.run, steps = run, len(run.ends) - 1
        self.exists = z3.Bool(f"lasso@{steps}", run.solver.context)
        self.starts = [z3.Bool(f"loop from {step}@{steps}", run.solver.context) for step in range(steps)]
        self.within = [z3.Bool(f"in loop {step}@{steps}", run.solver.context) for step in range(steps)]
        before = z3.BoolVal(False, run.solver.context)
        for step, (starts, within) in enumerate(zip(self.starts, self.within, strict=True)):
            run.solver.add(within == z3.Or(before, starts))
            run.solver.add(z3.Implies(starts, run.same(run.ends[step], run.ends[-1])))
            before = within
        demands = [before, *(self._fair(outcomes) for outcomes in run.system.duties.values() if outcomes[0].fair)]
        run.solver.add(z3.Implies(self.exists, z3.And(*demands)))

    def _fair(self, outcomes: list[Action]) -> Any:
        names, enabled = {action.name for action in outcomes}, any_of(action.guard for action in outcomes)
        paid = [z3.And(within, taken) for within, taken in self._taken(names)]
        idle = [(within, z3.Not(holds)) for within, holds in self._holds(enabled)]
        if outcomes[0].fairness is Fairness.STRONG:
            return z3.Or(*paid, z3.And(*(z3.Implies(within, disabled) for within, disabled in idle)))
        return z3.Or(*paid, *(z3.And(within, disabled) for within, disabled in idle))

    def stays(self, prop: NotForever) -> Any:
        """That the loop violates a property."""
        kept = [z3.Implies(within, holds) for within, holds in self._holds(prop.condition)]
        return z3.And(*kept, *(z3.Not(z3.And(within, taken)) for within, taken in self._taken(prop.without)))

    def _steps(self) -> Iterator[tuple[Any, int, int]]:
        """For each step, whether it is in the loop, and its first and last slot (and states before them)."""
        yield from zip(self.within, self.run.ends[:-1], self.run.ends[1:], strict=True)

    def _taken(self, names: frozenset[str] | set[str]) -> Iterator[tuple[Any, Any]]:
        for within, first, last in self._steps():
            for slot in self.run.taken[first:last]:
                yield from ((within, taken) for name, taken in slot.items() if name in names)

    def _holds(self, condition: Any) -> Iterator[tuple[Any, Any]]:
        for within, first, last in self._steps():
            yield from ((within, holds) for holds in self.run.all_holds(condition, range(first, last)))

    def trace(self, model: Any) -> Trace:
        """The run of a model; one whose loop takes no action is a stuck one."""
        states, steps, where = self.run.run(model)
        start = next(k for k, starts in enumerate(self.starts) if z3.is_true(model.eval(starts)))
        loop = where[self.run.ends[start]]
        return Trace(tuple(states if loop == len(steps) else states[:-1]), tuple(steps), loop)
