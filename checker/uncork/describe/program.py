"""A machine's program: its steps by actor, from which position to which, derived from the actions of its system."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import field

from uncork_nvme.state.queues import SQ

from uncork.core.expr import Expr, nodes, text
from uncork.core.frozen import frozen
from uncork.core.sorts import Bool, Enum, Ring, Value
from uncork.core.system import Action, System
from uncork.core.transform import Fold

GUEST = ("submitter", "consumer")
"""What the names of a guest's actors begin with."""
_OUTSIDE = ("guest", "host", "store buffer")
"""Actors that stand outside the protocol: events in the life of queues, and memory. They have no positions."""


@frozen
class Line:
    """One outcome of a step: the positions before and after it, what it does, and the function that it was read in."""

    step: str
    """The step; its outcomes have the same."""
    before: str
    """The position of the actor; empty if the step does not depend on one."""
    after: str
    does: str
    read_in: str = field(default="", compare=False)
    guard: str = field(default="", compare=False)
    updates: str = field(default="", compare=False)


@frozen
class Part:
    """The program of one actor; `held` says where a lock is held."""

    actor: str
    held: str
    lines: tuple[Line, ...]


def program(system: System, read_in: Mapping[str, str], wanted: Callable[[Action], bool]) -> list[Part]:
    """The programs of the actors, of the actions that are `wanted`. Of like SQs and workers the first stands for all.

    `read_in` has source functions by the names of steps and outcomes.
    """
    known = positions(system)
    placed = {each.name: Placed(each, known) for each in system.actions}
    every = list(placed.values())
    ranks = {v.name: _rank(every, v.name, str(v.initial)) for v in system.variables if v.name in known}
    ranks[""] = {}
    found = []
    for role, actions in _actors(filter(wanted, system.actions)).items():
        of_it = _ordered([placed[each.name] for each in actions], ranks)
        found.append(Part(role + _whose(role, of_it), _locks(of_it, every), tuple(_lines(of_it, read_in))))
    return found


def positions(system: System) -> dict[str, Sequence[str]]:
    """The variables that have an actor's position, each with its values."""
    return {v.name: v.sort.names for v in system.variables if isinstance(v.sort, Enum) and not _labels(v.sort)}


# -- who takes a step --------------------------------------------------------------------------------------------------
def _labels(sort: Enum) -> bool:
    """Whether the names are those of SQs, and no positions."""
    return all(re.fullmatch(r"SQ\d+", name) for name in sort.names)


def _given(action: Action) -> tuple[str, ...]:
    return tuple(label for each in action.args if (label := getattr(each, "label", "")))


def _role(action: Action) -> str:
    """The actor, without the names of its SQ and its number."""
    given = " ".join(_given(action))
    role = action.actor.removesuffix(given).strip()
    each = any(isinstance(arg, SQ) for arg in action.args) and given and action.actor.endswith(given)
    return f"{role} of each SQ" if each else role.removesuffix(" of")


def _actors(actions: Iterable[Action]) -> dict[str, list[Action]]:
    """The actions by actor; of actions that differ only in the numbers of SQ and worker, those of the first ones."""
    found: dict[str, list[Action]] = {}
    first: dict[tuple[str, str, str], tuple[str, ...]] = {}
    for each in actions:
        role = _role(each)
        like = re.sub(r"\d+", "", " ".join(_given(each)))
        if first.setdefault((role, each.family, like), _given(each)) == _given(each):
            found.setdefault(role, []).append(each)
    return found


# -- where a step leads ------------------------------------------------------------------------------------------------
class Placed:
    """An action, the variable that has its actor's position, and that variable's values before and after it."""

    def __init__(self, action: Action, positions: Mapping[str, Sequence[str]]) -> None:
        self.action = action
        self.at, self.before, self.after = "", list[str](), list[str]()
        if action.actor.startswith(_OUTSIDE):
            return
        may = {at: _before(action, at, names) for at, names in positions.items() if at in action.reads}
        limited = [at for at, before in may.items() if len(before) < len(positions[at])]
        for at in sorted(limited, key=lambda at: (at not in action.updates, len(may[at]))):
            if at in action.updates or len(may[at]) == 1:
                self.at, self.before = at, may[at]
                self.after = _after(action, at, may[at])
                return

    def takes(self, lock: str) -> bool:
        """Whether the action takes a lock."""
        return self.action.updates[lock].value is True

    @property
    def step(self) -> str:
        """The name of the step that the action is an outcome of."""
        step, by, _ = self.action.duty.partition(" by ")
        return step if by else self.action.family


class _Values(Fold[frozenset[Value] | None]):
    """The values that an expression can have where one variable has a known value; None if that is not known."""

    def __init__(self, name: str, value: Value) -> None:
        super().__init__()
        self.name, self.value = name, value

    def _compute(self, node: Expr) -> frozenset[Value] | None:
        if node.op == "const":
            return frozenset({node.value}) if node.value is not None else None
        if node.op == "var":
            known = node.value == self.name
            return frozenset({self.value}) if known else frozenset({True, False}) if _is_bool(node) else None
        given = [self(arg) for arg in node.args]
        match node.op, given:
            case "==", [frozenset() as one, frozenset() as other]:
                surely = len(one | other) == 1
                return frozenset({True}) if surely else frozenset({False, *([True] if one & other else [])})
            case "~", [frozenset() as one]:
                return frozenset(not each for each in one)
            case "&" | "|", [frozenset() as one, frozenset() as other]:
                joined = {(a and b) if node.op == "&" else (a or b) for a in one for b in other}
                return frozenset(joined)
            case "ite", [frozenset() as condition, then, otherwise]:
                taken = [branch for value, branch in ((True, then), (False, otherwise)) if value in condition]
                return None if None in taken else frozenset().union(*(each for each in taken if each is not None))
        return frozenset({True, False}) if _is_bool(node) else None


def _is_bool(node: Expr) -> bool:
    return isinstance(node.sort, Bool)


def _before(action: Action, at: str, names: Sequence[str]) -> list[str]:
    """The positions in which the action may be enabled."""
    return [name for name in names if True in (_Values(at, name)(action.guard) or {True})]


def _after(action: Action, at: str, before: Sequence[str]) -> list[str]:
    """The positions that the action may lead to."""
    if at not in action.updates:
        return list(before)
    found = [_Values(at, name)(action.updates[at]) or frozenset({"?"}) for name in before]
    return sorted({str(value) for each in found for value in each})


def _rank(found: Iterable[Placed], at: str, first: str) -> dict[str, int]:
    """The positions of an actor by when it comes to them, if it follows the first outcome of each step to its end."""
    ways = [(start, each.after) for each in found if each.at == at for start in each.before]
    seen: dict[str, int] = {}
    waiting = [first]
    while waiting:
        position = waiting.pop()
        if position not in seen:
            seen[position] = len(seen)
            waiting += [to for start, after in reversed(ways) if start == position for to in reversed(after)]
    return seen


def _ordered(found: Sequence[Placed], ranks: Mapping[str, Mapping[str, int]]) -> list[Placed]:
    """An actor's outcomes in the order of their positions, those of a step together.

    A step without a position stays behind the step that it is declared after.
    """
    steps: dict[str, list[Placed]] = {}
    for each in found:
        steps.setdefault(each.step, []).append(each)
    rank, of_step = -1, dict[str, int]()
    for step, outcomes in steps.items():
        known = [ranks[each.at][start] for each in outcomes for start in each.before if start in ranks[each.at]]
        of_step[step] = rank = min(known, default=rank)
    return [each for step in sorted(steps, key=of_step.__getitem__) for each in steps[step]]


# -- where a lock is held ----------------------------------------------------------------------------------------------
_LOCK = ".locked"


def _held(found: Sequence[Placed], at: str, lock: str) -> set[str]:
    """The positions that an actor comes to with a lock."""
    mine = [each for each in found if each.at == at]
    held = {to for each in mine for to in each.after if lock in each.action.updates and each.takes(lock)}
    while True:
        kept = [each for each in mine if lock not in each.action.updates and held.intersection(each.before)]
        more = {to for each in kept for to in each.after}
        if more <= held:
            return held
        held |= more


def _locks(of_it: Sequence[Placed], found: Sequence[Placed]) -> str:
    """Where an actor holds which lock, in words."""
    starts = {each.at: list[str]() for each in of_it if each.at}
    for each in of_it:
        starts.get(each.at, []).extend(each.before)
    locks = dict.fromkeys(name for each in found for name in each.action.updates if name.endswith(_LOCK))
    said = []
    for lock in locks:
        holds = {at: _held(found, at, lock) for at in starts}
        held = [p for at, known in starts.items() for p in dict.fromkeys(known) if p in holds[at]]
        if held:
            said.append(f"{'CQ' if lock.startswith('cq.') else 'SQ'} lock at {', '.join(held)}")
    return "; ".join(said)


def _whose(role: str, of_it: Sequence[Placed]) -> str:
    """Whose positions an actor's are, if not its own: a doorbell's handler is where the guest's submitter waits."""
    for each in of_it:
        if each.at:
            *_, record, name = each.at.split(".")
            owner = record.rstrip("0123456789") if name == "at" else name
            return "" if role.startswith(owner) or owner == "poster" else f", at the {owner}'s positions"
    return ""


# -- what a step does --------------------------------------------------------------------------------------------------
def _lines(of_it: Sequence[Placed], read_in: Mapping[str, str]) -> Iterator[Line]:
    """The lines of an actor. Actions that differ in a number or in whom they wake share one."""
    alike: dict[tuple[object, ...], list[Placed]] = {}
    for each in of_it:
        key = each.step, each.action.family, tuple(each.before), tuple(each.after), tuple(_said(each.action))
        alike.setdefault(key, []).append(each)
    told = set()
    for outcomes in alike.values():
        one = outcomes[0]
        numbers = [n for each in outcomes for n in each.action.args if type(n) is int]
        notes = list(dict.fromkeys(n for each in outcomes for a in each.action.args if (n := getattr(a, "note", ""))))
        named = one.action.family if one.action.family in read_in and one.action.family != one.step else one.step
        source = "" if named in told else read_in.get(named, "")
        told.add(named)
        where = one.step, " or ".join(one.before), " or ".join(one.after)
        main, *instead = (does.replace(_NUMBER, _span(numbers)) for does in _said(one.action))
        wakes = next((words for each in outcomes if (words := _causes(each.action, main))), "")
        guards = [text(each.action.guard) for each in outcomes]
        updates = [f"{name}' = {text(value)}" for each in outcomes for name, value in each.action.updates.items()]
        yield Line(*where, main + wakes + _wakes(notes), source, "\n".join(guards), "\n".join(updates))
        for other in instead:
            rest = other.removeprefix(main)
            yield Line(*where, f"or {other if rest == other else '...' + rest}")


_NUMBER = "\0"


def _said(action: Action) -> list[str]:
    """What the action does, in every state, and then what it does instead in some; `_NUMBER` is for its number."""
    told = [action.told, *(other for _, other in action.told.instead)]
    said = [_reads(action) + each.brief(_short) for each in told]
    for each in action.args:
        if isinstance(each, SQ):
            said = [re.sub(rf"\b{each.label}\b", "the SQ", words) for words in said]
        if type(each) is int:
            said = [re.sub(rf"\b{each}\b", _NUMBER, words, count=1) for words in said]
    return said


def _reads(action: Action) -> str:
    """Which shadow word a step of the device reads, if its sentence does not say that it reads one."""
    if action.actor.startswith((*GUEST, *_OUTSIDE)) or re.search("read|learn|refuse", action.told.said):
        return ""
    words = [name.partition(".")[0] for name in sorted(action.reads) if name.endswith(".shadow")]
    return "".join(f"reads {'CQ head' if word == 'cq' else 'SQ tail'}: " for word in words)


def _causes(action: Action, said: str) -> str:
    """Whom else a step of the device wakes, if its sentence does not say that it wakes anyone."""
    if re.search("kick|notif|reaches|wakes", said):
        return ""
    for name, value in action.updates.items():
        record, _, variable = name.rpartition(".")
        given = value.value is True if value.op == "const" else value.op != "-"
        if variable in ("called", "wakeups", "woken") and (given or value.value == 1):
            kicks = f"{record}.corked" in action.updates and f"{record}.corked" in {x.value for x in nodes([value])}
            return "; kicks the corked SQs" if kicks else "; notifies the worker"
        if variable == "scheduled" and given:
            return "; schedules a post" if value.op == "const" else "; may schedule a post"
    return ""


def _short(value: Expr) -> str:
    """A position as a reader of one queue's code writes it: `tail - 1` of `cq.tail - 1`. A number is just some."""
    if not isinstance(value.sort, Ring):
        return "some"
    return re.sub(r"\b(cq|sq\d+)\.", "", text(value))


def _span(numbers: Sequence[int]) -> str:
    return f"{min(numbers)} to {max(numbers)}" if len(numbers) > 1 else "".join(map(str, numbers))


def _wakes(notes: Sequence[str]) -> str:
    shown = [*notes[:2], "...", notes[-1]] if len(notes) > 3 else notes
    return f" ({', or '.join(shown)})" if shown else ""
