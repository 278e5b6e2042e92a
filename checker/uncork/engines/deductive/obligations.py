"""Generates the proof obligations of an argument: small implications with names, in the modelling language."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from uncork.core.expr import Expr, all_of, any_of, boolean, lift, text, variables
from uncork.core.property import NotForever
from uncork.core.questions.argument import Argument, Descent, Elsewhere, Help, Lemma, Response
from uncork.core.sorts import Range, SlipError, Value
from uncork.core.system import Action, Fairness, System
from uncork.core.transform import substituted
from uncork.engines.deductive.unwind import in_range, laps


@dataclass(frozen=True)
class Obligation:
    """The implication from all of `given` to the `goal`.

    `about` names the lemma, claim or property of the obligation. `step` names its action, if it is about one. `of`
    names the only property that needs the obligation; it is empty if every property does.
    """

    family: str
    about: str
    step: str
    given: tuple[Expr, ...]
    goal: Expr
    of: str = ""

    @property
    def name(self) -> str:
        """The name in the form `family: about, after step`."""
        return f"{self.family}: {self.about}" + (f", after {self.step}" if self.step else "")


IN_RANGE = " in range"
"""The end of the name of every lemma that a number stays in its range."""


def ranges(argument: Argument) -> list[Lemma]:
    """The lemmas that the numbers of the system stay in their ranges."""
    return [
        Lemma(v.name + IN_RANGE, f"{v.doc}: {v.sort}", all_of(in_range(v)), needed=True)
        for v in argument.system.variables
        if isinstance(v.sort, Range) and v.name not in argument.inputs
    ]


def initiation(system: System, lemmas: Iterable[Lemma]) -> Iterator[Obligation]:
    """The obligations that every lemma holds in the initial state."""
    first = {v.name: Expr("const", (), v.sort, v.initial) for v in system.variables}
    for lemma in lemmas:
        yield Obligation("initiation", lemma.name, "", (), substituted(lemma.condition, first))


def touched(action: Action, node: Expr) -> bool:
    """Whether an action changes a variable that an expression reads."""
    return any(str(v.value) in action.updates for v in variables(node))


def consecution(action: Action, lemmas: Sequence[Lemma]) -> Iterator[Obligation]:
    """The obligations that an action keeps every lemma that reads a variable it changes."""
    given = (*(lemma.condition for lemma in lemmas), action.guard)
    for lemma in lemmas:
        if touched(action, lemma.condition):
            yield Obligation(
                "consecution", lemma.name, action.name, given, substituted(lemma.condition, action.updates)
            )


def everything(argument: Argument, lemmas: Sequence[Lemma]) -> Iterator[Obligation]:
    """All obligations of a proof from these lemmas."""
    yield from initiation(argument.system, lemmas)
    for action in argument.system.actions:
        yield from consecution(action, lemmas)
    yield from conclusions(argument, lemmas)


def conclusions(argument: Argument, lemmas: Sequence[Lemma]) -> Iterator[Obligation]:
    """The obligations that follow from inductive lemmas: exactness, safety, frames, descents and responses."""
    given = tuple(lemma.condition for lemma in lemmas)
    for action in argument.system.actions:
        near = laps(action.guard) & (~action.guard | all_of(laps(value) for value in action.updates.values()))
        yield Obligation("exactness", "remainders", action.name, given, near)
    for claim in argument.safety:
        of = "" if claim.basis else claim.name
        yield Obligation("exactness", claim.name, "", given, laps(claim.condition), of)
        yield Obligation("safety", claim.name, "", given, claim.condition, of)
    yield from _frames(argument, given)
    for descent in argument.descents:
        yield from _descent(argument.system, descent, given)
    held = {response.prop.name: response.prop.condition for response in argument.responses}
    unless = [frame.unless for frame in argument.frames if frame.unless is not None]
    for response in argument.responses:
        yield from _response(argument.system, response, given, held.get(response.released))
        yield from _summed(argument.system, response, given, unless)


def _frames(argument: Argument, given: tuple[Expr, ...]) -> Iterator[Obligation]:
    for frame in argument.frames:
        for action in argument.system.actions:
            if action.name not in frame.steps:
                continue
            goals = [substituted(n, action.updates) == n for n in frame.kept if touched(action, n)]
            goals += [substituted(n, action.updates) <= n for n in frame.not_raised if touched(action, n)]
            goals += [substituted(condition, action.updates) for condition in frame.after]
            if goals:
                moves = boolean(False) if frame.unless is None else _changes(action, frame.unless)
                yield Obligation("frame", frame.name, action.name, (*given, action.guard), moves | all_of(goals))


def _changes(action: Action, number: Expr) -> Expr:
    """The condition that an action changes a number."""
    return substituted(number, action.updates) != number if touched(action, number) else boolean(False)


def _descent(system: System, descent: Descent, given: tuple[Expr, ...]) -> Iterator[Obligation]:
    prop, region = descent.prop, descent.prop.condition
    here = (*given, region)
    yield from _ranked(prop, descent.rank, given)
    for action in system.actions:
        if action.name in prop.without:
            continue
        left = ~substituted(region, action.updates)
        goal = left | lowered(descent.rank, action, otherwise=False)
        yield Obligation("rank", prop.name, action.name, (*here, action.guard), goal, prop.name)
    may = [action.guard for action in system.actions if action.fair]
    yield from _somewhere("no dead state", prop.name, here, may, descent.elsewhere)


def _ranked(prop: NotForever, rank: Sequence[tuple[str, Expr]], given: tuple[Expr, ...]) -> Iterator[Obligation]:
    """The obligations that the waiting condition is exact, and that no part of the rank is below 0 while waiting."""
    yield Obligation("exactness", prop.name, "", given, laps(prop.condition), prop.name)
    for what, part in rank:
        about = f"{prop.name}: {what} is not below 0"
        yield Obligation("rank", about, "", (*given, prop.condition), part >= 0, prop.name)


def _somewhere(
    family: str, about: str, given: tuple[Expr, ...], may: Sequence[Expr], elsewhere: Sequence[Elsewhere]
) -> Iterator[Obligation]:
    """The obligations that some step is enabled, here or elsewhere, and that the claims about elsewhere hold."""
    others = [each.condition for each in elsewhere]
    yield Obligation(family, about, "", given, _some([*may, *others]), about)
    for number, each in enumerate(elsewhere):
        goal = _some([*may, *others[:number]])
        yield Obligation(family, f"{about}: {each.says}", "", (*given, each.shown), goal, about)


def lowered(rank: Sequence[tuple[str, Expr]], action: Action, *, otherwise: bool) -> Expr:
    """The condition that an action lowers a rank; `otherwise` where the action changes no part of the rank."""
    lower = boolean(otherwise)
    for _, part in reversed(rank):
        then = substituted(part, action.updates)
        if then is not part:
            lower = (then < part) | ((then == part) & lower)
    return lower


def _response(system: System, response: Response, given: tuple[Expr, ...], held: Expr | None) -> Iterator[Obligation]:
    prop, region = response.prop, response.prop.condition
    here = (*given, region)
    for helper in response.helpers:
        _apart(response, helper)
    yield from _ranked(prop, response.rank, given)
    falls: dict[str, Expr] = {}
    for action in _staying(system, prop):
        left = ~substituted(region, action.updates)
        goal = left | lowered(response.rank, action, otherwise=True)
        falls[action.name] = left | lowered(response.rank, action, otherwise=False)
        yield Obligation("rank not raised", prop.name, action.name, (*here, action.guard), goal, prop.name)
    helping: list[Expr] = []
    for helper in response.helpers:
        for duty in sorted(helper.duties):
            outcomes = system.duties[duty]
            if outcomes[0].fairness is not Fairness.STRONG:
                continue  # a step that never has to happen helps nobody
            may = _owned(helper, helper.while_) & _may(outcomes, _free(system, response, helper))
            helping.append(may)
            yield from _helped(system, prop, duty, may, here, falls)
            yield from _left_alone(system, response, helper, duty, given)
            if response.lock is not None or helper.free:
                free = boolean(True) if held is None else ~held
                enabled = any_of(action.guard for action in outcomes)
                about = f"{prop.name}: {duty}, once released"
                yield Obligation("helped", about, "", (*here, may, free), enabled, prop.name)
        yield from _stays(system, prop, helper, here, falls)
    yield from _somewhere("helped", prop.name, here, helping, response.elsewhere)


def _apart(response: Response, helper: Help) -> None:
    """Raises `SlipError` unless `while_` speaks of the waiting replica and what is shared, and `own` of its replica."""
    of, replica = f"{response.prop.name}: {', '.join(sorted(helper.duties))}", response.replica
    hidden = sorted(
        _read(helper.while_, {text(total) for total in replica.totals}) & (replica.variables | replica.sums)
    )
    if hidden:
        raise SlipError(f"{of}: while_ reads {', '.join(hidden)}, of which a third replica has others: use own")
    if helper.own is not None:
        if not replica.variables:
            raise SlipError(f"{of}: own is a condition on a replica, and the response names none")
        foreign = sorted(_read(helper.own, set()) - replica.variables)
        if foreign:
            raise SlipError(f"{of}: own reads {', '.join(foreign)}, which its replica does not own: use while_")


def _read(node: Expr, totals: set[str]) -> set[str]:
    """The names of the variables that an expression reads, apart from those in `totals`, which are given as text."""
    if node.args and text(node) in totals:
        return set()
    return {str(node.value)} if node.op == "var" else {name for arg in node.args for name in _read(arg, totals)}


def _owned(helper: Help, condition: Expr) -> Expr:
    """A condition and `own` of a helper."""
    return condition if helper.own is None else condition & helper.own


def _summed(
    system: System, response: Response, given: tuple[Expr, ...], unless: Sequence[Expr]
) -> Iterator[Obligation]:
    """The obligations that a part before the sums falls where those who are not followed may contribute otherwise."""
    prop, sums = response.prop, response.sums
    if sums is None:
        return
    for what, part in response.rank[sums.first :]:
        about = f"{prop.name}: {what} is 0 where it does not count"
        yield Obligation("sums", about, "", (*given, prop.condition, ~sums.counts), part == 0, prop.name)
    for action in _staying(system, prop):
        moved = sums.counts & any_of(_changes(action, number) for number in unless)
        moves = _changes(action, sums.counts) | moved
        left = ~substituted(prop.condition, action.updates)
        goal = left | ~moves | lowered(response.rank[: sums.first], action, otherwise=False)
        here = (*given, prop.condition, action.guard)
        if any(touched(action, each) for each in (sums.counts, *unless)):
            yield Obligation("sums", prop.name, action.name, here, goal, prop.name)


def _staying(system: System, prop: NotForever) -> list[Action]:
    """The actions after which a run may go on waiting."""
    return [action for action in system.actions if action.name not in prop.without]


def _free(system: System, response: Response, helper: Help) -> dict[str, Expr]:
    """The values of a lock, and of what else a helper waits for, at which the helper counts as enabled."""
    free: Mapping[str, Value] = {**({} if response.lock is None else {response.lock: False}), **helper.free}
    return {v.name: lift(free[v.name], v.sort) for v in system.variables if v.name in free}


def _helped(
    system: System, prop: NotForever, duty: str, may: Expr, here: tuple[Expr, ...], falls: Mapping[str, Expr]
) -> Iterator[Obligation]:
    """The obligations that a step lowers the rank, and may happen until the rank falls; `falls` says when it does."""
    for action in _staying(system, prop):
        given, about = (*here, may, action.guard), f"{prop.name}: {duty}"
        if action.duty == duty:
            yield Obligation("rank lowered", about, action.name, given, falls[action.name], prop.name)
        elif touched(action, may):
            goal = substituted(may, action.updates) | falls[action.name]
            yield Obligation("help stays", about, action.name, given, goal, prop.name)


def _left_alone(
    system: System, response: Response, helper: Help, duty: str, given: tuple[Expr, ...]
) -> Iterator[Obligation]:
    """The obligations that no step of another replica ends a help of a replica, whether or not that other one waits."""
    if helper.own is None:
        return
    may = helper.own & _may(system.duties[duty], _free(system, response, helper))
    for action in system.actions:
        if action.name in response.replica.others and action.duty != duty and touched(action, may):
            goal = substituted(may, action.updates)
            about = f"{response.prop.name}: {duty}, whoever waits"
            yield Obligation("help stays", about, action.name, (*given, may, action.guard), goal, response.prop.name)


def _stays(
    system: System, prop: NotForever, helper: Help, here: tuple[Expr, ...], falls: Mapping[str, Expr]
) -> Iterator[Obligation]:
    """The obligations that `while_` of a helper holds until the rank falls, whichever replica takes a step."""
    about = f"{prop.name}: as long as it helps: {', '.join(sorted(helper.duties))}"
    for action in _staying(system, prop):
        if helper.own is not None and touched(action, helper.while_):
            goal = substituted(helper.while_, action.updates) | falls[action.name]
            yield Obligation("help stays", about, action.name, (*here, helper.while_, action.guard), goal, prop.name)


def _may(outcomes: Sequence[Action], free: Mapping[str, Expr]) -> Expr:
    """The condition that some outcome of a step is enabled if what it waits for is free."""
    return any_of(substituted(action.guard, free) for action in outcomes)


def _some(conditions: Sequence[Expr]) -> Expr:
    """The disjunction of many conditions, as a balanced tree."""
    if len(conditions) < 3:
        return any_of(conditions)
    half = len(conditions) // 2
    return _some(conditions[:half]) | _some(conditions[half:])
