"""Lays out tables and bars in a given width. Nothing breaks inside a word; names fold behind `/`, `-`, `,` or `=`."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence

from uncork.core.frozen import frozen

_BREAKS = re.compile(r"[^/,= -]*[/,= -]|[^/,= -]+")
_GAP = 2
"""Blanks between columns."""
_NAME = 24
"""The least width of a first column that has to be folded."""
_BAR = 10
"""The least width of a bar, and of the name before it."""

Line = Sequence[tuple[str, str]]
"""A line in parts, each with the cell that it is of; the empty string for what is in no cell."""


# -- words -------------------------------------------------------------------------------------------------------------
def fold(words: str, width: int) -> list[str]:
    """Returns lines of at most `width` characters, broken at spaces, else behind `/`, `-`, `,` or `=`.

    A piece that has none of these and is longer has a line of its own.
    """
    lines = [""]
    for word in words.split(" "):
        if lines[-1] and len(lines[-1]) + 1 + len(word) <= width:
            lines[-1] += " " + word
            continue
        if lines[-1]:
            lines.append("")
        for piece in _BREAKS.findall(word) if len(word) > width else [word]:
            if lines[-1] and len(lines[-1]) + len(piece) > width:
                lines.append("")
            lines[-1] += piece
    return lines


def joined(pieces: Sequence[str], width: int, gap: str = "   ") -> list[str]:
    """Returns lines of whole pieces, as many a line as fit."""
    lines: list[str] = []
    for piece in pieces:
        if lines and len(lines[-1]) + len(gap) + len(piece) <= width:
            lines[-1] += gap + piece
        else:
            lines.append(piece)
    return [line for each in lines for line in fold(each, width)]


def _full(cell: str) -> int:
    """The width in which a cell is not folded."""
    return max(map(len, cell.split("\n")))


def _least(cell: str) -> int:
    """The least width in which a cell has no broken word."""
    return max((len(piece.rstrip(" ")) for piece in _BREAKS.findall(cell.replace("\n", " "))), default=0)


# -- tables ------------------------------------------------------------------------------------------------------------
@frozen
class Table:
    """A table. Columns in `numbers` are right-aligned, and those in `whole` are not folded."""

    title: str | None
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    numbers: frozenset[int] = frozenset()
    whole: frozenset[int] = frozenset()

    def lines(self, width: int, rule: str = "─") -> Iterator[Line]:
        """Yields the table in a width; if its words do not fit side by side, a note and its cells under one another."""
        cells = [self.columns, *self.rows]
        full = [max(_full(row[n]) for row in cells) for n in range(len(self.columns))]
        least = [full[n] if n in self.whole else max(_least(row[n]) for row in cells) for n in range(len(self.columns))]
        least[0] = min(full[0], max(least[0], _NAME))  # a name in many pieces cannot be read
        gaps = _GAP * (len(self.columns) - 1)
        if sum(least) + gaps > width:
            yield from self._narrow(width, sum(least) + gaps)
            return
        widths, body = list(full), [max(_full(row[n]) for row in self.rows or [self.columns]) for n in range(len(full))]
        while sum(widths) + gaps > width:  # heads are folded first
            heads = [n for n in range(len(full)) if widths[n] > max(least[n], body[n])]
            widest = max(heads or [n for n in range(len(full)) if widths[n] > least[n]], key=lambda n: widths[n])
            widths[widest] -= 1
        yield from self._row(self.columns, widths, head=True)
        yield [(rule * (sum(widths) + gaps), "")]
        for row in self.rows:
            yield from self._row(row, widths)

    def _row(self, row: Sequence[str], widths: Sequence[int], *, head: bool = False) -> Iterator[Line]:
        folded = [
            [line for part in cell.split("\n") for line in _indented(part, width)]
            for cell, width in zip(row, widths, strict=True)
        ]
        for number in range(max(map(len, folded))):
            line: list[tuple[str, str]] = []
            for n, (lines, width) in enumerate(zip(folded, widths, strict=True)):
                said = lines[number] if number < len(lines) else ""
                line.append((said.rjust(width) if n in self.numbers else said.ljust(width), "" if head else row[n]))
                line.append((" " * _GAP, ""))
            yield line[:-1]

    def _narrow(self, width: int, needed: int) -> Iterator[Line]:
        yield [(line, "") for line in [f"(side by side from {needed} columns on)"]]
        for row in self.rows:
            if row[0].strip():
                yield from ([(line, row[0])] for line in fold(row[0].strip().replace("\n", "/"), width))
            for name, cell in zip(self.columns[1:], row[1:], strict=True):
                for number, part in enumerate(cell.split("\n") if cell else []):
                    said = f"{name}: {part}" if name and not number else part
                    for at, line in enumerate(fold(said, max(width - 4, 8))):
                        yield [(("  " if not (number or at) else "    ") + line, cell)]


def _indented(part: str, width: int) -> list[str]:
    """Folds a cell; blanks at its start stand before every line."""
    blanks = len(part) - len(part.lstrip(" "))
    return [" " * blanks + line for line in fold(part[blanks:], width - blanks)]


def table(
    title: str | None,
    columns: Sequence[str],
    rows: Iterable[Sequence[str]],
    *,
    numbers: Sequence[int] = (),
    whole: Sequence[int] = (),
) -> Table:
    """Returns a table. Columns in `numbers` are right-aligned; cells of columns in `whole` are not folded."""
    return Table(title, tuple(columns), tuple(tuple(row) for row in rows), frozenset(numbers), frozenset(whole))


# -- bars --------------------------------------------------------------------------------------------------------------
@frozen
class Bars:
    """A bar for every name and column, as long as its value is a part of the greatest, after the number as `form` says.

    None has no bar.
    """

    names: Sequence[str]
    columns: Mapping[str, tuple[Sequence[float | None], str]]

    def lines(self, width: int, full: str = "█") -> Iterator[Line]:
        """Yields the bars side by side in a width; under one another if they would be too short to compare."""
        names = max(map(len, "\n".join(self.names).split("\n")), default=0)
        told = [_Column(title, *column) for title, column in self.columns.items()]
        bar = (width - names - sum(each.width + 2 * _GAP for each in told)) // len(told)
        if bar < _BAR and len(told) > 1:
            for title, column in self.columns.items():
                yield from Bars(self.names, {title: column}).lines(width, full)
            return
        bar = max(bar, 1)
        heads = [each.title.rjust(each.width) + " " * (_GAP + bar) for each in told]
        yield [(" " * (names + _GAP) + (" " * _GAP).join(heads).rstrip(), "")]
        for row, name in enumerate(self.names):
            first, *more = name.split("\n")
            drawn = [
                each.number(row).rjust(each.width) + " " * _GAP + (full * each.length(row, bar)).ljust(bar)
                for each in told
            ]
            yield [((first.ljust(names + _GAP) + (" " * _GAP).join(drawn)).rstrip(), "")]
            yield from ([(line, "")] for line in more)


@frozen
class _Column:
    title: str
    values: Sequence[float | None]
    form: str

    def number(self, row: int) -> str:
        value = self.values[row]
        return "-" if value is None else self.form.format(value)

    @property
    def width(self) -> int:
        return max(len(self.title), *(len(self.number(row)) for row in range(len(self.values))))

    def length(self, row: int, most: int) -> int:
        """The length of a bar; none for what is 0 as it is written."""
        greatest = max((each for each in self.values if each is not None), default=0)
        value = self.values[row]
        if not value or not greatest or self.number(row) == self.form.format(0):
            return 0
        return max(round(value / greatest * most), 1)
