"""Prints tables and explanations on a terminal or to a file."""

from __future__ import annotations

import os
import re
import textwrap
from collections.abc import Mapping, Sequence

from rich.console import Console, RenderableType
from rich.text import Text as Text  # re-exported: few other modules know the library

from uncork.render.terminal.grid import Bars, Table, fold, joined, table

__all__ = ["Bars", "Page", "Table", "Text", "console", "fold", "joined", "shortened", "style", "table"]

_WORDS = 22
"""The least width for words beside a column of sources."""
_ASCII = str.maketrans({
    "→": "->", "↻": "@", "•": "*", "▸": ">", "·": "-", "×": "x", "±": "+-", "…": "...", "✓": "ok", "✗": "X", "│": "|",
})  # fmt: skip
"""What is printed in place of other characters where only ASCII can be."""
_STYLES = {
    **dict.fromkeys(("HANGS", "UNSAFE", "refuted"), "red"),
    **dict.fromkeys(("live", "proved"), "green"),
    **dict.fromkeys(("starves", "fails"), "yellow"),
    "open": "magenta",
}


def console(*, stderr: bool = False) -> Console:
    """Returns a console. Without a terminal: no colour, and 80 columns, or as many as COLUMNS says."""
    made = Console(stderr=stderr, highlight=False)
    if made.is_terminal:
        return made
    said = os.environ.get("COLUMNS", "")
    width = int(said) if re.fullmatch("[1-9][0-9]{1,3}", said) else 80
    return Console(stderr=stderr, highlight=False, width=width, color_system=None)


class Page:
    """Prints tables and sentences. Sentences are wrapped unless they are `whole`."""

    def __init__(self, *, stderr: bool = False, to: Console | None = None) -> None:
        self._to = to or console(stderr=stderr)

    def say(self, words: str = "", style: str = "", *, whole: bool = False, indent: int = 0) -> None:
        """Prints a paragraph. Unless it is `whole`, it is folded, and no word is broken."""
        for part in words.split("\n"):
            if whole:
                self.line(Text(" " * indent + part, style))
            else:
                self.fold(part, style, indent=indent)

    @property
    def width(self) -> int:
        """The number of columns."""
        return self._to.width

    @property
    def ascii(self) -> bool:
        """Whether only ASCII can be printed."""
        return self._to.options.ascii_only

    def fold(self, words: str, style: str = "", *, indent: int = 0) -> None:
        """Prints a paragraph in which names are broken, where they must be, only behind `/`, `-`, `,` or `=`.

        Blanks at its start stand before every line.
        """
        indent += len(words) - len(words.lstrip(" "))
        for line in fold(words.lstrip(" "), max(self.width - indent, 1)):
            self.line(Text(" " * indent + line, style))

    def flow(self, pieces: Sequence[str], style: str = "") -> None:
        """Prints pieces side by side, as many a line as fit."""
        for line in joined(pieces, self.width):
            self.line(Text(line, style))

    def command(self, label: str, command: str) -> None:
        """Prints a command to copy. One that is too long for the line goes on after a backslash, before its third word.

        It is never broken inside a word.
        """
        if len(label) + 2 + len(command) > self.width and " " in command:
            words = command.split(" ")
            command = " ".join(words[:2]) + " \\\n" + " " * (len(label) + 4) + " ".join(words[2:])
        self.line(Text(f"{label}  {command}"))

    def line(self, line: Text) -> None:
        """Prints a line as it is."""
        if self.ascii and not line.plain.isascii():
            line = Text(self.plain(line.plain), line.style)
        self._to.print(line, soft_wrap=True)

    def show(self, made: Table | Bars | RenderableType) -> None:
        """Prints a table, bars, or what else the library can print."""
        if not isinstance(made, Table | Bars):
            self._to.print(made)
            return
        if isinstance(made, Table) and made.title:
            self.fold(made.title, "bold")
        signs = {"─": "-", "█": "#"}
        mark = "─" if isinstance(made, Table) else "█"
        for parts in made.lines(self.width, signs[mark] if self.ascii else mark):
            line = Text()
            for said, of in parts:
                line.append(said, style(of))
            line.rstrip()
            self.line(line)

    def plain(self, words: str) -> str:
        """Returns words as they can be printed: in ASCII, if there is nothing else."""
        return words.translate(_ASCII) if self.ascii else words

    def steps(self, rows: Sequence[tuple[str, str, str, str]], styles: Mapping[int, str] | None = None) -> None:
        """Prints steps: where from, where to, words, and their source: on the right, or behind the words if narrow.

        Nothing breaks inside a word. `styles` are those of rows, by number.
        """
        first, second, third = (max(len(row[column]) for row in rows) for column in (0, 1, 3))
        indent = first + second + 4
        apart = self._to.width - indent - third - 2 >= _WORDS
        for number, (before, after, words, source) in enumerate(rows):
            style = (styles or {}).get(number, "")
            fits = len(source) + 2 <= self._to.width - indent
            behind = f" [{source}]" if source and not apart and fits else ""
            here = f"  {before:{first}} {after:{second}} "
            head, *more = self._wrapped(words + behind, indent, third + 2 if apart and source else 0)
            line = Text(here + head, style)
            if apart and source:
                line.append(source.rjust(self._to.width - len(line)), "dim")
            below = [] if apart or fits else [Text(f"[{source}]".rjust(self._to.width), "dim")]
            for each in (line, *(Text(" " * indent + each, style) for each in more), *below):
                self._to.print(each, soft_wrap=True)

    def pairs(self, rows: Sequence[tuple[str, str]]) -> None:
        """Prints names, each with a text that wraps beside it."""
        indent = max(len(name) for name, _ in rows) + 3
        for name, said in rows:
            head, *more = self._wrapped(said, indent)
            for line in (f"  {name:{indent - 3}} {head}", *(" " * indent + each for each in more)):
                self._to.print(Text(line, "dim"), soft_wrap=True)

    def _wrapped(self, words: str, indent: int, right: int = 0) -> list[str]:
        """Lines that fit beside an indent and a margin on the right; a longer word has a line of its own."""
        width = max(self._to.width - indent - right, 1)
        return textwrap.wrap(words, width, break_long_words=False, break_on_hyphens=False) or [""]


def shortened(names: Sequence[str]) -> tuple[str, list[str]]:
    """Returns the common pattern of names, with * for parts that differ, and these parts of each, one per line."""
    parts = [name.split("/") for name in names]
    if len({len(each) for each in parts}) != 1:
        return "", list(names)
    same = [len(set(column)) == 1 for column in zip(*parts, strict=True)]
    common = "/".join(part if alike else "*" for part, alike in zip(parts[0], same, strict=True))
    return common, [
        "\n".join(part for part, alike in zip(each, same, strict=True) if not alike) or "*" for each in parts
    ]


def style(cell: str) -> str:
    """Returns the style of a verdict, by its first word."""
    first = cell.split(" ")[0]
    return _STYLES.get(first, "")
