"""Decides one instance; open if the work has to be abandoned."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace

from uncork_nvme.instance import Instance
from uncork_properties.catalogue import properties
from uncork_properties.expected import cell, deciding

from uncork.core.frozen import frozen
from uncork.core.property import Property
from uncork.core.verdict import Open, Proved, Refuted, Verdict
from uncork.decide.agreement import decide
from uncork.decide.patience import INTERRUPTED, patiently
from uncork.engines import Budget, Outcome, Progress, Stop


@frozen
class Row:
    """The verdict on one property over all SQs. `name` is the property of the deciding SQ, such as uncorked SQ1."""

    property: str
    name: str
    verdict: Verdict


@frozen
class Checked:
    """The verdicts on an instance."""

    instance: Instance
    rows: tuple[Row, ...]
    outcome: Outcome
    disagreements: tuple[str, ...] = ()


def cells(checked: Checked) -> dict[str, str]:
    """Returns the verdicts as a file of expectations has them, by property."""
    return {row.property: cell(row.verdict.word, *row.verdict.steps) for row in checked.rows}


def decisive(checked: Checked) -> Row | None:
    """Returns the refuted row that the cell of an instance speaks of (`expected.word`); None if no row is refuted."""
    name = deciding(cells(checked))
    return next((row for row in checked.rows if row.property == name), None)


@frozen
class Asked:
    """The question asked of every instance."""

    rows: tuple[str, ...]
    budget: Budget
    reductions: frozenset[str]
    engine: str
    threads: int


def one(
    instance: Instance, asked: Asked, report: Callable[[Progress], None], stopped: Callable[[], bool] = lambda: False
) -> Checked:
    """Returns the verdicts on an instance; all open if the work has to be abandoned."""
    last, started = Progress(0, 0, 0, 0, 0, 0), time.monotonic()

    def told(progress: Progress) -> None:
        nonlocal last
        last = progress
        report(progress)

    try:
        return patiently(lambda: _decided(instance, asked, told), asked.budget, stopped)
    except Stop as why:
        reason = str(why)
    except RecursionError:
        reason = "its expressions are nested too deeply"
    except MemoryError:
        reason = "there is no memory left"
    return unknown(instance, asked, reason, replace(last, seconds=time.monotonic() - started))


def unknown(instance: Instance, asked: Asked, reason: str, last: Progress) -> Checked:
    """Returns open verdicts for a search that was abandoned at this progress."""
    rows = tuple(Row(row, row, Open(reason, last.depth)) for row in asked.rows)
    stopped = INTERRUPTED if reason == INTERRUPTED else None
    outcome = Outcome(asked.engine, (), None, last.states, last.transitions, last.depth, last.seconds, stopped)
    return Checked(replace(instance), rows, outcome)


def _decided(instance: Instance, asked: Asked, report: Callable[[Progress], None]) -> Checked:
    wanted = [prop for prop in properties(instance.machine, instance.system) if prop.row in asked.rows]
    outcome, disagreements = decide(
        asked.engine, instance, wanted, asked.budget, report, asked.reductions, asked.threads
    )
    rows = tuple(_worst(row, outcome) for row in asked.rows)
    return Checked(replace(instance), rows, replace(outcome, verdicts=()), tuple(disagreements))


def _worst(row: str, outcome: Outcome) -> Row:
    """Returns the deciding verdict: a refutation, else an open one, else a proof.

    Of several refutations, the one that reaches its loop soonest; then the shortest loop.
    """

    def badness(item: tuple[Property, Verdict]) -> tuple[int, int, int]:
        verdict = item[1]
        match verdict:
            case Refuted(trace):
                return 0, trace.stem, trace.loop_steps
            case Open():
                return 1, 0, 0
            case Proved():
                return 2, 0, 0

    prop, verdict = min(((p, v) for p, v in outcome.verdicts if p.row == row), key=badness)
    return Row(row, prop.name, verdict)
