"""What a check found, in plain data: what the files for other programs (JUnit, SARIF, Markdown) are made from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from uncork.core.property import Property
from uncork.core.system import System
from uncork.core.trace import Trace

MODEL = "model"
"""What a finding is about that is about no property: covers, counts, engines that disagree."""


@dataclass(frozen=True)
class Place:
    """Where something is defined, and what it is."""

    file: Path
    line: int
    what: str


@dataclass(frozen=True)
class Run:
    """A counterexample, with the place where each of its steps is decided."""

    system: System
    prop: Property
    trace: Trace
    shortest: bool
    places: tuple[Place, ...]


@dataclass(frozen=True)
class Problem:
    """What is not as expected: the name of its exit code, and a sentence."""

    kind: str
    message: str

    @property
    def refutes(self) -> bool:
        """Whether it is a refutation that nobody expected."""
        return self.kind in ("safety", "liveness")


@dataclass(frozen=True)
class Case:
    """One verdict: `refuted 28+0`, what was expected of it or nothing, what is known besides, what is wrong with it."""

    property: str
    verdict: str
    expected: str
    why: str = ""
    problems: tuple[Problem, ...] = ()
    run: Run | None = None


@dataclass(frozen=True)
class InstanceResult:
    """One instance: its verdicts, what is wrong with the model itself, the size of the search, where it is defined."""

    name: str
    cases: tuple[Case, ...]
    model: tuple[Problem, ...]
    states: int
    depth: int
    seconds: float
    place: Place
    related: tuple[Place, ...] = ()


@dataclass(frozen=True)
class Results:
    """All of it. `unchecked` are the instances that an interruption left out, `root` where the user's files are.

    `installed` is where the files of the catalogue are, and `notes` are sentences about what was asked.
    """

    version: str
    rules: Mapping[str, str]
    told: tuple[InstanceResult, ...]
    unchecked: tuple[str, ...]
    summary: str
    exit: int
    root: Path
    installed: Path = Path("/nowhere")
    notes: tuple[str, ...] = ()
