"""Which steps of a machine store to shared words, and which steps wait until such a store is in memory.

Nothing here is declared a second time: both are read off the steps of a machine with store buffers. A step stores to a
word if it changes a buffer, and the same step of the machine without buffers changes the word. A step waits for a store
if its guard is false whatever else is the case, as soon as the store is in its thread's buffer.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import chain, combinations, product
from typing import TYPE_CHECKING, TypeAlias, cast

from uncork.core.evaluate import evaluate
from uncork.core.expr import Expr, all_of, any_of, variables
from uncork.core.questions.buffered import Buffered, Store
from uncork.core.sorts import SlipError, Value
from uncork.core.system import Action, System
from uncork.core.transform import Fold, Renaming

from uncork_nvme.state.machine import Machine
from uncork_nvme.state.memory import Buffer, Queue, Stores
from uncork_nvme.state.queues import Posted

if TYPE_CHECKING:  # the machine of all sizes stands above the state
    from uncork_nvme.anysize import AnyCQ, AnySize

_ALIKE = Renaming({})
"""Writes expressions alike that differ in the order of operands only."""
_Step: TypeAlias = "tuple[str, str]"
"""The family and the actor of a step: the same in machines of every size."""


def buffered(of: AnySize, system: System, tso: Machine, with_buffers: System, without: System) -> Buffered:
    """The stores of a machine of all sizes, as machines of a fixed size have them with store buffers and without.

    `tso` is the machine of `with_buffers`. Raises `SlipError` for a step that stores to two words, or that waits for
    some contents of a buffer only, and if the machine of all sizes has other steps.
    """
    stored = _stored(tso, with_buffers, without)
    if {_key(each) for each in system.actions} != {_key(each) for each in without.actions}:
        raise SlipError("the machine of all sizes has other steps than that of a fixed size")
    waiting = {id(place): _waiting(place, with_buffers) for place in stored.values()}
    _refuse_waits_for_contents(tso, with_buffers, stored, waiting)
    actors = {id(place): _actors(buffer, stored) for buffer in tso.buffers for place in buffer.places}
    late, early = [], []
    for action in system.actions:
        place = stored.get(_key(action))
        if place is None:
            continue
        waits = frozenset(each.name for each in system.actions if _key(each) in waiting[id(place)])
        if isinstance(place, Posted):
            (about,) = [q for q in of.every if action.about(q)]
            early.append(Store(action.name, place.word, waits, cast("AnyCQ", of.cq).hides(about)))
        else:
            late.append(Store(action.name, place.word, waits, actors=actors[id(place)]))
    seen = {store.word for store in early}
    looks = {_key(each) for each in without.actions if seen & each.reads} - stored.keys()
    lookers = frozenset(each.name for each in system.actions if _key(each) in looks)
    sqs = [frozenset(v.name for record in q.records for v in record.variables) for q in of.every]
    return Buffered(late, early, lookers, sqs)


def _key(action: Action) -> _Step:
    return action.family, action.actor


def _stored(tso: Machine, with_buffers: System, without: System) -> dict[_Step, Stores]:
    """The places in buffers that steps store to."""
    plain = {action.name: action for action in without.actions}
    steps = [action for action in with_buffers.actions if action.family != "flush"]
    if {action.name for action in steps} != plain.keys():
        raise SlipError("with store buffers the machine has other steps than without")
    found: dict[_Step, Stores] = {}
    for action in steps:
        for buffer in tso.buffers:
            if not _variables(buffer) & action.updates.keys():
                continue
            places = [place for place in buffer.places if place.word in plain[action.name].updates]
            if len(places) != 1 or found.setdefault(_key(action), places[0]) is not places[0]:
                raise SlipError(f"{action.name} stores to several words in one step: make a step of each store")
    return found


def _variables(buffer: Buffer) -> frozenset[str]:
    return frozenset(variable.name for record in buffer.records for variable in record.variables)


def _waiting(place: Stores, system: System) -> frozenset[_Step]:
    """The steps that are not taken while a store to a place waits."""
    cases = [_Known(known) for known in _while_waiting(place)]
    found: dict[_Step, bool] = {}
    for action in system.actions:
        waits = all(known(action.guard).value is False for known in cases)
        found[_key(action)] = waits and found.get(_key(action), True)
    return frozenset(key for key, waits in found.items() if waits)


def _refuse_waits_for_contents(
    tso: Machine, system: System, stored: Mapping[_Step, Stores], waiting: Mapping[int, frozenset[_Step]]
) -> None:
    """Raises `SlipError` for a step that may be taken or not by what is in a buffer, and does not wait for that.

    The late stores of the step's own thread are left out: it is proved that the thread stands still as they wait.
    """
    for buffer in tso.buffers:
        mine, owners = _variables(buffer), _actors(buffer, stored)
        asked = [a for a in system.actions if a.family != "flush" and mine & {str(v.value) for v in variables(a.guard)}]
        used = [place for place in buffer.places if any(place is each for each in stored.values())]
        empty = {v.name: v.initial for record in buffer.records for v in record.variables}
        plain = _Known(empty)
        for some, known in _held(buffer, used, empty):
            full = _Known(known)
            for action in asked:
                late = action.actor in owners and not all(isinstance(place, Posted) for place in some)
                if late or any(_key(action) in waiting[id(place)] for place in some):
                    continue
                if _ALIKE.normal(full(action.guard)) != _ALIKE.normal(plain(action.guard)):
                    raise SlipError(
                        f"{action.name} may be taken or not by what is in a store buffer, and does not wait for that: "
                        "with store buffers the proof for all sizes speaks of steps that wait until a store has arrived"
                    )


def _held(
    buffer: Buffer, used: Sequence[Stores], empty: Mapping[str, Value]
) -> Iterator[tuple[Sequence[Stores], Mapping[str, Value]]]:
    """The stores that may wait in a buffer, and what is known of its variables then: all but how far each moves."""
    if not isinstance(buffer, Queue):
        for some in chain.from_iterable(combinations(used, k) for k in range(1, len(used) + 1)):
            moves = {v.name for place in some for v in place.variables}
            yield some, {name: value for name, value in empty.items() if name not in moves}
        return
    line = buffer.line.name
    for some in chain.from_iterable(product(used, repeat=k) for k in range(1, buffer.room + 1)):
        moves = {f"{line}.by{k}" for k in range(len(some))}
        known = {name: value for name, value in empty.items() if name not in moves}
        for number, (what, about) in enumerate(map(_kind, some)):
            known |= {f"{line}.what{number}": what, f"{line}.about{number}": about}
        yield some, known


def _actors(buffer: Buffer, stored: Mapping[_Step, Stores]) -> frozenset[str]:
    """The actors that store to a buffer: they are one thread."""
    return frozenset(actor for (_, actor), place in stored.items() if any(place is each for each in buffer.places))


def _while_waiting(place: Stores) -> Iterator[Mapping[str, Value]]:
    """What is known of a buffer's variables while a store to a place waits: each way in which one may."""
    if place.queue is None:
        yield from ({f"{place.name}.wait0": move} for move in range(1, place.size))
        return
    line = place.queue.line.name
    for k in range(place.queue.room):
        for before in product(dict.fromkeys(map(_kind, place.queue.places)), repeat=k):
            known: dict[str, Value] = {}
            for number, (what, about) in enumerate([*before, _kind(place)]):
                known |= {f"{line}.what{number}": what, f"{line}.about{number}": about}
            yield known


def _kind(place: Stores) -> tuple[str, str]:
    """How a store to a place stands in a line."""
    return place.what, place.about or "none"


class _Known(Fold[Expr]):
    """What is left of an expression if some variables are known."""

    def __init__(self, known: Mapping[str, Value]) -> None:
        super().__init__()
        self.values = known

    def _compute(self, node: Expr) -> Expr:
        if node.op == "var" and str(node.value) in self.values:
            return Expr("const", (), node.sort, self.values[str(node.value)])
        if not node.args:
            return node
        args = tuple([self(arg) for arg in node.args])
        if node.op == "ite" and args[0].op == "const":
            return args[1] if args[0].value else args[2]
        if node.op == "&":
            return all_of(args)
        if node.op == "|":
            return any_of(args)
        made = Expr(node.op, args, node.sort, node.value)
        if any(arg.op != "const" for arg in args):
            return made
        return Expr("const", (), node.sort, evaluate(made, {}))
