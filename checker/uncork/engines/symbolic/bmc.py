"""Bounded model checking: Z3 searches for a run of bounded length that violates a property. It proves nothing.

A violation is a bad state, a stuck state, or a lasso: a stem and a fair loop (Biere, Cimatti, Clarke, Zhu: Symbolic
Model Checking without BDDs, TACAS 1999; fairness as in `uncork.core.trace`). A step of the unrolling is a sweep (see
`unroll`), which finds violations fast, or a single action, which finds shortest runs to bad states.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import z3

from uncork.core.expr import any_of
from uncork.core.property import Always, Cover, InRange, NotForever, Property
from uncork.core.system import System
from uncork.core.trace import Trace, replay
from uncork.core.verdict import Open, Refuted, Verdict
from uncork.engines import Budget, Outcome, Report, Stop, quiet
from uncork.engines.symbolic.lasso import Lasso
from uncork.engines.symbolic.solver import Effort, Solver, Spent
from uncork.engines.symbolic.unroll import Unrolling, interleaving, sweep

EFFORT = 200_000_000
"""The default effort, in units of Z3's rlimit: about half a minute."""


def check(
    system: System,
    properties: Sequence[Property],
    covers: Sequence[Cover] = (),
    budget: Budget | None = None,
    report: Report = quiet,
    *,
    shortest: bool = False,
    effort: int = EFFORT,
) -> Outcome:
    """Searches for violations. Every counterexample has been replayed.

    The number of sweeps doubles until the effort is spent. If `shortest`, steps are single actions, and their number
    grows by one: a run to a bad state is then a shortest run, and a run to a stuck state is shortest among the runs to
    stuck states. An open property holds of every run and lasso of `depth` steps. Covers are ignored.
    """
    shared = Effort(budget, effort, report)
    search = _Search(system, Solver(shared), properties, shortest)
    reason = search.run()
    return Outcome(
        engine="bmc",
        verdicts=tuple(
            (prop, search.found.get(number) or Open(reason, search.depth)) for number, prop in enumerate(properties)
        ),
        unreached=None,
        states=0,
        transitions=0,
        depth=search.depth,
        seconds=shared.seconds,
        stopped=search.stopped,
    )


@dataclass
class _Search:
    """Extends one unrolling step by step, and checks every property that is still open on it."""

    system: System
    solver: Solver
    properties: Sequence[Property]
    shortest: bool
    found: dict[int, Verdict] = field(default_factory=dict)
    """The verdicts of the refuted properties, by their index."""
    depth: int = 0
    stopped: str | None = None

    def run(self) -> str:
        """Searches until every property is refuted or a limit is reached. Returns why the rest are open."""
        step = (interleaving if self.shortest else sweep)(self.system)
        run = Unrolling(self.system, self.solver, step, lazy=not self.shortest)
        steps = 0
        try:
            while len(self.found) < len(self.properties):
                while len(run.ends) <= steps:
                    run.extend()
                self._states(run)
                self._loops(run)
                self.depth = self.solver.effort.depth = steps
                steps = steps + 1 if self.shortest else max(2 * steps, 1)
        except Spent as spent:
            return str(spent)
        except Stop as stop:
            self.stopped = str(stop)
            return self.stopped
        return ""

    def _open(self) -> list[tuple[int, Property]]:
        return [(k, prop) for k, prop in enumerate(self.properties) if k not in self.found]

    def _states(self, run: Unrolling) -> None:
        """Checks whether the last state can violate a property, or can be a stuck state of a run that does."""
        end = run.ends[-1]
        stuck = ~any_of(action.guard for action in self.system.actions if action.fair)
        for number, prop in self._open():
            match prop:
                case InRange():
                    goal = run.faults(end)
                case Always():
                    goal = run.holds(~prop.condition, end)
                case NotForever():
                    goal = run.holds(prop.condition & stuck, end)
            if (model := self.solver.find(goal, run.canonical)) is None:
                continue
            states, steps, _ = run.run(model)
            trace = Trace(tuple(states), tuple(steps), len(steps) if isinstance(prop, NotForever) else None)
            if isinstance(prop, InRange):
                trace = self._further(trace)
            self._show(number, trace, shortest=self.shortest and not isinstance(prop, NotForever))

    def _further(self, trace: Trace) -> Trace:
        """The run extended by a step that takes a variable out of its sort."""
        last = trace.states[-1]
        after = ((action, self.system.after(last, action)) for action in self.system.enabled(last))
        action, outside = next((action, state) for action, state in after if self.system.strays(state))
        return Trace((*trace.states, outside), (*trace.steps, action.name))

    def _loops(self, run: Unrolling) -> None:
        """Checks whether a fair loop that ends with the last state violates a property."""
        open_ = [(number, prop) for number, prop in self._open() if isinstance(prop, NotForever)]
        if len(run.ends) == 1 or not open_:
            return
        lasso = Lasso(run)
        for number, prop in open_:
            if (model := self.solver.find(lasso.stays(prop), lasso.exists)) is not None:
                self._show(number, lasso.trace(model), shortest=False)
        self.solver.add(z3.Not(lasso.exists))

    def _show(self, number: int, trace: Trace, *, shortest: bool) -> None:
        replay(self.system, trace, self.properties[number])
        self.found[number] = Refuted(trace, shortest)
