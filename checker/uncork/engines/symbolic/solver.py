"""Questions to Z3 that can be given up: by effort (which does not depend on the machine), by time, or by a `Report`."""

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
    """Z3 did not come to an answer; the message says what was spent, or what Z3 says."""


class Effort:
    """The effort that all questions of one search may cost together, in units of Z3's `rlimit`: millions a second.

    A limit of time takes the place of the limit of effort, which is there for those who set none.
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
        """No more than one of so many equal shares of what is left may be spent meanwhile."""
        kept = self.left - self.left // ways
        self.left -= kept
        try:
            yield
        finally:
            self.left = max(self.left, 0) + kept

    def ask(self, context: z3.Context, question: Callable[[], Any], meter: Any) -> Any:
        """The answer to a question in a context, with what it cost taken off, by the statistics of `meter`.

        It is worked out in a thread, so that Ctrl-C and reports have one. Raises `Spent`, or the `Stop` of a report.
        """
        if self.left <= 0:
            raise Spent(_EFFORT_SPENT)
        before, answers = _effort(meter), list[Any]()

        def work() -> None:
            with contextlib.suppress(z3.Z3Exception):  # what Spacer raises where a solver answers `unknown`
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
    """Assertions and questions, in a context of their own: what Z3 finds depends on what was made there before."""

    def __init__(self, effort: Effort) -> None:
        self.effort, self.context = effort, z3.Context()
        # Of Z3's solvers for finite domains, those for QF_FD and QF_BV are alike and the default is 5 times as slow.
        self._solver = z3.SolverFor("QF_FD", ctx=self.context)
        self._solver.set("ctrl_c", False)

    def add(self, *conditions: Any) -> None:
        """Asserts conditions."""
        self._solver.add(*conditions)

    def find(self, goal: Any, *assumptions: Any) -> Any | None:
        """A model of a goal and the assertions, or None if there is none; the goal is put away afterwards."""
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
    """What was spent in the context of a solver so far."""
    found = solver.statistics()
    return int(found.get_key_value("rlimit count")) if "rlimit count" in found.keys() else 0  # noqa: SIM118
