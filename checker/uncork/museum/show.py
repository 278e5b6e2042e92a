"""Prints the output of `uncork museum`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from uncork_nvme.museum import Bug
from uncork_properties.expected import cell

from uncork.decide.one import Checked
from uncork.museum.check import FIXED, Exhibit
from uncork.render.terminal import text


def tell(to: text.Page, each: Exhibit) -> None:
    """Prints a bug: what went wrong, how the variant fails, and where the fix holds."""
    to.fold(each.bug.name, "bold")
    to.fold(each.bug.happened, indent=2)
    styles = text.style("refuted"), text.style(proved(each).split(" ")[0])
    to.fold(f"wrong  {each.shown.variant.name}: {each.shown.refutes} refuted {refuted(each)}", styles[0], indent=2)
    to.fold(f"fixed  {each.shown.fix.name}: {proved(each)}", styles[1], indent=2)
    to.say()


def elsewhere(found: Sequence[Checked], like: Mapping[str, Sequence[Bug]]) -> list[str]:
    """Returns a line for every instance of another device: the verdicts, and the bugs with such circumstances."""
    lines = []
    for checked in found:
        words = {row: _cell(checked, row) for row in FIXED}
        failed = ", ".join(f"{row} {word}" for row, word in words.items() if word != "proved")
        bugs = ", ".join(bug.name for bug in like[checked.instance.name])
        said = f"{failed}; proved is the fix of {bugs}" if failed else f"proved, as is the fix of {bugs}"
        lines.append(f"{checked.instance.name}: {said}")
    return lines


def refuted(each: Exhibit) -> str:
    """Returns how the variant fails at every size."""
    cells = [_cell(checked, each.shown.refutes) for checked in each.variants]
    return ", ".join(each.removeprefix("refuted ") for each in cells)


def proved(each: Exhibit) -> str:
    """Returns whether the fix holds, and at which sizes."""
    words = {_cell(checked, row).split(" ")[0] for checked in each.fixes for row in FIXED}
    said = "proved" if words == {"proved"} else " and ".join(sorted(words))
    return f"{said} at {', '.join(checked.instance.name.split('/')[3] for checked in each.fixes)}"


def _cell(checked: Checked, name: str) -> str:
    row = next(row for row in checked.rows if row.property == name)
    return cell(row.verdict.word, *row.verdict.steps)
