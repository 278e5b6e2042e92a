"""Queries to Z3 that stop at a limit of effort (which does not depend on the machine), of time, or by a `Report`."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from threading import Thread
from typing import Any

import z3

from uncork.engines import Budget, Progress, Report

_EVERY = 0.1
"""Seconds between two reports."""
_EFFORT_SPENT = "the effort is spent"


class Spent(Exception):
    """Z3 gave no answer. The message names the limit that was reached, or gives Z3's reason."""


class Effort:
    """The effort that all queries of one search may take together, in units of Z3's `rlimit` (millions per second).

    If the budget limits the time, the effort is not limited.
    """

    def __init__(self, budget: Budget | None, effort: int, report: Report) -> None:
        self.started, self.depth, self._report = time.monotonic(), 0, report
        self._limit = budget.seconds if budget else None
        self.left = effort if self._limit is None else 2**32 - 1

    @property
    def seconds(self) -> float:
        """The time since the search began."""
        return time.monotonic() - self.started

    @contextlib.contextmanager
    def share(self, ways: int) -> Iterator[None]:
        """Limits the effort inside the `with` block to the remaining effort divided by `ways`."""
        kept = self.left - self.left // ways
        self.left -= kept
        try:
            yield
        finally:
            self.left = max(self.left, 0) + kept

    def ask(self, context: z3.Context, question: Callable[[], Any], meter: Any) -> Any:
        """The answer to a question. Its cost, according to the statistics of `meter`, is subtracted from the effort.

        The question runs in a thread, so that the main thread can handle Ctrl-C and reports. Raises `Spent`, or the
        `Stop` of a report.
        """
        if self.left <= 0:
            raise Spent(_EFFORT_SPENT)
        before, answers = _effort(meter), list[Any]()

        def work() -> None:
            with contextlib.suppress(z3.Z3Exception):  # raised by Spacer where a solver answers `unknown`
                answers.append(question())

        thread = Thread(target=work)
        thread.start()
        try:
            while thread.is_alive():
                thread.join(_EVERY)
                if self._limit is not None and self.seconds >= self._limit:
                    raise Spent(f"the budget of {self._limit:g} seconds is spent")
                self._report(Progress(0, 0, self.depth, 0, 0, self.seconds))
        finally:
            while thread.is_alive():
                context.interrupt()
                thread.join(_EVERY)
        self.left -= _effort(meter) - before
        if self.left <= 0 or not answers:
            raise Spent(_EFFORT_SPENT)
        return answers[0]


class Solver:
    """A Z3 solver. Its models depend on terms created earlier in the context, which by default is the solver's own."""

    def __init__(self, effort: Effort, context: z3.Context | None = None) -> None:
        self.effort, self.context = effort, context or z3.Context()
        # Z3's solvers for QF_FD and QF_BV take the same time here; the default solver takes 5 times as long.
        self._solver = z3.SolverFor("QF_FD", ctx=self.context)
        self._solver.set("ctrl_c", False)

    def add(self, *conditions: Any) -> None:
        """Asserts conditions."""
        self._solver.add(*conditions)

    def find(self, goal: Any, *assumptions: Any) -> Any | None:
        """A model of the assertions and a goal, or None if there is none. The goal is retracted afterwards."""
        asked = z3.FreshBool(ctx=self.context)
        self.add(z3.Implies(asked, goal))
        self._solver.set("rlimit", self.effort.left)
        answer = self.effort.ask(self.context, lambda: self._solver.check(asked, *assumptions), self._solver)
        if answer == z3.unknown:
            raise Spent(f"Z3 gives up: {self._solver.reason_unknown()}")
        model = self._solver.model() if answer == z3.sat else None
        self.add(z3.Not(asked))
        return model

    def entails(self, goal: Any) -> bool:
        """Whether a goal follows from the assertions."""
        return self.find(z3.Not(goal)) is None


def _effort(solver: Any) -> int:
    """The effort spent so far in the context of a solver."""
    found = solver.statistics()
    return int(found.get_key_value("rlimit count")) if "rlimit count" in found.keys() else 0  # noqa: SIM118
