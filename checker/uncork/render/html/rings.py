"""Draws a state's rings as SVG, readable in light and dark mode. Inside a page the picture takes the page's colours.

Slots are boxes. A dot is an entry not yet consumed; a filled box is a slot that the device counts as occupied. Indices
above the boxes belong to the guest, indices below to the device.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from html import escape
from textwrap import wrap

from uncork.core.evaluate import State
from uncork.core.sorts import Value
from uncork.core.system import RingPicture

_SLOT, _HIGH, _GAP, _LINE, _MARGIN = 62, 34, 30, 14, 10
_COLUMNS = 62
"""The number of characters that fit a line."""

STYLE = """<style>
.uncork { --ink: #24292f; --soft: #6e7781; --slot: #f6f8fa; --guest: #0550ae; --device: #8a4600;
  --bad: #cf222e; --good: #1a7f37; font: 12px system-ui, sans-serif; fill: var(--ink); }
@media (prefers-color-scheme: dark) { .uncork { --ink: #e6edf3; --soft: #9198a1; --slot: #2d333b; --guest: #79b8ff;
  --device: #f0b072; --bad: #ff7b72; --good: #56d364; } }
.uncork rect { fill: var(--slot); stroke: var(--soft); } .uncork .full { fill: var(--device); fill-opacity: .3; }
.uncork .guest { fill: var(--guest); } .uncork .device { fill: var(--device); } .uncork .soft { fill: var(--soft); }
.uncork .bad { fill: var(--bad); } .uncork .good { fill: var(--good); } .uncork .b { font-weight: 600; }
.uncork .mid { text-anchor: middle; }
</style>"""
"""The style sheet of every picture."""


def svg(
    rings: Sequence[RingPicture], state: State, title: str, told: str, *, guests: frozenset[str], tone: str = ""
) -> str:
    """Draws the rings of a state side by side, under a title and a sentence. `guests` are the guest's fields."""
    lines = wrap(told, _COLUMNS)
    top = _MARGIN + _LINE * (1 + len(lines)) + 6
    body: list[str] = [_text(_MARGIN, _MARGIN + 10, title, "b")]
    body += [_text(_MARGIN, _MARGIN + 10 + _LINE * (n + 1), line, tone) for n, line in enumerate(lines)]
    above = max(_stacked(ring, state, guests, guest=True) for ring in rings)
    below = max(_stacked(ring, state, guests, guest=False) for ring in rings)
    slots, x = top + _LINE * (above + 1) + 6, _MARGIN
    for ring in rings:
        body += _ring(ring, state, guests, x, top, slots)
        x += ring.size * _SLOT + _GAP
    width = max(x - _GAP + _MARGIN, 7 * _COLUMNS)
    height = slots + _HIGH + _LINE * below + 14
    return "\n".join((
        f'<svg xmlns="http://www.w3.org/2000/svg" class="uncork" viewBox="0 0 {width} {height}" width="{width}" '
        f'height="{height}" role="img" aria-label="{escape(f"{title}: {told}")}">',
        STYLE, *body, "</svg>\n",
    ))  # fmt: skip


def _ring(ring: RingPicture, state: State, guests: frozenset[str], x: int, top: int, slots: int) -> Iterator[str]:
    yield _text(x, top + 10, ring.title, "b")
    at = {variable.rpartition(".")[2]: state[variable] for _, variable in ring.marks}
    head, tail = at.get("head"), at.get("tail")
    contents = state[ring.slots] if ring.slots else ()
    assert isinstance(contents, tuple)
    for slot in range(ring.size):
        left = x + slot * _SLOT
        full = isinstance(head, int) and isinstance(tail, int) and (slot - head) % ring.size < (tail - head) % ring.size
        kind = ' class="full"' if full else ""
        yield f'<rect{kind} x="{left}" y="{slots}" width="{_SLOT}" height="{_HIGH}" rx="3"/>'
        yield _text(left + 5, slots + 12, str(slot), "soft")
        if contents and contents[slot] != ring.empty:
            yield f'<circle cx="{left + _SLOT // 2}" cy="{slots + _HIGH // 2}" r="5"/>'
        middle = left + _SLOT // 2
        for n, field in enumerate(_here(at, slot, guests, guest=True)):
            yield _text(middle, slots - 5 - _LINE * n, field, "guest mid")
        for n, field in enumerate(_here(at, slot, guests, guest=False)):
            bold = " b" if field == "EventIdx" else ""
            yield _text(middle, slots + _HIGH + _LINE * (n + 1), field, f"device mid{bold}")


def _here(at: Mapping[str, Value], slot: int, guests: frozenset[str], *, guest: bool) -> list[str]:
    names = [field for field, position in at.items() if position == slot and (field in guests) is guest]
    return ["EventIdx" if field == "event" else field for field in names]


def _stacked(ring: RingPicture, state: State, guests: frozenset[str], *, guest: bool) -> int:
    at = {variable.rpartition(".")[2]: state[variable] for _, variable in ring.marks}
    return max(len(_here(at, slot, guests, guest=guest)) for slot in range(ring.size))


def _text(x: int, y: int, content: str, kind: str = "") -> str:
    classed = f' class="{kind}"' if kind else ""
    return f'<text{classed} x="{x}" y="{y}">{escape(content)}</text>'
