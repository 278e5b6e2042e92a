"""What `uncork frontier` says of what it found: on a terminal, as JSON, as a plot, and in docs/frontier.md.

`python -m uncork.design.show_front docs/frontier.md docs/frontier.svg` makes the page anew, and its plot.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

from uncork_properties import readme

from uncork.design import search
from uncork.design.front import Front, Point, front
from uncork.design.search import Changes, Decider, Space, ordered
from uncork.design.show import COSTS, reasons, said, sums
from uncork.render.terminal.text import Page, table


def _said(changes: Changes) -> str:
    return "; ".join(map(said, ordered(changes))) or "none"


# -- on a terminal -----------------------------------------------------------------------------------------------------
_FEW = 3


def show(to: Page, made: Front) -> None:
    """Prints the front, what has no price, and how many designs lie behind."""
    rows = [[*point.price.cells, _few(point.designs)] for point in made.points if point.best]
    if made.open:
        rows.append([*made.open[0][1].cells, _few([changes for changes, _ in made.open])])
    if rows:
        to.show(table(None, ["doorbells, least", "greatest", "worst wait", "designs: changes"], rows))
    to.say(f"{COSTS} {made.beaten} live designs are beaten by one of these.")
    for words in _warnings(made):
        to.say(words, "magenta")
    to.say(sums(made.found))


def _few(designs: Sequence[Changes]) -> str:
    names, more = [_said(changes) for changes in designs[:_FEW]], len(designs) - _FEW
    return "\n".join([*names, *([f"and {more} more"] if more > 0 else [])])


def _warnings(made: Front) -> list[str]:
    """What keeps the front from being the front of all live designs."""
    words = reasons(price for _, price in made.open)
    if made.unpriced:
        words.append(f"Live designs that were not priced: {made.unpriced}.")
    if made.found.open:
        words.append(f"Designs of which it is open whether they are live: {len(made.found.open)}.")
    return words


# -- as data -----------------------------------------------------------------------------------------------------------
def as_json(made: Front) -> dict[str, Any]:
    """All points, with their designs, and the designs whose price is open."""
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
    """Draws the points that have bounds to a file; gives how many have none and are left out.

    The same points make the same file, but for the version of matplotlib.
    """
    import matplotlib
    from matplotlib.figure import Figure

    drawn = [point for point in points if point.price.greatest is not None and point.price.wait is not None]
    figure = Figure(figsize=(7, 4.5), layout="constrained")
    axes = figure.add_subplot()
    for best, label, marker in ((False, "beaten", "o"), (True, "front", "s")):
        some = [_where(point) for point in drawn if point.best is best]
        if some:
            axes.scatter([x for x, _ in some], [y for _, y in some], label=label, marker=marker)
    for point in drawn:
        such = f", such as\n{_said(point.designs[0])}".replace("; ", "\n") if point.best else ""
        words = f"{len(point.designs)} designs{such}"
        axes.annotate(words, _where(point), xytext=(0, 6), textcoords="offset points", ha="center", fontsize=8)
    axes.set_xticks(*_ticks([point.price.greatest for point in drawn]))
    axes.set_yticks(*_ticks([point.price.wait for point in drawn]))
    axes.set_xlabel("CQ doorbells per completion, greatest")
    axes.set_ylabel("worst wait, in CQEs consumed")
    axes.margins(0.3)
    axes.grid(visible=True, alpha=0.3)
    if drawn:
        figure.legend(loc="outside upper right", ncols=2)
    with matplotlib.rc_context({"svg.hashsalt": "uncork"}):  # names in the file that are the same every time
        figure.savefig(path, metadata=_UNDATED.get(path.suffix.lower()))
    return len(points) - len(drawn)


def _ticks(values: Sequence[Fraction | int | None]) -> tuple[list[float], list[str]]:
    """The values themselves, as positions and as text."""
    known = sorted({value for value in values if value is not None})
    return [float(value) for value in known], [str(value) for value in known]


def _where(point: Point) -> tuple[float, float]:
    return point.price.order[0], point.price.order[1]


# -- the page ----------------------------------------------------------------------------------------------------------
DEVICE, SQS = "propolis-2026", (1, 2)
BEGIN, END = "<!-- frontier: generated by make frontier -->", "<!-- end of frontier -->"


def page(made: Front, seconds: float, drawing: str) -> str:
    """The front and what lies behind it, in Markdown."""
    space = made.found.space
    sizes = ", ".join(f"{n}×SQ{s}, CQ{c}" for n, s, c in sorted(space.shapes))
    parts = [
        f"{space.device} with {', '.join(space.guests)}, live at {sizes}. {sums(made.found)} "
        f"{len(made.points)} prices. "
        f"It took {seconds / 60:.0f} minutes on {os.cpu_count()} cores, of which it uses one.\n",
        *(f"{words}\n" for words in _warnings(made)),
    ]
    for title, best in (("The front", True), ("Beaten", False)):
        points = [point for point in made.points if point.best is best]
        parts.append(f"**{title}**: {sum(len(point.designs) for point in points)} designs.\n")
        parts.append(readme.markdown(_HEADS, [[*_cells(point), _smallest(point.designs)] for point in points]))
    parts.append(f"![Doorbells against waiting]({drawing})\n")
    parts.append("<details><summary>All designs on the front</summary>\n")
    parts += [f"- `{_said(changes)}`" for point in made.points if point.best for changes in point.designs]
    return "\n".join([*parts, "\n</details>\n"])


_HEADS = ("greatest", "worst wait", "least", "designs", "the minimal ones of these")


def _cells(point: Point) -> list[str]:
    least, greatest, wait = point.price.cells
    return [greatest, wait, least, str(len(point.designs))]


def _smallest(designs: Sequence[Changes]) -> str:
    """The designs that are minimal among these."""
    minimal = [each for each in designs if not any(other < each for other in designs)]
    return "<br>".join(f"`{_said(each)}`" for each in minimal)


def generate(docs: Path, drawing: Path) -> None:
    """Searches anew, and makes the page and its plot."""
    started = time.monotonic()
    made = front(Space(DEVICE, shapes=search.shapes(SQS)), Decider())
    seconds = time.monotonic() - started
    plot(drawing, made.points)
    docs.write_text(readme.replaced(docs.read_text(), BEGIN, END, page(made, seconds, drawing.name)), encoding="utf-8")


if __name__ == "__main__":
    generate(Path(sys.argv[1]), Path(sys.argv[2]))
