"""Follows a run of one design on another: the same steps at the same time, where the two part, and why.

The terminal and the report show it. This module knows neither, and no NVMe.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal, TypeAlias

from uncork.core.evaluate import State, holds
from uncork.core.frozen import frozen
from uncork.core.property import Always, NotForever, Property
from uncork.core.sorts import Enum, plain
from uncork.core.system import Action, System
from uncork.core.trace import Trace
from uncork.render import story

LEAST, MOST = 3, 60
"""The fewest and most steps that the second design takes after the run of the first has ended."""
_EXTRA = 4
"""The most steps in a row of which only the second design has the like, before a step that both have."""

Kind: TypeAlias = Literal["same", "values", "another", "waits", "alone", "on"]
"""What happens at a row.

`same`: both take the same step. `values`: both do, and from here on they differ in a variable that was equal before.
`another`: the actor cannot take this step in the second design, and takes another. `waits`: the actor can take none
there. `alone`: the second design takes a step of a family that the first does not have. `on`: the run of the first has
ended, and the second goes on.
"""

End: TypeAlias = Literal["same", "ended", "stuck", "open", "holds", "fails"]
"""What the second design comes to; see `Beside`."""


@frozen
class Row:
    """A step of each design, or of one. `differs`: the variables of both that were equal before and are not after it.

    Variables that are names, such as where an actor stands in its program, are not compared: programs differ.
    `number` is the number of the step in the run of the first design. `first` and `second` are the states after the
    row, of which one may be the state before it. `did` and `other_did` tell the steps. `why` says why the second design
    does not take the step of the first.
    """

    kind: Kind
    number: int | None
    step: Action | None
    other: Action | None
    first: State
    second: State
    differs: tuple[str, ...]
    did: str
    other_did: str
    why: str

    @property
    def parts(self) -> bool:
        """Whether the designs part here: in a value or in a step."""
        return self.kind != "same"


@frozen
class Beside:
    """A run of a first design, and what a second design does meanwhile, which is a run of the second design.

    `end` is what the second design has come to: `same`, the designs never part; `ended`, what the property forbids to
    last for ever does not last; `stuck`, it lasts, and no fair step is enabled; `open`, it lasts, and goes on. Of an
    invariant: `holds` or `fails`. `wakers` are the families of steps that could have ended the wait.
    """

    rows: tuple[Row, ...]
    run: Trace
    end: End
    wakers: tuple[str, ...] = ()

    @property
    def parting(self) -> Row | None:
        """The first row where the designs part: the first other value, or the first other step."""
        return next((row for row in self.rows if row.parts), None)

    @property
    def turning(self) -> Row | None:
        """The row where the designs take different steps that matters most.

        The first where the run misses a wake-up and the second design does something else; or else the last where an
        actor does something else; or else the first step that one of them does not take.
        """
        another = [row for row in self.rows if row.kind == "another"]
        missed = [row for row in another if row.step and row.step.family in self.wakers]
        others = [row for row in self.rows if row.kind in ("waits", "alone", "on")]
        return next(iter([*missed[:1], *another[-1:], *others[:1]]), None)

    @property
    def why(self) -> str:
        """Where the designs part and why, in a sentence or two; nothing if they do not."""
        found = [row for row in (self.parting, self.turning) if row]
        return " ".join(dict.fromkeys(_told(row) for row in found))

    @property
    def outcome(self) -> str:
        """What the second design comes to, in a sentence."""
        return _OUTCOMES[self.end]


_OUTCOMES: dict[End, str] = {
    "same": "Both designs take the same steps.",
    "ended": "In the second design the wait ends.",
    "stuck": "The second design waits for ever, too.",
    "open": "After these steps the second design still waits.",
    "holds": "In the second design the invariant holds.",
    "fails": "In the second design the invariant fails, too.",
}


def beside(first: System, run: Trace, second: System, prop: Property | None = None) -> Beside:
    """Follows a run of `first` on `second`, step by step, and then lets `second` go on.

    An actor takes the step of the run if it can. If it cannot, it first takes steps that only `second` has, if these
    lead to it, or else takes another step of its own, or none. A loop of the run is followed once. After the run,
    `second` takes the fair step that it has not taken for longest, until the wait ends that `prop`, a property of
    `second`, forbids: at least `LEAST` steps, and at most `MOST`.
    """
    follower = _Follower(first, second, run.states[0])
    for index, name in enumerate(run.steps):
        follower.follow(index + 1, first.action(name), run.after(index))
    end = follower.end(prop)
    return Beside(tuple(follower.rows), follower.trace, end, prop.wakers if isinstance(prop, NotForever) else ())


class _Follower:
    """The second design, and the rows so far."""

    def __init__(self, first: System, second: System, start: State) -> None:
        self.system, self.first = second, dict(start)
        self.rows: list[Row] = []
        self.states: list[State] = [second.initial]
        self.steps: list[str] = []
        self._known = {action.name: action for action in second.actions}
        self._has = {action.family for action in first.actions}
        self._shared = [v.name for v in second.variables if v.name in start and not isinstance(v.sort, Enum)]
        self._apart = {name for name in self._shared if start[name] != second.initial[name]}

    @property
    def now(self) -> State:
        return self.states[-1]

    @property
    def trace(self) -> Trace:
        return Trace(tuple(self.states), tuple(self.steps))

    def end(self, prop: Property | None) -> End:
        """Lets the second design go on, and returns what it comes to."""
        if not any(row.parts for row in self.rows):
            return "same"
        if isinstance(prop, NotForever):
            for taken in range(MOST):
                waits = self._waits(prop)
                if taken >= LEAST and not waits:
                    return "ended"
                if not self._go_on():
                    return "stuck" if waits else "ended"
            return "open"
        return "fails" if isinstance(prop, Always) and not holds(prop.condition, self.now) else "holds"

    def _waits(self, prop: NotForever) -> bool:
        """Whether the wait that a property forbids still lasts."""
        last = self.rows[-1].other if self.rows else None
        return holds(prop.condition, self.now) and not (last and last.name in prop.without)

    def follow(self, number: int, step: Action, after: State) -> None:
        """Takes what the second design has for a step of the run."""
        same = self._known.get(step.name)
        for extra in self._leading_to(same) if same else ():
            self._add("alone", None, None, extra, self.first)
        if same and holds(same.guard, self.now):
            self._add("same", number, step, same, after)
            return
        why = (
            f"{step.name} is not enabled: {story.reason(same, (self.now,))}" if same else f"it has no step {step.name}"
        )
        other = self._instead(step)
        self._add("another" if other else "waits", number, step, other, after, why)

    def _go_on(self) -> bool:
        """Takes the fair step that was not taken for longest; returns whether there is one."""
        enabled = [action for action in self.system.enabled(self.now) if action.fair]
        if not enabled:
            return False
        last = {self._known[name].duty: place for place, name in enumerate(self.steps)}
        self._add("on", None, None, min(enabled, key=lambda action: last.get(action.duty, -1)), self.first)
        return True

    def _add(self, kind: Kind, number: int | None, step: Action | None, other: Action | None, first: State,
             why: str = "") -> None:  # fmt: skip
        did = step.told.on(self.first) if step else ""
        other_did = other.told.on(self.now) if other else ""
        if other:
            self.states.append(self.system.after(self.now, other))
            self.steps.append(other.name)
        self.first = dict(first)
        apart = {name for name in self._shared if self.first[name] != self.now[name]}
        differs = tuple(name for name in self._shared if name in apart - self._apart)
        self._apart = apart
        if kind == "same" and differs:
            kind = "values"
        self.rows.append(Row(kind, number, step, other, self.first, self.now, differs, did, other_did, why))

    def _leading_to(self, wanted: Action) -> list[Action]:
        """The steps of the same actor, of families that only the second design has, after which it can take a step."""
        return next(self._ways(wanted, self.now, _EXTRA), [])

    def _ways(self, wanted: Action, state: State, most: int) -> Iterator[list[Action]]:
        if holds(wanted.guard, state):
            yield []
        elif most:
            for each in self._of(wanted.actor, state):
                if each.family not in self._has:
                    for way in self._ways(wanted, self.system.after(state, each), most - 1):
                        yield [each, *way]

    def _of(self, actor: str, state: State) -> Iterator[Action]:
        return (each for each in self.system.actions if each.actor == actor and holds(each.guard, state))

    def _instead(self, step: Action) -> Action | None:
        """What the actor does instead: another outcome of the step, or a fair step; new kinds of steps first."""
        possible = [each for each in self._of(step.actor, self.now) if each.fair or each.duty == step.duty]
        return min(possible, key=lambda each: (each.duty != step.duty, each.family in self._has), default=None)


def _told(row: Row) -> str:
    """Says how the designs part at a row."""
    at = f"At step {row.number} {row.step.actor.strip()}" if row.step else ""
    own = f"{row.other.actor.strip()} takes {row.other.name} ({row.other_did})" if row.other else ""
    match row.kind:
        case "values":
            return f"{at} takes the same step, after which {_values(row)}."
        case "another":
            return f"{at} does something else in the second design: {row.other_did} ({row.why})."
        case "waits":
            return f"{at} waits in the second design ({row.why})."
        case "alone":
            return f"{own}, a step that only the second design has."
        case _:
            return f"There the run of the first design has ended, and the second goes on: {own}."


def _values(row: Row) -> str:
    return "; ".join(
        f"{name} is {plain(row.first[name])}, and {plain(row.second[name])} in the second design"
        for name in row.differs
    )
