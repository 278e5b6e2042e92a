"""The results of a check as plain data, from which JUnit, SARIF and Markdown files are made."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from uncork.core.causes.cause import Cause, cause
from uncork.core.property import Property
from uncork.core.system import System
from uncork.core.trace import Trace

MODEL = "model"
"""The subject of findings about no property: covers, counts, engines that disagree."""


@dataclass(frozen=True)
class Place:
    """The file and line where something is defined, and its name."""

    file: Path
    line: int
    what: str


@dataclass(frozen=True)
class Run:
    """A counterexample, with the place that decides each of its steps."""

    system: System
    prop: Property
    trace: Trace
    shortest: bool
    places: tuple[Place, ...]

    @cached_property
    def cause(self) -> Cause:
        """Why the run refutes the property."""
        return cause(self.system, self.prop, self.trace)


@dataclass(frozen=True)
class Problem:
    """An unexpected result: the name of its exit code, and a sentence."""

    kind: str
    message: str

    @property
    def refutes(self) -> bool:
        """Whether this is an unexpected refutation."""
        return self.kind in ("safety", "liveness")


@dataclass(frozen=True)
class Case:
    """One verdict (`refuted 28+0`), the expected one if any, details, and what is wrong with the verdict."""

    property: str
    verdict: str
    expected: str
    why: str = ""
    problems: tuple[Problem, ...] = ()
    run: Run | None = None


@dataclass(frozen=True)
class InstanceResult:
    """One instance: its verdicts, problems of the model itself, the size of the search, and where it is defined."""

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
    """All results. `unchecked` are the instances left out by an interruption, `root` is the folder of the user's files.

    `installed` is the folder of the catalogue's files. `notes` are sentences about the options.
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
