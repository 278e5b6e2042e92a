"""Who may import whom. The table is the architecture; the rest of this file reads the imports and holds them to it."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGES = [ROOT / "checker" / "uncork", ROOT / "model" / "uncork_nvme", ROOT / "properties" / "uncork_properties"]
OURS = {package.name for package in PACKAGES}

MAY_IMPORT = {
    "uncork.core": ["uncork.core"],
    "uncork.engines": ["uncork.core", "uncork.engines"],
    "uncork.conform.rig": ["uncork.core", "uncork_nvme", "uncork.conform.rig"],
    "uncork.export.command": ["uncork", "uncork_nvme", "uncork_properties"],
    "uncork.export": ["uncork.core", "uncork.export"],
    "uncork.render": ["uncork.core", "uncork.render", "uncork.engines:"],
    "uncork_nvme": ["uncork.core", "uncork_nvme"],
    "uncork_properties": ["uncork.core", "uncork_nvme", "uncork_properties"],
}
"""By layer, the layers it may import; a colon at the end: from that package itself, and nothing inside it.

`uncork.conform.rig` drives a real device, so it has to know NVMe; not what is to hold.

What stands in `uncork` beside these (the command line and what it needs) may import everything.
"""

ONLY_UNDER = {
    **{library: ["uncork.engines"] for library in ("z3", "cvc5", "numpy", "numba", "scipy", "llvmlite", "networkx")},
    "rich": ["uncork.render", "uncork.cli"],
    "textual": ["uncork.explore.screens"],
    "junitparser": ["uncork.render.ci.junit"],
    "watchfiles": ["uncork.check.watch"],
    "jinja2": ["uncork.render"],
    "distributed": ["uncork.sweep.workers"],
}
"""Libraries, and the layers that may import them."""


def imports(source: str, module: str, *, package: bool = False) -> Iterator[str]:
    """The modules that a source imports, at its top or anywhere inside; names of ours as `module:name`."""
    here = module.split(".") if package else module.split(".")[:-1]
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = here[: len(here) - node.level + 1] if node.level else []
            origin = ".".join([*above, *([node.module] if node.module else [])])
            yield from (f"{origin}:{alias.name}" for alias in node.names)


def breaches(source: str, module: str, *, package: bool = False) -> list[str]:
    """The imports of a module that the tables do not allow."""
    layer = next((layer for layer in MAY_IMPORT if within(module, layer)), None)
    found = []
    for imported in imports(source, module, package=package):
        origin, _, name = imported.partition(":")
        top = origin.partition(".")[0]
        if top in OURS and layer:
            if not any(allows(rule, origin, name) for rule in MAY_IMPORT[layer]):
                found.append(imported)
        elif top in ONLY_UNDER and not any(within(module, under) for under in ONLY_UNDER[top]):
            found.append(imported)
    return found


def within(module: str, layer: str) -> bool:
    return module == layer or module.startswith(f"{layer}.")


def allows(rule: str, origin: str, name: str) -> bool:
    if rule.endswith(":"):
        return origin == rule[:-1] and not is_module(f"{origin}.{name}")
    return within(origin, rule) or within(f"{origin}.{name}", rule)


def is_module(dotted: str) -> bool:
    top, *rest = dotted.split(".")
    path = next(p for p in PACKAGES if p.name == top).joinpath(*rest)
    return path.is_dir() or path.with_suffix(".py").is_file()


MODULES = {
    ".".join(path.relative_to(package.parent).with_suffix("").parts).removesuffix(".__init__"): path
    for package in PACKAGES
    for path in sorted(package.rglob("*.py"))
}


@pytest.mark.parametrize("module", MODULES)
def test_imports_keep_to_the_table(module: str) -> None:
    path = MODULES[module]
    assert breaches(path.read_text(), module, package=path.name == "__init__.py") == []


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("uncork.core.expr", "from uncork.engines import Budget"),
        ("uncork.core.expr", "from .. import engines"),
        ("uncork.core.expr", "from uncork import engines"),
        ("uncork.core.expr", "def f():\n    import numpy.typing"),
        ("uncork.engines.bmc", "from uncork_nvme.state.machine import SQ"),
        ("uncork.engines.bmc", "from rich import print"),
        ("uncork.render.terminal.text", "from uncork.engines.explicit import check"),
        ("uncork.render.terminal.text", "from uncork.engines import explicit"),
        ("uncork.render.terminal.text", "import uncork_nvme"),
        ("uncork_nvme.steps.guest", "from uncork.engines import Budget"),
        ("uncork_nvme.steps.guest", "import uncork.cli"),
        ("uncork_properties.catalogue", "from uncork.render import text"),
        ("uncork_properties.catalogue", "from z3 import Solver"),
        ("uncork.decide.gate", "import rich"),
        ("uncork.explore.journey", "from textual.app import App"),
        ("uncork.check.once", "from watchfiles import watch"),
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
        ("uncork_properties.catalogue", "from uncork_nvme.state.machine import SQ"),
        ("uncork.decide.many", "from uncork.engines import explicit\nimport uncork_properties.catalogue"),
        ("uncork.cli", "import rich"),
        ("uncork.explore.screens", "from textual.app import App"),
    ],
)
def test_and_only_a_breach(module: str, source: str) -> None:
    assert breaches(source, module) == []


def test_the_command_line_starts_without_any_engine() -> None:
    """`uncork --help` must not wait for the libraries that engines need, and `uncork explore`."""
    heavy = sorted(library for library, layers in ONLY_UNDER.items() if "uncork.cli" not in layers)
    code = f"import sys, uncork.cli; print([m for m in {heavy} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
