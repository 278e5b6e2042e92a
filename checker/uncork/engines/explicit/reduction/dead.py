"""Dead variables: what nobody will read before it is written need not be told apart.

A variable that is dead at every place (see `flow`) is so for ever. Another may be for a while: there it is set to its
default, which is exact. Take two states at one place that differ in variables only that are dead there. They satisfy
the same properties and have the same actions; each leads both to one place, and to two such states again: what is live
after a step was written with what was live before it, or was live before and kept. So the two are bisimilar, and no
property, fair or not, tells them apart. A variable that tells where others are dead is not set itself, so whether they
are is the same before and after: any number of variables is set in one step, each because of places of its own.

Of the places that there might be only those are tried that can say something: of a small variable that everybody looks
at, or writes with, who reads the other; of that and a truth value that has a say in where it goes from there; of two
numbers that are compared with one another.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from uncork.core.expr import Expr, any_of, ite
from uncork.core.sorts import Array, Bool, default
from uncork.core.system import Variable
from uncork.engines.explicit.reduction.flow import Flow, Places, each, small

_WORK = 10_000
"""Steps that are looked at, each once for every places that are tried: about a second. Few systems have so many."""


def buried(flow: Flow) -> dict[str, Expr]:
    """For each variable that may be dead, its value with the default in place of what nobody will read."""
    arrays = _set(flow, lambda v: isinstance(v.sort, Array))
    dead: dict[int, list[tuple[Places, int]]] = {}
    gone = telling = 0
    for some in _tried(flow):
        if some & gone:
            continue
        for bit in each(flow.beside(some) & ~(telling | arrays)):
            places = flow.places(some)
            where = places.everywhere & ~places.live(bit)
            where &= places.reached if where else 0
            for fewer, known in dead.get(bit, ()) if where else ():
                if not fewer.some & ~some:
                    where &= ~places.widened(fewer, known)
            if where:
                dead.setdefault(bit, []).append((places, where))
                gone |= bit
                telling |= some
    result: dict[str, Expr] = {}
    for name, variable in flow.variables.items():
        bit, nothing = flow.bits[name], Expr("const", (), variable.sort, default(variable.sort))
        if bit & gone:
            where_dead = any_of(places.are_in(where) for places, where in dead[bit])
            result[name] = ite(where_dead, nothing, Expr("var", (), variable.sort, name))
        elif not bit & (flow.living | arrays):
            result[name] = nothing
    return result


def _tried(flow: Flow) -> list[int]:
    """The variables whose places are tried: one alone before two."""
    telling = flow.living & _set(flow, small)
    truths = telling & _set(flow, lambda v: isinstance(v.sort, Bool))
    common = dict.fromkeys(each(flow.living & ~_set(flow, lambda v: isinstance(v.sort, Array))), -1)
    for concerned, passed in flow.readers:
        for bit in each(passed):
            if bit in common:
                common[bit] &= concerned
    found: set[int] = set()
    for bit, others in common.items():
        beside = others & telling & ~bit if others != -1 else 0
        found.update(each(beside))
        for step in flow.steps if beside & ~truths else ():
            if not bit & step.changes:
                moved, also = beside & step.changes & ~truths, step.guard & truths & ~bit
                found.update(one | other for one in each(moved) for other in each(also))
    compared = {pair for step in flow.steps for pair in _pairs(flow, step.action.guard) if not pair & ~telling}
    found.update(pair for pair in compared if flow.beside(pair) & sum(common))
    tried = sorted(found, key=lambda some: (some.bit_count(), sorted(flow.names(some))))
    return tried[: max(1, _WORK // len(flow.steps))] if flow.steps else []


def _pairs(flow: Flow, condition: Expr) -> Iterator[int]:
    """Two variables that are compared somewhere in a condition."""
    if condition.op in ("&", "|", "~"):
        for arg in condition.args:
            yield from _pairs(flow, arg)
    elif (reads := flow.reads(condition)).bit_count() == 2:
        yield reads


def _set(flow: Flow, wanted: Callable[[Variable], bool]) -> int:
    return sum(flow.bits[name] for name, variable in flow.variables.items() if wanted(variable))
