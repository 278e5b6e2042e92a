"""Who may import whom. The table is the architecture; the rest of this file reads the imports and holds them to it."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Collection, Iterator, Mapping
from functools import cache
from graphlib import CycleError, TopologicalSorter

import pytest
from repository import ROOT
from uncork.cli import _COMMANDS

PACKAGES = [
    *(ROOT / "checker" / "uncork", ROOT / "model" / "uncork_nvme", ROOT / "properties" / "uncork_properties"),
    ROOT / "website" / "pages",
]
OURS = {package.name for package in PACKAGES}

_SAID = ["uncork.core", "uncork_nvme", "uncork_properties"]
"""The language, and what is said in it: the machine, and what must hold of it."""
_DECIDED = [*_SAID, "uncork.engines", "uncork.decide"]
MAY_IMPORT: dict[str, list[str]] = {
    "uncork": [],
    "uncork.core": [],
    "uncork.engines": ["uncork.core"],
    "uncork.export": ["uncork.core"],
    "uncork_nvme": ["uncork.core"],
    "uncork.conform.rig": ["uncork.core", "uncork_nvme"],
    "uncork.render": ["uncork.core", "uncork.engines:"],
    "uncork.logs": ["uncork.core", "uncork_nvme"],
    "uncork_properties": ["uncork.core", "uncork_nvme"],
    "uncork.describe": [*_SAID, "uncork.render"],
    "uncork.measure": [*_SAID, "uncork.engines", "uncork.render"],
    "uncork.trace": [*_SAID, "uncork.engines", "uncork.render", "uncork.logs"],
    "uncork.validate": [*_SAID, "uncork.engines", "uncork.render", "uncork.logs"],
    "uncork.decide": [*_SAID, "uncork.engines"],
    "uncork.command": [*_DECIDED, "uncork.render"],
    "uncork.conform.harness": [*_DECIDED, "uncork.render", "uncork.command", "uncork.conform.rig"],
    "uncork.conform": [*_DECIDED, "uncork.render", "uncork.conform.harness", "uncork.conform.rig"],
    "uncork.cost": [*_DECIDED, "uncork.render"],
    "uncork.museum": [*_DECIDED, "uncork.render"],
    "uncork.sweep": [*_DECIDED, "uncork.render", "uncork:"],
    "uncork.check": [*_DECIDED, "uncork.render", "uncork.command", "uncork:"],
    "uncork.prove": [*_DECIDED, "uncork.render", "uncork.command", "uncork:"],
    "uncork.explore": [*_SAID, "uncork.render", "uncork.command", "uncork.trace"],
    "uncork.report": [
        *_DECIDED,
        "uncork.render",
        "uncork.cost",
        "uncork.measure",
        "uncork.museum",
        "uncork.trace",
        "uncork:",
    ],
    "uncork.verify": [],
    "uncork.new": [],
    "uncork.design": [*_DECIDED, "uncork.render", "uncork.cost", "uncork.prove"],
}
"""By package, the others that it may import, which all stand above it. A part with a row of its own is another package.

A colon at the end: what stands in that package itself, and nothing inside it.

`uncork.conform.rig` drives a real device, so it has to know NVMe; not what is to hold, nor any engine.
"""
_OTHERS = {
    "uncork.conform": ["uncork.conform.rig", "uncork.conform.harness"],
    "uncork.trace": ["uncork.logs", "uncork.sweep"],
    "uncork.validate": ["uncork.logs"],
    "uncork.report": ["uncork.museum", "uncork.trace"],
    "uncork.verify": ["uncork.check", "uncork.prove"],
}
_ASKED = [*dict.fromkeys(f"uncork.{place.package}" for place in _COMMANDS.values())]
COMMANDS = {
    f"{package}.command": [package, "uncork.command", *_DECIDED, "uncork.render", *_OTHERS.get(package, [])]
    for package in _ASKED
}
"""A command line may import what it is the command line of, what commands share and, by `_OTHERS`, what else it uses.

Nothing imports a command line: `uncork.cli` loads it by name.
"""
TABLE = MAY_IMPORT | COMMANDS
TABLE |= {
    "uncork.cli": [*COMMANDS, *_SAID, "uncork.export", "uncork.decide", "uncork.command", "uncork:"],
    "uncork.__main__": ["uncork.cli"],
    "uncork.api": [
        *_DECIDED,
        *(f"uncork.{each}" for each in ("design", "logs", "measure", "prove", "render", "validate")),
    ],
    "pages": ["uncork", *MAY_IMPORT],
}
LEVELS = 9
"""So many packages import one another in a row at most, from the language to the group of commands."""

ONLY_UNDER = {
    **{library: ["uncork.engines"] for library in ("z3", "cvc5", "numpy", "numba", "scipy", "llvmlite", "networkx")},
    "rich": ["uncork.render.terminal"],
    "textual": ["uncork.explore.screens"],
    "junitparser": ["uncork.render.ci.junit"],
    "watchfiles": ["uncork.check.watch"],
    "jinja2": ["uncork.render.html"],
    "distributed": ["uncork.sweep.workers"],
    "sqlite3": ["uncork.sweep.store"],
    "matplotlib": ["uncork.design.show_front", "uncork.measure.show"],
}
"""Libraries, and the layers that may import them."""

CROWD = 12
"""Modules in a folder, besides `__init__` and `__main__`."""


# -- what there is -----------------------------------------------------------------------------------------------------
MODULES = {
    ".".join(path.relative_to(package.parent).with_suffix("").parts).removesuffix(".__init__"): path
    for package in PACKAGES
    for path in sorted(package.rglob("*.py"))
}


def imports(source: str, module: str, *, package: bool = False, run: bool = False) -> Iterator[str]:
    """The modules that a source imports, at its top or anywhere inside; names of ours as `module:name`.

    With `run` only what it needs to run: not what is imported under `if TYPE_CHECKING`.
    """
    here = module.split(".") if package else module.split(".")[:-1]
    tree = ast.parse(source)
    nodes = list(ast.walk(tree))
    typed = [node for node in nodes if isinstance(node, ast.If) and getattr(node.test, "id", "") == "TYPE_CHECKING"]
    skipped = {inner for node in typed for inner in ast.walk(node)} if run else set()
    for node in nodes:
        if node in skipped:
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = here[: len(here) - node.level + 1] if node.level else []
            origin = ".".join([*above, *([node.module] if node.module else [])])
            yield from (f"{origin}:{alias.name}" for alias in node.names)


def within(module: str, layer: str) -> bool:
    return module == layer or module.startswith(f"{layer}.")


@cache
def row(module: str) -> str | None:
    """The row that a module is under: the closest. What stands in `uncork` itself has to have one of its own."""
    rows = [name for name in TABLE if within(module, name) and (name != "uncork" or module == name)]
    return max(rows, key=len, default=None)


def meant(imported: str) -> str:
    """The module that an import is of; `uncork.core:sorts` is `uncork.core.sorts`."""
    origin, _, name = imported.partition(":")
    inner = f"{origin}.{name}"
    return inner if name and is_module(inner) else origin


@cache
def is_module(dotted: str) -> bool:
    return dotted in MODULES or any(within(module, dotted) for module in MODULES)


# -- imports keep to the table -----------------------------------------------------------------------------------------
def breaches(source: str, module: str, *, package: bool = False) -> list[str]:
    """The imports of a module that the tables do not allow."""
    mine, found = row(module), []
    for imported in imports(source, module, package=package):
        top = imported.partition(":")[0].partition(".")[0]
        if top in OURS:
            its = row(meant(imported))
            exactly = f"{meant(imported)}:" in TABLE.get(mine or "", [])
            if mine is None or its is None or (its != mine and its not in TABLE[mine] and not exactly):
                found.append(imported)
        elif top in ONLY_UNDER and not any(within(module, under) for under in ONLY_UNDER[top]):
            found.append(imported)
    return found


@pytest.mark.parametrize("module", MODULES)
def test_imports_keep_to_the_table(module: str) -> None:
    path = MODULES[module]
    assert row(module), "it is under no row"
    assert breaches(path.read_text(), module, package=path.name == "__init__.py") == []


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("uncork.core.expr", "from uncork.engines import Budget"),
        ("uncork.core.expr", "from .. import engines"),
        ("uncork.core.expr", "from uncork import engines"),
        ("uncork.core.expr", "def f():\n    import numpy.typing"),
        ("uncork.engines.bmc", "from uncork_nvme.state.machine import Machine"),
        ("uncork.engines.bmc", "from rich import print"),
        ("uncork.render.terminal.text", "from uncork.engines.explicit import check"),
        ("uncork.render.terminal.text", "from uncork.engines import explicit"),
        ("uncork.render.terminal.text", "import uncork_nvme"),
        ("uncork.render.story", "import rich"),
        ("uncork.logs.write", "from uncork.validate.follow import parts"),
        ("uncork.logs.write", "from uncork import validate"),
        ("uncork.export.tla", "from uncork_nvme.instance import from_name"),
        ("uncork.conform.rig.driver", "from uncork.conform.harness.player import Player"),
        ("uncork.conform.rig.driver", "from uncork.engines.follow import TooManyStates"),
        ("uncork.cost.exact", "from uncork.command.options import write"),
        ("uncork.cost.show", "from uncork.measure.show import table"),
        ("uncork.trace.runs", "from uncork.trace.command import trace"),
        ("uncork.trace.runs", "from uncork.trace import command"),
        ("uncork.check.command", "from uncork.sweep.store import Store"),
        ("uncork.decide.gate", "from uncork import cli"),
        ("uncork.decide.gate", "import rich"),
        ("uncork.explore.journey", "from textual.app import App"),
        ("uncork.check.once", "from watchfiles import watch"),
        ("uncork.flat", "import uncork.core"),
        ("uncork.core.sorts", "import pages"),
        ("uncork_nvme.parts.guest", "from uncork.engines import Budget"),
        ("uncork_nvme.parts.guest", "import uncork.cli"),
        ("uncork_properties.catalogue", "from uncork.render import story"),
        ("uncork_properties.catalogue", "from z3 import Solver"),
        ("pages.costs", "from uncork.cost.command import cost"),
    ],
)
def test_a_breach_is_seen(module: str, source: str) -> None:
    assert breaches(source, module)


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("uncork.core.expr", "from .sorts import Bool\nimport ast"),
        ("uncork.core.expr", "from uncork.core import sorts"),
        (
            "uncork.engines.explicit.native",
            "import llvmlite.binding as llvm\nfrom uncork.engines.explicit.layout import low",
        ),
        ("uncork.render.terminal.text", "from uncork.engines import Progress\nfrom rich.text import Text"),
        ("uncork_properties.catalogue", "from uncork_nvme.state.queues import SQ"),
        ("uncork.decide.many", "from uncork.engines import explicit\nimport uncork_properties.catalogue"),
        ("uncork.trace.command", "from uncork.trace import runs\nfrom uncork.sweep.store import Store"),
        ("uncork.sweep.store", "from uncork import __version__\nimport sqlite3"),
        ("uncork.explore.screens", "from textual.app import App"),
        ("pages.costs", "from uncork.cost.exact import costs\nfrom pages import readme"),
    ],
)
def test_an_allowed_import_is_no_breach(module: str, source: str) -> None:
    assert breaches(source, module) == []


def test_the_checker_of_certificates_knows_nothing_of_the_engine() -> None:
    module = "uncork.engines.certify"
    ours = {i.partition(":")[0] for i in imports(MODULES[module].read_text(), module) if i.partition(".")[0] in OURS}
    assert {name for name in ours if not name.startswith("uncork.core.")} == {"uncork.engines.python"}


def test_every_command_has_a_folder_with_a_command_line() -> None:
    assert {module for module in MODULES if module.split(".")[2:] == ["command"]} == set(COMMANDS)


# -- no import runs back up --------------------------------------------------------------------------------------------
def backwards(table: Mapping[str, Collection[str]]) -> list[tuple[str, str]]:
    """The rows that allow what does not stand above them."""
    order = list(table)
    return [
        (name, other)
        for number, name in enumerate(order)
        for other in (each.removesuffix(":") for each in table[name])
        if other not in order[:number]
    ]


def levels(table: Mapping[str, Collection[str]]) -> int:
    """The length of the longest row of packages each of which may import the one before."""
    found: dict[str, int] = {}
    for name in TopologicalSorter({name: [o.removesuffix(":") for o in table[name]] for name in table}).static_order():
        found[name] = 1 + max((found[other.removesuffix(":")] for other in table[name]), default=0)
    return max(found.values())


def test_no_row_allows_what_stands_below_it() -> None:
    assert backwards(TABLE) == []


@pytest.mark.parametrize(
    "table", [{"high": ["low"], "low": []}, {"one": [], "two": ["three"], "three": ["one"]}, {"one": ["one"]}]
)
def test_a_row_that_runs_back_up_is_seen(table: dict[str, list[str]]) -> None:
    assert backwards(table)


def test_there_are_few_levels() -> None:
    assert levels({name: TABLE[name] for name in TABLE if name not in ("pages", "uncork.__main__")}) <= LEVELS


def test_levels_are_counted() -> None:
    assert levels({"one": [], "two": ["one"], "other": [], "three": ["other", "two:"]}) == 3


# -- no circle, and no crowd -------------------------------------------------------------------------------------------
def graph() -> dict[str, set[str]]:
    """The modules, each with those that it needs to run. A part names the machine, which has parts: types only."""
    found = {}
    for module, path in MODULES.items():
        names = imports(path.read_text(), module, package=path.name == "__init__.py", run=True)
        found[module] = {meant(each) for each in names if each.partition(":")[0].partition(".")[0] in OURS} - {module}
    return found


def circle(modules: Mapping[str, Collection[str]]) -> list[str]:
    """Modules that import one another in a circle; none if there is none."""
    try:
        TopologicalSorter(modules).prepare()
    except CycleError as error:
        return list(error.args[1])
    return []


def test_no_module_needs_one_that_needs_it() -> None:
    assert circle(graph()) == []


@pytest.mark.parametrize(
    "modules", [{"a": ["b"], "b": ["a"]}, {"a": ["b"], "b": ["c"], "c": ["d", "a"], "d": []}, {"a": ["a"]}]
)
def test_a_circle_is_seen(modules: dict[str, list[str]]) -> None:
    assert circle(modules)


def crowds(modules: Collection[str]) -> list[str]:
    """The folders with more modules than a folder is to have."""
    folders: dict[str, int] = {}
    for module in modules:
        folder, _, name = module.rpartition(".")
        if name != "__main__" and module not in {each.rpartition(".")[0] for each in modules}:
            folders[folder] = folders.get(folder, 0) + 1
    return [folder for folder, number in folders.items() if number > CROWD]


def test_no_folder_is_crowded() -> None:
    assert crowds(MODULES) == []


@pytest.mark.parametrize("folder", ["uncork", "uncork.check", "uncork_nvme"])
def test_a_crowd_is_seen(folder: str) -> None:
    more = [f"{folder}.more{number}" for number in range(CROWD + 1)]
    assert crowds([folder, *more]) == [folder]
    assert crowds([folder, *more[1:], f"{folder}.__main__", f"{folder}.inner", f"{folder}.inner.one"]) == []


# -- starting up -------------------------------------------------------------------------------------------------------
def test_the_command_line_starts_without_any_engine() -> None:
    """`uncork --help` must not wait for the libraries that engines need, and `uncork explore`."""
    code = f"import sys, uncork.cli; print([m for m in {sorted(ONLY_UNDER)} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("command", sorted(_COMMANDS))
def test_the_help_of_a_command_waits_for_no_library(command: str) -> None:
    code = f"import sys, uncork.cli; uncork.cli._found({command!r}); print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert set(done.stdout.split()) & {*ONLY_UNDER, "multiprocessing", "concurrent.futures"} == set()
