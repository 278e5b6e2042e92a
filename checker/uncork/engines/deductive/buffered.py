"""The obligations from which every run with store buffers is a run without them, in another order of the steps.

A *late* store is made when it reaches memory: the run without buffers takes the whole step only then. That is the same
run if meanwhile the step's thread stands still, if no other thread notices what the step does besides its store, and if
nothing that the others do changes what the step does. Stores of several threads may wait at once, so all this is asked
of each set of stores that a step may meet. An *early* store is made at once: the run without buffers takes its step at
once, too, and only those steps could tell that look at what it stores. Such a step may look too early, and find less;
what it then does, it has to be allowed in any case.

Both keep fairness. A step of another thread may be taken with buffers exactly if it may be taken without, or if it
waits for an early store; and such a step stays due until the store has arrived. docs/proof.md has the argument in
words. Its premises are that every store arrives some time, and that a thread's stores arrive in their order.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations, product

from uncork.core.expr import Expr, all_of, any_of, boolean, variables
from uncork.core.questions.argument import Argument, Lemma
from uncork.core.questions.buffered import Buffered, Store
from uncork.core.sorts import Enum, SlipError
from uncork.core.system import Action, Fairness, System
from uncork.core.transform import substituted
from uncork.engines.deductive.obligations import Obligation
from uncork.engines.deductive.unwind import laps

FAMILIES = {
    "thread stands still": "The step does not wait until the store of its own thread is in memory",
    "nothing else is due": "Without buffers the thread owes another step than the store at the same time",
    "held back": "The step waits for the store, and without buffers nothing keeps it from being taken before",
    "nobody notices": "The step of another thread finds or does something else before and after the step that stores",
    "one store at a time": "Two such stores may wait at once",
    "looks too early": "The step finds less than there is, and does what it may not do without buffers",
    "one step looks": "Two steps look at what is stored, and a fair run owes each of them something",
    "stays due": "A step that waits for the store is due, and this step may end that",
    "told alike": "The property does not hold of the same states before and after the step that stores",
}
"""What is wrong where an obligation of a family is not proved."""


@dataclass(frozen=True, eq=False)
class _Late:
    """A step that stores late: its `thread` is the positions that it changes, `done` what it does besides its store."""

    store: Store
    step: Action
    thread: frozenset[str]
    done: Mapping[str, Expr]

    @property
    def name(self) -> str:
        """The step and the word."""
        return f"{self.step.name} stores {self.store.word}"

    @property
    def value(self) -> Expr:
        """What it stores."""
        return self.step.updates[self.store.word]


def everything(argument: Argument, lemmas: Sequence[Lemma]) -> Iterator[Obligation]:
    """All obligations about an argument's store buffers, from these lemmas; none if it has no buffers."""
    buffers = argument.buffered
    if buffers is None:
        return
    given = tuple(lemma.condition for lemma in lemmas)
    late = [_late(argument.system, store) for store in buffers.late]
    for one, other in combinations(late, 2):
        if one.store.word == other.store.word and one.thread != other.thread:
            about = f"{one.name}, {other.step.name} does"
            here = (*given, one.step.guard, other.step.guard)
            yield Obligation("one store at a time", about, "", here, boolean(False))
    for action in argument.system.actions:
        yield from _met(argument, late, action, given)
    yield from _told_alike(argument, buffers, late, given)
    yield from _early(argument.system, buffers, given)


def _late(system: System, store: Store) -> _Late:
    step = system.action(store.step)
    places = frozenset(v.name for v in system.variables if isinstance(v.sort, Enum))
    if not places & step.updates.keys():
        raise SlipError(
            f"{step.name} stores to {store.word} and stays where it is: no other thread may tell that it has"
        )
    done = {name: value for name, value in step.updates.items() if name != store.word}
    return _Late(store, step, frozenset(places & step.updates.keys()), done)


# -- late stores -------------------------------------------------------------------------------------------------------
def _met(argument: Argument, late: Sequence[_Late], action: Action, given: tuple[Expr, ...]) -> Iterator[Obligation]:
    """The obligations about a step, and the stores that may wait as it is taken."""
    own = [each for each in late if each.thread & action.updates.keys() or action.actor in each.store.actors]
    others = [each for each in late if each not in own]
    met = [each for each in others if action.name not in each.store.waits and _meets(each, action)]
    for each in own:
        if action.name not in each.store.waits:
            for more in [(), *_together(met, each)]:
                done = _joined(each, *more)
                goal = boolean(False) if done is None else ~substituted(action.guard, done)
                yield _obligation("thread stands still", (each, *more), action, given, goal)
        if action.fair and action.duty != each.step.duty:
            yield _obligation("nothing else is due", (each,), action, given, ~action.guard)
    for each in others:
        if action.fair and action.name in each.store.waits:
            yield _obligation("held back", (each,), action, given, ~action.guard)
    for some in _together(met):
        goal = _unnoticed(some, action, argument.inputs)
        yield _obligation("nobody notices", some, action, given, goal)
        if (near := laps(goal)).op != "const":
            yield _obligation("exactness", some, action, given, near)
    assert argument.buffered is not None
    waited = [each for each in own if action.name not in each.store.waits]
    for value in (action.guard, *action.updates.values()):
        if len(_replicas(argument.buffered, [*waited, *met], value)) > 1:  # then stores of any number may meet in it
            yield Obligation("nobody notices", "stores of any number of replicas", action.name, given, boolean(False))


def _replicas(buffers: Buffered, met: Sequence[_Late], value: Expr) -> list[frozenset[str]]:
    """The replicas of which an expression reads what steps change besides their stores."""
    read = {str(v.value) for v in variables(value)} & {name for each in met for name in each.done}
    return [replica for replica in buffers.replicas if replica & read]


def _obligation(family: str, some: Sequence[_Late], action: Action, given: tuple[Expr, ...], goal: Expr) -> Obligation:
    about = " and ".join(each.name for each in some)
    return Obligation(family, about, action.name, (*given, *(each.step.guard for each in some)), goal)


def _meets(late: _Late, action: Action) -> bool:
    """Whether one of two steps changes what the other reads or changes, but for what the first stores."""
    touched = action.reads | action.updates.keys()
    return bool(late.done.keys() & touched or action.updates.keys() & (late.step.reads | late.step.updates.keys()))


def _together(met: Sequence[_Late], *beside: _Late) -> Iterator[tuple[_Late, ...]]:
    """The sets of stores that may wait at once, beside others: at most one of each thread, and one to each word."""
    threads: dict[frozenset[str], list[_Late]] = {}
    for each in met:
        threads.setdefault(each.thread, []).append(each)
    for chosen in product(*([None, *stores] for stores in threads.values())):
        some = tuple(each for each in chosen if each is not None)
        words = [each.store.word for each in (*some, *beside)]
        if some and len(words) == len(set(words)):
            yield some


def _joined(*some: _Late) -> Mapping[str, Expr] | None:
    """What steps do besides their stores, all together; None if it depends on their order."""
    done: dict[str, Expr] = {}
    for each in some:
        before = [other for other in some if other is not each]
        if any(other.done.keys() & (each.done.keys() | each.step.reads) for other in before):
            return None
        done |= each.done
    return done


def _unnoticed(some: Sequence[_Late], other: Action, inputs: frozenset[str]) -> Expr:
    """The condition that another thread's step may come before or after steps whose stores are not in memory yet."""
    done = _joined(*some)
    apart = any(each.step.reads & other.reads & inputs for each in some)  # each of the two has a choice of its own
    if done is None or apart or any(each.store.word in other.updates for each in some):
        return ~other.guard
    same = [substituted(each.value, other.updates) == each.value for each in some]
    same += [substituted(each.step.guard, other.updates) for each in some]
    for name in dict.fromkeys([*done, *other.updates]):
        before = substituted(done[name], other.updates) if name in done else other.updates[name]
        after = substituted(other.updates[name], done) if name in other.updates else done[name]
        same.append(before == after)
    return (other.guard == substituted(other.guard, done)) & (~other.guard | all_of(same))


def _told_alike(
    argument: Argument, buffers: Buffered, late: Sequence[_Late], given: tuple[Expr, ...]
) -> Iterator[Obligation]:
    """The obligations that a property holds of the states with buffers if it holds of those without."""
    lasting = [each.prop for each in argument.descents if each.prop.row]
    lasting += [each.prop for each in argument.responses if each.prop.row]
    asked = [(claim.name, claim.condition, frozenset[str]()) for claim in argument.safety]
    asked += [(prop.name, ~prop.condition, prop.without) for prop in lasting]
    hidden = {name for store in buffers.early for name in store.hidden}
    for prop in lasting:
        if hidden & {str(v.value) for v in variables(prop.condition)}:
            yield Obligation("told alike", f"{prop.name}, an early store", "", given, boolean(False), prop.name)
    for name, condition, without in asked:
        read = {str(v.value) for v in variables(condition)}
        met = [each for each in late if each.step.name not in without and each.done.keys() & read]
        for some in _together(met):
            done = _joined(*some)
            goal = boolean(False) if done is None else ~condition | substituted(condition, done)
            about = " and ".join(each.name for each in some)
            guards = [each.step.guard for each in some]
            yield Obligation("told alike", f"{name}, {about}", "", (*given, *guards), goal, name)


# -- early stores ------------------------------------------------------------------------------------------------------
def _early(system: System, buffers: Buffered, given: tuple[Expr, ...]) -> Iterator[Obligation]:
    looking = [action for action in system.actions if action.name in buffers.lookers]
    duties = list(dict.fromkeys(action.duty for action in looking))
    for duty in duties[1:] if buffers.early else []:
        yield Obligation("one step looks", duty, "", given, boolean(False))
    asked: set[tuple[str, str]] = set()
    for store in buffers.early:
        about = f"{store.step} stores {store.word}"
        for other in buffers.early:
            if other.step not in store.waits:
                yield Obligation("one store at a time", f"{about}, {other.step} does", "", given, boolean(False))
        for action in looking:
            goal = _allowed(action, store.hidden)
            yield Obligation("looks too early", about, action.name, (), goal)  # late stores may wait, too: no lemmas
            yield Obligation("exactness", f"{about}, not seen", action.name, given, laps(goal))
        for duty, outcomes in system.duties.items():
            if duty in duties:
                yield from _stays_due(system, duty, outcomes, frozenset(), given, asked)
            elif outcomes[0].fair and any(action.name in store.waits for action in outcomes):
                late = {each.step for each in buffers.late}  # these may have been taken before, and arrive meanwhile
                yield from _stays_due(system, duty, outcomes, store.waits - late, given, asked)


def _allowed(action: Action, hidden: Mapping[str, Expr]) -> Expr:
    """The condition that a step that does not see a store may be taken, and does the same, where it could see it."""
    same = []
    for name, value in action.updates.items():
        without = substituted(value, hidden)
        same.append(without == (substituted(hidden[name], action.updates) if name in hidden else value))
    return ~substituted(action.guard, hidden) | (action.guard & all_of(same))


def _stays_due(
    system: System,
    duty: str,
    outcomes: Sequence[Action],
    barred: frozenset[str],
    given: tuple[Expr, ...],
    asked: set[tuple[str, str]],
) -> Iterator[Obligation]:
    """The obligations that no step, besides those in `barred`, ends that a step is due."""
    due = any_of(action.guard for action in outcomes)
    if outcomes[0].fairness is not Fairness.STRONG:  # it has to be taken only if it may be without a break
        yield Obligation("stays due", f"{duty}, which is owed weak fairness", "", given, ~due)
        return
    read = {str(v.value) for v in variables(due)}
    for action in system.actions:
        new = action.duty != duty and action.name not in barred and (duty, action.name) not in asked
        if new and read & action.updates.keys():
            asked.add((duty, action.name))
            goal = substituted(due, action.updates)
            yield Obligation("stays due", duty, action.name, (*given, due, action.guard), goal)
