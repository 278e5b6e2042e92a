"""What all tests share: Ctrl-C that is heard, how many random examples there are, and what each file may cost.

Tests that send signals need processes that hear them, also where this one was begun in the background, or by nohup,
with the signals ignored.
"""

from __future__ import annotations

import os
import signal
from collections import defaultdict
from collections.abc import Generator, Iterator
from pathlib import Path

import commands
import pytest
from budgets import BUDGETS, OTHERS, OVERDRAFT
from hypothesis import settings

signal.signal(signal.SIGINT, signal.default_int_handler)  # what it runs does not inherit that it is ignored
if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
    signal.signal(signal.SIGHUP, lambda *_: None)

settings.register_profile("few", max_examples=12)  # in a hundred of those that a test names: see budgets.examples
settings.register_profile("all", max_examples=100)
settings.load_profile("few")


def pytest_sessionstart(session: pytest.Session) -> None:
    """Has the hot loops compiled before anything is timed, once: in a fresh clone no code is kept yet."""
    if hasattr(session.config, "workerinput"):
        return
    from uncork.decide import many
    from uncork_nvme.instance import from_name

    for name in ("propolis-2025/linux/tail/n1-sq2-cq2", "propolis-2025/linux/head/n2-sq2-cq2"):
        for reductions in (frozenset({"rotation", "permutation", "dead"}), frozenset[str]()):
            list(many.check([from_name(name)], jobs=1, reductions=reductions))


@pytest.fixture
def own_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A folder for files of the test's own; what was loaded from a file of the same name is forgotten."""
    from uncork_nvme.instance import forget

    monkeypatch.chdir(tmp_path)
    forget()
    yield
    forget()


# -- what each file costs ----------------------------------------------------------------------------------------------
def _spent() -> float:
    """Seconds of a processor, of this process and of all that it began and has waited for."""
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system + commands.spent()


_TOLD = 20
"""The dearest files, which are told."""


class Costs:
    """Sums what the phases of tests cost by file, and tells at the end which files cost more than they may."""

    def __init__(self) -> None:
        self.last = _spent()
        self.files: dict[str, float] = defaultdict(float)

    def pytest_collection_finish(self) -> None:
        self.last = _spent()  # what is imported by all is no file's own

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(self) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        report = yield
        now = _spent()
        report.cost, self.last = now - self.last, now  # type: ignore[attr-defined]  # goes with it to the main process
        return report

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self.files[report.location[0].removeprefix("tests/")] += getattr(report, "cost", 0)

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """A warning and no failure: a busy machine may double what is measured, and an empty cache adds to it."""
        if not self.files:
            return
        terminalreporter.section(f"{sum(self.files.values()):.0f} seconds of a processor")
        dearest = sorted(self.files.items(), key=lambda item: -item[1])
        terminalreporter.line("  ".join(f"{name} {cost:.0f}" for name, cost in dearest[:_TOLD]))
        for name, cost in dearest:
            may = BUDGETS.get(name, OTHERS)
            if cost > OVERDRAFT * may:
                told = f"WARNING: {name} took {cost:.0f} s, and may take {may}: see tests/budgets.py"
                terminalreporter.line(told, red=True)


def pytest_configure(config: pytest.Config) -> None:
    if "deep" not in config.option.markexpr.replace("not deep", ""):  # what is deep has no budget
        config.pluginmanager.register(Costs(), "costs")
