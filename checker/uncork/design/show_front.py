"""Shows the results of `uncork frontier` on a terminal, as JSON, and as a plot."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

from uncork.core.numbers import counted
from uncork.design import space
from uncork.design.front import Front, Point
from uncork.design.show import COSTS, reasons, sums
from uncork.design.space import Changes, ordered
from uncork.render.terminal.text import Page, table


def said(changes: Changes) -> str:
    """Returns all changes of a design in words."""
    return "; ".join(map(space.said, ordered(changes))) or "none"


# -- on a terminal -----------------------------------------------------------------------------------------------------
_FEW = 3


def show(to: Page, made: Front) -> None:
    """Prints the front, designs without a price, and how many designs are beaten."""
    rows = [[*point.price.cells, _few(point.designs)] for point in made.points if point.best]
    if made.open:
        rows.append([*made.open[0][1].cells, _few([changes for changes, _ in made.open])])
    if rows:
        to.show(table(None, ["doorbells, least", "greatest", "worst wait", "designs: changes"], rows))
        to.say()
    to.say(f"{COSTS} {counted(made.beaten, 'live design is', 'live designs are')} beaten by one of these.")
    for words in warnings(made):
        to.say(words, "magenta")
    to.say(sums(made.found))


def _few(designs: Sequence[Changes]) -> str:
    names, more = [said(changes) for changes in designs[:_FEW]], len(designs) - _FEW
    return "\n".join([*names, *([f"and {more} more"] if more > 0 else [])])


def warnings(made: Front) -> list[str]:
    """Returns the reasons why the front may be incomplete."""
    words = reasons(price for _, price in made.open)
    if made.unpriced:
        words.append(f"Live designs that were not priced: {made.unpriced}.")
    if made.found.open:
        words.append(f"Designs of which it is open whether they are live: {len(made.found.open)}.")
    return words


# -- as data -----------------------------------------------------------------------------------------------------------
def as_json(made: Front) -> dict[str, Any]:
    """Returns all points with their designs, and the designs with an open price, as plain data."""
    return {
        "device": made.found.space.device,
        "guests": list(made.found.space.guests),
        "counts": made.found.counts,
        "interrupted": made.found.interrupted,
        "points": [
            {
                "least": point.price.cells[0],
                "greatest": point.price.cells[1],
                "wait": point.price.cells[2],
                "front": point.best,
                "designs": [dict(ordered(changes)) for changes in point.designs],
            }
            for point in made.points
        ],
        "open": [{"design": dict(ordered(changes)), "reason": price.reason} for changes, price in made.open],
        "unpriced": made.unpriced,
    }


# -- as a plot ---------------------------------------------------------------------------------------------------------
_UNDATED = {".svg": {"Date": None}, ".pdf": {"CreationDate": None}}


def plot(path: Path, points: Sequence[Point]) -> int:
    """Draws the points with bounds to a file. Returns how many points without bounds are left out.

    The same points give the same file, for one version of matplotlib.
    """
    import matplotlib  # an optional dependency
    from matplotlib.figure import Figure

    drawn = [point for point in points if point.price.greatest is not None and point.price.wait is not None]
    figure = Figure(figsize=(7, 4.5), layout="constrained")
    axes = figure.add_subplot()
    for best, label, marker in ((False, "beaten", "o"), (True, "front", "s")):
        some = [_where(point) for point in drawn if point.best is best]
        if some:
            axes.scatter([x for x, _ in some], [y for _, y in some], label=label, marker=marker)
    for point in drawn:
        such = f", such as\n{said(point.designs[0])}".replace("; ", "\n") if point.best else ""
        words = f"{counted(len(point.designs), 'design')}{such}"
        axes.annotate(words, _where(point), xytext=(0, 6), textcoords="offset points", ha="center", fontsize=8)
    axes.set_xticks(*_ticks([point.price.greatest for point in drawn]))
    axes.set_yticks(*_ticks([point.price.wait for point in drawn]))
    axes.set_xlabel("CQ doorbells per completion, greatest")
    axes.set_ylabel("worst wait, in CQEs consumed")
    axes.margins(0.3)
    axes.grid(visible=True, alpha=0.3)
    if drawn:
        figure.legend(loc="outside upper right", ncols=2)
    with matplotlib.rc_context({"svg.hashsalt": "uncork"}):  # makes names in the file reproducible
        figure.savefig(path, metadata=_UNDATED.get(path.suffix.lower()))
    return len(points) - len(drawn)


def _ticks(values: Sequence[Fraction | int | None]) -> tuple[list[float], list[str]]:
    """Returns the distinct values, as positions and labels of ticks."""
    known = sorted({value for value in values if value is not None})
    return [float(value) for value in known], [str(value) for value in known]


def _where(point: Point) -> tuple[float, float]:
    return point.price.order[0], point.price.order[1]
