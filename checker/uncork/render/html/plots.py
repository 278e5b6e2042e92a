"""Draws points as SVG, readable in light and dark mode, each with its name beside it.

Inside a page of the site the picture takes the page's colours, as the pictures of runs do.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape
from math import log10

from uncork.render.html.rings import STYLE

_WIDE, _HIGH, _LEFT, _RIGHT, _TOP, _BOTTOM = 620, 300, 60, 20, 34, 48
_LETTER = 7.1


@dataclass(frozen=True)
class Point:
    """A point with its name; `best` if no other point is better in one number and no worse in the other."""

    x: float
    y: float
    name: str
    best: bool


@dataclass(frozen=True)
class Axis:
    """An axis: its ticks with their labels, of which the outer ones are its ends. With `log` a distance is a ratio."""

    label: str
    ticks: Sequence[tuple[float, str]]
    log: bool = False

    def to(self, low: float, high: float) -> Callable[[float], float]:
        """The place of a value between two places. What lies beyond the outer ticks is drawn at them."""
        ends = [self._size(self.ticks[0][0]), self._size(self.ticks[-1][0])]

        def place(value: float) -> float:
            share = (self._size(value) - ends[0]) / (ends[1] - ends[0])
            return low + min(1.0, max(0.0, share)) * (high - low)

        return place

    def _size(self, value: float) -> float:
        if not self.log:
            return value
        return log10(max(value, self.ticks[0][0]))


def unbeaten(points: Sequence[tuple[float, float]]) -> list[bool]:
    """Of each point whether it is best: no other is at least as small in both numbers, and smaller in one."""
    return [not any(a <= x and b <= y and (a, b) != (x, y) for a, b in points) for x, y in points]


def scatter(title: str, points: Sequence[Point], across: Axis, up: Axis) -> str:
    """Points over two axes, as SVG. Best points are green; smaller is better on both axes."""
    x, y = across.to(_LEFT, _WIDE - _RIGHT), up.to(_HIGH - _BOTTOM, _TOP)
    body = [_text(_LEFT, 18, title, "b")]
    for value, label in across.ticks:
        body += [
            _line(x(value), _TOP, x(value), _HIGH - _BOTTOM),
            _text(x(value), _HIGH - _BOTTOM + 16, label, "soft mid"),
        ]
    for value, label in up.ticks:
        body += [_line(_LEFT, y(value), _WIDE - _RIGHT, y(value)), _text(_LEFT - 8, y(value) + 4, label, "soft", "end")]
    body.append(_text((_LEFT + _WIDE - _RIGHT) / 2, _HIGH - 10, across.label, "mid"))
    body.append(f'<g transform="rotate(-90 14 {_HIGH / 2:g})">{_text(14, _HIGH / 2, up.label, "mid")}</g>')
    taken: list[tuple[float, float, float, float]] = [(x(p.x) - 6, y(p.y) - 6, x(p.x) + 6, y(p.y) + 6) for p in points]
    for point in points:
        left, top = x(point.x), y(point.y)
        kind = "good b" if point.best else ""
        body.append(f'<circle class="{kind or "soft"}" cx="{left:.1f}" cy="{top:.1f}" r="5"/>')
        at, box = _free(left, top, point.name, taken)
        taken.append(box)
        body.append(_text(*at, point.name, kind))
    return "\n".join((
        f'<svg xmlns="http://www.w3.org/2000/svg" class="uncork" viewBox="0 0 {_WIDE} {_HIGH}" width="{_WIDE}" '
        f'height="{_HIGH}" role="img" aria-label="{escape(_spoken(title, points, across, up))}">',
        STYLE, *body, "</svg>\n",
    ))  # fmt: skip


def _spoken(title: str, points: Sequence[Point], across: Axis, up: Axis) -> str:
    told = "; ".join(f"{p.name} {p.x:g}, {p.y:g}" + (" (best)" if p.best else "") for p in points)
    return f"{title}: {across.label}, and {up.label}: {told}"


def _free(
    left: float, top: float, name: str, taken: Sequence[tuple[float, float, float, float]]
) -> tuple[tuple[float, float], tuple[float, float, float, float]]:
    """Where a name can stand near its point without covering others, and the room that it takes."""
    wide, found = len(name) * _LETTER, []
    for down in (4, -9, 18, -23, 32, -37, 46):
        for start in (left + 10, left - 10 - wide, left - wide / 2):
            box = (start, top + down - 11, start + wide, top + down + 3)
            if box[0] > _LEFT and box[2] < _WIDE and box[1] > _TOP - 12 and box[3] < _HIGH - _BOTTOM:
                found.append(((start, top + down), box))
    return next((each for each in found if not any(_meet(each[1], other) for other in taken)), found[0])


def _meet(one: tuple[float, float, float, float], other: tuple[float, float, float, float]) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]


def _line(x: float, y: float, to: float, down: float) -> str:
    return f'<path d="M{x:.1f} {y:.1f}L{to:.1f} {down:.1f}" style="stroke: var(--soft); stroke-opacity: .3"/>'


def _text(x: float, y: float, content: str, kind: str = "", anchor: str = "") -> str:
    classed, anchored = (f' class="{kind}"' if kind else ""), (f' text-anchor="{anchor}"' if anchor else "")
    return f'<text{classed}{anchored} x="{x:.1f}" y="{y:.1f}">{escape(content)}</text>'
