"""Prints a run of one design beside the same steps on another."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from uncork.core.causes.cause import Cause
from uncork.core.trace import Trace
from uncork.render import story
from uncork.render.terminal.text import Page
from uncork.render.terminal.trace import Said, end, show_lines
from uncork.trace.beside import Beside, sentences

_FEW = 3
"""Up to this many steps in a row that are the same are printed one by one."""
_MOST = 15
"""The most steps that are printed of how the other design goes on."""


def show(to: Page, found: Beside, run: Trace, why: Cause, *, whole: bool = False) -> None:
    """Prints where two designs part, then their steps: those that differ under one another, marked A and B.

    Equal steps in a row are counted; if `whole`, they are printed.
    """
    to.fold(f"A  {found.one.name}: {found.prop.name} is refuted", "bold")
    to.fold(f"B  {found.other.name}", "bold")
    to.say()
    to.fold(f"A: {why.text}", "red")
    for each in sentences(found):
        to.fold(each, "green" if each.startswith("From there B needs") else "")
    to.say()
    show_lines(to, [*_rows(found, run, whole=whole)])
    to.say()
    to.flow(["A at the end:", *end(found.one.system, run)])
    to.flow(["B at the end:", *end(found.other.system, found.run)])
    to.fold(f"({story.legend(found.one.system)})", "dim")
    if not whole:
        to.fold("--all prints the steps that both take, too.", "dim")


def _rows(found: Beside, run: Trace, *, whole: bool) -> Iterator[Said]:
    same: list[Said] = []
    for moment in found.moments:
        if moment.same and moment.one and moment.other:
            both = set(moment.one.rings) & set(moment.other.rings)
            same.append(_said(" ", replace(moment.one, rings=tuple(r for r in moment.one.rings if r in both)), ""))
            continue
        yield from _alike(same, whole=whole)
        same = []
        if moment.one:
            yield _said("A", moment.one, "red")
        if moment.other:
            yield _said("B", moment.other, "green")
        elif moment.one:
            yield Said("B", moment.one.actor.strip(), f"cannot: {moment.lacks}", (), "green")
    yield from _alike(same, whole=whole)
    if ending := story.ending(run):
        yield Said("A", "", ending, (), "red")
    for line in found.onward[:_MOST]:
        yield _said("B", line, "green")
    if len(found.onward) > _MOST:
        yield Said("B", "", f"and {len(found.onward) - _MOST} more steps", (), "green")
    if found.ends == "same" and (ending := story.ending(found.run)):
        yield Said("B", "", ending, (), "green")


def _alike(lines: list[Said], *, whole: bool) -> Iterator[Said]:
    if len(lines) <= _FEW or whole:
        yield from lines
        return
    first, last = lines[0].sign, lines[-1].sign.strip()
    yield Said(first, "", f"to {last}: both do the same", (), "dim")


def _said(side: str, line: story.Line, style: str) -> Said:
    return Said(f"{side} {line.number:>2}", line.actor.strip(), line.did, (*line.rings, *line.signs), style)
