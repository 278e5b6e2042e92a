"""Prints the output of `uncork prove`: what is proved for which sizes, or the state in which the proof fails."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import groupby

from uncork_nvme.instance import Design

from uncork.core.sorts import Value, plain
from uncork.core.verdict import Refuted
from uncork.decide.exits import Exit
from uncork.decide.one import Checked
from uncork.engines.deductive import Failure
from uncork.engines.deductive.buffered import FAMILIES
from uncork.prove.proof import Part
from uncork.render.terminal.text import Page

_LISTED = 6
"""The most failed obligations that are listed one by one."""


def report(to: Page, design: Design, parts: Sequence[Part], real: Sequence[Checked]) -> Exit:
    """Prints the result for one SQ, or for several. Returns the exit code."""
    for part in parts:
        kept, all_ = len(part.judgement.kept), part.judgement.proved
        to.say(f"{design.name}: {part.claim}", "bold green" if part.live else "bold red")
        to.say(f"  {all_:,} obligations proved, {kept} lemmas kept by every step")
    _tell_untrue(to, parts[0])
    lacking = unproved(parts)
    if not lacking:
        return Exit.AS_EXPECTED
    _tell_why(to, parts[0], lacking[0])
    for checked in real:
        _tell_real(to, checked)
    if real:
        return Exit.SAFETY if _refuted(real, "safety") else Exit.LIVENESS
    to.say(f"open: {', '.join(lacking)} not proved, and not refuted at the small sizes searched", "magenta")
    return Exit.OPEN


def _refuted(real: Sequence[Checked], name: str) -> bool:
    return any(row.property == name and isinstance(row.verdict, Refuted) for each in real for row in each.rows)


def _tell_real(to: Page, checked: Checked) -> None:
    told = [
        f"{row.property} in {len(row.verdict.trace.steps)} steps"
        for row in checked.rows
        if isinstance(row.verdict, Refuted)
    ]
    to.say(f"  really fails at {checked.instance.name}: {', '.join(told)}", "red", whole=True)


def _tell_untrue(to: Page, part: Part) -> None:
    """Prints which of the user's own lemmas do not hold; nothing is proved from them."""
    told = set[str]()
    for failure in part.judgement.untrue:
        name = failure.obligation.about
        if name in told:
            continue
        told.add(name)
        first = f"after {failure.obligation.step}" if failure.obligation.step else "at the beginning"
        to.say(f"  your lemma {name!r} is not kept: it fails {first}. Nothing is proved from it.", "red")
        if failure.state is not None:
            _tell_state(to, part, failure)


def _tell_why(to: Page, part: Part, row: str) -> None:
    _, against = part.rows[row]
    to.say(f"  {row} is not proved. What does not hold:")
    names = list(dict.fromkeys(failure.obligation.name for failure in against))  # several properties may need one
    for name in names[:_LISTED]:
        to.say(f"    {name}", whole=True)
    if len(names) > _LISTED:
        to.say(f"    and {len(names) - _LISTED} more")
    first = against[0]
    if first.state is None:
        to.say("  The solver gave up on the first obligation.")
        return
    said = next((lemma.says for lemma in part.judgement.dropped if lemma.name == first.obligation.about), "")
    if said:
        to.say(f"  The first says: {said}.")
    if first.obligation.family in FAMILIES:
        to.say(f"  {FAMILIES[first.obligation.family]}.")
    _tell_state(to, part, first)


def _tell_state(to: Page, part: Part, failure: Failure) -> None:
    for action in part.judgement.argument.system.actions:
        if action.name == failure.obligation.step:
            to.say(f"  {action.name}, by the {action.actor.strip()}: {action.doc}")
    before = "before the step" if failure.obligation.step else "there"
    to.say(f"  The state {before} (positions do not wrap; the state may be unreachable):")
    for line in _state(failure.state or {}):
        to.say(f"    {line}")


def _state(state: Mapping[str, Value]) -> list[str]:
    """Returns a state as lines: the sizes, then one line for every record."""
    sizes = {name: value for name, value in state.items() if "." not in name}
    lines = ["sizes: " + ", ".join(f"{name} = {value}" for name, value in sizes.items())]
    named = [(name.split(".", 1), value) for name, value in state.items() if "." in name]
    for record, fields in groupby(named, key=lambda each: each[0][0]):
        if record != "anything":
            lines.append(f"{record}: " + ", ".join(f"{name[1]} {plain(value)}" for name, value in fields))
    return lines


def unproved(parts: Sequence[Part]) -> list[str]:
    """Returns the properties that are not proved for every size."""
    return [row for row in parts[0].rows if row not in parts[0].proved]
