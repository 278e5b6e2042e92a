"""Which steps of a machine store to shared words, and which steps wait until such a store is in memory.

Nothing here is declared a second time: both are read off the steps of a machine with store buffers. A step stores to a
word if it changes a buffer, and the same step of the machine without buffers changes the word. A step waits for a store
if its guard is false whatever else is the case, as soon as the store is in its thread's buffer.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import product
from typing import TYPE_CHECKING, TypeAlias, cast

from uncork.core.evaluate import evaluate
from uncork.core.expr import Expr
from uncork.core.questions.buffered import Buffered, Store
from uncork.core.sorts import SlipError, Value
from uncork.core.system import Action, System
from uncork.core.transform import Fold

from uncork_nvme.state.machine import Machine
from uncork_nvme.state.memory import Buffer, Stores
from uncork_nvme.state.queues import Posted

if TYPE_CHECKING:  # the machine of all sizes stands above the state
    from uncork_nvme.anysize import AnyCQ, AnySize

_Step: TypeAlias = "tuple[str, str]"
"""The family and the actor of a step: the same in machines of every size."""


def buffered(of: AnySize, system: System, tso: Machine, with_buffers: System, without: System) -> Buffered:
    """The stores of a machine of all sizes, as machines of a fixed size have them with store buffers and without.

    `tso` is the machine of `with_buffers`. Raises `SlipError` for a step that stores to two words.
    """
    stored = _stored(tso, with_buffers, without)
    waiting = {id(place): _waiting(place, with_buffers) for place in set(stored.values())}
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
            late.append(Store(action.name, place.word, waits))
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
    cases = [_Decided(known) for known in _while_waiting(place)]
    found: dict[_Step, bool] = {}
    for action in system.actions:
        waits = all(decided(action.guard) is False for decided in cases)
        found[_key(action)] = waits and found.get(_key(action), True)
    return frozenset(key for key, waits in found.items() if waits)


def _while_waiting(place: Stores) -> Iterator[Mapping[str, Value]]:
    """What is known of a buffer's variables while a store to a place waits: each way in which one may."""
    if place.queue is None:
        yield {f"{place.name}.wait0": 1}
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


class _Decided(Fold["Value | None"]):
    """What is known of an expression if some variables are known: its value, or None."""

    def __init__(self, known: Mapping[str, Value]) -> None:
        super().__init__()
        self.values = known

    def _compute(self, node: Expr) -> Value | None:
        if node.op == "const":
            return node.value
        if node.op == "var":
            return self.values.get(str(node.value))
        found = [self(arg) for arg in node.args]
        if node.op == "ite":
            condition, then, otherwise = found
            return (then if then == otherwise else None) if condition is None else then if condition else otherwise
        if node.op in ("&", "|") and (node.op == "|") in found:
            return node.op == "|"
        if None in found:
            return None
        known = tuple(Expr("const", (), arg.sort, value) for arg, value in zip(node.args, found, strict=True))
        return evaluate(Expr(node.op, known, node.sort, node.value), {})
