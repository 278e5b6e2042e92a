"""Follows a run of one design on another: what both do, where they part, and how the other goes on from there."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any, Literal

from uncork_nvme.choices import parse_all
from uncork_nvme.instance import Instance, InstanceError, find_policy, from_name
from uncork_properties.catalogue import named, properties

from uncork.core.evaluate import State, evaluate, holds
from uncork.core.expr import conjuncts, text, variables
from uncork.core.frozen import frozen
from uncork.core.property import InRange, NotForever, Property
from uncork.core.sorts import plain
from uncork.core.system import Action, System
from uncork.core.trace import Trace, refutes
from uncork.engines.python import predicate, successors
from uncork.render import story

_BESIDES = 6
"""The most steps that an actor of the other design takes besides those of the run, before one of the run's."""
_STATES = 50_000
"""The most states in which the end of a wait is looked for."""
_OVERRIDES = re.compile(r"\w+=[^=]")

End = Literal["over", "none", "same", "never", "open"]
"""How it ends on the other design. `over`: what waits is woken. `none`: nothing waits. `same`: the same run refutes the
property. `never`: no steps but new submissions end the wait. `open`: this was not decided."""


@frozen
class Moment:
    """A step of the run, and the step of the other design in its place; None where a side has none.

    `same`: both do the same, with the same effect. `lacks` says why the other design cannot take the step.
    """

    one: story.Line | None
    other: story.Line | None
    same: bool = False
    lacks: str = ""


@frozen
class Beside:
    """A run of one design, followed on another: their steps, and those with which the other goes on."""

    one: Instance
    other: Instance
    prop: Property
    moments: tuple[Moment, ...]
    onward: tuple[story.Line, ...]
    ends: End
    run: Trace
    """The run of the other design, `onward` included."""

    @property
    def differ(self) -> Moment | None:
        """The first moment with another effect."""
        return next((each for each in self.moments if not each.same), None)

    @property
    def part(self) -> Moment | None:
        """The first moment with another step, or with none on one side."""
        return next((each for each in self.moments if _parts(each)), None)


def _parts(moment: Moment) -> bool:
    return moment.one is None or moment.other is None or moment.one.action != moment.other.action


# -- the other design --------------------------------------------------------------------------------------------------
def other_of(of: Instance, word: str) -> Instance:
    """Returns the instance that a word stands for beside another one.

    It is an instance; or device/guest/policy, a policy, or choices (`name=value,...`), with the rest as in `of`. Raises
    `InstanceError`, or `ChoiceError` for a choice that does not exist.
    """
    if _OVERRIDES.match(word):
        return replace(of, overrides={**of.overrides, **parse_all(word.split(","))})
    if "/" not in word:
        return replace(of, policy=find_policy(word).name)
    try:
        return from_name(word)
    except InstanceError as error:
        *parts, last = word.split("/")
        changed = bool(_OVERRIDES.match(last))
        if len(parts) < (3 if changed else 2):
            raise InstanceError(
                f"{word!r} cannot stand beside {of.name}: write an instance, device/guest/policy, a policy or "
                "choice=value"
            ) from None
        try:
            return from_name("/".join([*parts, str(of.shape), last] if changed else [word, str(of.shape)]))
        except InstanceError:
            raise error from None


# -- following ---------------------------------------------------------------------------------------------------------
def beside(of: Instance, prop: Property, run: Trace, other: Instance) -> Beside:
    """Follows a run that refutes a property on another instance, as far as the other can take its steps."""
    theirs = named(properties(other.machine, other.system), prop.name)
    system, lines = other.system, list(story.lines(of.system, run))
    states: list[State] = [system.initial]
    taken: list[str] = []
    pairs: list[tuple[int | None, int | None, str]] = []  # of the run's steps, of the other's, and why there is none
    for number, name in enumerate(run.steps):
        found = _followed(system, states[-1], of.system.action(name))
        for action in found:
            states.append(system.after(states[-1], action))
            taken.append(action.name)
        at = len(taken) - 1
        if not found:
            pairs.append((number, None, _lacks(system, states[-1], of.system.action(name))))
            break
        pairs += [(None, at - len(found) + 1 + k, "") for k in range(len(found) - 1)]
        pairs.append((number, at, ""))
    loop, whole = run.loop, all(other is not None for _, other, _ in pairs)
    ended = _same(system, theirs, states, taken, loop) if whole else None
    path, ends = ((), "same") if ended else _onward(system, theirs, states[-1])
    for name in path:
        states.append(system.after(states[-1], system.action(name)))
    followed = ended or Trace(tuple(states), (*taken, *path))
    told = list(story.lines(system, followed))
    moments = tuple(
        Moment(
            None if one is None else lines[one],
            None if two is None else told[two],
            one is not None and two is not None and _alike(run, one, followed, two),
            lacks,
        )
        for one, two, lacks in pairs
    )
    return Beside(of, other, prop, moments, tuple(told[len(taken) :]), ends, followed)


def _followed(system: System, state: State, wanted: Action) -> list[Action]:
    """Returns the steps with which a system follows a step of another; none if it cannot.

    It takes the step of that name, else another outcome of the same step; its actor may have to take others first.
    """
    before: list[Action] = []
    for _ in range(_BESIDES):
        if system.strays(state):
            return []
        enabled = [action for action in system.enabled(state) if action.actor == wanted.actor]
        nearest = sorted(enabled, key=lambda each: (each.name != wanted.name, each.duty != wanted.duty))
        found = next((each for each in nearest if _of_a_kind(each, wanted)), None)
        if found is not None:
            return [*before, found]
        fair = next((action for action in enabled if action.fair), None)
        if fair is None or not any(_of_a_kind(action, wanted) for action in system.actions):
            return []
        before.append(fair)
        state = system.after(state, fair)
    return []


def _of_a_kind(action: Action, wanted: Action) -> bool:
    return action.actor == wanted.actor and (action.duty == wanted.duty or action.family == wanted.family)


def _lacks(system: System, state: State, wanted: Action) -> str:
    """Says why no step of a kind can be taken."""
    kind = [action for action in system.actions if _of_a_kind(action, wanted)]
    if not kind:
        return "it has no such step"
    same = next((action for action in kind if action.name == wanted.name), kind[0])
    false = next((part for part in conjuncts(same.guard) if not holds(part, state)), same.guard)
    read = ", ".join(f"{v.value} is {plain(evaluate(v, state))}" for v in variables(false))
    return f"it would need {text(false)}, and {read}"


def _alike(run: Trace, one: int, other: Trace, two: int) -> bool:
    """Whether two steps are the same and change the same variables to the same values."""
    pairs = ((run, one), (other, two))
    changed = [
        {name: value for name, value in of.after(at).items() if of.states[at][name] != value} for of, at in pairs
    ]
    return run.steps[one] == other.steps[two] and changed[0] == changed[1]


def _same(
    system: System, prop: Property, states: Sequence[State], steps: Sequence[str], loop: int | None
) -> Trace | None:
    """Returns the run with its end, if it refutes the property in the same way; None if it does not."""
    runs = [Trace(tuple(states), tuple(steps), len(steps) if loop is not None else None)]
    if loop is not None and loop < len(steps):
        starts = [at for at, state in enumerate(states[:-1]) if state == states[-1]]
        runs = [Trace(tuple(states[:-1]), tuple(steps), at) for at in starts[-1:]]
    return next((each for each in runs if refutes(system, each, prop)), None)


def _onward(system: System, prop: Property, state: State) -> tuple[tuple[str, ...], End]:
    """Returns a shortest way on which the wait of a property ends, of steps that a fair run owes."""
    if not isinstance(prop, NotForever):
        strays = system.strays(state) if isinstance(prop, InRange) else not holds(prop.condition, state)
        return (), "open" if strays else "none"
    if system.strays(state):
        return (), "open"
    if not holds(prop.condition, state):
        return (), "none"
    fair = {action.name for action in system.actions if action.fair}
    after, waits = successors(system, fair), predicate(system, prop.condition)
    first = tuple(state[variable.name] for variable in system.variables)
    came: dict[Any, tuple[Any, str]] = {first: (None, "")}
    queue, complete = deque([first]), True
    while queue:
        here = queue.popleft()
        for index, there in after(here):
            name = system.actions[index].name
            if there is None:
                complete = False
            elif name in prop.without or not waits(there):
                return (*_way(came, here), name), "over"
            elif there not in came:
                came[there] = here, name
                queue.append(there)
        if len(came) > _STATES:
            return (), "open"
    return (), "never" if complete else "open"


def _way(came: dict[Any, tuple[Any, str]], state: Any) -> Iterator[str]:
    steps = []
    while came[state][1]:
        state, name = came[state]
        steps.append(name)
    yield from reversed(steps)


# -- in words and as data ----------------------------------------------------------------------------------------------
def sentences(found: Beside) -> list[str]:
    """Returns what is told of both runs: where they differ, where they part, and how the other ends."""
    told = []
    first, part = found.differ, found.part
    if first is None:
        told.append("B does the same as A in every step.")
    elif first.one and first.other and not _parts(first):
        told.append(f"They first differ at step {first.one.number}. {_both(first)}")
    if part is not None:
        told.append(f"They part at step {_number(found, part)}. {_both(part)}")
    elif first is not None:
        told.append("B takes every step that A takes.")
    return [*told, _ending(found)]


def _number(found: Beside, part: Moment) -> int:
    if part.one:
        return part.one.number
    later = found.moments[found.moments.index(part) :]
    return next(each.one.number for each in later if each.one)


def _both(moment: Moment) -> str:
    did = f"A, {moment.one.actor.strip()}: {moment.one.did}. " if moment.one else "A has no such step. "
    if moment.other is None:
        return f"{did}B cannot: {moment.lacks}."
    return f"{did}B{'' if moment.one else f', {moment.other.actor.strip()}'}: {moment.other.did}."


def _ending(found: Beside) -> str:
    of = found.prop.name
    match found.ends:
        case "same":
            return f"B is refuted by the same run: {of}."
        case "over":
            steps = len(found.onward)
            return (
                f"From there B needs {steps} more step{'s' * (steps != 1)}, without a new submission, to end the wait "
                f"of {of}."
            )
        case "none":
            return f"At the end of this run nothing waits in B, of {of}."
        case "never":
            return f"From there B waits, too: no steps but a new submission end the wait of {of}."
        case "open":
            return f"How B goes on from there, of {of}, was not decided."


def as_json(found: Beside) -> dict[str, Any]:
    """Returns both runs as plain data, step by step."""

    def step(line: story.Line | None) -> dict[str, Any] | None:
        if line is None:
            return None
        return {"number": line.number, "actor": line.actor, "step": line.action, "did": line.did}

    part = found.part
    return {
        "one": found.one.name,
        "other": found.other.name,
        "property": found.prop.name,
        "said": sentences(found),
        "differ": _number(found, found.differ) if found.differ else None,
        "part": _number(found, part) if part else None,
        "ends": found.ends,
        "steps": [
            {"one": step(each.one), "other": step(each.other), "same": each.same, "lacks": each.lacks}
            for each in found.moments
        ],
        "onward": [step(line) for line in found.onward],
    }
