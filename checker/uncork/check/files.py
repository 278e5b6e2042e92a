"""Writes the files of `uncork check` for other programs, from the same results as its table."""

from __future__ import annotations

import importlib
import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

import uncork_nvme
from uncork_properties.catalogue import ROWS, properties
from uncork_properties.expected import cell

from uncork import __version__
from uncork.check import places
from uncork.check.show import Report
from uncork.command.options import write
from uncork.core.verdict import Open, Proved, Refuted, Verdict
from uncork.decide.exits import Exit
from uncork.decide.gate import Finding, as_json
from uncork.decide.one import Checked, Row
from uncork.render import ci
from uncork.render.ci.results import MODEL, Case, InstanceResult, Problem, Results, Run

_MODEL = "The model corks, uncorks, wraps, fills, rings and elides; its counts are as recorded; engines agree on it."


def write_all(files: Mapping[str, str], report: Report, found: Sequence[Checked], code: Exit) -> None:
    """Writes a file for every format in `outputs`."""
    if "json" in files:
        rows = [row for checked in found for row in as_json(checked)]
        write(files["json"], json.dumps(rows, indent=1) + "\n")
    others = [name for name in ci.FORMATS if name in files]
    if others:
        results = gather(report, found, code)
        for name in others:
            write(files[name], importlib.import_module(f"uncork.render.ci.{name}").dumps(results))


def gather(report: Report, found: Sequence[Checked], code: Exit) -> Results:
    """Returns the results as plain data. `code` is the exit code of the command."""
    interrupted = code is Exit.INTERRUPTED
    findings = {checked.instance.name: report.findings(checked, interrupted=interrupted) for checked in found}
    return Results(
        version=__version__,
        rules={**ROWS, MODEL: _MODEL},
        told=tuple(_told(report, checked, findings[checked.instance.name]) for checked in found),
        unchecked=tuple(each.name for each in report.asked if each.name not in findings),
        summary=report.summary(found, [finding for each in findings.values() for finding in each]),
        exit=int(code),
        root=_root(Path.cwd()),
        installed=Path(uncork_nvme.__file__).resolve().parents[1],
        notes=tuple(report.notes),
    )


def _root(folder: Path) -> Path:
    """Returns the root of the repository that contains a folder; the folder itself if it is in no repository.

    On a GitHub runner this is the workspace, even in a submodule or in a checkout without `.git`.
    """
    above = (folder, *folder.parents)
    here = next((each for each in above if (each / ".git").exists()), None)
    workspace = os.environ.get("GITHUB_WORKSPACE")
    space = Path(workspace).resolve() if workspace else None
    if space in above and (here is None or (space / ".git").exists()):
        return space
    return here or folder


def _told(report: Report, checked: Checked, findings: Sequence[Finding]) -> InstanceResult:
    place, related = places.of_instance(checked.instance)
    expected = report.expectation(checked)
    cases = []
    for row in checked.rows:
        problems = tuple(_problem(finding) for finding in findings if finding.property == row.property)
        cases.append(
            Case(
                property=row.property,
                verdict=cell(row.verdict.word, *row.verdict.steps),
                expected=expected.verdicts.get(row.property, "") if expected else "proved",
                why=_why(row.verdict),
                problems=problems,
                run=_run(checked, row) if problems else None,
            )
        )
    return InstanceResult(
        name=checked.instance.name,
        cases=tuple(cases),
        model=tuple(_problem(finding) for finding in findings if finding.property is None),
        states=checked.outcome.states,
        depth=checked.outcome.depth,
        seconds=checked.outcome.seconds,
        place=place,
        related=tuple(related),
    )


def _problem(finding: Finding) -> Problem:
    return Problem(finding.exit.name.lower(), finding.message)


def _why(verdict: Verdict) -> str:
    match verdict:
        case Proved(how):
            return how
        case Open(reason, depth):
            return f"to depth {depth}: {reason}"
        case Refuted():
            return ""


def _run(checked: Checked, row: Row) -> Run | None:
    if not isinstance(row.verdict, Refuted):
        return None
    instance, trace = checked.instance, row.verdict.trace
    prop = next(p for p in properties(instance.machine, instance.system) if p.name == row.name)
    return Run(instance.system, prop, trace, row.verdict.shortest, tuple(places.of_steps(instance, trace)))
