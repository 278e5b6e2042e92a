"""Writes the folder of counterexamples: each refuted row of the default matrix as ITF and as text.

Rows with equal systems share a file, and so do properties that the same run refutes.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path

from uncork.core.causes.cause import cause
from uncork.core.trace import Trace
from uncork.core.verdict import Refuted
from uncork.decide import many
from uncork.decide.one import Checked, Row
from uncork.render import itf
from uncork.render.terminal.trace import trace_text
from uncork_nvme.instance import Instance
from uncork_properties import expected
from uncork_properties.catalogue import properties

from pages import ROOT

_HEAD = """# Counterexamples

Each run that refutes a property in the default matrix has a text file to read, and an ITF JSON file for tools.
`uncork trace FILE` prints and replays it. Every run here has been replayed. Instances that are the same machine share a
file. `make counterexamples` writes this folder.

"""


def generate(folder: Path, instances: Sequence[Instance] | None = None) -> None:
    """Writes the folder for `instances` (default: the default matrix), and replaces the old folder in one move."""
    with tempfile.TemporaryDirectory(dir=folder.parent) as scratch:
        made = Path(scratch) / "made"
        made.mkdir()
        if instances is None:
            instances = [instance for instance, _ in expected.default().values()]
        (made / "README.md").write_text(_HEAD + "".join(_write(made, many.check(instances))))
        if folder.exists():
            shutil.move(folder, Path(scratch) / "before")
        shutil.move(made, folder)


def _write(folder: Path, found: Iterable[Checked]) -> list[str]:
    names: dict[tuple[str, str], str] = {}
    told: dict[str, str] = {}
    same: dict[str, list[str]] = {}
    for checked in found:
        instance = checked.instance
        mark = many.fingerprint(instance)
        for trace, rows in _runs(checked.rows):
            key = (mark, ",".join(row.property for row in rows))
            if key not in names:
                names[key] = name = _file_name(instance, rows)
                told[name] = _write_one(folder, name, instance, trace, rows)
            same.setdefault(names[key], []).append(instance.name)
    return [
        f"- [{name}]({name}.txt): {sentence}\n"
        + (f"  The same in: {', '.join(same[name][1:])}.\n" if len(same[name]) > 1 else "")
        for name, sentence in told.items()
    ]


def _runs(rows: Iterable[Row]) -> list[tuple[Trace, list[Row]]]:
    """The runs that refute a property, each with the rows that it refutes."""
    runs: list[tuple[Trace, list[Row]]] = []
    for row in rows:
        if isinstance(row.verdict, Refuted):
            trace = row.verdict.trace
            known = next((refuted for run, refuted in runs if run == trace), None)
            if known is not None:
                known.append(row)
            else:
                runs.append((trace, [row]))
    return runs


def _file_name(instance: Instance, rows: list[Row]) -> str:
    return f"{instance.device}-{instance.guest}-{instance.policy}-{instance.shape}-{rows[0].property}"


def _write_one(folder: Path, name: str, instance: Instance, trace: Trace, rows: list[Row]) -> str:
    assert isinstance(rows[0].verdict, Refuted)
    shortest = rows[0].verdict.shortest
    found = properties(instance.machine, instance.system)
    prop = next(p for p in found if p.name == rows[0].name)
    meta = {"instance": instance.name, "refutes": [row.name for row in rows], "shortest": shortest}
    (folder / f"{name}.itf.json").write_text(itf.dumps(trace, meta))
    (folder / f"{name}.txt").write_text(trace_text(instance.name, instance.system, prop, trace, shortest=shortest))
    loop = f", then a loop of {trace.loop_steps}" if trace.loop_steps else ""
    refuted = ", ".join(row.property for row in rows)
    return f"{trace.stem} steps{loop}. {cause(instance.system, prop, trace).text} Refutes {refuted}."


def make() -> None:
    """Writes the repository's folder."""
    generate(ROOT / "counterexamples")
