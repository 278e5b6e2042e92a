"""Prints traces, tables and explanations on a terminal or to a file."""

from __future__ import annotations

import os
import re
import textwrap
from collections.abc import Iterable, Mapping, Sequence
from io import StringIO

from rich import box
from rich.bar import Bar
from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text as Text  # re-exported: no other module knows the library

from uncork.core.causes.cause import cause
from uncork.core.property import Property
from uncork.core.system import System
from uncork.core.trace import Trace
from uncork.render import story

__all__ = ["Page", "Table", "Text", "console", "fold", "show_run", "show_trace", "table", "trace_text"]

_WORDS = 22
"""The least width for words beside a column of sources."""
_BREAKS = re.compile(r"[^/,= -]*[/,= -]|[^/,= -]+")
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
        """Prints a paragraph."""
        said = Text(words, style)
        self._to.print(Padding(said, (0, 0, 0, indent), expand=False) if indent else said, soft_wrap=whole)

    @property
    def width(self) -> int:
        """The number of columns."""
        return self._to.width

    @property
    def ascii(self) -> bool:
        """Whether only ASCII can be printed."""
        return self._to.options.ascii_only

    def fold(self, words: str, style: str = "", *, indent: int = 0) -> None:
        """Prints a paragraph in which names are broken, where they must be, only behind `/`, `-`, `,` or `=`."""
        for line in fold(words, max(self.width - indent, 1)):
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
        self._to.print(line, soft_wrap=True)

    def show(self, made: Table) -> None:
        """Prints a table."""
        self._to.print(made)

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


def table(
    title: str | None,
    columns: Sequence[str],
    rows: Iterable[Sequence[str]],
    *,
    numbers: Sequence[int] = (),
    whole: Sequence[int] = (),
) -> Table:
    """Returns a plain table. Columns in `numbers` are right-aligned; cells of columns in `whole` are not wrapped."""
    made = Table(
        title=title,
        title_justify="left",
        title_style="bold",
        box=box.SIMPLE_HEAD,
        show_edge=False,
        pad_edge=False,
        padding=(0, 1, 0, 0),
    )
    for index, column in enumerate(columns):
        made.add_column(
            column, justify="right" if index in numbers else "left", overflow="fold", no_wrap=index in whole
        )
    for row in rows:
        made.add_row(*(Text(each, style=style(each)) for each in row))
    return made


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


def bars(names: Sequence[str], columns: Mapping[str, tuple[Sequence[float | None], str]]) -> Table:
    """Returns a table of bars: one per name and column, with its number; None has no bar."""
    made = table(None, [""], [])
    for title in columns:
        made.add_column(title, justify="right")
        made.add_column("", ratio=1, min_width=10)
    longest = [max([value for value in values if value is not None], default=0.0) for values, _ in columns.values()]
    for row, name in enumerate(names):
        cells: list[Text | Bar] = []
        for (values, form), most in zip(columns.values(), longest, strict=True):
            value = values[row]
            cells += [Text("-"), Text("")] if value is None else [Text(form.format(value)), Bar(most or 1, 0, value)]
        made.add_row(Text(name), *cells)
    return made


def style(cell: str) -> str:
    """Returns the style of a verdict, by its first word."""
    first = cell.split(" ")[0]
    return _STYLES.get(first, "")


def run(system: System, trace: Trace) -> Table:
    """Returns the steps of a trace as a table: the actor, what it did, and what changed."""
    made = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 1, 0, 0))
    made.add_column("#", justify="right")
    made.add_column("")
    made.add_column("actor", max_width=16)
    made.add_column("what it did", ratio=5)
    made.add_column("what changed", ratio=4)
    for line in story.lines(system, trace):
        changed = Text("\n".join(line.rings), style="bold")
        if line.rings and line.changes:
            changed.append("\n")
        changed.append(", ".join(line.changes), style="dim")
        loop = "↻" if line.in_loop else " "
        made.add_row(str(line.number), loop, Text(line.actor), Text(line.did), changed)
    return made


def show_trace(to: Console, name: str, system: System, prop: Property, trace: Trace, *, shortest: bool = True) -> None:
    """Prints everything about a counterexample."""
    to.print(Text(f"{name}: {prop.name} is refuted", style="bold"))
    to.print()
    to.print(Text(cause(system, prop, trace).text, style="red"))
    to.print()
    to.print(Text(story.headline(prop, trace)))
    to.print()
    for picture in system.pictures:
        to.print(Text(f"at first: {story.draw(picture, trace.states[0])}", style="dim"))
    to.print(Text(f"({story.legend(system)}; ↻ marks the loop)", style="dim"))
    to.print(run(system, trace))
    if ending := story.ending(trace):
        to.print(Text(f"     {ending}", style="bold"))
        to.print()
    if not shortest:
        to.print("(The way in is a shortest one; the loop is short, not proved to be the shortest.)")
        to.print()
    _show_why(to, system, prop, trace)


def _show_why(to: Console, system: System, prop: Property, trace: Trace) -> None:
    lines = story.wakers(system, prop, trace)
    if lines:
        to.print(Text("Who could have woken it, and what came of it the last time", style="bold"))
        for line in lines:
            to.print(Padding(Text(f"step {line.number}, {line.actor}: {line.did}"), (0, 0, 0, 2)))
        to.print()
    taken, reasons = story.obligations(system, trace)
    if taken:
        to.print(Text("What goes on in the loop", style="bold"))
        to.print(Padding(Text(", ".join(action.name for action in taken)), (0, 0, 0, 2)))
        to.print()
    if reasons:
        to.print(Text("What can not happen there, and why", style="bold"))
        for reason, actions in reasons:
            why = Text(f"{reason}: ")
            why.append(", ".join(action.name for action in actions), style="dim")
            to.print(Padding(why, (0, 0, 0, 2)))


def trace_text(name: str, system: System, prop: Property, trace: Trace, *, shortest: bool = True) -> str:
    """Returns the output of `show_trace` as text of 80 columns without colour."""
    buffer = StringIO()
    to = Console(file=buffer, width=80, highlight=False, color_system=None)
    show_trace(to, name, system, prop, trace, shortest=shortest)
    return "\n".join(line.rstrip() for line in buffer.getvalue().splitlines()) + "\n"


def show_run(to: Console, title: str, system: System, trace: Trace) -> None:
    """Prints a run that is no counterexample, and the rings at its end."""
    to.print(Text(title, style="bold"))
    to.print(Text(f"({story.legend(system)})", style="dim"))
    to.print(run(system, trace))
    for picture in system.pictures:
        to.print(f"at the end: {story.draw(picture, trace.states[-1])}", markup=False)
