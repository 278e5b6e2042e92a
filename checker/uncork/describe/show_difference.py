"""Prints the output of `uncork diff`."""

from __future__ import annotations

from uncork.core.numbers import counted
from uncork.describe.difference import Difference
from uncork.render.terminal.text import Page, table

_SHOWN = 6
"""How many instances stand after a pair of verdicts."""


def show(found: Difference, to: Page | None = None) -> None:
    """Prints what differs."""
    to = to or Page()
    docs = [each.entry.doc if each.entry else "" for each in (found.one, found.other)]
    for sign, each, doc in zip("-+", (found.one, found.other), docs, strict=True):
        to.say(f"{sign} {each.name}" + (f": {doc}" if len(set(docs)) > 1 else ""))
    if not found.settings and not found.program:
        to.say("They do not differ in any setting or step.")
    to.say()
    if found.settings:
        to.show(table(None, ["setting", "-", "+"], [(name, *pair) for name, pair in found.settings.items()]))
        to.say()
    for changed in found.program:
        to.say(changed.actor, "bold")
        rows = [(f"{s} {x.before}", f"-> {x.after}" if x.after else "", x.does, x.read_in) for s, x in changed.lines]
        to.steps(rows, {number: _STYLES[sign] for number, (sign, _) in enumerate(changed.lines)})
    if any(sign == "~" for changed in found.program for sign, _ in changed.lines):
        to.say("~ has another guard or other updates: uncork show NAME --steps has both.")
    if found.settings and not found.program:
        to.say(f"The steps are the same, as on {found.other.instance.shape}.")
    _show_verdicts(to, found)


_STYLES = {"-": "red", "+": "green", "~": "yellow"}


def _show_verdicts(to: Page, found: Difference) -> None:
    to.say()
    same = sum(len(each.at) for each in found.verdicts if each.before == each.after)
    other = [each for each in found.verdicts if each.before != each.after]
    if not found.verdicts:
        to.say("No verdicts of both are recorded: uncork check decides them.")
        return
    if not other:
        to.say(f"The recorded verdicts are the same: {counted(same, 'instance')}.")
        return
    to.say(f"Recorded verdicts that differ ({counted(same, 'other is', 'others are')} the same):")
    for before, after, at in other:
        left = [f"and {len(at) - _SHOWN} more"] if len(at) > _SHOWN else []
        to.pairs([(f"{before} -> {after}", ", ".join([*(where or "as named" for where in at[:_SHOWN]), *left]))])
