"""Tells a trace as plain data: what every step did and changed, and why no actor ended the wait.

Every textual form of a trace (terminal, Mermaid) is made from this data.
"""

from __future__ import annotations

from collections.abc import Iterator

from uncork.core.evaluate import State, evaluate, holds
from uncork.core.expr import Expr, conjuncts, text, variables
from uncork.core.frozen import frozen
from uncork.core.property import Always, InRange, NotForever, Property
from uncork.core.sorts import plain
from uncork.core.system import Action, RingPicture, System
from uncork.core.trace import Trace, owed

_DRAWN = 8
"""Rings of up to this many slots are drawn; for larger rings, indices are printed as numbers."""

_SPOKEN = {"event": "EventIdx"}
"""Fields that have another name for people."""


@frozen
class Line:
    """One step: its number, its actor, what the actor did, the changed rings (drawn) and other changes.

    `signs` are the changes that a short account has beside drawn rings: indices of rings too large to draw, and of
    other variables those that the system says to watch.
    """

    number: int
    actor: str
    action: str
    did: str
    rings: tuple[str, ...]
    changes: tuple[str, ...]
    signs: tuple[str, ...]
    in_loop: bool


def lines(system: System, trace: Trace) -> Iterator[Line]:
    """Returns the steps of a trace."""
    for index, name in enumerate(trace.steps):
        action = system.action(name)
        before, after = trace.states[index], trace.after(index)
        drawn = [p for p in system.pictures if p.size <= _DRAWN]
        shown = {variable for p in drawn for variable in _marked(p)}
        yield Line(
            number=index + 1,
            actor=action.actor,
            action=name,
            did=action.told.on(before),
            rings=turned(system, before, after),
            changes=tuple(
                f"{v.name} {plain(before[v.name])}→{plain(after[v.name])}"
                for v in system.variables
                if before[v.name] != after[v.name] and v.name not in shown
            ),
            signs=(*moved(system, before, after), *signs(system, before, after)),
            in_loop=trace.loop is not None and index >= trace.loop,
        )


def turned(system: System, before: State, after: State) -> tuple[str, ...]:
    """Returns the rings that differ from those before, drawn; not those too large to draw."""
    drawn = (p for p in system.pictures if p.size <= _DRAWN)
    return tuple(draw(p, after) for p in drawn if any(before[v] != after[v] for v in _marked(p)))


def signs(system: System, before: State | None, after: State) -> list[str]:
    """Returns the watched variables that differ from `before`, with their values; all of them for None."""
    return [
        f"{word} {plain(after[variable])}"
        for word, variable in system.watched
        if before is None or before[variable] != after[variable]
    ]


def moved(system: System, before: State, after: State) -> Iterator[str]:
    """Yields the indices that a step moves on rings that are too large to draw."""
    for picture in system.pictures:
        if picture.size > _DRAWN:
            moved = [f"{mark} {plain(after[v])}" for mark, v in picture.marks if before[v] != after[v]]
            if moved:
                yield f"{picture.title} {', '.join(moved)}"


def _marked(picture: RingPicture) -> list[str]:
    return [variable for _, variable in picture.marks] + ([picture.slots] if picture.slots else [])


def draw(picture: RingPicture, state: State) -> str:
    """Draws a ring: its slots in order, with the marks at every slot and a dot for every entry."""
    slots = []
    contents = state[picture.slots] if picture.slots else ()
    assert isinstance(contents, tuple)
    for position in range(picture.size):
        marks = "".join(mark for mark, variable in picture.marks if state[variable] == position)
        full = "•" if contents and contents[position] != picture.empty else ""
        slots.append(f"[{marks}{full}]" if marks or full else "[ ]")
    return f"{picture.title} " + "".join(slots)


def rings(system: System, state: State) -> Iterator[tuple[str, list[str]]]:
    """Yields every ring as text (large rings in numbers), with the variables that the text shows."""
    for picture in system.pictures:
        shown = _marked(picture)
        if picture.size <= _DRAWN:
            yield draw(picture, state), shown
        else:
            marks = ", ".join(f"{mark} {plain(state[variable])}" for mark, variable in picture.marks)
            contents = state[picture.slots] if picture.slots else ()
            assert isinstance(contents, tuple)
            full = sum(entry != picture.empty for entry in contents)
            yield f"{picture.title} {marks}" + (f", • {full}" if full else ""), shown


def legend(system: System) -> str:
    """Explains the marks on the rings."""
    meaning: dict[str, str] = {}
    for picture in system.pictures:
        for mark, variable in picture.marks:
            field = variable.rpartition(".")[2]
            meaning.setdefault(mark, _SPOKEN.get(field, field))
    marks = ", ".join(f"{mark} {name}" for mark, name in meaning.items())
    return f"{marks}, • an entry not consumed"


def called(system: System, variable: str) -> str:
    """Returns what people call a variable: an index by its ring, a watched one by its word, others by their name."""
    marks = ((picture.title, each) for picture in system.pictures for _, each in picture.marks)
    for title, each in marks:
        if each == variable:
            field = variable.rpartition(".")[2]
            return f"{title} {_SPOKEN.get(field, field)}"
    return next((word for word, each in system.watched if each == variable), variable)


def headline(prop: Property, trace: Trace) -> str:
    """Returns a sentence that says what went wrong."""
    last = trace.states[-1]
    match prop:
        case InRange():
            return "A variable leaves its range in the last state."
        case Always():
            return prop.blame.on(last) + "."
        case NotForever():
            return prop.blame.on(trace.states[trace.loop or 0]) + "."


def ending(trace: Trace) -> str:
    """Returns how the run continues after its last step."""
    if trace.loop is None:
        return ""
    if trace.stuck:
        return "and so on for ever: nothing that must happen can happen any more"
    return f"and so on for ever: back to the state after step {trace.loop}"


def wakers(system: System, prop: Property, trace: Trace) -> list[Line]:
    """Returns the last occurrence of every step that could have ended the wait, in order of the trace."""
    if not isinstance(prop, NotForever):
        return []
    last = {line.action: line for line in lines(system, trace) if system.action(line.action).family in prop.wakers}
    return sorted(last.values(), key=lambda line: line.number)


def obligations(system: System, trace: Trace) -> tuple[list[Action], list[tuple[str, list[Action]]]]:
    """Returns the fair actions that the loop takes, and the others grouped by the condition that disables them."""
    if trace.loop is None:
        return [], []
    loop = trace.states[trace.loop :]
    taken: list[Action] = []
    reasons: dict[str, list[Action]] = {}
    names = set(trace.steps[trace.loop :])
    for actions, fate in owed(system, trace):
        if fate == "taken":
            taken += [action for action in actions if action.name in names]
        else:
            for action in actions:
                reasons.setdefault(reason(action, loop), []).append(action)
    return taken, list(reasons.items())


def reason(action: Action, loop: tuple[State, ...]) -> str:
    """Says why an action is enabled in no state of a loop (or in a single state)."""
    parts = conjuncts(action.guard)
    for part in parts:
        if not any(holds(part, state) for state in loop):
            return _why_not(part, loop)
    return "never all at once: " + text(action.guard)


def _why_not(condition: Expr, loop: tuple[State, ...]) -> str:
    """Describes a condition that is false throughout by the values of its variables."""
    read = variables(condition)
    if condition.op == "==" and len(read) == 1 and condition.args[0].op == "var":
        return f"{read[0].value} is {_values(read[0], loop)}"
    if condition.op == "~" and condition.args[0].op == "var":
        return f"{read[0].value} is yes"
    told = ", ".join(f"{v.value} is {_values(v, loop)}" for v in read)
    false = text(condition.args[0]) if condition.op == "~" else f"not {text(condition)}"
    return f"{false} ({told})"


def _values(variable: Expr, loop: tuple[State, ...]) -> str:
    distinct = dict.fromkeys(plain(evaluate(variable, state)) for state in loop)
    return " or ".join(distinct)
