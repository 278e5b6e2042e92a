"""Prints a run of one design beside the same steps on another, A and B."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from uncork_nvme.instance import Instance

from uncork.core.causes.cause import Cause
from uncork.core.evaluate import State
from uncork.core.property import Property
from uncork.core.sorts import plain
from uncork.core.system import Action, System
from uncork.core.trace import Trace
from uncork.render import story
from uncork.render.terminal.text import Page
from uncork.render.terminal.trace import Said, end, show_lines
from uncork.trace.beside import Beside, End, Row

_OUTCOMES: dict[End, str] = {
    "same": "Both take the same steps, with the same values.",
    "ended": "In B the wait ends.",
    "stuck": "B waits for ever, too.",
    "open": "B still waits after these steps.",
    "holds": "In B the invariant holds.",
    "fails": "In B the invariant fails, too.",
}
_FEW = 3
"""Up to this many steps in a row that are the same are printed one by one."""


def show(to: Page, one: Instance, prop: Property, run: Trace, why: Cause, other: Instance, found: Beside,
         *, whole: bool = False) -> None:  # fmt: skip
    """Prints where two designs part, then their steps: those that differ under one another, marked A and B.

    Equal steps in a row are counted; if `whole`, they are printed.
    """
    to.fold(f"A  {one.name}: {prop.name} is refuted", "bold")
    to.fold(f"B  {other.name}", "bold")
    to.say()
    to.fold(f"A: {why.text}", "red")
    for words in sentences(one.system, found):
        to.fold(words, "green")
    to.say()
    show_lines(to, [*_Rows(one.system, other.system, found, run).said(whole=whole)])
    to.say()
    to.flow(["A at the end:", *end(one.system, run)])
    to.flow(["B at the end:", *end(other.system, found.run)])
    to.fold(f"({story.legend(one.system)})", "dim")
    if not whole:
        to.fold("--all prints the steps that both take, too.", "dim")


class _Rows:
    """The rows of two runs, and where they have come to."""

    def __init__(self, one: System, other: System, found: Beside, run: Trace) -> None:
        self.one, self.other, self.found, self.run = one, other, found, run
        self.width = len(str(max(len(run.steps), len(found.run.steps))))

    def said(self, *, whole: bool) -> Iterator[Said]:
        """Yields the lines to print."""
        first: State = self.run.states[0]
        second: State = self.found.run.states[0]
        taken, same, ended = 0, list[Said](), False
        for row in self.found.rows:
            taken += row.other is not None
            if row.kind == "same" and row.number and row.step:
                rings = set(story.turned(self.one, first, row.first)) & set(
                    story.turned(self.other, second, row.second)
                )
                same.append(self._line(" ", row.number, row.step, row.did, self.one, first, row.first, rings))
            else:
                yield from self._alike(same, whole=whole)
                same = []
                if row.kind == "on" and not ended:
                    yield from self._ending()
                    ended = True
                if row.number and row.step:
                    yield self._line("A", row.number, row.step, row.did, self.one, first, row.first)
                if row.other:
                    yield self._line("B", taken, row.other, row.other_did, self.other, second, row.second)
                elif row.step:
                    yield Said(f"B {'-':>{self.width}}", row.step.actor.strip(), f"waits: {row.why}", (), "green")
            first, second = row.first, row.second
        yield from self._alike(same, whole=whole)
        if not ended:
            yield from self._ending()

    def _ending(self) -> Iterator[Said]:
        if ending := story.ending(self.run):
            yield Said("A", "", ending, (), "red")

    def _alike(self, lines: list[Said], *, whole: bool) -> Iterator[Said]:
        if len(lines) <= _FEW or whole:
            yield from lines
            return
        yield Said(lines[0].sign, f"to {lines[-1].sign.strip()}", "both do the same", (), "dim")

    def _line(self, side: str, number: int, action: Action, did: str, system: System, before: State, after: State,
              only: set[str] | None = None) -> Said:  # fmt: skip
        rings = [ring for ring in story.turned(system, before, after) if only is None or ring in only]
        signs = [*story.moved(system, before, after), *story.signs(system, before, after)]
        style = {"A": "red", "B": "green"}.get(side, "")
        return Said(f"{side} {number:>{self.width}}", action.actor.strip(), did, (*rings, *signs), style)


def sentences(system: System, found: Beside) -> Iterator[str]:
    """Yields where the two designs, A and B, differ first, where they part, and what B comes to."""
    first, turning = found.parting, found.turning
    if first and first.kind == "values":
        values = (
            f"{story.called(system, name)} is {plain(first.first[name])} in A, {plain(first.second[name])} in B"
            for name in first.differs
        )
        yield f"They first differ at step {first.number}: {', '.join(values)}."
    if turning and turning.kind == "on":
        yield "B can take every step of A, and goes on."
    elif turning:
        did = f"A: {turning.did}. " if turning.step else ""
        other = turning.other_did if turning.other else f"waits ({turning.why})"
        besides = "" if turning.step else ", a step that A does not have"
        yield f"They part at step {_number(found, turning)}. {did}B: {other}{besides}."
    yield _OUTCOMES[found.end]


def as_json(one: Instance, prop: Property, other: Instance, found: Beside, why: Cause) -> dict[str, Any]:
    """Returns both runs as plain data, a row a step of either."""
    return {
        "one": one.name,
        "other": other.name,
        "property": prop.name,
        "cause": why.text,
        "why": found.why,
        "outcome": found.outcome,
        "end": found.end,
        "parting": _number(found, found.parting),
        "turning": _number(found, found.turning),
        "rows": [
            {
                "kind": row.kind,
                "number": row.number,
                "one": row.step and {"actor": row.step.actor.strip(), "step": row.step.name, "did": row.did},
                "other": row.other and {"actor": row.other.actor.strip(), "step": row.other.name, "did": row.other_did},
                "why": row.why,
                "differs": {name: [row.first[name], row.second[name]] for name in row.differs},
            }
            for row in found.rows
        ],
    }


def _number(found: Beside, row: Row | None) -> int | None:
    """The number of the run's step at which a row stands, or of the next one."""
    if row is None:
        return None
    later = found.rows[found.rows.index(row) :]
    return next((each.number for each in later if each.number), None)
