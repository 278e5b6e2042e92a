"""The gate: compares verdicts with the expected ones and gives the exit code."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from uncork_properties.expected import OPEN, Expected, cell

from uncork.core.frozen import frozen
from uncork.core.verdict import Open, Proved, Refuted
from uncork.decide.exits import Exit
from uncork.decide.one import Checked

_SEVEREST = (
    Exit.INTERRUPTED,
    Exit.INTERNAL,
    Exit.HARNESS,
    Exit.DISAGREE,
    Exit.REPLAY,
    Exit.SAFETY,
    Exit.LIVENESS,
    Exit.CHANGED,
    Exit.VACUOUS,
    Exit.OPEN,
)


@frozen
class Finding:
    """An unexpected result.

    `exit` is its exit code, `property` is None if the finding concerns the whole instance, `message` is a sentence.
    """

    exit: Exit
    instance: str
    property: str | None
    message: str


def worst(codes: Iterable[Exit]) -> Exit:
    """Returns the most severe of some exit codes."""
    codes = set(codes)
    return next((code for code in _SEVEREST if code in codes), Exit.AS_EXPECTED)


def judge(checked: Checked, expected: Expected | None) -> list[Finding]:
    """Returns the unexpected results. Without expectations, every property has to be proved and every cover reached.

    Properties that an expectation leaves out are not compared. Covers that it does not name have to be reached.
    """
    name, outcome = checked.instance.name, checked.outcome
    found = [Finding(Exit.DISAGREE, name, None, f"engines disagree: {each}") for each in checked.disagreements]
    for row in checked.rows:
        wanted = expected.verdicts.get(row.property) if expected else "proved"
        if wanted is None:
            continue
        steps, loop = row.verdict.steps
        got = cell(row.verdict.word, steps, loop)
        if isinstance(row.verdict, Open):
            if wanted != OPEN or not _cut_short(checked):
                message = f"open to depth {row.verdict.depth}: {row.verdict.reason}"
                found.append(Finding(Exit.OPEN, name, row.property, message))
        elif isinstance(row.verdict, Refuted) and wanted in ("proved", OPEN):
            code = Exit.SAFETY if row.property == "safety" else Exit.LIVENESS
            found.append(Finding(code, name, row.property, f"{got} steps ({row.name}), expected {wanted}"))
        elif isinstance(row.verdict, Proved) and wanted != "proved":
            found.append(Finding(Exit.CHANGED, name, row.property, f"proved, expected {wanted}"))
        elif " " in wanted and got != wanted:
            found.append(Finding(Exit.CHANGED, name, row.property, f"{got} steps, expected {wanted}"))
    if outcome.unreached is not None:
        lacking = set(outcome.unreached) - (expected.unreached if expected else set())
        if lacking:
            message = f"vacuous: no run {', or '.join(sorted(lacking))}"
            found.append(Finding(Exit.VACUOUS, name, None, message))
        if expected and outcome.states:
            for what, wanted_count, count in (
                ("states", expected.states, outcome.states),
                ("depth", expected.depth, outcome.depth),
            ):
                if wanted_count is not None and wanted_count != count:
                    message = f"{count:,} {what}, expected {wanted_count:,}"
                    found.append(Finding(Exit.CHANGED, name, None, message))
    return found


def _cut_short(checked: Checked) -> bool:
    """Returns whether the search ended at a variable out of range, which has no next value."""
    return any(row.property == "safety" and isinstance(row.verdict, Refuted) for row in checked.rows)


def as_json(checked: Checked) -> list[Mapping[str, Any]]:
    """Returns an object for every row.

    `seconds` is the time for the whole instance. `unreached` is null if the search did not end.
    """
    instance, outcome = checked.instance, checked.outcome
    rows: list[Mapping[str, Any]] = []
    for row in checked.rows:
        steps, loop = row.verdict.steps
        rows.append(
            {
                **instance.parts,
                "property": row.property,
                "verdict": row.verdict.word,
                "states": outcome.states,
                "transitions": outcome.transitions,
                "depth": outcome.depth,
                "trace_steps": steps,
                "loop_steps": loop,
                "engine": outcome.engine,
                "seconds": round(outcome.seconds, 3),
                "unreached": None if outcome.unreached is None else list(outcome.unreached),
            }
        )
    return rows
