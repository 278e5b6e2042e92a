"""A solver of Z3 that can be given up: by effort (which does not depend on the machine), by time, or by a `Report`."""

from __future__ import annotations

import time
from threading import Thread
from typing import Any

import z3

from uncork.engines import Budget, Progress, Report

_EVERY = 0.1
"""Seconds between two reports."""


class Spent(Exception):
    """Z3 did not come to an answer; the message says what was spent, or what Z3 says."""


class Solver:
    """Assertions, questions, and a limit to the effort of all questions together, in units of Z3's `rlimit`."""

    def __init__(self, budget: Budget, effort: int, report: Report) -> None:
        self.context = z3.Context()
        # Of Z3's solvers for finite domains, those for QF_FD and QF_BV are alike and the default is 5 times as slow.
        self.z3 = z3.SolverFor("QF_FD", ctx=self.context)
        self.z3.set("ctrl_c", False)  # Ctrl-C is Python's to see
        self.depth = 0
        self._started, self._report = time.monotonic(), report
        self._seconds = budget.seconds
        # A limit of time takes the place of the limit of effort, which is there for those who set none.
        self._left = effort if budget.seconds is None else 2**32 - 1

    @property
    def seconds(self) -> float:
        """The time since this solver was made."""
        return time.monotonic() - self._started

    def add(self, *conditions: Any) -> None:
        """Assert conditions."""
        self.z3.add(*conditions)

    def model(self, *assumptions: Any) -> Any | None:
        """A model of the assertions with these assumptions, or None if there is none; raises `Spent` or `Stop`."""
        if self._left <= 0:
            raise Spent("the effort is spent")
        self.z3.set("rlimit", self._left)
        before = self._effort()
        answer = self._check(assumptions)
        self._left -= self._effort() - before
        if answer == z3.unknown:
            reason = self.z3.reason_unknown()
            raise Spent("the effort is spent" if self._left <= 0 or "resource" in reason else f"Z3 gives up: {reason}")
        return self.z3.model() if answer == z3.sat else None

    def _effort(self) -> int:
        statistics = self.z3.statistics()
        return int(statistics.get_key_value("rlimit count")) if "rlimit count" in statistics.keys() else 0  # noqa: SIM118

    def _check(self, assumptions: tuple[Any, ...]) -> Any:
        """Z3's answer. It works in a thread, so that Ctrl-C and reports have one."""
        answers: list[Any] = []
        thread = Thread(target=lambda: answers.append(self.z3.check(*assumptions)))
        thread.start()
        try:
            while thread.is_alive():
                thread.join(_EVERY)
                if self._seconds is not None and self.seconds >= self._seconds:
                    raise Spent(f"the budget of {self._seconds:g} seconds is spent")
                self._report(Progress(0, 0, self.depth, 0, 0, self.seconds))
        finally:
            while thread.is_alive():
                self.context.interrupt()
                thread.join(_EVERY)
        return answers[0]
