"""A run walked by hand: the user takes, undoes and redoes steps, or a fair scheduler takes some.

This module knows a system and its properties, but no terminal. Behind the current state lies the run; ahead lie undone
steps, or a counterexample that is followed.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from math import inf
from random import Random
from time import monotonic
from typing import Literal, NamedTuple

from uncork.core.causes.cause import cause
from uncork.core.evaluate import State, holds
from uncork.core.property import Always, InRange, NotForever, Property
from uncork.core.system import Action, System
from uncork.core.trace import Trace, refutes, replay

ORDERS = ("random", "round-robin")
"""The orders in which a scheduler can take enabled steps."""
MOST = 1000
"""The most steps that a scheduler takes at a time."""


@dataclass(frozen=True)
class Standing:
    """The status of a property in a state: `holds`, `waits` (for an event), `STUCK`, `VIOLATED`, or `unknown`.

    `told` says what is wrong, or what the property waits for.
    """

    prop: Property
    word: str
    told: str = ""


class Notice(NamedTuple):
    """A sentence about a state (may be empty), and whether the state refutes a property."""

    said: str = ""
    bad: bool = False


class Journey:
    """A run and a position on it: the number of steps taken."""

    def __init__(self, system: System, properties: Sequence[Property] = (), along: Trace | None = None) -> None:
        """Starts at the first state. `along` is a run to follow; it is replayed first. Raises `ReplayError`."""
        self.system, self.properties = system, properties
        self.at = 0
        self._states: list[State] = [system.initial]
        self._steps: list[str] = []
        self._enabled: tuple[State | None, list[Action]] = None, []
        self.loop: int | None = None
        self.period = 0
        if along is not None:
            replay(system, along)
            closing = [along.states[along.loop or 0]] if len(along.steps) == len(along.states) else []
            self._states, self._steps = [*along.states, *closing], list(along.steps)
            self.loop, self.period = along.loop, along.loop_steps

    # -- the position --------------------------------------------------------------------------------------------------
    @property
    def state(self) -> State:
        """The current state."""
        return self._states[self.at]

    @property
    def states(self) -> Sequence[State]:
        """All states of the run, including those ahead."""
        return self._states

    @property
    def steps(self) -> Sequence[str]:
        """The names of all steps, including those ahead."""
        return self._steps

    @property
    def ahead(self) -> str | None:
        """The next step ahead, if any; a loop repeats for ever."""
        if self.at < len(self._steps):
            return self._steps[self.at]
        if self.loop is not None and self.period:
            return self._steps[self.loop + (self.at - self.loop) % self.period]
        return None

    @property
    def closed(self) -> bool:
        """Whether the loop has just returned to its first state."""
        return bool(self.loop is not None and self.period and self.at > self.loop) and (
            (self.at - (self.loop or 0)) % self.period == 0
        )

    def in_loop(self, step: int) -> bool:
        """Returns whether the step of this index belongs to the loop."""
        return self.loop is not None and self.period > 0 and step >= self.loop

    @property
    def enabled(self) -> list[Action]:
        """The enabled actions; none if a variable is out of range."""
        state, found = self._enabled
        if state is not self.state:
            found = [] if self.system.strays(self.state) else self.system.enabled(self.state)
            self._enabled = self.state, found
        return found

    @property
    def stuck(self) -> bool:
        """Whether no fair action is enabled: a fair run may stay here for ever."""
        return not self.system.strays(self.state) and not any(action.fair for action in self.enabled)

    # -- walking -------------------------------------------------------------------------------------------------------
    def take(self, action: Action) -> None:
        """Takes an enabled step. Steps ahead are kept if this is the next of them, and forgotten otherwise."""
        if self.system.strays(self.state) or not holds(action.guard, self.state):
            raise ValueError(f"{action.name} is not enabled")
        if action.name != self.ahead:
            del self._states[self.at + 1 :], self._steps[self.at :]
            self.loop, self.period = None, 0
        if self.at == len(self._steps):
            self._states.append(self.system.after(self.state, action))
            self._steps.append(action.name)
        self.at += 1

    def back(self) -> bool:
        """Undoes the last step, which then lies ahead. Returns False at the first state."""
        if self.at == 0:
            return False
        self.at -= 1
        return True

    def forward(self) -> bool:
        """Takes the step that lies ahead. Returns False if there is none."""
        name = self.ahead
        if name is not None:
            self.take(self.system.action(name))
        return name is not None

    def to_start(self) -> None:
        """Goes back to the first state."""
        self.at = 0

    def to_end(self) -> None:
        """Goes to the end of the steps ahead. A loop is not repeated."""
        self.at = len(self._steps)

    # -- reports -------------------------------------------------------------------------------------------------------
    def standings(self) -> list[Standing]:
        """Returns the status of every property."""
        return [self._standing(prop) for prop in self.properties]

    @property
    def violated(self) -> Standing | None:
        """The invariants that the current state violates."""
        safety = (self._standing(prop) for prop in self.properties if not isinstance(prop, NotForever))
        return next((each for each in safety if each.word == "VIOLATED"), None)

    def _standing(self, prop: Property) -> Standing:
        strays = self.system.strays(self.state)
        match prop:
            case InRange():
                return Standing(prop, "VIOLATED", f"{', '.join(strays)} out of range") if strays else _fine(prop)
            case _ if strays:
                return Standing(prop, "unknown")
            case Always():
                return _fine(prop) if holds(prop.condition, self.state) else _told(prop, "VIOLATED", self.state)
            case NotForever():
                if not holds(prop.condition, self.state):
                    return _fine(prop)
                return _told(prop, "STUCK" if self.stuck else "waits", self.state)

    def notice(self) -> Notice:
        """Returns the most important fact about this state: a violation, rest, or a closed loop."""
        if self.violated:
            return Notice(f"VIOLATED: {self._cause()}", True)
        if self.stuck:
            families = list(dict.fromkeys(action.family for action in self.enabled))
            only = f"nothing but {' or '.join(families)} is enabled, and no fair run owes it"
            why = only if families else "nothing is enabled"
            stays = any(each.word == "STUCK" for each in self.standings())
            return Notice(f"STUCK: {why}. {self._cause()}" if stays else f"At rest: {why}.", stays)
        if self.closed:
            refuted = self.trace()[1]
            shows = f": {', '.join(refuted)} refuted. {self._cause()}" if refuted else "."
            return Notice(
                f"The loop is closed, the state is that after step {self.loop}, for ever{shows}", bool(refuted)
            )
        return Notice()

    def _cause(self) -> str:
        """Returns why the run so far refutes a property; of several the first."""
        run, refuted = self.trace()
        prop = next((each for each in self.properties if each.name in refuted), None)
        return cause(self.system, prop, run).text if prop else ""

    def trace(self) -> tuple[Trace, list[str]]:
        """Returns the run so far, and the names of the properties that it refutes.

        The run is finite unless it refutes a property by staying in its last state or by returning to an earlier one.
        """
        finite = Trace(tuple(self._states[: self.at + 1]), tuple(self._steps[: self.at]))
        suspects = [each.prop for each in self.standings() if each.word not in ("holds", "unknown")]
        for run in (finite, *self._for_ever(finite)):
            refuted = [prop.name for prop in suspects if refutes(self.system, run, prop)]
            if refuted:
                return run, refuted
        return finite, []

    def _for_ever(self, run: Trace) -> Iterator[Trace]:
        if self.stuck:
            yield Trace(run.states, run.steps, len(run.steps))
        lasting = [prop for prop in self.properties if isinstance(prop, NotForever)]
        if self.system.strays(self.state):
            return
        for start in reversed(range(len(run.steps))):
            lasting = [
                prop
                for prop in lasting
                if holds(prop.condition, run.states[start]) and run.steps[start] not in prop.without
            ]
            if not lasting:
                return
            if run.states[start] == self.state:
                yield Trace(run.states[:-1], run.steps, start)


def _fine(prop: Property) -> Standing:
    return Standing(prop, "holds")


def _told(prop: Always | NotForever, word: str, state: State) -> Standing:
    return Standing(prop, word, prop.blame.on(state))


@dataclass(frozen=True)
class Scheduler:
    """Picks the next step of a run, fairly. The choice depends on the run alone: an undone step is picked again.

    `random` draws a fairness duty and then one of its outcomes, from the seed and the step number. `round-robin` takes
    the enabled duty that was taken longest ago. With `unowed`, steps without fairness (submissions) are picked too; all
    such steps of one family and actor count as one duty.
    """

    order: str = "random"
    seed: int = 0
    unowed: bool = True

    def pick(self, journey: Journey) -> Action | None:
        """Returns an enabled step, or None."""
        duties: dict[str, list[Action]] = {}
        for action in journey.enabled:
            if action.fair or self.unowed:
                duties.setdefault(_duty(action), []).append(action)
        if not duties:
            return None
        if self.order == "random":
            drawn = Random(f"{self.seed} {journey.at}")
            return drawn.choice(drawn.choice(list(duties.values())))
        steps, last = {a.name: a for a in journey.system.actions}, dict[str, int]()
        for number, name in enumerate(journey.steps[: journey.at]):
            last[name] = last[_duty(steps[name])] = number
        longest = min(duties, key=lambda duty: last.get(duty, -1))
        return min(duties[longest], key=lambda action: last.get(action.name, -1))

    def run(
        self, journey: Journey, until: Collection[str], most: int = MOST, seconds: float = inf
    ) -> Literal["met", "over", "enough"]:
        """Takes steps. Returns why it stopped.

        `met`: it took a step of these families. `over`: no step is left to pick, or an invariant is violated.
        `enough`: the limit of steps or seconds is reached.
        """
        stop = monotonic() + seconds
        for _ in range(most):
            action = self.pick(journey)
            if action is None:
                return "over"
            journey.take(action)
            if action.family in until:
                return "met"
            if journey.violated:
                return "over"
            if monotonic() > stop:
                break
        return "enough"


def _duty(action: Action) -> str:
    return action.duty if action.fair else f"{action.family} by {action.actor}"
