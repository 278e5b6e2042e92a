"""Prints runs: the cause, the rings at the end and a line a step; or all of it, with every variable."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from io import StringIO

from rich import box
from rich.console import Console
from rich.padding import Padding
from rich.table import Table

from uncork.core.causes.cause import cause
from uncork.core.frozen import frozen
from uncork.core.property import Property
from uncork.core.system import System
from uncork.core.trace import Trace
from uncork.render import story
from uncork.render.terminal.text import Page, Text, fold, joined

MORE = "--all: every variable, who could have woken it, what cannot happen and why."
_NOT_SHORTEST = "(The way in is a shortest one; the loop is short, not proved to be the shortest.)"
_DID = 16
"""The least width for what a step did."""
_GAP = "  "


# -- in short ----------------------------------------------------------------------------------------------------------
@frozen
class Said:
    """What is printed of a step: signs with its number, its actor, what the actor did, and what changed."""

    sign: str
    actor: str
    did: str
    changed: tuple[str, ...]
    style: str = ""


def show_trace(to: Page, name: str, system: System, prop: Property, trace: Trace, *, shortest: bool = True) -> None:
    """Prints a counterexample: its cause, the rings at the end, and a line a step. Steps of the cause have a mark."""
    why = cause(system, prop, trace)
    to.fold(f"{name}: {prop.name} is refuted", "bold")
    to.say()
    to.fold(why.text, "red")
    to.say()
    _end(to, system, trace)
    to.say()
    _steps(to, system, trace, why.steps)
    if ending := story.ending(trace):
        to.fold(ending, "bold", indent=6)
    to.say()
    if not shortest:
        to.fold(_NOT_SHORTEST)
    to.fold(MORE, "dim")


def show_run(to: Page, title: str, system: System, trace: Trace) -> None:
    """Prints a run that is no counterexample: a line a step, and the rings at its end."""
    to.fold(title, "bold")
    to.say()
    _steps(to, system, trace, ())
    to.say()
    _end(to, system, trace)


def end(system: System, trace: Trace) -> list[str]:
    """Returns the rings at the end of a run, or where its loop starts, and the watched variables that it changes.

    What is nothing, at first and at the end, is left out.
    """
    state = trace.states[-1 if trace.loop is None else trace.loop]
    told = zip(system.watched, story.signs(system, None, state), strict=True)
    changed = (
        said
        for (_, v), said in told
        if (state[v] or trace.states[0][v]) and any(each[v] != state[v] for each in trace.states)
    )
    return [*(ring for ring, _ in story.rings(system, state)), *changed]


def _end(to: Page, system: System, trace: Trace) -> None:
    where = f"where the loop starts, after step {trace.loop}:" if trace.loop_steps else "at the end:"
    to.flow([where, *end(system, trace)])
    loop = "; ↻ in the loop" if trace.loop_steps else ""
    to.fold(f"({story.legend(system)}{loop})", "dim")


def _steps(to: Page, system: System, trace: Trace, marked: Collection[int]) -> None:
    lines = list(story.lines(system, trace))
    width = len(str(len(lines)))
    show_lines(to, [
        Said(
            ("▸" if line.number in marked else " ") + f"{line.number:>{width}}" + ("↻" if line.in_loop else " "),
            line.actor.strip(), line.did, (*line.rings, *line.signs), "red" if line.number in marked else "",
        )
        for line in lines
    ])  # fmt: skip


def show_lines(to: Page, lines: Sequence[Said]) -> None:
    """Prints steps, a line each where the width allows. What changed stands on the right, or below; no word breaks."""
    for line in laid_out(lines, to.width):
        to.line(line)


def laid_out(lines: Sequence[Said], width: int) -> Iterator[Text]:
    """Yields the lines of steps."""
    signs, actors = (max((len(each) for each in column), default=0) for column in zip(*_heads(lines), strict=True))
    narrow = max(width - signs - actors - 3, _DID)
    column = max((len(each) for line in lines for each in line.changed), default=0)  # where several are rare
    longest = max((len(line.did) for line in lines if line.changed), default=0) + len(_GAP)
    for line in lines:
        indent = signs + (actors + 3 if line.actor else 1)
        room = max(width - indent, _DID)
        did, right = fold(line.did, room), joined(line.changed, room, _GAP)
        beside = right.pop() if len(right) == 1 and len(did[-1]) + len(_GAP) + len(right[0]) <= room else ""
        rows = [*((words, "") for words in did[:-1]), (did[-1], beside), *(("", each) for each in right)]
        for number, (words, changed) in enumerate(rows):
            made = Text(" " * indent if number else f"{line.sign:{signs}} ", line.style or "dim")
            made.append("" if number or not line.actor else f"{line.actor:{actors}}  ", line.style)
            start = min(room - max(min(column, narrow // 2), len(changed)), longest)
            start = max(start, len(words) + len(_GAP) if words else 0)
            made.append(words.ljust(start) if changed else words, line.style)
            made.append(changed, line.style or "bold")
            made.rstrip()
            yield made


def _heads(lines: Sequence[Said]) -> list[tuple[str, str]]:
    return [(line.sign, line.actor) for line in lines] or [("", "")]


# -- all of it ---------------------------------------------------------------------------------------------------------
def show_whole(to: Page, name: str, system: System, prop: Property, trace: Trace, *, shortest: bool = True) -> None:
    """Prints everything about a counterexample."""
    to.fold(f"{name}: {prop.name} is refuted", "bold")
    to.say()
    to.say(cause(system, prop, trace).text, "red")
    to.say()
    to.say(story.headline(prop, trace))
    to.say()
    for picture in system.pictures:
        to.say(f"at first: {story.draw(picture, trace.states[0])}", "dim")
    to.say(f"({story.legend(system)}; ↻ marks the loop)", "dim")
    _every_change(to, system, trace)
    if ending := story.ending(trace):
        to.say(f"     {ending}", "bold")
        to.say()
    if not shortest:
        to.say(_NOT_SHORTEST)
        to.say()
    _show_why(to, system, prop, trace)


def show_whole_run(to: Page, title: str, system: System, trace: Trace) -> None:
    """Prints everything about a run that is no counterexample, and the rings at its end."""
    to.fold(title, "bold")
    to.say(f"({story.legend(system)})", "dim")
    _every_change(to, system, trace)
    for picture in system.pictures:
        to.say(f"at the end: {story.draw(picture, trace.states[-1])}")


def trace_text(name: str, system: System, prop: Property, trace: Trace, *, shortest: bool = True) -> str:
    """Returns the output of `show_whole` as text of 80 columns without colour."""
    buffer = StringIO()
    to = Page(to=Console(file=buffer, width=80, highlight=False, color_system=None))
    show_whole(to, name, system, prop, trace, shortest=shortest)
    return "\n".join(line.rstrip() for line in buffer.getvalue().splitlines()) + "\n"


def _every_change(to: Page, system: System, trace: Trace) -> None:
    """Prints the steps of a trace as a table: the actor, what it did, and every variable that changed."""
    made = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 1, 0, 0))
    made.add_column("#", justify="right")
    made.add_column("")
    made.add_column("actor", max_width=16)
    made.add_column("what it did", ratio=5)
    made.add_column("what changed", ratio=4)
    for line in story.lines(system, trace):
        changed = Text(to.plain("\n".join(line.rings)), style="bold")
        if line.rings and line.changes:
            changed.append("\n")
        changed.append(to.plain(", ".join(line.changes)), style="dim")
        loop = to.plain("↻") if line.in_loop else " "
        made.add_row(str(line.number), loop, Text(line.actor), Text(line.did), changed)
    to.show(made)


def _show_why(to: Page, system: System, prop: Property, trace: Trace) -> None:
    lines = story.wakers(system, prop, trace)
    if lines:
        to.say("Who could have woken it, and what came of it the last time", "bold")
        for line in lines:
            to.say(f"step {line.number}, {line.actor}: {line.did}", indent=2)
        to.say()
    taken, reasons = story.obligations(system, trace)
    if taken:
        to.say("What goes on in the loop", "bold")
        to.say(", ".join(action.name for action in taken), indent=2)
        to.say()
    if reasons:
        to.say("What can not happen there, and why", "bold")
        for reason, actions in reasons:
            why = Text(f"{reason}: ")
            why.append(", ".join(action.name for action in actions), style="dim")
            to.show(Padding(why, (0, 0, 0, 2)))
